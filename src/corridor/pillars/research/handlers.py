"""Messages have arrived: each batch is handed to one service."""

from collections.abc import Sequence
from datetime import datetime

from corridor.accounts.actors import Actor
from corridor.exchange.registry import Received
from corridor.pillars.research import services

__all__ = [
    "acts_arrived",
    "bodies_deleted",
    "documents_arrived",
    "documents_deleted",
    "documents_returned",
    "entries_arrived",
    "entries_deleted",
    "entries_returned",
]


def acts_arrived(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Take what other sites say of studies."""
    services.take_acts(batch, actor=actor, now=now)


def bodies_deleted(crossing_ids: Sequence[int], /, *, actor: Actor, now: datetime) -> int:
    """Forget the figures that came in these envelopes."""
    return services.forget_blocks(crossing_ids, actor=actor, now=now)


def documents_arrived(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Take treatment protocols and follow-up schedules of partners."""
    services.take_documents(batch, actor=actor, now=now)


def documents_returned(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Take back own documents of care after a restore."""
    services.take_back_documents(batch, actor=actor, now=now)


def documents_deleted(crossing_ids: Sequence[int], /, *, actor: Actor, now: datetime) -> int:
    """Forget the documents of care that came in these envelopes."""
    return services.forget_documents(crossing_ids, actor=actor, now=now)


def entries_arrived(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Take what other sites bring to symposia."""
    services.take_entries(batch, actor=actor, now=now)


def entries_returned(batch: Sequence[Received], /, *, actor: Actor, now: datetime) -> None:
    """Take back own entries of symposia after a restore."""
    services.take_back_entries(batch, actor=actor, now=now)


def entries_deleted(crossing_ids: Sequence[int], /, *, actor: Actor, now: datetime) -> int:
    """Forget the entries of symposia that came in these envelopes."""
    return services.forget_entries(crossing_ids, actor=actor, now=now)
