"""The compiled kernels equal slow, obvious code on random series: gaps, zeros, huge counts, offsets, dates."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from corridor import science
from tests.reference import detection as slow

pytestmark = pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")

FREQUENCY = 26


@st.composite
def made_series(draw, *, length):
    """Draw a series of counts: level, season, trend, spread, gaps and runs of zeros."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    level = 10 ** draw(st.floats(-1.5, 5))
    season = draw(st.sampled_from([0.0, 0.5, 1.5]))
    slope = draw(st.sampled_from([0.0, 0.3, -0.5]))
    spread = draw(st.sampled_from([1.0, 1.5, 8.0]))
    t = np.arange(length)
    mean = level * np.exp(season * np.cos(2 * np.pi * t / FREQUENCY) + slope * t / length)
    size = mean / (spread - 1) if spread > 1 else None
    counts = random.poisson(mean if size is None else random.gamma(size, mean / size)).astype(float)
    if draw(st.booleans()):
        counts[t % FREQUENCY < draw(st.integers(1, 6))] = 0.0
    if draw(st.booleans()):
        counts[random.integers(0, length - 1, 3)] *= 30
    if draw(st.booleans()):
        counts[:-1][random.random(length - 1) < 0.08] = np.nan
    return counts


def _assert_equal(alarms, series, reference):
    """Compare one judged count with its slow judgement."""
    assert bool(alarms.alarm[0, series]) == reference.alarm
    for name in ("expected", "upperbound", "pvalue", "phi"):
        ours, theirs = getattr(alarms, name)[0, series], getattr(reference, name)
        if theirs is None:
            assert np.isnan(ours), name
        else:
            assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-12), name
    if reference.trend is not None:
        assert alarms.trend[0, series] == reference.trend


flexible_options = st.fixed_dictionaries(
    {
        "years_back": st.integers(2, 4),
        "half_window": st.integers(0, 3),
        "periods": st.sampled_from([1, 2, 5, 10]),
        "reweight": st.booleans(),
        "weights_threshold": st.sampled_from([1.0, 2.58]),
        "alpha": st.sampled_from([0.05, 0.01, 0.001]),
        "trend": st.booleans(),
        "trend_p": st.sampled_from([1.0, 0.05]),
        "min_cases": st.sampled_from([0, 5]),
        "min_cases_weeks": st.integers(1, 4),
        "power": st.sampled_from(["2/3", "1/2", "none"]),
        "threshold": st.sampled_from(["delta", "nb-plugin", "muan"]),
    }
)


@settings(deadline=None)
@given(counts=made_series(length=4 * FREQUENCY + 10), options=flexible_options, excluded=st.integers(0, 13))
def test_improved_method_equals_the_slow_one(counts, options, excluded):
    k = counts.size - 1
    reference = slow.farrington(counts, k, frequency=FREQUENCY, excluded=excluded, **options)
    assume(not reference.close_call)

    alarms = science.farrington_flexible(counts, frequency=FREQUENCY, past_weeks_excluded=excluded, **options)

    _assert_equal(alarms, 0, reference)


@settings(deadline=None)
@given(counts=made_series(length=4 * FREQUENCY + 10), options=flexible_options, seed=st.integers(0, 2**32 - 1))
def test_improved_method_with_population_equals_the_slow_one(counts, options, seed):
    people = np.random.default_rng(seed).integers(1_000, 1_000_000) * np.linspace(1, 1.3, counts.size)
    reference = slow.farrington(counts, counts.size - 1, frequency=FREQUENCY, excluded=5, population=people, **options)
    assume(not reference.close_call)

    alarms = science.farrington_flexible(
        counts, frequency=FREQUENCY, past_weeks_excluded=5, population=people, **options
    )

    _assert_equal(alarms, 0, reference)


@settings(deadline=None)
@given(
    begin=st.dates(date(1996, 1, 1), date(2015, 1, 1)),
    seed=st.integers(0, 2**32 - 1),
    missing=st.booleans(),
    threshold=st.sampled_from(["delta", "nb-plugin"]),
)
def test_dated_weeks_are_compared_with_the_same_season(begin, seed, missing, threshold):
    random = np.random.default_rng(seed)
    days = [begin + timedelta(weeks=week) for week in range(52 * 4 + 8)]
    counts = random.poisson(6 + 4 * np.sin(np.arange(len(days)) * 2 * np.pi / 52.18)).astype(float)
    if missing:
        counts[random.integers(0, 30, 20)] = np.nan
    options = {"years_back": 3, "threshold": threshold}
    reference = slow.farrington(counts, counts.size - 1, days=days, **options)
    assume(not reference.close_call)

    alarms = science.farrington_flexible(counts, dates=days, **options)

    _assert_equal(alarms, 0, reference)


@settings(deadline=None)
@given(
    counts=made_series(length=4 * FREQUENCY + 10),
    years_back=st.integers(2, 4),
    alpha=st.sampled_from([0.05, 0.01]),
    power=st.sampled_from(["2/3", "1/2", "none"]),
    trend=st.booleans(),
    reweight=st.booleans(),
)
def test_classic_method_equals_the_slow_one(counts, years_back, alpha, power, trend, reweight):
    options = {"years_back": years_back, "alpha": alpha, "power": power, "trend": trend, "reweight": reweight}
    reference = slow.farrington(
        counts, counts.size - 1, classic=True, frequency=FREQUENCY, weights_threshold=1.0, trend_p=0.05, **options
    )
    assume(not reference.close_call)

    alarms = science.farrington(counts, frequency=FREQUENCY, **options)

    _assert_equal(alarms, 0, reference)


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(0, 10**9) | st.integers(0, 3), min_size=20, max_size=30),
    gap=st.none() | st.integers(0, 19),
    method=st.sampled_from(["c1", "c2", "c3"]),
    baseline=st.integers(2, 9),
    min_sigma=st.sampled_from([0.0, 0.5]),
)
def test_ears_equals_the_slow_one(counts, gap, method, baseline, min_sigma):
    series = np.array(counts, float)
    if gap is not None:
        series[gap] = np.nan
    evaluate = np.arange(baseline + 4, series.size)

    alarms = science.ears(series, method=method, baseline=baseline, min_sigma=min_sigma, evaluate=evaluate)

    for row, k in enumerate(evaluate):
        limit, alarm = slow.ears(series, k, method=method, baseline=baseline, min_sigma=min_sigma)
        if np.isnan(limit):
            assert np.isnan(alarms.upperbound[row, 0])
        elif np.isinf(limit) or limit == 0.0:
            assert alarms.upperbound[row, 0] == pytest.approx(limit, abs=1e-6 * max(1.0, np.nanmax(series)))
        else:
            assert alarms.upperbound[row, 0] == pytest.approx(limit, rel=1e-9, abs=1e-9 * np.nanmax(series))
            if abs(series[k] - limit) > 1e-6:
                assert bool(alarms.alarm[row, 0]) == alarm
