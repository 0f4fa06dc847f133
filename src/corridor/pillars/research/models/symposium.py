"""What the sites of a study bring to their yearly symposium; each entry belongs to the site that wrote it."""

from django.db import models

from corridor.pillars.research.models.studies import Study


class SymposiumEntry(models.Model):
    """One entry as its author stated it last."""

    class Kind(models.TextChoices):
        """What it is."""

        AGENDA = "agenda"
        FIGURE = "figure"
        DECISION = "decision"
        PUBLICATION = "publication"

    class Standing(models.TextChoices):
        """Where it stands."""

        OPEN = "open"
        DONE = "done"
        WITHDRAWN = "withdrawn"

    id = models.UUIDField(primary_key=True)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="symposium")
    node = models.CharField(max_length=120)
    year = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, choices=Kind)
    text = models.CharField(max_length=2000)
    owner = models.CharField(max_length=300, default="", blank=True)
    day = models.DateField(null=True)
    standing = models.CharField(max_length=10, choices=Standing, default=Standing.OPEN)
    run = models.UUIDField(null=True)
    """Of a figure: the run whose result it is taken from."""
    blocks = models.CharField(max_length=64, default="", blank=True)
    """Of a figure: hash of that run's blocks as the author's site has them."""
    revision = models.PositiveIntegerField(default=1)
    stated_at = models.DateTimeField()
    stated_by = models.CharField(max_length=300, default="", blank=True)
    crossing_id = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["-year", "kind", "day", "stated_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
