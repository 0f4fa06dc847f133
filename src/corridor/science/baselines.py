"""Which epochs a judged epoch is compared with: reference years, seasonal blocks, time covariates.

They depend on dates and options alone, so they are worked out once per judged epoch and shared by all series.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corridor.science.series import BadDates, TooFewWeeks, require

__all__ = ["Baselines", "classic_baselines", "earliest_row", "flexible_baselines"]

WEEKLY = 52


@dataclass(frozen=True)
class Baselines:
    """Baselines of several judged epochs, laid end to end.

    Attributes
    ----------
    first : array of int, shape (evaluated + 1,)
        Where the part of each judged epoch begins in the arrays below.
    rows : array of int
        Indices of the baseline epochs of each part, ascending, and last the judged epoch itself.
    labels : array of int
        Season level of each row, from 0.
    times : array of float
        Time covariate of each row.
    season : array of int, shape (evaluated,)
        Season level at the judged epoch.
    levels : int
        Number of season levels.
    """

    first: NDArray[np.int64]
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    times: NDArray[np.float64]
    season: NDArray[np.int64]
    levels: int


def flexible_baselines(
    *,
    epochs: NDArray[np.int64],
    length: int,
    days: NDArray[np.datetime64] | None,
    frequency: int,
    years_back: int,
    half_window: int,
    periods: int,
    past_weeks_excluded: int,
) -> Baselines:
    """Return the baselines of Noufaily et al. 2013 as R's ``farringtonFlexible`` builds them.

    Raises
    ------
    TooFewWeeks
        If an epoch has less than `years_back` years and `half_window` epochs before it.
    BadDates
        If a reference date is not among `days`.
    """
    rows, labels, times = [], [], []
    for k in epochs.tolist():
        references = _references(k, days, frequency, years_back)
        _require_history(k, references[-1] - half_window, years_back, half_window, frequency, length)
        level = _season_levels(references, half_window, periods)
        begin = references[-1] - half_window
        label = level[: k - past_weeks_excluded - begin] if past_weeks_excluded >= 0 else level
        chosen = np.flatnonzero(label >= 0)
        row = np.append(begin + chosen, k)
        rows.append(row)
        labels.append(np.append(label[chosen], periods - 1))
        times.append(_times(row, days))
    return _laid_out(rows, labels, times, np.full(epochs.size, periods - 1), periods)


def classic_baselines(
    *,
    epochs: NDArray[np.int64],
    length: int,
    days: NDArray[np.datetime64] | None,
    frequency: int,
    years_back: int,
    half_window: int,
) -> Baselines:
    """Return the windows of Farrington et al. 1996: 2 `half_window` + 1 epochs in each of `years_back` years.

    Raises
    ------
    TooFewWeeks, BadDates
        As `flexible_baselines`.
    """
    rows, labels, times = [], [], []
    for k in epochs.tolist():
        references = _references(k, days, frequency, years_back)[1:]
        _require_history(k, references[-1] - half_window, years_back, half_window, frequency, length)
        around = np.arange(-half_window, half_window + 1)
        row = np.append((np.array(references)[::-1, np.newaxis] + around).ravel(), k)
        rows.append(row)
        labels.append(np.zeros(row.size, np.int64))
        times.append(row.astype(np.float64))
    return _laid_out(rows, labels, times, np.zeros(epochs.size, np.int64), 1)


def earliest_row(
    k: int, *, days: NDArray[np.datetime64] | None, frequency: int, years_back: int, half_window: int
) -> int:
    """Return the first baseline row of epoch `k`, -1 or less where the series does not reach so far back.

    Raises
    ------
    BadDates
        If a reference date is missing in between.
    """
    try:
        return _references(k, days, frequency, years_back)[-1] - half_window
    except TooFewWeeks:
        return -1


def _laid_out(
    rows: list[NDArray[np.int64]],
    labels: list[NDArray[np.int64]],
    times: list[NDArray[np.float64]],
    season: NDArray[np.int64],
    levels: int,
) -> Baselines:
    first = np.zeros(len(rows) + 1, np.int64)
    first[1:] = np.cumsum([row.size for row in rows])
    return Baselines(
        first=first,
        rows=np.concatenate([*rows, np.zeros(0, np.int64)]),
        labels=np.concatenate([*labels, np.zeros(0, np.int64)]),
        times=np.concatenate([*times, np.zeros(0)]),
        season=season.astype(np.int64),
        levels=levels,
    )


def _references(k: int, days: NDArray[np.datetime64] | None, frequency: int, years_back: int) -> list[int]:
    """Return the rows of the same season in each year, latest first, beginning with `k` itself."""
    if days is None:
        return [k - year * frequency for year in range(years_back + 1)]
    wanted = [days[k]] + [_years_before(days[k], year, frequency) for year in range(1, years_back + 1)]
    found = np.searchsorted(days, np.array(wanted))
    for day, row in zip(wanted, found.tolist(), strict=True):
        if row >= days.size or days[row] != day:
            if day < days[0]:
                raise TooFewWeeks(
                    f"epoch {k} ({days[k]}) needs {years_back} years of history, from {day} and before; the series"
                    f" begins on {days[0]}. Use fewer years_back, or a later epoch."
                )
            raise BadDates(
                f"epoch {k} ({days[k]}) is compared with {day}, which is no epoch of the series."
                " Give dates without gaps, all on the same weekday; missing counts are NaN."
            )
    return [int(row) for row in found]


def _years_before(day: np.datetime64, years: int, frequency: int) -> np.datetime64:
    """Return the date `years` calendar years before `day`, moved to its weekday in a weekly series."""
    month = day.astype("datetime64[M]")
    earlier: np.datetime64 = (month - 12 * years).astype("datetime64[D]") + (day - month.astype("datetime64[D]"))
    if frequency != WEEKLY:
        return earlier
    # Days since a Sunday, so that weekdays count from Sunday = 0.
    sunday = np.datetime64("1970-01-04", "D")
    weekday = int((day - sunday).astype(int)) % 7
    shift = int((earlier - sunday).astype(int)) % 7 - weekday
    one: np.datetime64 = earlier - np.timedelta64(shift, "D")
    other = one + np.timedelta64(-7 if shift < 0 else 7, "D")
    return one if abs(shift) <= abs(int((other - earlier).astype(int))) else other


def _require_history(k: int, begin: int, years_back: int, half_window: int, frequency: int, length: int) -> None:
    if begin < 0:
        raise TooFewWeeks(
            f"epoch {k} has {k} epochs before it; {years_back} years back with a half window of {half_window} need"
            f" {years_back * frequency + half_window} (the series has {length})."
            " Use fewer years_back, or a later epoch."
        )


def _season_levels(references: list[int], half_window: int, periods: int) -> NDArray[np.int64]:
    """Return the level of each epoch from the first baseline row to the judged epoch; -1 for none."""
    begin = references[-1] - half_window
    k = references[0]
    level = np.full(k - begin + 1, -1, np.int64)
    for later, earlier in itertools.pairwise(references):
        level[earlier - half_window - begin : earlier + half_window + 1 - begin] = periods - 1
        if periods == 1:
            continue
        gap = later - earlier - 2 * half_window - 1
        require(
            gap >= periods - (2 * half_window + 1) and gap >= 0,
            f"periods is {periods} and half_window {half_window}; a year of {later - earlier} epochs cannot be cut so."
            " Use fewer periods or a smaller half_window.",
        )
        base, longer = divmod(gap, periods - 1)
        sizes = [base + (block < longer) for block in range(periods - 1)]
        start = earlier + half_window + 1 - begin
        level[start : start + gap] = np.repeat(np.arange(periods - 1), sizes)
    level[k - half_window - begin :] = periods - 1
    return level


def _times(rows: NDArray[np.int64], days: NDArray[np.datetime64] | None) -> NDArray[np.float64]:
    if days is None:
        return rows.astype(np.float64)
    step = (days[1] - days[0]).astype(np.float64)
    times: NDArray[np.float64] = (days[rows] - days[rows[0]]).astype(np.float64) / step
    return times
