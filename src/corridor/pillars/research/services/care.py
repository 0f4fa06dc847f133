"""Publish documents of care to the partners of an agreement, take theirs, and take own ones back after a restore."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import ClassVar

from django.db import transaction

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import InputFault
from corridor.base.errors import Refused as Denied
from corridor.exchange import queries as exchange_queries
from corridor.exchange import services as exchange
from corridor.exchange.registry import Received
from corridor.exchange.rules.canonical import b64, unb64
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.pillars.research.messages import CareDocumentMessage
from corridor.pillars.research.models import CareDocument as CareRow
from corridor.pillars.research.models import FollowedPatients
from corridor.pillars.research.queries.care import care_channels
from corridor.pillars.research.queries.studies import own_node_id
from corridor.pillars.research.rules.care import CareDocument, CareKind, read_care_document
from corridor.pillars.research.services.row_files import destroy_rows

__all__ = [
    "PUBLISH",
    "CareNotOpen",
    "VersionTaken",
    "forget_documents",
    "publish_document",
    "take_back_documents",
    "take_documents",
]

PUBLISH = "research.publish_care"


class CareNotOpen(Denied):
    """No agreement in force lets this node share documents of care."""

    code: ClassVar[str] = "care-not-open"


class VersionTaken(Denied):
    """Other content was published under the same version before."""

    code: ClassVar[str] = "version-taken"


@write("research.publish_document")
def publish_document(kind: CareKind, document: bytes, *, agreement: str, actor: Actor, now: datetime) -> CareRow:
    """Keep a treatment protocol or a follow-up schedule as a version of this node, and send it to the partners.

    The same bytes again are sent again, such as to the partners of another agreement.

    Parameters
    ----------
    document : bytes
        Canonical, as `rules.care.draft_care_document` returns them.
    agreement : str
        Hash, or its beginning, of the agreement that opens ``research.care``; empty for the only one.

    Raises
    ------
    MalformedTreatment, MalformedSchedule, VersionTaken, CareNotOpen, NotPermitted
    """
    require(actor, PUBLISH)
    read = read_care_document(kind, document)
    schema = CareDocumentMessage.schema_id()
    views = [each for each in care_channels(actor=actor, now=now) if each.agreement.startswith(agreement)]
    if len({each.agreement for each in views}) != 1:
        found = "several agreements open" if views else "no agreement in force opens"
        raise CareNotOpen(
            f"{found} {schema} from this node{f' with a hash that begins with {agreement!r}' if agreement else ''}."
            " `corridor agreement show` says what is signed, and what an agreement opens."
        )
    own = exchange_queries.own_node()
    row = _record(
        read,
        document,
        node=own_node_id(),
        is_simulated=own is not None and own.is_simulated,
        by=actor_name(actor),
        crossing=None,
        now=now,
    )
    message = CareDocumentMessage(kind=kind.value, document=b64(document), stated_at=now, simulated=row.simulated)
    partners = 0
    for view in views:
        for partner in view.partners:
            crossing = exchange.send(
                message, to=partner, agreement=view.agreement, channel=view.id, actor=actor, now=now
            )
            if crossing.status == "refused":
                raise CareNotOpen(f"the gate refuses what would go to {partner}: {crossing.reason}")
            partners += 1
    note(document=read.hash, version=read.version, partners=partners)
    return row


@write("research.take_documents")
def take_documents(batch: Sequence[Received], *, actor: Actor, now: datetime) -> None:
    """Keep what partners share of care.

    Raises
    ------
    Refused
        If a document breaks its schema, or claims a version that the partner gave to other content.
    """
    del actor
    for received in batch:
        _take(received, now=now)
    note(documents=len(batch))


@write("research.take_back_documents")
def take_back_documents(batch: Sequence[Received], *, actor: Actor, now: datetime) -> None:
    """Keep again what this node itself had shared and lost with a restore, as partners return it."""
    del actor
    for received in batch:
        _take(received, is_own=True, now=now)
    note(documents=len(batch))


@write("research.forget_documents")
def forget_documents(crossing_ids: Sequence[int], *, actor: Actor, now: datetime) -> int:
    """Delete the documents that came in envelopes whose bodies are deleted; return how many.

    The table of patients who were followed up by such a schedule goes with it.
    """
    del actor, now
    found = CareRow.objects.filter(crossing_id__in=crossing_ids)
    for name in FollowedPatients.objects.filter(schedule__in=found).values_list("name", flat=True):
        transaction.on_commit(partial(destroy_rows, name))
    _, deleted = found.delete()
    gone = deleted.get(CareRow._meta.label, 0)
    note(documents=gone)
    return gone


def _take(received: Received, *, now: datetime, is_own: bool = False) -> None:
    message = received.message
    if not isinstance(message, CareDocumentMessage):
        raise Refused(Reason.MALFORMED)
    try:
        document = unb64(message.document)
        read = read_care_document(CareKind(message.kind), document)
        _record(
            read,
            document,
            node=received.from_node,
            is_simulated=message.simulated,
            by="",
            # What is this node's own does not go when the body of an envelope is deleted.
            crossing=None if is_own else received.crossing_id,
            now=now,
        )
    except (InputFault, VersionTaken) as fault:
        raise Refused(Reason.MALFORMED, fault.code) from fault


def _record(
    read: CareDocument,
    document: bytes,
    *,
    node: str,
    is_simulated: bool,
    by: str,
    crossing: int | None,
    now: datetime,
) -> CareRow:
    """Store a version, or return the one that is known by its hash."""
    known = CareRow.objects.filter(node=node, hash=read.hash).first()
    if known is not None:
        return known
    if CareRow.objects.filter(node=node, kind=read.kind.value, name=read.name, version=read.version).exists():
        raise VersionTaken(
            f"version {read.version} of {read.name} was published with other content;"
            " give what changed a later version."
        )
    return CareRow.objects.create(
        node=node,
        kind=read.kind.value,
        name=read.name,
        version=read.version,
        hash=read.hash,
        document=document,
        simulated=is_simulated,
        recorded_at=now,
        recorded_by=by,
        crossing_id=crossing,
    )
