"""The checks that one answer must pass before it may leave a site; each cites what it prevents."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from corridor.pillars.research.rules.disclosure.exposure import (
    Design,
    Exposure,
    shares_of_products,
    shares_of_sums,
)
from corridor.pillars.research.rules.disclosure.policy import Policy
from corridor.pillars.research.rules.rows import count_persons

__all__ = ["Breach", "judge", "stands_alone"]


FITTED_SHARE = 0.75
"""The largest part of one person in a sum that is weighted by fitted hazards.

Above what honest fits need, below what singles out a row; whoever takes the whole sum for that person's part is
wrong by a third of it or more (docs/explanation/bounds.md).
"""


@dataclass(frozen=True)
class Breach:
    """Why an answer may not leave.

    Attributes
    ----------
    guard : str
        One of `policy.GUARDS`.
    subject : str
        What of the protocol is concerned: a term, a cell's label, a sum. Never a figure of the site.
    """

    guard: str
    subject: str


def judge(exposure: Exposure, policy: Policy) -> tuple[Breach, ...]:
    """Return everything that speaks against releasing an answer; nothing if it may leave.

    What depends on earlier answers (differencing, evaluations, budget) is judged by the ledger, not here.
    """
    found: list[Breach] = []
    for check in _CHECKS:
        found.extend(breach for breach in check(exposure, policy) if policy.has(breach.guard))
    return tuple(dict.fromkeys(found))


def _cells(exposure: Exposure, policy: Policy) -> Iterator[Breach]:
    """Refuse counts of 1 to k - 1 persons, and selections of rows of so few."""
    k = policy.smallest_cell
    for label, count in exposure.cells.items():
        if 0 < count < k:
            yield Breach("smallest-cell", label)
    for label, rows in exposure.row_sets.items():
        if 0 < count_persons(rows, exposure.places) < k:
            yield Breach("smallest-cell", label)


def _dominance(exposure: Exposure, policy: Policy) -> Iterator[Breach]:
    """Refuse sums of which one person makes more than 1/k: whoever knows the rest knows that person.

    Where a fit weights the rows by their hazards the bound is three quarters: at coefficients that a fit visits, rows
    at high risk rightly count more, and what no fit visits the guard `likelihood` refuses. The same sums at
    coefficients zero stand under 1/k.

    Source: the dominance rule of Hundepool et al. 2012, Statistical Disclosure Control, section 4.2, with n = 1.
    """
    for share in exposure.shares:
        most = FITTED_SHARE if share.is_fitted else 1 / policy.smallest_cell
        if share.largest > most:
            yield Breach("dominance", share.label)


def _designs(exposure: Exposure, policy: Policy) -> Iterator[Breach]:
    k = policy.smallest_cell
    for design in exposure.designs:
        yield from _degrees_of_freedom(design, policy)
        # All but 1 to k - 1 share one value: the column is a selector of the few others.
        for name, others in zip(design.names, design.minorities, strict=True):
            if 0 < others < k:
                yield Breach("minority", name)
        # The sum of a product of two 0/1 columns stands among the cross products, and tells all four combinations.
        for pair, least in design.overlaps:
            if 0 < least < k:
                yield Breach("minority", pair)
        for name, leverage in zip(design.names, design.column_leverage, strict=True):
            if leverage > 1 / k:
                yield Breach("leverage", name)
        if design.largest_leverage > 0.5:
            yield Breach("leverage", "+".join(design.names))


def _degrees_of_freedom(design: Design, policy: Policy) -> Iterator[Breach]:
    """Refuse models with nearly as many parameters as persons, which can be solved for their rows.

    All the answers that the limit of evaluations allows hold fewer numbers than there are values in the rows: the count
    of equations and unknowns decides for up to three parameters, where ten persons for each are few.
    """
    width = design.parameters
    least = width * policy.rows_per_parameter
    told = policy.evaluations * (1 + width + width * (width + 1) // 2)
    few_rows = design.persons < least or design.persons * width < told
    few_events = design.events is not None and design.events < max(least // 2, policy.smallest_cell)
    if few_rows or few_events:
        yield Breach("degrees-of-freedom", "+".join(design.names))


def _weights(exposure: Exposure, policy: Policy) -> Iterator[Breach]:
    """Refuse weights under which few rows make up the sums: n, Kish's effective n, the largest share."""
    weights = exposure.weights
    if weights is None:
        return
    k, total = policy.smallest_cell, float(weights.sum())
    if total <= 0 or len(weights) < k:
        yield Breach("weights", "n")
        return
    if total**2 / float((weights**2).sum()) < k:
        yield Breach("weights", "effective-n")
    if float(weights.max()) / total > 1 / k:
        yield Breach("weights", "largest-share")


