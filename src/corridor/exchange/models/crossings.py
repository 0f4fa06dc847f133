"""Everything that crossed the border or was refused: crossings, the outbox, sealed bodies."""

from django.db import models
from django.db.models import Q

from corridor.exchange.rules.retention import Why

_WHY = [(why.value, why.value) for why in Why]


class Crossing(models.Model):
    """One envelope, sent or received or refused; never pruned.

    An inbound row is also the inbox: ``from_node`` and ``envelope_id`` are the identity, ``token_hash`` tells a
    repeat from a reused id, and ``receipt`` holds the bytes that a repeat is answered with. An outbound row holds the
    partner's receipt.
    """

    class Direction(models.TextChoices):
        """Seen from this node."""

        IN = "in"
        OUT = "out"

    class Status(models.TextChoices):
        """Where an envelope stands."""

        QUEUED = "queued"
        ACCEPTED = "accepted"
        REFUSED = "refused"
        UNDELIVERABLE = "undeliverable"

    direction = models.CharField(max_length=3, choices=Direction.choices)
    envelope_id = models.CharField(max_length=36)
    from_node = models.CharField(max_length=120)
    to_node = models.CharField(max_length=120)
    # The hash of the agreement's version under which it travels; empty for control messages without one.
    agreement_hash = models.CharField(max_length=64, default="", blank=True)
    channel = models.CharField(max_length=120, default="", blank=True)
    schema = models.CharField(max_length=120)
    purpose = models.CharField(max_length=120, default="", blank=True)
    data_class = models.CharField(max_length=16)
    persons = models.PositiveIntegerField(default=0)
    status = models.CharField(max_length=16, choices=Status.choices)
    # Who refused is the receiver when a receipt says so, else this node's own gate.
    reason = models.CharField(max_length=60, default="", blank=True)
    token_hash = models.CharField(max_length=64)
    token = models.BinaryField()
    receipt = models.BinaryField(default=b"")
    # The receipt that a partner gave before it came back from a backup without what it receipted.
    lost_receipt = models.BinaryField(default=b"")
    # The leaf of this node's log that records it.
    tree = models.ForeignKey("exchange.LogTree", on_delete=models.PROTECT, related_name="crossings")
    leaf_index = models.PositiveBigIntegerField()
    created_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    actor = models.CharField(max_length=300, default="", blank=True)

    class Meta:
        ordering = ["-recorded_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["from_node", "envelope_id"],
                condition=Q(direction="in") & ~Q(reason="id_reused"),
                name="exchange_inbox_identity",
            ),
            models.UniqueConstraint(
                fields=["envelope_id", "to_node"], condition=Q(direction="out"), name="exchange_outbound_id_once"
            ),
        ]
        indexes = [
            models.Index(fields=["envelope_id"]),
            models.Index(fields=["agreement_hash", "-recorded_at"]),
            models.Index(fields=["recorded_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.envelope_id}"


class HandRelease(models.Model):
    """Two persons let figures go that the suppression ledger held back; what could be worked out is the ledger's."""

    crossing = models.OneToOneField(Crossing, on_delete=models.PROTECT, related_name="hand_release")
    asked_by = models.CharField(max_length=300)
    allowed_by = models.CharField(max_length=300)
    reason = models.CharField(max_length=1000)
    # How many withheld figures the partner can narrow since.
    narrowed = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.crossing_id} {self.asked_by} {self.allowed_by}"


class OutboxEntry(models.Model):
    """An envelope that still has to reach its partner; the row goes when the receipt is stored."""

    crossing = models.OneToOneField(Crossing, on_delete=models.PROTECT, related_name="outbox")
    to_node = models.CharField(max_length=120)
    attempts = models.PositiveIntegerField(default=0)
    queued_at = models.DateTimeField()
    due_at = models.DateTimeField()
    leased_until_at = models.DateTimeField(null=True, blank=True)
    lease = models.CharField(max_length=36, default="", blank=True)
    last_error = models.CharField(max_length=300, default="", blank=True)
    is_undeliverable = models.BooleanField(default=False)
    # The last day (UTC) on which it is counted among the channel's envelopes of the day; it is counted once for a day.
    counted_on = models.DateField(null=True, blank=True)
    # It may cross no more, but may have arrived: the partner was asked, and its answer decides.
    is_withdrawn = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["to_node", "is_undeliverable", "due_at"])]

    def __str__(self) -> str:
        return f"{self.to_node} {self.crossing_id}"


class SealedBody(models.Model):
    """A body that travels encrypted; its file lies under ``bodies/`` of the home, its key outside the database."""

    crossing = models.OneToOneField(Crossing, on_delete=models.PROTECT, related_name="sealed_body")
    name = models.CharField(max_length=64, unique=True)
    size_bytes = models.PositiveBigIntegerField()
    ciphertext_hash = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.name


class BodyKeeping(models.Model):
    """What was decided about the body of an envelope: a legal hold, its deletion, the partner's word of its copy.

    There is a row only where something was decided; an envelope without one is kept as long as its agreement says.
    """

    crossing = models.OneToOneField(Crossing, on_delete=models.PROTECT, related_name="keeping")
    held_at = models.DateTimeField(null=True, blank=True)
    held_by = models.CharField(max_length=300, default="", blank=True)
    hold_reason = models.CharField(max_length=500, default="", blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    deleted_by = models.CharField(max_length=300, default="", blank=True)
    why = models.CharField(max_length=16, choices=_WHY, default="", blank=True)
    # The leaf by which this node states the deletion.
    tree = models.ForeignKey("exchange.LogTree", on_delete=models.PROTECT, null=True, related_name="deletions")
    leaf_index = models.PositiveBigIntegerField(null=True)
    # What the partner stated about its own copy.
    partner_deleted_at = models.DateTimeField(null=True, blank=True)
    partner_why = models.CharField(max_length=16, choices=_WHY, default="", blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(held_at__isnull=True) | Q(deleted_at__isnull=True), name="exchange_held_is_not_deleted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.crossing_id}"
