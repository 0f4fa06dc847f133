"""Decisions of surveillance: when a signal is raised, how it moves, which figures count as a case."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from typing import ClassVar

from corridor.base.disclosure import Cell
from corridor.base.epiweek import Week
from corridor.base.errors import Refused, WrongUsage

__all__ = [
    "COUNTED_CLASSES",
    "QUIET_PERIOD",
    "ForbiddenMove",
    "NoteMissing",
    "PastSignal",
    "case_definition",
    "check_move",
    "check_note",
    "is_raised",
    "least_count",
    "most_count",
    "next_start",
    "period_start",
    "severity",
    "tellable_sites",
    "whole_periods",
]

# Discarded is the class of a person who turned out not to have the disease: no case.
COUNTED_CLASSES = ("suspected", "probable", "confirmed", "unknown")

# Users of rolling alerts asked not to be told twice of one thing within a week (anchors: coconut#176).
QUIET_PERIOD = timedelta(days=7)
DOUBLED = 2.0

Sites = tuple[int | None, int | None]
"""Sites that reported, of sites expected."""

MOVES: dict[str, tuple[str, ...]] = {
    "new": ("verifying", "verified", "discarded"),
    "verifying": ("verified", "discarded"),
    "verified": ("verifying", "discarded"),
    "discarded": ("verifying",),
}
"""From each status of a signal to those that may follow; what was decided can be reopened, never erased."""


class ForbiddenMove(Refused):
    """A signal cannot go from its status to the one asked for."""

    code: ClassVar[str] = "forbidden-move"


class NoteMissing(WrongUsage):
    """A decision about a signal needs a sentence that says why."""

    code: ClassVar[str] = "note-missing"


@dataclass(frozen=True, kw_only=True)
class PastSignal:
    """A signal of the same series that was raised before."""

    start_on: date
    raised_at: datetime
    excess: float


def is_raised(*, start_on: date, excess: float, now: datetime, past: list[PastSignal]) -> bool:
    """Say whether an exceedance becomes a signal.

    Parameters
    ----------
    start_on : first day of the period that exceeds its limit
    excess : observed minus expected, cases
    past : earlier signals of the same series, in any order

    Notes
    -----
    A period is signalled once, and a series once in seven days, unless the excess is at least twice the one that was
    signalled last.
    """
    same = [signal for signal in past if signal.start_on == start_on]
    recent = [signal for signal in past if now - signal.raised_at < QUIET_PERIOD]
    known = same + recent
    return not known or excess >= DOUBLED * max(signal.excess for signal in known) > 0


def check_move(*, status: str, to: str, note: str) -> None:
    """Do nothing if a signal may go from `status` to `to`.

    Raises
    ------
    ForbiddenMove
        If it may not.
    NoteMissing
        If a decision (verified, discarded, reopened) comes without a note.
    """
    allowed = MOVES.get(status, ())
    if to not in allowed:
        raise ForbiddenMove(f"a signal that is {status} can become {' or '.join(allowed)}, not {to}.")
    if to != "verifying" or status != "new":
        check_note(note)


def check_note(note: str) -> None:
    """Do nothing if a note says something.

    Raises
    ------
    NoteMissing
        If it is blank.
    """
    if not note.strip():
        raise NoteMissing("the note is empty: say why in a sentence; a later reader must be able to follow it.")


def severity(*, observed: float, expected: float, upperbound: float) -> str:
    """Return how loud an exceedance is: "urgent" beyond twice the limit's excess, else "watch".

    The scale is the house's own: the limit marks 1, an excess over expectation of at least twice the limit's is urgent.
    """
    room = upperbound - expected
    return "urgent" if room <= 0 or observed - expected >= DOUBLED * room else "watch"


def least_count(*, expected: float | None, upperbound: float, severity: str) -> int:
    """Return the smallest number of cases of which an alert of this severity could be raised: what it gives away.

    Notes
    -----
    A partner who holds the counts before can work out the limit, and reads from the alert that it was exceeded.
    """
    least = int(upperbound) + 1 if upperbound >= 0 else 1
    if severity == "urgent":
        known = expected or 0.0
        least = max(least, ceil(known + DOUBLED * (upperbound - known)))
    return least


def most_count(*, expected: float | None, upperbound: float, severity: str) -> int | None:
    """Return the greatest number of cases that an alert of this severity leaves open; None where it bounds nothing.

    Notes
    -----
    "Watch" tells a partner who can work out the limit that the count is not an "urgent" one.
    """
    known = expected or 0.0
    if severity != "watch" or upperbound <= known:
        return None
    return ceil(known + DOUBLED * (upperbound - known)) - 1


def tellable_sites(
    figures: Iterable[Cell],
    sites: Mapping[tuple[str, date], Sites],
    *,
    held: Mapping[tuple[str, date], tuple[int, int]],
) -> dict[tuple[str, date], Sites]:
    """Return the sites reported and expected that may stand beside each figure; both None where they may not.

    Parameters
    ----------
    figures : iterable of Cell
        As they are told: shown or withheld.
    sites : mapping of place and first day to sites reported and expected
    held : mapping of place and first day to cases and sites reported
        Figures that the partner has.

    Notes
    -----
    Where every site that reports has a case, three sites beside a figure below 5 say that it is 3 or 4. A partner
    cannot believe that of a place once it sees a figure with fewer cases than sites, since then sites report zeros
    too. Only what the partner sees decides, so that the absence of completeness tells nothing either.
    """
    known = [(cell.place, cell.value, sites[cell.place, cell.period_start][0]) for cell in figures]
    known += [(place, value, reported) for (place, _), (value, reported) in held.items()]
    with_zeros = {
        place for place, value, reported in known if value is not None and reported is not None and value < reported
    }
    withheld = {(cell.place, cell.period_start) for cell in figures if cell.value is None}
    return {key: both if key not in withheld or key[0] in with_zeros else (None, None) for key, both in sites.items()}


def period_start(day: date, period: str) -> date:
    """Return the first day of the day, ISO week or month that holds `day`."""
    if period == "week":
        return Week.of(day).start
    return day.replace(day=1) if period == "month" else day


def next_start(start_on: date, period: str) -> date:
    """Return the day after the last one of the period that starts on `start_on`."""
    if period == "month":
        return (start_on + timedelta(days=31)).replace(day=1)
    return start_on + timedelta(days=7 if period == "week" else 1)


def whole_periods(first: date, end: date, period: str) -> list[date]:
    """Return the first days of the periods from the one that holds `first` to the last that is over by `end`."""
    starts = []
    start = period_start(first, period)
    while next_start(start, period) <= end:
        starts.append(start)
        start = next_start(start, period)
    return starts


def case_definition(classes: tuple[str, ...]) -> str:
    """Return how a set of case classes is written: ``suspected+probable+confirmed``, or ``all``."""
    if not classes or set(classes) >= set(COUNTED_CLASSES):
        return "all"
    return "+".join(name for name in COUNTED_CLASSES if name in classes)
