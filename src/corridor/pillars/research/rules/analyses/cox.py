"""Cox regression stratified by site: exact, and each site gives away sums over its own rows alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

import numpy as np

from corridor.base.members import Members
from corridor.pillars.research.rules.analyses.arms import read_endpoint
from corridor.pillars.research.rules.analyses.base import (
    Answer,
    Blocks,
    CannotCompute,
    Caution,
    Plan,
    Request,
    Result,
    numbers_of,
    read_terms,
)
from corridor.pillars.research.rules.analyses.blocks import flat, square
from corridor.pillars.research.rules.analyses.confounding import described_e_value
from corridor.pillars.research.rules.disclosure import (
    Design,
    Exposure,
    Likelihood,
    Policy,
    Share,
    by_person,
    shares_of_products,
    shares_of_sums,
)
from corridor.pillars.research.rules.protocol.document import VariableType
from corridor.pillars.research.rules.rows import FloatArray, Mask, Rows, SiteTable
from corridor.science.concordances import ConcordanceBlock, concordance, concordance_block
from corridor.science.cox_newton import NewtonState, newton_start, newton_step
from corridor.science.cox_results import ChiSquare, CoxFit, cox_fit
from corridor.science.cox_rows import CoefficientsTooLarge, CoxBlock, CoxRows, Ties
from corridor.science.e_values import risk_ratio_of_hazards
from corridor.science.proportional_hazards import (
    HazardsBlock,
    HazardsTest,
    TimeTransform,
    hazards_block,
    hazards_test,
)

__all__ = ["CoxBySite", "pairs_of_rows", "selections"]

MOST_ROUNDS = 25
LEVEL = 0.05
"""Below this p value of the test of all hazards together a reader is warned."""

_Made = TypeVar("_Made")


class CoxBySite(Plan):
    """Hazard ratios with a baseline hazard of its own for each site; exact.

    Options: ``endpoint``, ``terms``, ``ties`` (efron or breslow), ``weights`` (a number of the dictionary, above 0, by
    which rows are weighted; errors are robust then), ``robust`` (errors clustered by person), ``proportional_hazards``
    (identity or log: test whether effects change with time or its logarithm), ``concordance`` (of pairs within each
    site). In rounds of Newton's method from zero, and one more for each of the last three.
    """

    kind = "cox"
    weighted_by = ""

    def read(self, members: Members) -> None:
        """Take the options."""
        self._read_model(members)
        self.robust = members.has("robust") and members.flag("robust")
        if members.has("weights"):
            self._read_weights(members)
        self.transform: TimeTransform | None = None
        if members.has("proportional_hazards"):
            chosen = members.choice("proportional_hazards", ("identity", "log"))
            self.transform = "log" if chosen == "log" else "identity"
        self.concordance = members.has("concordance") and members.flag("concordance")
        if self.concordance and self.endpoint is not None and self.endpoint.entry:
            members.fault("concordance", "expected false: pairs with delayed entry cannot be compared")

    def _read_weights(self, members: Members) -> None:
        """Take the variable that rows are weighted by; what is known of weighted fits alone is shown with it."""
        self.weighted_by, self.robust = members.text("weights"), True
        found = self.protocol.variable(self.weighted_by)
        if found is None or found.type not in (VariableType.NUMBER, VariableType.WHOLE):
            members.fault("weights", "expected a number of the dictionary")
        for option in ("proportional_hazards", "concordance"):
            if members.has(option):
                members.fault(option, "expected none beside weights: it is known for rows of equal weight")

    def _read_model(self, members: Members) -> None:
        self.terms = read_terms(members, self.protocol)
        self._read_clock(members)

    def _read_clock(self, members: Members) -> None:
        self.endpoint = read_endpoint(members, self.protocol)
        self.ties = members.choice("ties", ("efron", "breslow"), absent="efron")

    def begin(self) -> Request:
        """Ask at zero."""
        return Request(1, "block", {"beta": [0.0] * len(self.terms)})

    def rows(self, table: SiteTable) -> Rows:
        """Return the rows with every term and the endpoint."""
        weights = (self.weighted_by,) if self.weighted_by else ()
        return self.select(table, terms=self.terms, variables=weights, endpoint=self.endpoint)

    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return log-likelihood, gradient and information at the coefficients; or the products of score residuals."""
        return self._answer(request, rows, self._given_weights(rows))

    def _given_weights(self, rows: Rows) -> FloatArray | None:
        if not self.weighted_by:
            return None
        weights = rows.variable(self.weighted_by)
        if (weights <= 0).any():
            raise CannotCompute(f"rows of this site have a weight, {self.weighted_by}, that is not above 0.")
        return weights

    def _answer(self, request: Request, rows: Rows, weights: FloatArray | None) -> Answer:
        matrix, beta = rows.matrix(self.terms), np.array(request.parameters["beta"])
        cox = self._cox(rows, matrix, weights)
        if request.step == "robust":
            # Rows of one person are no independent observations: theirs are added up first.
            residuals = by_person(cox.score_residuals(beta), rows.places)
            block = {"products": flat(residuals.T @ residuals)}
            shares = shares_of_sums(tuple(f"{name} (robust)" for name in self.terms), residuals**2, None)
            return Answer(block, self._exposure(rows, matrix, shares, None, weights))
        if request.step == "concordance":
            return self._answer_on_pairs(rows, matrix, beta, weights)
        if request.step == "hazards":
            return self._answer_on_hazards(rows, matrix, cox, beta, weights)
        zero, model = np.zeros(len(beta)), f"{self.kind}: " + "+".join(self.terms)
        at_zero = _once(rows, weights, "block at zero", lambda: cox.block(zero))
        try:
            at_beta = cox.block(beta) if beta.any() else at_zero
        except CoefficientsTooLarge:
            # An error of its own would tell how large the largest predictor is: to the partner it is no fit's path.
            unlikely = Likelihood(model, -math.inf, at_zero.loglik, parameters=len(self.terms))
            return Answer({}, self._exposure(rows, matrix, (), unlikely, weights))
        likelihood = Likelihood(model, at_beta.loglik, at_zero.loglik, parameters=len(self.terms))
        block = {
            "loglik": [at_beta.loglik],
            "gradient": at_beta.gradient.tolist(),
            "information": flat(at_beta.information),
            "n": [float(len(rows)), float(self._events(rows))],
        }
        shares = _once(
            rows,
            weights,
            "shares at zero",
            lambda: shares_of_products(self.terms, matrix, cox.expected_events(zero), rows.places),
        )
        if beta.any():
            shares += shares_of_products(self.terms, matrix, cox.expected_events(beta), rows.places, is_fitted=True)
        return Answer(block, self._exposure(rows, matrix, shares, likelihood, weights))

    def _answer_on_hazards(
        self, rows: Rows, matrix: FloatArray, cox: CoxRows, beta: FloatArray, own: FloatArray | None
    ) -> Answer:
        """Return the sums of the test of proportional hazards at the maximum."""
        found = hazards_block(cox, beta, transform=self.transform or "identity")
        block = {
            "gradient": found.gradient.tolist(),
            "timed_gradient": found.timed_gradient.tolist(),
            "information": flat(found.information),
            "timed_information": flat(found.timed_information),
            "squared_information": flat(found.squared_information),
        }
        times = np.log(cox.event_times) if self.transform == "log" else cox.event_times
        shares: tuple[Share, ...] = ()
        for power in (0, 1, 2):
            # A row has no larger part in the sums with time than with the size of its time.
            weights = cox.expected_events(beta, scale=np.abs(times) ** power)
            labels = tuple(f"{name} (time^{power})" if power else name for name in self.terms)
            shares += shares_of_products(labels, matrix, weights, rows.places, is_fitted=True)
        return Answer(block, self._exposure(rows, matrix, shares, None, own))

    def _answer_on_pairs(self, rows: Rows, matrix: FloatArray, beta: FloatArray, weights: FloatArray | None) -> Answer:
        """Return the counts of pairs of this site's rows, ordered by the fit as by their times or against them."""
        if self.endpoint is None:
            raise CannotCompute("the protocol names no endpoint for this analysis.")
        clock = rows.clock(self.endpoint)
        found = asdict(concordance_block(clock.times, clock.events, matrix @ beta))
        names = ("pairs", "pairs x pairs")
        pairs = pairs_of_rows(clock.times, clock.events)
        shares = shares_of_sums(names, np.column_stack([pairs, pairs**2]), rows.places)
        block = {name: [float(number)] for name, number in found.items()}
        return Answer(block, self._exposure(rows, matrix, shares, None, weights))

    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Request | Result:
        """Return the next coefficients, what is asked at the maximum, or the fit."""
        state = newton_start(self.terms, limit=MOST_ROUNDS)
        at_maximum = {request.step: blocks for request, blocks in history if request.step != "block"}
        for request, blocks in history:
            if request.step == "block":
                state = newton_step(state, [_cox_block(blocks, site, len(self.terms)) for site in blocks])
        beta = {"beta": state.beta.tolist()}
        if not state.converged:
            return Request(len(history) + 1, "block", beta)
        wanted = {"robust": self.robust, "hazards": self.transform is not None, "concordance": self.concordance}
        for step, is_wanted in wanted.items():
            if is_wanted and step not in at_maximum:
                return Request(len(history) + 1, step, beta)
        fit = cox_fit(state, products=self._products(at_maximum["robust"]) if self.robust else None)
        hazards = self._hazards_test(at_maximum["hazards"]) if self.transform is not None else None
        result = self._result(state, fit, hazards, history[0][1])
        if self.concordance:
            return replace(result, values={**result.values, "concordance": _concordance(at_maximum["concordance"])})
        return result

    def _products(self, answers: Blocks) -> list[FloatArray]:
        width = len(self.terms)
        products = numbers_of(answers, "products", size=width * (width + 1) // 2)
        return [square(each, width) for each in products.values()]

    def _hazards_test(self, answers: Blocks) -> HazardsTest:
        width = len(self.terms)
        blocks = []
        for site in answers:
            one = {site: answers[site]}
            gradients = [numbers_of(one, name, size=width)[site] for name in ("gradient", "timed_gradient")]
            matrices = [
                square(numbers_of(one, name, size=width * (width + 1) // 2)[site], width)
                for name in ("information", "timed_information", "squared_information")
            ]
            blocks.append(HazardsBlock(self.transform or "identity", *gradients, *matrices))
        return hazards_test(blocks, names=self.terms)

    def _result(self, state: NewtonState, fit: CoxFit, hazards: HazardsTest | None, first: Blocks) -> Result:
        sizes = numbers_of(first, "n", size=2)
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
                name: _described(test)
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
        if self.protocol.exposure in self.terms:
            place = self.terms.index(self.protocol.exposure)
            ratios = [float(each[place]) for each in (fit.hr, fit.hr_low, fit.hr_high)]
            share = sum(values["events"].values()) / sum(values["n"].values())
            values["e_value"] = described_e_value(self.protocol.exposure, ratios, risk_ratio_of_hazards, share)
        warnings = []
        if hazards is not None:
            values["proportional_hazards"] = {
                "transform": hazards.transform,
                "terms": [_described(test) for test in hazards.covariates],
                "together": _described(hazards.together),
            }
            if hazards.together.p < LEVEL:
                warnings.append(Caution.HAZARDS_NOT_PROPORTIONAL)
        return Result(self.precision, values, warnings=tuple(warnings))

    def _cox(self, rows: Rows, matrix: FloatArray, weights: FloatArray | None) -> CoxRows:
        if self.endpoint is None or not len(rows):
            raise CannotCompute("no row of this site is in the population and has every value.")
        clock = rows.clock(self.endpoint)
        return _once(
            rows,
            weights,
            "sorted rows",
            lambda: CoxRows(
                clock.times,
                clock.events,
                matrix,
                ties=self._ties,
                weights=weights,
                entry=clock.entry,
            ),
        )

    @property
    def _ties(self) -> Ties:
        return "breslow" if self.ties == "breslow" else "efron"

    def _events(self, rows: Rows) -> int:
        return 0 if self.endpoint is None else int(rows.clock(self.endpoint).events.sum())

    def _with_event(self, rows: Rows) -> Mask:
        """Return the rows whose event counts: the number of events is a sum over them."""
        chosen = rows.selected.copy()
        if self.endpoint is not None:
            chosen[rows.selected] = rows.clock(self.endpoint).events == 1
        return chosen

    def _exposure(
        self,
        rows: Rows,
        matrix: FloatArray,
        shares: tuple[Share, ...],
        likelihood: Likelihood | None,
        weights: FloatArray | None,
    ) -> Exposure:
        died = self._with_event(rows)[rows.selected]
        cells = {"rows": np.ones_like(died), "events": died, "censored": ~died}
        counts = {label: rows.count(chosen) for label, chosen in cells.items()}
        return Exposure(
            row_sets={
                **selections(rows, self.terms),
                **self._selections_by_weight(rows),
                "events": self._with_event(rows),
            },
            cells=counts,
            shares=shares,
            designs=(rows.once("design", lambda: self._design(rows, matrix, counts["events"])),),
            weights=None if weights is None else by_person(weights, rows.places),
            likelihood=likelihood,
        )

    def _selections_by_weight(self, rows: Rows) -> dict[str, Mask]:
        """Return the rows of either weight, where two weights divide the rows as a flag does."""
        if not self.weighted_by:
            return {}
        weights = rows.variable(self.weighted_by)
        values = np.unique(weights)
        if len(values) != 2:
            return {}
        return {f"{self.weighted_by} = {value:g}": rows.those(weights == value) for value in values.tolist()}

    def _design(self, rows: Rows, matrix: FloatArray, events: int) -> Design:
        names = self.terms
        if self.weighted_by:
            # Beside the same fit without weights, the weights are one more column: of few, they would tell of few.
            matrix = np.column_stack([matrix, rows.variable(self.weighted_by)])
            names = (*names, f"weights by {self.weighted_by}")
        return Design(names, matrix, parameters=len(self.terms), events=events, places=rows.places)


def _once(rows: Rows, weights: FloatArray | None, key: str, make: Callable[[], _Made]) -> _Made:
    """Return what `make` gives: the same in every round unless rows are weighted, whose weights come with a request."""
    return rows.once(key, make) if weights is None else make()


def pairs_of_rows(times: FloatArray, events: FloatArray) -> FloatArray:
    """Return in how many comparable pairs each row is, shape (rows,)."""
    died = np.sort(times[events == 1])
    everyone = np.sort(times)
    as_survivor = np.searchsorted(died, times, side="left").astype(float)
    # One censored on the day of an event outlives it.
    as_survivor[events == 0] = np.searchsorted(died, times[events == 0], side="right")
    tied = np.searchsorted(died, times, side="right") - np.searchsorted(died, times, side="left")
    later = len(times) - np.searchsorted(everyone, times, side="left") - tied
    return as_survivor + np.where(events == 1, later, 0)


def _concordance(blocks: Blocks) -> dict[str, float]:
    numbers = {name: numbers_of(blocks, name, size=1) for name in ConcordanceBlock.__dataclass_fields__}
    of_sites: list[dict[str, Any]] = [{name: float(each[site][0]) for name, each in numbers.items()} for site in blocks]
    found = concordance([ConcordanceBlock(**one) for one in of_sites])
    return {"value": found.value, "se": found.se, "low": found.low, "high": found.high}


def _described(test: ChiSquare) -> dict[str, Any]:
    return {"statistic": test.statistic, "df": test.df, "p": test.p}


def selections(rows: Rows, terms: Sequence[str]) -> dict[str, Mask]:
    """Return the sets of rows whose sums a model of `terms` tells: all of them, and those with 1 in a 0/1 column."""
    return dict(rows.once(("selections", *terms), lambda: _selections(rows, terms)))


def _selections(rows: Rows, terms: Sequence[str]) -> dict[str, Mask]:
    sets = {"population": rows.selected}
    for name in terms:
        column = rows.term(name)
        if np.isin(column, (0.0, 1.0)).all():
            sets[name] = rows.those(column == 1.0)
    return sets


def _cox_block(blocks: Blocks, site: str, width: int) -> CoxBlock:
    one = {site: blocks[site]}
    return CoxBlock(
        float(numbers_of(one, "loglik", size=1)[site][0]),
        numbers_of(one, "gradient", size=width)[site],
        square(numbers_of(one, "information", size=width * (width + 1) // 2)[site], width),
    )
