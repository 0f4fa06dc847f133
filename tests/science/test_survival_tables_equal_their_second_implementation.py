"""Curves, tests and pair counts from tables equal slow, obvious code that looks at one person at a time."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from corridor import science
from tests.reference import survival as slow

seeds = st.integers(0, 2**32 - 1)


def _drawn(seed: int, *, most: int = 30, whole: bool = True):
    """Return times, events, groups, entries and a generator; tiny sites and many ties are likely."""
    random = np.random.default_rng(seed)
    count = int(random.integers(2, most))
    times = np.ceil(random.exponential(random.choice([3.0, 20.0]), count)) + (0 if whole else 0.5)
    events = (random.random(count) < random.choice([0.3, 0.8])).astype(int)
    entry = np.maximum(times - np.ceil(random.exponential(8.0, count)), 0.0)
    return times, events, random.integers(0, 3, count), entry, random


@given(seed=seeds, delayed=st.booleans(), whole=st.booleans())
def test_curve_on_distinct_times_equals_the_slow_one(seed, delayed, whole):
    times, events, _, entry, _ = _drawn(seed, whole=whole)
    since = entry if delayed else None
    table = science.interval_table(times, events, edges=science.distinct_edges(times, entry=since), entry=since)

    curve = science.kaplan_meier(table)

    for t, survival, se in zip(curve.times, curve.survival, curve.se, strict=True):
        np.testing.assert_allclose([survival, se], slow.kaplan_meier(times, events, t, since), rtol=1e-10, atol=1e-14)


@given(seed=seeds, grid=st.sampled_from([2.0, 7.0]), delayed=st.booleans())
def test_curve_of_a_table_on_a_grid_is_that_of_coarsened_times(seed, grid, delayed):
    times, events, _, entry, _ = _drawn(seed)
    since = entry if delayed else None
    edges = np.arange(0.0, times.max() + 2 * grid, grid)
    coarse = science.coarsen(times, grid_days=grid)
    begun = science.coarsen(entry, grid_days=grid, down=True) if delayed else None

    raw = science.interval_table(times, events, edges=edges, entry=since)
    rounded = science.interval_table(coarse, events, edges=edges, entry=begun)
    curve = science.kaplan_meier(raw)

    assert raw.events.tolist() == rounded.events.tolist()
    assert raw.at_risk.tolist() == rounded.at_risk.tolist()
    for t, survival in zip(curve.times, curve.survival, strict=True):
        assert survival == pytest.approx(slow.kaplan_meier(coarse, events, t, begun)[0], rel=1e-10, abs=1e-14)


@given(seed=seeds, tau=st.integers(1, 30))
def test_restricted_mean_equals_the_area_by_days(seed, tau):
    times, events, _, _, _ = _drawn(seed)
    assume(tau <= times.max())
    table = science.interval_table(times, events, edges=science.distinct_edges(times))

    mean = science.kaplan_meier(table).restricted_mean(float(tau))

    np.testing.assert_allclose([mean.value, mean.se], slow.restricted_mean(times, events, tau), rtol=1e-10, atol=1e-12)


@given(seed=seeds)
def test_incidence_and_its_error_equal_the_delta_method(seed):
    times, events, _, _, random = _drawn(seed, most=20)
    causes = events * random.integers(1, 4, events.size)
    table = science.interval_table(times, causes, edges=science.distinct_edges(times), competing=3)

    for cause in (1, 3):
        curve = science.cumulative_incidence(table, cause=cause)
        last = float(curve.times[-1])
        value, se = slow.cumulative_incidence(times, causes, last, cause)
        assert curve.incidence[-1] == pytest.approx(value, rel=1e-10, abs=1e-14)
        assert curve.se[-1] == pytest.approx(se, rel=1e-6, abs=1e-7)


@given(seed=seeds, rho=st.sampled_from([0.0, 1.0, 0.5]), delayed=st.booleans(), stratified=st.booleans())
def test_logrank_sums_equal_the_slow_ones(seed, rho, delayed, stratified):
    times, events, groups, entry, random = _drawn(seed)
    options = {"entry": entry if delayed else None, "strata": random.integers(0, 2, times.size) if stratified else None}

    block = science.logrank_block(times, events, groups, rho=rho, labels=(0, 1, 2), **options)

    observed, expected, variance = slow.logrank(times, events, groups, (0, 1, 2), rho=rho, **options)
    np.testing.assert_allclose(block.observed, observed, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(block.expected, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(block.variance, variance, rtol=1e-10, atol=1e-12)


@given(seed=seeds, levels=st.sampled_from([2, 5, 1000]), stratified=st.booleans())
def test_concordance_equals_the_slow_count_of_pairs(seed, levels, stratified):
    times, events, _, _, random = _drawn(seed)
    score = random.integers(0, levels, times.size).astype(float)
    strata = random.integers(0, 2, times.size) if stratified else None
    counts, value, se = slow.concordance(times, events, score, strata)

    block = science.concordance_block(times, events, score, strata=strata)

    found = [block.concordant, block.discordant, block.tied_score, block.tied_time, block.tied_both]
    assert found == counts
    if value is not None:
        result = science.concordance([block])
        assert result.value == pytest.approx(value, rel=1e-12)
        assert result.se == pytest.approx(se, rel=1e-8, abs=1e-7)


@given(seed=seeds, grid=st.sampled_from([2.0, 7.0]), cut=st.booleans())
def test_concordance_of_tables_equals_the_slow_count_on_coarsened_rows(seed, grid, cut):
    times, events, groups, _, random = _drawn(seed)
    score = random.normal(size=times.size)
    edges = np.arange(0.0, times.max() + 2 * grid, grid)[: 3 if cut else None]
    limits = [-0.5, 0.0, 0.8]
    coarse = science.coarsen(times, grid_days=grid)
    beyond = coarse > edges[-1]
    coarse[beyond] = edges[-1] + 1
    counts, value, se = slow.concordance(coarse, np.where(beyond, 0, events), np.digitize(score, limits))

    halves = [groups == 0, groups != 0]
    bins = np.digitize(score, limits)
    tables = [
        science.interval_table(times[half], events[half], edges=edges, groups=bins[half], labels=range(4))
        for half in halves
    ]
    block = science.concordance_block_of_table(science.combine_tables(tables))

    assert [block.concordant, block.discordant, block.tied_score, block.tied_time, block.tied_both] == counts
    if value is not None:
        result = science.concordance([block])
        assert result.value == pytest.approx(value, rel=1e-12)
        assert result.se == pytest.approx(se, rel=1e-8, abs=1e-7)
