"""The node and its partners, as people may see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.exchange.models import (
    Agreement,
    CardVersion,
    Crossing,
    Dispute,
    KeyRevocation,
    Node,
    OutboxEntry,
    Partner,
)
from corridor.exchange.models import UnauthenticatedCount as Unauthenticated
from corridor.exchange.rules import card as cards

UNRECEIPTED_AFTER = timedelta(hours=24)
CLOCK_TOLERANCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class OwnNode:
    """The installation itself."""

    node_id: str
    country: str
    name: str
    url: str
    fingerprint: str
    is_simulated: bool
    epoch: int
    state: str
    state_reason: str
    state_since_at: datetime
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class PartnerView:
    """A pinned partner: reachable or not and since when, what waits for it, what is disputed."""

    node_id: str
    country: str
    name: str
    url: str
    fingerprint: str
    state: str
    state_reason: str
    pinned_at: datetime
    pinned_by: str
    epoch: int
    last_contact_at: datetime | None
    last_failure_at: datetime | None
    last_failure: str
    retry_at: datetime | None
    clock_offset_seconds: float | None
    waiting: int
    waiting_since_at: datetime | None
    undeliverable: int
    disputes: int
    is_confirmed: bool
    restore_epoch: int | None = None
    restore_told_at: datetime | None = None
    owed: str = ""

    @property
    def is_owing(self) -> bool:
        """Whether our figures wait until it has returned, or shown, what it holds of what we lost with a restore."""
        return self.owed in (Partner.Owed.UNHEARD, Partner.Owed.RETURNS)

    @property
    def is_reachable(self) -> bool:
        """Whether the last attempt to reach it went well; a partner never tried counts as unreachable."""
        if self.last_contact_at is None:
            return False
        return self.last_failure_at is None or self.last_failure_at < self.last_contact_at

    @property
    def is_open(self) -> bool:
        """Whether anything is exchanged with it: it is neither paused nor are its keys revoked."""
        return self.state == Partner.State.PINNED

    @property
    def is_clock_off(self) -> bool:
        """Whether its clock differs from ours by more than five minutes."""
        return self.clock_offset_seconds is not None and abs(self.clock_offset_seconds) > CLOCK_TOLERANCE_SECONDS


@dataclass(frozen=True, slots=True)
class FormerPin:
    """A chain of cards that was pinned before the present one; what was signed under it is verified by it."""

    fingerprint: str
    pinned_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class PartnerKeys:
    """How the keys of a partner stand.

    Attributes
    ----------
    serial : int
        The number of its latest card.
    is_counting : bool
        Whether the keys on that card count.
    revoked_at : datetime or None
        When this node recorded the latest revocation that stands, and `reason` as the partner gave it.
    new_url : str
        The address on its latest card that is not in use yet; empty without one.
    former : tuple of FormerPin, oldest first
    """

    serial: int
    is_counting: bool
    revoked_at: datetime | None
    reason: str
    new_url: str
    former: tuple[FormerPin, ...]


@dataclass(frozen=True, slots=True)
class DisputeView:
    """What does not agree with a partner, and whether it is proved."""

    id: int
    node_id: str
    agreement: str
    origin: str
    kind: str
    detail: dict[str, object]
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str
    closing_note: str

    @property
    def is_proved(self) -> bool:
        """Whether one of the four proofs is at hand."""
        return self.kind != Dispute.Kind.UNPROVEN


@dataclass(frozen=True, slots=True)
class Standing:
    """The strip above every page: how the corridor stands now."""

    node: OwnNode | None
    agreements_in_force: int
    partners: int
    partners_reachable: int
    waiting: int
    undeliverable: int
    unreceipted: int
    disputes: int


def own_node() -> OwnNode | None:
    """Return this node, or None before it was founded. Everyone may know it."""
    node = Node.objects.first()
    if node is None:
        return None
    return OwnNode(
        node_id=node.node_id,
        country=node.country,
        name=node.name,
        url=node.url,
        fingerprint=node.fingerprint,
        is_simulated=node.simulated,
        epoch=node.epoch,
        state=node.state,
        state_reason=node.state_reason,
        state_since_at=node.state_since_at,
        verified_at=node.verified_at,
    )


def own_card() -> bytes:
    """Return the signed card of this node now in use. It is public."""
    node = Node.objects.get()
    return bytes(CardVersion.objects.filter(node_id=node.node_id, is_pending=False).latest("serial").signed)


def partners(actor: Actor) -> list[PartnerView]:
    """Return every partner by id."""
    require(actor, "exchange.see_partners")
    waiting: dict[str, dict[str, Any]] = {
        row["to_node"]: dict(row)
        for row in OutboxEntry.objects.values("to_node").annotate(
            waiting=Count("id", filter=Q(is_undeliverable=False)),
            since=Min("queued_at", filter=Q(is_undeliverable=False)),
            dead=Count("id", filter=Q(is_undeliverable=True)),
        )
    }
    disputes = dict(
        Dispute.objects.filter(closed_at__isnull=True)
        .values("partner__node_id")
        .annotate(open=Count("id"))
        .values_list("partner__node_id", "open")
    )
    views = []
    for partner in Partner.objects.all():
        queue = waiting.get(partner.node_id, {"waiting": 0, "since": None, "dead": 0})
        views.append(
            PartnerView(
                node_id=partner.node_id,
                country=partner.country,
                name=partner.name,
                url=partner.url,
                fingerprint=partner.fingerprint,
                state=partner.state,
                state_reason=partner.state_reason,
                pinned_at=partner.pinned_at,
                pinned_by=partner.pinned_by,
                epoch=partner.epoch,
                last_contact_at=partner.last_contact_at,
                last_failure_at=partner.last_failure_at,
                last_failure=partner.last_failure,
                retry_at=partner.circuit_open_until_at,
                clock_offset_seconds=partner.clock_offset_seconds,
                waiting=queue["waiting"],
                waiting_since_at=queue["since"],
                undeliverable=queue["dead"],
                disputes=disputes.get(partner.node_id, 0),
                is_confirmed=partner.confirmed_at is not None,
                restore_epoch=partner.restore_epoch,
                restore_told_at=partner.restore_told_at,
                owed=partner.owed,
            )
        )
    return views


def owing(actor: Actor) -> list[PartnerView]:
    """Return the partners whose return our figures wait for, after a restore."""
    return [view for view in partners(actor) if view.is_owing]


def partner_keys(actor: Actor, node_id: str) -> PartnerKeys | None:
    """Return how the keys of a partner stand; None for a node that is no pinned partner."""
    require(actor, "exchange.see_partners")
    partner = Partner.objects.filter(node_id=node_id).first()
    if partner is None:
        return None
    documents: dict[int, list[bytes]] = {}
    began: dict[int, datetime] = {}
    rows = CardVersion.objects.filter(node_id=node_id).order_by("chain", "serial")
    for number, signed, recorded_at in rows.values_list("chain", "signed", "recorded_at"):
        documents.setdefault(number, []).append(bytes(signed))
        began.setdefault(number, recorded_at)
    chains = [cards.chain_of(each) for each in documents.values()]
    present, moments = chains[-1], list(began.values())
    hashes = {card.hash: card for card in present}
    revocations = KeyRevocation.objects.filter(node_id=node_id, reinstated_at__isnull=True, card_hash__in=hashes)
    latest = revocations.order_by("recorded_at", "pk").last()
    counting = cards.counting(present, revoked=set(revocations.values_list("card_hash", flat=True)))
    return PartnerKeys(
        serial=present[-1].serial,
        is_counting=present[-1] in counting,
        revoked_at=latest.recorded_at if latest else None,
        reason=cards.read_revocation(bytes(latest.signed), hashes[latest.card_hash]).reason if latest else "",
        new_url=present[-1].url if present[-1].url != partner.url else "",
        former=tuple(
            FormerPin(cards.fingerprint(chain[0]), pinned_at, until_at)
            for chain, pinned_at, until_at in zip(chains[:-1], moments[:-1], moments[1:], strict=True)
        ),
    )


def disputes(actor: Actor, *, is_open: bool | None = True) -> list[DisputeView]:
    """Return disputes, newest first: open ones, closed ones (False) or all (None)."""
    require(actor, "exchange.see_partners")
    rows = Dispute.objects.select_related("partner")
    if is_open is not None:
        rows = rows.filter(closed_at__isnull=is_open)
    return [
        DisputeView(
            id=row.pk,
            node_id=row.partner.node_id,
            agreement=row.agreement_hash,
            origin=row.origin,
            kind=row.kind,
            detail=row.detail,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
            closed_by=row.closed_by,
            closing_note=row.closing_note,
        )
        for row in rows
    ]


def unauthenticated(actor: Actor, *, since: datetime) -> list[tuple[datetime, str, int]]:
    """Return hour, fault and count of what came and could not be authenticated."""
    require(actor, "exchange.see_crossings")
    rows = Unauthenticated.objects.filter(hour_at__gte=since).order_by("-hour_at", "fault")
    return list(rows.values_list("hour_at", "fault", "count"))


def standing(actor: Actor, now: datetime) -> Standing:
    """Return the figures of the strip above every page; nothing for someone who may not see the exchange."""
    require(actor, "exchange.see_partners")
    all_partners = partners(actor)
    return Standing(
        node=own_node(),
        agreements_in_force=Agreement.objects.filter(state="in-force", start_at__lte=now, end_at__gt=now).count(),
        partners=len(all_partners),
        partners_reachable=sum(partner.is_open and partner.is_reachable for partner in all_partners),
        waiting=sum(partner.waiting for partner in all_partners),
        undeliverable=sum(partner.undeliverable for partner in all_partners),
        unreceipted=Crossing.objects.filter(
            direction=Crossing.Direction.OUT,
            status=Crossing.Status.QUEUED,
            recorded_at__lt=now - UNRECEIPTED_AFTER,
        ).count(),
        disputes=sum(partner.disputes for partner in all_partners),
    )
