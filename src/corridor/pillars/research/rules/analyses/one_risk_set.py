"""Cox regression with one risk set over all sites, on the public grid: exact for the coarsened times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from corridor.base.members import Members
from corridor.pillars.research.rules.analyses.arms import read_edges
from corridor.pillars.research.rules.analyses.base import (
    Answer,
    Blocks,
    CannotCompute,
    Caution,
    MalformedBlock,
    Precision,
    Request,
    Result,
    numbers_of,
)
from corridor.pillars.research.rules.analyses.blocks import flat, square
from corridor.pillars.research.rules.analyses.cox import MOST_ROUNDS, CoxBySite
from corridor.pillars.research.rules.analyses.risk_intervals import Followed, Leaving
from corridor.pillars.research.rules.analyses.time_tables import (
    block_of_edges,
    coarsest_edges,
    common_edges,
    first_on_time,
)
from corridor.pillars.research.rules.disclosure import Exposure, Likelihood, Policy
from corridor.pillars.research.rules.rows import FloatArray, Rows
from corridor.science.cox_intervals import CoxIntervalBlock, combine_cox_intervals, cox_interval_block
from corridor.science.cox_newton import newton_start, newton_step
from corridor.science.cox_results import cox_fit
from corridor.science.cox_rows import CoefficientsTooLarge

__all__ = ["CoxOneRiskSet"]

SUMS = ("risk", "tied")
"""Over those at risk in each interval, and over those of them with the event."""


class CoxOneRiskSet(CoxBySite):
    """Hazard ratios with one baseline hazard for all sites; exact for the coarsened times.

    Options: ``endpoint`` (without delayed entry), ``terms``, ``ties`` (efron or breslow), ``edges`` (days of the grid
    among which the sites choose; all of them if left out).

    Each site names the edges of the protocol's grid on which its sums may leave, then which of those of the site with
    the fewest, until all can use what the others named; then Newton's method from zero. Events count at the end of
    their interval. Those censored, once they are enough: differences of neighbouring sums are sums over those who left,
    and a model of those alone must keep the same guards as that of a whole site. Many terms, or rare ones, leave no
    interval.

    Notes
    -----
    Ties of times: Efron 1977, J Am Stat Assoc 72:557; Breslow 1974, Biometrics 30:89.
    """

    kind = "cox-unstratified"
    precision = Precision.COARSENED

    def read(self, members: Members) -> None:
        """Take the options."""
        self._read_model(members)
        self.robust, self.transform, self.concordance = False, None, False
        self.edges = read_edges(members, self.protocol)
        if self.endpoint is not None and self.endpoint.entry:
            members.fault("endpoint", "expected an endpoint without delayed entry; cox, stratified by site, takes one")

    def begin(self) -> Request:
        """Ask for the edges that each site may use."""
        return first_on_time(self.edges, number=1)

    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return the edges, or sums by interval over those at risk and over those with the event."""
        if self.endpoint is None or not len(rows):
            raise CannotCompute("no row of this site is in the population and has every value.")
        matrix = rows.matrix(self.terms)
        followed = Followed(rows.clock(self.endpoint), matrix, self.terms, rows.places)
        if request.step == "edges":
            edges = followed.own_edges(policy, among=request.parameters.get("among", ()))
            exposure = self._exposure_of(followed, followed.leaving(edges, policy), rows)
            return Answer(block_of_edges(edges, policy), exposure)
        leaving = followed.leaving(np.array(request.parameters["edges"]), policy)
        exposure = self._exposure_of(followed, leaving, rows)
        if policy.has("time-grid"):
            counted = {label: rows.those(group) for label, group in followed.counted(leaving).items()}
            exposure = replace(exposure, row_sets={**exposure.row_sets, **counted})
        beta = np.array(request.parameters["beta"])
        at_zero, model = self._sums(leaving, matrix, np.zeros(len(beta))), f"{self.kind}: " + "+".join(self.terms)
        alone = combine_cox_intervals([at_zero], np.zeros(len(beta)), ties=self._ties).loglik
        try:
            at_beta = self._sums(leaving, matrix, beta) if beta.any() else at_zero
        except CoefficientsTooLarge:
            unlikely = Likelihood(model, -math.inf, alone, parameters=len(beta))
            return Answer({}, replace(exposure, likelihood=unlikely))
        own = combine_cox_intervals([at_beta], beta, ties=self._ties).loglik
        likelihood = Likelihood(model, own, alone, parameters=len(beta))
        block: dict[str, list[Any]] = {
            "deaths": at_beta.deaths.tolist(),
            "death_sum": at_beta.death_sum.tolist(),
            "n": [float(len(rows)), float(leaving.events.sum())],
        }
        for name in SUMS:
            block[name] = getattr(at_beta, name).tolist()
            block[f"{name}_sum"] = getattr(at_beta, f"{name}_sum").ravel().tolist()
            block[f"{name}_products"] = flat(getattr(at_beta, f"{name}_products"))
        # Without the guard of time every row is a group by itself, and nothing is left to say about its share.
        is_guarded = beta.any() and policy.has("time-grid")
        shares = followed.largest_shares(leaving, np.exp(matrix @ beta)) if is_guarded else ()
        return Answer(block, replace(exposure, likelihood=likelihood, shares=shares))

    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Request | Result:
        """Ask for edges until all sites can use them, then for sums at the next coefficients, or return the fit."""
        named = [step for step in history if step[0].step == "edges"]
        request, blocks = named[-1]
        among = coarsest_edges(blocks)
        if among and len(named) == 1:
            return Request(len(history) + 1, "edges", {"among": among})
        edges = common_edges(blocks)
        if among and not _settled(request, edges, blocks):
            return Request(len(history) + 1, "edges", {"among": edges})
        state = newton_start(self.terms, limit=MOST_ROUNDS)
        rest = history[len(named) :]
        for _, sums in rest:
            pooled = [_sums_of_site(sums, site, len(self.terms), len(edges) - 1) for site in sums]
            state = newton_step(state, [combine_cox_intervals(pooled, state.beta, ties=self._ties)])
        if not state.converged:
            return Request(len(history) + 1, "sums", {"edges": edges, "beta": state.beta.tolist()})
        result = self._result(state, cox_fit(state), None, rest[0][1])
        warnings = (Caution.CURVE_CUT,) if among else ()
        return replace(result, values={**result.values, "edges": edges}, warnings=warnings)

    def _sums(self, leaving: Leaving, matrix: FloatArray, beta: FloatArray) -> CoxIntervalBlock:
        return cox_interval_block(leaving.times, leaving.events, matrix, beta, edges=leaving.edges)

    def _exposure_of(self, followed: Followed, leaving: Leaving, rows: Rows) -> Exposure:
        exposure = self._exposure(rows, followed.matrix, (), None, None)
        # How many have the event after the last edge is told by no sum.
        sets = {label: chosen for label, chosen in exposure.row_sets.items() if label != "events"}
        cells = {"rows": exposure.cells["rows"]}
        return replace(exposure, row_sets=sets, cells=cells, risk_table=followed.told(leaving))


