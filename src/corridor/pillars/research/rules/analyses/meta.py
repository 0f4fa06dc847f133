"""Meta-analysis of what each site finds by itself: the least that a site can give, and no round depends on another."""

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
    MalformedBlock,
    Request,
    Result,
    numbers_of,
)
from corridor.pillars.research.rules.analyses.cox import CoxBySite
from corridor.pillars.research.rules.disclosure import Policy, shares_of_products
from corridor.pillars.research.rules.rows import Rows
from corridor.science.cox_results import fit_cox
from corridor.science.meta_analyses import MetaMethod, PooledEstimate, heterogeneity, pool_estimates

__all__ = ["MetaAnalysis"]

HETEROGENEOUS = 0.5
"""The share of variation between sites from which a reader is warned; at least substantial, Higgins et al. 2003, BMJ
327:557."""
METHODS: dict[str, tuple[MetaMethod, bool]] = {
    "fixed": ("fixed", False),
    "dersimonian-laird": ("dersimonian-laird", False),
    "reml-hartung-knapp": ("reml", True),
}


class MetaAnalysis(CoxBySite):
    """The hazard ratio of one term at each site, from a Cox model of its own, and the mean of the sites; exact.

    Options: those of ``cox`` but weights, robust errors and the test of proportional hazards; ``term``, the one that is
    put together (the exposure of the protocol if left out). Fixed effect, DerSimonian and Laird, and restricted
    maximum likelihood with Hartung and Knapp's errors.
    """

    kind = "meta"

    def read(self, members: Members) -> None:
        """Take the options."""
        self._read_model(members)
        self.robust, self.transform, self.concordance = False, None, False
        self.term = members.text("term") if members.has("term") else self.protocol.exposure
        if self.term not in self.terms:
            members.fault("term", "expected one of the terms; without it, the exposure of the protocol is one of them")

    def begin(self) -> Request:
        """Ask for the estimates; there is one round."""
        return Request(1, "estimate")

    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return the coefficient of the term and its variance, of the site's own fit."""
        matrix = rows.matrix(self.terms)
        cox = self._cox(rows, matrix, None)
        fit = fit_cox([cox], names=self.terms)
        place = self.terms.index(self.term)
        block = {
            "estimate": [float(fit.coef[place])],
            "variance": [float(fit.vcov[place, place])],
            "n": [float(len(rows)), float(self._events(rows))],
        }
        shares = shares_of_products(self.terms, matrix, cox.expected_events(np.zeros(len(self.terms))), rows.places)
        shares += shares_of_products(self.terms, matrix, cox.expected_events(fit.coef), rows.places, is_fitted=True)
        return Answer(block, self._exposure(rows, matrix, shares, None, None))

    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Result:
        """Return the estimates of the sites and their means."""
        _, blocks = history[0]
        estimates = {site: float(each[0]) for site, each in numbers_of(blocks, "estimate", size=1).items()}
        variances = {site: float(each[0]) for site, each in numbers_of(blocks, "variance", size=1).items()}
        for site, variance in variances.items():
            if not variance > 0:
                raise MalformedBlock(site, "a variance above 0")
        if len(blocks) < 2:
            raise CannotCompute("a meta-analysis puts together two sites or more.")
        sizes = numbers_of(blocks, "n", size=2)
        given = (list(estimates.values()), list(variances.values()))
        apart = heterogeneity(*given)
        pooled = {
            name: _described(pool_estimates(*given, method=method, knapp_hartung=errors), list(blocks))
            for name, (method, errors) in METHODS.items()
        }
        values: dict[str, Any] = {
            "term": self.term,
            "sites": {site: {"coef": estimates[site], "se": float(np.sqrt(variances[site]))} for site in blocks},
            "pooled": pooled,
            "heterogeneity": {"q": apart.q, "df": apart.df, "p": apart.p, "i_squared": apart.i_squared},
            "n": {site: int(size[0]) for site, size in sizes.items()},
            "events": {site: int(size[1]) for site, size in sizes.items()},
        }
        cautions = (Caution.SITES_DIFFER,) if apart.i_squared >= HETEROGENEOUS else ()
        return Result(self.precision, values, warnings=cautions)


def _described(found: PooledEstimate, sites: Sequence[str]) -> dict[str, Any]:
    with np.errstate(over="ignore"):
        ratio, low, high = (float(np.exp(each)) for each in (found.estimate, found.low, found.high))
    limits = {"hr_low": low if np.isfinite(low) else None, "hr_high": high if np.isfinite(high) else None}
    return {
        "coef": found.estimate,
        "se": found.se,
        "p": found.p,
        "hr": ratio,
        **limits,
        "tau_squared": found.tau_squared,
        "weights": dict(zip(sites, found.weights.tolist(), strict=True)),
        "df": found.df,
    }
