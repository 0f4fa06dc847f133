"""A hostile partner with a valid agreement and a signed protocol, against a real node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from corridor.pillars.research.messages import NamedNumbers, Parameter, RoundBlock
from corridor.pillars.research.models import Round
from corridor.pillars.research.rules.analyses import Block, Blocks, Request
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.engine import next_step
from tests.attack.playing import plan
from tests.research.studies import StudyCorridor

__all__ = ["HostilePartner", "nodes_without"]

Lie = Callable[[Request, Block], Block | None]


@contextmanager
def nodes_without(guards: Sequence[str]) -> Iterator[None]:
    """Let nodes judge by a policy with `guards` switched off."""
    terms_to_policy = Policy.of

    def lax(*arguments: object, **named: object) -> Policy:
        return terms_to_policy(*arguments, **named).without(*guards)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Policy, "of", lax)
        yield


@dataclass(frozen=True)
class HostilePartner:
    """A site that asks the other for what it likes, and answers with what suits it instead of its own sums."""

    study: StudyCorridor
    own: str = "nl"
    victim: str = "de"

    def ask(self, analysis: str, lie: Lie | None = None) -> list[tuple[Request, Block]]:
        """Return what the victim's node gave of a run, round by round, until it refuses or the run has its result.

        Parameters
        ----------
        lie : function of a request and the victim's block, optional
            What to answer, once the victim's answer is there; None ends it there. Without it the first round is all.
        """
        run, asked = self.study.request(analysis, self.own), plan(self.study.protocol, analysis)
        self.study.corridor.settle()
        history: list[tuple[Request, Blocks]] = []
        given: list[tuple[Request, Block]] = []
        step = asked.begin()
        while isinstance(step, Request):
            self.study.work(self.victim)
            self.study.corridor.settle()
            block = self._received(run, step)
            if block is None:
                break
            given.append((step, block))
            answer = None if lie is None else lie(step, block)
            if answer is None:
                break
            self._answer(run, analysis, step, answer)
            both = {self.own: answer, self.victim: block}
            history.append((step, {site: both[site] for site in sorted(both)}))
            step = next_step(asked, history)
        return given

    def _received(self, run: str, step: Request) -> Block | None:
        with self.study.nodes[self.own]:
            row = Round.objects.filter(run=run, number=step.round, site=self.victim).first()
            return None if row is None else dict(row.numbers)

    def _answer(self, run: str, analysis: str, step: Request, block: Block) -> None:
        self.study.say(
            self.own,
            self.victim,
            block=RoundBlock(
                run=run,
                analysis=analysis,
                round=step.round,
                step=step.step,
                snapshot="0" * 64,
                parameters=tuple(Parameter(name=name, values=tuple(all_)) for name, all_ in step.parameters.items()),
                numbers=tuple(NamedNumbers(name=name, values=tuple(values)) for name, values in block.items()),
            ),
        )
        self.study.corridor.settle()
