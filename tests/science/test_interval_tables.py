"""What interval tables, and what is computed from them, promise whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor import science
from corridor.base.streams import stream
from tests.reference import survival as slow
from tests.science.survival_rows import drawn_rows

EDGES = np.arange(0.0, 400.0, 10.0)


def _site(name: str = "a", *, count: int = 120):
    random = stream(1, "tables", name)
    times = np.ceil(random.exponential(80.0, count))
    return times, random.integers(0, 3, count), random.integers(0, 2, count), random


def _table(name: str = "a", **options) -> science.IntervalTable:
    times, causes, groups, _ = _site(name)
    return science.interval_table(
        times, causes, **({"edges": EDGES, "groups": groups, "labels": (0, 1), "competing": 2} | options)
    )


def _left(table: science.IntervalTable) -> np.ndarray:
    return table.events.sum(axis=0) + table.censored


def test_everybody_is_counted_once():
    table = _table(edges=EDGES[:12])

    people = _left(table).sum() + table.remaining.sum()

    assert people == table.entered.sum() == 120
    assert table.remaining.sum() > 0


def test_who_enters_later_is_at_risk_from_there_on():
    table = science.interval_table([35, 60, 60], [1, 0, 1], edges=[0, 10, 20, 30, 40, 60], entry=[0, 20, 25])

    assert table.entered.ravel().tolist() == [1, 0, 2, 0, 0]
    assert table.at_risk.ravel().tolist() == [1, 1, 3, 3, 2]
    assert table.events.ravel().tolist() == [0, 0, 0, 1, 1]


def test_tables_of_sites_add_up_to_that_of_all_rows():
    parts = [_site("a"), _site("b", count=30)]
    rows = [np.concatenate([part[column] for part in parts]) for column in range(3)]

    added = science.combine_tables([_table("a"), science.interval_table(
        parts[1][0], parts[1][1], edges=EDGES, groups=parts[1][2], labels=(0, 1), competing=2
    )])  # fmt: skip
    whole = science.interval_table(rows[0], rows[1], edges=EDGES, groups=rows[2], competing=2)

    assert added.events.tolist() == whole.events.tolist()
    assert added.at_risk.tolist() == whole.at_risk.tolist()


def test_sites_that_merged_differently_meet_on_the_edges_they_share():
    coarse = _table("b").on_edges(np.array([0.0, 30.0, 60.0, 390.0]))
    finer = _table("a").on_edges(np.array([0.0, 20.0, 30.0, 60.0, 200.0, 390.0]))

    added = science.combine_tables([coarse, finer])

    assert added.edges.tolist() == [0.0, 30.0, 60.0, 390.0]
    assert added.entered.sum() == 240
    assert added.at_risk[1].tolist() == (coarse.at_risk[1] + finer.at_risk[2]).tolist()


@given(seed=st.integers(0, 10_000), least=st.integers(1, 12))
def test_merged_intervals_satisfy_what_was_asked_and_lose_nobody(seed, least):
    random = np.random.default_rng(seed)
    times, events = np.ceil(random.exponential(60, 80)), random.integers(0, 2, 80)
    table = science.interval_table(times, events, edges=np.arange(0.0, times.max() + 10, 10.0))
    asked = []

    def enough(interval: science.IntervalTable) -> bool:
        asked.append(interval)
        return bool((_left(interval) >= least).all() and (interval.at_risk >= least).all())

    merged = science.merge_intervals(table, enough=enough)

    assert all(interval.intervals == 1 for interval in asked)
    assert (_left(merged) >= least).all()
    assert merged.edges[[0, -1]].tolist() == table.edges[[0, -1]].tolist()
    assert _left(merged).sum() == 80
    assert set(merged.edges.tolist()) <= set(table.edges.tolist())


def test_the_question_about_an_interval_tells_who_is_at_risk_in_it():
    table = _table()
    told = []
    science.merge_intervals(table, enough=lambda interval: told.append(interval.at_risk.tolist()[0]) or True)

    assert told == table.at_risk.tolist()


def test_intervals_that_never_suffice_become_one():
    merged = science.merge_intervals(_table(), enough=lambda interval: False)

    assert merged.edges.tolist() == [0.0, 390.0]
    assert merged.entered.sum() == 120


def test_merging_gives_the_table_of_the_coarser_edges():
    edges = np.array([0.0, 40.0, 90.0, 200.0])

    assert _table().on_edges(edges).events.tolist() == _table(edges=edges).events.tolist()
    assert _table().on_edges(edges).at_risk.tolist() == _table(edges=edges).at_risk.tolist()


def test_a_curve_never_sees_what_lies_beyond_a_cut():
    whole, cut = science.kaplan_meier(_table()), science.kaplan_meier(_table().until(100.0))

    np.testing.assert_array_equal(cut.survival, whole.survival[:10])
    np.testing.assert_array_equal(cut.low, whole.low[:10])
    with pytest.raises(science.BadModel, match="tells from 0 to 100"):
        cut.at(101.0)


def test_fractions_of_days_and_edges_fall_into_the_same_intervals():
    times = np.array([0.5, 1.0, 1.5, 2.0, 2.000001, 9.0])

    whole = science.interval_table(times, np.ones(6, int), edges=[0, 1, 2, 4])
    broken = science.interval_table(times / 4, np.ones(6, int), edges=[0, 0.25, 0.5, 1])

    assert whole.events.tolist() == broken.events.tolist() == [[[2], [2], [1]]]
    assert whole.remaining.tolist() == [1]


def test_times_are_rounded_up_and_entries_down():
    assert science.coarsen([0, 1, 30, 31, 60.5], grid_days=30).tolist() == [30, 30, 30, 60, 90]
    assert science.coarsen([0, 1, 30, 31], grid_days=30, down=True).tolist() == [0, 0, 30, 30]


def test_incidences_of_all_causes_and_survival_add_up_to_one():
    table = _table()

    parts = [science.cumulative_incidence(table, cause=cause).incidence for cause in (1, 2)]

    np.testing.assert_allclose(sum(parts) + science.kaplan_meier(table).survival, 1.0, rtol=1e-12)


def test_incidence_of_a_single_cause_has_the_error_of_greenwood():
    times, causes, _, _ = _site()
    table = science.interval_table(times, causes > 0, edges=EDGES[:20])

    incidence, curve = science.cumulative_incidence(table), science.kaplan_meier(table)

    np.testing.assert_allclose(incidence.se[1:], curve.se[1:], rtol=1e-10)


@given(
    rows=drawn_rows(most=25), beta=st.lists(st.floats(-1, 1), min_size=4, max_size=4), grid=st.sampled_from([2.0, 5.0])
)
def test_interval_sums_of_two_sites_equal_pooled_cox_on_coarsened_times(rows, beta, grid):
    at = np.array(beta[: rows.covariates.shape[1]])
    options = {name: value for name, value in rows.options.items() if name in {"weights", "entry"}}
    coarse = {"weights": options.get("weights"), "ties": rows.options["ties"]}
    if "entry" in options:
        coarse["entry"] = science.coarsen(np.maximum(options["entry"], 0.0), grid_days=grid, down=True)
    edges = np.arange(0.0, rows.times.max() + 2 * grid, grid)
    half = np.arange(len(rows.times)) % 2 == 0
    loglik, gradient, information = slow.cox_block(
        science.coarsen(rows.times, grid_days=grid), rows.events, rows.covariates, at, **coarse
    )

    blocks = [
        science.cox_interval_block(
            rows.times[side], rows.events[side], rows.covariates[side], at, edges=edges,
            **{name: value[side] for name, value in options.items()}, centre=rows.covariates[0],
        )
        for side in (half, ~half)
    ]  # fmt: skip
    found = science.combine_cox_intervals(blocks, at, ties=rows.options["ties"])

    assert found.loglik == pytest.approx(loglik, rel=1e-8, abs=1e-8)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-8, atol=1e-7)
    np.testing.assert_allclose(found.information, information, rtol=1e-8, atol=1e-7)


def test_a_group_that_nobody_is_beside_has_no_say_in_the_test():
    times, _, groups, _ = _site()
    events = np.ones(times.size, int)
    blocks = [
        science.logrank_block(times, events, groups, labels=(0, 1, "none")),
        science.logrank_block(times, events, groups, labels=(0, 1)),
    ]

    assert science.logrank_test(blocks[:1]).test == science.logrank_test(blocks[1:]).test


@pytest.mark.parametrize(
    ("work", "text"),
    [
        (lambda: science.interval_table([1, 2], [1, 0], edges=[0, 5, 5]), "ascending numbers"),
        (lambda: science.interval_table([1, 0], [1, 0], edges=[0, 5]), "1 rows lie at or before the first edge"),
        (lambda: science.interval_table([1, 2], [1, 3], edges=[0, 5], competing=2), "whole numbers from 0 to 2"),
        (lambda: science.interval_table([1, 2], [1, 0], edges=[0, 5], groups=[7, 8], labels=[7]), "1 labels"),
        (lambda: science.coarsen([1.0], grid_days=0), "grid_days is 0"),
        (lambda: science.combine_tables([]), "no tables"),
        (lambda: science.combine_tables([_table(), _table(labels=(1, 0))]), "differ in groups"),
        (lambda: science.combine_tables([_table(), _table(edges=[0, 33, 66])]), "share no interval"),
        (lambda: _table().until(33.0), "33 is not among the edges"),
        (lambda: _table().on_edges(np.array([10.0, 20.0])), "can only be merged"),
        (lambda: science.kaplan_meier(_table(), group="x"), "group is 'x'"),
        (lambda: science.kaplan_meier(_table(), scale="plain"), "expected 'log' or 'log-log'"),
        (lambda: science.kaplan_meier(_table(), confidence=95), "confidence is 95"),
        (lambda: science.kaplan_meier(_table()).quantile(1.0), "share between 0 and 1"),
        (lambda: science.kaplan_meier(_table()).restricted_mean(1000), "tells from 0 to 390"),
        (lambda: science.cumulative_incidence(_table(), cause=3), "cause is 3"),
        (lambda: science.logrank_block([0, 2], [1, 0], ["a", "b"]), "1 rows end at 0"),
        (lambda: science.logrank_block_of_table(_table(groups=None, labels=None)), "the table has one"),
        (lambda: science.logrank_block_of_table(_table(), rho=-1), "rho is -1"),
        (lambda: science.logrank_test([science.logrank_block([1, 2], [1, 0], [1, 1], labels=[1, 2])]), "nothing to"),
        (lambda: science.concordance([science.concordance_block([1, 1], [1, 1], [1, 2])]), "no two persons"),
        (lambda: science.concordance_block_of_table(
            science.interval_table([3, 9], [1, 1], edges=[0, 5, 10], entry=[0, 6])), "who enter late"),
        (lambda: science.cox_interval_block([1], [1], [[1e9]], [1.0], edges=[0, 5]), "Give a centre"),
        (lambda: science.combine_cox_intervals([], [1.0]), "blocks are missing"),
        (lambda: science.hazards_test([], names=["x"]), "blocks are missing"),
        (lambda: science.hazards_block(science.CoxRows([1, 2], [1, 1], [[1], [2]]), [0], transform="km"), "pooled"),
        (lambda: science.hazards_block(science.CoxRows([0, 2], [1, 1], [[1], [2]]), [0]), "no logarithm"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_what_to_do(work, text):
    with pytest.raises((science.BadModel, science.BadSurvivalData, science.CoefficientsTooLarge), match=text):
        work()
