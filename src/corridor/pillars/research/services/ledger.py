"""The database side of differencing, evaluations, budgets and repeats; read and written under the ledger's lock.

One ledger holds everything that this site released about a person, in whatever study and to whomever, because
partners talk to each other. Sets of persons are stored encrypted; the key lies outside the database and its backups.
What was released is noted in a journal outside the database too: a database that was put back from a backup knows
less than the journal, and releases nothing until two persons have looked at it.
"""

from __future__ import annotations

import os
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from django.db import transaction

from corridor.exchange import keystore
from corridor.pillars.research.models import Release, Run
from corridor.pillars.research.rules.analyses import Block, Plan, Request
from corridor.pillars.research.rules.disclosure import Breach, Exposure, Policy
from corridor.pillars.research.rules.ledger import Ledger, model_key, statistic_key
from corridor.pillars.research.rules.rows import IntArray, Mask, SiteTable
from corridor.pillars.research.services.person_numbers import lock_ledger, number_persons
from corridor.pillars.research.services.released_sets import released_differences, seal

__all__ = ["DatabaseLedger"]

_JOURNAL = "research-ledger.journal"
_INTENDED = "?"
"""Before a line of the journal: it was about to be released, and whether it was only the database knows."""


class DatabaseLedger(Ledger):
    """What this node released, for one run and its frozen rows; to be used inside the transaction that releases."""

    def __init__(self, run: Run, *, study: str, table: SiteTable, now: datetime) -> None:
        lock_ledger()
        self._run = run
        self._study = study
        self._table = table
        self._now = now
        _note_what_left()

    def cached(self, plan: Plan, request: Request, exposure: Exposure) -> Block | None:
        """Return the block that was released before for the same statistic of the same rows, or None."""
        row = Release.objects.filter(statistic=self._statistic(plan, request, exposure)).first()
        return None if row is None else dict(row.numbers)

    def breaches(self, plan: Plan, request: Request, exposure: Exposure, policy: Policy) -> tuple[Breach, ...]:
        """Return what earlier answers have against this one."""
        found = []
        if policy.has("budget"):
            if self._is_closed(self._statistic(plan, request, exposure)):
                found.append(Breach("budget", "ledger-closed"))
            if Release.objects.filter(study=self._study).count() >= policy.releases:
                found.append(Breach("budget", self._study))
        if policy.has("evaluations") and exposure.likelihood is not None:
            model = self._model(plan, exposure)
            if Release.objects.filter(model=model).count() >= policy.evaluations:
                found.append(Breach("evaluations", exposure.likelihood.model))
        if policy.has("differencing") and self._would_reveal(exposure, policy):
            found.append(Breach("differencing", "rows"))
        return tuple(found)

    def enter(self, plan: Plan, request: Request, exposure: Exposure, block: Block) -> None:
        """Remember an answer that leaves."""
        statistic = self._statistic(plan, request, exposure)
        _append_to_journal(_INTENDED + statistic)
        transaction.on_commit(lambda: _append_to_journal(statistic))
        Release.objects.create(
            study=self._study,
            protocol=plan.protocol.hash,
            run=self._run.pk,
            analysis=plan.item.id,
            model=self._model(plan, exposure),
            statistic=statistic,
            snapshot=self._run.snapshot,
            sets=seal(self._persons(rows) for rows in exposure.row_sets.values()),
            numbers={name: list(values) for name, values in block.items()},
            released_at=self._now,
        )

    def _would_reveal(self, exposure: Exposure, policy: Policy) -> bool:
        offered = map(self._persons, exposure.row_sets.values())
        return released_differences().would_reveal(offered, smallest=policy.smallest_cell)

    @cached_property
    def _numbers(self) -> IntArray:
        return number_persons(self._table)

    def _persons(self, rows: Mask) -> Mask:
        """Return the persons in a selection of rows, as a mask over their numbers."""
        mask = np.zeros(int(self._numbers.max(initial=-1)) + 1, dtype=bool)
        mask[self._numbers[rows]] = True
        return mask

    def _statistic(self, plan: Plan, request: Request, exposure: Exposure) -> str:
        return statistic_key(plan, request, exposure, snapshot=self._run.snapshot)

    def _model(self, plan: Plan, exposure: Exposure) -> str:
        return model_key(plan, exposure, snapshot=self._run.snapshot)

    def _is_closed(self, statistic: str) -> bool:
        """Tell whether the journal knows releases that the database does not: a backup was put back."""
        noted = _journal() - {statistic}
        return Release.objects.filter(statistic__in=noted).count() < len(noted) if noted else False


def _journal_path() -> Path:
    return keystore.home() / keystore.KEYS / _JOURNAL


def _lines() -> set[str]:
    path = _journal_path()
    return set(path.read_text(encoding="ascii").split()) if path.exists() else set()


def _journal() -> set[str]:
    """Return what left."""
    return {line for line in _lines() if not line.startswith(_INTENDED)}


def _note_what_left() -> None:
    """Note what was about to be released when this process ended, and whose transaction did end.

    What was about to be released and never was (the process was killed, no agreement let it cross) is in no database
    and left no site: it does not close the ledger, or one outage would.
    """
    lines = _lines()
    unsure = {line.removeprefix(_INTENDED) for line in lines if line.startswith(_INTENDED)} - lines
    for statistic in sorted(Release.objects.filter(statistic__in=unsure).values_list("statistic", flat=True)):
        _append_to_journal(statistic)


def _append_to_journal(line: str) -> None:
    """Bring one line to the disk; a line is shorter than a block, so two writers do not mix theirs."""
    path = _journal_path()
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        keystore.sync_folder(path.parent)
