"""Writes about jobs: putting work into the queue, and everything a worker records."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import CorridorError, Refused, WrongUsage
from corridor.jobs import registry
from corridor.jobs.models import Job, Schedule

FIRST_RETRY = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
KEPT = timedelta(days=30)
"""How long a finished job stays on the page."""


class LeaseLost(CorridorError):
    """Another worker took the job over; what this one would still record is void."""

    code = "lease-lost"


class NoSuchJob(WrongUsage):
    """There is no job of that number."""

    code = "no-such-job"


class NotFailed(Refused):
    """Only a failed job is tried again by hand."""

    code = "job-not-failed"


def enqueue(
    kind: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    actor: Actor,
    now: datetime,
    due: datetime | None = None,
    key: str | None = None,
) -> Job:
    """Put a job into the queue, in the caller's transaction if there is one.

    Parameters
    ----------
    kind : str
        An announced task.
    arguments : mapping, JSON
        Ids and settings, never a patient's data.
    due : datetime, UTC
        Not before this; left out, at once.
    key : str
        While a job of this kind and key waits or runs, it is returned and no second one made.

    Returns
    -------
    Job

    Raises
    ------
    UnknownTask
        If no app announced `kind`.

    Notes
    -----
    A job is bookkeeping and makes no audit entry of its own: the write that enqueues it does, and so do its own writes.
    """
    registry.task_of(kind)
    values = {"arguments": dict(arguments or {}), "asked_by": actor_name(actor), "asked_at": now, "due_at": due or now}
    if not key:
        return Job.objects.create(kind=kind, **values)
    with transaction.atomic():
        job, _ = Job.objects.get_or_create(
            kind=kind,
            key=key,
            state__in=(Job.State.QUEUED, Job.State.RUNNING),
            defaults={**values, "state": Job.State.QUEUED},
        )
    return job


def schedule(kind: str, *, every: timedelta, name: str = "", arguments: Mapping[str, Any] | None = None) -> None:
    """Declare what recurs; the same as `registry.every`, for callers that already hold this module."""
    registry.every(every, kind=kind, name=name, arguments=arguments)


def enqueue_recurring(*, actor: Actor, now: datetime) -> int:
    """Enqueue whatever recurs and is due; a turn that was slept through is made up once, not many times.

    Returns
    -------
    int, jobs enqueued
    """
    made = 0
    for recurrence in registry.recurrences():
        with transaction.atomic():
            row, created = Schedule.objects.select_for_update().get_or_create(
                name=recurrence.name, defaults={"next_due_at": now}
            )
            if row.next_due_at > now and not created:
                continue
            enqueue(recurrence.kind, recurrence.arguments, actor=actor, now=now, key=f"schedule:{recurrence.name}")
            row.next_due_at = now + recurrence.every
            row.save(update_fields=["next_due_at"])
            made += 1
    return made


def claim(*, worker: str, now: datetime) -> Job | None:
    """Lease the oldest job that is due, or whose worker fell silent; None if there is none.

    A job whose worker fell silent more often than its task allows retries is marked failed, not tried for ever.
    """
    takeable = Q(state=Job.State.QUEUED, due_at__lte=now) | Q(state=Job.State.RUNNING, leased_until__lte=now)
    while True:
        with transaction.atomic():
            job = _locked(Job.objects.filter(takeable)).order_by("due_at", "id").first()
            if job is None:
                return None
            try:
                task = registry.task_of(job.kind)
            except registry.UnknownTask as error:
                _finish(job, state=Job.State.FAILED, error=f"{error.code}: {error}", now=now)
                continue
            if job.attempts > task.retries:
                _finish(
                    job,
                    state=Job.State.FAILED,
                    error="worker-lost: each attempt ended with a dead or silent worker",
                    now=now,
                )
                continue
            job.state = Job.State.RUNNING
            job.attempts += 1
            job.lease = secrets.token_hex(16)
            job.leased_until = now + task.lease
            job.worker = worker
            job.save(update_fields=["state", "attempts", "lease", "leased_until", "worker"])
            return job


def extend_lease(job: Job, *, done: int, of: int, now: datetime) -> None:
    """Record progress and start the lease anew.

    Raises
    ------
    LeaseLost
        If the job is no longer this worker's.
    """
    until = now + registry.task_of(job.kind).lease
    if not _mine(job).update(done_steps=done, all_steps=of, leased_until=until):
        raise LeaseLost(f"job {job.pk} was taken over by another worker")


def finish(job: Job, *, now: datetime) -> None:
    """Record that the job is done.

    Raises
    ------
    LeaseLost
        If the job is no longer this worker's.
    """
    if not _mine(job).update(state=Job.State.DONE, lease="", leased_until=None, error="", finished_at=now):
        raise LeaseLost(f"job {job.pk} was taken over by another worker")


def fail(job: Job, *, error: str, may_retry: bool, now: datetime) -> None:
    """Record a failed attempt: queued again after a pause that doubles, or failed for good.

    Parameters
    ----------
    error : str
        Code and text, without anything of a patient.
    may_retry : bool
        False for a fault that only a person can mend.
    """
    if may_retry and job.attempts <= registry.task_of(job.kind).retries:
        wait = min(FIRST_RETRY * 2 ** (job.attempts - 1), LONGEST_WAIT)
        _mine(job).update(state=Job.State.QUEUED, due_at=now + wait, lease="", leased_until=None, error=error)
    else:
        _mine(job).update(state=Job.State.FAILED, lease="", leased_until=None, error=error, finished_at=now)


def release(*, worker: str, now: datetime) -> int:
    """Let go of what a worker that is known to be dead had leased; return how many jobs that were."""
    return Job.objects.filter(state=Job.State.RUNNING, worker=worker, leased_until__gt=now).update(leased_until=now)


@write("jobs.retry", subject="job_id")
def retry(job_id: int, *, actor: Actor, now: datetime) -> Job:
    """Try a failed job again from the start, now.

    Raises
    ------
    NotPermitted, NoSuchJob, NotFailed
        If `actor` may not, or there is nothing to try again.
    """
    require(actor, "jobs.retry")
    job = Job.objects.select_for_update().filter(pk=job_id).first()
    if job is None:
        raise NoSuchJob(f"there is no job {job_id}; `corridor jobs --failed` lists those that failed")
    if job.state != Job.State.FAILED:
        raise NotFailed(f"job {job_id} is {job.state}; only a failed job is tried again by hand")
    if (
        job.key
        and Job.objects.filter(kind=job.kind, key=job.key, state__in=(Job.State.QUEUED, Job.State.RUNNING)).exists()
    ):
        raise NotFailed(f"job {job_id} has a younger sibling that waits or runs; that one does the same work")
    job.state, job.due_at, job.attempts, job.finished_at = Job.State.QUEUED, now, 0, None
    job.save(update_fields=["state", "due_at", "attempts", "finished_at"])
    note(kind=job.kind)
    return job


def forget_finished(*, now: datetime) -> int:
    """Delete jobs that ended well more than 30 days ago; failed ones stay until someone tries them again."""
    deleted, _ = Job.objects.filter(state=Job.State.DONE, finished_at__lt=now - KEPT).delete()
    return deleted


def _mine(job: Job) -> QuerySet[Job]:
    return Job.objects.filter(pk=job.pk, lease=job.lease, state=Job.State.RUNNING)


def _locked(jobs: QuerySet[Job]) -> QuerySet[Job]:
    # SQLite's IMMEDIATE transaction already holds the only write lock; on PostgreSQL workers pass each other's rows by.
    if connection.features.has_select_for_update_skip_locked:
        return jobs.select_for_update(skip_locked=True)
    return jobs


def _finish(job: Job, *, state: Job.State, error: str, now: datetime) -> None:
    job.state, job.error, job.finished_at, job.lease, job.leased_until = state, error, now, "", None
    job.save(update_fields=["state", "error", "finished_at", "lease", "leased_until"])
