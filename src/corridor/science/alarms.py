"""What detection returns, the same for every method."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Alarms", "Shortfall"]


@dataclass(frozen=True)
class Shortfall:
    """Why the asked method did not judge a series throughout, and what did instead.

    Attributes
    ----------
    history : int or None, epochs
        From the first count to the last judged epoch; None where no count was observed.
    simpler : tuple of (str, int)
        Each simpler method, and how many epochs it judged.
    missing : int, epochs
        Without a count.
    helpless : int, epochs
        With a count, and too little history for any method.
    epochs : int
        How many were to be judged.
    """

    history: int | None
    simpler: tuple[tuple[str, int], ...] = ()
    missing: int = 0
    helpless: int = 0
    epochs: int = 0

    @property
    def code(self) -> str:
        """Return the same in few signs, to be kept: ``history=29 of=4 ears-c1=3 helpless=1``."""
        if self.history is None:
            return "of=0"
        facts = [("history", self.history), ("of", self.epochs), *self.simpler]
        facts += [(name, number) for name, number in (("missing", self.missing), ("helpless", self.helpless)) if number]
        return " ".join(f"{name}={number}" for name, number in facts)

    def __str__(self) -> str:
        """Return the same in words."""
        if self.history is None:
            return "no count was observed"
        facts = [f"{self.history} epochs of history before the last one judged"]
        facts += [f"{name} judged {number} of {self.epochs}" for name, number in self.simpler]
        if self.missing:
            facts.append(f"{self.missing} of {self.epochs} without a count")
        if self.helpless:
            facts.append(f"{self.helpless} of {self.epochs} without enough history for any method")
        return "; ".join(facts)


@dataclass(frozen=True)
class Alarms:
    """Judgements of counts; every array has shape (evaluated, series).

    Attributes
    ----------
    method : str
        Name of the method that was asked for.
    evaluated : array of int, shape (evaluated,)
        Indices of the judged epochs.
    alarm : array of bool
        Whether the count exceeds the limit. False where nothing could be judged.
    judged : array of bool
        Whether the method could judge at all: the count is there, and so is enough history.
    expected, upperbound : arrays of float, cases
        Expected count and alarm limit; NaN where the method gives none.
    score : array of float
        Exceedance: (count - base) / (limit - base), above 1 for an alarm; NaN where the method gives none.
    pvalue : array of float
        Probability of at least this count without an outbreak; NaN where the method gives none.
    trend : array of float
        1 where the fit kept a trend, 0 where not, NaN where the method has none.
    phi : array of float
        Dispersion of the fit, at least 1; NaN where the method gives none.
    methods : tuple of str
        Names of the methods at work: none (empty), `method`, then the simpler ones.
    used : array of int
        Which of `methods` judged each count.
    notes : dict of Shortfall by series index
        Why a simpler method judged this series.
    """

    method: str
    evaluated: NDArray[np.int64]
    alarm: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    expected: NDArray[np.float64]
    upperbound: NDArray[np.float64]
    score: NDArray[np.float64]
    pvalue: NDArray[np.float64]
    trend: NDArray[np.float64]
    phi: NDArray[np.float64]
    used: NDArray[np.uint8]
    methods: tuple[str, ...]
    notes: dict[int, Shortfall] = field(default_factory=dict)

    @property
    def fallback(self) -> dict[int, str]:
        """Return, by series index, the simpler method that judged the last evaluated epoch; others are absent."""
        if not self.evaluated.size:
            return {}
        return {series: self.methods[used] for series, used in enumerate(self.used[-1].tolist()) if used != 1}

    @classmethod
    def empty(
        cls,
        *,
        method: str,
        evaluated: NDArray[np.int64],
        series: int,
        without: tuple[str, ...] = (),
        blank: bool = True,
    ) -> "Alarms":
        """Return alarms that judge nothing yet, to be filled in place; results named in `without` stay missing.

        With `blank` False the other results begin as whatever memory held: for a method that writes each of them.
        """
        shape = (evaluated.size, series)
        nothing = np.broadcast_to(np.nan, shape)
        results = ("expected", "upperbound", "score", "pvalue", "trend", "phi")
        room = {name: nothing if name in without else np.empty(shape) for name in results}
        if blank:
            for name in set(results) - set(without):
                room[name].fill(np.nan)
        judged = np.zeros(shape, np.bool_)
        return cls(
            method=method,
            evaluated=evaluated,
            alarm=np.zeros(shape, np.bool_),
            judged=judged,
            expected=room["expected"],
            upperbound=room["upperbound"],
            score=room["score"],
            pvalue=room["pvalue"],
            trend=room["trend"],
            phi=room["phi"],
            # What is judged is judged by method 1; one array serves both.
            used=judged.view(np.uint8),
            methods=("", method),
        )
