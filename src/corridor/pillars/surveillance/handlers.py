"""Messages have arrived: each batch is handed to one service."""

from collections.abc import Sequence
from datetime import datetime

from corridor.accounts.actors import Actor
from corridor.exchange.registry import Received
from corridor.pillars.surveillance import services

__all__ = ["alerts_arrived", "counts_arrived", "notifications_arrived", "withdrawals_arrived"]


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
