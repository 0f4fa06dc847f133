"""What a site remembers of its answers: differencing, evaluations, budgets, one answer to one question."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from corridor.exchange.rules.canonical import canonical, sha256_hex
from corridor.pillars.research.rules.analyses import Block, Plan, Request
from corridor.pillars.research.rules.analyses.base import count_numbers
from corridor.pillars.research.rules.disclosure import (
    Breach,
    Differences,
    Exposure,
    Policy,
    Selection,
    Spent,
    over_budget,
    persons_of,
)
from corridor.pillars.research.rules.rows import SiteTable

__all__ = ["Ledger", "MemoryLedger", "model_key", "statistic_key"]


def model_key(plan: Plan, exposure: Exposure, *, snapshot: str) -> str:
    """Return what the limit of evaluations counts: the kind, the rows and what the model's columns hold.

    Names, order, units and signs of columns do not matter: a model under another name is the same model.
    """
    described = {
        "kind": plan.kind,
        "snapshot": snapshot,
        "rows": _digest_of_rows(exposure),
        "columns": sorted({digest for design in exposure.designs for digest in design.digests}),
    }
    return sha256_hex(canonical(described))


def statistic_key(plan: Plan, request: Request, exposure: Exposure, *, snapshot: str) -> str:
    """Return the name of one question: kind, options, what they are defined as, step, parameters and rows."""
    # An amendment may define an endpoint or a term anew under its old name: that is another question.
    protocol = plan.protocol
    defined = repr((protocol.variables, protocol.terms, protocol.endpoints, protocol.missing, protocol.disclosure))
    described = {
        "kind": plan.kind,
        "options": dict(plan.item.options),
        "defined": sha256_hex(defined.encode()),
        "snapshot": snapshot,
        "rows": _digest_of_sets(exposure),
        "step": request.step,
        "parameters": {name: [float(each) for each in values] for name, values in request.parameters.items()},
    }
    return sha256_hex(canonical(described))


def _digest_of_rows(exposure: Exposure) -> str:
    """Return a hash of all rows that an answer tells of, however it divides them."""
    sets = list(exposure.row_sets.values())
    return sha256_hex(np.packbits(np.logical_or.reduce(sets)).tobytes()) if sets else ""


def _digest_of_sets(exposure: Exposure) -> str:
    rows = hashlib.sha256()
    for label in sorted(exposure.row_sets):
        rows.update(label.encode() + b"\n" + np.packbits(exposure.row_sets[label]).tobytes())
    return rows.hexdigest()


class Ledger:
    """What a site remembers of earlier answers; the base class remembers nothing, for a rehearsal."""

    def cached(self, plan: Plan, request: Request, exposure: Exposure) -> Block | None:
        """Return the block that was released before for the same statistic of the same rows, or None."""
        return None

    def breaches(
        self, plan: Plan, request: Request, exposure: Exposure, policy: Policy, *, numbers: int
    ) -> tuple[Breach, ...]:
        """Return what earlier answers have against this one, which shows so many `numbers`."""
        return ()

    def enter(self, plan: Plan, request: Request, exposure: Exposure, block: Block) -> None:
        """Remember an answer that leaves."""


@dataclass
class MemoryLedger(Ledger):
    """The ledger of one site for as long as a command runs.

    Persons are told apart within the table alone; what earlier commands released is not known.
    """

    table: SiteTable
    snapshot: str
    released: dict[str, Block] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._differences = Differences()
        self._places = np.arange(len(self.table)) if self.table.places is None else self.table.places
        self._persons = int(self._places.max(initial=-1)) + 1
        self._answers = np.zeros(self._persons, dtype=np.int64)

    def cached(self, plan: Plan, request: Request, exposure: Exposure) -> Block | None:
        """Return the block that was released before for the same statistic of the same rows, or None."""
        return self.released.get(statistic_key(plan, request, exposure, snapshot=self.snapshot))

    def breaches(
        self, plan: Plan, request: Request, exposure: Exposure, policy: Policy, *, numbers: int
    ) -> tuple[Breach, ...]:
        """Return what earlier answers have against this one, which shows so many `numbers`."""
        found: list[Breach] = []
        if policy.has("budget"):
            found.extend(over_budget(self._spent(plan, exposure), policy, study=plan.protocol.study, numbers=numbers))
        if policy.has("evaluations") and exposure.likelihood is not None:
            model = model_key(plan, exposure, snapshot=self.snapshot)
            if self.models.count(model) >= policy.evaluations:
                found.append(Breach("evaluations", exposure.likelihood.model))
        if policy.has("differencing") and self._would_reveal(exposure, policy):
            found.append(Breach("differencing", "rows"))
        return tuple(found)

    def enter(self, plan: Plan, request: Request, exposure: Exposure, block: Block) -> None:
        """Remember an answer that leaves."""
        self.released[statistic_key(plan, request, exposure, snapshot=self.snapshot)] = block
        self.models.append(model_key(plan, exposure, snapshot=self.snapshot))
        told = self._of_persons(exposure)
        self._differences.add(told)
        self._answers += np.logical_or.reduce(told) if told else 0

    def _spent(self, plan: Plan, exposure: Exposure) -> Spent:
        told = sum(map(count_numbers, self.released.values()))
        return Spent(
            answers=len(self.released),
            of_person=max(
                (int(self._answers[each > 0].max(initial=0)) for each in self._of_persons(exposure)), default=0
            ),
            to_partners={site.node: told for site in plan.protocol.sites if site.id != self.table.site},
        )

    def _would_reveal(self, exposure: Exposure, policy: Policy) -> bool:
        return self._differences.would_reveal(self._of_persons(exposure), smallest=policy.smallest_cell)

    def _of_persons(self, exposure: Exposure) -> list[Selection]:
        return [persons_of(rows, self._places) for rows in exposure.row_sets.values()]
