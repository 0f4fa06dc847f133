"""Newton's method over blocks of sites: a pure step that every site can replay to the last bit.

Whoever holds the same blocks in the same order computes the same next coefficients: sums and solutions are plain IEEE
arithmetic in a fixed order, so that two processors or linear algebra libraries cannot part.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from corridor.base.errors import InputFault
from corridor.science.cox_rows import CoxBlock
from corridor.science.linear_systems import CollinearCovariates, solve
from corridor.science.survival_data import BadModel

__all__ = [
    "MonotoneLikelihood",
    "NewtonState",
    "NotConverged",
    "newton_start",
    "newton_step",
    "sum_blocks",
]

# Squared distance to the maximum, in standard errors, at which a fit has converged; where rounding sets a wider limit,
# a distance below the second number that no longer shrinks will do.
CONVERGED = 1e-18
STANDSTILL = 1e-10
# A step that is longer than this, in standard errors of the first round, in a direction that has kept less than this
# share of the information of the first round, leads to no maximum.
LONG = 1e-3
LEAST_INFORMATION = 1e-4
MOST_HALVINGS = 12


class MonotoneLikelihood(InputFault):
    """The likelihood rises as coefficients go to infinity, or nearly so: a covariate separates those with the event."""

    code: ClassVar[str] = "monotone-likelihood"

    def __init__(self, text: str, *, columns: tuple[int, ...]) -> None:
        super().__init__(text)
        self.columns = columns


class NotConverged(InputFault):
    """The fit found no maximum in the rounds allowed."""

    code: ClassVar[str] = "not-converged"


@dataclass(frozen=True)
class NewtonState:
    """Where a fit stands between two rounds.

    Attributes
    ----------
    beta : array, shape (p,)
        The coefficients at which the next blocks are asked; those of the maximum once `converged`.
    names : tuple of str
        Covariates, for messages.
    rounds : int
        Rounds of blocks taken in so far.
    limit : int
        Most rounds.
    converged : bool
    best : CoxBlock or None
        Summed block at the best coefficients so far; at `beta` once `converged`.
    null : CoxBlock or None
        Summed block of the first round, at coefficients 0.
    anchor, step : arrays, shape (p,)
        Best coefficients so far, and the full step from there.
    halvings : int
        How often the step was halved because the likelihood fell.
    decrement : float
        Squared length of the last accepted full step in standard errors.
    """

    beta: NDArray[np.float64]
    names: tuple[str, ...]
    limit: int
    rounds: int = 0
    converged: bool = False
    best: CoxBlock | None = None
    null: CoxBlock | None = None
    anchor: NDArray[np.float64] | None = None
    step: NDArray[np.float64] | None = None
    halvings: int = 0
    decrement: float = math.inf


def newton_start(names: Sequence[str], *, limit: int = 25) -> NewtonState:
    """Return the state before the first round, at coefficients 0, of a fit with the covariates `names`."""
    if not names or limit < 1:
        raise BadModel("a fit needs at least one covariate and one round.")
    return NewtonState(beta=np.zeros(len(names)), names=tuple(names), limit=limit)


def newton_step(state: NewtonState, blocks: Sequence[CoxBlock]) -> NewtonState:
    """Return the state after one round.

    Parameters
    ----------
    state : NewtonState
        Not yet converged.
    blocks : one of each site, at ``state.beta``, in the order agreed upon
        A block that a site could not compute because its hazards left the range of numbers is one with
        log-likelihood -inf: the step is then halved.

    Raises
    ------
    CollinearCovariates, MonotoneLikelihood, NotConverged
        Why there is no estimate, with the covariates concerned.
    BadModel
        If blocks do not fit, or the fit has converged before.

    Notes
    -----
    The step is halved while the summed log-likelihood is below the best one. Monotone likelihood: Bryson and Johnson
    1981, Technometrics 23:381; Heinze and Schemper 2001, Biometrics 57:114. It shows in steps that keep their length in
    covariate units while the information in their direction dies away.
    """
    if state.converged:
        raise BadModel("the fit has converged; there is no further step.")
    total = sum_blocks(blocks, width=state.beta.size)
    rounds = state.rounds + 1
    if state.best is not None and not total.loglik >= state.best.loglik - 1e-11 * (1.0 + abs(state.best.loglik)):
        return _halved(state, rounds)
    step = _full_step(state, total)
    decrement = _dot(step, total.gradient)
    null = state.null or total
    stands_still = decrement <= STANDSTILL and decrement >= 0.25 * state.decrement
    _refuse_monotone(state.names, null, step, decrement)
    if decrement <= CONVERGED or stands_still:
        return replace(
            state, rounds=rounds, converged=True, best=total, null=null, anchor=state.beta, decrement=decrement
        )
    if rounds >= state.limit:
        raise NotConverged(_no_maximum(state.limit))
    return replace(
        state,
        beta=state.beta + step,
        rounds=rounds,
        best=total,
        null=null,
        anchor=state.beta,
        step=step,
        halvings=0,
        decrement=decrement,
    )


def sum_blocks(blocks: Sequence[CoxBlock], *, width: int) -> CoxBlock:
    """Return the sum of blocks in their order; refuse blocks that do not have `width` coefficients."""
    if not blocks:
        raise BadModel("no blocks were given; a round takes one block of each site.")
    for number, block in enumerate(blocks):
        if np.shape(block.gradient) != (width,) or np.shape(block.information) != (width, width):
            raise BadModel(
                f"block {number} has a gradient of shape {np.shape(block.gradient)} and an information of shape"
                f" {np.shape(block.information)}; expected ({width},) and ({width}, {width})."
            )
    loglik, gradient, information = 0.0, np.zeros(width), np.zeros((width, width))
    for block in blocks:
        loglik = loglik + float(block.loglik)
        gradient = gradient + block.gradient
        information = information + block.information
    return CoxBlock(loglik, gradient, information)


def _halved(state: NewtonState, rounds: int) -> NewtonState:
    if state.anchor is None or state.step is None:  # a fit without a best point has not been halved
        raise BadModel("the state of the fit is incomplete.")
    if state.halvings >= MOST_HALVINGS or rounds >= state.limit:
        raise NotConverged(_no_maximum(state.limit))
    halvings = state.halvings + 1
    return replace(state, rounds=rounds, halvings=halvings, beta=state.anchor + state.step * 0.5**halvings)


def _full_step(state: NewtonState, total: CoxBlock) -> NDArray[np.float64]:
    """Return Newton's step; where the information has died away since the first round, say that it has."""
    try:
        return solve(total.information, total.gradient, names=state.names)
    except CollinearCovariates as fault:
        if state.null is None:
            raise
        raise _without_end(state.names, fault.columns[-1:]) from fault


