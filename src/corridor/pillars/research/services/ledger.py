"""The database side of differencing, evaluations, budgets and repeats; read and written under the ledger's lock.

One ledger holds everything that this site released about a person, in whatever study and to whomever, because
partners talk to each other. Sets of persons are stored encrypted; the key lies outside the database and its backups.
What was released is noted in a journal outside the database too: a database that was put back from a backup knows
less than the journal, and releases nothing until two persons have brought back what it lost (`reopening`).
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property, partial

from django.db import transaction
from django.db.models import Sum

from corridor.pillars.research.models import Release, Run, Snapshot, Told
from corridor.pillars.research.queries.journal import Left, unsure
from corridor.pillars.research.queries.ledger import lost_answers
from corridor.pillars.research.rules.analyses import Block, Plan, Request
from corridor.pillars.research.rules.analyses.base import count_numbers
from corridor.pillars.research.rules.disclosure import (
    Breach,
    Exposure,
    Policy,
    Selection,
    Spent,
    over_budget,
    persons_of,
)
from corridor.pillars.research.rules.ledger import Ledger, model_key, statistic_key
from corridor.pillars.research.rules.rows import IntArray, Mask, SiteTable
from corridor.pillars.research.services.corrections import would_tell_corrections
from corridor.pillars.research.services.journal import intend, note_left
from corridor.pillars.research.services.person_numbers import lock_ledger, number_persons
from corridor.pillars.research.services.released_sets import most_answers, released_differences, seal

__all__ = ["DatabaseLedger", "bring_back", "note_what_left"]


class DatabaseLedger(Ledger):
    """What this node released, for one run and its frozen rows; to be used inside the transaction that releases."""

    def __init__(self, run: Run, *, study: str, table: SiteTable, now: datetime) -> None:
        lock_ledger()
        self._run = run
        self._study = study
        self._table = table
        self._now = now
        note_what_left()

    def cached(self, plan: Plan, request: Request, exposure: Exposure) -> Block | None:
        """Return the block that was released before for the same statistic of the same rows, or None."""
        row = Release.objects.filter(statistic=self._statistic(plan, request, exposure)).first()
        # What some partner has not got counts anew, for that partner.
        is_told = row is not None and self._partners(plan) <= set(row.told.values_list("node", flat=True))
        return dict(row.numbers) if row is not None and is_told else None

    def breaches(
        self, plan: Plan, request: Request, exposure: Exposure, policy: Policy, *, numbers: int
    ) -> tuple[Breach, ...]:
        """Return what earlier answers have against this one, which shows so many `numbers`."""
        found = []
        if policy.has("budget"):
            if self._is_closed(self._statistic(plan, request, exposure)):
                found.append(Breach("budget", "ledger-closed"))
            found.extend(over_budget(self._spent(plan, exposure), policy, study=self._study, numbers=numbers))
        if policy.has("evaluations") and exposure.likelihood is not None:
            model = self._model(plan, exposure)
            if Release.objects.filter(model=model).count() >= policy.evaluations:
                found.append(Breach("evaluations", exposure.likelihood.model))
        if policy.has("differencing") and self._would_reveal(exposure, policy):
            found.append(Breach("differencing", "rows"))
        if policy.has("corrections") and not plan.counts_alone and self._would_tell_corrections(exposure, policy):
            found.append(Breach("corrections", "rows"))
        return tuple(found)

    def enter(self, plan: Plan, request: Request, exposure: Exposure, block: Block) -> None:
        """Remember an answer that leaves."""
        left = Left(
            study=self._study,
            protocol=plan.protocol.hash,
            run=str(self._run.pk),
            analysis=plan.item.id,
            model=self._model(plan, exposure),
            statistic=self._statistic(plan, request, exposure),
            snapshot=self._run.snapshot,
            rows=self._rows,
            partners=tuple(sorted(self._partners(plan))),
            numbers={name: list(values) for name, values in block.items()},
            released_at=self._now.isoformat(),
            sets=tuple(exposure.row_sets.values()),
        )
        intend(left)
        transaction.on_commit(partial(note_left, left.statistic))
        _store(left, self._numbers)

    def _spent(self, plan: Plan, exposure: Exposure) -> Spent:
        told = Told.objects.filter(node__in=self._partners(plan)).values_list("node").annotate(Sum("numbers"))
        return Spent(
            answers=Release.objects.filter(study=self._study).count(),
            of_person=most_answers(map(self._persons, exposure.row_sets.values())),
            to_partners=dict.fromkeys(self._partners(plan), 0) | dict(told.values_list("node", "numbers__sum")),
        )

    def _partners(self, plan: Plan) -> set[str]:
        own = self._run.version.study.own_site
        return {site.node for site in plan.protocol.sites if site.id != own}

    def _would_reveal(self, exposure: Exposure, policy: Policy) -> bool:
        offered = map(self._persons, exposure.row_sets.values())
        return released_differences().would_reveal(offered, smallest=policy.smallest_cell)

    def _would_tell_corrections(self, exposure: Exposure, policy: Policy) -> bool:
        return would_tell_corrections(
            exposure.row_sets.values(),
            table=self._table,
            snapshot=self._run.snapshot,
            smallest=policy.smallest_cell,
        )

    @cached_property
    def _numbers(self) -> IntArray:
        return number_persons(self._table, rows=self._rows)

    @cached_property
    def _rows(self) -> str:
        """Return the name of the file of this run's frozen rows."""
        return Snapshot.objects.get(study__name=self._study, hash=self._run.snapshot).name

    def _persons(self, rows: Mask) -> Selection:
        return persons_of(rows, self._numbers)

    def _statistic(self, plan: Plan, request: Request, exposure: Exposure) -> str:
        return statistic_key(plan, request, exposure, snapshot=self._run.snapshot)

    def _model(self, plan: Plan, exposure: Exposure) -> str:
        return model_key(plan, exposure, snapshot=self._run.snapshot)

    def _is_closed(self, statistic: str) -> bool:
        """Tell whether the journal knows releases that the database does not: a backup was put back."""
        return bool(set(lost_answers()) - {statistic})


def bring_back(left: Left, *, table: SiteTable) -> None:
    """Enter an answer that the database lost, which was about these frozen rows; to be called under `lock_ledger`."""
    _store(left, number_persons(table))


def note_what_left() -> None:
    """Note what was about to be released when this process ended, and whose transaction did end.

    What was about to be released and never was (the process was killed, no agreement let it cross) is in no database
    and left no site: it does not close the ledger, or one outage would.
    """
    for statistic in sorted(Release.objects.filter(statistic__in=unsure()).values_list("statistic", flat=True)):
        note_left(statistic)


def _store(left: Left, numbers: IntArray) -> None:
    release, _ = Release.objects.get_or_create(
        statistic=left.statistic,
        defaults={
            "study": left.study,
            "protocol": left.protocol,
            "run": left.run,
            "analysis": left.analysis,
            "model": left.model,
            "snapshot": left.snapshot,
            "sets": seal(persons_of(rows, numbers) for rows in left.sets),
            "numbers": left.numbers,
            "released_at": datetime.fromisoformat(left.released_at),
        },
    )
    for node in left.partners:
        Told.objects.get_or_create(release=release, node=node, defaults={"numbers": count_numbers(left.numbers)})
