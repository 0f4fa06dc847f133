"""Apply a follow-up schedule to the patients of a site, at home: who is due, who is overdue, who came in time.

A visit belongs to the window in which it falls; windows of one item do not touch. A visit after a window and before
the next one is late for the former. What was not done when the next window opens is missed, and is asked for no more.
Patients who died or were lost to follow-up are due for nothing, and only windows that closed before are judged.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from corridor.pillars.research.rules.care.schedule import Item, Schedule, day_after

__all__ = ["Expectation", "Patient", "Standing", "due_list", "follow"]


class Standing(StrEnum):
    """How an expected visit stands on a day."""

    ON_TIME = "on-time"
    LATE = "late"
    MISSED = "missed"
    OVERDUE = "overdue"
    DUE = "due"
    COMING = "coming"
    ENDED = "ended"
    """The patient died or was lost before the window closed."""


@dataclass(frozen=True)
class Patient:
    """What a schedule needs to know of a patient; it stays at the site.

    Attributes
    ----------
    person : str
        Pseudonym.
    start_on : date
        Surgery, or what else the schedule counts from.
    died_on, lost_on : date or None
        Death; the day from which the patient counts as lost to follow-up, or left.
    visits : mapping of item code to dates
    """

    person: str
    start_on: date
    group: str
    died_on: date | None = None
    lost_on: date | None = None
    visits: Mapping[str, tuple[date, ...]] = field(default_factory=dict)

    @property
    def ended_on(self) -> date | None:
        """Return the day of death or of loss to follow-up, whichever came first, or None."""
        return min((day for day in (self.died_on, self.lost_on) if day is not None), default=None)


@dataclass(frozen=True)
class Expectation:
    """One occurrence of an item for one patient.

    Attributes
    ----------
    due_on, from_on, to_on : date
        When it is due, and the first and last day on which it is on time.
    done_on : date or None
    last_on : date or None
        When the item was last done at all.
    is_judged : bool
        Whether the window has closed while the patient was under observation, so that it counts for adherence. A visit
        in a window that is still open counts no more than its absence would: else those who come early would count
        before those who do not.
    """

    person: str
    group: str
    item: Item
    number: int
    due_on: date
    from_on: date
    to_on: date
    standing: Standing
    done_on: date | None
    last_on: date | None
    is_judged: bool

    def days_late(self, on: date) -> int:
        """Return how many days after the end of the window `on` is, at least 0."""
        return max((on - self.to_on).days, 0)


def follow(schedule: Schedule, patients: Iterable[Patient], *, on: date) -> list[Expectation]:
    """Return every expected occurrence of every item for every patient as it stands at the end of day `on`.

    Parameters
    ----------
    patients : iterable of Patient
        Each in a group of the schedule. What is dated after `on` counts as not yet known.

    Returns
    -------
    list of Expectation
        By patient, item and time.
    """
    windows = _Windows()
    return [each for patient in patients for each in _of_patient(schedule, patient, on, windows)]


def due_list(expectations: Iterable[Expectation], *, on: date, ahead_days: int = 0) -> list[Expectation]:
    """Return what is overdue, due, or coming within `ahead_days`: the longest overdue first, then by due date."""
    wanted = [
        each
        for each in expectations
        if each.standing in (Standing.OVERDUE, Standing.DUE)
        or (each.standing is Standing.COMING and (each.from_on - on).days <= ahead_days)
    ]
    rank = {Standing.OVERDUE: 0, Standing.DUE: 1, Standing.COMING: 2}
    return sorted(wanted, key=lambda each: (rank[each.standing], each.to_on, each.person, each.item.code))


_Window = tuple[date, date, date]
"""When an occurrence is due, and the first and last day on which it is on time."""


class _Windows:
    """The windows of an item after a start, worked out once for all patients who started on that day."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, date], list[_Window]] = {}

    def of(self, item: Item, start_on: date) -> list[_Window]:
        # By identity: an item of many occurrences takes long to hash, and lives as long as its schedule.
        key = (id(item), start_on)
        if key not in self._known:
            self._known[key] = [
                (
                    day_after(start_on, each.at, unit=item.unit),
                    day_after(start_on, each.earliest, unit=item.unit),
                    day_after(start_on, each.latest, unit=item.unit),
                )
                for each in item.occurrences
            ]
        return self._known[key]


def _of_patient(schedule: Schedule, patient: Patient, on: date, windows: _Windows) -> Iterator[Expectation]:
    group = schedule.group(patient.group)
    if group is None:
        raise ValueError("a patient is in no risk group of the schedule")
    ended_on = patient.ended_on
    if ended_on is not None and ended_on > on:
        ended_on = None
    for item in group.items:
        visits = sorted(day for day in patient.visits.get(item.code, ()) if day <= on)
        yield from _of_item(patient, item, visits, ended_on, on, windows.of(item, patient.start_on))


def _of_item(
    patient: Patient,
    item: Item,
    visits: Sequence[date],
    ended_on: date | None,
    on: date,
    windows: Sequence[_Window],
) -> Iterator[Expectation]:
    for index, (due_on, from_on, to_on) in enumerate(windows):
        next_on = windows[index + 1][1] if index + 1 < len(windows) else date.max
        done_on = next((day for day in visits if from_on <= day < next_on), None)
        yield Expectation(
            person=patient.person,
            group=patient.group,
            item=item,
            number=index + 1,
            due_on=due_on,
            from_on=from_on,
            to_on=to_on,
            standing=_standing(from_on, to_on, next_on, done_on=done_on, ended_on=ended_on, on=on),
            done_on=done_on,
            last_on=visits[-1] if visits else None,
            is_judged=to_on < on and (ended_on is None or to_on < ended_on),
        )


def _standing(
    from_on: date, to_on: date, next_on: date, *, done_on: date | None, ended_on: date | None, on: date
) -> Standing:
    if done_on is not None:
        return Standing.ON_TIME if done_on <= to_on else Standing.LATE
    if ended_on is not None:
        return Standing.MISSED if to_on < ended_on else Standing.ENDED
    if from_on > on:
        return Standing.COMING
    if to_on >= on:
        return Standing.DUE
    return Standing.MISSED if next_on <= on else Standing.OVERDUE
