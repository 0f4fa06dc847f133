"""The process that works jobs off, and one pass of it."""

from __future__ import annotations

import logging
import os
import platform
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import OperationalError, close_old_connections

from corridor.accounts.actors import System
from corridor.base.clock import utcnow
from corridor.base.errors import CorridorError, UserFault
from corridor.jobs import registry, services
from corridor.jobs.models import Job

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
HOUSEKEEPING = timedelta(hours=1)
SCHEDULER = System("jobs")


@dataclass(frozen=True)
class _Context:
    job: Job
    clock: Callable[[], datetime]

    @property
    def id(self) -> int:
        return self.job.pk

    @property
    def attempt(self) -> int:
        return self.job.attempts

    def heartbeat(self, done: int, of: int) -> None:
        services.extend_lease(self.job, done=done, of=of, now=self.clock())


def run_due(*, now: datetime, limit: int = 1000) -> int:
    """Enqueue what recurs and work off everything that is due at `now`, in this process; return how many jobs ran.

    Jobs that these jobs enqueue for `now` run in the same pass; for tests and the demo.
    """
    services.enqueue_recurring(actor=SCHEDULER, now=now)
    done = 0
    while done < limit and (job := services.claim(worker=worker_name(), now=now)) is not None:
        work_off(job, now=now, clock=lambda: now)
        done += 1
    return done


def work_off(job: Job, *, now: datetime, clock: Callable[[], datetime]) -> None:
    """Run one leased job and record how it ended; an error of the task never leaves this function."""
    try:
        registry.task_of(job.kind).run(arguments=job.arguments, now=now, job=_Context(job, clock))
        services.finish(job, now=clock())
    except services.LeaseLost as lost:
        log.warning("%s", lost)
    except Exception as error:  # whatever a task raises must end as a recorded failure, not a dead worker
        services.fail(job, error=describe(error), may_retry=not isinstance(error, UserFault), now=clock())
        log.warning("job %s (%s), attempt %s: %s", job.pk, job.kind, job.attempts, type(error).__name__)


def describe(error: Exception) -> str:
    """Return what may be kept of an error: our own text, of any other only its kind and the lines of code it passed.

    The text of a foreign error may quote a row of a line list.
    """
    if isinstance(error, CorridorError):
        return f"{error.code}: {error}"
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return "\n".join(
        [
            type(error).__qualname__,
            *(f"{frame.name} (line {frame.lineno} of {Path(frame.filename).name})" for frame in frames),
        ]
    )


def worker_name() -> str:
    """Return the name under which this process leases jobs: host and process id."""
    return f"{platform.node()}:{os.getpid()}"


def release_the_dead(*, now: datetime) -> int:
    """Take over at once from workers of this host whose process is gone; other hosts' leases run out by themselves."""
    released = 0
    for name in Job.objects.filter(state=Job.State.RUNNING).values_list("worker", flat=True).distinct():
        host, _, pid = name.rpartition(":")
        if host == platform.node() and pid.isdigit() and int(pid) != os.getpid() and not _is_alive(int(pid)):
            released += services.release(worker=name, now=now)
    return released


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main(stop_event: threading.Event) -> None:
    """Work jobs off until `stop_event` is set; the job under way is finished first."""
    released = release_the_dead(now=utcnow())
    if released:
        log.info("%s jobs of a worker that died are taken over", released)
    tidied_at = utcnow() - HOUSEKEEPING
    while not stop_event.is_set():
        now = utcnow()
        try:
            services.enqueue_recurring(actor=SCHEDULER, now=now)
            if now - tidied_at >= HOUSEKEEPING:
                services.forget_finished(now=now)
                tidied_at = now
            job = services.claim(worker=worker_name(), now=now)
            if job is not None:
                work_off(job, now=now, clock=utcnow)
                continue
        except OperationalError as error:
            # A full disk or a database that restarts: the loop outlives it, leases keep the work safe.
            log.warning("the database does not answer (%s); trying again", type(error).__name__)
            close_old_connections()
            stop_event.wait(5)
        close_old_connections()
        stop_event.wait(IDLE_SECONDS)
