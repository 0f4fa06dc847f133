"""Estimates of several sites put together: fixed effect, random effects, and how much the sites differ."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from corridor.science.survival_data import BadModel, numbers

__all__ = ["Heterogeneity", "MetaMethod", "PooledEstimate", "heterogeneity", "pool_estimates"]

MetaMethod = Literal["fixed", "dersimonian-laird", "reml"]
_MOST_STEPS = 200
_SAME = 1e-13


@dataclass(frozen=True)
class PooledEstimate:
    """One estimate of all sites.

    Attributes
    ----------
    estimate, se, low, high, p : float
    tau_squared : float
        Variance between sites; 0 for a fixed effect.
    weights : array, shape (sites,), adding up to 1
    df : int or None
        Degrees of freedom of Student's t where Hartung and Knapp's errors were asked for.
    """

    estimate: float
    se: float
    low: float
    high: float
    p: float
    tau_squared: float
    weights: NDArray[np.float64]
    df: int | None


@dataclass(frozen=True)
class Heterogeneity:
    """Cochran's Q with its test, and the share of variation that is between sites (I squared, 0 to 1)."""

    q: float
    df: int
    p: float
    i_squared: float


def heterogeneity(estimates: ArrayLike, variances: ArrayLike) -> Heterogeneity:
    """Return how much estimates differ beyond chance.

    Notes
    -----
    Sources: Cochran 1954, Biometrics 10:101; Higgins and Thompson 2002, Stat Med 21:1539.
    """
    values, spread = _checked(estimates, variances)
    q, df = _q(values, spread), values.size - 1
    return Heterogeneity(q, df, float(special.chdtrc(df, q)), max(0.0, (q - df) / q) if q > 0 else 0.0)


def pool_estimates(
    estimates: ArrayLike,
    variances: ArrayLike,
    *,
    method: MetaMethod = "fixed",
    knapp_hartung: bool = False,
    confidence: float = 0.95,
) -> PooledEstimate:
    """Return the estimate of all sites.

    Parameters
    ----------
    estimates, variances : arrays, shape (sites,), two or more
        Such as log hazard ratios and their squared standard errors.
    method : "fixed", "dersimonian-laird" or "reml"
    knapp_hartung : bool
        Errors from the scatter of the sites and limits by Student's t.

    Raises
    ------
    BadModel, BadSurvivalData
        If an argument is at fault, or restricted likelihood finds no maximum.

    Notes
    -----
    Sources: DerSimonian and Laird 1986, Control Clin Trials 7:177; Viechtbauer 2005, J Educ Behav Stat 30:261 (REML by
    Fisher scoring); Hartung and Knapp 2001, Stat Med 20:3875.
    """
    values, spread = _checked(estimates, variances)
    tau_squared = _tau_squared(values, spread, method)
    weight = 1.0 / (spread + tau_squared)
    total = float(weight.sum())
    estimate = float(weight @ values) / total
    variance, df = 1.0 / total, None
    if knapp_hartung:
        df = values.size - 1
        variance = float(weight @ (values - estimate) ** 2) / df / total
    se = float(np.sqrt(variance))
    upper = 0.5 + confidence / 2.0
    half = se * float(special.ndtri(upper) if df is None else special.stdtrit(df, upper))
    size = abs(estimate) / se if se > 0 else np.inf
    p = float(2.0 * (special.ndtr(-size) if df is None else special.stdtr(df, -size)))
    return PooledEstimate(estimate, se, estimate - half, estimate + half, p, tau_squared, weight / total, df)


def _tau_squared(values: NDArray[np.float64], spread: NDArray[np.float64], method: str) -> float:
    if method == "fixed":
        return 0.0
    weight = 1.0 / spread
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    moments = max(0.0, (_q(values, spread) - (values.size - 1)) / scale)
    if method == "dersimonian-laird":
        return moments
    if method == "reml":
        return _restricted(values, spread, moments)
    raise BadModel(f"method is {method!r}; expected 'fixed', 'dersimonian-laird' or 'reml'.")


def _restricted(values: NDArray[np.float64], spread: NDArray[np.float64], start: float) -> float:
    """Return the variance between sites that maximises the restricted likelihood, 0 or more."""
    found = start
    for _ in range(_MOST_STEPS):
        weight = 1.0 / (spread + found)
        total, squares = float(weight.sum()), float((weight**2).sum())
        mean = float(weight @ values) / total
        score = float(weight**2 @ (values - mean) ** 2) - total + squares / total
        information = squares - 2.0 * float((weight**3).sum()) / total + (squares / total) ** 2
        following = max(0.0, found + score / information)
        if abs(following - found) <= _SAME * (1.0 + found):
            return following
        found = following
    raise BadModel("the restricted likelihood of the variance between sites found no maximum. Use dersimonian-laird.")


def _q(values: NDArray[np.float64], spread: NDArray[np.float64]) -> float:
    weight = 1.0 / spread
    mean = float(weight @ values) / float(weight.sum())
    return float(weight @ (values - mean) ** 2)


def _checked(estimates: ArrayLike, variances: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = numbers(estimates, name="estimates")
    spread = numbers(variances, name="variances", like=values.size, positive=True)
    if values.size < 2:
        raise BadModel(f"{values.size} estimates were given; expected two or more, one of each site.")
    return values, spread
