"""Move runs on: derive the next request from all blocks, compute this site's answer, and keep the result."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from corridor.accounts.actors import System
from corridor.base.errors import CorridorError, InputFault, UserFault
from corridor.jobs.registry import JobContext, task
from corridor.pillars.research import queries, services
from corridor.pillars.research.queries import Progress
from corridor.pillars.research.rules.analyses import (
    Blocks,
    MalformedBlock,
    Plan,
    Request,
    Result,
    plan_of,
)
from corridor.pillars.research.rules.conduct import approvals_lacking, ending
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.rules.engine import AnswerRefused, compute_answer, next_step
from corridor.pillars.research.services.runs import ADVANCE
from corridor.pillars.research.services.sending import StudyNotOpen

__all__ = ["ADVANCE", "advance"]

MOST_REASONS = 200
"""As many as a refusal may hold."""

_CLOSE = 1e-9
"""How far, relatively, parameters that two sites derived may differ: their processors round differently."""


@task(ADVANCE)
def advance(*, arguments: dict[str, Any], now: datetime, job: JobContext) -> None:
    """Move one run on, or every open one."""
    actor = System("research")
    runs = [uuid.UUID(arguments["run"])] if "run" in arguments else queries.open_runs(actor)
    broken: list[CorridorError] = []
    for number, run in enumerate(runs, start=1):
        try:
            while _step(run, actor=actor, now=now):
                job.heartbeat(number, len(runs))
        except StudyNotOpen:
            # The agreement is suspended or not in force: the run waits, and the next turn tries again.
            continue
        except CorridorError as fault:
            # Such as frozen rows that cannot be read: the other runs go on all the same.
            broken.append(fault)
    if not queries.open_runs(actor):
        services.drop_tables()
    if broken:
        raise broken[0]


def _step(run: uuid.UUID, *, actor: System, now: datetime) -> bool:
    """Take one step of a run; return whether there may be another one at once."""
    state = queries.progress(run, actor=actor)
    item = state.protocol.analysis(state.analysis)
    plan = plan_of(item, state.protocol) if item is not None else None
    if state.state not in ("running", "waiting") or plan is None:
        return False
    gone = [site for site, standing in state.standings.items() if standing in ("left", "closed")]
    if gone:
        _end(state, site=gone[0], code="site-left", reasons=["site-left"], actor=actor, now=now)
        return False
    if state.state == "waiting":
        return False
    history: list[tuple[Request, Blocks]] = []
    try:
        step = next_step(plan, history)
        while isinstance(step, Request) and len(state.rounds.get(step.round, {})) == len(state.protocol.sites):
            stranger = _differs(state, step)
            if stranger:
                differ = "parameters-differ"
                _end(state, site=stranger, code=differ, reasons=[differ], actor=actor, now=now)
                return False
            blocks = state.rounds[step.round]
            history.append((step, {site: blocks[site] for site in sorted(blocks)}))
            step = next_step(plan, history)
    except MalformedBlock as fault:
        _end(state, site=fault.site, code=fault.code, reasons=[str(fault)], actor=actor, now=now)
        return False
    except UserFault as fault:
        # Besides what plans find themselves: fits that do not converge, separate or cannot be solved.
        _end(state, site="", code=fault.code, reasons=[str(fault)], actor=actor, now=now)
        return False
    if isinstance(step, Result):
        services.finish_run(run=run, result=step, actor=actor, now=now)
        return False
    if step.round in state.answered:
        return False
    return _answer(state, plan, step, actor=actor, now=now)


def _differs(state: Progress, request: Request) -> str:
    """Return the first site whose block was not computed for the parameters that this site derives, or nothing."""
    for site in sorted(state.rounds[request.round]):
        step, parameters = state.parameters[request.round, site]
        if step != request.step or not _close(parameters, request.parameters):
            return site
    return ""


def _close(theirs: Mapping[str, Sequence[float]], ours: Mapping[str, Sequence[float]]) -> bool:
    if set(theirs) != set(ours):
        return False
    return all(
        len(theirs[name]) == len(ours[name])
        and bool(np.allclose(np.array(theirs[name], float), np.array(ours[name], float), rtol=_CLOSE, atol=_CLOSE))
        for name in ours
    )


def _answer(state: Progress, plan: Plan, request: Request, *, actor: System, now: datetime) -> bool:
    """Compute and release this site's answer; return whether the run may go on at once."""
    site = state.protocol.site(state.own_site)
    if state.standings.get(state.own_site) == "paused" or state.snapshot is None or site is None:
        return False
    if state.protocol.ends_on < now.date():
        _refuse(state, request, code="study-ended", reasons=["study-ended"], actor=actor, now=now)
        return False
    lacking = approvals_lacking(site, today=now.date())
    if lacking:
        _refuse(state, request, code="approval-lacking", reasons=lacking, actor=actor, now=now)
        return False
    table = services.frozen_table(state.snapshot, site=state.own_site)
    policy = Policy.of(state.protocol.disclosure, noise_key=services.noise_key())
    try:
        answer = compute_answer(plan, request, table=table, policy=policy)
        services.record_answer(
            run=state.run,
            plan=plan,
            request=request,
            answer=answer,
            table=table,
            snapshot=state.snapshot.hash,
            policy=policy,
            actor=actor,
            now=now,
        )
    except AnswerRefused as refusal:
        reasons = [f"{breach.guard}: {breach.subject}" for breach in refusal.breaches]
        _refuse(state, request, code=refusal.code, reasons=reasons, actor=actor, now=now)
        return False
    except InputFault as fault:
        _refuse(state, request, code=fault.code, reasons=[str(fault)], actor=actor, now=now)
        return False
    return True


def _refuse(
    state: Progress, request: Request, *, code: str, reasons: Sequence[str], actor: System, now: datetime
) -> None:
    services.end_run(
        run=state.run,
        state=ending(code),
        site=state.own_site,
        reasons=list(reasons[:MOST_REASONS]),
        number=request.round,
        code=code,
        tell=True,
        actor=actor,
        now=now,
    )


def _end(progress: Progress, *, site: str, code: str, reasons: Sequence[str], actor: System, now: datetime) -> None:
    """End a run for what every site finds by itself; nobody has to be told."""
    services.end_run(
        run=progress.run,
        state=ending(code),
        site=site,
        reasons=list(reasons),
        number=max(progress.rounds, default=0) + 1,
        code=code,
        tell=False,
        actor=actor,
        now=now,
    )
