"""Messages have arrived: each batch is handed to one service."""

from collections.abc import Sequence
from datetime import datetime

from corridor.accounts.actors import Actor
from corridor.exchange.registry import Received
from corridor.pillars.research import services

__all__ = ["acts_arrived", "bodies_deleted"]


def acts_arrived(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Take what other sites say of studies."""
    services.take_acts(batch, actor=actor, now=now)


def bodies_deleted(crossing_ids: Sequence[int], /, *, actor: Actor, now: datetime) -> int:
    """Forget the figures that came in these envelopes."""
    return services.forget_blocks(crossing_ids, actor=actor, now=now)
