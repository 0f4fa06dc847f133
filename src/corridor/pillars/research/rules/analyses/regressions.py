"""Logistic, Poisson and linear models over sites, each site with an intercept of its own; exact."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from corridor.base.members import Members
from corridor.pillars.research.rules.analyses.arms import read_endpoint
from corridor.pillars.research.rules.analyses.base import (
    Answer,
    Blocks,
    CannotCompute,
    Plan,
    Request,
    Result,
    numbers_of,
    read_terms,
)
from corridor.pillars.research.rules.analyses.blocks import flat
from corridor.pillars.research.rules.analyses.confounding import described_e_value
from corridor.pillars.research.rules.analyses.cox import selections
from corridor.pillars.research.rules.analyses.site_models import SiteModel
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.protocol.document import VariableType
from corridor.pillars.research.rules.rows import FloatArray, Mask, Rows, SiteTable
from corridor.science.e_values import risk_ratio_of_odds
from corridor.science.generalised_models import Family, ModelRows, model_fit

__all__ = ["Linear", "Logistic", "Poisson"]

DAYS_PER_YEAR = 365.25


class _Regression(Plan):
    """What the three have in common: a round of sums to begin from, then rounds of Newton's method."""

    family: ClassVar[Family]

    def read(self, members: Members) -> None:
        """Take ``terms`` and the response."""
        self.terms = read_terms(members, self.protocol)
        self._read_response(members)
        sites = tuple(site.id for site in self.protocol.sites)
        self.model = SiteModel(self.family, self.terms, sites)

    @abstractmethod
    def _read_response(self, members: Members) -> None:
        """Take the option that names the response."""

    @abstractmethod
    def _response(self, rows: Rows) -> tuple[FloatArray, FloatArray | None]:
        """Return the response of each row, and the offset where the model has one."""

    def begin(self) -> Request:
        """Ask for the sums from which the fit begins."""
        return self.model.start_request(1)

    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return the first sums, or log-likelihood, gradient and information at the coefficients."""
        if not len(rows):
            raise CannotCompute("no row of this site is in the population and has every value.")
        response, offset = self._response(rows)
        sets, cells = selections(rows, self.terms), self._cells(rows, response)
        if self.family != "gaussian":
            _add_outcomes(sets, cells, rows, response > 0)
        if request.step == "start":
            return Answer(
                self.model.start_block(response, offset),
                self.model.start_exposure(response, offset, sets, cells, rows.places),
            )
        matrix = np.column_stack([np.ones(len(rows)), rows.matrix(self.terms)])
        variance = request.parameters["variance"][0]
        model = ModelRows(response, matrix, family=self.family, offset=offset, variance=variance)
        label = f"{self.kind}: " + "+".join(self.terms)
        return self.model.answer(
            request, model, site=rows.table.site, sets=sets, cells=cells, label=label, places=rows.places
        )

    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Request | Result:
        """Return the next coefficients, or the fit."""
        start = history[0][1]
        variance = self.model.variance(start)
        if not variance > 0:
            raise CannotCompute("the outcome is the same in all rows of all sites; there is nothing to explain.")
        state = self.model.state(start, history[1:])
        if not state.converged:
            return Request(len(history) + 1, "block", self.model.parameters(state, start))
        fit = model_fit(state, family=self.family, rows=self.model.rows(start), variance=variance)
        totals = numbers_of(start, "response", size=3)
        values: dict[str, Any] = {
            "terms": list(fit.names),
            "coef": fit.coef.tolist(),
            "se": fit.se.tolist(),
            "statistic": fit.statistic.tolist(),
            "p": fit.p.tolist(),
            "low": fit.low.tolist(),
            "high": fit.high.tolist(),
            "vcov": flat(fit.vcov),
            "loglik": fit.loglik,
            "loglik_null": fit.loglik_null,
            "n": {site: int(n[0]) for site, n in numbers_of(start, "n", size=1).items()},
            "newton_rounds": state.rounds,
        }
        if self.family == "gaussian":
            values["residual_variance"] = fit.residual_variance
        else:
            values["events"] = {site: int(total[0]) for site, total in totals.items()}
            with np.errstate(over="ignore"):
                ratios = {
                    name: np.exp(each).tolist()
                    for name, each in (("ratio", fit.coef), ("ratio_low", fit.low), ("ratio_high", fit.high))
                }
            values |= ratios
            if self.family == "binomial" and self.protocol.exposure in self.terms:
                place = fit.names.index(self.protocol.exposure)
                share = sum(values["events"].values()) / sum(values["n"].values())
                of_exposure = [each[place] for each in ratios.values()]
                values["e_value"] = described_e_value(self.protocol.exposure, of_exposure, risk_ratio_of_odds, share)
        return Result(self.precision, values)

    def _cells(self, rows: Rows, response: FloatArray) -> dict[str, int]:
        cells = {"rows": rows.count(np.ones(len(rows), dtype=bool))}
        if self.family == "binomial":
            cells |= {"with the outcome": rows.count(response > 0), "without it": rows.count(response == 0)}
        elif self.family == "poisson":
            cells["events"] = rows.count(response > 0)
        return cells


def _add_outcomes(sets: dict[str, Mask], cells: dict[str, int], rows: Rows, with_outcome: Mask) -> None:
    """Add whom the gradient counts: those with the outcome, among all and among those with 1 in each 0/1 column."""
    for name, inside in [(name, each[rows.selected]) for name, each in sets.items()]:
        sets[f"outcome: {name}"] = rows.those(inside & with_outcome)
        cells[f"outcome: {name}"] = rows.count(inside & with_outcome)
        cells[f"no outcome: {name}"] = rows.count(inside & ~with_outcome)


class Logistic(_Regression):
    """Odds ratios of a flag; exact.

    Options: ``outcome`` (a flag of the dictionary), ``terms``.
    """

    kind = "logistic"
    family = "binomial"

    def _read_response(self, members: Members) -> None:
        self.outcome = members.text("outcome")
        found = self.protocol.variable(self.outcome)
        if self.outcome and (found is None or found.type is not VariableType.FLAG):
            members.fault("outcome", "expected a flag of the dictionary")

    def rows(self, table: SiteTable) -> Rows:
        """Return the rows with every term and the outcome."""
        return self.select(table, terms=self.terms, variables=(self.outcome,))

    def _response(self, rows: Rows) -> tuple[FloatArray, FloatArray | None]:
        return rows.variable(self.outcome), None


class Poisson(_Regression):
    """Rate ratios of the events of an endpoint by year at risk; exact.

    Options: ``endpoint``, ``terms``. Time counts from entry where the endpoint has one.
    """

    kind = "poisson"
    family = "poisson"

    def _read_response(self, members: Members) -> None:
        self.endpoint = read_endpoint(members, self.protocol)

    def rows(self, table: SiteTable) -> Rows:
        """Return the rows with every term and the endpoint."""
        return self.select(table, terms=self.terms, endpoint=self.endpoint)

    def _response(self, rows: Rows) -> tuple[FloatArray, FloatArray | None]:
        if self.endpoint is None:
            raise CannotCompute("the protocol names no endpoint for this analysis.")
        clock = rows.clock(self.endpoint)
        start = 0.0 if clock.entry is None else np.maximum(clock.entry, 0.0)
        return clock.events, np.log((clock.times - start) / DAYS_PER_YEAR)


class Linear(_Regression):
    """Differences in a number; exact.

    Options: ``outcome`` (a number of the dictionary), ``terms``.
    """

    kind = "linear"
    family = "gaussian"

    def _read_response(self, members: Members) -> None:
        self.outcome = members.text("outcome")
        found = self.protocol.variable(self.outcome)
        if self.outcome and (found is None or found.type not in (VariableType.NUMBER, VariableType.WHOLE)):
            members.fault("outcome", "expected a number of the dictionary")

    def rows(self, table: SiteTable) -> Rows:
        """Return the rows with every term and the outcome."""
        return self.select(table, terms=self.terms, variables=(self.outcome,))

    def _response(self, rows: Rows) -> tuple[FloatArray, FloatArray | None]:
        return rows.variable(self.outcome), None
