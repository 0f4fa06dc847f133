"""Farrington's methods: the improved one of 2013 and the classic one of 1996, over many series at once."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from corridor.science.alarms import Alarms
from corridor.science.baselines import Baselines, classic_baselines, flexible_baselines
from corridor.science.series import (
    BadOption,
    Dates,
    counts_by_series,
    days_of,
    epochs_to_judge,
    like_counts,
    mask_like_counts,
    require,
)

__all__ = ["farrington", "farrington_flexible"]

_RULES = {"delta": 0, "nb-plugin": 1, "muan": 2}
_POWERS = {"none": 0, "1/2": 1, "2/3": 2}


def farrington_flexible(
    counts: ArrayLike,
    *,
    dates: Dates | None = None,
    frequency: int = 52,
    evaluate: int | ArrayLike | None = None,
    years_back: int = 5,
    half_window: int = 3,
    periods: int = 10,
    past_weeks_excluded: int = 26,
    reweight: bool = True,
    weights_threshold: float = 2.58,
    alpha: float = 0.01,
    trend: bool = True,
    trend_p: float = 1.0,
    min_cases: float = 5,
    min_cases_weeks: int = 4,
    power: Literal["2/3", "1/2", "none"] = "2/3",
    threshold: Literal["delta", "nb-plugin", "muan"] = "nb-plugin",
    population: ArrayLike | None = None,
    exclude: ArrayLike | None = None,
    paper: bool = False,
) -> Alarms:
    """Return the alarms of the improved Farrington method for each series and judged epoch.

    Parameters
    ----------
    counts : array, shape (time,) or (time, series), cases per epoch
        Oldest first; NaN marks a missing count, which the baseline leaves out.
    dates : first day of each epoch, shape (time,), optional
        Years back are then calendar years; without dates they are multiples of `frequency`.
    frequency : int, epochs a year
        52 for weeks, 12 for months.
    evaluate : indices of the epochs to judge; the last one by default
    years_back, half_window : int
        Years of history, and epochs on either side of the same season in each of them.
    periods : int
        Levels of the season factor; 1 uses the windows alone, as in 1996.
    past_weeks_excluded : int
        Latest epochs, before the judged one, that the baseline leaves out.
    reweight, weights_threshold
        Whether past outbreaks are held down, and from which standardised Anscombe residual on.
    alpha : float, probability
        One-sided: a count is above the limit with at most this probability when there is no outbreak.
    trend, trend_p
        Whether a linear trend is tried, and the p value below which it is kept (1: unless it extrapolates).
    min_cases, min_cases_weeks
        No alarm and no limit unless the last `min_cases_weeks` epochs hold `min_cases` cases together.
    power : scale of the limit for `threshold` "delta"
    threshold : "delta" (1996), "nb-plugin" (negative binomial) or "muan" (the same at the mean's upper limit)
    population : one per series or per epoch and series, optional
        Offset of the fit: population, or sites that reported.
    exclude : mask of shape (time,) or (time, series), optional
        Epochs of known outbreaks, which the baseline leaves out.
    paper : bool
        Follow the papers where R's surveillance departs from them (time origin, standard errors, score).

    Returns
    -------
    Alarms
        `used` is empty and `judged` False where a fit was not possible.

    Raises
    ------
    TooFewWeeks
        If a judged epoch has less history than `years_back` asks for; `detect` falls back instead.
    BadCounts, BadDates, BadOption
        If an argument is at fault.

    Notes
    -----
    Sources: Noufaily et al. 2013, Stat Med 32:1206-1222, doi:10.1002/sim.5595; Salmon, Schumacher and Höhle 2016,
    J Stat Softw 70(10), doi:10.18637/jss.v070.i10. Reproduces R's surveillance 1.20.3, its departures included.
    """
    table = counts_by_series(counts)
    days = days_of(dates, epochs=table.shape[1])
    epochs = epochs_to_judge(evaluate, epochs=table.shape[1])
    require(threshold in _RULES, f"threshold is {threshold!r}; expected one of {', '.join(_RULES)}.")
    require(periods >= 1, f"periods is {periods}; expected 1 or more.")
    require(past_weeks_excluded >= 0, f"past_weeks_excluded is {past_weeks_excluded}; expected 0 or more.")
    _require_common(years_back, half_window, frequency, alpha, power, min_cases_weeks)
    baselines = flexible_baselines(
        epochs=epochs, length=table.shape[1], days=days, frequency=frequency, years_back=years_back,
        half_window=half_window, periods=periods, past_weeks_excluded=past_weeks_excluded,
    )  # fmt: skip
    return _judged(
        table, epochs, baselines, "farrington-flexible", late_origin=days is not None and not paper, classic=False,
        paper=paper, years_back=years_back, reweight=reweight, weights_threshold=weights_threshold, alpha=alpha,
        z=float(stats.norm.isf(alpha)), trend=trend, trend_p=trend_p, min_cases=min_cases,
        min_cases_weeks=min_cases_weeks, power=power, rule=_RULES[threshold], population=population, exclude=exclude,
    )  # fmt: skip


def farrington(
    counts: ArrayLike,
    *,
    dates: Dates | None = None,
    frequency: int = 52,
    evaluate: int | ArrayLike | None = None,
    years_back: int = 5,
    half_window: int = 3,
    reweight: bool = True,
    weights_threshold: float = 1.0,
    alpha: float = 0.01,
    trend: bool = True,
    trend_p: float = 0.05,
    min_cases: float = 5,
    min_cases_weeks: int = 4,
    power: Literal["2/3", "1/2", "none"] = "2/3",
    population: ArrayLike | None = None,
    exclude: ArrayLike | None = None,
    paper: bool = False,
) -> Alarms:
    """Return the alarms of the classic Farrington method for each series and judged epoch.

    Parameters are those of `farrington_flexible`; the baseline holds the windows alone, past outbreaks are held down from
    a residual of 1, the limit is two-sided at `alpha`, and where too few cases came the limit is 0, as R gives it
    (NaN with ``paper=True``).

    Raises
    ------
    TooFewWeeks, BadCounts, BadDates, BadOption
        As `farrington_flexible`.

    Notes
    -----
    Source: Farrington, Andrews, Beale and Catchpole 1996, J R Stat Soc A 159:547-563. Reproduces ``algo.farrington`` of R's
    surveillance 1.20.3; unlike it, missing counts in the baseline are left out instead of failing.
    """
    table = counts_by_series(counts)
    days = days_of(dates, epochs=table.shape[1])
    epochs = epochs_to_judge(evaluate, epochs=table.shape[1])
    _require_common(years_back, half_window, frequency, alpha, power, min_cases_weeks)
    baselines = classic_baselines(
        epochs=epochs, length=table.shape[1], days=days, frequency=frequency, years_back=years_back,
        half_window=half_window,
    )  # fmt: skip
    alarms = _judged(
        table, epochs, baselines, "farrington", late_origin=False, classic=True, paper=paper, years_back=years_back,
        reweight=reweight, weights_threshold=weights_threshold, alpha=alpha, z=float(stats.norm.isf(alpha / 2)),
        trend=trend, trend_p=trend_p, min_cases=min_cases, min_cases_weeks=min_cases_weeks, power=power, rule=0,
        population=population, exclude=exclude,
    )  # fmt: skip
    return alarms


def _require_common(
    years_back: int, half_window: int, frequency: int, alpha: float, power: str, min_cases_weeks: int
) -> None:
    require(years_back >= 1, f"years_back is {years_back}; expected 1 or more.")
    require(half_window >= 0, f"half_window is {half_window}; expected 0 or more.")
    require(frequency >= 1, f"frequency is {frequency}; expected epochs a year, such as 52 or 12.")
    require(2 * half_window + 1 <= frequency, f"half_window is {half_window}; windows of neighbouring years overlap.")
    require(0 < alpha < 1, f"alpha is {alpha}; expected a probability between 0 and 1.")
    require(min_cases_weeks >= 1, f"min_cases_weeks is {min_cases_weeks}; expected 1 or more.")
    require(power in _POWERS, f"power is {power!r}; expected one of {', '.join(_POWERS)}.")


def _judged(
    table: NDArray[np.float64],
    epochs: NDArray[np.int64],
    baselines: Baselines,
    method: str,
    *,
    late_origin: bool,
    classic: bool,
    paper: bool,
    years_back: int,
    reweight: bool,
    weights_threshold: float,
    alpha: float,
    z: float,
    trend: bool,
    trend_p: float,
    min_cases: float,
    min_cases_weeks: int,
    power: str,
    rule: int,
    population: ArrayLike | None,
    exclude: ArrayLike | None,
) -> Alarms:
    # Compiled code takes seconds to load; whoever only imports the module does not pay for it.
    from corridor.science._farrington_kernel import judge

    shape = (table.shape[0], table.shape[1])
    people = like_counts(population, shape=shape, name="population")
    if people is None:
        log_people = np.zeros((0, 0))
    else:
        if (people < 0).any():
            raise BadOption("population holds a negative number; expected people, or sites that reported.")
        with np.errstate(divide="ignore"):
            log_people = np.log(people)
    alarms = Alarms.empty(method=method, evaluated=epochs, series=shape[0])
    judge(
        table, log_people, mask_like_counts(exclude, shape=shape), late_origin, epochs, baselines.first, baselines.rows,
        baselines.labels, baselines.times, baselines.season, _critical_t(trend_p, baselines), baselines.levels, trend,
        years_back, classic, paper, reweight, weights_threshold, alpha, z, _POWERS[power], rule, float(min_cases),
        min_cases_weeks, alarms.expected, alarms.upperbound, alarms.alarm, alarms.judged, alarms.score, alarms.pvalue,
        alarms.trend, alarms.phi,
    )  # fmt: skip
    alarms.used[~alarms.judged] = ""
    return alarms


def _critical_t(trend_p: float, baselines: Baselines) -> NDArray[np.float64]:
    """Return the two-sided critical value at `trend_p` by degrees of freedom; at 1 or more any slope but zero passes."""
    most = int(np.diff(baselines.first).max(initial=1)) + 1
    if trend_p >= 1:
        return np.zeros(most)
    if trend_p <= 0:
        return np.full(most, np.inf)
    critical = np.full(most, np.inf)
    critical[1:] = stats.t.isf(trend_p / 2, np.arange(1, most))
    return critical
