"""What a Cox regression found: coefficients with their errors and tests, from blocks alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from corridor.science.cox_newton import NewtonState, newton_start, newton_step
from corridor.science.cox_rows import CoefficientsTooLarge, CoxBlock, CoxRows
from corridor.science.linear_systems import inverse, solve
from corridor.science.survival_data import BadModel

__all__ = ["ChiSquare", "CoxFit", "cox_fit", "fit_cox"]


@dataclass(frozen=True)
class ChiSquare:
    """A test: statistic, degrees of freedom and p value."""

    statistic: float
    df: int
    p: float

    @classmethod
    def of(cls, statistic: float, df: int) -> "ChiSquare":
        """Return the test with its p value, the upper tail of the chi-squared distribution."""
        return cls(float(statistic), int(df), float(special.chdtrc(df, statistic)) if df > 0 else 1.0)


@dataclass(frozen=True)
class CoxFit:
    """A fitted Cox regression.

    Attributes
    ----------
    names : tuple of str, (p,)
    coef, se, z, p : arrays, shape (p,)
        Log hazard ratios, standard errors (robust ones where score products were given), Wald tests.
    hr, hr_low, hr_high : arrays, shape (p,)
        Hazard ratios and their limits at `confidence`.
    vcov : array, shape (p, p)
        Variance of `coef`, robust where score products were given.
    naive_vcov : array, shape (p, p)
        Inverse of the information.
    loglik, loglik_null : float
        Log partial likelihood at the maximum, and at 0.
    wald, score, likelihood_ratio : ChiSquare
        Tests of all coefficients against 0; `wald` is robust where score products were given. With weights, only a
        robust test has its nominal size.
    robust_score : ChiSquare or None
        If score products at 0 were given.
    rounds : int
    """

    names: tuple[str, ...]
    coef: NDArray[np.float64]
    se: NDArray[np.float64]
    z: NDArray[np.float64]
    p: NDArray[np.float64]
    hr: NDArray[np.float64]
    hr_low: NDArray[np.float64]
    hr_high: NDArray[np.float64]
    vcov: NDArray[np.float64]
    naive_vcov: NDArray[np.float64]
    loglik: float
    loglik_null: float
    wald: ChiSquare
    score: ChiSquare
    likelihood_ratio: ChiSquare
    robust_score: ChiSquare | None
    rounds: int


def cox_fit(
    state: NewtonState,
    *,
    products: Sequence[NDArray[np.float64]] | None = None,
    null_products: Sequence[NDArray[np.float64]] | None = None,
    confidence: float = 0.95,
) -> CoxFit:
    """Return the result of a fit that has converged.

    Parameters
    ----------
    state : NewtonState, converged
    products : arrays, shape (p, p), one of each site, optional
        ``CoxRows.score_products`` at ``state.beta``: with them, variances are robust, I^-1 B I^-1.
    null_products : the same at 0, optional, for the robust score test
    confidence : float, probability

    Raises
    ------
    BadModel
        If the fit has not converged, or an argument does not fit.

    Notes
    -----
    Source of the robust variance: Lin and Wei 1989, J Am Stat Assoc 84:1074.
    """
    if not state.converged or state.best is None or state.null is None:
        raise BadModel("the fit has not converged; there is no result yet.")
    if not 0.0 < confidence < 1.0:
        raise BadModel(f"confidence is {confidence}; expected a probability such as 0.95.")
    names, coef = state.names, state.beta
    naive = inverse(state.best.information, names=names)
    vcov = naive
    if products is not None:
        vcov = naive @ _summed(products, coef.size) @ naive
        vcov = (vcov + vcov.T) / 2.0
    se = np.sqrt(np.diag(vcov))
    z = coef / se
    width = coef.size
    half = float(special.ndtri(0.5 + confidence / 2.0)) * se
    robust_score = None
    if null_products is not None:
        meat = _summed(null_products, width)
        statistic = float(state.null.gradient @ solve(meat, state.null.gradient, names=names))
        robust_score = ChiSquare.of(statistic, width)
    score = float(state.null.gradient @ solve(state.null.information, state.null.gradient, names=names))
    with np.errstate(over="ignore"):  # a limit beyond the numbers is infinite
        hr, hr_low, hr_high = np.exp(coef), np.exp(coef - half), np.exp(coef + half)
    return CoxFit(
        names=names,
        coef=coef,
        se=se,
        z=z,
        p=2.0 * special.ndtr(-np.abs(z)),
        hr=hr,
        hr_low=hr_low,
        hr_high=hr_high,
        vcov=vcov,
        naive_vcov=naive,
        loglik=state.best.loglik,
        loglik_null=state.null.loglik,
        wald=ChiSquare.of(float(coef @ solve(vcov, coef, names=names)), width),
        score=ChiSquare.of(score, width),
        likelihood_ratio=ChiSquare.of(max(0.0, 2.0 * (state.best.loglik - state.null.loglik)), width),
        robust_score=robust_score,
        rounds=state.rounds,
    )


def fit_cox(
    sites: Sequence[CoxRows], *, names: Sequence[str], robust: bool = False, limit: int = 25, confidence: float = 0.95
) -> CoxFit:
    """Return the Cox regression stratified by site, of sites whose rows lie here.

    Across nodes the same is done by `newton_start`, `newton_step` and `cox_fit`, a round of blocks at a time.

    Raises
    ------
    CollinearCovariates, MonotoneLikelihood, NotConverged
        Why there is no estimate.
    """
    state = newton_start(names, limit=limit)
    while not state.converged:
        state = newton_step(state, [_block_or_none(site, state.beta) for site in sites])
    null = np.zeros(state.beta.size)
    return cox_fit(
        state,
        products=[site.score_products(state.beta) for site in sites] if robust else None,
        null_products=[site.score_products(null) for site in sites] if robust else None,
        confidence=confidence,
    )


def _block_or_none(site: CoxRows, beta: NDArray[np.float64]) -> CoxBlock:
    """Return the block of a site, or one of likelihood zero where hazards leave the range of numbers."""
    try:
        return site.block(beta)
    except CoefficientsTooLarge:
        return CoxBlock(-np.inf, np.zeros(beta.size), np.zeros((beta.size, beta.size)))


def _summed(products: Sequence[NDArray[np.float64]], width: int) -> NDArray[np.float64]:
    total = np.zeros((width, width))
    for number, matrix in enumerate(products):
        if np.shape(matrix) != (width, width):
            raise BadModel(f"score products {number} have shape {np.shape(matrix)}; expected ({width}, {width}).")
        total = total + matrix
    return total
