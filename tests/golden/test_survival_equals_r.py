"""Curves, tests and concordance over two sites reproduce R's survival: tables within 1e-10, the rest within 1e-8."""

import gzip
import json
from typing import Any

import numpy as np
import pytest

from corridor import science
from tests.golden.breast_cancer import FOLDER, STUDIES, TERMS, cohorts, golden, pooled

TABLE = 1e-10
MODEL = 1e-8
MORE: dict[str, Any] = json.loads(gzip.decompress((FOLDER / "more.json.gz").read_bytes()))
GRIDS = (30, 91)


def _rows() -> np.ndarray:
    return np.arange(pooled().times.size)


def _by_site(values: np.ndarray) -> list[np.ndarray]:
    return np.split(values, [cohorts()["NL"].times.size])


def _exact_table(times: np.ndarray, events: np.ndarray, **options: Any) -> science.IntervalTable:
    edges = science.distinct_edges(times, entry=options.get("entry"))
    return science.interval_table(times, events, edges=edges, **options)


def _coarse_table(grid: int, **options: Any) -> science.IntervalTable:
    """Return the sum of both sites' tables on the grid."""
    edges = np.arange(0.0, 8000.0, grid)
    tables = []
    for number, part in enumerate(cohorts().values()):
        given = {name: _by_site(value)[number] for name, value in options.items() if name != "competing"}
        events = given.pop("causes", part.events)
        competing = options.get("competing", 1)
        tables.append(science.interval_table(part.times, events, edges=edges, competing=competing, **given))
    return science.combine_tables(tables)


def _assert_curve(curve: science.SurvivalCurve, expected: dict[str, Any], names: tuple[str, ...]) -> None:
    """Compare at the days of R's result; where nobody is left R goes on with the last value."""
    for number, day in enumerate(expected["time"]):
        if day > curve.times[-1]:
            continue
        found = curve.at(day)
        theirs = [expected[name][number] for name in names]
        for ours, other in zip((found.value, found.se, found.low, found.high), theirs, strict=True):
            if other is not None:
                assert ours == pytest.approx(other, rel=TABLE, abs=1e-15)


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("transform", ["identity", "log"])
def test_proportional_hazards_are_tested_as_in_r(study, ties, transform):
    expected = golden(study)["ph_test"][f"stratified_by_site_{ties}"][transform]
    beta = golden(study)["cox"][f"stratified_by_site_{ties}"]["coef"]
    blocks = [
        science.hazards_block(
            science.CoxRows(part.times, part.events, part.covariates, ties=ties), beta, transform=transform
        )
        for part in cohorts(study).values()
    ]

    found = science.hazards_test(blocks, names=TERMS)

    tests = [*found.covariates, found.together]
    np.testing.assert_allclose([test.statistic for test in tests], expected["chisq"], rtol=MODEL)
    np.testing.assert_allclose([test.p for test in tests], expected["p"], rtol=MODEL)
    assert [test.df for test in tests] == expected["df"]


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_weights_strata_clusters_and_delayed_entry_together_are_as_in_r(ties):
    expected = MORE["rich"][ties]
    both, row = pooled(), _rows()
    entry = np.floor(both.times * (row % 5) / 10)
    weights = 1 + (row % 3) / 2
    chosen = [place for place, name in enumerate(TERMS) if name != "grade3"]
    sites = [
        science.CoxRows(
            part.times,
            part.events,
            part.covariates[:, chosen],
            ties=ties,
            weights=_by_site(weights)[number],
            entry=_by_site(entry)[number],
            strata=part.covariates[:, TERMS.index("grade3")],
        )
        for number, part in enumerate(cohorts().values())
    ]

    state = science.newton_start(expected["terms"])
    while not state.converged:
        state = science.newton_step(state, [site.block(state.beta) for site in sites])
    wards = _by_site(row // 7)
    pairs = list(zip(sites, wards, strict=True))
    fit = science.cox_fit(
        state,
        products=[site.score_products(state.beta, clusters=ward) for site, ward in pairs],
        null_products=[site.score_products(0 * state.beta, clusters=ward) for site, ward in pairs],
    )

    np.testing.assert_allclose(fit.coef, expected["coef"], rtol=MODEL)
    np.testing.assert_allclose(fit.se, expected["se"], rtol=MODEL)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.naive_vcov)), expected["naive_se"], rtol=MODEL)
    np.testing.assert_allclose([fit.loglik_null, fit.loglik], expected["loglik"], rtol=MODEL)
    assert fit.robust_score.statistic == pytest.approx(expected["robust_score"], rel=MODEL)
    for transform in ("identity", "log"):
        blocks = [science.hazards_block(site, fit.coef, transform=transform) for site in sites]
        found = science.hazards_test(blocks, names=expected["terms"])
        statistics = [test.statistic for test in (*found.covariates, found.together)]
        np.testing.assert_allclose(statistics, expected[f"zph_{transform}"], rtol=MODEL)


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize(("scale", "name"), [("log", "log"), ("log-log", "loglog")])
def test_curves_medians_and_their_limits_are_those_of_r(study, scale, name):
    expected = golden(study)["km"][name]
    both = pooled(study)
    table = _exact_table(both.times, both.events, groups=both.hormon)
    theirs = {None: expected["overall"]["strata"]["all"]} | {
        group: expected["by_group_pooled"]["strata"][f"hormon={group}"] for group in (0, 1)
    }

    for group, curve_of_r in theirs.items():
        curve = science.kaplan_meier(table, group=group, scale=scale)
        _assert_curve(curve, curve_of_r, ("surv", "std_err_greenwood", "lower95", "upper95"))
        median = curve.quantile()
        limits = [curve_of_r[key] for key in ("median", "median_lcl", "median_ucl")]
        ours = [None if np.isnan(value) else value for value in (median.value, median.low, median.high)]
        assert ours == limits


