"""Runs: somebody asks for an analysis of the plan, each site answers round by round, and each keeps the result."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import Refused, WrongUsage
from corridor.jobs.services import enqueue
from corridor.pillars.research.messages import (
    NamedNumbers,
    Parameter,
    RoundBlock,
    RoundRefusal,
    RunRequest,
    StudyMessage,
)
from corridor.pillars.research.models import Round, Run, SiteState, Study
from corridor.pillars.research.queries.studies import own_node_id, version_of
from corridor.pillars.research.rules.analyses import Answer, Plan, Request, Result
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.engine import settle
from corridor.pillars.research.rules.protocol import Protocol, read_protocol
from corridor.pillars.research.rules.rows import SiteTable
from corridor.pillars.research.services.ledger import DatabaseLedger
from corridor.pillars.research.services.sending import send_act

__all__ = [
    "ADVANCE",
    "RELEASE",
    "RELEASE_ANSWER",
    "NoSuchAnalysis",
    "NotLocked",
    "NothingWaits",
    "StudyEnded",
    "ask_to_release",
    "begin_run",
    "end_run",
    "finish_run",
    "record_answer",
    "release_answer",
    "request_run",
    "wake",
    "wake_open",
]

REQUEST, RELEASE = "research.request", "research.release"
RELEASE_ANSWER = "research.release-answer"
ADVANCE = "research.advance-runs"


class NotLocked(Refused):
    """The protocol is not signed by every site; nothing is computed before."""

    code: ClassVar[str] = "protocol-not-locked"


class StudyEnded(Refused):
    """The end date of the protocol has passed; nothing new is computed."""

    code: ClassVar[str] = "study-ended"


class NoSuchAnalysis(WrongUsage):
    """The protocol's plan has no such analysis."""

    code: ClassVar[str] = "no-such-analysis"


class NothingWaits(WrongUsage):
    """No answer of that round waits for two persons."""

    code: ClassVar[str] = "nothing-waits"


@write("research.request_run", subject="analysis")
def request_run(*, study: str, analysis: str, actor: Actor, now: datetime) -> Run:
    """Ask every site for an analysis of the plan.

    Raises
    ------
    UnknownStudy, NotLocked, StudyEnded, NoSuchAnalysis, StudyNotOpen, NotPermitted
    """
    require(actor, REQUEST)
    version = version_of(study)
    protocol = read_protocol(bytes(version.document))
    if version.locked_at is None:
        raise NotLocked(
            f"version {version.version} of {study} is not signed by every site yet; nothing is computed before."
            f" `corridor study show {study}` says whose signature is missing."
        )
    if protocol.ends_on < now.date():
        raise StudyEnded(f"the study ended on {protocol.ends_on.isoformat()}; an amendment may set a later date.")
    if protocol.analysis(analysis) is None:
        known = ", ".join(item.id for item in protocol.analyses)
        raise NoSuchAnalysis(f"the plan of {study} has no analysis {analysis!r}; it has {known}.")
    own = own_node_id()
    run = begin_run(
        run=uuid.uuid4(),
        version_id=version.pk,
        analysis=analysis,
        node=own,
        by=actor_name(actor),
        actor=actor,
        now=now,
    )
    note(study=study, run=str(run.pk))
    act = StudyMessage(
        study=protocol.study,
        protocol=protocol.hash,
        stated_at=now,
        simulated=protocol.simulated,
        request=RunRequest(run=str(run.pk), analysis=analysis),
    )
    send_act(act, study=version.study, protocol=protocol, actor=actor, now=now)
    return run


def begin_run(
    *, run: uuid.UUID, version_id: int, analysis: str, node: str, by: str, actor: Actor, now: datetime
) -> Run:
    """Store a run that was asked for, here or at another site, and put its first round into the queue."""
    row, created = Run.objects.get_or_create(
        id=run,
        defaults={
            "version_id": version_id,
            "analysis": analysis,
            "asked_by_node": node,
            "asked_by": by,
            "asked_at": now,
            "moved_at": now,
        },
    )
    if created:
        wake(row, actor=actor, now=now)
    return row


def wake(run: Run, *, actor: Actor, now: datetime) -> None:
    """Put the next step of a run into the queue."""
    enqueue(ADVANCE, arguments={"run": str(run.pk)}, actor=actor, now=now)


def wake_open(study: Study, *, actor: Actor, now: datetime) -> None:
    """Put the next step of every open run of a study into the queue."""
    for run in Run.objects.filter(version__study=study, state__in=(Run.State.RUNNING, Run.State.WAITING)):
        wake(run, actor=actor, now=now)


@write("research.record_answer", subject="run")
def record_answer(
    *,
    run: uuid.UUID,
    plan: Plan,
    request: Request,
    answer: Answer,
    table: SiteTable,
    snapshot: str,
    policy: Policy,
    actor: Actor,
    now: datetime,
) -> Round | None:
    """Enter this site's answer into the ledger, store it and send it to the other sites, in one transaction.

    Where the study waits for two persons the answer is stored and does not leave. None if the run has ended, the
    round was answered or this site paused meanwhile.

    Raises
    ------
    AnswerRefused
        If disclosure control does not let it leave; nothing is written then.
    StudyNotOpen
        If no agreement lets it cross now; the same call later does it.
    """
    row = Run.objects.select_for_update().select_related("version__study").get(pk=run)
    study = row.version.study
    if row.state != Run.State.RUNNING or row.rounds.filter(number=request.round, site=study.own_site).exists():
        return None
    if not SiteState.objects.filter(study=study, site=study.own_site, standing=SiteState.Standing.ACTIVE).exists():
        return None
    row.snapshot = row.snapshot or snapshot
    ledger = DatabaseLedger(row, study=study.name, table=table, now=now)
    return _release(row, ledger, plan, request, answer, policy=policy, actor=actor, now=now)


