"""Documents of care, own and of partners, in all their versions; and the site's own patients who are followed up."""

from django.db import models


class CareDocument(models.Model):
    """One version of a treatment protocol or of a follow-up schedule, byte for byte, of the node that shared it."""

    class Kind(models.TextChoices):
        """What it is."""

        TREATMENT = "treatment"
        SCHEDULE = "schedule"

    node = models.CharField(max_length=120)
    """Whose it is: this node, or the partner that sent it."""
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=300)
    """What its versions share: the id of a treatment protocol, the URL of a schedule."""
    version = models.CharField(max_length=40)
    hash = models.CharField(max_length=64)
    document = models.BinaryField()
    simulated = models.BooleanField(default=False)
    recorded_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=300, default="", blank=True)
    """Who published it here; empty for what a partner sent."""
    crossing_id = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["kind", "name", "node", "-recorded_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["node", "kind", "name", "version"], name="research_care_version_once"),
            models.UniqueConstraint(fields=["node", "hash"], name="research_care_hash_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class FollowedPatients(models.Model):
    """The site's own patients who are followed up by a schedule: an encrypted file of the home; it never leaves."""

    schedule = models.OneToOneField(CareDocument, on_delete=models.CASCADE, related_name="followed")
    source = models.CharField(max_length=300)
    """Name of the file."""
    name = models.CharField(max_length=32, unique=True)
    patients = models.PositiveIntegerField()
    registered_by = models.CharField(max_length=300)
    registered_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.source
