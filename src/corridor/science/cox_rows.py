"""One site's part of a Cox regression: rows prepared once, and the block of sums at given coefficients."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corridor.base.errors import InputFault
from corridor.science.survival_data import BadModel, BadSurvivalData, check_rows, codes_of, numbers

__all__ = [
    "CoefficientsTooLarge",
    "CoxBlock",
    "CoxRows",
    "NoEvents",
    "Ties",
    "check_ties",
    "covariate_table",
    "cox_site_block",
]

Ties = Literal["efron", "breslow"]


class NoEvents(InputFault):
    """No event happened while anybody was at risk."""

    code: ClassVar[str] = "no-events"


class CoefficientsTooLarge(InputFault):
    """Coefficients at which hazards leave the range of numbers."""

    code: ClassVar[str] = "coefficients-too-large"


class CoxBlock(NamedTuple):
    """What a site gives away in one round of a Cox regression; blocks of strata and of sites add up.

    Attributes
    ----------
    loglik : float, log partial likelihood
    gradient : array, shape (p,)
        First derivative (score).
    information : array, shape (p, p), symmetric
        Negative second derivative.
    """

    loglik: float
    gradient: NDArray[np.float64]
    information: NDArray[np.float64]


def cox_site_block(
    times: ArrayLike,
    events: ArrayLike,
    covariates: ArrayLike,
    beta: ArrayLike,
    *,
    ties: Ties = "efron",
    weights: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    strata: ArrayLike | None = None,
) -> CoxBlock:
    """Return log partial likelihood, gradient and information of one site's rows at `beta`.

    Parameters and errors are those of `CoxRows`, which is the better choice for more than one `beta`.
    """
    return CoxRows(times, events, covariates, ties=ties, weights=weights, entry=entry, strata=strata).block(beta)


@dataclass(frozen=True)
class _Groups:
    """Event times of one site, by stratum, latest first, as the kernel takes them."""

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    deaths: NDArray[np.int64]
    stratum: NDArray[np.int64]
    mean_weight: NDArray[np.float64]
    times: NDArray[np.float64]

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        return self.start, self.stop, self.deaths, self.stratum, self.mean_weight


class CoxRows:
    """The rows of one site, sorted once, for as many blocks as a fit asks for.

    Parameters
    ----------
    times : array, shape (rows,), from 0
        End of follow-up; a row is at risk at its own time. Any unit.
    events : array of 0 and 1, shape (rows,)
        1 where follow-up ended with the event.
    covariates : array, shape (rows, p)
        Numbers, dummies for categories. No missing values.
    ties : "efron" or "breslow"
    weights : array, shape (rows,), above 0, optional
        Tied events share their mean weight (Efron), as in R's survival.
    entry : array, shape (rows,), optional
        Begin of follow-up: at risk at `t` if entry < t <= time.
    strata : labels, shape (rows,), optional
        Each stratum has a baseline hazard of its own.

    Raises
    ------
    BadSurvivalData
        If an argument is at fault; the message gives the number of rows, never a value.
    NoEvents
        If there is no event.
    BadModel
        If `ties` is neither.

    Notes
    -----
    Sources: Cox 1972, J R Stat Soc B 34:187; Efron 1977, J Am Stat Assoc 72:557; Breslow 1974, Biometrics 30:89.
    Memory: one copy of the covariates.
    """

    def __init__(
        self,
        times: ArrayLike,
        events: ArrayLike,
        covariates: ArrayLike,
        *,
        ties: Ties = "efron",
        weights: ArrayLike | None = None,
        entry: ArrayLike | None = None,
        strata: ArrayLike | None = None,
    ) -> None:
        self.ties: Ties = check_ties(ties)
        rows = check_rows(times, events, entry=entry)
        count = rows.times.size
        table = covariate_table(covariates, rows=count)
        if not rows.events.any():
            raise NoEvents("events: none happened among the rows given. A Cox regression needs events; widen the rows.")
        given_weights = None if weights is None else numbers(weights, name="weights", like=count, positive=True)
        codes, _ = codes_of(strata, rows=count, name="strata")
        self.row_count = count
        self.event_count = int(rows.events.sum())
        self.coefficient_count = table.shape[1]
        self._sort(rows.times, rows.events, codes, rows.entry, table, given_weights)

    def _sort(
        self,
        times: NDArray[np.float64],
        events: NDArray[np.int64],
        codes: NDArray[np.int64],
        entry: NDArray[np.float64] | None,
        table: NDArray[np.float64],
        weights: NDArray[np.float64] | None,
    ) -> None:
        # Compiled code takes a second to load; whoever only imports the module does not pay for it.
        from corridor.science import _cox_kernel as kernel
        from corridor.science._survival_kernel import sorted_by

        order = sorted_by(events.view(np.uint64), np.arange(times.size))
        # Of numbers from 0 the bits are in the order of the numbers; turned round, the latest comes first.
        order = sorted_by(~times.view(np.uint64), order)
        order = sorted_by(codes.view(np.uint64), order)
        start, stop, deaths, stratum = kernel.find_groups(order, times, events, codes)
        leaves = np.empty(0, np.int64)
        keep = _within(start, stop, order.size)
        if entry is not None:
            leaves = kernel.leaving_groups(entry, order, start, stop, stratum, times[order[stop - 1]])
            own = np.repeat(np.arange(start.size), stop - start)
            keep[keep] = leaves[keep] > own
        if not keep.all():
            sizes = np.add.reduceat(keep, start, dtype=np.int64) if entry is not None else stop - start
            order = order[keep]
            leaves = leaves[keep] if entry is not None else leaves
            stop = np.cumsum(sizes)
            start = stop - sizes
        self._columns = kernel.gather(table, order, codes)
        self._order = order
        self._weights = np.empty(0) if weights is None else weights[order]
        died = _within(stop - deaths, stop, order.size)
        of_death = self._weights[died] if weights is not None else np.ones(int(deaths.sum()))
        begins = np.cumsum(deaths) - deaths
        self._groups = _Groups(
            start=start,
            stop=stop,
            deaths=deaths,
            stratum=stratum,
            mean_weight=np.add.reduceat(of_death, begins) / deaths,
            times=times[order[stop - 1]],
        )
        self._leaves = leaves
        self._delay = (
            (np.argsort(leaves, kind="stable"), np.searchsorted(np.sort(leaves), np.arange(start.size + 1)))
            if entry is not None
            else (np.empty(0, np.int64), np.empty(0, np.int64))
        )
        self._died = np.flatnonzero(died)
        self._death_sum = self._columns[:, self._died] @ of_death

    @property
    def event_times(self) -> NDArray[np.float64]:
        """Distinct event times by stratum, latest first: the order of `scale` in `scaled_block`."""
        return self._groups.times

    def block(self, beta: ArrayLike) -> CoxBlock:
        """Return the block at `beta`, shape (p,).

        Raises
        ------
        CoefficientsTooLarge
            If hazards at `beta` leave the range of numbers.
        """
        return self.scaled_block(beta, np.ones(self._groups.start.size))

    def scaled_block(self, beta: ArrayLike, scale: NDArray[np.float64]) -> CoxBlock:
        """Return the block in which each event time (see `event_times`) counts `scale` times.

        Its log-likelihood has no use unless `scale` is 1 throughout.
        """
        from corridor.science import _cox_kernel as kernel

        coefficients = self._coefficients(beta)
        width = coefficients.size
        information = np.zeros((width, width))
        outer = np.zeros((width, width))
        gradient = np.zeros(width)
        loglik, hazard, died_hazard, risk = self._risk_sets(coefficients, scale, outer, np.empty((0, 3, width)))
        residual = np.empty(risk.size)
        groups = self._groups.arrays
        kernel.set_exposure(self._weights, groups, self._leaves, scale, hazard, died_hazard, risk, residual)
        kernel.pass_products(self._columns, risk, residual, gradient, information)
        information -= outer
        lower = np.tril(information, -1)
        return CoxBlock(
            loglik=loglik + float(coefficients @ self._death_sum),
            gradient=gradient,
            information=lower + lower.T + np.diag(np.diag(information)),
        )

    def expected_events(self, beta: ArrayLike, *, scale: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return each row's expected events at `beta` (weight, hazard ratio, cumulated hazard), shape (rows,).

        They are the weights of the rows in the information, and add up to the events; with `scale`, of the block in
        which each event time (see `event_times`) counts so many times. Not for release.
        """
        from corridor.science import _cox_kernel as kernel

        coefficients = self._coefficients(beta)
        width = coefficients.size
        scale = np.ones(self._groups.start.size) if scale is None else scale
        _, hazard, died_hazard, risk = self._risk_sets(
            coefficients, scale, np.zeros((width, width)), np.empty((0, 3, width))
        )
        groups = self._groups.arrays
        kernel.set_exposure(self._weights, groups, self._leaves, scale, hazard, died_hazard, risk, np.empty(risk.size))
        expected = np.zeros(self.row_count)
        expected[self._order] = risk
        return expected

    def score_residuals(self, beta: ArrayLike) -> NDArray[np.float64]:
        """Return each row's weighted score residual at `beta`, shape (rows, p), in the order of the rows given.

        They add up to the gradient. Not for release: one row is one person.
        """
        from corridor.science import _cox_kernel as kernel

        coefficients = self._coefficients(beta)
        width = coefficients.size
        means = np.empty((self._groups.start.size, 3, width))
        scale = np.ones(self._groups.start.size)
        _, hazard, died_hazard, risk = self._risk_sets(coefficients, scale, np.zeros((width, width)), means)
        sorted_residuals = np.empty((risk.size, width))
        kernel.score_residuals(
            self._columns, self._weights, self._groups.arrays, self._leaves, hazard, died_hazard, means, risk,
            sorted_residuals,
        )  # fmt: skip
        residuals = np.zeros((self.row_count, width))
        residuals[self._order] = sorted_residuals
        return residuals

    def score_products(self, beta: ArrayLike, *, clusters: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the sum of outer products of score residuals at `beta`, shape (p, p), by row or by cluster.

        A site's part of the robust variance (`cox_fit`); no cluster may span two sites.

        Parameters
        ----------
        clusters : labels, shape (rows,), optional
            Rows of one cluster (a person, a ward) are added up first.

        Notes
        -----
        Source: Lin and Wei 1989, J Am Stat Assoc 84:1074; the residuals of tied events as in R's survival.
        """
        residuals = self.score_residuals(beta)
        if clusters is not None:
            codes, labels = codes_of(clusters, rows=self.row_count, name="clusters")
            residuals = np.stack(
                [np.bincount(codes, weights=column, minlength=len(labels)) for column in residuals.T], axis=1
            )
        return residuals.T @ residuals

    def _coefficients(self, beta: ArrayLike) -> NDArray[np.float64]:
        coefficients = np.ascontiguousarray(beta, dtype=np.float64)
        expected = (self.coefficient_count,)
        if coefficients.shape != expected or not np.isfinite(coefficients).all():
            raise BadModel(f"beta has shape {coefficients.shape}; expected {expected}, finite, one for each covariate.")
        return coefficients

    def _risk_sets(
        self,
        coefficients: NDArray[np.float64],
        scale: NDArray[np.float64],
        outer: NDArray[np.float64],
        means: NDArray[np.float64],
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        from corridor.science import _cox_kernel as kernel

        groups = self._groups
        hazard = np.empty(groups.start.size)
        died_hazard = np.empty(groups.start.size)
        risk = np.empty(self._order.size)
        loglik, largest = kernel.pass_risk_sets(
            self._columns, self._weights, groups.arrays, self._delay, coefficients, self.ties == "efron", scale,
            hazard, died_hazard, risk, outer, means,
        )  # fmt: skip
        if not (largest <= kernel.LARGEST_PREDICTOR and np.isfinite(loglik)):
            raise CoefficientsTooLarge(
                f"the linear predictor leaves ±{kernel.LARGEST_PREDICTOR:g} around its mean at these coefficients."
                " Scale the covariates, or look for one that separates those with the event."
            )
        return loglik, hazard, died_hazard, risk


def check_ties(ties: str) -> Ties:
    """Return `ties` if it is a known way to treat tied events; raise `BadModel` otherwise."""
    if ties == "efron":
        return "efron"
    if ties == "breslow":
        return "breslow"
    raise BadModel(f"ties is {ties!r}; expected 'efron' or 'breslow'.")


def covariate_table(covariates: ArrayLike, *, rows: int) -> NDArray[np.float64]:
    """Return `covariates` as floats of shape (rows, p), p at least 1, all finite."""
    try:
        table = np.asarray(covariates, dtype=np.float64)
    except (TypeError, ValueError) as fault:
        raise BadSurvivalData("covariates cannot be read as numbers. Give categories as dummies.") from fault
    if table.ndim == 1:
        table = table[:, np.newaxis]
    if table.ndim != 2 or table.shape[0] != rows or table.shape[1] == 0:
        raise BadSurvivalData(f"covariates have shape {table.shape}; expected ({rows}, p), p at least 1.")
    finite = np.isfinite(table)
    if not finite.all():
        wrong = int((~finite.all(axis=1)).sum())
        raise BadSurvivalData(
            f"covariates: {wrong} rows have a missing or infinite value. Leave them out, as the protocol says."
        )
    return table


def _within(start: NDArray[np.int64], stop: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """Return a mask of length `size` that holds in the ranges from `start` to `stop`, which do not overlap."""
    change = np.zeros(size + 1, np.int64)
    np.add.at(change, start, 1)
    np.add.at(change, stop, -1)
    return np.cumsum(change[:-1]) > 0
