"""Compiled sums over risk sets equal slow, obvious code on random rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corridor import science
from tests.reference import survival as slow
from tests.science.survival_rows import drawn_rows

coefficients = st.lists(st.floats(-1.5, 1.5), min_size=4, max_size=4)


def _assert_close(found, expected, *, scale=1.0):
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * scale)


@given(rows=drawn_rows(), beta=coefficients)
def test_block_equals_the_slow_one(rows, beta):
    at = np.array(beta[: rows.covariates.shape[1]])
    loglik, gradient, information = slow.cox_block(*rows.given, at, **rows.options)

    block = science.cox_site_block(*rows.given, at, **rows.options)

    _assert_close(block.loglik, loglik, scale=len(rows.times))
    _assert_close(block.gradient, gradient, scale=len(rows.times))
    _assert_close(block.information, information, scale=len(rows.times))


@given(rows=drawn_rows(), beta=coefficients)
def test_score_residuals_equal_the_slow_ones(rows, beta):
    at = np.array(beta[: rows.covariates.shape[1]])

    residuals = science.CoxRows(*rows.given, **rows.options).score_residuals(at)

    _assert_close(residuals, slow.score_residuals(*rows.given, at, **rows.options), scale=10.0)


@given(rows=drawn_rows(), beta=coefficients)
def test_block_with_scaled_event_times_equals_the_slow_one(rows, beta):
    at = np.array(beta[: rows.covariates.shape[1]])
    prepared = science.CoxRows(*rows.given, **rows.options)
    _, gradient, information = slow.cox_block(*rows.given, at, **rows.options, scale=lambda t: 1 + t**2)

    block = prepared.scaled_block(at, 1 + prepared.event_times**2)

    _assert_close(block.gradient, gradient, scale=1e3)
    _assert_close(block.information, information, scale=1e3)


@given(rows=drawn_rows(), beta=coefficients)
def test_score_products_by_cluster_are_those_of_added_residuals(rows, beta):
    at = np.array(beta[: rows.covariates.shape[1]])
    clusters = np.arange(len(rows.times)) // 3
    residuals = slow.score_residuals(*rows.given, at, **rows.options)
    added = np.array([residuals[clusters == cluster].sum(axis=0) for cluster in range(clusters[-1] + 1)])

    products = science.CoxRows(*rows.given, **rows.options).score_products(at, clusters=clusters)

    _assert_close(products, added.T @ added, scale=100.0)
