"""What detection promises, whatever the numbers are."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from corridor import science
from corridor.science import _tails
from corridor.science.detection import METHODS

pytestmark = pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")

WEEKS = 52 * 6


def _counts(*, series: int = 3, seed: int = 1, mean: float = 8.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    season = mean * np.exp(0.4 * np.cos(2 * np.pi * np.arange(WEEKS) / 52))
    return random.negative_binomial(season / 0.5, 1 / 1.5, size=(series, WEEKS)).T.astype(float)


def _results(alarms: science.Alarms) -> dict[str, np.ndarray]:
    names = ("alarm", "judged", "expected", "upperbound", "score", "pvalue", "trend", "phi", "used")
    return {name: getattr(alarms, name) for name in names}


def _assert_same(one: science.Alarms, other: science.Alarms, *, order=slice(None)) -> None:
    for name, values in _results(one).items():
        np.testing.assert_array_equal(values, getattr(other, name)[:, order], err_msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_order_of_places_does_not_matter(method):
    counts = _counts(series=5)
    order = [3, 0, 4, 1, 2]

    shuffled = science.detect(counts[:, order], method=method, evaluate=[-2, -1])

    _assert_same(shuffled, science.detect(counts, method=method, evaluate=[-2, -1]), order=order)


@pytest.mark.parametrize("method", METHODS)
def test_an_alarm_depends_on_the_past_alone(method):
    counts = _counts()
    longer = np.vstack([counts, np.full((10, 3), 500.0)])

    ahead = science.detect(longer, method=method, evaluate=[WEEKS - 1])

    _assert_same(ahead, science.detect(counts, method=method))


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    method=st.sampled_from(["farrington-flexible", "farrington", "ears-c1", "ears-c2"]),
    threshold=st.sampled_from(["delta", "nb-plugin", "muan"]),
)
def test_one_case_more_never_lowers_an_alarm(seed, method, threshold):
    counts = _counts(series=1, seed=seed, mean=4)
    more = counts.copy()
    more[-1] += 1
    options = {"threshold": threshold} if method == "farrington-flexible" else {}

    before = science.detect(counts, method=method, **options)
    after = science.detect(more, method=method, **options)

    assert after.alarm[0, 0] >= before.alarm[0, 0]


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), alpha=st.floats(0.001, 0.2))
def test_alarm_and_p_value_tell_the_same_story(seed, alpha):
    counts = _counts(series=1, seed=seed)
    counts[-1] += 12

    alarms = science.farrington_flexible(counts, alpha=alpha)
    assume(abs(alarms.pvalue[0, 0] - alpha) > 1e-9)

    assert alarms.alarm[0, 0] == (alarms.pvalue[0, 0] <= alpha)


def test_a_planted_outbreak_raises_an_alarm():
    counts = _counts()
    counts[-1, 1] = 80

    alarms = science.farrington_flexible(counts)

    assert alarms.alarm.tolist() == [[False, True, False]]
    assert alarms.pvalue[0, 1] < 1e-6


def test_a_constant_population_changes_nothing():
    counts = _counts()

    alone = science.farrington_flexible(counts)
    offset = science.farrington_flexible(counts, population=[1_000, 50_000, 2_000_000])

    np.testing.assert_allclose(offset.upperbound, alone.upperbound)
    np.testing.assert_allclose(offset.expected, alone.expected, rtol=1e-7)


def test_a_grown_population_raises_the_expected_count():
    counts = _counts(series=1)
    people = np.full((WEEKS, 1), 1e5)
    people[-1] *= 2

    alarms = science.farrington_flexible(counts, population=people)

    assert alarms.expected[0, 0] == pytest.approx(2 * science.farrington_flexible(counts).expected[0, 0], rel=1e-6)


def test_an_excluded_outbreak_no_longer_lifts_the_limit():
    calm = _counts(series=1)
    sick = calm.copy()
    sick[-54:-44] = 300
    mask = np.zeros(WEEKS, bool)
    mask[-54:-44] = True
    hidden = calm.copy()
    hidden[-54:-44] = np.nan

    lifted = science.farrington_flexible(sick, reweight=False)
    excluded = science.farrington_flexible(sick, reweight=False, exclude=mask)

    assert lifted.upperbound[0, 0] > 3 * excluded.upperbound[0, 0]
    _assert_same(excluded, science.farrington_flexible(hidden, reweight=False))


def test_down_weighting_holds_a_past_outbreak_down():
    sick = _counts(series=1)
    sick[-54:-50] = 300

    weighted = science.farrington_flexible(sick)
    plain = science.farrington_flexible(sick, reweight=False)

    assert weighted.upperbound[0, 0] < plain.upperbound[0, 0] / 2


def test_paper_mode_differs_only_where_r_departs_from_the_papers():
    counts = _counts()

    compatible = science.farrington_flexible(counts)
    paper = science.farrington_flexible(counts, paper=True)

    np.testing.assert_array_equal(paper.upperbound, compatible.upperbound)
    np.testing.assert_array_equal(paper.expected, compatible.expected)
    expected_score = (counts[-1] - paper.expected) / (paper.upperbound - paper.expected)
    np.testing.assert_allclose(paper.score, expected_score)
    assert (compatible.score != paper.score).all()


def test_a_late_first_count_moves_the_trend_in_r_and_not_in_the_paper():
    days = [date(2015, 1, 5) + timedelta(weeks=week) for week in range(WEEKS)]
    counts = np.round(_counts(series=1) * np.exp(np.linspace(0, 1.5, WEEKS))[:, None])
    counts[: WEEKS - 240] = np.nan

    compatible = science.farrington_flexible(counts, dates=days)
    paper = science.farrington_flexible(counts, dates=days, paper=True)

    assert paper.trend[0, 0] == 1
    assert compatible.expected[0, 0] != pytest.approx(paper.expected[0, 0], rel=0.01)


def test_the_last_missing_count_is_not_judged_but_has_a_limit():
    counts = _counts(series=1)
    counts[-1] = np.nan

    alarms = science.farrington_flexible(counts)

    assert not alarms.judged[0, 0]
    assert not alarms.alarm[0, 0]
    assert alarms.upperbound[0, 0] > 0


@pytest.mark.parametrize("value", [0, 1, 999, 9_999, 10**6, 10**9, 10**12])
@pytest.mark.parametrize("threshold", ["delta", "nb-plugin", "muan"])
def test_constant_counts_of_any_size_are_judged_without_an_abort(value, threshold):
    counts = np.full((WEEKS, 1), float(value))

    alarms = science.farrington_flexible(counts, threshold=threshold, min_cases=0)

    assert not alarms.alarm[0, 0]
    if value >= 1:
        assert alarms.expected[0, 0] == pytest.approx(value, rel=1e-6)


def test_a_season_without_a_case_gives_no_infinite_limit():
    counts = _counts(series=1)
    counts[(np.arange(WEEKS) - WEEKS + 1) % 52 > 40] = 0
    counts[(np.arange(WEEKS) - WEEKS + 1) % 52 < 4] = 0

    alarms = science.farrington_flexible(counts, threshold="muan", min_cases=0)

    assert not np.isinf(alarms.upperbound).any()


@pytest.mark.parametrize(
    ("weeks", "name"),
    [
        (52 * 5 + 4, "farrington-flexible"),
        (52 * 4 + 4, "farrington-flexible, 4 years back"),
        (52 * 2 + 4, "farrington-flexible, 2 years back"),
        (52, "ears-c1"),
        (8, "ears-c1"),
        (7, ""),
    ],
)
def test_a_short_history_is_judged_by_the_best_method_that_it_allows(weeks, name):
    alarms = science.detect(_counts()[-weeks:])

    assert {alarms.methods[number] for number in alarms.used.ravel()} == {name}
    assert bool(alarms.notes) == (name != "farrington-flexible")
    assert alarms.fallback == ({} if name == "farrington-flexible" else dict.fromkeys(range(3), name))


def test_a_late_beginning_of_one_series_leaves_the_others_alone():
    counts = _counts()
    whole = science.detect(counts)
    late = counts.copy()
    late[: WEEKS - 60, 1] = np.nan

    alarms = science.detect(late)

    assert alarms.fallback == {1: "ears-c1"}
    assert "59 epochs of history" in str(alarms.notes[1])
    np.testing.assert_array_equal(alarms.upperbound[:, [0, 2]], whole.upperbound[:, [0, 2]])
    assert alarms.upperbound[0, 1] == science.ears(counts[:, 1]).upperbound[0, 0]


def test_a_simpler_method_keeps_the_rule_of_enough_cases():
    counts = np.zeros((30, 1))
    counts[-1] = 1

    assert science.ears(counts).alarm[0, 0]
    assert not science.detect(counts).alarm[0, 0]
    assert science.detect(counts, min_cases=1).alarm[0, 0]


def test_each_judged_epoch_falls_back_for_itself():
    counts = _counts(series=1)[: 52 * 5 + 8]

    alarms = science.detect(counts, evaluate=np.arange(250, counts.shape[0]))

    first_whole = 52 * 5 + 3 - 250
    assert (alarms.used[first_whole:] == 1).all()
    assert {alarms.methods[number] for number in alarms.used[:first_whole, 0]} == {"farrington-flexible, 4 years back"}


def test_many_series_are_joined_as_if_judged_one_by_one():
    counts = _counts(series=600)
    counts[: WEEKS - 30, 599] = np.nan
    heard = []

    together = science.detect(counts, progress=lambda done, of: heard.append((done, of)))

    assert heard[-1] == (600, 600)
    assert together.fallback == {599: "ears-c1"}
    for series in (0, 251, 598):
        _assert_same(science.detect(counts[:, series]), together, order=[series])


def test_without_fallback_a_short_history_is_an_error():
    with pytest.raises(science.TooFewWeeks, match="5 years back with a half window of 3 need 263"):
        science.detect(_counts()[-100:], fallback=False)


@pytest.mark.parametrize(
    ("arguments", "fault", "text"),
    [
        ({"method": "farington"}, science.UnknownMethod, "farrington-flexible"),
        ({"window": 3}, science.BadOption, "no option 'window'"),
        ({"alpha": 1.5}, science.BadOption, "between 0 and 1"),
        ({"periods": 90}, science.BadOption, "fewer periods"),
        ({"half_window": 30}, science.BadOption, "overlap"),
        ({"threshold": "delta2"}, science.BadOption, "nb-plugin"),
        ({"evaluate": [999]}, science.BadOption, "outside 0 to 311"),
        ({"population": [1, 2]}, science.BadCounts, r"expected \(3,\)"),
        ({"population": [1, -2, 1]}, science.BadCounts, "negative"),
        ({"exclude": [True]}, science.BadCounts, "exclude has shape"),
        ({"dates": ["2024-01-01"]}, science.BadDates, "1 dates for 312 epochs"),
        ({"dates": ["x"] * WEEKS}, science.BadDates, "ISO dates"),
        ({"method": "ears-c1", "population": 5}, science.BadOption, "counts alone"),
        ({"method": "ears-c1", "baseline": 1}, science.BadOption, "2 epochs or more"),
    ],
)
def test_a_wrong_argument_is_named(arguments, fault, text):
    with pytest.raises(fault, match=text):
        science.detect(_counts(), **arguments)


@pytest.mark.parametrize("wrong", [-1.0, 2.5, np.inf])
def test_a_count_that_is_none_is_named_by_its_place(wrong):
    counts = _counts()
    counts[5, 2] = wrong

    with pytest.raises(science.BadCounts, match="epoch 5, series 2"):
        science.detect(counts)


def test_a_gap_in_dates_is_an_error_and_no_reason_to_fall_back():
    days = np.array([np.datetime64("2015-01-05") + 7 * week for week in range(WEEKS)])
    days[:100] -= np.timedelta64(1, "D")

    with pytest.raises(science.BadDates, match="no epoch of the series"):
        science.detect(_counts(), dates=days)


@settings(deadline=None)
@given(
    mean=st.floats(1e-4, 1e5),
    phi=st.just(1.0) | st.floats(1.001, 1e3),
    alpha=st.sampled_from([0.1, 0.05, 0.01, 0.001]),
    shift=st.floats(-3, 6),
)
def test_tails_and_quantiles_equal_those_of_scipy(mean, phi, alpha, shift):
    law = stats.poisson(mean) if phi == 1.0 else stats.nbinom(mean / (phi - 1), 1 / phi)
    y = float(max(0, round(mean + shift * np.sqrt(phi * mean))))
    assume(law.sf(y - 1) > 1e-250)

    assert _tails.upper_tail(y, mean, phi) == pytest.approx(law.sf(y - 1), rel=1e-7)

    limit = _tails.upper_quantile(alpha, stats.norm.isf(alpha), mean, phi)
    assert law.sf(limit) <= alpha * (1 + 1e-7)
    assert limit == 0 or law.sf(limit - 1) > alpha * (1 - 1e-7)


@pytest.mark.parametrize("mean", [np.nan, np.inf, 0.0, -1.0, 1e300])
def test_a_mean_beyond_all_counts_gives_no_quantile(mean):
    assert np.isnan(_tails.upper_quantile(0.01, 2.3, mean, 2.0))


def test_the_package_loads_no_compiled_code_before_it_is_needed():
    import subprocess
    import sys

    code = "import sys; from corridor import science; print('numba' in sys.modules, 'scipy' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False"]
