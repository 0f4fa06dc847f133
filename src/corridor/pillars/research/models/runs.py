"""One analysis of a study being computed over all sites, round by round."""

from django.db import models

from corridor.pillars.research.models.studies import ProtocolVersion


class Run(models.Model):
    """An analysis that somebody asked for, and how it stands at this node."""

    class State(models.TextChoices):
        """Where a run stands."""

        RUNNING = "running"
        WAITING = "waiting"
        """This site's answer waits for two persons."""
        REFUSED = "refused"
        FAILED = "failed"
        DISPUTED = "disputed"
        DONE = "done"

    id = models.UUIDField(primary_key=True)
    version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="runs")
    analysis = models.CharField(max_length=62)
    asked_by_node = models.CharField(max_length=120)
    asked_by = models.CharField(max_length=300, default="", blank=True)
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    snapshot = models.CharField(max_length=64, default="", blank=True)
    """Hash of the rows of this site on which it is computed: the same in all rounds."""
    at_site = models.CharField(max_length=62, default="", blank=True)
    """The site at which it ended without a result."""
    code = models.CharField(max_length=80, default="", blank=True)
    """Why it ended without a result, as a code that pages have words for; `reasons` says what is concerned."""
    reasons = models.JSONField(default=list)
    result = models.JSONField(null=True)
    moved_at = models.DateTimeField()

    class Meta:
        ordering = ["-asked_at"]

    def __str__(self) -> str:
        return f"{self.analysis} {self.state}"


class Round(models.Model):
    """One site's block of one round, own or received; the first one counts."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="rounds")
    number = models.PositiveIntegerField()
    site = models.CharField(max_length=62)
    step = models.CharField(max_length=200)
    parameters = models.JSONField()
    numbers = models.JSONField()
    snapshot = models.CharField(max_length=64)
    is_released = models.BooleanField(default=True)
    """False for a block of this site that waits for two persons; it has not left."""
    envelope = models.CharField(max_length=64, default="", blank=True)
    crossing_id = models.BigIntegerField(null=True)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["run", "number", "site"]
        constraints = [models.UniqueConstraint(fields=["run", "number", "site"], name="research_round_once")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.number} {self.site}"
