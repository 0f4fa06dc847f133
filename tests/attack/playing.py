"""What an attack is, how it is played with and without its guards, and the table of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from corridor.pillars.research.rules.analyses import Block, Plan, Request, plan_of
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.engine import AnswerRefused, answer_request
from corridor.pillars.research.rules.ledger import MemoryLedger
from corridor.pillars.research.rules.protocol import Protocol
from corridor.pillars.research.rules.rows import SiteTable

__all__ = ["POLICY", "Attack", "Loot", "Victim", "plan", "table_of"]

POLICY = Policy()
"""The rule of the study: k = 5, a grid of 30 days, ten evaluations."""


@dataclass(frozen=True)
class Loot:
    """What an attacker worked out and the site's rows confirm.

    Attributes
    ----------
    found : int
        Patients, or cells, recovered exactly.
    among : int
        How many there are.
    """

    found: int
    among: int

    @property
    def share(self) -> float:
        """Return the part that was recovered."""
        return self.found / self.among if self.among else 0.0

    def __str__(self) -> str:
        return f"{self.found} of {self.among} ({100 * self.share:.1f} %)"


@dataclass(frozen=True)
class Attack:
    """One way to get at patients.

    Attributes
    ----------
    name : str
    guards : tuple of str
        What stops it; all of them are off when it is first played.
    play : function of a policy
        Returns what was recovered at each site.
    at_least : mapping of site to share
        What it must recover without the guards to prove anything.
    """

    name: str
    guards: tuple[str, ...]
    play: Callable[[Policy], Mapping[str, Loot]]
    at_least: Mapping[str, float] = field(default_factory=dict)

    def both(self) -> tuple[Mapping[str, Loot], Mapping[str, Loot]]:
        """Return what is recovered without the guards, and with every guard."""
        return self.play(POLICY.without(*self.guards)), self.play(POLICY)


class Victim:
    """One site: its rows, its policy, its ledger; it answers as a node does, by `answer_request`."""

    def __init__(self, table: SiteTable, policy: Policy, *, snapshot: str = "0" * 64) -> None:
        self.table = table
        self.policy = policy
        self.ledger = MemoryLedger(table, snapshot)

    def ask(self, plan: Plan, request: Request | None = None) -> Block | None:
        """Return the block that leaves, or None where it is refused."""
        try:
            return answer_request(
                plan, request or plan.begin(), table=self.table, policy=self.policy, ledger=self.ledger
            ).block
        except AnswerRefused:
            return None


def plan(protocol: Protocol, name: str) -> Plan:
    """Return the plan of an analysis of a protocol."""
    item = protocol.analysis(name)
    found = plan_of(item, protocol) if item is not None else None
    if found is None:
        raise KeyError(name)
    return found


def table_of(rows: list[tuple[str, str, str, str, str]]) -> str:
    """Return lines of equal columns under a heading."""
    heading = ("attack", "guards that are switched off", "site", "recovered without", "recovered with")
    widths = [max(len(row[place]) for row in [heading, *rows]) for place in range(len(heading))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in [heading, *rows]]
    return "\n".join(line.rstrip() for line in [lines[0], "-" * len(lines[0]), *lines[1:]])
