"""Concordance of all pairs over sites: how well the score of a Cox model orders the patients of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from corridor.base.members import Members
from corridor.pillars.research.rules.analyses.arms import read_edges
from corridor.pillars.research.rules.analyses.base import (
    Answer,
    Blocks,
    CannotCompute,
    Caution,
    Precision,
    Request,
    Result,
    numbers_of,
    sum_of,
)
from corridor.pillars.research.rules.analyses.cox import CoxBySite
from corridor.pillars.research.rules.analyses.time_tables import (
    Timed,
    answer_on_time,
    first_on_time,
    next_on_time,
    tables_by_site,
)
from corridor.pillars.research.rules.disclosure import Exposure, Policy, shares_of_sums
from corridor.pillars.research.rules.rows import FloatArray, Rows
from corridor.science.concordances import concordance, concordance_block_of_table
from corridor.science.interval_tables import combine_tables

__all__ = ["ConcordanceOfAll"]

FEWEST_BINS, MOST_BINS = 2, 10
USUAL_BINS = 4
AFTER_THE_FIT = ("scores", "edges", "table")


class ConcordanceOfAll(CoxBySite):
    """The share of pairs, of one site or of two, whose order a Cox model stratified by site foretells; coarsened.

    Options: ``endpoint`` (without delayed entry), ``terms``, ``ties``, ``bins`` of the score (2 to 10; 4 if left out),
    ``edges`` (days of the grid among which the sites choose; all of them if left out).

    The fit is that of ``cox``. Then each site gives the sum and the sum of squares of its patients' scores, whose mean
    and deviation over all sites lay bins that would hold equal shares of normal scores; then events and censored are
    counted by bin and interval of time, as for curves by arm. Pairs within one interval and bin count as tied.
    """

    kind = "concordance"
    precision = Precision.COARSENED

    def read(self, members: Members) -> None:
        """Take the options."""
        self._read_model(members)
        self.robust, self.transform, self.concordance = False, None, False
        if self.endpoint is not None and self.endpoint.entry:
            members.fault("endpoint", "expected an endpoint without delayed entry: such pairs cannot be compared")
        self.edges = read_edges(members, self.protocol)
        self.bins = USUAL_BINS
        if members.has("bins"):
            self.bins = members.whole("bins", least=FEWEST_BINS, most=MOST_BINS, fallback=USUAL_BINS)

    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return what a step of the fit asks; sums of scores; edges, or counts by interval and bin."""
        if request.step not in AFTER_THE_FIT:
            return super().answer(request, rows, policy)
        if self.endpoint is None or not len(rows):
            raise CannotCompute("no row of this site is in the population and has every value.")
        scores = rows.matrix(self.terms) @ np.array(request.parameters["beta"])
        if request.step == "scores":
            sums = np.column_stack([scores, scores**2])
            block = {"n": [float(len(rows))], "scores": sums.sum(axis=0).tolist()}
            shares = shares_of_sums(("score", "score x score"), sums, rows.places)
            return Answer(block, Exposure(row_sets={"population": rows.selected}, shares=shares))
        bins = np.searchsorted(np.array(request.parameters["limits"]), scores, side="right").astype(np.int64)
        timed = Timed(rows.clock(self.endpoint), bins, self.labels, 1)
        sets = {f"score {label}": rows.those(bins == place) for place, label in enumerate(self.labels)}
        return answer_on_time(request, timed, rows, policy, {"population": rows.selected, **sets})

    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Request | Result:
        """Fit, then ask for scores, for edges and for counts, then return the concordance."""
        fitting = [step for step in history if step[0].step not in AFTER_THE_FIT]
        fit = super().proceed(fitting)
        if isinstance(fit, Request):
            return fit
        beta, number = {"beta": fit.values["coef"]}, len(history) + 1
        rest = history[len(fitting) :]
        if not rest:
            return Request(number, "scores", beta)
        limits = self._limits(rest[0][1])
        timed = rest[1:]
        following = next_on_time(timed, number=number) if timed else first_on_time(self.edges, number=number)
        if following is not None:
            return Request(number, following.step, {**following.parameters, **beta, "limits": limits})
        request, blocks = rest[-1]
        sites = tables_by_site(blocks, request.parameters["edges"], self.labels, causes=1)
        table = combine_tables(list(sites.values()))
        found = concordance([concordance_block_of_table(table)])
        values: dict[str, Any] = {
            "terms": list(self.terms),
            "coef": fit.values["coef"],
            "concordance": {"value": found.value, "se": found.se, "low": found.low, "high": found.high},
            "limits": limits,
            "edges": table.edges.tolist(),
            "entered": table.entered.sum(axis=0).tolist(),
            "events": table.events[0].sum(axis=0).tolist(),
            "n": fit.values["n"],
        }
        cautions = (Caution.CURVE_CUT,) if table.remaining.sum() > 0 else ()
        return Result(self.precision, values, warnings=cautions)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the bins, lowest scores first."""
        return tuple(str(number) for number in range(1, self.bins + 1))

    def _limits(self, blocks: Blocks) -> list[float]:
        n = sum(float(each[0]) for each in numbers_of(blocks, "n", size=1).values())
        total, squares = sum_of(blocks, "scores", size=2)
        mean = total / n
        spread = float(np.sqrt(max(squares / n - mean**2, 0.0)))
        if not spread > 0:
            raise CannotCompute("the model gives every patient the same score; there is nothing to order.")
        inner: FloatArray = special.ndtri(np.arange(1, self.bins) / self.bins)
        return [float(mean + spread * each) for each in inner]
