"""Run an analysis over the blocks of all sites: deterministic, so that every site comes to the same steps by itself.

Nobody is believed: a request is not an order of some coordinator but what the plan derives from all signed blocks so
far. Each site derives it anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import ClassVar

import numpy as np

from corridor.base.errors import Refused
from corridor.pillars.research.rules.analyses import Answer, Block, Blocks, CannotCompute, Plan, Request, Result
from corridor.pillars.research.rules.analyses.base import count_numbers
from corridor.pillars.research.rules.disclosure import Breach, Policy, judge
from corridor.pillars.research.rules.ledger import Ledger
from corridor.pillars.research.rules.rows import SiteTable

__all__ = [
    "AnswerRefused",
    "Outcome",
    "Released",
    "answer_request",
    "compute_answer",
    "next_step",
    "run_locally",
    "settle",
]

MOST_ROUNDS = 60


class AnswerRefused(Refused):
    """A site's disclosure control does not let an answer leave.

    Attributes
    ----------
    breaches : tuple of Breach
    """

    code: ClassVar[str] = "disclosure-refused"

    def __init__(self, breaches: tuple[Breach, ...]) -> None:
        self.breaches = breaches
        listed = "; ".join(f"{breach.guard}: {breach.subject}" for breach in breaches)
        super().__init__(f"disclosure control does not let this leave the site ({listed})")


@dataclass(frozen=True)
class Released:
    """A block that may leave, and whether it had left before."""

    block: Block
    is_repeat: bool


@dataclass(frozen=True)
class Outcome:
    """The end of a local run: the result, the rounds, how many numbers each site gave."""

    result: Result
    rounds: tuple[tuple[Request, Blocks], ...]

    @property
    def numbers(self) -> dict[str, int]:
        """Return how many numbers each site released."""
        counts: dict[str, int] = {}
        for _, blocks in self.rounds:
            for site, block in blocks.items():
                counts[site] = counts.get(site, 0) + count_numbers(block)
        return counts


def next_step(plan: Plan, history: Sequence[tuple[Request, Blocks]]) -> Request | Result:
    """Return what comes after the rounds so far: the first request, the next one, or the result.

    Raises
    ------
    CannotCompute
        If the numbers have no answer, or no end is reached within 60 rounds.
    """
    if not history:
        return plan.begin()
    if len(history) >= MOST_ROUNDS:
        raise CannotCompute(f"no convergence within {MOST_ROUNDS} rounds. Simplify the model.")
    try:
        with np.errstate(all="ignore"):
            step = plan.proceed(history)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as fault:
        # Blocks are numbers of others, and need not be those of any patients.
        raise CannotCompute("the blocks of the sites do not fit together: no fit comes out of them.") from fault
    if isinstance(step, Request) and not all(map(math.isfinite, chain.from_iterable(step.parameters.values()))):
        raise CannotCompute("the blocks of the sites lead to parameters outside the range of numbers.")
    return step


def answer_request(plan: Plan, request: Request, *, table: SiteTable, policy: Policy, ledger: Ledger) -> Released:
    """Return the block with which a site answers a request, if disclosure control lets it leave.

    Raises
    ------
    AnswerRefused
        With every reason.
    CannotCompute, MissingValues
    """
    answer = compute_answer(plan, request, table=table, policy=policy)
    return settle(answer, plan, request, policy=policy, ledger=ledger)


def compute_answer(plan: Plan, request: Request, *, table: SiteTable, policy: Policy) -> Answer:
    """Return what a site would answer; what leaves the range of numbers `settle` finds.

    Raises
    ------
    CannotCompute, MissingValues
    """
    with np.errstate(all="ignore"):
        answer = plan.answer(request, plan.prepared_rows(table), policy)
    return replace(answer, exposure=replace(answer.exposure, places=table.places))


def settle(answer: Answer, plan: Plan, request: Request, *, policy: Policy, ledger: Ledger) -> Released:
    """Return what may leave of an answer, and enter it into the ledger.

    Raises
    ------
    AnswerRefused
        With every reason.
    CannotCompute
        If a number of it is infinite or none.
    """
    known = ledger.cached(plan, request, answer.exposure) if policy.has("cache") else None
    if known is not None:
        return Released(known, is_repeat=True)
    earlier = ledger.breaches(plan, request, answer.exposure, policy, numbers=count_numbers(answer.block))
    breaches = (*judge(answer.exposure, policy), *earlier)
    if breaches:
        raise AnswerRefused(tuple(dict.fromkeys(breaches)))
    if not all(math.isfinite(number) for numbers in answer.block.values() for number in numbers if number is not None):
        raise CannotCompute("sums of this site leave the range of numbers. Scale the variables.")
    ledger.enter(plan, request, answer.exposure, answer.block)
    return Released(answer.block, is_repeat=False)


def run_locally(plan: Plan, sites: Mapping[str, Callable[[Request], Block]]) -> Outcome:
    """Run an analysis over sites that answer at once, in the order of their names.

    Parameters
    ----------
    sites : mapping of site to a function that answers a request
    """
    rounds: list[tuple[Request, Blocks]] = []
    while True:
        step = next_step(plan, rounds)
        if isinstance(step, Result):
            return Outcome(step, tuple(rounds))
        rounds.append((step, {site: sites[site](step) for site in sorted(sites)}))
