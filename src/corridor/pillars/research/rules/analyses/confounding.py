"""The E-value of the exposure of a protocol, as results give it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from corridor.science.e_values import COMMON, e_value

__all__ = ["described_e_value"]


def described_e_value(
    term: str, ratios: Sequence[float], to_risk_ratio: Callable[[float], float], share: float
) -> dict[str, Any] | None:
    """Return the E-value of a hazard or odds ratio as JSON values; None where a limit is no number.

    Parameters
    ----------
    ratios : the ratio, its lower and its upper limit
    to_risk_ratio : how such a ratio becomes a risk ratio where the outcome is common
    share : of rows with the outcome
    """
    if not all(0 < ratio < np.inf for ratio in ratios):
        return None
    is_common = share > COMMON
    found = e_value(*(to_risk_ratio(ratio) if is_common else ratio for ratio in ratios))
    return {"term": term, "estimate": found.estimate, "limit": found.limit, "outcome_is_common": is_common}
