"""Farrington's methods: the improved one of 2013 and the classic one of 1996, over many series at once."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from corridor.science.alarms import Alarms
from corridor.science.baselines import Baselines, classic_baselines, flexible_baselines
from corridor.science.series import (
    BadCounts,
    Dates,
    counts_by_series,
    days_of,
    epochs_to_judge,
    like_counts,
    mask_like_counts,
    require,
)

if TYPE_CHECKING:
    from corridor.science._farrington_kernel import Options

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
        `judged` is False where a fit was not possible.

    Raises
    ------
    TooFewWeeks
        If a judged epoch has less history than `years_back` asks for; `detect` falls back instead.
    BadCounts, BadDates, BadOption
        If an argument is at fault.

    Notes
    -----
    Sources: Noufaily et al. 2013, Stat Med 32:1206-1222, doi:10.1002/sim.5595; Salmon, Schumacher and Höhle 2016,
    J Stat Softw 70(10), doi:10.18637/jss.v070.i10. Reproduces R's surveillance 1.20.3, its departures included, but for
    one: a missing count among the last `min_cases_weeks` counts as no case, where R gives no limit.
    """
    from corridor.science._farrington_kernel import Options

    table = counts_by_series(counts)
    days = days_of(dates, epochs=table.shape[1])
    epochs = epochs_to_judge(evaluate, epochs=table.shape[1])
    require(threshold in _RULES, f"threshold is {threshold!r}; expected one of {', '.join(_RULES)}.")
    require(periods >= 1, f"periods is {periods}; expected 1 or more.")
    require(past_weeks_excluded >= 0, f"past_weeks_excluded is {past_weeks_excluded}; expected 0 or more.")
    _require_common(years_back, half_window, frequency, alpha, power, min_cases_weeks)
    baselines = flexible_baselines(
        epochs=epochs,
        length=table.shape[1],
        days=days,
        frequency=frequency,
        years_back=years_back,
        half_window=half_window,
        periods=periods,
        past_weeks_excluded=past_weeks_excluded,
    )
    options = Options(
        classic=False,
        paper=bool(paper),
        late_origin=bool(days is not None and not paper),
        reweight=bool(reweight),
        weights_threshold=float(weights_threshold),
        alpha=float(alpha),
        z=float(-special.ndtri(alpha)),
        power=_POWERS[power],
        rule=_RULES[threshold],
        trend=bool(trend),
        years_back=int(years_back),
        min_cases=float(min_cases),
        min_cases_weeks=int(min_cases_weeks),
    )
    return _judged(
        "farrington-flexible", table, epochs, baselines, options,
        trend_p=trend_p, population=population, exclude=exclude,
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

    Parameters are those of `farrington_flexible`; the baseline holds the windows alone, past outbreaks are held
    down from a residual of 1, the limit is two-sided at `alpha`, and where too few cases came the limit is 0, as R
    gives it (NaN with ``paper=True``).

    Raises
    ------
    TooFewWeeks, BadCounts, BadDates, BadOption
        As `farrington_flexible`.

    Notes
    -----
    Source: Farrington, Andrews, Beale and Catchpole 1996, J R Stat Soc A 159:547-563. Reproduces ``algo.farrington`` of
    R's surveillance 1.20.3; unlike it, missing counts in the baseline are left out instead of failing.
    """
    from corridor.science._farrington_kernel import Options

    table = counts_by_series(counts)
    days = days_of(dates, epochs=table.shape[1])
    epochs = epochs_to_judge(evaluate, epochs=table.shape[1])
    _require_common(years_back, half_window, frequency, alpha, power, min_cases_weeks)
    baselines = classic_baselines(
        epochs=epochs,
        length=table.shape[1],
        days=days,
        frequency=frequency,
        years_back=years_back,
        half_window=half_window,
    )
    options = Options(
        classic=True,
        paper=bool(paper),
        late_origin=False,
        reweight=bool(reweight),
        weights_threshold=float(weights_threshold),
        alpha=float(alpha),
        z=float(-special.ndtri(alpha / 2)),
        power=_POWERS[power],
        rule=_RULES["delta"],
        trend=bool(trend),
        years_back=int(years_back),
        min_cases=float(min_cases),
        min_cases_weeks=int(min_cases_weeks),
    )
    return _judged(
        "farrington", table, epochs, baselines, options, trend_p=trend_p, population=population, exclude=exclude
    )


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
    method: str,
    table: NDArray[np.float64],
    epochs: NDArray[np.int64],
    baselines: Baselines,
    options: "Options",
    *,
    trend_p: float,
    population: ArrayLike | None,
    exclude: ArrayLike | None,
) -> Alarms:
    # Compiled code takes seconds to load; whoever only imports the module does not pay for it.
    from corridor.science._farrington_kernel import Plan, Results, judge

    shape = (table.shape[0], table.shape[1])
    alarms = Alarms.empty(method=method, evaluated=epochs, series=shape[0])
    plan = Plan(
        epochs=epochs,
        first=baselines.first,
        rows=baselines.rows,
        labels=baselines.labels,
        times=baselines.times,
        season=baselines.season,
        levels=baselines.levels,
        critical_t=_critical_t(trend_p, baselines),
    )
    results = Results(
        expected=alarms.expected,
        upperbound=alarms.upperbound,
        alarm=alarms.alarm,
        judged=alarms.judged,
        score=alarms.score,
        pvalue=alarms.pvalue,
        trend=alarms.trend,
        phi=alarms.phi,
    )
    judge(table, _log_people(population, shape), mask_like_counts(exclude, shape=shape), plan, options, results)
    return alarms


def _log_people(population: ArrayLike | None, shape: tuple[int, int]) -> NDArray[np.float64]:
    people = like_counts(population, shape=shape, name="population")
    if people is None:
        return np.zeros((shape[0], 0))
    if (people < 0).any():
        raise BadCounts("population holds a negative number; expected people, or sites that reported.")
    # An epoch without people, or without a site that reported, has no place in the baseline: minus infinity says so.
    with np.errstate(divide="ignore"):
        return np.log(people)


def _critical_t(trend_p: float, baselines: Baselines) -> NDArray[np.float64]:
    """Return the two-sided critical value at `trend_p` by degrees of freedom; from 1 on any slope but zero passes."""
    most = int(np.diff(baselines.first).max(initial=1)) + 1
    if trend_p >= 1:
        return np.zeros(most)
    if trend_p <= 0:
        return np.full(most, np.inf)
    critical = np.full(most, np.inf)
    critical[1:] = -special.stdtrit(np.arange(1, most), trend_p / 2)
    return critical
