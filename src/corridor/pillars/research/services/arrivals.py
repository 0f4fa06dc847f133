"""What other sites say of a study: checked against its protocol, stored, and the runs that waited for it woken."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from corridor.accounts.actors import Actor, System
from corridor.accounts.transactions import note, write
from corridor.base.errors import CorridorError, InputFault
from corridor.exchange.registry import Received
from corridor.exchange.rules.canonical import unb64
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.exchange.services.documents import signed_document
from corridor.pillars.research.messages import RoundBlock, StudyMessage
from corridor.pillars.research.models import ProtocolVersion, Round, Run, SiteState, StudySignature
from corridor.pillars.research.queries.studies import own_node_id
from corridor.pillars.research.rules.conduct import ending, may_follow
from corridor.pillars.research.rules.protocol import SCHEMA, Protocol, Site, read_protocol
from corridor.pillars.research.services.runs import begin_run, end_run, wake, wake_open
from corridor.pillars.research.services.studies import lock_if_signed, record_version

__all__ = ["TooEarly", "forget_blocks", "take_acts"]


_OWN = System("research")
"""Who answers: another site may not speak for this one."""


class TooEarly(CorridorError):
    """An act came before what it refers to; the sender repeats it, and by then the other has arrived."""

    code: ClassVar[str] = "too-early"


@dataclass(frozen=True)
class _Act:
    """One act of another site, with the version of the protocol under which it was sent, and the site that sent it."""

    message: StudyMessage
    received: Received
    version: ProtocolVersion
    protocol: Protocol
    site: Site
    actor: Actor
    now: datetime


@write("research.take_acts")
def take_acts(batch: Sequence[Received], *, actor: Actor, now: datetime) -> None:
    """Take what other sites say of studies.

    Raises
    ------
    Refused
        If an act is malformed, or its sender is no site of the protocol.
    TooEarly
        If it refers to a protocol or a run that has not arrived yet.
    """
    for received in batch:
        message = received.message
        if not isinstance(message, StudyMessage):
            raise Refused(Reason.MALFORMED)
        if message.proposal is not None:
            _take_proposal(message, received, now=now)
            continue
        version = ProtocolVersion.objects.select_related("study").filter(hash=message.protocol).first()
        if version is None:
            raise TooEarly("the protocol has not arrived yet")
        protocol = read_protocol(bytes(version.document))
        site = protocol.site_of(received.from_node)
        if site is None:
            raise Refused(Reason.NOT_A_PARTY)
        act = _Act(message, received, version, protocol, site, actor, now)
        for part, take in _TAKEN:
            if getattr(message, part) is not None:
                take(act)
    note(acts=len(batch))


@write("research.forget_blocks")
def forget_blocks(crossing_ids: Sequence[int], *, actor: Actor, now: datetime) -> int:
    """Delete the blocks that came in envelopes whose bodies are deleted; return how many.

    Protocols, signatures and standings hold no figures and stay, as the record of what was agreed. The result of a run
    stays too: it is the joint work of all sites, held by each of them.
    """
    del actor, now
    gone, _ = Round.objects.filter(crossing_id__in=crossing_ids).delete()
    note(blocks=gone)
    return gone


def _take_proposal(message: StudyMessage, received: Received, *, now: datetime) -> None:
    own = own_node_id()
    try:
        document = unb64(message.proposal.document if message.proposal else "")
        protocol = read_protocol(document)
    except InputFault as fault:
        raise Refused(Reason.MALFORMED, fault.code) from fault
    site = protocol.site_of(own)
    if protocol.hash != message.protocol or site is None or protocol.site_of(received.from_node) is None:
        raise Refused(Reason.NOT_A_PARTY)
    record_version(
        protocol,
        document,
        own_site=site.id,
        agreement=received.agreement,
        channel=received.channel.id if received.channel else "",
        proposed_by=received.from_node,
        now=now,
    )


def _take_signature(act: _Act) -> None:
    try:
        signature = unb64(act.message.signature.signature if act.message.signature else "")
    except InputFault as fault:
        raise Refused(Reason.MALFORMED, fault.code) from fault
    if not signed_document(bytes(act.version.document), signature, kind=SCHEMA, node=act.received.from_node):
        raise Refused(Reason.BAD_SIGNATURE)
    StudySignature.objects.get_or_create(
        version=act.version,
        site=act.site.id,
        defaults={
            "node": act.received.from_node,
            "signature": signature,
            "signed_at": act.now,
            "crossing_id": act.received.crossing_id,
        },
    )
    lock_if_signed(act.version, act.protocol, now=act.now)


def _take_ready(act: _Act) -> None:
    snapshot = act.message.ready.snapshot if act.message.ready else ""
    SiteState.objects.filter(study=act.version.study, site=act.site.id).update(snapshot=snapshot)


def _take_request(act: _Act) -> None:
    request = act.message.request
    if act.version.locked_at is None:
        raise TooEarly("a signature is still on its way")
    if request is None or act.protocol.analysis(request.analysis) is None:
        raise Refused(Reason.UNKNOWN_SUBJECT)
    run = begin_run(
        run=uuid.UUID(request.run),
        version_id=act.version.pk,
        analysis=request.analysis,
        node=act.received.from_node,
        by="",
        actor=act.actor,
        now=act.now,
    )
    if act.version.study.versions.filter(version__gt=act.version.version, locked_at__isnull=False).exists():
        # Runs that were asked for before an amendment was locked go on; nothing new begins under what it replaced.
        own, code = act.version.study.own_site, "protocol-superseded"
        end_run(
            run=run.pk,
            state=ending(code),
            site=own,
            reasons=[code],
            number=1,
            code=code,
            tell=True,
            actor=_OWN,
            now=act.now,
        )


def _take_block(act: _Act) -> None:
    block = act.message.block
    run = _run(block.run if block else "", act.version)
    if block is None or block.analysis != run.analysis:
        raise Refused(Reason.UNKNOWN_SUBJECT)
    row, created = Round.objects.get_or_create(
        run=run,
        number=block.round,
        site=act.site.id,
        defaults={
            "step": block.step,
            "parameters": {each.name: list(each.values) for each in block.parameters},
            "numbers": {each.name: list(each.values) for each in block.numbers},
            "snapshot": block.snapshot,
            "envelope": act.received.token_hash,
            "crossing_id": act.received.crossing_id,
            "recorded_at": act.now,
        },
    )
    if not created and not _same(row, block):
        end_run(
            run=run.pk,
            state=ending("two-answers"),
            site=act.site.id,
            reasons=["two-answers"],
            number=block.round,
            code="two-answers",
            tell=True,
            actor=_OWN,
            now=act.now,
        )
        return
    wake(run, actor=act.actor, now=act.now)


def _same(row: Round, block: RoundBlock) -> bool:
    return bool(row.numbers == {each.name: list(each.values) for each in block.numbers})


def _take_refusal(act: _Act) -> None:
    refusal = act.message.refusal
    run = _run(refusal.run if refusal else "", act.version)
    if refusal is None:
        raise Refused(Reason.MALFORMED)
    end_run(
        run=run.pk,
        state=ending(refusal.code),
        site=act.site.id,
        reasons=refusal.reasons,
        number=refusal.round,
        code=refusal.code,
        tell=False,
        actor=act.actor,
        now=act.now,
    )


def _take_standing(act: _Act) -> None:
    standing = act.message.standing
    if standing is None:
        raise Refused(Reason.MALFORMED)
    state = SiteState.objects.select_for_update().get(study=act.version.study, site=act.site.id)
    # Envelopes overtake one another: what was stated later counts, whichever came first.
    is_older = state.stated_at is not None and act.message.stated_at < state.stated_at
    if is_older or not may_follow(standing.standing, after=state.standing):
        return
    state.standing, state.reason = standing.standing, standing.reason
    state.stated_at, state.since_at = act.message.stated_at, act.now
    state.save(update_fields=["standing", "reason", "stated_at", "since_at"])
    wake_open(act.version.study, actor=act.actor, now=act.now)


def _run(text: str, version: ProtocolVersion) -> Run:
    run = Run.objects.filter(pk=text, version=version).first() if text else None
    if run is None:
        raise TooEarly("the request of the run has not arrived yet")
    return run


_TAKEN: tuple[tuple[str, Callable[[_Act], None]], ...] = (
    ("signature", _take_signature),
    ("ready", _take_ready),
    ("request", _take_request),
    ("block", _take_block),
    ("refusal", _take_refusal),
    ("standing", _take_standing),
)