def _release(
    row: Run,
    ledger: DatabaseLedger,
    plan: Plan,
    request: Request,
    answer: Answer,
    *,
    policy: Policy,
    actor: Actor,
    now: datetime,
) -> Round:
    study = row.version.study
    released = settle(answer, plan, request, policy=policy, ledger=ledger)
    stored = Round.objects.create(
        run=row,
        number=request.round,
        site=study.own_site,
        step=request.step,
        parameters={name: list(values) for name, values in request.parameters.items()},
        numbers={name: list(values) for name, values in released.block.items()},
        snapshot=row.snapshot,
        is_released=not study.by_hand,
        recorded_at=now,
    )
    note(study=study.name, round=request.round, numbers=sum(map(len, released.block.values())))
    row.moved_at = now
    if study.by_hand:
        row.state = Run.State.WAITING
    else:
        _send_block(stored, row, plan.protocol, actor=actor, now=now)
        wake(row, actor=actor, now=now)
    row.save(update_fields=["snapshot", "state", "moved_at"])
    return stored


def ask_to_release(run: uuid.UUID, *, number: int, actor: Actor, now: datetime) -> Outcome:
    """Ask for this site's answer of a round to leave; a second person allows it.

    Raises
    ------
    NothingWaits
    """
    row = Run.objects.select_related("version__study").get(pk=run)
    _waiting(row, number)
    return ask(RELEASE_ANSWER, {"run": str(run), "round": number}, actor=actor, now=now)


@write("research.release_answer", subject="run")
def release_answer(*, run: str, round: int, actor: Actor, first: Actor, now: datetime) -> Round:  # noqa: A002
    """Let this site's stored answer of a round leave, as two persons decided.

    Raises
    ------
    NothingWaits
    """
    row = Run.objects.select_for_update().select_related("version__study").get(pk=run)
    stored = _waiting(row, round)
    stored.is_released = True
    stored.save(update_fields=["is_released"])
    row.state, row.moved_at = Run.State.RUNNING, now
    row.save(update_fields=["state", "moved_at"])
    note(study=row.version.study.name, first=actor_name(first))
    protocol = read_protocol(bytes(row.version.document))
    _send_block(stored, row, protocol, actor=actor, now=now)
    wake(row, actor=actor, now=now)
    return stored


def _waiting(run: Run, number: int) -> Round:
    stored: Round | None = run.rounds.filter(number=number, site=run.version.study.own_site, is_released=False).first()
    if stored is None or run.state != Run.State.WAITING:
        raise NothingWaits(f"no answer of round {number} waits for two persons in this run.")
    return stored


def _send_block(stored: Round, run: Run, protocol: Protocol, *, actor: Actor, now: datetime) -> None:
    act = StudyMessage(
        study=protocol.study,
        protocol=protocol.hash,
        stated_at=now,
        simulated=protocol.simulated,
        block=RoundBlock(
            run=str(run.pk),
            analysis=run.analysis,
            round=stored.number,
            step=stored.step,
            snapshot=stored.snapshot,
            parameters=_lists(Parameter, stored.parameters),
            numbers=_lists(NamedNumbers, stored.numbers),
        ),
    )
    crossings = send_act(act, study=run.version.study, protocol=protocol, actor=actor, now=now)
    stored.crossing_id = crossings[0]
    stored.save(update_fields=["crossing_id"])


def _lists(part: type[Any], named: Mapping[str, Sequence[float | None]]) -> tuple[Any, ...]:
    return tuple(part(name=name, values=tuple(values)) for name, values in sorted(named.items()))


@write("research.end_run", subject="run")
def end_run(
    *,
    run: uuid.UUID,
    state: str,
    site: str,
    reasons: Sequence[str],
    number: int,
    code: str,
    tell: bool,
    actor: Actor,
    now: datetime,
) -> None:
    """End a run without a result: refused, failed or disputed, at which site, and why.

    Parameters
    ----------
    tell : bool
        Whether the other sites are told: true for what this site decided.
    """
    row = Run.objects.select_for_update().select_related("version__study").get(pk=run)
    if row.state in (Run.State.DONE, Run.State.REFUSED, Run.State.FAILED, Run.State.DISPUTED):
        return
    row.state, row.at_site, row.code, row.reasons, row.moved_at = state, site, code, list(reasons), now
    row.save(update_fields=["state", "at_site", "code", "reasons", "moved_at"])
    note(study=row.version.study.name, state=state, site=site, code=code)
    if not tell:
        return
    protocol = read_protocol(bytes(row.version.document))
    act = StudyMessage(
        study=protocol.study,
        protocol=protocol.hash,
        stated_at=now,
        simulated=protocol.simulated,
        refusal=RoundRefusal(run=str(row.pk), analysis=row.analysis, round=number, code=code, reasons=tuple(reasons)),
    )
    send_act(act, study=row.version.study, protocol=protocol, actor=actor, now=now)


@write("research.finish_run", subject="run")
def finish_run(*, run: uuid.UUID, result: Result, actor: Actor, now: datetime) -> None:
    """Store the result that this site derived from all blocks."""
    del actor
    row = Run.objects.select_for_update().get(pk=run)
    if row.state != Run.State.RUNNING:
        return
    row.state, row.moved_at = Run.State.DONE, now
    row.result = {
        "precision": str(result.precision),
        "values": dict(result.values),
        "warnings": list(result.warnings),
    }
    row.save(update_fields=["state", "result", "moved_at"])
