"""Reads about jobs."""

from __future__ import annotations

from django.db.models import Count, QuerySet

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.jobs.models import Job, Schedule


def jobs(*, actor: Actor, state: str = "") -> QuerySet[Job]:
    """Return jobs, newest first; `state` narrows them to queued, running, done or failed.

    Raises
    ------
    NotPermitted
        If `actor` may not see jobs.
    """
    require(actor, "jobs.see_jobs")
    found = Job.objects.order_by("-id")
    return found.filter(state=state) if state else found


def counts(*, actor: Actor) -> dict[str, int]:
    """Return how many jobs stand in each state.

    Raises
    ------
    NotPermitted
        If `actor` may not see jobs.
    """
    require(actor, "jobs.see_jobs")
    held = dict(Job.objects.values_list("state").annotate(Count("id")).order_by())
    return {state.value: held.get(state.value, 0) for state in Job.State}


def schedules(*, actor: Actor) -> list[Schedule]:
    """Return what recurs and when it is next due.

    Raises
    ------
    NotPermitted
        If `actor` may not see jobs.
    """
    require(actor, "jobs.see_jobs")
    return list(Schedule.objects.order_by("next_due_at"))