def _settled(request: Request, edges: list[float], blocks: Blocks) -> bool:
    """Tell whether every site named just the edges that it was asked about."""
    asked = list(request.parameters.get("among", ()))
    return all(list(block["edges"]) == asked == edges for block in blocks.values())


def _sums_of_site(blocks: Blocks, site: str, width: int, intervals: int) -> CoxIntervalBlock:
    one, triangle = {site: blocks[site]}, width * (width + 1) // 2
    found: dict[str, Any] = {
        "deaths": numbers_of(one, "deaths", size=intervals)[site].astype(np.int64),
        "death_sum": numbers_of(one, "death_sum", size=width)[site],
    }
    found["death_weight"] = found["deaths"].astype(float)
    for name in SUMS:
        found[name] = numbers_of(one, name, size=intervals)[site]
        found[f"{name}_sum"] = numbers_of(one, f"{name}_sum", size=intervals * width)[site].reshape(intervals, width)
        rows = numbers_of(one, f"{name}_products", size=intervals * triangle)[site].reshape(intervals, triangle)
        found[f"{name}_products"] = square(rows, width)
    alive = found["risk"] > 0
    if (found["deaths"] < 0).any() or not alive[found["deaths"] > 0].all():
        raise MalformedBlock(site, "persons at risk where there are events")
    return CoxIntervalBlock(**{field.name: found[field.name] for field in fields(CoxIntervalBlock)})
