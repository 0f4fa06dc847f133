"""Everything that crossed or was refused, as people may see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.base.errors import InputFault
from corridor.exchange.models import Crossing, LogTree
from corridor.exchange.queries.partners import UNRECEIPTED_AFTER


def refused_among(crossing_ids: Iterable[int]) -> frozenset[int]:
    """Return which of these crossings were refused, by the own gate or by the partner: these did not arrive."""
    wanted = set(crossing_ids)
    if not wanted:
        return frozenset()
    refused = Crossing.objects.filter(status=Crossing.Status.REFUSED, pk__gte=min(wanted), pk__lte=max(wanted))
    return frozenset(wanted.intersection(refused.values_list("pk", flat=True)))


class NoSuchCrossing(InputFault):
    """No envelope of that id crossed here."""

    code = "no-such-crossing"


@dataclass(frozen=True, slots=True)
class CrossingFilters:
    """What to show; an empty text filters nothing."""

    partner: str = ""
    direction: str = ""
    status: str = ""
    agreement: str = ""
    channel: str = ""
    schema: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before_id: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class HandReleaseView:
    """Who let figures go that the suppression ledger held back, and why."""

    asked_by: str
    allowed_by: str
    reason: str
    narrowed: int


@dataclass(frozen=True, slots=True)
class CrossingView:
    """One envelope that crossed or was refused."""

    id: int
    direction: str
    envelope_id: str
    from_node: str
    to_node: str
    agreement: str
    channel: str
    schema: str
    purpose: str
    data_class: str
    persons: int
    status: str
    reason: str
    token_hash: str
    has_receipt: bool
    origin: str
    leaf_index: int
    created_at: datetime
    recorded_at: datetime
    settled_at: datetime | None
    actor: str
    attempts: int
    due_at: datetime | None
    last_error: str
    is_withdrawn: bool = False
    by_hand: HandReleaseView | None = None

    def is_unreceipted(self, now: datetime) -> bool:
        """Return whether the partner has answered nothing for 24 hours."""
        return self.direction == "out" and self.status == "queued" and self.recorded_at < now - UNRECEIPTED_AFTER


@dataclass(frozen=True, slots=True)
class CrossingDetail:
    """One envelope with the bytes that prove it."""

    view: CrossingView
    token: bytes
    receipt: bytes


def _view(row: Crossing) -> CrossingView:
    entry, hand = getattr(row, "outbox", None), getattr(row, "hand_release", None)
    return CrossingView(
        id=row.pk,
        direction=row.direction,
        envelope_id=row.envelope_id,
        from_node=row.from_node,
        to_node=row.to_node,
        agreement=row.agreement_hash,
        channel=row.channel,
        schema=row.schema,
        purpose=row.purpose,
        data_class=row.data_class,
        persons=row.persons,
        status=row.status,
        reason=row.reason,
        token_hash=row.token_hash,
        has_receipt=bool(row.receipt),
        origin=row.tree.origin,
        leaf_index=row.leaf_index,
        created_at=row.created_at,
        recorded_at=row.recorded_at,
        settled_at=row.settled_at,
        actor=row.actor,
        attempts=entry.attempts if entry else 0,
        due_at=entry.due_at if entry else None,
        last_error=entry.last_error if entry else "",
        is_withdrawn=bool(entry and entry.is_withdrawn),
        by_hand=HandReleaseView(hand.asked_by, hand.allowed_by, hand.reason, hand.narrowed) if hand else None,
    )


def _rows() -> QuerySet[Crossing]:
    return Crossing.objects.select_related("tree", "outbox", "hand_release")


def crossings(actor: Actor, filters: CrossingFilters | None = None) -> list[CrossingView]:
    """Return what crossed or was refused, newest first, at most ``filters.limit`` rows."""
    require(actor, "exchange.see_crossings")
    wanted = filters or CrossingFilters()
    conditions: dict[str, Any] = {
        "direction": wanted.direction,
        "status": wanted.status,
        "channel": wanted.channel,
        "schema": wanted.schema,
        "reason": wanted.reason,
        "agreement_hash__startswith": wanted.agreement,
        "recorded_at__gte": wanted.since,
        "recorded_at__lt": wanted.until,
        "pk__lt": wanted.before_id,
    }
    rows = _rows().filter(**{name: value for name, value in conditions.items() if value})
    if wanted.partner:
        rows = rows.filter(Q(from_node=wanted.partner) | Q(to_node=wanted.partner))
    return [_view(row) for row in rows.order_by("-pk")[: wanted.limit]]


def crossing(actor: Actor, crossing_id: int) -> CrossingDetail:
    """Return one envelope with its bytes.

    Raises
    ------
    NoSuchCrossing
    """
    require(actor, "exchange.see_crossings")
    row = _rows().filter(pk=crossing_id).first()
    if row is None:
        raise NoSuchCrossing(f"no crossing has the number {crossing_id}. `corridor crossings` lists them.")
    return CrossingDetail(view=_view(row), token=bytes(row.token), receipt=bytes(row.receipt))


def crossing_by_envelope(actor: Actor, envelope_id: str) -> CrossingDetail:
    """Return the envelope whose id begins with `envelope_id`.

    Raises
    ------
    NoSuchCrossing
        If none or more than one does.
    """
    require(actor, "exchange.see_crossings")
    rows = list(_rows().filter(envelope_id__startswith=envelope_id).exclude(reason="id_reused")[:2])
    if len(rows) != 1:
        found = "none" if not rows else "more than one"
        raise NoSuchCrossing(
            f"expected one envelope whose id begins with {envelope_id!r}, found {found}. "
            "`corridor crossings` lists the ids."
        )
    return CrossingDetail(view=_view(rows[0]), token=bytes(rows[0].token), receipt=bytes(rows[0].receipt))


def trees(actor: Actor) -> list[tuple[str, str, str, int, int, int]]:
    """Return origin, kind, subject, epoch, size and signed size of every tree of this node."""
    require(actor, "exchange.see_crossings")
    rows = LogTree.objects.order_by("kind", "subject", "epoch")
    return list(rows.values_list("origin", "kind", "subject", "epoch", "size", "signed_size"))
