"""The log-rank test stratified by site: exact, from each site's observed and expected events alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corridor.base.members import Members
from corridor.pillars.research.rules.analyses.arms import Arms, read_arms, read_endpoint
from corridor.pillars.research.rules.analyses.base import (
    Answer,
    Blocks,
    CannotCompute,
    Plan,
    Request,
    Result,
    counts_of,
    numbers_of,
)
from corridor.pillars.research.rules.analyses.blocks import flat, square
from corridor.pillars.research.rules.disclosure import Exposure, Policy, Share, shares_of_sums
from corridor.pillars.research.rules.rows import Clock, FloatArray, IntArray, Rows, SiteTable
from corridor.science.interval_tables import distinct_edges, interval_table
from corridor.science.logrank_tests import LogrankBlock, logrank_block, logrank_test

__all__ = ["RHO", "LogrankBySite", "described_test", "read_weights"]

RHO = {"equal": 0.0, "peto-peto": 1.0}
"""The power of survival by which each event counts, by the weights that a protocol names."""


def read_weights(members: Members) -> str:
    """Return the weights of the test that the member ``weights`` names: equal ones if left out."""
    return members.choice("weights", tuple(RHO), absent="equal")


class LogrankBySite(Plan):
    """Whether arms differ in their hazards, each site (and stratum) compared within itself; exact.

    Options: ``endpoint``, ``by`` (a flag or a category), ``strata`` (the same, optional), ``weights`` (equal, the
    log-rank test; peto-peto, in which an event counts as much as patients of its site and stratum were free of it
    before). No number tells of a single time: sums over all events leave, and no arm of a stratum has fewer events than
    the smallest cell.
    """

    kind = "logrank"

    def read(self, members: Members) -> None:
        """Take the options."""
        self.endpoint = read_endpoint(members, self.protocol)
        self.arms = read_arms(members, self.protocol)
        self.strata = read_arms(members, self.protocol, "strata", is_required=False)
        self.weights = read_weights(members)

    def begin(self) -> Request:
        """Ask for the sums; there is one round."""
        return Request(1, "sums")

    def rows(self, table: SiteTable) -> Rows:
        """Return the rows with an arm, a stratum and the endpoint."""
        return self.select(table, variables=(*self.arms.variables, *self.strata.variables), endpoint=self.endpoint)

    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return observed and expected events by arm, their variance, and the persons and events of each arm."""
        if self.endpoint is None or not len(rows):
            raise CannotCompute("no row of this site is in the population and has every value.")
        clock, arms, strata = rows.clock(self.endpoint), self.arms.of(rows), self.strata.of(rows)
        width = len(self.arms.labels)
        found = logrank_block(
            clock.times,
            clock.events,
            arms,
            rho=RHO[self.weights],
            entry=clock.entry,
            strata=strata,
            labels=tuple(range(width)),
        )
        persons = np.bincount(arms, minlength=width)
        events = np.bincount(arms, weights=clock.events, minlength=width).astype(int)
        block = {
            "observed": found.observed.tolist(),
            "expected": found.expected.tolist(),
            "variance": flat(found.variance),
            "n": persons.tolist(),
            "events": events.tolist(),
        }
        cells = {}
        for place, label in enumerate(self.arms.labels):
            cells[label] = rows.count(arms == place)
            cells[f"{label} (events)"] = rows.count((arms == place) & (clock.events == 1))
            cells[f"{label} (censored)"] = rows.count((arms == place) & (clock.events == 0))
        died = rows.those(clock.events == 1)
        sets = self.arms.sets(rows)
        with_event = {f"{label} (events)": inside & died for label, inside in sets.items()}
        exposure = Exposure(
            row_sets={"population": rows.selected, **sets, **with_event},
            cells=cells,
            shares=_shares(self.arms, _parts_of_rows(clock, strata, RHO[self.weights]), arms, rows.places),
            events_by_group=self._events(rows, clock, arms, strata),
        )
        return Answer(block, exposure)

    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Result:
        """Return the test over the sums of all sites."""
        _, blocks = history[0]
        labels, width = self.arms.labels, len(self.arms.labels)
        observed = numbers_of(blocks, "observed", size=width)
        expected = numbers_of(blocks, "expected", size=width)
        variance = numbers_of(blocks, "variance", size=width * (width + 1) // 2)
        test = logrank_test(
            [
                LogrankBlock(labels, RHO[self.weights], observed[site], expected[site], square(variance[site], width))
                for site in blocks
            ]
        )
        values = {
            **described_test(test.total, test.test.statistic, test.test.df, test.test.p),
            "n": counts_of(blocks, "n", size=width),
            "events": counts_of(blocks, "events", size=width),
        }
        return Result(self.precision, values)

    def _events(self, rows: Rows, clock: Clock, arms: NDArray[np.int64], strata: NDArray[np.int64]) -> dict[str, int]:
        """Return the persons with an event in each arm in each stratum that has rows of it."""
        found = {}
        for place, label in enumerate(self.arms.labels):
            for number, stratum in enumerate(self.strata.labels):
                inside = (arms == place) & (strata == number)
                if inside.any():
                    name = label if not self.strata.variable else f"{label} ({self.strata.variable}={stratum})"
                    found[name] = rows.count(inside & (clock.events == 1))
        return found


def described_test(total: LogrankBlock, statistic: float, df: int, p: float) -> dict[str, Any]:
    """Return a log-rank test as JSON values: observed and expected events of each arm, and the test."""
    return {
        "arms": [str(label) for label in total.groups],
        "observed": total.observed.tolist(),
        "expected": total.expected.tolist(),
        "variance": flat(total.variance),
        "test": {"statistic": statistic, "df": df, "p": p},
    }


def _shares(arms: Arms, parts: FloatArray, of_row: NDArray[np.int64], places: IntArray | None) -> tuple[Share, ...]:
    """Return the largest part of one person in the observed and in the expected events of each arm."""
    members = np.equal.outer(of_row, np.arange(len(arms.labels)))
    found: tuple[Share, ...] = ()
    for name, part in zip(("observed", "expected"), parts, strict=True):
        found += shares_of_sums(tuple(f"{label} ({name})" for label in arms.labels), part[:, None] * members, places)
    return found


def _parts_of_rows(clock: Clock, strata: NDArray[np.int64], rho: float) -> FloatArray:
    """Return each row's part in the observed and in the expected events, shape (2, rows), within its stratum."""
    parts = np.zeros((2, len(clock.times)))
    for stratum in np.unique(strata):
        inside = strata == stratum
        times, entry = clock.times[inside], None if clock.entry is None else clock.entry[inside]
        edges = distinct_edges(times, entry=entry)
        table = interval_table(times, clock.events[inside], edges=edges, entry=entry)
        at_risk, died = np.maximum(table.at_risk[:, 0], 1), table.events[0, :, 0]
        weight = np.concatenate(([1.0], np.cumprod(1.0 - died / at_risk)))[:-1] ** rho
        ends = np.searchsorted(edges, times)
        expected = np.concatenate(([0.0], np.cumsum(weight * died / at_risk)))
        begins = 0.0 if entry is None else expected[np.searchsorted(edges, np.maximum(entry, 0.0))]
        parts[0, inside] = weight[ends - 1] * clock.events[inside]
        parts[1, inside] = expected[ends] - begins
    return parts
