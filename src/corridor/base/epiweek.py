"""Epidemiological weeks: ISO (Monday to Sunday) and MMWR (Sunday to Saturday), with week 53.

Both systems number the week that holds 4 January as week 1, so that a week belongs to the year that holds most of
its days; they differ in the weekday on which a week begins. Messages carry ``[start, end)``, never a bare number,
because countries differ in the system that they use.

Sources: ISO 8601-1:2019, 3.1.1.23 (calendar week number); CDC, *MMWR Weeks* (week 1 is the first with at least four
days in the calendar year, weeks begin on Sunday). DHIS2 writes ``2024W5`` for ISO weeks and ``2024SunW5`` for weeks
that begin on Sunday.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import total_ordering
from typing import Literal, Self, overload

from corridor.base.errors import InputFault

__all__ = ["ImpossibleWeek", "Week", "WeekSystem", "parse_weeks", "weeks_between", "weeks_in_year"]

WeekSystem = Literal["iso", "mmwr"]

FIRST_YEAR, LAST_YEAR = 1583, 9998
_WRITTEN = re.compile(r"(?P<year>\d{4})-?(?P<sunday>Sun)?W(?P<week>\d{1,2})", re.ASCII | re.IGNORECASE)


class ImpossibleWeek(InputFault):
    """A text that names no week, or a week number that the year does not have."""

    code = "impossible-week"


def _first_day(year: int, system: WeekSystem) -> date:
    """Return the first day of week 1: the Monday (ISO) or Sunday (MMWR) on or before 4 January."""
    fourth = date(year, 1, 4)
    into_week = fourth.weekday() if system == "iso" else (fourth.weekday() + 1) % 7
    return fourth - timedelta(days=into_week)


def weeks_in_year(year: int, *, system: WeekSystem = "iso") -> int:
    """Return 52 or 53: how many weeks the year has.

    Parameters
    ----------
    year : int, 1583 to 9998
    system : "iso" or "mmwr"
    """
    return (_first_day(year + 1, system) - _first_day(year, system)).days // 7


@total_ordering
@dataclass(frozen=True, slots=True)
class Week:
    """One epidemiological week, a period of seven days ``[start, end)``.

    Parameters
    ----------
    year : int, 1583 to 9998
        The year that holds most days of the week; not always the year of each of its days.
    week : int, 1 to 52 or 53
    system : "iso" or "mmwr"

    Raises
    ------
    ImpossibleWeek
        If the year has no such week.
    """

    year: int
    week: int
    system: WeekSystem = "iso"

    def __post_init__(self) -> None:
        if self.system not in ("iso", "mmwr"):
            raise ImpossibleWeek(f'week system must be "iso" or "mmwr", came {self.system!r}')
        if not FIRST_YEAR <= self.year <= LAST_YEAR:
            raise ImpossibleWeek(f"year of a week must lie within {FIRST_YEAR} to {LAST_YEAR}, came {self.year}")
        weeks = weeks_in_year(self.year, system=self.system)
        if not 1 <= self.week <= weeks:
            raise ImpossibleWeek(f"{self.year} has weeks 1 to {weeks} ({self.system}), came week {self.week}")

    @classmethod
    def of(cls, day: date, *, system: WeekSystem = "iso") -> Self:
        """Return the week that holds `day`."""
        year = day.year
        if day < _first_day(year, system):
            year -= 1
        elif day >= _first_day(year + 1, system):
            year += 1
        return cls(year, (day - _first_day(year, system)).days // 7 + 1, system)

    @classmethod
    def parse(cls, text: str, *, system: WeekSystem = "iso") -> Self:
        """Read ``2024-W05`` or DHIS2's ``2024W5``; ``2024SunW5`` is a week of the MMWR system, whatever `system` says.

        Raises
        ------
        ImpossibleWeek
            If the text is not of that form, or the year has no such week.
        """
        found = _WRITTEN.fullmatch(text.strip())
        if found is None:
            raise ImpossibleWeek(f"a week is written 2024-W05 or 2024W5, came {text.strip()[:40]!r}")
        return cls(int(found["year"]), int(found["week"]), "mmwr" if found["sunday"] else system)

    @property
    def start(self) -> date:
        """First day of the week: a Monday (ISO) or a Sunday (MMWR)."""
        return _first_day(self.year, self.system) + timedelta(weeks=self.week - 1)

    @property
    def end(self) -> date:
        """Day after the last day of the week."""
        return self.start + timedelta(weeks=1)

    @property
    def dhis2(self) -> str:
        """The week as DHIS2 names the period: ``2024W5``, or ``2024SunW5`` for MMWR weeks."""
        return f"{self.year:04d}{'Sun' if self.system == 'mmwr' else ''}W{self.week}"

    def __str__(self) -> str:
        return f"{self.year:04d}-W{self.week:02d}"

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Week):
            return NotImplemented
        self._same_system(other)
        return (self.year, self.week) < (other.year, other.week)

    def __add__(self, weeks: int) -> "Week":
        return Week.of(self.start + timedelta(weeks=weeks), system=self.system)

    @overload
    def __sub__(self, other: int) -> "Week": ...
    @overload
    def __sub__(self, other: "Week") -> int: ...
    def __sub__(self, other: "int | Week") -> "Week | int":
        """Return the week so many weeks earlier, or the number of weeks from `other` to this one."""
        if isinstance(other, Week):
            self._same_system(other)
            return (self.start - other.start).days // 7
        return self + -other

    def _same_system(self, other: "Week") -> None:
        if self.system != other.system:
            raise ImpossibleWeek(
                f"an {self.system} week and an {other.system} week do not compare; convert both to days first"
            )


def weeks_between(first: Week, last: Week) -> list[Week]:
    """Return every week from `first` to `last`, both included, oldest first; empty if `last` is earlier.

    Raises
    ------
    ImpossibleWeek
        If the two weeks are of different systems.
    """
    return list(_walk(first, last - first + 1))


def _walk(first: Week, count: int) -> Iterator[Week]:
    for ahead in range(count):
        yield first + ahead


def parse_weeks(text: str, *, system: WeekSystem = "iso") -> list[Week]:
    """Read one week (``2024-W05``) or a range, both ends included (``2024-W01..2024-W20``), oldest first.

    Raises
    ------
    ImpossibleWeek
        If an end names no week, or the range runs backwards.
    """
    first_text, dots, last_text = text.partition("..")
    first = Week.parse(first_text, system=system)
    last = Week.parse(last_text, system=system) if dots else first
    if last < first:
        raise ImpossibleWeek(
            f"a range of weeks runs from the earlier to the later, came {first}..{last}; swap the ends"
        )
    return weeks_between(first, last)
