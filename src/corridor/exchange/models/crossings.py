"""Everything that crossed the border or was refused: crossings, the outbox, sealed bodies."""

from django.db import models
from django.db.models import Q


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
    is_held = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(null=True, blank=True)
    deleted_by = models.CharField(max_length=300, default="", blank=True)

    def __str__(self) -> str:
        return self.name
