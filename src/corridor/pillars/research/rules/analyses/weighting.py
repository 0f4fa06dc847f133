"""Weighting by propensity scores: balance before and after, and the weighted Cox model stratified by site; exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from corridor.base.members import Members
from corridor.pillars.research.rules.analyses.base import (
    Answer,
    Blocks,
    CannotCompute,
    Caution,
    Request,
    Result,
    counts_of,
    read_terms,
    sum_of,
)
from corridor.pillars.research.rules.analyses.cox import CoxBySite, selections
from corridor.pillars.research.rules.analyses.site_models import SiteModel
from corridor.pillars.research.rules.disclosure import (
    Exposure,
    Policy,
    Share,
    by_person,
    shares_of_sums,
    suppress_counts,
)
from corridor.pillars.research.rules.rows import FloatArray, Mask, Rows, SiteTable
from corridor.science.cox_newton import newton_start, newton_step
from corridor.science.generalised_models import ModelRows

__all__ = ["Weighting"]

OVERLAP = 0.1
"""Scores below it, or above 1 less it, have few others to be compared with: Crump, Hotz, Imbens and Mitnik 2009,
Biometrika 96:187."""
MOST_APART = 1 / 4
"""The share of rows with such scores above which a reader is warned: from about there on the mean effect over all
patients takes twice as many of them as that over those who overlap (docs/explanation/bounds.md)."""
LEAST_EFFECTIVE = 0.5
"""The share of effective in counted rows of an arm below which a reader is warned: there the variance of its weighted
mean is twice that of a plain one, and the weights vary by as much as their mean (Kish)."""
BALANCED = 0.1
"""The largest standardised difference that counts as balance: Austin 2009, Stat Med 28:3083."""
SUMS = ("n", "w", "ww")
SUMS_BY_TERM = ("x", "xx", "wx")


class Weighting(CoxBySite):
    """The hazard ratio of an exposure among patients who are made comparable by weights.

    Options: ``endpoint``, ``exposure`` (a flag term; the exposure of the protocol if left out), ``propensity`` (the
    terms that explain it), ``model`` (pooled, with an intercept for each site, or by-site), ``estimand`` (ate, att,
    overlap), ``stabilised`` (ate alone), ``trim`` (scores below it or above 1 less it are left out), ``ties``. Errors
    are robust, clustered by person.

    Notes
    -----
    Sources: Rosenbaum and Rubin 1983, Biometrika 70:41; Li, Morgan and Zaslavsky 2018, J Am Stat Assoc 113:390, for
    overlap weights; Kish 1965, Survey Sampling, for the effective size.
    """

    kind = "weighting"

    def read(self, members: Members) -> None:
        """Take the options."""
        exposure = members.text("exposure") if members.has("exposure") else self.protocol.exposure
        if self.protocol.term(exposure) is None:
            members.fault("exposure", "expected the name of a term; without it, the protocol names its exposure")
        self.exposure = exposure
        self.terms = (exposure,)
        self._read_clock(members)
        self.robust, self.transform, self.concordance = True, None, False
        self.propensity = read_terms(members, self.protocol, "propensity")
        if exposure in self.propensity:
            members.fault("propensity", "expected terms other than the exposure")
        self.is_pooled = members.choice("model", ("pooled", "by-site"), absent="pooled") == "pooled"
        self.estimand = members.choice("estimand", ("ate", "att", "overlap"), absent="ate")
        self.stabilised = members.has("stabilised") and members.flag("stabilised")
        if self.stabilised and self.estimand != "ate":
            members.fault("stabilised", "expected false: only weights for ate are stabilised")
        self.trim = members.number("trim", least=0.001, most=0.4) if members.has("trim") else 0.0
        self.scores = SiteModel("binomial", self.propensity, tuple(site.id for site in self.protocol.sites))

    def begin(self) -> Request:
        """Ask for the sums from which the model of the exposure begins, or for balance where each site has its own."""
        return self.scores.start_request(1) if self.is_pooled else Request(1, "balance")

    def rows(self, table: SiteTable) -> Rows:
        """Return the rows with the exposure, every term of its model and the endpoint."""
        return self.select(table, terms=(self.exposure, *self.propensity), endpoint=self.endpoint)

    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return what a step of the model of the exposure, of balance, or of the weighted Cox model asks."""
        if not len(rows):
            raise CannotCompute("no row of this site is in the population and has every value.")
        exposed = rows.term(self.exposure)
        if not np.isin(exposed, (0.0, 1.0)).all():
            raise CannotCompute("the exposure takes other values than 0 and 1 at this site.")
        cells = {
            "rows": rows.count(np.ones(len(rows), dtype=bool)),
            "exposed": rows.count(exposed == 1),
            "not exposed": rows.count(exposed == 0),
        }
        sets = selections(rows, (*self.propensity, self.exposure))
        if request.step == "start":
            return Answer(
                self.scores.start_block(exposed, None),
                self.scores.start_exposure(exposed, None, sets, cells, rows.places),
            )
        if request.step == "propensity":
            label = "propensity: " + "+".join(self.propensity)
            site, places = rows.table.site, rows.places
            return self.scores.answer(
                request, self._model(rows), site=site, sets=sets, cells=cells, label=label, places=places
            )
        scores = self._scores(request, rows)
        if ((scores <= 0) | (scores >= 1)).any():
            raise CannotCompute(
                "by the model of the exposure some rows of this site could have been in one arm alone; they have no"
                " weight. Use fewer terms, or a population in which both are given."
            )
        inside = self._within(scores)
        kept, weights = rows.of_those(inside), self._weights(request, exposed, scores)[inside]
        if request.step == "balance":
            return self._answer_on_balance(kept, scores[inside], weights, policy)
        return self._answer(request, kept, weights)

    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Request | Result:
        """Fit the model of the exposure, then look at balance, then fit the weighted Cox model."""
        number = len(history) + 1
        given: dict[str, Sequence[float]] = {}
        before = [step for step in history if step[0].step in ("start", "propensity")]
        coefficients: list[float] = []
        if self.is_pooled:
            start = history[0][1]
            state = self.scores.state(start, before[1:])
            if not state.converged:
                return Request(number, "propensity", self.scores.parameters(state, start))
            coefficients = state.beta.tolist()
            share = sum_of(start, "response", size=3)[0] / self.scores.rows(start)
            given = {"propensity": coefficients, "share": [float(share)]}
        balance = [blocks for request, blocks in history if request.step == "balance"]
        if not balance:
            return Request(number, "balance", given)
        rest = [step for step in history if step[0].step not in ("start", "propensity", "balance")]
        following = super().proceed(rest)
        if isinstance(following, Request):
            return Request(number, following.step, {**following.parameters, **given})
        described, cautions = self._balance(balance[0])
        values = {**following.values, "balance": described, "estimand": self.estimand}
        if self.is_pooled:
            values["propensity"] = {"terms": list(self.scores.names), "coef": coefficients}
        return Result(self.precision, values, warnings=(*following.warnings, *cautions))

    def _weights(self, request: Request, exposed: FloatArray, scores: FloatArray) -> FloatArray:
        if self.estimand == "overlap":
            return np.where(exposed == 1, 1 - scores, scores)
        if self.estimand == "att":
            return np.where(exposed == 1, 1.0, scores / (1 - scores))
        weights = np.where(exposed == 1, 1 / scores, 1 / (1 - scores))
        if self.stabilised:
            share = request.parameters["share"][0] if self.is_pooled else float(exposed.mean())
            weights = weights * np.where(exposed == 1, share, 1 - share)
        return weights

    def _scores(self, request: Request, rows: Rows) -> FloatArray:
        """Return each row's probability of the exposure. It stays here."""
        model = self._model(rows)
        if self.is_pooled:
            return model.means(self.scores.own(request.parameters["propensity"], rows.table.site))
        state = newton_start(("(intercept)", *self.propensity))
        while not state.converged:
            state = newton_step(state, [model.block(state.beta)])
        return model.means(state.beta)

    def _model(self, rows: Rows) -> ModelRows:
        matrix = np.column_stack([np.ones(len(rows)), rows.matrix(self.propensity)])
        return ModelRows(rows.term(self.exposure), matrix, family="binomial")

    def _within(self, scores: FloatArray) -> Mask:
        inside = (scores >= self.trim) & (scores <= 1 - self.trim)
        if not inside.any():
            raise CannotCompute("no row of this site has a propensity score within the bounds of trimming.")
        return inside

    def _answer_on_balance(self, rows: Rows, scores: FloatArray, weights: FloatArray, policy: Policy) -> Answer:
        """Return sums, squares and weighted sums of each arm, and how many rows have few others like them."""
        exposed, matrix = rows.term(self.exposure), rows.matrix(self.propensity)
        block: dict[str, list[Any]] = {}
        sets: dict[str, Mask] = {"population": rows.selected}
        cells: dict[str, int] = {}
        shares: tuple[Share, ...] = ()
        for arm in (0, 1):
            inside = exposed == arm
            w, x = weights[inside], matrix[inside]
            block |= {
                f"n:{arm}": [int(inside.sum())],
                f"w:{arm}": [float(w.sum())],
                f"ww:{arm}": [float((w**2).sum())],
                f"x:{arm}": x.sum(axis=0).tolist(),
                f"xx:{arm}": (x**2).sum(axis=0).tolist(),
                f"wx:{arm}": (w @ x).tolist(),
            }
            columns = np.column_stack([w, w**2, x, x**2, w[:, None] * x])
            names = (*SUMS[1:], *(f"{name} {kind}" for kind in SUMS_BY_TERM for name in self.propensity))
            labels = tuple(f"{name} (exposed={arm})" for name in names)
            shares += shares_of_sums(labels, columns, None if rows.places is None else rows.places[inside])
            for name, column in zip(self.propensity, x.T, strict=True):
                if np.isin(column, (0.0, 1.0)).all():
                    with_term = rows.term(name) == 1
                    cells[f"{name}=1 (exposed={arm})"] = rows.count(inside & with_term)
                    cells[f"{name}=0 (exposed={arm})"] = rows.count(inside & ~with_term)
                    sets[f"{name} (exposed={arm})"] = rows.those(inside & with_term)
            sets[f"exposed={arm}"] = rows.those(inside)
            cells[f"exposed={arm}"] = rows.count(inside)
        apart = (scores < OVERLAP) | (scores > 1 - OVERLAP)
        counts = [int(apart.sum()), int((~apart).sum())]
        k = policy.smallest_cell if policy.has("smallest-cell") else 1
        shown = suppress_counts(counts, smallest=k)
        block["apart"] = shown
        if None not in shown:
            cells |= {"few others alike": rows.count(apart), "others alike": rows.count(~apart)}
            sets["few others alike"] = rows.those(apart)
        of_persons = by_person(weights, rows.places)
        return Answer(block, Exposure(row_sets=sets, cells=cells, shares=shares, weights=of_persons))

    def _balance(self, blocks: Blocks) -> tuple[dict[str, Any], list[Caution]]:
        """Return standardised differences before and after weighting and the effective size of each arm.

        Differences are in units of the unweighted standard deviation, so that weights change the numerator alone.
        """
        width = len(self.propensity)
        plain, weighted, spread, sizes = [], [], [], {}
        for arm in (0, 1):
            n, w, ww = (float(sum_of(blocks, f"{name}:{arm}", size=1)[0]) for name in SUMS)
            x, xx, wx = (sum_of(blocks, f"{name}:{arm}", size=width) for name in SUMS_BY_TERM)
            if n < 2 or not w > 0:
                raise CannotCompute("an arm has fewer than two rows over all sites.")
            plain.append(x / n)
            weighted.append(wx / w)
            spread.append((xx - x**2 / n) / (n - 1))
            sizes[str(arm)] = {"n": int(n), "weights": w, "effective_n": w**2 / ww}
        unit = np.sqrt((spread[0] + spread[1]) / 2)
        before, after = (_differences(each[1] - each[0], unit) for each in (plain, weighted))
        apart = counts_of(blocks, "apart", size=2)
        told = [counts for counts in apart.values() if None not in counts]
        few, all_told = sum(counts[0] or 0 for counts in told), sum(sum(filter(None, counts)) for counts in told)
        cautions = []
        if told and few > MOST_APART * all_told:
            cautions.append(Caution.POOR_OVERLAP)
        if any(size["effective_n"] < LEAST_EFFECTIVE * size["n"] for size in sizes.values()):
            cautions.append(Caution.EXTREME_WEIGHTS)
        if any(abs(each or 0.0) > BALANCED for each in after):
            cautions.append(Caution.NOT_BALANCED)
        described = {
            "terms": list(self.propensity),
            "before": before,
            "after": after,
            "arms": sizes,
            "few_others_alike": {site: counts[0] for site, counts in apart.items()},
        }
        return described, cautions


def _differences(difference: FloatArray, unit: FloatArray) -> list[float | None]:
    return [float(each / by) if by > 0 else None for each, by in zip(difference, unit, strict=True)]
