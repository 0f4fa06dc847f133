"""How strong an unmeasured confounder would have to be to explain an estimate away."""

from dataclasses import dataclass

import numpy as np

from corridor.science.survival_data import BadModel

__all__ = ["COMMON", "EValue", "e_value", "risk_ratio_of_hazards", "risk_ratio_of_odds"]

COMMON = 0.15
"""The share with the outcome above which hazard and odds ratios are first turned into risk ratios."""


@dataclass(frozen=True)
class EValue:
    """E-value of the estimate, and of the limit nearer to no effect (1 where the limits enclose it)."""

    estimate: float
    limit: float


def e_value(ratio: float, low: float, high: float) -> EValue:
    """Return the least risk ratio that a confounder needs with both exposure and outcome to explain `ratio` away.

    Parameters
    ----------
    ratio, low, high : float, above 0
        A risk ratio and its limits, low <= ratio <= high.

    Notes
    -----
    Source: VanderWeele and Ding 2017, Ann Intern Med 167:268.
    """
    if not 0 < low <= ratio <= high:
        raise BadModel("expected a ratio above 0 that lies within its limits.")
    if ratio < 1:
        return e_value(1 / ratio, 1 / high, 1 / low)
    return EValue(_bound(ratio), _bound(low) if low > 1 else 1.0)


def risk_ratio_of_hazards(ratio: float) -> float:
    """Return the risk ratio that a hazard ratio stands for where the outcome is common.

    Source: VanderWeele 2020, Biometrics 76:746, as VanderWeele and Ding 2017 use it.
    """
    return float((1 - 0.5 ** np.sqrt(ratio)) / (1 - 0.5 ** np.sqrt(1 / ratio)))


def risk_ratio_of_odds(ratio: float) -> float:
    """Return the risk ratio that an odds ratio stands for where the outcome is common: its root.

    Source: VanderWeele 2017, Epidemiology 28:e58.
    """
    return float(np.sqrt(ratio))


def _bound(ratio: float) -> float:
    return float(ratio + np.sqrt(ratio * (ratio - 1)))