@pytest.mark.parametrize("study", STUDIES)
def test_restricted_means_are_those_of_r(study):
    both = pooled(study)
    table = _exact_table(both.times, both.events, groups=both.hormon)
    theirs = {None: golden(study)["rmst"]["overall"]["all"]} | {
        group: golden(study)["rmst"]["by_group"][f"hormon={group}"] for group in (0, 1)
    }

    for group, expected in theirs.items():
        mean = science.kaplan_meier(table, group=group).restricted_mean(expected["tau"])
        assert mean.value == pytest.approx(expected["rmst"], rel=TABLE)
        assert mean.se == pytest.approx(expected["se"], rel=TABLE)


def test_curve_with_delayed_entry_is_that_of_r():
    both = pooled()
    entry = np.floor(both.times * (_rows() % 5) / 10)

    curve = science.kaplan_meier(_exact_table(both.times, both.events, entry=entry))

    _assert_curve(curve, MORE["entered"], ("surv", "se", "low", "high"))


@pytest.mark.parametrize("study", STUDIES)
def test_logrank_stratified_by_site_is_that_of_r(study):
    expected = golden(study)["logrank"]
    both = pooled(study)
    parts = cohorts(study)
    blocks = {
        "stratified_by_site": [science.logrank_block(part.times, part.events, part.hormon) for part in parts.values()],
        "unstratified": [science.logrank_block(both.times, both.events, both.hormon)],
        "peto_rho1_unstratified": [science.logrank_block(both.times, both.events, both.hormon, rho=1)],
    }

    for name, given in blocks.items():
        found = science.logrank_test(given)
        np.testing.assert_allclose(found.total.observed, expected[name]["observed"], rtol=TABLE)
        np.testing.assert_allclose(found.total.expected, expected[name]["expected"], rtol=TABLE)
        np.testing.assert_allclose(found.total.variance, expected[name]["var"], rtol=TABLE)
        assert found.test.statistic == pytest.approx(expected[name]["chisq"], rel=TABLE)
        assert found.test.p == pytest.approx(expected[name]["p"], rel=MODEL)
        assert found.test.df == expected[name]["df"]


def test_logrank_of_three_groups_is_that_of_r():
    expected = MORE["three_groups"]
    blocks = []
    for part in cohorts().values():
        size = np.where(part.covariates[:, 3] == 1, "gt20_le50", np.where(part.covariates[:, 4] == 1, "gt50", "le20"))
        blocks.append(science.logrank_block(part.times, part.events, size))

    found = science.logrank_test(blocks)

    np.testing.assert_allclose(found.total.observed, expected["observed"], rtol=TABLE)
    np.testing.assert_allclose(found.total.expected, expected["expected"], rtol=TABLE)
    assert found.test.statistic == pytest.approx(expected["chisq"], rel=TABLE)
    assert found.test.df == 2


@pytest.mark.parametrize("study", STUDIES)
def test_concordance_is_that_of_r(study):
    expected = golden(study)["concordance"]
    cox = golden(study)["cox"]
    both = pooled(study)
    whole = science.concordance_block(both.times, both.events, both.covariates @ cox["unstratified_efron"]["coef"])
    by_site = [
        science.concordance_block(part.times, part.events, part.covariates @ cox["stratified_by_site_efron"]["coef"])
        for part in cohorts(study).values()
    ]

    for name, blocks in {"unstratified_efron": [whole], "stratified_by_site_efron": by_site}.items():
        found = science.concordance(blocks)
        assert found.value == pytest.approx(expected[name]["concordance"], rel=TABLE)
        assert found.se == pytest.approx(expected[name]["se"], rel=TABLE)
        assert _counts(found) == list(expected[name]["counts"].values())


def test_concordance_of_tied_scores_is_that_of_r():
    nodes = TERMS.index("nodes")
    blocks = [
        science.concordance_block(part.times, part.events, part.covariates[:, nodes]) for part in cohorts().values()
    ]

    found = science.concordance(blocks)

    assert found.value == pytest.approx(MORE["tied_scores"]["value"], rel=TABLE)
    assert found.se == pytest.approx(MORE["tied_scores"]["se"], rel=TABLE)
    assert _counts(found) == MORE["tied_scores"]["counts"]


