"""What recurs: the log is recomputed, what waited too long is set aside, agreements follow the clock, bodies go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from corridor.accounts.actors import System
from corridor.exchange.services import agreements, bodies, checkpoints, consistency, counters, deletion, rounds
from corridor.jobs.registry import JobContext, task

HOURLY = "exchange.hourly"
RETENTION = "exchange.retention"


@task(HOURLY, retries=3)
def hourly(*, arguments: dict[str, Any], now: datetime, job: JobContext) -> None:
    """Recompute every tree, write the daily root of the audit trail, give up what is seven days old."""
    del arguments
    steps: tuple[Callable[[], object], ...] = (
        lambda: checkpoints.verify_log(actor=System("hourly"), now=now),
        lambda: checkpoints.write_audit_roots(actor=System("hourly"), now=now),
        lambda: rounds.bury_old(now=now),
        lambda: agreements.tick(now=now),
        lambda: counters.retire(actor=System("hourly"), now=now),
        lambda: consistency.judge_demands(actor=System("hourly"), now=now),
        lambda: bodies.sweep(now=now),
        lambda: deletion.lay_again(actor=System("hourly"), now=now),
        lambda: deletion.acknowledge_lost(actor=System("hourly"), now=now),
    )
    for done, step in enumerate(steps):
        step()
        job.heartbeat(done + 1, len(steps))


@task(RETENTION, retries=3)
def retain(*, arguments: dict[str, Any], now: datetime, job: JobContext) -> None:
    """Delete what is past the time that its agreement gives it."""
    del arguments
    gone = 0
    for bodies_of_batch in deletion.enforce_retention(actor=deletion.RETENTION, now=now):
        gone += bodies_of_batch
        job.heartbeat(gone, gone)
