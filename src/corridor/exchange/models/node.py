"""The node and its partners: cards, revocations, how each partner is doing."""

from django.db import models


class Node(models.Model):
    """The installation itself: exactly one row, written when the node is founded."""

    class State(models.TextChoices):
        """Whether this node may sign."""

        RUNNING = "running"
        RECOVERING = "recovering"
        HALTED = "halted"

    node_id = models.CharField(max_length=120, unique=True)
    country = models.CharField(max_length=2)
    name = models.CharField(max_length=300)
    url = models.CharField(max_length=500)
    fingerprint = models.CharField(max_length=100)
    simulated = models.BooleanField(default=False)
    epoch = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=12, choices=State.choices, default=State.RUNNING)
    state_reason = models.TextField(default="", blank=True)
    state_since_at = models.DateTimeField()
    verified_at = models.DateTimeField(null=True, blank=True)
    founded_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="exchange_node_is_one")]

    def __str__(self) -> str:
        return self.node_id


class Partner(models.Model):
    """A node whose card two persons of this node pinned, and how it is doing."""

    class State(models.TextChoices):
        """What stands between this node and the partner."""

        PINNED = "pinned"
        PAUSED = "paused"
        REVOKED = "revoked"

    class Owed(models.TextChoices):
        """What of this node's own the partner may hold and this node lost, after a backup was put back."""

        NOTHING = ""
        # It has not shown yet whether it holds anything.
        UNHEARD = "unheard"
        # It holds something, or may; a new epoch was opened, and it has not yet returned everything.
        RETURNS = "returns"
        # Two persons went on without it.
        FORGONE = "forgone"

    node_id = models.CharField(max_length=120, unique=True)
    country = models.CharField(max_length=2)
    name = models.CharField(max_length=300)
    url = models.CharField(max_length=500)
    fingerprint = models.CharField(max_length=100)
    state = models.CharField(max_length=12, choices=State.choices, default=State.PINNED)
    state_reason = models.TextField(default="", blank=True)
    pinned_at = models.DateTimeField()
    pinned_by = models.CharField(max_length=300)
    epoch = models.PositiveIntegerField(default=1)
    last_contact_at = models.DateTimeField(null=True, blank=True)
    last_failure_at = models.DateTimeField(null=True, blank=True)
    last_failure = models.CharField(max_length=300, default="", blank=True)
    failures = models.PositiveIntegerField(default=0)
    circuit_open_until_at = models.DateTimeField(null=True, blank=True)
    clock_offset_seconds = models.FloatField(null=True, blank=True)
    # After each start, and until the partner has shown which of our checkpoints it holds, this is null.
    confirmed_at = models.DateTimeField(null=True, blank=True)
    # A restore that the partner told of and an officer of this node has not yet confirmed.
    restore_epoch = models.PositiveIntegerField(null=True, blank=True)
    restore_notice = models.BinaryField(default=b"")
    restore_told_at = models.DateTimeField(null=True, blank=True)
    # The epoch of the partner for which returned envelopes are still on their way to it.
    returning_epoch = models.PositiveIntegerField(null=True, blank=True)
    owed = models.CharField(max_length=8, choices=Owed.choices, default="", blank=True)
    swapped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["node_id"]

    def __str__(self) -> str:
        return self.node_id


class CardVersion(models.Model):
    """One signed card of this node or of a partner; a chain is never shortened, and a former one is kept."""

    node_id = models.CharField(max_length=120)
    # 1 for the chain that was pinned first, one more each time that the node was pinned anew; the last one counts.
    chain = models.PositiveIntegerField(default=1)
    serial = models.PositiveIntegerField()
    signed = models.BinaryField()
    # A partner's new address counts only after two persons of this node agreed to it.
    is_pending = models.BooleanField(default=False)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["node_id", "chain", "serial"]
        constraints = [models.UniqueConstraint(fields=["node_id", "chain", "serial"], name="exchange_card_serial_once")]

    def __str__(self) -> str:
        return f"{self.node_id} #{self.serial}"


class KeyRevocation(models.Model):
    """A signed statement that the keys of a node's card no longer count, and later, perhaps, that they do again."""

    node_id = models.CharField(max_length=120)
    card_hash = models.CharField(max_length=64)
    signed = models.BinaryField()
    reinstatement = models.BinaryField(default=b"")
    recorded_at = models.DateTimeField()
    reinstated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["node_id", "card_hash"],
                condition=models.Q(reinstated_at__isnull=True),
                name="exchange_card_revoked_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.node_id} {self.card_hash}"
