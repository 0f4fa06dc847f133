"""Where several rows belong to one person, disclosure control counts persons: rows of few are of few."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.pillars.research.rules.disclosure import (
    Design,
    Differences,
    Exposure,
    Policy,
    by_person,
    judge,
    shares_of_products,
    shares_of_sums,
)
from corridor.pillars.research.rules.engine import AnswerRefused, compute_answer, settle
from corridor.pillars.research.rules.ledger import MemoryLedger
from corridor.pillars.research.rules.rows import SiteTable
from tests.attack.breast import TERMS, analysis, bent_protocol, tables
from tests.attack.playing import plan

POLICY = Policy()
ROWS = 200
RANDOM = np.random.default_rng(20261128)
NUMBER = RANDOM.normal(size=ROWS)
FEW = np.arange(ROWS) < 20
"""Twenty rows; those of two persons in `PLACES`, whose other rows are of a person each."""
PLACES = np.where(FEW, np.arange(ROWS) % 2, np.arange(ROWS))


def _design(column: np.ndarray, places: np.ndarray | None, parameters: int = 1) -> Exposure:
    return Exposure(designs=(Design(("x",), column[:, None], parameters=parameters, places=places),))


def _summed(places: np.ndarray | None) -> Exposure:
    return Exposure(shares=shares_of_sums(("x",), np.where(FEW, 9.0, 1.0)[:, None], places))


def _multiplied(places: np.ndarray | None) -> Exposure:
    return Exposure(shares=shares_of_products(("x",), np.where(FEW, 3.0, NUMBER)[:, None], np.ones(ROWS), places))


OF_FEW = {
    "smallest-cell": lambda places: Exposure(row_sets={"young": FEW}, places=places),
    "dominance": _summed,
    "dominance of products": _multiplied,
    "minority": lambda places: _design(FEW.astype(float), places),
    "minority of values": lambda places: _design(np.where(FEW, NUMBER, 7.0), places),
    "leverage": lambda places: _design(np.where(FEW, 3.0, NUMBER), places),
    "degrees-of-freedom": lambda places: _design(NUMBER, places, parameters=19),
    "weights": lambda places: Exposure(weights=by_person(np.where(FEW, 9.0, 1.0), places)),
}


@pytest.mark.parametrize("case", OF_FEW)
def test_many_rows_of_two_persons_are_two_persons_to_every_guard(case: str) -> None:
    guard = case.split(" ")[0]
    assert guard not in {breach.guard for breach in judge(OF_FEW[case](None), POLICY)}
    assert guard in {breach.guard for breach in judge(OF_FEW[case](PLACES), POLICY)}


def test_an_overlap_of_two_flags_counts_its_persons() -> None:
    other = np.isin(np.arange(ROWS), [*range(20), *range(100, 150)])
    flags = np.column_stack([np.arange(ROWS) < 80, other]).astype(float)
    for places, told in ((None, False), (PLACES, True)):
        exposure = Exposure(designs=(Design(("a", "b"), flags, parameters=2, places=places),))
        assert ("a x b" in {breach.subject for breach in judge(exposure, POLICY)}) is told


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 4))
def test_persons_of_one_row_each_are_judged_as_rows(seed: int, rows: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    matrix = np.column_stack(
        [random.normal(size=rows), *(random.integers(0, levels, rows).astype(float) for _ in range(3))]
    )
    weights, names = random.uniform(0.1, 3, rows), ("a", "b", "c", "d")
    one, other = (Design(names, matrix, parameters=4, places=each) for each in (None, random.permutation(rows)))
    assert (one.persons, one.minorities, one.overlaps) == (other.persons, other.minorities, other.overlaps)
    assert np.allclose(one.column_leverage, other.column_leverage)
    assert one.largest_leverage == pytest.approx(other.largest_leverage)
    order = random.permutation(rows)
    for apart, together in (
        (shares_of_sums(names, matrix, None), shares_of_sums(names, matrix, order)),
        (shares_of_products(names, matrix, weights, None), shares_of_products(names, matrix, weights, order)),
    ):
        assert [share.label for share in apart] == [share.label for share in together]
        assert [share.largest for share in apart] == pytest.approx([share.largest for share in together])


def _of_three_persons(table: SiteTable, inside: np.ndarray) -> SiteTable:
    """Return a table in which all rows `inside` are of three persons, under spellings that the ledger takes for one."""
    spellings = ("X-1", "X-2", "x-3", " X-1")
    persons = [
        spellings[place % 4] if chosen else person
        for place, (person, chosen) in enumerate(zip(table.persons, inside, strict=True))
    ]
    return replace(table, persons=tuple(persons))


ASKED: dict[str, dict[str, Any]] = {
    "counts": {"variables": ["hormon"]},
    "moments": {"variables": ["nodes"], "by": "hormon"},
    "cox": {"endpoint": "rfs", "terms": list(TERMS)},
    "logrank": {"endpoint": "rfs", "by": "hormon"},
    "logistic": {"outcome": "event", "terms": list(TERMS)},
    "poisson": {"endpoint": "rfs", "terms": list(TERMS)},
    "kaplan-meier": {"endpoint": "rfs", "by": "hormon"},
    "weighting": {"endpoint": "rfs", "propensity": ["age", "nodes"]},
    "meta": {"endpoint": "rfs", "terms": list(TERMS)},
}


@pytest.mark.parametrize("kind", ASKED)
def test_an_arm_whose_rows_are_of_three_persons_is_told_by_no_analysis(kind: str) -> None:
    asked = plan(bent_protocol(analysis("asked", kind, **ASKED[kind])), "asked")
    table = replace(tables()["nl"], site="nl")
    treated = table.columns["hormon"] == 1
    _release(asked, table)
    if kind == "counts":
        shown = _release(asked, _of_three_persons(table, treated))["table:hormon"]
        assert shown == [None, None, 0]
        return
    with pytest.raises(AnswerRefused):
        _release(asked, _of_three_persons(table, treated))


def _release(asked: Any, table: SiteTable) -> Any:
    policy = POLICY.without("differencing")
    request = asked.begin()
    answer = compute_answer(asked, request, table=table, policy=policy)
    return settle(answer, asked, request, policy=policy, ledger=MemoryLedger(table, "0" * 64)).block


def test_a_complement_of_few_persons_is_seen_beside_a_set_of_many() -> None:
    table = replace(tables()["nl"], site="nl")
    asked = plan(bent_protocol(analysis("asked", "cox", endpoint="rfs", terms=["age", "nodes"])), "asked")
    with pytest.raises(AnswerRefused, match="smallest-cell: censored"):
        _release(asked, _of_three_persons(table, table.columns["event"] == 0))


def test_a_column_of_many_rows_is_judged_as_by_counting_every_value() -> None:
    rows = 3000
    random = np.random.default_rng(7)
    for others in (3, 4, 5, 1400):
        column = np.where(np.arange(rows) < others, random.normal(size=rows), 7.0)
        alone, counted = (Design(("x",), column[:, None], 1, places=at) for at in (None, np.arange(rows)))
        assert alone.minorities == counted.minorities == (others,)
    spread = Design(("x",), random.normal(size=(rows, 1)), 1)
    assert spread.minorities == (rows // 2,)


def _rows(*persons: int, of: int = 40) -> np.ndarray:
    return np.bincount(persons, minlength=of)


def test_answers_that_differ_by_one_of_two_rows_of_a_patient_are_told_apart() -> None:
    everyone = range(40)
    all_rows, but_one = _rows(*everyone, 7), _rows(*everyone)
    assert Differences([all_rows]).would_reveal([but_one], smallest=5)
    assert not Differences([all_rows > 0]).would_reveal([but_one > 0], smallest=5)
    five_more = _rows(*everyone, 1, 2, 3, 4, 5)
    assert not Differences([five_more]).would_reveal([but_one], smallest=5)


def test_a_node_refuses_the_second_of_two_answers_that_differ_by_one_row_of_a_patient_of_two_rows() -> None:
    table = replace(tables()["de"], site="de")
    youngest = int(np.argmin(table.columns["age_years"]))
    persons = list(table.persons)
    persons[youngest] = persons[youngest + 1]
    older = [{"variable": "age_years", "above": float(table.columns["age_years"][youngest])}]
    protocol = bent_protocol(
        analysis("all", "moments", variables=["nodes"]),
        analysis("older", "moments", variables=["nodes"], where=older),
    )
    twice = replace(table, persons=tuple(persons))
    ledger = MemoryLedger(twice, "0" * 64)
    for name, answered in (("all", True), ("older", False)):
        asked = plan(protocol, name)
        answer = compute_answer(asked, asked.begin(), table=twice, policy=POLICY)
        if answered:
            settle(answer, asked, asked.begin(), policy=POLICY, ledger=ledger)
        else:
            with pytest.raises(AnswerRefused, match="differencing: rows"):
                settle(answer, asked, asked.begin(), policy=POLICY, ledger=ledger)
