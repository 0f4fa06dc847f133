"""Every guard of disclosure control, with what it stops and what it lets through; and off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.pillars.research.rules.analyses import Request
from corridor.pillars.research.rules.disclosure import (
    GUARDS,
    Design,
    Exposure,
    Likelihood,
    Policy,
    Share,
    TimeTable,
    judge,
    noisy_count,
    suppress_counts,
)
from tests.attack.breast import TERMS, analysis, bent_protocol, tables
from tests.attack.playing import Victim, plan

POLICY = Policy()
ROWS = 200
RANDOM = np.random.default_rng(20261128)


def _reasons(exposure: Exposure, policy: Policy = POLICY) -> set[str]:
    return {breach.guard for breach in judge(exposure, policy)}


def _design(*columns: np.ndarray, parameters: int = 0, events: int | None = None) -> Exposure:
    matrix = np.column_stack(columns)
    names = tuple(f"x{place}" for place in range(matrix.shape[1]))
    return Exposure(designs=(Design(names, matrix, parameters=parameters or len(names), events=events),))


def _flag(count: int) -> np.ndarray:
    return (np.arange(ROWS) < count).astype(float)


def _timed(events: list[int], censored: list[int], beyond: tuple[int, int] = (30, 20), *, grid: int = 30) -> Exposure:
    edges = np.arange(len(events) + 1.0) * grid
    return Exposure(
        time_table=TimeTable(
            edges=edges,
            arms=("all",),
            events=np.array(events)[:, None],
            others=np.array(censored)[None, :, None],
            beyond=np.array(beyond)[:, None],
        )
    )


NUMBER = RANDOM.normal(size=ROWS)
ONE_FAR_OFF = np.where(np.arange(ROWS) == 0, 1e4, NUMBER)
EVEN = np.ones(ROWS)
FOUR_OF_FIFTY = np.isin(np.arange(ROWS), [0, 1, 2, 3, *range(100, 146)]).astype(float)

STOPPED = {
    "smallest-cell": Exposure(cells={"grade=1": 4}),
    "dominance": Exposure(shares=(Share("nodes", 0.21),)),
    "degrees-of-freedom": _design(NUMBER, parameters=21),
    "minority": _design(_flag(4)),
    "leverage": _design(ONE_FAR_OFF),
    "weights": Exposure(weights=np.where(np.arange(ROWS) == 0, 1e6, 1.0)),
    "events": Exposure(events_by_group={"treated": 4}),
    "time-grid": _timed([6, 4, 6], [0, 0, 0]),
    "likelihood": Exposure(likelihood=Likelihood("cox", -1003.1, -1000.0, parameters=3)),
}
LET_THROUGH = {
    "smallest-cell": Exposure(cells={"grade=1": 5, "grade=2": 0}),
    "dominance": Exposure(shares=(Share("nodes", 0.2), Share("nodes x nodes", 0.75, is_fitted=True))),
    "degrees-of-freedom": _design(NUMBER, parameters=20, events=100),
    "minority": _design(_flag(5), 1 - _flag(100)),
    "leverage": _design(NUMBER),
    "weights": Exposure(weights=EVEN),
    "events": Exposure(events_by_group={"treated": 5}),
    "time-grid": _timed([6, 5, 6], [0, 5, 0]),
    "likelihood": Exposure(likelihood=Likelihood("cox", -1003.0, -1000.0, parameters=3)),
}


@pytest.mark.parametrize("guard", STOPPED)
def test_a_guard_stops_what_it_is_for_and_lets_it_through_when_it_is_off(guard: str) -> None:
    assert guard in _reasons(STOPPED[guard])
    assert guard not in _reasons(STOPPED[guard], POLICY.without(guard))


@pytest.mark.parametrize("guard", LET_THROUGH)
def test_what_keeps_the_rule_may_leave(guard: str) -> None:
    assert guard not in _reasons(LET_THROUGH[guard])


@pytest.mark.parametrize(
    ("exposure", "guard"),
    [
        (Exposure(row_sets={"young": np.arange(ROWS) < 3}), "smallest-cell"),
        (Exposure(weights=np.ones(4)), "weights"),
        (_design(_flag(ROWS - 3)), "minority"),
        (_design(_flag(100), FOUR_OF_FIFTY), "minority"),
        (_design(NUMBER, events=4), "degrees-of-freedom"),
        (_timed([6, 6], [0, 0], beyond=(3, 20)), "time-grid"),
        (_timed([6, 6], [0, 2]), "time-grid"),
        (_timed([6, 6], [0, 0], grid=31), "time-grid"),
        (Exposure(likelihood=Likelihood("cox", float("nan"), -1000.0, parameters=3)), "likelihood"),
    ],
    ids=[
        "a-set-of-three",
        "four-weights",
        "all-but-three",
        "an-overlap-of-four",
        "four-events",
        "three-events-beyond",
        "two-censored",
        "edges-off-the-grid",
        "no-likelihood",
    ],
)
def test_the_other_ways_to_break_a_rule_are_stopped_too(exposure: Exposure, guard: str) -> None:
    assert guard in _reasons(exposure)


def test_a_guard_that_does_not_exist_cannot_be_switched_off() -> None:
    with pytest.raises(ValueError, match="no such guard"):
        POLICY.without("small-cell")
    assert not judge(STOPPED["weights"], POLICY.without(*GUARDS))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(2, 7))
def test_no_total_less_what_is_shown_leaves_few_persons(counts: list[int], smallest: int) -> None:
    shown = suppress_counts(counts, smallest=smallest)
    withheld = [count for count, told in zip(counts, shown, strict=True) if told is None]
    assert all(told is None or told == 0 or told >= smallest for told in shown)
    assert all(told is None or told == count for count, told in zip(counts, shown, strict=True))
    if withheld and sum(counts) >= smallest:
        # What is missing is no single small part, and not few persons altogether.
        assert len(withheld) > 1
        assert sum(withheld) >= smallest


@given(st.integers(5, 10_000), st.floats(0.1, 20), st.binary(min_size=16, max_size=16))
def test_noise_is_the_same_for_the_same_persons_and_hides_no_count_below_the_rule(
    count: int, scale: float, key: bytes
) -> None:
    persons = [f"p{number}" for number in range(12)]
    first = noisy_count(count, persons, scale=scale, key=key, smallest=5)
    assert first == noisy_count(count, reversed(persons), scale=scale, key=key, smallest=5)
    assert first >= 5


def test_noise_has_the_spread_that_its_scale_promises_and_no_bias() -> None:
    keys = [number.to_bytes(4, "big") for number in range(4000)]
    drawn = np.array([noisy_count(10_000, ["a", "b"], scale=3.0, key=key, smallest=5) for key in keys]) - 10_000
    ratio = np.exp(-1 / 3.0)
    assert abs(drawn.mean()) < 0.35
    assert drawn.std() == pytest.approx(np.sqrt(2 * ratio) / (1 - ratio), rel=0.06)
    assert noisy_count(0, [], scale=3.0, key=b"k", smallest=5) == 0
    assert noisy_count(70, ["a"], scale=0.0, key=b"", smallest=5) == 70


def test_more_coefficients_than_a_fit_needs_are_not_answered_whatever_the_model_is_called() -> None:
    terms = [{"name": "years", "variable": "age_years", "per": 10}, {"name": "years_too", "variable": "age_years"}]
    protocol = bent_protocol(
        analysis("one", "cox", endpoint="rfs", terms=["age", "nodes"]),
        analysis("two", "cox", endpoint="rfs", terms=["nodes", "years"], ties="breslow"),
        terms=terms,
    )
    for off, answered in ((False, 10), (True, 24)):
        victim = Victim(tables()["de"], POLICY.without("likelihood", *(["evaluations"] if off else [])))
        blocks = []
        for step in range(12):
            blocks.append(victim.ask(plan(protocol, "one"), _at(step, [0.001 * step, 0.0])))
            blocks.append(victim.ask(plan(protocol, "two"), _at(step, [0.0, 0.001 * step + 0.0005])))
        assert sum(block is not None for block in blocks) == answered


def _at(step: int, beta: list[float]) -> Request:
    return Request(step + 1, "block", {"beta": beta})


def test_a_false_mean_does_not_hide_one_patient_who_makes_up_a_sum_of_squares() -> None:
    table = tables()["de"]
    far = table.columns["nodes"].copy()
    far[0] = 100.0
    small = replace(table, columns={**table.columns, "nodes": np.where(np.arange(len(far)) == 0, 100.0, far % 2 + 1)})
    protocol = bent_protocol(analysis("spread", "moments", variables=["nodes"]))
    asked = plan(protocol, "spread")
    for mean in (1.5, 1e6):
        assert Victim(small, POLICY).ask(asked, Request(2, "squares", {"mean:all": [mean]})) is None


def test_a_false_start_makes_no_slopes_look_likely() -> None:
    protocol = bent_protocol(analysis("odds", "logistic", outcome="event", terms=list(TERMS)))
    asked, policy = plan(protocol, "odds"), POLICY.without("dominance")
    table = replace(tables()["nl"], site="nl")
    beta = [0.0] * 11
    beta[7] = 3.0  # nodes: whoever has more of them outweighs the rest
    for start in (0.0, 14.0):
        request = Request(2, "block", {"beta": beta, "start": [start], "variance": [1.0]})
        assert Victim(table, policy).ask(asked, request) is None
        slopeless = Request(
            2, "block", {"beta": [start, *beta[1:7], 0.0, *beta[8:]], "start": [start], "variance": [1.0]}
        )
        assert Victim(table, policy).ask(asked, slopeless) is not None


def test_an_amended_endpoint_of_the_same_name_is_another_question() -> None:
    def amended(members: dict) -> None:
        members["endpoints"][0]["follow_up_days"] = 730

    fit = analysis("fit", "cox", endpoint="rfs", terms=["hormon"])
    victim = Victim(tables()["de"], POLICY.without("differencing"))
    before = victim.ask(plan(bent_protocol(fit), "fit"))
    after = victim.ask(plan(bent_protocol(fit, change=amended), "fit"))
    assert before is not None
    assert after is not None
    assert before["n"] != after["n"]
