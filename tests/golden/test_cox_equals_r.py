"""Cox regression over two sites reproduces R's survival within 1e-8 relative."""

import numpy as np
import pytest

from corridor import science
from tests.golden.breast_cancer import FOLDER, STUDIES, TERMS, cohorts, golden, pooled, treatment_weights
from tests.shared import shared

TOLERANCE = 1e-8
TIES = ("efron", "breslow")


def _assert_fit(fit: science.CoxFit, expected: dict, *, robust: bool = False) -> None:
    variance = np.atleast_2d(np.array(expected["vcov"]))
    np.testing.assert_allclose(fit.coef, np.atleast_1d(expected["coef"]), rtol=TOLERANCE)
    np.testing.assert_allclose(fit.se, np.atleast_1d(expected["se"]), rtol=TOLERANCE)
    np.testing.assert_allclose(fit.vcov, variance, rtol=TOLERANCE, atol=TOLERANCE * np.abs(variance).max())
    np.testing.assert_allclose(fit.hr_low, np.atleast_1d(expected["hr_ci95_lo"]), rtol=TOLERANCE)
    np.testing.assert_allclose(fit.hr_high, np.atleast_1d(expected["hr_ci95_hi"]), rtol=TOLERANCE)
    np.testing.assert_allclose(fit.p, np.atleast_1d(expected["p"]), rtol=1e-7)
    found = [fit.loglik, fit.loglik_null, fit.wald.statistic, fit.score.statistic, fit.likelihood_ratio.statistic]
    theirs = [expected[name] for name in ("loglik", "loglik_null", "wald_test", "score_test")]
    np.testing.assert_allclose(found, [*theirs, expected["lr_test"]["stat"]], rtol=TOLERANCE)
    if robust:
        naive = np.sqrt(np.diag(fit.naive_vcov))
        np.testing.assert_allclose(naive, np.atleast_1d(expected["naive_se"]), rtol=TOLERANCE)
        assert fit.robust_score is not None
        assert fit.robust_score.statistic == pytest.approx(expected["robust_score_test"], rel=TOLERANCE)


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("site", ["NL", "DE"])
@pytest.mark.parametrize("at", ["at_zero", "at_stratified_mle"])
def test_block_of_a_site_equals_that_of_r(study, ties, site, at):
    expected = golden(study)["cox_blocks"][ties][site][at]
    cohort = cohorts(study)[site]

    block = science.cox_site_block(cohort.times, cohort.events, cohort.covariates, expected["beta"], ties=ties)

    assert block.loglik == pytest.approx(expected["loglik"], rel=TOLERANCE)
    np.testing.assert_allclose(block.gradient, expected["gradient"], rtol=TOLERANCE, atol=1e-8)
    np.testing.assert_allclose(block.information, expected["information"], rtol=TOLERANCE, atol=1e-8)


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("ties", TIES)
def test_fit_stratified_by_site_equals_that_of_r(study, ties):
    sites = [science.CoxRows(part.times, part.events, part.covariates, ties=ties) for part in cohorts(study).values()]

    fit = science.fit_cox(sites, names=TERMS)

    _assert_fit(fit, golden(study)["cox"][f"stratified_by_site_{ties}"])


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("ties", TIES)
def test_fit_of_pooled_rows_equals_that_of_r(study, ties):
    both = pooled(study)

    fit = science.fit_cox([science.CoxRows(both.times, both.events, both.covariates, ties=ties)], names=TERMS)

    _assert_fit(fit, golden(study)["cox"][f"unstratified_{ties}"])


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("ties", TIES)
def test_weighted_fit_with_robust_errors_equals_that_of_r(study, ties):
    sites = [
        science.CoxRows(part.times, part.events, part.hormon, ties=ties, weights=weights)
        for part, weights in zip(cohorts(study).values(), treatment_weights(study), strict=True)
    ]

    fit = science.fit_cox(sites, names=["hormon"], robust=True)

    _assert_fit(fit, golden(study)["iptw"]["ate"][f"cox_stratified_by_site_{ties}"], robust=True)


@pytest.mark.parametrize("ties", TIES)
def test_weighted_fit_of_pooled_rows_has_the_robust_error_of_r(ties):
    both = pooled()
    weights = np.concatenate(treatment_weights())
    rows = science.CoxRows(both.times, both.events, both.hormon, ties=ties, weights=weights)

    fit = science.fit_cox([rows], names=["hormon"], robust=True)

    _assert_fit(fit, golden()["iptw"]["ate"][f"cox_unstratified_{ties}"], robust=True)


def test_rounds_do_not_depend_on_who_adds_up():
    sites = [science.CoxRows(part.times, part.events, part.covariates) for part in cohorts().values()]

    fits = [science.fit_cox(order, names=TERMS) for order in (sites, sites[::-1])]

    assert fits[0].rounds == fits[1].rounds
    np.testing.assert_allclose(fits[0].coef, fits[1].coef, rtol=1e-12)


def test_committed_cohorts_are_those_of_the_source():
    for name in ("site_nl.csv", "site_de.csv"):
        assert (FOLDER / name).read_bytes() == shared(f"golden/research/{name}").read_bytes()
