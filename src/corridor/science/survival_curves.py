"""Curves from interval tables: Kaplan-Meier with medians and restricted means, and cumulative incidence."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from corridor.science.interval_tables import IntervalTable
from corridor.science.survival_data import BadModel

__all__ = ["Estimate", "IncidenceCurve", "SurvivalCurve", "cumulative_incidence", "kaplan_meier"]

ConfidenceScale = Literal["log", "log-log"]
_SAME = 1.5e-8


@dataclass(frozen=True)
class Estimate:
    """A number with its limits (NaN where there is none) and its standard error where it has one."""

    value: float
    low: float
    high: float
    se: float | None = None


@dataclass(frozen=True)
class SurvivalCurve:
    """A Kaplan-Meier curve: a step at each time, 1 before the first.

    Attributes
    ----------
    begin : float
        Where time begins.
    times : array, shape (intervals,), ends of intervals
    at_risk, events, censored : arrays, shape (intervals,), persons
    survival, se, low, high : arrays, shape (intervals,)
        Probability to survive beyond each time, Greenwood's standard error, limits at `confidence`; the last three
        are NaN where nobody survives.
    confidence : float
    scale : "log" or "log-log"
    """

    begin: float
    times: NDArray[np.float64]
    at_risk: NDArray[np.int64]
    events: NDArray[np.int64]
    censored: NDArray[np.int64]
    survival: NDArray[np.float64]
    se: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    confidence: float
    scale: ConfidenceScale

    def at(self, time: float) -> Estimate:
        """Return the probability to survive beyond `time`, between the begin and the last time."""
        _require_within(time, self.begin, float(self.times[-1]))
        place = int(np.searchsorted(self.times, time, side="right")) - 1
        if place < 0:
            return Estimate(1.0, 1.0, 1.0, 0.0)
        return Estimate(*(float(values[place]) for values in (self.survival, self.low, self.high, self.se)))

    def quantile(self, p: float = 0.5) -> Estimate:
        """Return the time by which a share `p` has had the event: the median by default; NaN where not reached.

        Notes
        -----
        Limits after Brookmeyer and Crowley 1982, Biometrics 38:29: where the limits of the curve pass 1 - p. A curve
        that lies level at just 1 - p gives the middle of the level, as in R's survival.
        """
        if not 0.0 < p < 1.0:
            raise BadModel(f"p is {p}; expected a share between 0 and 1.")
        value, low, high = (self._passes(curve, 1.0 - p) for curve in (self.survival, self.low, self.high))
        return Estimate(value, low, high)

    def restricted_mean(self, tau: float) -> Estimate:
        """Return the mean time survived up to `tau`, with standard error and limits on the plain scale.

        Notes
        -----
        Source: Klein and Moeschberger 2003, Survival Analysis, section 4.5.
        """
        _require_within(tau, self.begin, float(self.times[-1]))
        inner = self.times[self.times < tau]
        steps = np.concatenate(([self.begin], inner, [tau]))
        level = np.concatenate(([1.0], self.survival[: inner.size]))
        areas = level * np.diff(steps)
        # Area to the right of each inner time.
        after = (np.cumsum(areas[::-1])[::-1])[1:]
        died, n = self.events[: inner.size].astype(float), self.at_risk[: inner.size].astype(float)
        survivors = n - died
        terms = np.where(died > 0, after**2 * died / np.maximum(n * survivors, 1.0), 0.0)
        mean, se = float(areas.sum()), float(np.sqrt(terms.sum()))
        half = float(special.ndtri(0.5 + self.confidence / 2)) * se
        return Estimate(mean, mean - half, mean + half, se)

    def _passes(self, curve: NDArray[np.float64], level: float) -> float:
        """Return the first time at which `curve` is at or below `level`."""
        with np.errstate(invalid="ignore"):
            there = np.flatnonzero(curve <= level + _SAME)
        if not there.size:
            return float("nan")
        first = int(there[0])
        if curve[first] < level - _SAME:
            return float(self.times[first])
        with np.errstate(invalid="ignore"):
            below = np.flatnonzero((curve < level - _SAME) | np.isnan(curve))
        end = int(below[0]) if below.size else self._last_seen()
        return float(self.times[first] + self.times[end]) / 2.0

    def _last_seen(self) -> int:
        """Return the last interval in which somebody was at risk."""
        return int(np.flatnonzero(self.at_risk > 0)[-1])


@dataclass(frozen=True)
class IncidenceCurve:
    """Cumulative incidence of one cause among competing ones (Aalen-Johansen).

    Attributes
    ----------
    begin : float
    times : array, shape (intervals,), ends of intervals
    incidence, se, low, high : arrays, shape (intervals,)
        Probability to have had this cause by each time, standard error, limits at `confidence`; limits are NaN while
        the incidence is 0.
    """

    begin: float
    times: NDArray[np.float64]
    incidence: NDArray[np.float64]
    se: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def at(self, time: float) -> Estimate:
        """Return the incidence by `time`, between the begin and the last time."""
        _require_within(time, self.begin, float(self.times[-1]))
        place = int(np.searchsorted(self.times, time, side="right")) - 1
        if place < 0:
            return Estimate(0.0, 0.0, 0.0, 0.0)
        return Estimate(*(float(values[place]) for values in (self.incidence, self.low, self.high, self.se)))


def kaplan_meier(
    table: IntervalTable, *, group: Any = None, confidence: float = 0.95, scale: ConfidenceScale = "log"
) -> SurvivalCurve:
    """Return the Kaplan-Meier curve of one group, or of all together, for an event of any cause.

    Parameters
    ----------
    table : IntervalTable
        Of coarsened times (`combine_tables` for all sites), or on `distinct_edges` at home.
    group : one of ``table.groups``; all together by default
    confidence : float, probability
    scale : "log" or "log-log"
        On which the limits are symmetric.

    Notes
    -----
    Sources: Kaplan and Meier 1958, J Am Stat Assoc 53:457; Greenwood 1926, Reports on Public Health and
    Medical Subjects 33:1.
    """
    at_risk, events, censored = _counts(table, group)
    died = events.sum(axis=0)
    n = np.maximum(at_risk, 1).astype(float)
    survival = np.cumprod(1.0 - died / n)
    survivors = np.maximum(n - died, 1.0)
    relative = np.sqrt(np.cumsum(np.where(died > 0, died / (n * survivors), 0.0)))
    alive = survival > 0
    se = np.where(alive, survival * relative, np.nan)
    low, high = _limits(survival, se, confidence, scale)
    return SurvivalCurve(
        begin=float(table.edges[0]),
        times=table.edges[1:],
        at_risk=at_risk,
        events=died,
        censored=censored,
        survival=survival,
        se=se,
        low=low,
        high=high,
        confidence=confidence,
        scale=scale,
    )


def cumulative_incidence(
    table: IntervalTable,
    *,
    cause: int = 1,
    group: Any = None,
    confidence: float = 0.95,
    scale: ConfidenceScale = "log-log",
) -> IncidenceCurve:
    """Return the cumulative incidence of `cause` (from 1) in one group, or in all together.

    Notes
    -----
    Sources: Aalen and Johansen 1978, Scand J Stat 5:141; the variance is of Greenwood's type and for one cause is his,
    Andersen, Borgan, Gill and Keiding 1993, Statistical Models Based on Counting Processes, section IV.4.
    """
    if not 1 <= cause <= table.events.shape[0]:
        raise BadModel(f"cause is {cause}; expected one from 1 to {table.events.shape[0]}.")
    at_risk, events, _ = _counts(table, group)
    n = np.maximum(at_risk, 1).astype(float)
    alive, had = 1.0, 0.0
    alive_var, had_var, covariance = 0.0, 0.0, 0.0
    incidence, variance = np.empty(n.size), np.empty(n.size)
    for k, (any_cause, this) in enumerate(zip(events.sum(axis=0) / n, events[cause - 1] / n, strict=True)):
        spread = alive**2 / n[k]
        had_var += 2 * this * covariance + this**2 * alive_var + spread * this * (1 - this)
        covariance = (1 - any_cause) * (covariance + this * alive_var - spread * this)
        alive_var = (1 - any_cause) ** 2 * alive_var + spread * any_cause * (1 - any_cause)
        had += alive * this
        alive *= 1 - any_cause
        incidence[k], variance[k] = had, had_var
    se = np.sqrt(np.maximum(variance, 0.0))
    low, high = _limits(incidence, se, confidence, scale)
    return IncidenceCurve(
        begin=float(table.edges[0]), times=table.edges[1:], incidence=incidence, se=se, low=low, high=high
    )


def _counts(table: IntervalTable, group: Any) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return persons at risk, events by cause and censored, by interval."""
    if group is None:
        return table.at_risk.sum(axis=1), table.events.sum(axis=2), table.censored.sum(axis=1)
    if group not in table.groups:
        raise BadModel(f"group is {group!r}; expected one of {', '.join(map(repr, table.groups))}.")
    place = table.groups.index(group)
    return table.at_risk[:, place], table.events[:, :, place], table.censored[:, place]


def _limits(
    share: NDArray[np.float64], se: NDArray[np.float64], confidence: float, scale: ConfidenceScale
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return limits of a share, symmetric on the given scale; the share itself where it is 1, NaN where it is 0."""
    if not 0.0 < confidence < 1.0:
        raise BadModel(f"confidence is {confidence}; expected a probability such as 0.95.")
    z = float(special.ndtri(0.5 + confidence / 2))
    inner = (share > 0) & (share < 1)
    p, error = np.where(inner, share, 0.5), np.where(inner, se, 0.0)
    if scale == "log":
        half = z * error / p
        low, high = p * np.exp(-half), np.minimum(p * np.exp(half), 1.0)
    elif scale == "log-log":
        half = z * error / (p * np.log(p))
        low, high = p ** np.exp(-half), p ** np.exp(half)
    else:
        raise BadModel(f"scale is {scale!r}; expected 'log' or 'log-log'.")
    outside = np.where(share >= 1, share, np.nan)
    return np.where(inner, low, outside), np.where(inner, high, outside)


def _require_within(time: float, begin: float, end: float) -> None:
    if not begin <= time <= end:
        raise BadModel(f"time is {time:g}; the table tells from {begin:g} to {end:g}.")
