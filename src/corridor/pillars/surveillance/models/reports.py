"""What was reported: sources, imports, cases, counts.

Rows are versions. A row is entered by one import and may be replaced by a later one; nothing is overwritten. A version
holds while its import is complete and no complete import has replaced it, so an import becomes visible as a whole, by
one row changing its status, and the figures as known at an earlier moment can be asked for.
"""

from django.db import models
from django.db.models import F, Q

_CODE = 120
SEXES = ["unknown", "female", "male", "other"]
_CLASSES = ["suspected", "probable", "confirmed", "discarded", "unknown"]


def _one_of(name: str, texts: list[str]) -> Q:
    """Return the condition that a field holds one of `texts`.

    SQLite builds a table for each IN of a constraint and each row; a million rows feel it.
    """
    condition = Q()
    for text in texts:
        condition |= Q(**{name: text})
    return condition


class Source(models.Model):
    """Where files come from: a hospital, a laboratory, a provincial office. Case ids are unique within a source."""

    name = models.CharField(max_length=200, unique=True)
    added_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Import(models.Model):
    """One file taken in, by whom, as known when, and what became of its rows."""

    class Kind(models.TextChoices):
        """What a row of the file is."""

        LINE_LIST = "line-list"
        COUNTS = "counts"

    class Status(models.TextChoices):
        """Rows of an import that is not complete are not seen."""

        RUNNING = "running"
        COMPLETE = "complete"
        ABANDONED = "abandoned"

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="imports")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    status = models.CharField(max_length=12, choices=Status.choices)
    file_name = models.CharField(max_length=300)
    file_hash = models.CharField(max_length=64)
    mapping = models.JSONField()
    simulated = models.BooleanField()
    as_of = models.DateTimeField()
    actor = models.CharField(max_length=300)
    started_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)
    # From when on the source reports at all: weeks without a row are zero from then on, and unknown before.
    covers_from_on = models.DateField(null=True, blank=True)
    rows = models.PositiveIntegerField()
    rejected = models.PositiveIntegerField()
    reasons = models.JSONField(default=dict)
    added = models.PositiveIntegerField(default=0)
    corrected = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    # Rows whose current version stems from a later extract, and is kept.
    outdated = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-started_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source"], condition=Q(status="running"), name="surveillance_one_running_import_a_source"
            ),
            models.CheckConstraint(
                condition=Q(status="complete", completed_at__isnull=False)
                | (~Q(status="complete") & Q(completed_at__isnull=True)),
                name="surveillance_import_completed_at",
            ),
            models.CheckConstraint(condition=Q(rejected__lte=F("rows")), name="surveillance_import_rejected_of_rows"),
        ]
        indexes = [models.Index(fields=["status", "completed_at"], name="surveillance_import_status")]

    def __str__(self) -> str:
        return f"{self.source_id} {self.file_name}"


