"""What Cox regression promises, whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor import science
from corridor.base.streams import stream
from corridor.science.cox_newton import sum_blocks
from corridor.science.linear_systems import inverse, solve
from tests.science.survival_rows import drawn_rows


def _site(name: str = "a", *, count: int = 200, effect: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = stream(1, "cox", name)
    covariates = random.normal(size=(count, 2))
    times = np.ceil(random.exponential(200 * np.exp(-effect * covariates[:, 0])))
    return times, (random.random(count) < 0.6).astype(int), covariates


@given(rows=drawn_rows(), seed=st.integers(0, 1000))
def test_order_of_rows_does_not_matter(rows, seed):
    shuffled = rows.part(np.random.default_rng(seed).permutation(len(rows.times)))
    beta = np.full(rows.covariates.shape[1], 0.3)

    one = science.cox_site_block(*rows.given, beta, **rows.options)
    other = science.cox_site_block(*shuffled.given, beta, **shuffled.options)

    np.testing.assert_allclose(one.loglik, other.loglik, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(one.gradient, other.gradient, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(one.information, other.information, rtol=1e-9, atol=1e-9)


@given(rows=drawn_rows(least=6))
def test_strata_of_a_site_add_up_like_sites(rows):
    options = {name: value for name, value in rows.options.items() if name != "strata"}
    half = np.arange(len(rows.times)) % 2
    beta = np.full(rows.covariates.shape[1], -0.4)
    parts = [rows.part(np.flatnonzero(half == side)) for side in (0, 1)]
    blocks = []
    for part in parts:
        if part.events.any():
            alone = {name: value for name, value in part.options.items() if name != "strata"}
            blocks.append(science.cox_site_block(*part.given, beta, **alone))

    together = science.cox_site_block(*rows.given, beta, **options, strata=half)
    added = sum_blocks(blocks, width=beta.size)

    np.testing.assert_allclose(together.loglik, added.loglik, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(together.gradient, added.gradient, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(together.information, added.information, rtol=1e-9, atol=1e-9)


def test_a_whole_weight_counts_like_repeated_rows_under_breslow():
    times, events, covariates = _site()
    copies = stream(1, "copies").integers(1, 4, times.size)
    repeated = np.repeat(np.arange(times.size), copies)

    weighted = science.cox_site_block(times, events, covariates, [0.1, 0.2], ties="breslow", weights=copies)
    longer = science.cox_site_block(times[repeated], events[repeated], covariates[repeated], [0.1, 0.2], ties="breslow")

    assert weighted.loglik == pytest.approx(longer.loglik, rel=1e-12)
    np.testing.assert_allclose(weighted.information, longer.information, rtol=1e-10, atol=1e-9)


def test_a_spell_cut_in_two_changes_nothing():
    times, events, covariates = _site()
    middle = np.floor(times / 2)
    entry = np.concatenate([np.full(times.size, -1.0), middle])
    ends = np.concatenate([middle, times])
    ended = np.concatenate([np.zeros(times.size, int), events])

    whole = science.cox_site_block(times, events, covariates, [0.1, 0.2])
    cut = science.cox_site_block(ends, ended, np.tile(covariates, (2, 1)), [0.1, 0.2], entry=entry)

    assert cut.loglik == pytest.approx(whole.loglik, rel=1e-12)
    np.testing.assert_allclose(cut.gradient, whole.gradient, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(cut.information, whole.information, rtol=1e-9, atol=1e-9)


def test_those_who_came_and_went_later_leave_no_rounding_behind():
    early, late = np.arange(1.0, 6.0), np.arange(11.0, 16.0)
    covariates = np.concatenate([np.linspace(-1, 1, 5), np.linspace(34, 36, 5)])[:, np.newaxis]
    entry = np.repeat([0.0, 10.0], 5)

    apart = science.cox_site_block(np.concatenate([early, late]), np.ones(10, int), covariates, [1.0], entry=entry)
    halves = [
        science.cox_site_block(times, np.ones(5, int), covariates[part], [1.0])
        for times, part in ((early, slice(5)), (late, slice(5, 10)))
    ]

    assert apart.loglik == pytest.approx(halves[0].loglik + halves[1].loglik, rel=1e-12)
    np.testing.assert_allclose(apart.gradient, halves[0].gradient + halves[1].gradient, rtol=1e-10)


def test_a_constant_added_to_a_covariate_changes_nothing():
    times, events, covariates = _site()

    one = science.cox_site_block(times, events, covariates, [0.1, 0.2])
    moved = science.cox_site_block(times, events, covariates + 4096.0, [0.1, 0.2])

    np.testing.assert_allclose(moved.information, one.information, rtol=1e-9)


def test_each_site_replays_the_steps_to_the_last_bit():
    sites = [science.CoxRows(*_site("a")), science.CoxRows(*_site("b", count=90))]
    state, told = science.newton_start(["x", "y"]), []
    while not state.converged:
        told.append([site.block(state.beta) for site in sites])
        state = science.newton_step(state, told[-1])

    replayed = science.newton_start(["x", "y"])
    for blocks in told:
        replayed = science.newton_step(replayed, blocks)

    assert replayed.converged
    assert replayed.beta.tobytes() == state.beta.tobytes()


def test_a_step_that_lowers_the_likelihood_is_halved():
    state = science.newton_start(["x"])
    state = science.newton_step(state, [science.CoxBlock(-100.0, np.array([16.0]), np.array([[4.0]]))])

    worse = science.newton_step(state, [science.CoxBlock(-101.0, np.array([-1.0]), np.array([[1.0]]))])
    lost = science.newton_step(worse, [science.CoxBlock(-np.inf, np.zeros(1), np.zeros((1, 1)))])

    assert state.beta.tolist() == [4.0]
    assert worse.beta.tolist() == [2.0]
    assert lost.beta.tolist() == [1.0]
    assert not lost.converged


def test_a_fit_that_only_falls_is_given_up_with_words():
    state = science.newton_start(["x"])
    state = science.newton_step(state, [science.CoxBlock(-100.0, np.array([16.0]), np.array([[4.0]]))])

    lower = science.CoxBlock(-200.0, np.array([8.0]), np.array([[2.0]]))

    def go_on(state: science.NewtonState) -> science.NewtonState:
        return go_on(science.newton_step(state, [lower]))

    with pytest.raises(science.NotConverged, match="found no maximum"):
        go_on(state)


def test_too_few_rounds_are_said():
    with pytest.raises(science.NotConverged, match="in 2 rounds"):
        science.fit_cox([science.CoxRows(*_site())], names=["x", "y"], limit=2)


def test_separation_is_recognised_and_named():
    times, events, covariates = _site()
    covariates[:, 1] = 0.0
    covariates[np.flatnonzero(events == 0)[:30], 1] = 1.0  # nobody with the event has it

    with pytest.raises(science.MonotoneLikelihood, match="'never'") as caught:
        science.fit_cox([science.CoxRows(times, events, covariates)], names=["x", "never"])

    assert caught.value.columns == (1,)


@pytest.mark.parametrize("count", [30, 300])
def test_separation_by_two_covariates_together_is_recognised(count):
    random = stream(1, "together", str(count))
    first, second = random.normal(size=(2, count))
    times = np.argsort(np.argsort(-(first + second))) + 1.0

    table = np.column_stack([first, second, random.normal(size=count)])
    rows = science.CoxRows(times, np.ones(count, int), table)

    with pytest.raises(science.MonotoneLikelihood) as caught:
        science.fit_cox([rows], names=["first", "second", "third"])

    assert set(caught.value.columns) <= {0, 1}


def test_separation_that_one_step_leaps_into_is_recognised():
    exposed = np.arange(28) < 17

    with pytest.raises(science.MonotoneLikelihood):
        science.fit_cox([science.CoxRows(np.ones(28), exposed, exposed * 1.0, ties="breslow")], names=["exposed"])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_separation_by_the_order_of_times_is_recognised_whatever_the_unit(scale):
    times = np.arange(1.0, 21.0)

    with pytest.raises(science.MonotoneLikelihood):
        science.fit_cox([science.CoxRows(times, np.ones(20, int), scale * times)], names=["x"])


@pytest.mark.parametrize("effect", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("count", [12, 40, 2000])
def test_strong_effects_in_small_sites_are_no_separation(effect, count):
    random = stream(1, "strong", str(effect), str(count))
    x = random.normal(size=count)
    times = random.exponential(np.exp(-effect * x))
    overlapping = x.copy()
    overlapping[np.argsort(times)[:2]] = [-2.0, 2.0]

    fit = science.fit_cox([science.CoxRows(times, np.ones(count, int), overlapping)], names=["x"])

    assert np.isfinite(fit.se).all()
    assert abs(science.CoxRows(times, np.ones(count, int), overlapping).block(fit.coef).gradient[0]) < 1e-5


@given(seed=st.integers(0, 2**32 - 1))
def test_no_estimate_is_given_just_where_none_exists(seed):
    random = np.random.default_rng(seed)
    count = int(random.integers(4, 40))
    x = random.normal(size=count) if random.random() < 0.5 else (random.random(count) < 0.3) * 1.0
    times = random.exponential(np.exp(-random.choice([0.0, 3.0]) * x))
    times = np.ceil(5 * times) if random.random() < 0.5 else times
    events = (random.random(count) < 0.5).astype(int)
    events[0] = 1
    rows = science.CoxRows(times, events, x, ties=str(random.choice(["efron", "breslow"])))

    def is_infinite() -> bool:
        """Every event has the highest value of its risk set, or every one the lowest."""
        sets = [(x[times >= times[i]], x[i]) for i in np.flatnonzero(events)]
        return all(own == there.max() for there, own in sets) or all(own == there.min() for there, own in sets)

    try:
        science.fit_cox([rows], names=["x"])
    except (science.MonotoneLikelihood, science.CollinearCovariates):
        # Values that nearly touch may nearly separate; two levels do or do not.
        assert is_infinite() or np.unique(x).size > 2
    else:
        assert not is_infinite()


@pytest.mark.parametrize("apart", [0.0, 1e-7])
def test_a_covariate_that_follows_from_others_is_named(apart):
    times, events, covariates = _site()
    noise = apart * stream(1, "noise").normal(size=times.size)
    table = np.column_stack([covariates, covariates[:, 0] - 2 * covariates[:, 1] + noise])

    with pytest.raises(science.CollinearCovariates, match="'sum' is a linear combination"):
        science.fit_cox([science.CoxRows(times, events, table)], names=["x", "y", "sum"])


@pytest.mark.parametrize("strata", [None, "by site"])
def test_a_covariate_without_variation_at_any_event_is_named(strata):
    times, events, covariates = _site()
    site = np.arange(times.size) % 2
    covariates[:, 1] = 0.1 if strata is None else 0.1 + site * 7.3

    rows = science.CoxRows(times, events, covariates, strata=None if strata is None else site)

    with pytest.raises(science.CollinearCovariates, match="'y' does not vary"):
        science.fit_cox([rows], names=["x", "y"])


def test_age_and_its_square_are_not_taken_for_collinear():
    times, events, _ = _site()
    age = stream(1, "age").integers(20, 90, times.size).astype(float)

    fit = science.fit_cox([science.CoxRows(times, events, np.column_stack([age, age**2]))], names=["age", "age2"])

    assert np.isfinite(fit.se).all()


def test_coefficients_that_leave_the_range_of_numbers_are_refused():
    with pytest.raises(science.CoefficientsTooLarge, match="Scale the covariates"):
        science.cox_site_block(*_site(), [1e5, 0.0])


def test_without_events_there_is_no_regression():
    times, events, covariates = _site()
    with pytest.raises(science.NoEvents, match="none happened"):
        science.CoxRows(times, 0 * events, covariates)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"times": [1.0, -2.0, 3.0]}, "times: 1 row lie before 0"),
        ({"times": [1.0, np.nan, 3.0]}, "times: 1 row are missing"),
        ({"events": [0, 2, 1]}, "expected 0 or 1|hold something else than 0 or 1"),
        ({"events": [0, 1]}, "events has shape"),
        ({"covariates": [[1.0], [np.inf], [2.0]]}, "covariates: 1 rows have a missing"),
        ({"covariates": [["a"], ["b"], ["c"]]}, "categories as dummies"),
        ({"weights": [1.0, 0.0, 1.0]}, "weights: 1 row are not above 0"),
        ({"entry": [0.0, 2.0, 1.0]}, "entry: 1 row enter when"),
        ({"strata": ["a", "b"]}, "strata has shape"),
        ({"strata": ["a", None, "b"]}, "strata mixes kinds of labels, or some are missing"),
    ],
)
def test_rows_at_fault_are_counted_never_shown(change, text):
    given = {"times": [1.0, 2.0, 3.0], "events": [0, 1, 1], "covariates": [[1.0], [0.0], [2.0]]} | change

    with pytest.raises(science.BadSurvivalData, match=text):
        science.CoxRows(**given)


def test_unknown_ties_and_wrong_blocks_are_refused():
    with pytest.raises(science.BadModel, match="'exact'; expected 'efron' or 'breslow'"):
        science.CoxRows(*_site(), ties="exact")
    with pytest.raises(science.BadModel, match="expected \\(2,\\)"):
        science.CoxRows(*_site()).block([0.0])
    with pytest.raises(science.BadModel, match="block 0 has a gradient"):
        science.newton_step(science.newton_start(["x", "y"]), [science.CoxBlock(0.0, np.zeros(1), np.eye(2))])
    with pytest.raises(science.BadModel, match="no result yet"):
        science.cox_fit(science.newton_start(["x"]))


def test_plain_solution_equals_that_of_lapack():
    root = stream(1, "solve").normal(size=(40, 12))
    matrix, right = root.T @ root, np.arange(12.0)
    names = [f"x{number}" for number in range(12)]

    np.testing.assert_allclose(solve(matrix, right, names=names), np.linalg.solve(matrix, right), rtol=1e-10)
    np.testing.assert_allclose(inverse(matrix, names=names), np.linalg.inv(matrix), rtol=1e-10, atol=1e-14)
