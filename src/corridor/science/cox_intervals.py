"""Cox regression over one risk set of all sites, on coarsened times: sums by interval instead of by day."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corridor.science.cox_rows import CoefficientsTooLarge, CoxBlock, Ties, check_ties, covariate_table
from corridor.science.interval_tables import check_edges, interval_of
from corridor.science.survival_data import BadModel, check_rows, numbers

__all__ = ["CoxIntervalBlock", "combine_cox_intervals", "cox_interval_block"]

_LARGEST_PREDICTOR = 500.0


@dataclass(frozen=True)
class CoxIntervalBlock:
    """What a site gives away in one round; blocks of sites add up, field by field, on the same edges.

    Attributes
    ----------
    deaths : array of int, shape (intervals,)
        Events.
    death_weight : array, shape (intervals,)
        Sum of their weights.
    death_sum : array, shape (p,)
        Sum of weight times covariates over all events.
    risk, risk_sum, risk_products : arrays, shapes (intervals,), (intervals, p), (intervals, p, p)
        Over those at risk at the events of each interval: sums of r, of r x and of r x x', with r = weight times
        exp(x beta).
    tied, tied_sum, tied_products : arrays, the same shapes
        The same over those with the event in the interval.
    """

    deaths: NDArray[np.int64]
    death_weight: NDArray[np.float64]
    death_sum: NDArray[np.float64]
    risk: NDArray[np.float64]
    risk_sum: NDArray[np.float64]
    risk_products: NDArray[np.float64]
    tied: NDArray[np.float64]
    tied_sum: NDArray[np.float64]
    tied_products: NDArray[np.float64]


def cox_interval_block(
    times: ArrayLike,
    events: ArrayLike,
    covariates: ArrayLike,
    beta: ArrayLike,
    *,
    edges: ArrayLike,
    weights: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    centre: ArrayLike | None = None,
) -> CoxIntervalBlock:
    """Return one site's sums by interval at `beta`.

    Parameters
    ----------
    times, events, covariates, weights, entry : as `CoxRows` takes them, times above the first edge
        Events count at the end of their interval; whoever enters within an interval is at risk at its events.
    beta : array, shape (p,)
    edges : array, shape (intervals + 1,), ascending, the same at all sites
        Whoever is followed beyond the last edge is at risk throughout.
    centre : array, shape (p,), optional
        A public value of each covariate, the same at all sites, taken off for accuracy; no result depends on it.

    Raises
    ------
    BadSurvivalData, BadModel
        If an argument is at fault.
    CoefficientsTooLarge
        If hazards at `beta` leave the range of numbers.
    """
    bounds = check_edges(edges)
    rows = check_rows(times, events, entry=entry)
    count, intervals = rows.times.size, bounds.size - 1
    table = covariate_table(covariates, rows=count)
    width = table.shape[1]
    coefficients = np.asarray(beta, dtype=np.float64)
    middle = np.zeros(width) if centre is None else np.asarray(centre, dtype=np.float64)
    if coefficients.shape != (width,) or middle.shape != (width,):
        raise BadModel(f"beta and centre must have shape ({width},), one number for each covariate.")
    weight = np.ones(count) if weights is None else numbers(weights, name="weights", like=count, positive=True)
    columns = np.ascontiguousarray((table - middle).T)
    predictor = coefficients @ columns
    if not np.abs(predictor).max(initial=0.0) <= _LARGEST_PREDICTOR:
        raise CoefficientsTooLarge(
            f"the linear predictor leaves ±{_LARGEST_PREDICTOR:g} at these coefficients. Give a centre, or scale the"
            " covariates."
        )
    r = weight * np.exp(predictor)
    place = interval_of(rows.times, bounds, name="times")
    died = (rows.events > 0) & (place < intervals)
    since = None
    if rows.entry is not None:
        since = np.maximum(np.searchsorted(bounds, rows.entry, side="right") - 1, 0)

    def at_risk(values: NDArray[np.float64]) -> NDArray[np.float64]:
        leaving = np.bincount(place, weights=values, minlength=intervals + 1)
        there = np.cumsum(leaving[::-1])[::-1]
        if since is not None:
            coming = np.bincount(since, weights=values, minlength=intervals + 1)[: intervals + 1]
            there = there - np.concatenate((np.cumsum(coming[::-1])[::-1][1:], [0.0]))
        return np.asarray(there[:intervals])

    def of_deaths(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(place[died], weights=values[died], minlength=intervals), np.float64)

    risk_sum, tied_sum = np.empty((intervals, width)), np.empty((intervals, width))
    risk_products, tied_products = np.empty((intervals, width, width)), np.empty((intervals, width, width))
    for j in range(width):
        first = r * columns[j]
        risk_sum[:, j], tied_sum[:, j] = at_risk(first), of_deaths(first)
        for k in range(j + 1):
            second = first * columns[k]
            risk_products[:, j, k] = risk_products[:, k, j] = at_risk(second)
            tied_products[:, j, k] = tied_products[:, k, j] = of_deaths(second)
    return CoxIntervalBlock(
        deaths=np.bincount(place[died], minlength=intervals),
        death_weight=of_deaths(weight),
        death_sum=columns[:, died] @ weight[died],
        risk=at_risk(r),
        risk_sum=risk_sum,
        risk_products=risk_products,
        tied=of_deaths(r),
        tied_sum=tied_sum,
        tied_products=tied_products,
    )


def combine_cox_intervals(blocks: Sequence[CoxIntervalBlock], beta: ArrayLike, *, ties: Ties = "efron") -> CoxBlock:
    """Return log-likelihood, gradient and information of all sites' rows in one risk set, for `newton_step`.

    Equal to those of pooled rows with coarsened times. `beta` is that of the blocks.

    Raises
    ------
    BadModel
        If blocks have different shapes.
    """
    check_ties(ties)
    shapes = {block.risk_products.shape for block in blocks}
    if len(shapes) != 1:
        raise BadModel("blocks are missing or of different shapes; expected one of each site on the same edges.")
    total = CoxIntervalBlock(
        **{field.name: np.asarray(sum(getattr(block, field.name) for block in blocks)) for field in fields(blocks[0])}
    )
    coefficients = np.asarray(beta, dtype=np.float64)
    loglik = float(coefficients @ total.death_sum)
    gradient = total.death_sum.copy()
    information = np.zeros((gradient.size, gradient.size))
    for k in np.flatnonzero(total.deaths):
        died = int(total.deaths[k])
        share = np.arange(died) / died if ties == "efron" else np.zeros(died)
        left = total.risk[k] - share * total.tied[k]
        weight = total.death_weight[k] / died / left
        means = (total.risk_sum[k] - share[:, np.newaxis] * total.tied_sum[k]) / left[:, np.newaxis]
        loglik -= float(total.death_weight[k] / died * np.log(left).sum())
        gradient -= (weight * left) @ means
        information += weight.sum() * total.risk_products[k] - (weight @ share) * total.tied_products[k]
        information -= (means.T * (weight * left)) @ means
    return CoxBlock(loglik, gradient, information)
