"""Kaplan-Meier curves and what follows from them, on the public grid: exact for the coarsened times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from corridor.base.members import Members
from corridor.pillars.research.rules.analyses.arms import read_arms, read_edges, read_endpoint
from corridor.pillars.research.rules.analyses.base import (
    Answer,
    Blocks,
    CannotCompute,
    Caution,
    Plan,
    Precision,
    Request,
    Result,
)
from corridor.pillars.research.rules.analyses.logrank import RHO, described_test, read_weights
from corridor.pillars.research.rules.analyses.quantiles import QUARTERS
from corridor.pillars.research.rules.analyses.time_tables import (
    Timed,
    answer_on_time,
    first_on_time,
    next_on_time,
    tables_by_site,
)
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.rows import FloatArray, Rows, SiteTable
from corridor.science.interval_tables import IntervalTable, combine_tables
from corridor.science.logrank_tests import logrank_block_of_table, logrank_test
from corridor.science.survival_curves import Estimate, SurvivalCurve, cumulative_incidence, kaplan_meier

__all__ = ["KaplanMeier"]


class KaplanMeier(Plan):
    """Curves with numbers at risk, quantiles, restricted means, the log-rank test and cumulative incidence.

    Options: ``endpoint``, ``by`` (a flag or a category, optional), ``scale`` of the limits (log or log-log), ``shares``
    whose quantiles are given (the quarters if left out), ``tau`` (days up to which means are taken, optional),
    ``weights`` of the test (those of ``logrank``), ``by_site`` (the curves of each site too; its counts cross anyway),
    ``edges`` (days of the grid among which the sites choose; all of them if left out).

    Three rounds: each site names the edges of the protocol's grid on which its counts may leave, then which of those of
    the site with the fewest, and then all count on the edges that they have in common. Events count at the end of their
    interval, as if times were rounded up to it; those censored, where k of an arm are. With a competing event, survival
    is freedom of both, and incidence is given for each.
    """

    kind = "kaplan-meier"
    counts_alone = True
    precision = Precision.COARSENED

    def read(self, members: Members) -> None:
        """Take the options."""
        self.endpoint = read_endpoint(members, self.protocol)
        self.arms = read_arms(members, self.protocol, is_required=False)
        self.is_log_log = members.choice("scale", ("log", "log-log"), absent="log") == "log-log"
        given = members.numbers("shares", least=0.01, most=0.99) if members.has("shares") else []
        self.shares = tuple(given) or QUARTERS
        self.tau = members.number("tau", least=1, most=100_000) if members.has("tau") else 0.0
        self.weights = read_weights(members)
        self.edges = read_edges(members, self.protocol)
        self.shows_sites = members.has("by_site") and members.flag("by_site")

    def begin(self) -> Request:
        """Ask for the edges that each site may use."""
        return first_on_time(self.edges, number=1)

    def rows(self, table: SiteTable) -> Rows:
        """Return the rows with an arm and the endpoint."""
        return self.select(table, variables=self.arms.variables, endpoint=self.endpoint)

    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return the edges, or the counts on common edges."""
        if self.endpoint is None or not len(rows):
            raise CannotCompute("no row of this site is in the population and has every value.")
        timed = Timed(rows.clock(self.endpoint), self.arms.of(rows), self.arms.labels, self._causes)
        return answer_on_time(request, timed, rows, policy, {"population": rows.selected, **self.arms.sets(rows)})

    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Request | Result:
        """Ask for counts on the common edges, then return the curves."""
        following = next_on_time(history, number=len(history) + 1)
        if following is not None:
            return following
        request, blocks = history[-1]
        sites = tables_by_site(blocks, request.parameters["edges"], self.arms.labels, causes=self._causes)
        table = combine_tables(list(sites.values()))
        values: dict[str, Any] = {
            "edges": table.edges.tolist(),
            "arms": self._arms(table),
            "sites": {site: _at_start(blocks, site, self.arms.labels) for site in blocks},
        }
        if self.shows_sites:
            values["by_site"] = {site: {"arms": self._arms(one)} for site, one in sites.items()}
        cautions = []
        if table.remaining.sum() > 0:
            cautions.append(Caution.CURVE_CUT)
        if self.tau and any(arm["restricted_mean"] is None for arm in values["arms"].values()):
            cautions.append(Caution.MEAN_BEYOND_CURVE)
        if len(self._present(table)) > 1:
            values["logrank"] = _logrank(table, self.weights)
        return Result(self.precision, values, warnings=tuple(cautions))

    @property
    def _causes(self) -> int:
        return 2 if self.endpoint is not None and self.endpoint.competing else 1

    def _arms(self, table: IntervalTable) -> dict[str, Any]:
        return {label: self._described(table, label) for label in self._present(table)}

    @staticmethod
    def _present(table: IntervalTable) -> list[str]:
        return [label for label, count in zip(table.groups, table.entered.sum(axis=0), strict=True) if count]

    def _described(self, table: IntervalTable, arm: str) -> dict[str, Any]:
        curve = kaplan_meier(table, group=arm, scale="log-log" if self.is_log_log else "log")
        described = {
            "times": curve.times.tolist(),
            "at_risk": curve.at_risk.tolist(),
            "events": curve.events.tolist(),
            "censored": curve.censored.tolist(),
            "survival": curve.survival.tolist(),
            "se": _listed(curve.se),
            "low": _listed(curve.low),
            "high": _listed(curve.high),
            "quantiles": [{"share": share, **_estimate(curve.quantile(share))} for share in self.shares],
        }
        if self.tau:
            described["restricted_mean"] = self._restricted_mean(curve)
        if self._causes > 1:
            described["incidence"] = {
                name: self._incidence(table, arm, cause) for cause, name in ((1, "event"), (2, "competing"))
            }
        return described

    def _restricted_mean(self, curve: SurvivalCurve) -> dict[str, Any] | None:
        if self.tau > curve.times[-1]:
            return None
        return {"tau": self.tau, **_estimate(curve.restricted_mean(self.tau))}

    def _incidence(self, table: IntervalTable, arm: str, cause: int) -> dict[str, Any]:
        curve = cumulative_incidence(table, cause=cause, group=arm)
        return {name: _listed(getattr(curve, name)) for name in ("incidence", "se", "low", "high")}


def _logrank(table: IntervalTable, weights: str) -> dict[str, Any]:
    """Return the test of the hazards of the event; who has the competing event leaves like one censored."""
    of_event = replace(table, events=table.events[:1], censored=table.censored + table.events[1:].sum(axis=0))
    found = logrank_test([logrank_block_of_table(of_event, rho=RHO[weights])])
    return described_test(found.total, found.test.statistic, found.test.df, found.test.p)


def _at_start(blocks: Blocks, site: str, labels: Sequence[str]) -> dict[str, int]:
    """Return how many persons of each arm are there in the first interval of a site."""
    return {label: int(count or 0) for label, count in zip(labels, blocks[site]["entered"], strict=False)}


def _estimate(found: Estimate) -> dict[str, float | None]:
    numbers = {"value": found.value, "low": found.low, "high": found.high}
    if found.se is not None:
        numbers["se"] = found.se
    return {name: float(value) if np.isfinite(value) else None for name, value in numbers.items()}


def _listed(values: FloatArray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
