"""Who of this site's own patients is due, and how well the schedule is kept here; nothing of it leaves the site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.base.errors import WrongUsage
from corridor.pillars.research.models import FollowedPatients
from corridor.pillars.research.queries.care import CareView, find_care_document
from corridor.pillars.research.queries.row_files import has_rows, read_rows
from corridor.pillars.research.rules.care import (
    Adherence,
    CareKind,
    Expectation,
    Schedule,
    adherence,
    due_list,
    follow,
)
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.tables import read_patients, unpack_patients

__all__ = ["FollowedView", "NoPatients", "Worklist", "expected_visits", "followed_patients", "worklist"]

SEE_PATIENTS = "research.see_patients"


class NoPatients(WrongUsage):
    """No patients are registered for a schedule, or the file of them is not here any more."""

    code: ClassVar[str] = "no-patients"


@dataclass(frozen=True)
class FollowedView:
    """The registered table of this site's patients for one schedule.

    Attributes
    ----------
    is_here : bool
        False after a backup was put back: patients are in no backup and are registered anew.
    """

    source: str
    patients: int
    registered_by: str
    registered_at: datetime
    is_here: bool


@dataclass(frozen=True)
class Worklist:
    """What a clinician works through.

    Attributes
    ----------
    due : list of Expectation
        The longest overdue first.
    figures : list of Adherence
        By risk group and item, as they could leave the site.
    """

    view: CareView
    schedule: Schedule
    table: FollowedView
    on: date
    due: list[Expectation]
    figures: list[Adherence]


def followed_patients(schedule: str, *, actor: Actor) -> FollowedView | None:
    """Return what is registered for the schedule whose hash is `schedule`, or None."""
    require(actor, SEE_PATIENTS)
    row = FollowedPatients.objects.filter(schedule__hash=schedule).first()
    return None if row is None else _view(row)


def worklist(schedule: str, *, on: date, ahead_days: int, actor: Actor) -> Worklist:
    """Return who is overdue, due, or coming within `ahead_days` at the end of a day, and how well visits are kept.

    Raises
    ------
    UnknownCareDocument, NoPatients, NotPermitted
    """
    require(actor, SEE_PATIENTS)
    view, read, row, expectations = _followed(schedule, on=on, actor=actor)
    return Worklist(
        view=view,
        schedule=read,
        table=_view(row),
        on=on,
        due=due_list(expectations, on=on, ahead_days=ahead_days),
        figures=adherence(read, expectations, policy=Policy()),
    )


def expected_visits(schedule: str, *, on: date, actor: Actor) -> tuple[Schedule, list[Expectation]]:
    """Return a schedule and every expected visit of the registered patients as it stands at the end of a day.

    Raises
    ------
    UnknownCareDocument, NoPatients, NotPermitted
    """
    require(actor, SEE_PATIENTS)
    _, read, _, expectations = _followed(schedule, on=on, actor=actor)
    return read, expectations


def _followed(
    schedule: str, *, on: date, actor: Actor
) -> tuple[CareView, Schedule, FollowedPatients, list[Expectation]]:
    view = find_care_document(schedule, actor=actor, kind=CareKind.SCHEDULE)
    read = view.document.schedule
    row = FollowedPatients.objects.filter(schedule__hash=view.document.hash).first()
    if read is None or row is None or not has_rows(row.name):
        raise NoPatients(
            f"no patients are registered for {view.document.name}, version {view.document.version};"
            f" `corridor care patients FILE --schedule {view.document.hash[:12]}` registers them."
        )
    patients = read_patients(unpack_patients(read_rows(row.name)), schedule=read)
    return view, read, row, follow(read, patients, on=on)


def _view(row: FollowedPatients) -> FollowedView:
    return FollowedView(
        source=row.source,
        patients=row.patients,
        registered_by=row.registered_by,
        registered_at=row.registered_at,
        is_here=has_rows(row.name),
    )
