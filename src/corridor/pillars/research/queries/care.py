"""Treatment protocols and follow-up schedules of both sides, in all their versions, and two of them side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.base.differences import SidePair
from corridor.base.errors import WrongUsage
from corridor.exchange import queries as exchange_queries
from corridor.exchange.registry import ChannelView
from corridor.pillars.research.messages import CareDocumentMessage
from corridor.pillars.research.models import CareDocument as CareRow
from corridor.pillars.research.queries.studies import own_node_id
from corridor.pillars.research.rules.care import CareDocument, CareKind, compare_treatments, read_care_document

__all__ = [
    "CareView",
    "NotTwoTreatments",
    "UnknownCareDocument",
    "care_channels",
    "care_documents",
    "compare_documents",
    "find_care_document",
]

SEE_CARE = "research.see_care"


class UnknownCareDocument(WrongUsage):
    """No document of care has a hash that begins so, or several have."""

    code: ClassVar[str] = "no-such-care-document"


class NotTwoTreatments(WrongUsage):
    """A comparison needs two treatment protocols."""

    code: ClassVar[str] = "not-two-treatments"


@dataclass(frozen=True)
class CareView:
    """One version of a document, whose it is, and since when it is here.

    Attributes
    ----------
    is_latest : bool
        Whether no later version of the same document of the same node is here.
    crossing : int or None
        The crossing in which it came; None for this node's own.
    """

    document: CareDocument
    content: bytes
    node: str
    is_own: bool
    is_latest: bool
    is_simulated: bool
    recorded_at: datetime
    recorded_by: str
    crossing: int | None


def care_documents(actor: Actor, *, kind: CareKind | None = None) -> list[CareView]:
    """Return every version of every document; those of one document together, the newest first."""
    require(actor, SEE_CARE)
    own = own_node_id()
    found: list[CareView] = []
    known: set[tuple[str, str, str]] = set()
    rows = CareRow.objects.all() if kind is None else CareRow.objects.filter(kind=kind.value)
    for row in rows:
        document = (row.node, row.kind, row.name)
        found.append(_view(row, own=own, is_latest=document not in known))
        known.add(document)
    return found


def find_care_document(hash_: str, *, actor: Actor, kind: CareKind | None = None) -> CareView:
    """Return the document whose hash begins with `hash_`; this node's own where a partner shared the same bytes.

    Raises
    ------
    UnknownCareDocument
    """
    found = [
        each for each in care_documents(actor, kind=kind) if hash_ and each.document.hash.startswith(hash_.lower())
    ]
    if len({each.document.hash for each in found}) != 1:
        raise UnknownCareDocument(
            f"{'no' if not found else 'more than one'} document of care has a hash that begins with {hash_!r};"
            " `corridor care list` shows them."
        )
    return next((each for each in found if each.is_own), found[0])


def compare_documents(left: str, right: str, *, actor: Actor) -> tuple[CareView, CareView, list[SidePair]]:
    """Return two treatment protocols and every statement of either with what each side says.

    Raises
    ------
    UnknownCareDocument, NotTwoTreatments
    """
    first, second = (find_care_document(each, actor=actor) for each in (left, right))
    if first.document.treatment is None or second.document.treatment is None:
        raise NotTwoTreatments("expected two treatment protocols; a follow-up schedule is not compared in this way.")
    return first, second, compare_treatments(first.document.treatment, second.document.treatment)


def care_channels(*, actor: Actor, now: datetime) -> list[ChannelView]:
    """Return the channels in force on which this node may share documents of care."""
    require(actor, SEE_CARE)
    schema = CareDocumentMessage.schema_id()
    return [view for view in exchange_queries.channels_open(actor=actor, schema=schema, now=now) if view.partners]


def _view(row: CareRow, *, own: str, is_latest: bool) -> CareView:
    content = bytes(row.document)
    return CareView(
        document=read_care_document(CareKind(row.kind), content),
        content=content,
        node=row.node,
        is_own=row.node == own,
        is_latest=is_latest,
        is_simulated=row.simulated,
        recorded_at=row.recorded_at,
        recorded_by=row.recorded_by,
        crossing=row.crossing_id,
    )
