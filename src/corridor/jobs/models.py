"""Jobs and schedules."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Job(models.Model):
    """One piece of background work: what, since when, by whom it is held, how often it was tried, how it ended."""

    class State(models.TextChoices):
        """Where a job stands."""

        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    kind = models.CharField(max_length=100)
    arguments = models.JSONField(default=dict)
    key = models.CharField(max_length=200, default="", blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    asked_by = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    lease = models.CharField(max_length=32, default="", blank=True)
    leased_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=200, default="", blank=True)
    done_steps = models.PositiveIntegerField(default=0)
    all_steps = models.PositiveIntegerField(default=0)
    error = models.TextField(default="", blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "due_at"])]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=Q(state__in=("queued", "running")) & ~Q(key=""),
                name="one_unfinished_job_per_key",
            ),
            models.CheckConstraint(condition=Q(state__in=("queued", "running", "done", "failed")), name="job_state"),
            models.CheckConstraint(
                condition=~Q(state="running") | (Q(leased_until__isnull=False) & ~Q(lease="")),
                name="running_job_has_a_lease",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.kind}"


class Schedule(models.Model):
    """When a recurring job is next due; the interval itself stands in the code that declares it."""

    name = models.CharField(max_length=100, unique=True)
    next_due_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
