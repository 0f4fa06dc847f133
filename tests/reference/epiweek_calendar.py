"""An obvious second implementation of MMWR weeks: write down every day of a calendar and count."""

from datetime import date, timedelta
from functools import cache


@cache
def _calendar(year: int) -> dict[date, tuple[int, int]]:
    """Label each day from a Sunday before `year` to one after it by looking at the seven days of its week."""
    labels: dict[date, tuple[int, int]] = {}
    sunday = next(day for day in (date(year - 1, 12, 1) + timedelta(days=n) for n in range(7)) if day.weekday() == 6)
    numbers: dict[int, int] = {}
    while sunday <= date(year + 1, 1, 10):
        days = [sunday + timedelta(days=n) for n in range(7)]
        years = [day.year for day in days]
        owner = max(set(years), key=years.count)
        if owner == year:
            numbers[owner] = numbers.get(owner, 0) + 1
            labels.update(dict.fromkeys(days, (owner, numbers[owner])))
        sunday += timedelta(days=7)
    return labels


def mmwr_by_counting(day: date) -> tuple[int, int]:
    """Return (year, week) of the MMWR system."""
    for year in (day.year - 1, day.year, day.year + 1):
        label = _calendar(year).get(day)
        if label is not None:
            return label
    raise AssertionError(day)
