"""What this site released about whom: one ledger over studies, partners and amendments."""

from django.db import models


class PersonNumber(models.Model):
    """The place of one person in the row sets; the tag is a keyed hash of the pseudonym."""

    tag = models.BinaryField(unique=True)

    def __str__(self) -> str:
        return str(self.pk)


class Release(models.Model):
    """One answer that left, with the encrypted sets of persons that it tells of."""

    study = models.CharField(max_length=62)
    protocol = models.CharField(max_length=64)
    run = models.UUIDField()
    analysis = models.CharField(max_length=62)
    model = models.CharField(max_length=64)
    """Hash of the model and the rows, without the coefficients: what the limit of evaluations counts."""
    statistic = models.CharField(max_length=64, unique=True)
    """Hash of statistic, parameters, rows and snapshot: the same question has the same answer."""
    snapshot = models.CharField(max_length=64)
    sets = models.BinaryField()
    numbers = models.JSONField()
    released_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["model"]), models.Index(fields=["study"])]

    def __str__(self) -> str:
        return self.statistic[:12]


class Told(models.Model):
    """What one other node got of an answer: once, however often it asked."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="told")
    node = models.CharField(max_length=120)
    numbers = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["release", "node"], name="research_told_once")]
        indexes = [models.Index(fields=["node"], name="research_told_to")]

    def __str__(self) -> str:
        return f"{self.node} {self.numbers}"
