"""A generalised linear model over sites, step by step: each site has an intercept of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from corridor.pillars.research.rules.analyses.base import (
    Answer,
    Block,
    Blocks,
    CannotCompute,
    MalformedBlock,
    Request,
    numbers_of,
    sum_of,
)
from corridor.pillars.research.rules.analyses.blocks import flat, square
from corridor.pillars.research.rules.disclosure import (
    Design,
    Exposure,
    Likelihood,
    Share,
    shares_of_products,
    shares_of_sums,
)
from corridor.pillars.research.rules.rows import FloatArray, IntArray, Mask
from corridor.science.cox_newton import MonotoneLikelihood, NewtonState, newton_start, newton_step
from corridor.science.cox_rows import CoefficientsTooLarge, CoxBlock
from corridor.science.generalised_models import Family, ModelRows

__all__ = ["SiteModel"]

INTERCEPT = "(intercept)"
MOST_ROUNDS = 25
SETTLED_BY = 6
"""From this round on, steps of a fit that has a maximum become shorter fast."""
MOST_STEPS, LONGEST_STEP, SMALL_STEP = 50, 5.0, 1e-6
"""Of the search for a site's own intercept."""
LASTING = 0.7
LONG = 0.5
"""The least length of a step, in standard errors of the first round, that is told to go on without end."""


