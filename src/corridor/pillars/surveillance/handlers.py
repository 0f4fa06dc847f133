"""Messages have arrived: each batch is handed to one service."""

from collections.abc import Sequence
from datetime import datetime

from corridor.accounts.actors import Actor
from corridor.exchange.registry import Received
from corridor.pillars.surveillance import services

__all__ = [
    "alerts_arrived",
    "bodies_deleted",
    "counts_arrived",
    "counts_returned",
    "events_returned",
    "notifications_arrived",
    "returns_ended",
    "withdrawals_arrived",
]


def counts_arrived(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Store period counts."""
    services.store_partner_counts(batch, actor=actor, now=now)


def alerts_arrived(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Store alerts."""
    services.store_partner_alerts(batch, actor=actor, now=now)


def withdrawals_arrived(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Mark alerts as withdrawn."""
    services.store_partner_withdrawals(batch, actor=actor, now=now)


def notifications_arrived(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Store notifications of single cases."""
    services.store_partner_notifications(batch, actor=actor, now=now)


def counts_returned(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Know again which counts a partner has."""
    services.take_back_counts(batch, actor=actor, now=now)


def returns_ended(*, actor: Actor, now: datetime) -> None:
    """Send what waited while partners had to return what was lost."""
    services.share_soon(actor=actor, now=now)


def events_returned(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Know again of which alerts, withdrawals and cases a partner was told."""
    services.take_back_events(batch, actor=actor, now=now)


def bodies_deleted(crossing_ids: Sequence[int], /, *, actor: Actor, now: datetime) -> int:
    """Forget figures and alerts that came in these envelopes."""
    return services.forget_partner(crossing_ids, actor=actor, now=now)
