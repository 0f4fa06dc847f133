"""The measurements behind the bounds that docs/explanation/bounds.md argues for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from corridor.pillars.research.rules.analyses import Request, Result, plan_of
from corridor.pillars.research.rules.analyses.weighting import LEAST_EFFECTIVE, MOST_APART
from corridor.pillars.research.rules.disclosure import REHEARSAL, Policy
from corridor.pillars.research.rules.disclosure.judgement import FITTED_SHARE
from corridor.pillars.research.rules.engine import compute_answer, next_step
from tests.attack.breast import tables
from tests.attack.on_fits import TERMS as PROBED
from tests.attack.on_fits import _plan as plans_of_the_first_year
from tests.research.test_analyses import ENDPOINT, TERMS, done, protocol_with

POST_MENOPAUSAL = [{"variable": "meno", "is": 1}]


def largest_fitted_share(protocol: Any) -> float:
    """Return the largest part of one patient in any fitted sum of any round of an honest fit."""
    plan, history, largest = plan_of(protocol.analysis("x"), protocol), list[Any](), 0.0
    while not isinstance(step := next_step(plan, history), Result):
        answers = {
            site: compute_answer(plan, step, table=replace(table, site=site), policy=Policy())
            for site, table in tables().items()
        }
        shares = [share for answer in answers.values() for share in answer.exposure.shares if share.is_fitted]
        largest = max([largest, *(share.largest for share in shares)])
        history.append((step, {site: answer.block for site, answer in answers.items()}))
    return largest


@pytest.mark.parametrize(
    ("options", "told"),
    [({"terms": TERMS}, 0.60), ({"terms": [t for t in TERMS if t != "meno"], "where": POST_MENOPAUSAL}, 0.73)],
    ids=["node-positive", "post-menopausal"],
)
def test_honest_fits_need_more_than_half_and_less_than_the_bound(options, told):
    found = largest_fitted_share(protocol_with("cox", **ENDPOINT, **options))

    assert round(found, 2) == told
    assert 0.5 < found < FITTED_SHARE


def test_no_coefficients_that_are_likely_let_one_patient_near_the_bound():
    fit, _ = plans_of_the_first_year()
    shares: dict[bool, list[float]] = {True: [], False: []}
    for site, table in tables().items():
        rows = fit.rows(replace(table, site=site))
        for direction in ([0, 0.3, 0, 9], [40, 0.3, 0, 8], [0, 8, 0, 0.9], [0, -9, 0, -0.9], [60, 0, 0, 7]):
            assert len(direction) == len(PROBED)
            for length in np.geomspace(0.002, 1, 14):
                beta = (np.array(direction) * length).tolist()
                exposure = fit.answer(Request(2, "block", {"beta": beta}), rows, Policy()).exposure
                likelihood = exposure.likelihood
                is_likely = likelihood.at_coefficients >= likelihood.at_zero - likelihood.parameters
                fitted = [share.largest for share in exposure.shares if share.is_fitted]
                shares[is_likely].extend([max(fitted)] if fitted else [])

    assert len(shares[True]) > 20
    assert max(shares[True]) < 0.6 < FITTED_SHARE
    assert sum(share > 0.9 for share in shares[False]) > 20


@pytest.mark.parametrize(
    ("where", "warned"),
    [(POST_MENOPAUSAL, set()), ([], {"poor-overlap"})],
    ids=["post-menopausal", "node-positive"],
)
def test_overlap_and_weights_are_warned_about_where_the_document_says(where, warned):
    terms = [term for term in TERMS[1:] if term != "meno" or not where]

    found = done(protocol_with("weighting", **ENDPOINT, propensity=terms, where=where), policy=REHEARSAL)

    balance = found["values"]["balance"]
    n = sum(arm["n"] for arm in balance["arms"].values())
    assert set(found["warnings"]) == warned
    assert (sum(balance["few_others_alike"].values()) > MOST_APART * n) == bool(warned)
    assert balance["arms"]["1"]["effective_n"] > LEAST_EFFECTIVE * balance["arms"]["1"]["n"]


@pytest.mark.parametrize(("ties", "by_edges", "by_end"), [("efron", -0.17, -0.78), ("breslow", -0.02, -0.78)])
def test_one_risk_set_is_shifted_as_the_document_on_analyses_says(ties, by_edges, by_end):
    def until_the_last_edge(members):
        members["endpoints"][0]["follow_up_days"] = int(coarse["edges"][-1])

    options = {**ENDPOINT, "terms": ["hormon"], "ties": ties}
    coarse = done(protocol_with("cox-unstratified", **options))["values"]
    exact = done(protocol_with("cox-unstratified", **options), policy=REHEARSAL)["values"]
    cut = done(protocol_with("cox-unstratified", until_the_last_edge, **options), policy=REHEARSAL)["values"]

    assert (coarse["coef"][0] - cut["coef"][0]) / cut["se"][0] == pytest.approx(by_edges, abs=0.005)
    assert (cut["coef"][0] - exact["coef"][0]) / exact["se"][0] == pytest.approx(by_end, abs=0.005)
