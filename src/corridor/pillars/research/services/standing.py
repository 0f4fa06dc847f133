"""Pause, resume, leave or close this site's part of a study."""

from datetime import datetime
from typing import ClassVar, Literal

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import Refused
from corridor.pillars.research.messages import SiteStanding, StudyMessage
from corridor.pillars.research.models import SiteState, Study
from corridor.pillars.research.queries.studies import UnknownStudy, current_protocol
from corridor.pillars.research.rules.conduct import may_follow
from corridor.pillars.research.services.runs import wake_open
from corridor.pillars.research.services.sending import send_act

__all__ = ["PAUSE", "StandingForbidden", "set_standing"]

PAUSE = "research.pause"


class StandingForbidden(Refused):
    """A site that left or closed a study does not come back under the same protocol."""

    code: ClassVar[str] = "standing-forbidden"


@write("research.set_standing", subject="study")
def set_standing(
    *,
    study: str,
    standing: Literal["active", "paused", "left", "closed"],
    reason: str,
    actor: Actor,
    now: datetime,
) -> SiteState:
    """State how this site stands in a study from now on, and tell the other sites.

    A paused site answers nothing until it resumes; runs wait. A site that left or closed answers nothing any more:
    runs that need it end without a result, and only an amendment that every site signs brings it back. What it
    released stays released.

    Raises
    ------
    UnknownStudy, StandingForbidden, StudyNotOpen, NotPermitted
    """
    require(actor, PAUSE)
    row = Study.objects.filter(name=study).first()
    if row is None:
        raise UnknownStudy(f"there is no study {study!r} here; `corridor study list` shows them.")
    state = SiteState.objects.select_for_update().get(study=row, site=row.own_site)
    if not may_follow(standing, after=state.standing):
        raise StandingForbidden(f"this site {state.standing} the study; a new study or an amendment is needed.")
    state.standing, state.reason, state.since_at = standing, reason, now
    state.save(update_fields=["standing", "reason", "since_at"])
    protocol = current_protocol(row)
    note(standing=standing)
    act = StudyMessage(
        study=row.name,
        protocol=protocol.hash,
        stated_at=now,
        simulated=protocol.simulated,
        standing=SiteStanding(standing=standing, reason=reason),
    )
    send_act(act, study=row, protocol=protocol, actor=actor, now=now)
    wake_open(row, actor=actor, now=now)
    return state
