"""Whether each answer of this site waits for two persons before it leaves."""

from datetime import datetime

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.pillars.research.models import Study
from corridor.pillars.research.queries.studies import UnknownStudy
from corridor.pillars.research.services.runs import RELEASE

__all__ = ["RELEASE_UNSEEN", "ask_to_release_unseen", "hold_answers", "release_unseen"]

RELEASE_UNSEEN = "research.release-unseen"


@write("research.hold_answers", subject="study")
def hold_answers(*, study: str, actor: Actor, now: datetime) -> Study:
    """Let each answer of this site in a study wait for two persons from now on.

    Raises
    ------
    UnknownStudy, NotPermitted
    """
    del now
    require(actor, RELEASE)
    return _set(study, by_hand=True)


def ask_to_release_unseen(study: str, *, actor: Actor, now: datetime) -> Outcome:
    """Ask that answers leave again as soon as disclosure control lets them; a second person decides.

    Raises
    ------
    UnknownStudy
    """
    return ask(RELEASE_UNSEEN, {"study": _find(study).name}, actor=actor, now=now)


@write("research.release_unseen", subject="study")
def release_unseen(*, study: str, actor: Actor, first: Actor, now: datetime) -> Study:
    """Let answers leave without two persons, as two persons decided; what waits already still waits for them."""
    del actor, now
    note(first=actor_name(first))
    return _set(study, by_hand=False)


def _set(study: str, *, by_hand: bool) -> Study:
    row = _find(study)
    row.by_hand = by_hand
    row.save(update_fields=["by_hand"])
    return row


def _find(study: str) -> Study:
    row = Study.objects.filter(name=study).first()
    if row is None:
        raise UnknownStudy(f"there is no study {study!r} here; `corridor study list` shows them.")
    return row
