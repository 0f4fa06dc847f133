"""What detection found: runs, their results, signals and the work on them."""

from django.db import models
from django.db.models import Q

_CODE = 120


class DetectionRun(models.Model):
    """One run of a method over all series of a disease, with everything that is needed to repeat it."""

    disease = models.CharField(max_length=_CODE)
    period_type = models.CharField(max_length=5)
    basis = models.CharField(max_length=6)
    case_classes = models.CharField(max_length=60)
    method = models.CharField(max_length=40)
    # Method and options as given to science, and the offset used.
    settings = models.JSONField()
    software = models.CharField(max_length=60)
    as_of = models.DateTimeField()
    ran_at = models.DateTimeField()
    series = models.PositiveIntegerField()
    fallbacks = models.PositiveIntegerField()

    class Meta:
        ordering = ["-ran_at", "-id"]
        indexes = [models.Index(fields=["disease", "period_type", "-ran_at"], name="surveillance_run_of_disease")]

    def __str__(self) -> str:
        return f"{self.disease} {self.ran_at:%Y-%m-%d}"


class DetectionResult(models.Model):
    """One period of one series as a run judged it; null where the method gives nothing."""

    run = models.ForeignKey(DetectionRun, on_delete=models.CASCADE, related_name="results", db_index=False)
    place = models.CharField(max_length=60)
    start_on = models.DateField()
    observed = models.BigIntegerField(null=True)
    expected = models.FloatField(null=True)
    upperbound = models.FloatField(null=True)
    alarm = models.BooleanField(null=True)
    score = models.FloatField(null=True)
    phi = models.FloatField(null=True)
    # The method that judged this series, and why a simpler one than asked for.
    method = models.CharField(max_length=40)
    fallback = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "place", "start_on"], name="surveillance_result_once"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.place} {self.start_on}"


class Signal(models.Model):
    """A period in a place with more cases than its limit: to be looked at by a person."""

    class Status(models.TextChoices):
        """Where the work on it stands."""

        NEW = "new"
        VERIFYING = "verifying"
        VERIFIED = "verified"
        DISCARDED = "discarded"

    event = models.UUIDField(unique=True)
    run = models.ForeignKey(DetectionRun, on_delete=models.PROTECT, related_name="signals")
    disease = models.CharField(max_length=_CODE)
    place = models.CharField(max_length=60)
    period_type = models.CharField(max_length=5)
    basis = models.CharField(max_length=6)
    start_on = models.DateField()
    end_on = models.DateField()
    observed = models.BigIntegerField()
    expected = models.FloatField(null=True)
    upperbound = models.FloatField()
    method = models.CharField(max_length=40)
    severity = models.CharField(max_length=12)
    simulated = models.BooleanField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.NEW)
    raised_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-raised_at", "disease", "place"]
        constraints = [
            models.UniqueConstraint(
                fields=["disease", "place", "period_type", "start_on", "raised_at"], name="surveillance_signal_once"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["new", "verifying", "verified", "discarded"]),
                name="surveillance_signal_status",
            ),
            models.CheckConstraint(condition=Q(observed__gt=0), name="surveillance_signal_has_cases"),
        ]
        indexes = [
            models.Index(fields=["status", "-raised_at"], name="surveillance_signal_status_at"),
            models.Index(fields=["disease", "place", "-raised_at"], name="surveillance_signal_series"),
        ]

    def __str__(self) -> str:
        return f"{self.disease} {self.place} {self.start_on}"


class SignalStep(models.Model):
    """One step of the work on a signal: who moved it where, and why. Never changed, never deleted."""

    signal = models.ForeignKey(Signal, on_delete=models.PROTECT, related_name="steps")
    at = models.DateTimeField()
    actor = models.CharField(max_length=300)
    from_status = models.CharField(max_length=10)
    to_status = models.CharField(max_length=10)
    note = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.signal_id} {self.to_status}"