@pytest.mark.parametrize("grid", GRIDS)
def test_coarsened_curve_is_that_of_r_on_coarsened_times(grid):
    expected = MORE["coarse"][str(grid)]

    curve = science.kaplan_meier(_coarse_table(grid), scale="log-log")

    _assert_curve(curve, expected["km"], ("surv", "se", "low", "high"))
    for p, name in ((0.25, "quarter"), (0.5, "median")):
        found = curve.quantile(p)
        assert [found.value, found.low, found.high] == expected[name]
    mean = curve.restricted_mean(expected["rmst"]["tau"])
    assert mean.value == pytest.approx(expected["rmst"]["mean"], rel=TABLE)
    assert mean.se == pytest.approx(expected["rmst"]["se"], rel=TABLE)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize(("name", "rho"), [("logrank", 0.0), ("peto", 1.0)])
def test_unstratified_logrank_on_coarsened_times_is_that_of_r(grid, name, rho):
    expected = MORE["coarse"][str(grid)][name]

    block = science.logrank_block_of_table(_coarse_table(grid, groups=pooled().hormon), rho=rho)
    found = science.logrank_test([block])

    np.testing.assert_allclose(found.total.observed, expected["observed"], rtol=TABLE)
    np.testing.assert_allclose(found.total.expected, expected["expected"], rtol=TABLE)
    assert found.test.statistic == pytest.approx(expected["chisq"], rel=TABLE)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_unstratified_cox_on_coarsened_times_is_that_of_r(grid, ties):
    expected = MORE["coarse"][str(grid)]["cox"][ties]
    edges = np.arange(0.0, 8000.0, grid)

    state = science.newton_start(TERMS)
    while not state.converged:
        blocks = [
            science.cox_interval_block(part.times, part.events, part.covariates, state.beta, edges=edges)
            for part in cohorts().values()
        ]
        state = science.newton_step(state, [science.combine_cox_intervals(blocks, state.beta, ties=ties)])
    fit = science.cox_fit(state)

    np.testing.assert_allclose(fit.coef, expected["coef"], rtol=MODEL)
    np.testing.assert_allclose(fit.se, expected["se"], rtol=MODEL)
    np.testing.assert_allclose([fit.loglik_null, fit.loglik], expected["loglik"], rtol=MODEL)


@pytest.mark.parametrize("grid", GRIDS)
def test_incidence_on_coarsened_times_is_that_of_r(grid):
    expected = MORE["coarse"][str(grid)]["incidence"]
    causes = np.where(pooled().events == 1, 1 + (_rows() % 3 == 0), 0)
    table = _coarse_table(grid, causes=causes, competing=2)

    for cause, name in ((1, "one"), (2, "two")):
        curve = science.cumulative_incidence(table, cause=cause)
        found = [curve.at(day) for day in expected["time"]]
        np.testing.assert_allclose([point.value for point in found], expected[name], rtol=TABLE, atol=1e-15)
        np.testing.assert_allclose([point.se for point in found], expected[f"{name}_se"], rtol=TABLE, atol=1e-15)


@pytest.mark.parametrize("grid", GRIDS)
def test_concordance_of_all_pairs_on_coarsened_rows_is_that_of_r(grid):
    expected = MORE["coarse"][str(grid)]["concordance"]
    tables = [
        science.interval_table(
            part.times,
            part.events,
            edges=np.arange(0.0, 8000.0, grid),
            groups=np.digitize(
                0.5 * np.log1p(part.covariates[:, TERMS.index("nodes")]) - 0.3 * part.hormon,
                [0.2, 0.4, 0.6, 0.8, 1.0, 1.2],
            ),
            labels=range(7),
        )
        for part in cohorts().values()
    ]

    found = science.concordance([science.concordance_block_of_table(science.combine_tables(tables))])

    assert found.value == pytest.approx(expected["value"], rel=TABLE)
    assert found.se == pytest.approx(expected["se"], rel=TABLE)
    assert _counts(found) == expected["counts"]


@pytest.mark.parametrize(
    ("name", "times", "events"),
    [
        ("all_die", [1, 2, 3, 4], [1, 1, 1, 1]),
        ("censored_between", [1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 1, 0]),
        ("ends_level", [1, 2, 3, 4], [1, 1, 0, 0]),
        ("never", [1, 2, 3, 4], [1, 0, 0, 0]),
    ],
)
def test_a_median_where_the_curve_lies_level_is_that_of_r(name, times, events):
    curve = science.kaplan_meier(_exact_table(np.array(times, float), np.array(events)))

    found = curve.quantile()

    assert [None if np.isnan(value) else value for value in (found.value, found.low, found.high)] == (
        MORE["level_medians"][name]
    )


def _counts(found: science.Concordance) -> list[int]:
    total = found.total
    return [total.concordant, total.discordant, total.tied_score, total.tied_time, total.tied_both]
