"""Estimates put together and E-values: worked examples of the papers, and slow second ways."""

import numpy as np
import pytest
from scipy import optimize

from corridor import science
from corridor.science.survival_data import BadModel, BadSurvivalData

ESTIMATES = [0.10, 0.52, -0.21, 0.88, 0.33]
VARIANCES = [0.04, 0.09, 0.02, 0.12, 0.05]


def restricted_likelihood(tau_squared: float) -> float:
    """Return the restricted log-likelihood, written down directly (Viechtbauer 2005, equation 15)."""
    y, spread = np.array(ESTIMATES), np.array(VARIANCES) + tau_squared
    mean = np.average(y, weights=1 / spread)
    return float(-0.5 * (np.log(spread).sum() + np.log((1 / spread).sum()) + ((y - mean) ** 2 / spread).sum()))


def test_reml_maximises_the_restricted_likelihood():
    best = optimize.minimize_scalar(
        lambda value: -restricted_likelihood(value), bounds=(0, 2), method="bounded", options={"xatol": 1e-12}
    )

    found = science.pool_estimates(ESTIMATES, VARIANCES, method="reml")

    assert found.tau_squared == pytest.approx(best.x, rel=1e-5)


def test_hartung_and_knapp_take_errors_from_the_scatter_of_the_sites():
    found = science.pool_estimates(ESTIMATES, VARIANCES, method="reml", knapp_hartung=True)

    weight = found.weights
    scatter = (weight * (np.array(ESTIMATES) - found.estimate) ** 2).sum() / 4
    assert found.se == pytest.approx(np.sqrt(scatter))
    assert found.df == 4
    assert found.high - found.estimate == pytest.approx(2.7764451051977987 * found.se)


def test_sites_that_agree_have_no_variance_between_them():
    found = science.pool_estimates([0.2, 0.2, 0.2], [0.1, 0.2, 0.3], method="reml")

    assert found.tau_squared == 0
    assert science.heterogeneity([0.2, 0.2, 0.2], [0.1, 0.2, 0.3]).i_squared == 0


@pytest.mark.parametrize(
    ("estimates", "variances", "fault"),
    [([0.1], [0.1], BadModel), ([0.1, 0.2], [0.1, 0.0], BadSurvivalData), ([0.1, 0.2], [0.1], BadSurvivalData)],
)
def test_estimates_that_cannot_be_put_together_are_named(estimates, variances, fault):
    with pytest.raises(fault):
        science.pool_estimates(estimates, variances)


def test_the_e_value_is_that_of_the_worked_example():
    # VanderWeele and Ding 2017: risk ratio 3.9 (1.8 to 8.7) gives 7.26 and 3.0.
    found = science.e_value(3.9, 1.8, 8.7)

    assert found.estimate == pytest.approx(7.26, abs=0.005)
    assert found.limit == pytest.approx(3.0, abs=0.005)


def test_a_protective_ratio_has_the_e_value_of_its_inverse():
    found, inverse = science.e_value(1 / 3.9, 1 / 8.7, 1 / 1.8), science.e_value(3.9, 1.8, 8.7)

    assert found.estimate == pytest.approx(inverse.estimate)
    assert found.limit == pytest.approx(inverse.limit)


def test_limits_that_enclose_no_effect_need_no_confounder():
    assert science.e_value(1.2, 0.9, 1.6).limit == 1