@dataclass(frozen=True)
class SiteModel:
    """The model: intercept, terms, and what each site but the first adds to the intercept.

    A site gives away sums over its own intercept and the terms; where they stand among all coefficients follows from
    its name. The fit begins where everybody has the mean of all sites, so that no first step is a leap.

    Attributes
    ----------
    sites : tuple of str
        The first one is the reference.
    """

    family: Family
    terms: tuple[str, ...]
    sites: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all coefficients."""
        return (INTERCEPT, *self.terms, *(f"site:{site}" for site in self.sites[1:]))

    def own(self, beta: Sequence[float], site: str) -> FloatArray:
        """Return a site's intercept and the coefficients of the terms."""
        values = np.array(beta, dtype=float)
        place = self._place(site)
        own = values[: 1 + len(self.terms)].copy()
        if place:
            own[0] += values[place]
        return own

    def start_request(self, number: int) -> Request:
        """Ask for the sums from which the fit begins."""
        return Request(number, "start")

    def start_block(self, response: FloatArray, offset: FloatArray | None) -> Block:
        """Return rows, sum of the response, of its squares, and of time at risk."""
        at_risk = float(len(response)) if offset is None else float(np.exp(offset).sum())
        return {"n": [len(response)], "response": [float(response.sum()), float((response**2).sum()), at_risk]}

    def start_exposure(
        self,
        response: FloatArray,
        offset: FloatArray | None,
        sets: dict[str, Mask],
        cells: dict[str, int],
        places: IntArray | None,
    ) -> Exposure:
        """Return what `start_block` tells."""
        columns = [response, response**2] + ([] if offset is None else [np.exp(offset)])
        names = ("response", "response x response", "time at risk")[: len(columns)]
        return Exposure(row_sets=sets, cells=cells, shares=shares_of_sums(names, np.column_stack(columns), places))

    def variance(self, start: Blocks) -> float:
        """Return the variance of the response over all sites, in whose units a gaussian likelihood is told."""
        rows, (total, squares, _) = self.rows(start), sum_of(start, "response", size=3)
        return float(squares - total**2 / rows) / max(rows - 1, 1) if self.family == "gaussian" else 1.0

    def rows(self, start: Blocks) -> int:
        """Return the rows of all sites."""
        return int(sum_of(start, "n", size=1)[0])

    def state(self, start: Blocks, rounds: Sequence[tuple[Request, Blocks]]) -> NewtonState:
        """Return where the fit stands after the rounds so far.

        Raises
        ------
        CannotCompute, MalformedBlock
        """
        for site in start:
            if site not in self.sites:
                raise MalformedBlock(site, "a site of the protocol")
        state = newton_start(self.names, limit=MOST_ROUNDS)
        beta = np.zeros(len(self.names))
        beta[0] = self._mean_predictor(start)
        state = replace(state, beta=beta)
        for _, blocks in rounds:
            before = state
            state = newton_step(before, [self._placed(blocks, site) for site in blocks])
            self._refuse_separation(before, state)
        return state

    def _refuse_separation(self, before: NewtonState, after: NewtonState) -> None:
        """Raise `MonotoneLikelihood` if late steps do not become shorter: a mean goes to 0 or 1, and never arrives.

        Near a maximum each step is a small part of the one before; on the way to infinity each adds about one to the
        linear predictor of those that are separated. Source: Albert and Anderson 1984, Biometrika 71:1.
        """
        old, new, null = before.step, after.step, after.null
        if after.converged or after.halvings or after.rounds < SETTLED_BY or old is None or new is None or null is None:
            return
        unit = np.sqrt(np.diag(null.information))
        length = np.abs(new * unit)
        if length.max() < LONG or np.linalg.norm(length) < LASTING * np.linalg.norm(old * unit):
            return
        columns = tuple(int(place) for place in np.flatnonzero(length > length.max() / 2))
        named = ", ".join(self.names[place] for place in columns)
        raise MonotoneLikelihood(
            f"the likelihood rises without end in {named}: the outcome is the same in all rows with some value there,"
            " and no usable coefficient exists. Merge levels, or leave the term out.",
            columns=columns,
        )

    def parameters(self, state: NewtonState, start: Blocks) -> dict[str, list[float]]:
        """Return what a request for the next block holds."""
        return {
            "beta": state.beta.tolist(),
            "start": [self._mean_predictor(start)],
            "variance": [self.variance(start)],
        }

    def answer(
        self,
        request: Request,
        model: ModelRows,
        *,
        site: str,
        sets: dict[str, Mask],
        cells: dict[str, int],
        label: str,
        places: IntArray | None,
    ) -> Answer:
        """Return a site's log-likelihood, gradient and information at the coefficients asked for."""
        beta = self.own(request.parameters["beta"], site)
        at_start = np.zeros(len(beta))
        at_start[0] = request.parameters["start"][0]
        matrix, at_zero = model.covariates[:, 1:], _best_loglik(model, np.zeros(len(beta) - 1))
        design = Design(self.terms, matrix, parameters=len(beta), events=self._events(model), places=places)
        try:
            found, best = model.block(beta), _best_loglik(model, beta[1:])
        except CoefficientsTooLarge:
            # As in Cox regression: how large the largest predictor is must not be told by an error of its own.
            unlikely = Likelihood(label, -math.inf, at_zero, parameters=len(beta))
            return Answer({}, Exposure(row_sets=sets, cells=cells, designs=(design,), likelihood=unlikely))
        block = {
            "loglik": [found.loglik],
            "gradient": found.gradient.tolist(),
            "information": flat(found.information),
        }
        shares: tuple[Share, ...] = shares_of_products(self.terms, matrix, model.weights(at_start), places)
        if (beta != at_start).any():
            shares += shares_of_products(self.terms, matrix, model.weights(beta), places, is_fitted=True)
        contributions = model.residuals(beta)[:, None] * model.covariates
        for share in shares_of_sums((INTERCEPT, *self.terms), contributions, places):
            shares += (replace(share, is_fitted=True),)
        return Answer(
            block,
            Exposure(
                row_sets=sets,
                cells=cells,
                shares=shares,
                designs=(design,),
                likelihood=Likelihood(label, best, at_zero, parameters=len(beta)),
            ),
        )

    def _events(self, model: ModelRows) -> int | None:
        if self.family == "gaussian":
            return None
        events = int(model.response.sum())
        return min(events, len(model.response) - events) if self.family == "binomial" else events

    def _mean_predictor(self, start: Blocks) -> float:
        rows, (total, _, at_risk) = self.rows(start), sum_of(start, "response", size=3)
        if self.family == "gaussian":
            return float(total / max(rows, 1))
        if total <= 0 or (self.family == "binomial" and total >= rows):
            raise CannotCompute("the outcome is the same in all rows of all sites; there is nothing to explain.")
        if self.family == "binomial":
            return float(np.log(total / (rows - total)))
        return float(np.log(total / at_risk))

    def _place(self, site: str) -> int:
        """Return where the coefficient of a site stands; 0 for the first site."""
        number = self.sites.index(site)
        return 0 if number == 0 else len(self.terms) + number

    def _placed(self, blocks: Blocks, site: str) -> CoxBlock:
        one, width = {site: blocks[site]}, 1 + len(self.terms)
        gradient = numbers_of(one, "gradient", size=width)[site]
        information = square(numbers_of(one, "information", size=width * (width + 1) // 2)[site], width)
        place = self._place(site)
        # Which of a site's own columns each coefficient multiplies: its indicator is one with its intercept.
        source = [*range(width), *([0] if place else [])]
        target = [*range(width), *([place] if place else [])]
        full_gradient = np.zeros(len(self.names))
        full_gradient[target] = gradient[source]
        full = np.zeros((len(self.names), len(self.names)))
        full[np.ix_(target, target)] = information[np.ix_(source, source)]
        return CoxBlock(float(numbers_of(one, "loglik", size=1)[site][0]), full_gradient, full)


def _best_loglik(model: ModelRows, slopes: FloatArray) -> float:
    """Return the log-likelihood of a site at `slopes` and the intercept that suits it best.

    Disclosure control compares slopes with none by it. The intercept from which a fit begins comes from the sums of
    all sites: measured from there, false sums would make any slopes look likely.
    """
    beta = np.concatenate(([0.0], slopes))
    best = model.block(beta)
    for _ in range(MOST_STEPS):
        if not best.information[0, 0] > 0:
            break
        step = float(np.clip(best.gradient[0] / best.information[0, 0], -LONGEST_STEP, LONGEST_STEP))
        moved, tried = beta.copy(), best
        while abs(step) > SMALL_STEP:
            moved[0] = beta[0] + step
            tried = model.block(moved)
            if tried.loglik >= best.loglik:
                break
            step /= 2
        if abs(step) <= SMALL_STEP:
            break
        beta, best = moved, tried
    return float(best.loglik)
