"""A site's own rows: how its table is read, and what was frozen of it."""

from django.db import models

from corridor.pillars.research.models.studies import Study


class SiteData(models.Model):
    """How this site's table becomes the study's variables; one for each study."""

    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="data")
    source = models.CharField(max_length=300)
    """The file's name, or the name of the connection to a database, never its URL."""
    query = models.TextField(default="", blank=True)
    """The query that gives the rows, where they come from a database."""
    mapping = models.TextField(default="", blank=True)
    registered_by = models.CharField(max_length=300)
    registered_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.source


class Snapshot(models.Model):
    """Harmonised rows, encrypted in a file of the home; frozen once a steward signed the report."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="snapshots")
    hash = models.CharField(max_length=64)
    protocol = models.CharField(max_length=64)
    name = models.CharField(max_length=32, unique=True)
    rows = models.PositiveIntegerField()
    persons = models.PositiveIntegerField()
    report = models.JSONField()
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=300)
    signed_at = models.DateTimeField(null=True)
    signed_by = models.CharField(max_length=300, default="", blank=True)

    class Meta:
        ordering = ["-made_at"]
        constraints = [models.UniqueConstraint(fields=["study", "hash"], name="research_snapshot_once")]

    def __str__(self) -> str:
        return self.hash[:12]
