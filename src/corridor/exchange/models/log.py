"""The tamper-evident log: trees, leaves, what peers have signed, what does not agree."""

from __future__ import annotations

from typing import TypeVar

from django.db import models

Row = TypeVar("Row", bound=models.Model)


class LogTree(models.Model):
    """One RFC 6962 tree; its row is the locked head from which the next index comes.

    ``size`` counts the leaves; ``frontier`` belongs to ``signed_size``, the size of the last checkpoint signed, and
    must reproduce that checkpoint's root before another one is signed.
    """

    class Kind(models.TextChoices):
        """What a tree is about."""

        AGREEMENT = "agreement"
        PARTNER = "partner"
        AUDIT = "audit"

    kind = models.CharField(max_length=12, choices=Kind.choices)
    # The first version's hash of the agreement, or the partner's id; empty for the audit trail.
    subject = models.CharField(max_length=120, default="", blank=True)
    epoch = models.PositiveIntegerField(default=1)
    origin = models.CharField(max_length=300, unique=True)
    size = models.PositiveBigIntegerField(default=0)
    signed_size = models.PositiveBigIntegerField(default=0)
    frontier = models.BinaryField(default=b"")
    checkpoint = models.BinaryField(default=b"")
    checkpoint_at = models.DateTimeField(null=True, blank=True)
    # Day of the last daily leaf that names the audit trail's root.
    audit_root_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject", "epoch"], name="exchange_tree_once_per_epoch"),
            models.CheckConstraint(
                condition=models.Q(signed_size__lte=models.F("size")), name="exchange_tree_signed_within_size"
            ),
        ]

    def __str__(self) -> str:
        return self.origin


class LogLeaf(models.Model):
    """One leaf: hash of salt and record; the salt leaves this node only inside evidence."""

    tree = models.ForeignKey(LogTree, on_delete=models.PROTECT, related_name="leaves")
    index = models.PositiveBigIntegerField()
    leaf_hash = models.BinaryField(max_length=32)
    salt = models.BinaryField(max_length=32)
    record = models.BinaryField()

    class Meta:
        ordering = ["tree", "index"]
        constraints = [models.UniqueConstraint(fields=["tree", "index"], name="exchange_leaf_index_once")]

    def __str__(self) -> str:
        return f"{self.tree_id}/{self.index}"


class LogTile(models.Model):
    """The root of a complete subtree of 256 to the power ``level`` leaves, so that proofs need not read all leaves."""

    tree = models.ForeignKey(LogTree, on_delete=models.PROTECT, related_name="tiles")
    level = models.PositiveSmallIntegerField()
    index = models.PositiveBigIntegerField()
    node_hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tree", "level", "index"], name="exchange_tile_once")]

    def __str__(self) -> str:
        return f"{self.tree_id}/{self.level}/{self.index}"


class PresentChain(models.Manager[Row]):
    """What a peer signed under the chain of cards that is pinned now.

    A peer that lost all its keys is pinned anew and begins new logs, which need not extend those before.
    """

    def get_queryset(self) -> models.QuerySet[Row]:
        """Return the rows of the present chain."""
        return super().get_queryset().filter(is_former=False)


