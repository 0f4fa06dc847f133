"""Generalised linear models over sites: a site's block of sums, fitted by the Newton's method of Cox regression."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from corridor.science.cox_newton import NewtonState
from corridor.science.cox_rows import CoefficientsTooLarge, CoxBlock, covariate_table
from corridor.science.linear_systems import inverse
from corridor.science.survival_data import BadModel, BadSurvivalData, numbers

__all__ = ["Family", "ModelFit", "ModelRows", "model_fit"]

Family = Literal["binomial", "poisson", "gaussian"]
_LARGEST_PREDICTOR = 500.0


class ModelRows:
    """The rows of one site, checked once, for as many blocks as a fit asks for.

    Parameters
    ----------
    response : array, shape (rows,)
        0 and 1 (binomial, logit link), counts from 0 (poisson, log link), or any numbers (gaussian, identity link).
    covariates : array, shape (rows, p)
        With a column of ones where the model has an intercept.
    family : "binomial", "poisson" or "gaussian"
    offset : array, shape (rows,), optional
        Added to the linear predictor: the logarithm of time at risk.
    variance : float, above 0
        Of a gaussian response about its mean: any value gives the same maximum; the likelihood is told in its units.

    Raises
    ------
    BadSurvivalData
        If an argument is at fault; the message gives the number of rows, never a value.

    Notes
    -----
    Source: McCullagh and Nelder 1989, Generalized Linear Models, chapter 2; the links are canonical, so that observed
    and expected information are one.
    """

    def __init__(
        self,
        response: ArrayLike,
        covariates: ArrayLike,
        *,
        family: Family,
        offset: ArrayLike | None = None,
        variance: float = 1.0,
    ) -> None:
        self.family = _checked(family)
        self.response = numbers(response, name="response")
        self.covariates = covariate_table(covariates, rows=self.response.size)
        self.offset = np.zeros(self.response.size)
        if offset is not None:
            self.offset = numbers(offset, name="offset", like=self.response.size)
        if not variance > 0:
            raise BadModel(f"variance is {variance}; expected a number above 0.")
        self.variance = float(variance)
        self._check_response()

    def _check_response(self) -> None:
        y = self.response
        wrong = np.zeros(y.size, dtype=bool)
        if self.family == "binomial":
            wrong = (y != 0) & (y != 1)
        elif self.family == "poisson":
            wrong = (y < 0) | (y != np.floor(y))
        if wrong.any():
            expected = "0 or 1" if self.family == "binomial" else "whole numbers from 0"
            raise BadSurvivalData(f"response: {int(wrong.sum())} rows hold something else than {expected}.")

    def block(self, beta: ArrayLike) -> CoxBlock:
        """Return log-likelihood, gradient and information at `beta`, shape (p,), as `newton_step` takes them.

        Raises
        ------
        CoefficientsTooLarge
            If the mean at `beta` leaves the range of numbers.
        """
        predictor = self._predictor(beta)
        weight = self._information(predictor)
        return CoxBlock(
            loglik=float(self._likelihoods(predictor).sum()),
            gradient=self.covariates.T @ self._residuals(predictor),
            information=(self.covariates.T * weight) @ self.covariates,
        )

    def weights(self, beta: ArrayLike) -> NDArray[np.float64]:
        """Return the weight of each row in the information at `beta`, shape (rows,). Not for release."""
        return self._information(self._predictor(beta))

    def residuals(self, beta: ArrayLike) -> NDArray[np.float64]:
        """Return response less mean, in units of the variance, shape (rows,). Not for release."""
        return self._residuals(self._predictor(beta))

    def means(self, beta: ArrayLike) -> NDArray[np.float64]:
        """Return the fitted mean of each row at `beta`, shape (rows,). Not for release."""
        return self._mean(self._predictor(beta))

    def _predictor(self, beta: ArrayLike) -> NDArray[np.float64]:
        coefficients = np.asarray(beta, dtype=np.float64)
        expected = (self.covariates.shape[1],)
        if coefficients.shape != expected or not np.isfinite(coefficients).all():
            raise BadModel(f"beta has shape {coefficients.shape}; expected {expected}, finite, one for each covariate.")
        predictor = self.covariates @ coefficients + self.offset
        if self.family != "gaussian" and not np.abs(predictor).max(initial=0.0) <= _LARGEST_PREDICTOR:
            raise CoefficientsTooLarge(
                f"the linear predictor leaves ±{_LARGEST_PREDICTOR:g} at these coefficients. Scale the covariates, or"
                " look for one that separates the outcomes."
            )
        return np.asarray(predictor)

    def _mean(self, predictor: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.family == "binomial":
            return np.asarray(special.expit(predictor))
        return np.exp(predictor) if self.family == "poisson" else predictor

    def _information(self, predictor: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.family == "gaussian":
            return np.full(predictor.size, 1.0 / self.variance)
        mean = self._mean(predictor)
        return mean * special.expit(-predictor) if self.family == "binomial" else mean

    def _residuals(self, predictor: NDArray[np.float64]) -> NDArray[np.float64]:
        difference = self.response - self._mean(predictor)
        return difference / self.variance if self.family == "gaussian" else difference

    def _likelihoods(self, predictor: NDArray[np.float64]) -> NDArray[np.float64]:
        y = self.response
        if self.family == "binomial":
            return np.asarray(y * predictor - np.logaddexp(0.0, predictor))
        if self.family == "poisson":
            return np.asarray(y * predictor - np.exp(predictor) - special.gammaln(y + 1.0))
        return np.asarray(-0.5 * (y - predictor) ** 2 / self.variance)


@dataclass(frozen=True)
class ModelFit:
    """A fitted generalised linear model.

    Attributes
    ----------
    names : tuple of str, (p,)
    coef, se, statistic, p, low, high : arrays, shape (p,)
        Estimates, standard errors, Wald tests and limits: normal, or Student's t where the family is gaussian.
    vcov : array, shape (p, p)
    loglik, loglik_null : float
        At the maximum, and where the fit began.
    residual_variance : float or None
        Of a gaussian response.
    """

    names: tuple[str, ...]
    coef: NDArray[np.float64]
    se: NDArray[np.float64]
    statistic: NDArray[np.float64]
    p: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    vcov: NDArray[np.float64]
    loglik: float
    loglik_null: float
    residual_variance: float | None


def model_fit(
    state: NewtonState, *, family: Family, rows: int, variance: float = 1.0, confidence: float = 0.95
) -> ModelFit:
    """Return the result of a fit that has converged.

    Parameters
    ----------
    rows : int
        Of all sites.
    variance : float
        That of the rows given to `ModelRows`.

    Raises
    ------
    BadModel
        If the fit has not converged, or no degree of freedom is left.
    """
    if not state.converged or state.best is None or state.null is None:
        raise BadModel("the fit has not converged; there is no result yet.")
    width = state.beta.size
    naive = inverse(state.best.information, names=state.names)
    left, residual = rows - width, None
    if _checked(family) == "gaussian":
        if left < 1:
            raise BadModel("there are no more rows than coefficients; nothing is left to estimate the variance from.")
        residual = -2.0 * state.best.loglik * variance / left
        naive = naive * (residual / variance)
    se = np.sqrt(np.diag(naive))
    statistic = state.beta / se
    if residual is None:
        p, half = 2.0 * special.ndtr(-np.abs(statistic)), float(special.ndtri(0.5 + confidence / 2))
    else:
        p, half = 2.0 * special.stdtr(left, -np.abs(statistic)), float(special.stdtrit(left, 0.5 + confidence / 2))
    return ModelFit(
        names=state.names,
        coef=state.beta,
        se=se,
        statistic=statistic,
        p=np.asarray(p),
        low=state.beta - half * se,
        high=state.beta + half * se,
        vcov=naive,
        loglik=state.best.loglik,
        loglik_null=state.null.loglik,
        residual_variance=residual,
    )


def _checked(family: str) -> Family:
    if family == "binomial":
        return "binomial"
    if family == "poisson":
        return "poisson"
    if family == "gaussian":
        return "gaussian"
    raise BadModel(f"family is {family!r}; expected 'binomial', 'poisson' or 'gaussian'.")
