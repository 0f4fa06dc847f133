"""Log-rank tests over sites: stratified by site from each site's sums, or unstratified from interval tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corridor.science.cox_results import ChiSquare
from corridor.science.interval_tables import IntervalTable, distinct_edges, interval_table
from corridor.science.linear_systems import CollinearCovariates, solve
from corridor.science.survival_data import BadModel, BadSurvivalData, check_rows, codes_of

__all__ = ["LogrankBlock", "LogrankTest", "logrank_block", "logrank_block_of_table", "logrank_test"]


@dataclass(frozen=True)
class LogrankBlock:
    """What a site gives away for the test; blocks of sites and of strata add up.

    Attributes
    ----------
    groups : tuple of labels, (groups,)
    rho : float
        Each event counts survival to the power of `rho`: 0 for the log-rank test, 1 for that of Peto and Peto.
    observed, expected : arrays, shape (groups,)
    variance : array, shape (groups, groups)
        Of observed less expected.
    """

    groups: tuple[Any, ...]
    rho: float
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    variance: NDArray[np.float64]


@dataclass(frozen=True)
class LogrankTest:
    """The summed block and the test of equal hazards in all groups."""

    total: LogrankBlock
    test: ChiSquare


def logrank_block(
    times: ArrayLike,
    events: ArrayLike,
    groups: ArrayLike,
    *,
    rho: float = 0.0,
    entry: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    labels: Sequence[Any] | None = None,
) -> LogrankBlock:
    """Return one site's observed and expected events and their variance, exact to the day.

    Parameters
    ----------
    times, events, entry, strata : as `CoxRows` takes them, times above 0
    groups : labels, shape (rows,)
    rho : float, 0 or more
        With `rho` above 0, survival is that of the site's (and the stratum's) own curve.
    labels : the labels of all groups; those that occur, sorted, if not given

    Raises
    ------
    BadSurvivalData, BadModel
        If an argument is at fault.

    Notes
    -----
    Sources: Mantel 1966, Cancer Chemother Rep 50:163; Peto and Peto 1972, J R Stat Soc A 135:185; Harrington and
    Fleming 1982, Biometrika 69:553.
    """
    rows = check_rows(times, events, entry=entry)
    names = tuple(labels) if labels is not None else codes_of(groups, rows=rows.times.size, name="groups")[1]
    arm = np.asarray(groups)
    if strata is None:
        return _block_of_rows(rows.times, rows.events, rows.entry, arm, names, rho)
    codes, found = codes_of(strata, rows=rows.times.size, name="strata")
    blocks = []
    for code in range(len(found)):
        chosen = codes == code
        starts = None if rows.entry is None else rows.entry[chosen]
        blocks.append(_block_of_rows(rows.times[chosen], rows.events[chosen], starts, arm[chosen], names, rho))
    return _summed(blocks)


def logrank_block_of_table(table: IntervalTable, *, rho: float = 0.0) -> LogrankBlock:
    """Return observed and expected events of any cause and their variance from an interval table.

    Of the combined table of all sites: the unstratified test, exact for the coarsened times.
    """
    if not rho >= 0.0:
        raise BadModel(f"rho is {rho}; expected 0 (log-rank), 1 (Peto and Peto) or another number from 0.")
    if len(table.groups) < 2:
        raise BadModel("a log-rank test compares two groups or more; the table has one.")
    at_risk = table.at_risk.astype(float)
    events = table.events.sum(axis=0).astype(float)
    died = events.sum(axis=1)
    told = died > 0
    at_risk, events, died = at_risk[told], events[told], died[told]
    n = at_risk.sum(axis=1)
    before = np.concatenate(([1.0], np.cumprod(1.0 - died / n)))[:-1]
    weight = before**rho if rho else np.ones(n.size)
    share = at_risk / n[:, np.newaxis]
    # Where a single person is left, nothing varies.
    spread = weight**2 * died * (n - died) / np.maximum(n - 1.0, 1.0)
    return LogrankBlock(
        groups=table.groups,
        rho=float(rho),
        observed=weight @ events,
        expected=(weight * died) @ share,
        variance=np.diag(spread @ share) - (share.T * spread) @ share,
    )


def logrank_test(blocks: Sequence[LogrankBlock]) -> LogrankTest:
    """Return the log-rank test stratified by site (and by what the sites stratified by).

    Raises
    ------
    BadModel
        If blocks do not fit together, or only one group was ever at risk beside another.
    """
    total = _summed(blocks)
    # Groups that nobody compares with have neither variance nor a say.
    compared = np.diag(total.variance) > 0
    if compared.sum() < 2:
        raise BadModel("no event happened while two groups were at risk; there is nothing to compare.")
    chosen = np.flatnonzero(compared)[1:]
    difference = (total.observed - total.expected)[chosen]
    labels = [str(total.groups[place]) for place in chosen]
    try:
        found = solve(total.variance[np.ix_(chosen, chosen)], difference, names=labels)
    except CollinearCovariates as fault:
        raise BadModel("some groups were never at risk beside the others. Test those that were, one by one.") from fault
    return LogrankTest(total=total, test=ChiSquare.of(float(found @ difference), int(chosen.size)))


def _block_of_rows(
    times: NDArray[np.float64],
    events: NDArray[np.int64],
    entry: NDArray[np.float64] | None,
    arm: NDArray[Any],
    labels: tuple[Any, ...],
    rho: float,
) -> LogrankBlock:
    if (times <= 0).any():
        raise BadSurvivalData(
            f"times: {int((times <= 0).sum())} rows end at 0, when nobody has been at risk. Leave them out."
        )
    edges = distinct_edges(times, entry=entry)
    table = interval_table(times, events, edges=edges, entry=entry, groups=arm, labels=labels)
    return logrank_block_of_table(table, rho=rho)


def _summed(blocks: Sequence[LogrankBlock]) -> LogrankBlock:
    if not blocks or len({(block.groups, block.rho) for block in blocks}) != 1:
        raise BadModel("blocks are missing or differ in groups or rho; expected one of each site, alike.")
    return LogrankBlock(
        groups=blocks[0].groups,
        rho=blocks[0].rho,
        observed=np.asarray(sum(block.observed for block in blocks)),
        expected=np.asarray(sum(block.expected for block in blocks)),
        variance=np.asarray(sum(block.variance for block in blocks)),
    )
