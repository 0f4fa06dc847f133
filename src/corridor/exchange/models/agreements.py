"""Agreements, what parties signed about them, and what was released under them."""

from django.db import models


class Agreement(models.Model):
    """One version of an agreement, known by the SHA-256 of its canonical bytes; its row is the lock of the gate."""

    hash = models.CharField(max_length=64, primary_key=True)
    document = models.BinaryField()
    first_version = models.CharField(max_length=64, db_index=True)
    supersedes = models.CharField(max_length=64, default="", blank=True)
    title = models.CharField(max_length=500)
    state = models.CharField(max_length=16)
    suspended_by = models.JSONField(default=list)
    start_at = models.DateTimeField()
    end_at = models.DateTimeField()
    # The dormant annex: open until this moment once it was activated.
    opened_until_at = models.DateTimeField(null=True, blank=True)
    is_one_person = models.BooleanField(default=False)
    recorded_at = models.DateTimeField()
    state_since_at = models.DateTimeField()

    class Meta:
        ordering = ["-recorded_at"]

    def __str__(self) -> str:
        return self.title


class AgreementSignature(models.Model):
    """One party's signature over an agreement's bytes."""

    agreement = models.ForeignKey(Agreement, on_delete=models.PROTECT, related_name="signatures")
    node_id = models.CharField(max_length=120)
    signed = models.BinaryField()
    signed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agreement", "node_id"], name="exchange_agreement_signed_once_by_party")
        ]

    def __str__(self) -> str:
        return f"{self.agreement_id} {self.node_id}"


class AgreementStatement(models.Model):
    """A signed statement of a party about an agreement: suspension, resumption, activation, termination."""

    agreement = models.ForeignKey(Agreement, on_delete=models.PROTECT, related_name="statements")
    node_id = models.CharField(max_length=120)
    sequence = models.PositiveIntegerField()
    previous = models.CharField(max_length=64, default="", blank=True)
    kind = models.CharField(max_length=16)
    signed = models.BinaryField()
    stated_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["agreement", "node_id", "sequence"]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "node_id", "sequence"], name="exchange_statement_sequence_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.agreement_id} {self.node_id} {self.sequence} {self.kind}"


class ChannelDay(models.Model):
    """How many envelopes of one sender passed on one channel on one day (UTC); what its daily cap is compared with."""

    agreement_hash = models.CharField(max_length=64)
    channel = models.CharField(max_length=120)
    from_node = models.CharField(max_length=120)
    on = models.DateField()
    envelopes = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agreement_hash", "channel", "from_node", "on"], name="exchange_channel_day_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.from_node} {self.on} {self.envelopes}"


class ReleasedCell(models.Model):
    """One figure of the suppression ledger: released with its value, or withheld (null), to whom and when."""

    recipient = models.CharField(max_length=120)
    agreement_hash = models.CharField(max_length=64)
    disease = models.CharField(max_length=120)
    place = models.CharField(max_length=60)
    period_start = models.DateField()
    period_end = models.DateField()
    stratum = models.CharField(max_length=120, default="", blank=True)
    value = models.BigIntegerField(null=True, blank=True)
    # The rule by which it is withheld: what the ledger assumes of its size depends on it.
    withheld = models.CharField(max_length=40, default="", blank=True)
    crossing = models.ForeignKey(
        "exchange.Crossing", on_delete=models.PROTECT, related_name="released_cells", null=True
    )
    released_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["disease", "place", "period_start"])]

    def __str__(self) -> str:
        return f"{self.disease} {self.place} {self.period_start}"


class ExportCounter(models.Model):
    """How many persons a rule has counted in one calendar year of its time zone; its row is the counter's lock."""

    rule = models.CharField(max_length=120)
    year = models.PositiveSmallIntegerField()
    sensitivity = models.CharField(max_length=60)
    direction = models.CharField(max_length=3)
    persons = models.PositiveBigIntegerField(default=0)
    limit = models.PositiveBigIntegerField(null=True, blank=True)
    # Closed after a restore that could not rebuild it.
    is_closed = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "year", "sensitivity", "direction"], name="exchange_export_counter_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.year} {self.sensitivity}"


class ExportedPerson(models.Model):
    """A person's tag under a counter: HMAC with a yearly key that lies outside the database."""

    counter = models.ForeignKey(ExportCounter, on_delete=models.PROTECT, related_name="exported_persons")
    tag = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["counter", "tag"], name="exchange_person_counted_once")]

    def __str__(self) -> str:
        return f"{self.counter_id}"