class Case(models.Model):
    """One version of one row of a line list.

    There is no index by disease and place: kept up to date, it cost as much as writing the rows, and reading a million
    cases from the first to the last takes a tenth of a second. Weeks are read from `WeekTally`.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="cases", db_index=False)
    entered_in = models.ForeignKey(Import, on_delete=models.PROTECT, related_name="cases_entered", db_index=False)
    replaced_in = models.ForeignKey(
        Import, on_delete=models.PROTECT, related_name="cases_replaced", null=True, db_index=False
    )
    case_id = models.CharField(max_length=64)
    disease = models.CharField(max_length=_CODE)
    place = models.CharField(max_length=60)
    onset_on = models.DateField(null=True)
    report_on = models.DateField(null=True)
    age_years = models.PositiveSmallIntegerField(null=True)
    sex = models.CharField(max_length=8)
    classification = models.CharField(max_length=10)
    outcome = models.CharField(max_length=10)
    imported_from = models.CharField(max_length=60, null=True)  # noqa: DJ001  # null is "not known", as in the file

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "case_id"], condition=Q(replaced_in=None), name="surveillance_case_current_once"
            ),
            models.CheckConstraint(
                condition=Q(onset_on__isnull=False) | Q(report_on__isnull=False), name="surveillance_case_has_a_date"
            ),
            models.CheckConstraint(
                condition=Q(onset_on__isnull=True) | Q(report_on__isnull=True) | Q(onset_on__lte=F("report_on")),
                name="surveillance_case_onset_by_report",
            ),
            models.CheckConstraint(condition=_one_of("sex", SEXES), name="surveillance_case_sex"),
            models.CheckConstraint(condition=_one_of("classification", _CLASSES), name="surveillance_case_class"),
        ]
        indexes = [
            models.Index(
                fields=["replaced_in"], condition=Q(replaced_in__isnull=False), name="surveillance_case_replaced"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.pk}"


class WeekTally(models.Model):
    """Cases of one source by disease, place and ISO week, by report and by onset and class: what the cases add up to.

    Kept beside the cases, changed by the same import, so that five years of weeks are read without counting cases.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="week_tallies", db_index=False)
    entered_in = models.ForeignKey(Import, on_delete=models.PROTECT, related_name="tallies_entered", db_index=False)
    replaced_in = models.ForeignKey(
        Import, on_delete=models.PROTECT, related_name="tallies_replaced", null=True, db_index=False
    )
    disease = models.CharField(max_length=_CODE)
    place = models.CharField(max_length=60)
    start_on = models.DateField()
    report_suspected = models.PositiveIntegerField()
    report_probable = models.PositiveIntegerField()
    report_confirmed = models.PositiveIntegerField()
    report_unknown = models.PositiveIntegerField()
    onset_suspected = models.PositiveIntegerField()
    onset_probable = models.PositiveIntegerField()
    onset_confirmed = models.PositiveIntegerField()
    onset_unknown = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["disease", "place", "start_on", "source"],
                condition=Q(replaced_in=None),
                name="surveillance_tally_current_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["replaced_in"], condition=Q(replaced_in__isnull=False), name="surveillance_tally_replaced"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.disease} {self.place} {self.start_on}"


class ReportingDelay(models.Model):
    """How long the cases of a source took from onset to report lately, as the last job that detects measured it."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="reporting_delays", db_index=False)
    disease = models.CharField(max_length=_CODE)
    median_days = models.FloatField()
    # How many cases the median is of.
    cases = models.PositiveIntegerField()
    measured_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "disease"], name="surveillance_delay_once"),
            models.CheckConstraint(condition=Q(median_days__gte=0, cases__gt=0), name="surveillance_delay_of_cases"),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.disease}"


class CountReport(models.Model):
    """One version of one reported count, with the completeness behind it; a count of null was not reported."""

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="count_reports", db_index=False)
    entered_in = models.ForeignKey(Import, on_delete=models.PROTECT, related_name="counts_entered")
    replaced_in = models.ForeignKey(
        Import, on_delete=models.PROTECT, related_name="counts_replaced", null=True, db_index=False
    )
    disease = models.CharField(max_length=_CODE)
    place = models.CharField(max_length=60)
    period_type = models.CharField(max_length=5)
    basis = models.CharField(max_length=6)
    classification = models.CharField(max_length=10)
    stratum = models.CharField(max_length=64, default="", blank=True)
    start_on = models.DateField()
    observed = models.BigIntegerField(null=True)
    sites_reported = models.PositiveIntegerField(null=True)
    sites_expected = models.PositiveIntegerField(null=True)
    tests = models.PositiveBigIntegerField(null=True)
    positives = models.PositiveBigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "disease",
                    "period_type",
                    "place",
                    "start_on",
                    "source",
                    "basis",
                    "classification",
                    "stratum",
                ],
                condition=Q(replaced_in=None),
                name="surveillance_count_current_once",
            ),
            models.CheckConstraint(
                condition=Q(period_type__in=["day", "week", "month"]), name="surveillance_count_period_type"
            ),
            models.CheckConstraint(condition=Q(basis__in=["onset", "report"]), name="surveillance_count_basis"),
            models.CheckConstraint(
                condition=Q(classification__in=["all", *_CLASSES]), name="surveillance_count_classification"
            ),
            models.CheckConstraint(
                condition=Q(sites_reported__isnull=True)
                | Q(sites_expected__isnull=True)
                | Q(sites_reported__lte=F("sites_expected")),
                name="surveillance_count_sites",
            ),
            models.CheckConstraint(
                condition=Q(positives__isnull=True) | Q(tests__isnull=True) | Q(positives__lte=F("tests")),
                name="surveillance_count_positives",
            ),
        ]
        indexes = [
            models.Index(
                fields=["replaced_in"], condition=Q(replaced_in__isnull=False), name="surveillance_count_replaced"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.disease} {self.place} {self.start_on}"
