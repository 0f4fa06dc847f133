"""Marking the news of the board as read."""

from datetime import datetime

from corridor.accounts.actors import Actor
from corridor.accounts.models import Person
from corridor.accounts.roles import require
from corridor.accounts.transactions import write
from corridor.pillars.surveillance.models import LastLooked

__all__ = ["mark_read"]


@write("surveillance.mark_read")
def mark_read(*, actor: Actor, now: datetime) -> None:
    """Record that a person has read the board: what comes from now on is new to them.

    Raises
    ------
    NotPermitted
        If `actor` may not see the board.
    """
    require(actor, "surveillance.see_board")
    if isinstance(actor, Person):
        LastLooked.objects.update_or_create(person=actor, defaults={"looked_at": now, "before_at": now})