def _events(exposure: Exposure, policy: Policy) -> Iterator[Breach]:
    """Refuse tests whose arms or strata have 1 to k - 1 events."""
    for label, events in exposure.events_by_group.items():
        if events < policy.smallest_cell:
            yield Breach("events", label)


def _time_grid(exposure: Exposure, policy: Policy) -> Iterator[Breach]:
    """Refuse times finer than the public grid, and intervals in which few persons leave.

    On single days most events stand alone; and a curve with numbers at risk gives back its rows. Source: Guyot, Ades,
    Ouwens and Welton 2012, BMC Medical Research Methodology 12:9.
    """
    table = exposure.time_table
    if table is None:
        return
    if len(table.edges) < 2:
        yield Breach("time-grid", "no interval has enough events in every arm")
    elif np.remainder(table.edges, policy.grid_days).any():
        yield Breach("time-grid", f"edges are no multiples of {policy.grid_days} days")
    for subject in table.unfit(policy.smallest_cell):
        yield Breach("time-grid", subject)


def stands_alone(design: Design, policy: Policy) -> bool:
    """Tell whether sums over the rows of `design`, of its columns and of their products, could be told by themselves.

    The guards of a model: degrees of freedom, minorities and overlaps of two columns, leverage, dominance.
    """
    if not len(design.matrix):
        return False
    same = np.ones(len(design.matrix))
    shares = shares_of_sums(design.names, design.matrix, design.places)
    shares += shares_of_products(design.names, design.matrix, same, design.places)
    return not judge(Exposure(cells={"rows": design.persons}, designs=(design,), shares=shares), policy)


def _risk_sets(exposure: Exposure, policy: Policy) -> Iterator[Breach]:
    """Refuse sums over those at risk whose neighbours single out fewer rows than a model of their own would need.

    Differences of neighbouring sums are sums over those who left between them; of one person, they are that person's
    row. Of a few, the products can be solved for the rows.
    """
    table = exposure.risk_table
    if table is None or not policy.has("time-grid"):
        return
    if len(table.edges) < 2:
        yield Breach("time-grid", "no interval has enough events for the terms of the model")
    elif np.remainder(table.edges, policy.grid_days).any():
        yield Breach("time-grid", f"edges are no multiples of {policy.grid_days} days")
    if table.events_after < policy.smallest_cell:
        yield Breach("time-grid", f"events after {table.edges[-1]:g}")
    for label, design in table.groups.items():
        if not stands_alone(design, policy):
            yield Breach("time-grid", label)


def _likelihood(exposure: Exposure, policy: Policy) -> Iterator[Breach]:
    """Refuse coefficients that no fit would visit.

    Large coefficients turn any column into a selector of single rows. On the way from zero to a maximum the
    likelihood of each site stays near or above that at zero; what falls more than p below it is a probe.
    """
    likelihood = exposure.likelihood
    if likelihood is None:
        return
    floor = likelihood.at_zero - likelihood.parameters
    if not likelihood.at_coefficients >= floor:
        yield Breach("likelihood", likelihood.model)


_CHECKS: tuple[Callable[[Exposure, Policy], Iterator[Breach]], ...] = (
    _cells,
    _dominance,
    _designs,
    _weights,
    _events,
    _time_grid,
    _risk_sets,
    _likelihood,
)