def _refuse_monotone(names: tuple[str, ...], null: CoxBlock, step: NDArray[np.float64], decrement: float) -> None:
    """Raise `MonotoneLikelihood` if the information has died away in the direction of a step that is not short."""
    squared_length = _dot(step, np.array([_dot(row, step) for row in null.information]))
    if squared_length <= LONG**2 or decrement >= LEAST_INFORMATION * squared_length:
        return
    share = [abs(float(step[j])) * math.sqrt(float(null.information[j, j])) for j in range(step.size)]
    raise _without_end(names, tuple(j for j in range(step.size) if share[j] > 0.1 * max(share)))


def _without_end(names: Sequence[str], columns: tuple[int, ...]) -> MonotoneLikelihood:
    named = ", ".join(repr(names[j]) for j in columns)
    return MonotoneLikelihood(
        f"the likelihood rises without end, or nearly so, in {named}: those with the event are separated from those"
        " without, and no usable coefficient exists. Merge levels, leave the covariate out, or lengthen follow-up.",
        columns=columns,
    )


def _no_maximum(limit: int) -> str:
    return (
        f"the fit found no maximum of the likelihood in {limit} rounds. Look at the scale of the covariates and at"
        " levels with few events."
    )


def _dot(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    total = 0.0
    for first, second in zip(one.tolist(), two.tolist(), strict=True):
        total += first * second
    return total
