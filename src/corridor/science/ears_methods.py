"""The EARS methods C1, C2 and C3: limits from the last few epochs, for series with no history."""

from typing import Literal

from numpy.typing import ArrayLike
from scipy import special

from corridor.science.alarms import Alarms
from corridor.science.series import TooFewWeeks, counts_by_epoch, epochs_to_judge, require

__all__ = ["ears"]

_ALPHAS = {"c1": 0.001, "c2": 0.001, "c3": 0.025}
_LAGS = {"c1": 0, "c2": 2, "c3": 4}


def ears(
    counts: ArrayLike,
    *,
    method: Literal["c1", "c2", "c3"] = "c1",
    baseline: int = 7,
    min_sigma: float = 0.0,
    alpha: float | None = None,
    evaluate: int | ArrayLike | None = None,
) -> Alarms:
    """Return the alarms of an EARS method for each series and judged epoch.

    Parameters
    ----------
    counts : array, shape (time,) or (time, series), cases per epoch
        Oldest first; NaN marks a missing count. A judgement whose window holds one is missing.
    method : "c1" (window ends the epoch before), "c2" (three epochs before) or "c3" (sums the excess of three epochs)
    baseline : int, epochs
        Length of the window.
    min_sigma : float, cases
        Floor of the standard deviation; with 0 one case after a window of zeros raises an alarm.
    alpha : float, probability, one-sided
        0.001 for C1 and C2 and 0.025 for C3 by default.
    evaluate : indices of the epochs to judge; the last one by default

    Returns
    -------
    Alarms
        `expected` is the mean of the window; `score`, `pvalue`, `trend` and `phi` are NaN: the method has none.

    Raises
    ------
    TooFewWeeks
        If a judged epoch has fewer than `baseline` (C2: 2, C3: 4 more) epochs before it.
    BadCounts, BadOption
        If an argument is at fault.

    Notes
    -----
    Source: Hutwagner et al. 2003, J Urban Health 80(S1):i89-i96; Salmon, Schumacher and Höhle 2016, J Stat Softw
    70(10). Reproduces ``earsC`` of R's surveillance 1.20.3.
    """
    # Compiled code takes seconds to load; whoever only imports the module does not pay for it.
    from corridor.science._ears_kernel import judge

    table = counts_by_epoch(counts)
    epochs = epochs_to_judge(evaluate, epochs=table.shape[0])
    require(method in _ALPHAS, f"method is {method!r}; expected one of {', '.join(_ALPHAS)}.")
    require(baseline >= 2, f"baseline is {baseline}; expected 2 epochs or more.")
    require(min_sigma >= 0, f"min_sigma is {min_sigma}; expected 0 or more.")
    alpha = _ALPHAS[method] if alpha is None else alpha
    require(0 < alpha < 1, f"alpha is {alpha}; expected a probability between 0 and 1.")
    needed = baseline + _LAGS[method]
    if epochs.size and epochs.min() < needed:
        raise TooFewWeeks(
            f"epoch {epochs.min()} has {epochs.min()} epochs before it; EARS {method.upper()} with a baseline of"
            f" {baseline} needs {needed}. Use a shorter baseline, or a later epoch."
        )
    alarms = Alarms.empty(
        method=f"ears-{method}",
        evaluated=epochs,
        series=table.shape[1],
        without=("score", "pvalue", "trend", "phi"),
        blank=False,
    )
    judge(
        table, epochs, int(method[1]), baseline, float(min_sigma), float(-special.ndtri(alpha)), alarms.expected,
        alarms.upperbound, alarms.alarm, alarms.judged,
    )  # fmt: skip
    return alarms
