"""Messages have arrived: each batch is handed to one service."""

from collections.abc import Sequence
from datetime import datetime

from corridor.accounts.actors import Actor
from corridor.exchange.registry import Received
from corridor.pillars.research import services

__all__ = ["acts_arrived"]


def acts_arrived(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Take what other sites say of studies."""
    services.take_acts(batch, actor=actor, now=now)
