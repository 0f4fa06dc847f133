"""Propose a protocol, sign it, and lock it once every site has signed the same bytes."""

from datetime import datetime
from typing import Any, ClassVar

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import Refused
from corridor.exchange.rules.canonical import b64
from corridor.exchange.services.documents import sign_document
from corridor.pillars.research.messages import ProtocolProposal, ProtocolSignature, StudyMessage
from corridor.pillars.research.models import ProtocolVersion, SiteState, Study, StudySignature
from corridor.pillars.research.queries.studies import UnknownStudy, own_node_id
from corridor.pillars.research.rules.protocol import SCHEMA, Protocol, read_protocol
from corridor.pillars.research.services.sending import open_channel, send_act

__all__ = [
    "APPROVE",
    "PROPOSE",
    "SIGN",
    "NotASite",
    "ProtocolUnfit",
    "ask_to_sign",
    "find_version",
    "lock_if_signed",
    "propose_study",
    "record_version",
    "sign_protocol",
]

PROPOSE, APPROVE = "research.propose", "research.approve"
SIGN = "research.sign-protocol"


class NotASite(Refused):
    """The protocol names no site at this node."""

    code: ClassVar[str] = "not-a-site"


class ProtocolUnfit(Refused):
    """The protocol does not fit the versions that are known, or does not count any more."""

    code: ClassVar[str] = "protocol-unfit"


@write("research.propose_study")
def propose_study(document: bytes, *, agreement: str, actor: Actor, now: datetime) -> ProtocolVersion:
    """Record the canonical bytes of a protocol and propose them to every other site.

    Parameters
    ----------
    agreement : str
        Hash, or its beginning, of the agreement that opens ``research.study`` between the sites.

    Raises
    ------
    MalformedProtocol, NotASite, ProtocolUnfit, StudyNotOpen, NotPermitted
    """
    require(actor, PROPOSE)
    protocol = read_protocol(document)
    own = own_node_id()
    site = protocol.site_of(own)
    if site is None:
        raise NotASite(f"this node, {own}, is no site of the protocol; name it under [[sites]].")
    view = open_channel(protocol, own_site=site.id, agreement=agreement, now=now, actor=actor)
    version = record_version(
        protocol,
        document,
        own_site=site.id,
        agreement=view.agreement,
        channel=view.id,
        proposed_by=own,
        now=now,
    )
    note(study=protocol.study, version=protocol.version, protocol=protocol.hash)
    act = StudyMessage(
        study=protocol.study,
        protocol=protocol.hash,
        stated_at=now,
        simulated=protocol.simulated,
        proposal=ProtocolProposal(document=b64(document)),
    )
    send_act(act, study=version.study, protocol=protocol, actor=actor, now=now)
    return version


def record_version(
    protocol: Protocol,
    document: bytes,
    *,
    own_site: str,
    agreement: str,
    channel: str,
    proposed_by: str,
    now: datetime,
) -> ProtocolVersion:
    """Store a version of a protocol, and its study with the first one; the same bytes again change nothing.

    Raises
    ------
    ProtocolUnfit
        If another document claims the same version, or it amends none that is known.
    """
    known = ProtocolVersion.objects.filter(hash=protocol.hash).first()
    if known is not None:
        return known
    study, _ = Study.objects.select_for_update().get_or_create(
        name=protocol.study,
        defaults={"agreement": agreement, "channel": channel, "own_site": own_site, "created_at": now},
    )
    if protocol.supersedes and not study.versions.filter(hash=protocol.supersedes).exists():
        raise ProtocolUnfit("the protocol amends a version that is not known here; propose that one first.")
    if study.versions.filter(version=protocol.version, locked_at__isnull=False).exists():
        raise ProtocolUnfit(f"version {protocol.version} of {protocol.study} is locked; amend it with a later one.")
    for site in protocol.sites:
        SiteState.objects.get_or_create(study=study, site=site.id, defaults={"since_at": now})
    return ProtocolVersion.objects.create(
        study=study,
        hash=protocol.hash,
        version=protocol.version,
        document=document,
        proposed_by=proposed_by,
        recorded_at=now,
    )


def ask_to_sign(hash_: str, *, actor: Actor, now: datetime) -> Outcome:
    """Ask for this site's signature over a protocol; a second person gives it.

    Raises
    ------
    UnknownStudy
    """
    version = find_version(hash_)
    return ask(SIGN, {"protocol": version.hash}, actor=actor, now=now)


@write("research.sign_protocol", subject="protocol")
def sign_protocol(*, protocol: str, actor: Actor, first: Actor, now: datetime) -> StudySignature:
    """Sign a protocol's bytes for this site and send the signature to every other one.

    Raises
    ------
    UnknownStudy, ProtocolUnfit, StudyNotOpen
    """
    version = find_version(protocol)
    read = read_protocol(bytes(version.document))
    if read.ends_on < now.date():
        raise ProtocolUnfit(f"the study ended on {read.ends_on.isoformat()}; nothing is signed any more.")
    signature = sign_document(bytes(version.document), kind=SCHEMA)
    act = StudyMessage(
        study=read.study,
        protocol=read.hash,
        stated_at=now,
        simulated=read.simulated,
        signature=ProtocolSignature(signature=b64(signature)),
    )
    row, _ = StudySignature.objects.get_or_create(
        version=version,
        site=version.study.own_site,
        defaults={
            "node": own_node_id(),
            "signature": signature,
            "signed_at": now,
            "actor": actor_name(actor),
        },
    )
    note(study=read.study, first=actor_name(first))
    send_act(act, study=version.study, protocol=read, actor=actor, now=now)
    lock_if_signed(version, read, now=now)
    return row


def lock_if_signed(version: ProtocolVersion, protocol: Protocol, *, now: datetime) -> None:
    """Lock a version once every site of it has signed."""
    signed = set(version.signatures.values_list("site", flat=True))
    sites = {site.id for site in protocol.sites}
    if version.locked_at is None and sites <= signed:
        version.locked_at = now
        version.save(update_fields=["locked_at"])
        # Who signs an amendment takes part again, also a site that left under the version before.
        gone = (SiteState.Standing.LEFT, SiteState.Standing.CLOSED)
        version.study.sites.filter(site__in=sites, standing__in=gone).update(
            standing=SiteState.Standing.ACTIVE, reason="", since_at=now
        )


def find_version(hash_: str) -> ProtocolVersion:
    """Return the one version whose hash begins with `hash_`.

    Raises
    ------
    UnknownStudy
    """
    found: list[Any] = list(ProtocolVersion.objects.select_related("study").filter(hash__startswith=hash_)[:2])
    if len(found) != 1 or not hash_:
        raise UnknownStudy(
            f"{'no' if not found else 'more than one'} protocol has a hash that begins with {hash_!r};"
            " `corridor study list` shows them."
        )
    version: ProtocolVersion = found[0]
    return version
