"""A Cox model of a plan with weights of rows, and with errors clustered by person, beside R's survival."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from corridor.pillars.research.rules.analyses import Request, Result
from corridor.pillars.research.rules.analyses.base import CannotCompute
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.engine import AnswerRefused, answer_request
from corridor.pillars.research.rules.ledger import MemoryLedger
from corridor.pillars.research.rules.protocol import MalformedProtocol
from corridor.pillars.research.rules.rows import SiteTable
from corridor.pillars.research.views.methods import methods_text
from tests.attack.breast import analysis, bent_protocol, tables
from tests.attack.playing import plan as asked_plan

POLICY = Policy()
# R 4.2.2, survival 3.5.3, on the rows of both files with a positive node, in the order of the sites:
# coxph(Surv(time_days, event) ~ hormon + age_years + meno + strata(site), weights = nodes, robust = TRUE), each ties;
# without weights and with cluster(pair), where rows 2 i - 1 and 2 i of a site, counted from 0, are a pair.
WEIGHTED = {
    "efron": (
        (-0.267058045962357, 0.00228041312080069, 0.132203307491897),
        (0.0790578078871446, 0.00446154869559173, 0.11349430479838),
    ),
    "breslow": (
        (-0.266853601839258, 0.00228667553579447, 0.131930165142808),
        (0.0790058656348269, 0.00445892681776488, 0.113414891493782),
    ),
}
CLUSTERED = (
    (-0.328700036772717, 0.00322254542225524, 0.27877370479234),
    (0.068724001411781, 0.00366968666542063, 0.092533888012284),
)


def _fit(sites: dict[str, SiteTable], **options: Any) -> Result:
    """Run the analysis as two sites do, each with its guards and its ledger."""
    asked = analysis("asked", "cox", endpoint="rfs", terms=["hormon", "age", "meno"], **options)
    plan = asked_plan(bent_protocol(asked), "asked")
    ledgers = {site: MemoryLedger(table, "0" * 64) for site, table in sites.items()}
    history = []
    request: Request | Result = plan.begin()
    while isinstance(request, Request):
        blocks = {
            site: answer_request(plan, request, table=table, policy=POLICY, ledger=ledgers[site]).block
            for site, table in sites.items()
        }
        history.append((request, blocks))
        request = plan.proceed(history)
    return request


def _with(table: SiteTable, **columns: np.ndarray) -> SiteTable:
    return replace(table, columns={**table.columns, **columns})


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_a_weighted_fit_over_two_sites_equals_the_one_of_pooled_rows(ties: str) -> None:
    fit = _fit(tables(), weights="nodes", ties=ties)

    coef, se = WEIGHTED[ties]
    np.testing.assert_allclose(fit.values["coef"], coef, rtol=1e-8)
    np.testing.assert_allclose(fit.values["se"], se, rtol=1e-8)


def test_errors_are_clustered_by_person() -> None:
    paired = {}
    for site, table in tables().items():
        # R numbered the rows with a positive node, which are the population of the study.
        inside = table.columns["nodes"] > 0
        place = np.where(inside, np.cumsum(inside), 0)
        numbered = zip(place.tolist(), inside.tolist(), strict=True)
        labels = [f"pair {at // 2}" if is_in else f"alone {row}" for row, (at, is_in) in enumerate(numbered)]
        paired[site] = replace(table, persons=tuple(labels))
    fit = _fit(paired, robust=True)

    np.testing.assert_allclose(fit.values["coef"], CLUSTERED[0], rtol=1e-8)
    np.testing.assert_allclose(fit.values["se"], CLUSTERED[1], rtol=1e-8)


def test_weights_that_mark_a_few_patients_are_refused() -> None:
    table = tables()["nl"]
    marked = np.ones(len(table))
    marked[np.flatnonzero(table.columns["nodes"] > 0)[:3]] = 2.0
    with pytest.raises(AnswerRefused, match="pgr_fmol"):
        _fit({"nl": _with(table, pgr_fmol=marked)}, weights="pgr_fmol")


def test_one_heavy_patient_is_refused() -> None:
    table = tables()["nl"]
    heavy = 1.0 + np.arange(len(table)) / len(table)
    heavy[np.flatnonzero(table.columns["nodes"] > 0)[0]] = 1e6
    with pytest.raises(AnswerRefused, match="weights"):
        _fit({"nl": _with(table, pgr_fmol=heavy)}, weights="pgr_fmol")


def test_a_weight_that_is_not_above_zero_is_said_without_its_row() -> None:
    with pytest.raises(CannotCompute, match="a weight, pgr_fmol, that is not above 0"):
        _fit(tables(), weights="pgr_fmol")


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"weights": "hormon"}, "weights"),
        ({"weights": "no such"}, "weights"),
        ({"weights": "nodes", "concordance": True}, "concordance"),
        ({"weights": "nodes", "proportional_hazards": "log"}, "proportional_hazards"),
    ],
)
def test_what_weights_cannot_be_is_said_in_the_protocol(options: dict[str, Any], place: str) -> None:
    with pytest.raises(MalformedProtocol, match=place):
        bent_protocol(analysis("asked", "cox", endpoint="rfs", terms=["age"], **options))


def test_the_methods_tell_of_weights_and_of_clustered_errors() -> None:
    weighted = analysis("asked", "cox", endpoint="rfs", terms=["age"], weights="nodes")
    told = "\n".join(methods_text(bent_protocol(weighted)))
    assert "asked: rows were weighted by" in told
    assert "Robust errors, clustered by person: asked." in told