class PeerCheckpoint(models.Model):
    """A checkpoint that a peer signed, byte for byte as it came."""

    node_id = models.CharField(max_length=120)
    origin = models.CharField(max_length=300)
    epoch = models.PositiveIntegerField(default=1)
    size = models.PositiveBigIntegerField()
    root = models.BinaryField(max_length=32)
    signed = models.BinaryField()
    received_from = models.CharField(max_length=120)
    received_at = models.DateTimeField()
    # True when a consistency proof joined it to the one held before.
    is_proved = models.BooleanField(default=False)
    # When the peer was asked for the proof that joins it to the others, since none came with it.
    demanded_at = models.DateTimeField(null=True, blank=True)
    # Signed under a chain that was pinned before the present one: kept for evidence, compared with nothing new.
    is_former = models.BooleanField(default=False, db_default=False)

    objects = PresentChain["PeerCheckpoint"]()
    every = models.Manager["PeerCheckpoint"]()

    class Meta:
        ordering = ["origin", "size"]
        constraints = [
            models.UniqueConstraint(
                fields=["origin", "size", "root"],
                condition=models.Q(is_former=False),
                name="exchange_peer_checkpoint_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.origin} {self.size}"


class PeerLeaf(models.Model):
    """A leaf of a peer's log that a receipt names, with the proof that a checkpoint of the peer contains it."""

    origin = models.CharField(max_length=300)
    index = models.PositiveBigIntegerField()
    leaf_hash = models.BinaryField(max_length=32)
    # The audit path, nearest sibling first, 32 bytes each.
    path = models.BinaryField()
    checkpoint = models.ForeignKey(PeerCheckpoint, on_delete=models.PROTECT, related_name="leaves")
    is_former = models.BooleanField(default=False, db_default=False)

    objects = PresentChain["PeerLeaf"]()
    every = models.Manager["PeerLeaf"]()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["origin", "index", "leaf_hash"],
                condition=models.Q(is_former=False),
                name="exchange_peer_leaf_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.origin} {self.index}"


class OwnStatement(models.Model):
    """What this node told a peer of the size of one of its logs, which bounds in evidence when a leaf came at first."""

    node_id = models.CharField(max_length=120)
    origin = models.CharField(max_length=300)
    size = models.PositiveBigIntegerField()
    signed = models.BinaryField()
    told_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node_id", "origin", "size"], name="exchange_told_once")]

    def __str__(self) -> str:
        return f"{self.node_id} {self.origin} {self.size}"


class Latest(models.Manager["HeldByPeer"]):
    """What each peer holds now."""

    def get_queryset(self) -> models.QuerySet[HeldByPeer]:
        """Return the rows that no revocation froze."""
        return super().get_queryset().filter(frozen_by="")


class HeldByPeer(models.Model):
    """The largest checkpoint of one of this node's trees that a peer says it holds; the next proof starts there."""

    node_id = models.CharField(max_length=120)
    origin = models.CharField(max_length=300)
    size = models.PositiveBigIntegerField()
    signed = models.BinaryField()
    # The peer's signed statement that it holds it, which bounds in evidence when a leaf was there at the latest.
    statement = models.BinaryField()
    told_at = models.DateTimeField()
    # The card of this node at whose revocation this stood. What the card's keys signed counts only if it is contained
    # in a checkpoint that the peer held before; later statements do not show that.
    frozen_by = models.CharField(max_length=64, default="", blank=True)

    objects = Latest()
    every = models.Manager["HeldByPeer"]()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node_id", "origin", "frozen_by"], name="exchange_held_once")]

    def __str__(self) -> str:
        return f"{self.node_id} {self.origin} {self.size}"


class Dispute(models.Model):
    """What does not agree between a partner's statements; while open it halts exchange under its agreement."""

    class Kind(models.TextChoices):
        """What is known: the four proofs of the specification, or none."""

        FORKED_CHECKPOINT = "forked-checkpoint"
        FORKED_LEAF = "forked-leaf"
        RECEIPT_CONTRADICTED = "receipt-contradicted"
        SHRUNK_REPLY = "shrunk-reply"
        UNPROVEN = "unproven"

    partner = models.ForeignKey("exchange.Partner", on_delete=models.PROTECT, related_name="disputes")
    # The first version's hash; empty when it concerns the partner's own tree and so every agreement with it.
    agreement_hash = models.CharField(max_length=64, default="", blank=True)
    origin = models.CharField(max_length=300)
    kind = models.CharField(max_length=24, choices=Kind.choices)
    detail = models.JSONField(default=dict)
    evidence = models.BinaryField(default=b"")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=300, default="", blank=True)
    closing_note = models.TextField(default="", blank=True)

    class Meta:
        ordering = ["-opened_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["partner", "origin", "kind"],
                condition=models.Q(closed_at__isnull=True),
                name="exchange_dispute_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.origin} {self.kind}"


class UnauthenticatedCount(models.Model):
    """How often, in one hour, something came whose sender could not be told; nothing else of it is kept."""

    hour_at = models.DateTimeField()
    fault = models.CharField(max_length=40)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["hour_at", "fault"], name="exchange_unauthenticated_once")]

    def __str__(self) -> str:
        return f"{self.hour_at:%Y-%m-%d %H} {self.fault} {self.count}"
