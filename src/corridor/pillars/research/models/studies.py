"""A study, the versions of its protocol, who signed which, and how each site stands."""

from django.db import models


class Study(models.Model):
    """One study under one agreement; `name` is the short name that all versions of its protocol share."""

    name = models.CharField(max_length=62)
    agreement = models.CharField(max_length=64)
    channel = models.CharField(max_length=120)
    own_site = models.CharField(max_length=62)
    by_hand = models.BooleanField(default=False)
    """Whether each answer of this site waits for two persons."""
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="research_study_once")]
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class ProtocolVersion(models.Model):
    """One version of a protocol, byte for byte."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="versions")
    hash = models.CharField(max_length=64, unique=True)
    version = models.PositiveIntegerField()
    document = models.BinaryField()
    proposed_by = models.CharField(max_length=120)
    recorded_at = models.DateTimeField()
    locked_at = models.DateTimeField(null=True)
    """When the last site's signature was recorded here; nothing is computed before."""

    class Meta:
        ordering = ["-version", "-recorded_at"]

    def __str__(self) -> str:
        return f"{self.study.name} {self.version}"


class StudySignature(models.Model):
    """A site's signature over one version, by its agreement key."""

    version = models.ForeignKey(ProtocolVersion, on_delete=models.PROTECT, related_name="signatures")
    site = models.CharField(max_length=62)
    node = models.CharField(max_length=120)
    signature = models.BinaryField()
    signed_at = models.DateTimeField()
    actor = models.CharField(max_length=300, default="", blank=True)
    crossing_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "site"], name="research_signature_once")]

    def __str__(self) -> str:
        return f"{self.site} {self.version_id}"


class SiteState(models.Model):
    """How one site stands in a study, as it said last."""

    class Standing(models.TextChoices):
        """What a site does."""

        ACTIVE = "active"
        PAUSED = "paused"
        LEFT = "left"
        CLOSED = "closed"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="sites")
    site = models.CharField(max_length=62)
    standing = models.CharField(max_length=10, choices=Standing, default=Standing.ACTIVE)
    reason = models.CharField(max_length=2000, default="", blank=True)
    snapshot = models.CharField(max_length=64, default="", blank=True)
    """Hash of the frozen rows that the site announced; empty before."""
    since_at = models.DateTimeField()
    stated_at = models.DateTimeField(null=True)
    """When another site stated it, by that site's clock; None before it stated anything."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "site"], name="research_site_once")]

    def __str__(self) -> str:
        return f"{self.site} {self.standing}"
