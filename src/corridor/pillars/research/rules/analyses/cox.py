"""Cox regression stratified by site: exact, and each site gives away sums over its own rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from corridor.base.members import Members
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
from corridor.pillars.research.rules.analyses.blocks import flat, square
from corridor.pillars.research.rules.disclosure import (
    Design,
    Exposure,
    Likelihood,
    Policy,
    Share,
    shares_of_products,
    shares_of_sums,
)
from corridor.pillars.research.rules.rows import FloatArray, Mask, Rows, SiteTable
from corridor.science.cox_newton import NewtonState, newton_start, newton_step
from corridor.science.cox_results import CoxFit, cox_fit
from corridor.science.cox_rows import CoxBlock, CoxRows

__all__ = ["CoxBySite", "selections"]

MOST_ROUNDS = 25


class CoxBySite(Plan):
    """Hazard ratios with a baseline hazard of its own for each site; exact.

    Options: ``endpoint``, ``terms``, ``ties`` (efron or breslow), ``robust`` (errors by row), in rounds of Newton's
    method from zero.
    """

    kind = "cox"

    def read(self, members: Members) -> None:
        """Take the options."""
        name = members.text("endpoint")
        self.endpoint = self.protocol.endpoint(name)
        if name and self.endpoint is None:
            members.fault("endpoint", "expected the name of an endpoint")
        self.terms = read_terms(members, self.protocol)
        self.ties = members.choice("ties", ("efron", "breslow"), absent="efron")
        self.robust = members.has("robust") and members.flag("robust")

    def begin(self) -> Request:
        """Ask at zero."""
        return Request(1, "block", {"beta": [0.0] * len(self.terms)})

    def rows(self, table: SiteTable) -> Rows:
        """Return the rows with every term and the endpoint."""
        return self.select(table, terms=self.terms, endpoint=self.endpoint)

    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return log-likelihood, gradient and information at the coefficients; or the products of score residuals."""
        matrix, beta = rows.matrix(self.terms), np.array(request.parameters["beta"])
        cox = self._cox(rows, matrix)
        if request.step == "robust":
            residuals = cox.score_residuals(beta)
            block = {"products": flat(residuals.T @ residuals)}
            shares = _shares_of_squares(self.terms, residuals)
            return Answer(block, self._exposure(rows, matrix, shares, None))
        at_beta = cox.block(beta)
        at_zero = at_beta if not beta.any() else cox.block(np.zeros(len(beta)))
        likelihood = Likelihood(
            "cox: " + "+".join(self.terms), at_beta.loglik, at_zero.loglik, parameters=len(self.terms)
        )
        block = {
            "loglik": [at_beta.loglik],
            "gradient": at_beta.gradient.tolist(),
            "information": flat(at_beta.information),
            "n": [float(len(rows)), float(self._events(rows))],
        }
        shares = shares_of_products(self.terms, matrix, cox.expected_events(np.zeros(len(beta))))
        if beta.any():
            shares += shares_of_products(self.terms, matrix, cox.expected_events(beta), is_fitted=True)
        return Answer(block, self._exposure(rows, matrix, shares, likelihood))

    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Request | Result:
        """Return the next coefficients, the step to robust errors, or the fit."""
        state = newton_start(self.terms, limit=MOST_ROUNDS)
        for request, blocks in history:
            if request.step != "block":
                break
            state = newton_step(state, [_cox_block(blocks, site, len(self.terms)) for site in blocks])
        if not state.converged:
            return Request(len(history) + 1, "block", {"beta": state.beta.tolist()})
        last, answers = history[-1]
        if self.robust and last.step != "robust":
            return Request(len(history) + 1, "robust", {"beta": state.beta.tolist()})
        products = [square(each, len(self.terms)) for each in self._products(answers)] if self.robust else None
        return self._result(state, cox_fit(state, products=products), history)

    def _products(self, answers: Blocks) -> list[FloatArray]:
        width = len(self.terms)
        return list(numbers_of(answers, "products", size=width * (width + 1) // 2).values())

    def _result(self, state: NewtonState, fit: CoxFit, history: Sequence[tuple[Request, Blocks]]) -> Result:
        sizes = numbers_of(history[0][1], "n", size=2)
        values: dict[str, Any] = {
            "terms": list(self.terms),
            "coef": fit.coef.tolist(),
            "se": fit.se.tolist(),
            "z": fit.z.tolist(),
            "p": fit.p.tolist(),
            "hr": fit.hr.tolist(),
            "hr_low": fit.hr_low.tolist(),
            "hr_high": fit.hr_high.tolist(),
            "vcov": flat(fit.vcov),
            "loglik": fit.loglik,
            "loglik_null": fit.loglik_null,
            "tests": {
                name: {"statistic": test.statistic, "df": test.df, "p": test.p}
                for name, test in (
                    ("wald", fit.wald),
                    ("score", fit.score),
                    ("likelihood_ratio", fit.likelihood_ratio),
                )
            },
            "n": {site: int(size[0]) for site, size in sizes.items()},
            "events": {site: int(size[1]) for site, size in sizes.items()},
            "newton_rounds": state.rounds,
        }
        return Result(self.precision, values)

    def _cox(self, rows: Rows, matrix: FloatArray) -> CoxRows:
        if self.endpoint is None or not len(rows):
            raise CannotCompute("no row of this site is in the population and has every value.")
        clock = rows.clock(self.endpoint)
        return CoxRows(
            clock.times,
            clock.events,
            matrix,
            ties="breslow" if self.ties == "breslow" else "efron",
            entry=clock.entry,
        )

    def _events(self, rows: Rows) -> int:
        return 0 if self.endpoint is None else int(rows.clock(self.endpoint).events.sum())

    def _exposure(
        self, rows: Rows, matrix: FloatArray, shares: tuple[Share, ...], likelihood: Likelihood | None
    ) -> Exposure:
        events = self._events(rows)
        return Exposure(
            row_sets=selections(rows, self.terms),
            cells={"rows": len(rows), "events": events, "censored": len(rows) - events},
            shares=shares,
            designs=(Design(self.terms, matrix, parameters=len(self.terms), events=events),),
            likelihood=likelihood,
        )


def selections(rows: Rows, terms: Sequence[str]) -> dict[str, Mask]:
    """Return the sets of rows whose sums a model of `terms` tells: all of them, and those with 1 in a 0/1 column."""
    sets = {"population": rows.selected}
    for name in terms:
        column = rows.term(name)
        if np.isin(column, (0.0, 1.0)).all():
            chosen = rows.selected.copy()
            chosen[rows.selected] = column == 1.0
            sets[name] = chosen
    return sets


def _shares_of_squares(terms: Sequence[str], residuals: FloatArray) -> tuple[Share, ...]:
    return shares_of_sums(tuple(f"{name} (robust)" for name in terms), residuals**2)


def _cox_block(blocks: Blocks, site: str, width: int) -> CoxBlock:
    one = {site: blocks[site]}
    return CoxBlock(
        float(numbers_of(one, "loglik", size=1)[site][0]),
        numbers_of(one, "gradient", size=width)[site],
        square(numbers_of(one, "information", size=width * (width + 1) // 2)[site], width),
    )
