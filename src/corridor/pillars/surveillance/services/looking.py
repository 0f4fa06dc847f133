"""When a person looks at the board."""

from datetime import datetime, timedelta

from corridor.accounts.actors import Actor
from corridor.accounts.models import Person
from corridor.accounts.roles import require
from corridor.accounts.transactions import write
from corridor.pillars.surveillance.models import LastLooked

__all__ = ["look"]

ONE_LOOK = timedelta(hours=1)
"""Pages opened within this time belong to one look: a reload does not make the news old."""


@write("surveillance.look")
def look(*, actor: Actor, now: datetime) -> None:
    """Record that a person looks at the board now, so that the next time "new" means since now.

    Raises
    ------
    NotPermitted
        If `actor` may not see the board.
    """
    require(actor, "surveillance.see_board")
    if not isinstance(actor, Person):
        return
    looked = LastLooked.objects.select_for_update().filter(person=actor).first()
    if looked is None:
        LastLooked.objects.create(person=actor, looked_at=now)
    elif now - looked.looked_at > ONE_LOOK:
        looked.before_at, looked.looked_at = looked.looked_at, now
        looked.save()
