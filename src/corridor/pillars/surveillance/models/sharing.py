"""What crossed: figures shared with partners and theirs with us, alerts, and when a person last looked."""

from django.conf import settings
from django.db import models
from django.db.models import Q

_CODE = 120


class SharedCount(models.Model):
    """One figure as it was last sent to one partner under an agreement; `revision` counts its corrections."""

    agreement = models.CharField(max_length=64)
    channel = models.CharField(max_length=120)
    to_node = models.CharField(max_length=120)
    disease = models.CharField(max_length=_CODE)
    place = models.CharField(max_length=60)
    period_type = models.CharField(max_length=5)
    basis = models.CharField(max_length=6)
    stratum = models.CharField(max_length=64, default="", blank=True)
    start_on = models.DateField()
    value = models.BigIntegerField(null=True)
    withheld = models.CharField(max_length=120, default="", blank=True)
    sites_reported = models.PositiveIntegerField(null=True)
    sites_expected = models.PositiveIntegerField(null=True)
    revision = models.PositiveIntegerField()
    crossing_id = models.BigIntegerField()
    sent_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "agreement",
                    "channel",
                    "to_node",
                    "disease",
                    "period_type",
                    "basis",
                    "stratum",
                    "place",
                    "start_on",
                ],
                name="surveillance_shared_once",
            ),
            models.CheckConstraint(
                condition=Q(withheld="") | Q(value__isnull=True), name="surveillance_shared_withheld_shows_nothing"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.to_node} {self.disease} {self.place} {self.start_on}"


class SentAlert(models.Model):
    """An alert, its withdrawal or a case notification that this node sent."""

    event = models.UUIDField()
    schema = models.CharField(max_length=120)
    revision = models.PositiveIntegerField()
    agreement = models.CharField(max_length=64)
    to_node = models.CharField(max_length=120)
    disease = models.CharField(max_length=_CODE)
    place = models.CharField(max_length=60)
    # Of an alert; empty for a withdrawal and a single case.
    period_type = models.CharField(max_length=5, default="", blank=True)
    start_on = models.DateField()
    withdrawn = models.BooleanField(default=False)
    crossing_id = models.BigIntegerField()
    actor = models.CharField(max_length=300)
    sent_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["event", "revision", "agreement", "to_node"], name="surveillance_sent_alert_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.to_node} {self.event}"


class PartnerCount(models.Model):
    """One revision of one figure of a partner; of those accepted the highest revision is current."""

    class Status(models.TextChoices):
        """Whether a person still has to accept it."""

        WAITING = "waiting"
        ACCEPTED = "accepted"
        DECLINED = "declined"

    from_node = models.CharField(max_length=120)
    agreement = models.CharField(max_length=64)
    envelope = models.CharField(max_length=36)
    crossing_id = models.BigIntegerField(null=True)
    disease = models.CharField(max_length=_CODE)
    place = models.CharField(max_length=60)
    place_level = models.CharField(max_length=7)
    period_type = models.CharField(max_length=5)
    basis = models.CharField(max_length=6)
    case_classes = models.CharField(max_length=60)
    stratum = models.CharField(max_length=64, default="", blank=True)
    start_on = models.DateField()
    end_on = models.DateField()
    revision = models.PositiveIntegerField()
    value = models.BigIntegerField(null=True)
    withheld = models.CharField(max_length=120, default="", blank=True)
    sites_reported = models.PositiveIntegerField(null=True)
    sites_expected = models.PositiveIntegerField(null=True)
    expected = models.FloatField(null=True)
    limit = models.FloatField(null=True)
    simulated = models.BooleanField()
    as_of = models.DateTimeField()
    received_at = models.DateTimeField()
    status = models.CharField(max_length=8, choices=Status.choices)
    is_current = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "disease",
                    "period_type",
                    "from_node",
                    "agreement",
                    "place",
                    "start_on",
                    "basis",
                    "case_classes",
                    "stratum",
                    "revision",
                ],
                name="surveillance_partner_revision_once",
            ),
            models.UniqueConstraint(
                fields=[
                    "disease",
                    "period_type",
                    "start_on",
                    "place",
                    "from_node",
                    "agreement",
                    "basis",
                    "case_classes",
                    "stratum",
                ],
                condition=Q(is_current=True),
                name="surveillance_partner_current_once",
            ),
            models.CheckConstraint(
                condition=Q(is_current=False) | Q(status="accepted"), name="surveillance_partner_current_is_accepted"
            ),
            models.CheckConstraint(
                condition=Q(withheld="") | Q(value__isnull=True), name="surveillance_partner_withheld_shows_nothing"
            ),
        ]
        indexes = [
            models.Index(fields=["status", "received_at"], name="surveillance_partner_status"),
            models.Index(fields=["received_at"], name="surveillance_partner_received"),
        ]

    def __str__(self) -> str:
        return f"{self.from_node} {self.disease} {self.place} {self.start_on}"


class PartnerAlert(models.Model):
    """An alert or a case notification of a partner; the highest revision holds, a withdrawal stays visible."""

    from_node = models.CharField(max_length=120)
    agreement = models.CharField(max_length=64)
    envelope = models.CharField(max_length=36)
    crossing_id = models.BigIntegerField(null=True)
    schema = models.CharField(max_length=120)
    event = models.UUIDField()
    revision = models.PositiveIntegerField()
    severity = models.CharField(max_length=12, default="", blank=True)
    text_code = models.CharField(max_length=40, default="", blank=True)
    disease = models.CharField(max_length=_CODE, default="", blank=True)
    place = models.CharField(max_length=60, default="", blank=True)
    start_on = models.DateField(null=True)
    end_on = models.DateField(null=True)
    observed = models.BigIntegerField(null=True)
    expected = models.FloatField(null=True)
    withheld = models.CharField(max_length=120, default="", blank=True)
    simulated = models.BooleanField()
    issued_at = models.DateTimeField()
    received_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    withdrawal_code = models.CharField(max_length=40, default="", blank=True)
    status = models.CharField(max_length=8, choices=PartnerCount.Status.choices)
    seen_by = models.CharField(max_length=300, default="", blank=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["from_node", "agreement", "event"], name="surveillance_partner_alert_once")
        ]
        indexes = [models.Index(fields=["received_at"], name="surveillance_alert_received")]

    def __str__(self) -> str:
        return f"{self.from_node} {self.event}"


class LastLooked(models.Model):
    """When a person last looked at the board, so that it can say what is new since then."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="last_looked_at_surveillance"
    )
    looked_at = models.DateTimeField()
    # The moment before that one: what a page opened now calls "new".
    before_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.person_id} {self.looked_at:%Y-%m-%d %H:%M}"


class AutomaticChannel(models.Model):
    """A channel on which this node sends by itself whatever changed, because a person said so."""

    agreement = models.CharField(max_length=64)
    channel = models.CharField(max_length=120)
    is_on = models.BooleanField()
    set_by = models.CharField(max_length=300)
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agreement", "channel"], name="surveillance_automatic_channel_once")
        ]

    def __str__(self) -> str:
        return f"{self.agreement} {self.channel}"
