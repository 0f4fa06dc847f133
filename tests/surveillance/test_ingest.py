"""Taking files in: once, again, corrected, interrupted; on both databases."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from corridor.accounts.models import AuditEntry, Person
from corridor.base.epiweek import Week
from corridor.jobs.models import Job
from corridor.pillars.surveillance import queries, services, tasks
from corridor.pillars.surveillance.models import Case, CountReport, Import, WeekTally
from corridor.pillars.surveillance.tables import Mapping
from tests.surveillance.cases import case, count
from tests.surveillance.conftest import NOW, Ingest

LATER = NOW + timedelta(days=7)


def weekly(actor: Person, **options: object) -> dict[tuple[str, date], int | None]:
    figures = queries.period_counts(actor=actor, diseases=["measles"], **options)  # type: ignore[arg-type]
    return {(place, start): value for _, place, start, value, *_ in figures.frame.iter_rows()}


def nonzero(counts: dict[tuple[str, date], int | None]) -> dict[tuple[str, date], int]:
    return {key: value for key, value in counts.items() if value}


def test_rows_of_a_line_list_become_cases(ingest: Ingest) -> None:
    taken = ingest([case(1), case(2, place="سندھ", sex="خاتون"), case(3, place="Синд", age_years="?")])

    assert (taken.added, taken.rejected) == (3, 0)
    stored = Case.objects.get(case_id="case-2")
    assert (stored.place, stored.sex, stored.age_years) == ("PK-SD", "female", 2)
    assert Case.objects.get(case_id="case-3").age_years is None


def test_the_same_file_twice_changes_nothing(ingest: Ingest) -> None:
    rows = [case(number) for number in range(50)]
    first = ingest(rows)
    again = ingest(rows, as_of=LATER)

    assert again.is_repeat
    assert again.import_id == first.import_id
    assert Case.objects.count() == 50
    assert Import.objects.count() == 1


def test_the_same_rows_in_another_file_change_nothing(ingest: Ingest) -> None:
    rows = [case(number) for number in range(50)]
    ingest(rows)
    tallies = WeekTally.objects.count()
    again = ingest(rows[::-1], as_of=LATER)

    assert (again.added, again.corrected, again.unchanged) == (0, 0, 50)
    assert Case.objects.count() == 50
    assert WeekTally.objects.count() == tallies


def test_a_corrected_row_replaces_its_predecessor_and_keeps_it(ingest: Ingest, epidemiologist: Person) -> None:
    ingest([case(1), case(2)])
    before = weekly(epidemiologist)
    taken = ingest([case(1, place="PK-SD")], as_of=LATER)

    assert (taken.added, taken.corrected) == (0, 1)
    versions = Case.objects.filter(case_id="case-1").order_by("pk")
    assert [(version.place, version.replaced_in_id) for version in versions] == [
        ("PK-PB", taken.import_id),
        ("PK-SD", None),
    ]
    assert sum(nonzero(weekly(epidemiologist)).values()) == 2
    assert nonzero(weekly(epidemiologist, known_at=NOW)) == nonzero(before)
    assert {place for place, _ in nonzero(weekly(epidemiologist))} == {"PK-PB", "PK-SD"}


def test_an_older_extract_does_not_overwrite_a_younger_one(ingest: Ingest) -> None:
    ingest([case(1, outcome="died")])
    taken = ingest([case(1, outcome="ill"), case(2)], as_of=NOW - timedelta(days=30), now=LATER)

    assert (taken.added, taken.corrected, taken.outdated) == (1, 0, 1)
    assert Case.objects.get(case_id="case-1", replaced_in=None).outcome == "died"


def test_nothing_shows_before_an_import_completes(ingest: Ingest, epidemiologist: Person) -> None:
    ingest([case(1), case(2)])
    before = weekly(epidemiologist)
    import_ = begin(epidemiologist)
    read = tasks.read_file(
        b"case_id,disease,place,report_on\ncase-1,measles,PK-SD,2026-01-09\ncase-9,measles,PK-SD,2026-01-09\n",
        name="b.csv", kind="line-list", mapping=Mapping(), as_of=LATER,
    )  # fmt: skip
    changes = services.record_cases(read.outcome.kept, import_id=import_.pk, actor=epidemiologist, now=LATER)
    services.record_tallies(changes.tallies, import_id=import_.pk, actor=epidemiologist, now=LATER)

    assert weekly(epidemiologist) == before
    assert weekly(epidemiologist, period="day") == weekly(epidemiologist, period="day", known_at=NOW)

    services.complete_import(import_id=import_.pk, changes=changes, actor=epidemiologist, now=LATER)

    assert sum(nonzero(weekly(epidemiologist)).values()) == 3


def test_an_abandoned_import_leaves_everything_as_it_was(ingest: Ingest, epidemiologist: Person) -> None:
    ingest([case(1), case(2)])
    before = list(Case.objects.order_by("pk").values())
    import_ = begin(epidemiologist)
    read = tasks.read_file(
        b"case_id,disease,place,report_on\ncase-1,measles,PK-SD,2026-01-09\n",
        name="b.csv", kind="line-list", mapping=Mapping(), as_of=LATER,
    )  # fmt: skip
    changes = services.record_cases(read.outcome.kept, import_id=import_.pk, actor=epidemiologist, now=LATER)
    services.record_tallies(changes.tallies, import_id=import_.pk, actor=epidemiologist, now=LATER)
    while not services.abandon_import(import_id=import_.pk, actor=epidemiologist, now=LATER):
        continue

    assert list(Case.objects.order_by("pk").values()) == before
    assert Import.objects.get(pk=import_.pk).status == Import.Status.ABANDONED


def test_a_second_import_of_a_source_waits_for_the_first(ingest: Ingest, epidemiologist: Person) -> None:
    begin(epidemiologist)

    with pytest.raises(services.ImportUnderWay, match="--restart"):
        ingest([case(1)])
    assert ingest([case(1)], restart=True).added == 1


def begin(actor: Person) -> Import:
    return services.begin_import(
        source="Lahore laboratory", kind="line-list", file_name="b.csv", file_hash="0" * 64, mapping={},
        simulated=False, as_of=LATER, covers_from_on=None, rows=2, rejected=0, reasons={}, actor=actor, now=LATER,
    )  # fmt: skip


def test_the_preview_says_what_would_happen_and_writes_nothing(ingest: Ingest, epidemiologist: Person) -> None:
    ingest([case(1), case(2)])
    text = "case_id,disease,place,report_on\ncase-1,measles,PK-SD,2026-01-09\ncase-9,measles,nowhere,2026-01-09\n"
    read = tasks.read_file(text.encode(), name="b.csv", kind="line-list", mapping=Mapping(), as_of=LATER)
    audited = AuditEntry.objects.count()

    taken = tasks.preview(read, source="Lahore laboratory", actor=epidemiologist)

    assert (taken.added, taken.corrected, taken.rejected, taken.import_id) == (0, 1, 1, None)
    assert AuditEntry.objects.count() == audited
    assert Import.objects.count() == 1


def test_weeks_without_a_case_are_zero_and_weeks_before_the_first_report_unknown(
    ingest: Ingest, epidemiologist: Person
) -> None:
    ingest([case(1, report_on="2026-01-08", onset_on=""), case(2, report_on="2026-02-05", onset_on="")])
    counts = weekly(epidemiologist)

    assert counts["PK-PB", date(2026, 1, 12)] == 0
    assert ("PK-PB", date(2025, 12, 29)) not in counts
    assert max(start for _, start in counts) == date(2026, 6, 1)


def test_a_week_in_which_no_site_reported_is_missing(ingest: Ingest, epidemiologist: Person) -> None:
    ingest([case(1, report_on="2026-01-08", onset_on=""), case(2, report_on="2026-02-05", onset_on="")])
    sites = [
        {"disease": "measles", "place": "PK-PB", "week": "2026-W03", "sites_reported": 0, "sites_expected": 40},
        {"disease": "measles", "place": "PK-PB", "week": "2026-W04", "sites_reported": 31, "sites_expected": 40},
    ]
    ingest(sites, kind="counts", source="Lahore completeness")
    figures = queries.period_counts(actor=epidemiologist, diseases=["measles"]).frame
    by_week = {row["start_on"]: row for row in figures.iter_rows(named=True)}

    assert by_week[date(2026, 1, 12)]["observed"] is None
    assert by_week[date(2026, 1, 19)]["observed"] == 0
    assert by_week[date(2026, 1, 19)]["sites_reported"] == 31
    assert by_week[date(2026, 1, 26)]["sites_expected"] is None


def test_counts_equal_a_recount_by_hand(ingest: Ingest, epidemiologist: Person) -> None:
    places = ["PK-PB", "PK-SD", "PK-KP"]
    rows = [
        case(number, place=places[number % 3], classification=["suspected", "confirmed", "discarded"][number % 5 % 3])
        for number in range(400)
    ]
    ingest(rows)
    corrected = [case(number, place="PK-SD", onset_on="", report_on="2026-02-20") for number in range(0, 100, 7)]
    ingest(corrected, as_of=LATER)

    held = {row["case_id"]: row for row in rows} | {row["case_id"]: row for row in corrected}
    for basis in ("report", "onset"):
        recount: Counter[tuple[str, date]] = Counter()
        for row in held.values():
            day = str(row[f"{basis}_on"])
            if row["classification"] != "discarded" and day:
                recount[str(row["place"]), Week.of(date.fromisoformat(day)).start] += 1
        assert nonzero(weekly(epidemiologist, basis=basis)) == dict(recount)
    by_month = Counter(
        (str(row["place"]), date.fromisoformat(str(row["report_on"])).replace(day=1))
        for row in held.values()
        if row["classification"] != "discarded"
    )
    assert nonzero(weekly(epidemiologist, period="month")) == dict(by_month)
    whole = sum(1 for row in held.values() if row["classification"] != "discarded")
    assert sum(nonzero(weekly(epidemiologist, level="country")).values()) == whole
    suspected = sum(1 for row in held.values() if row["classification"] == "suspected")
    assert sum(nonzero(weekly(epidemiologist, classes=("suspected",))).values()) == suspected


def test_reported_counts_are_corrected_and_remembered(ingest: Ingest, epidemiologist: Person) -> None:
    ingest([count("2026-W02", 7), count("2026-W03", 0), count("2026-W04", "")], kind="counts")
    ingest([count("2026-W02", 9)], kind="counts", as_of=LATER)

    assert weekly(epidemiologist) == {
        ("PK-PB", date(2026, 1, 5)): 9,
        ("PK-PB", date(2026, 1, 12)): 0,
        ("PK-PB", date(2026, 1, 19)): None,
    }
    assert weekly(epidemiologist, known_at=NOW)["PK-PB", date(2026, 1, 5)] == 7
    assert CountReport.objects.count() == 4


def test_completeness_that_comes_later_leaves_the_counts_alone(ingest: Ingest, epidemiologist: Person) -> None:
    ingest([count("2026-W02", 7)], kind="counts")
    sites = [{"disease": "measles", "place": "PK-PB", "week": "2026-W02", "sites_reported": 3, "sites_expected": 4}]
    ingest(sites, kind="counts", as_of=LATER)
    row = queries.period_counts(actor=epidemiologist, diseases=["measles"]).frame.row(0, named=True)

    assert (row["observed"], row["sites_reported"], row["sites_expected"]) == (7, 3, 4)


def test_reported_counts_are_not_added_to_the_cases_of_a_line_list(ingest: Ingest, epidemiologist: Person) -> None:
    ingest([case(1, onset_on="", report_on="2026-01-06")])
    ingest([count("2026-W02", 7), count("2026-W02", 5, place="PK-SD")], kind="counts", source="Office")
    counts = weekly(epidemiologist)

    assert counts["PK-PB", date(2026, 1, 5)] == 1
    assert counts["PK-SD", date(2026, 1, 5)] == 5
    assert weekly(epidemiologist, level="country")["PK", date(2026, 1, 5)] == 6


def test_a_reported_total_of_a_country_is_used_where_no_part_of_it_is_known(
    ingest: Ingest, epidemiologist: Person
) -> None:
    ingest([count("2026-W02", 70, place="PK"), count("2026-W02", 30, place="CN")], kind="counts")
    ingest([count("2026-W02", 7)], kind="counts", source="Office")
    counts = weekly(epidemiologist, level="country")

    assert counts["PK", date(2026, 1, 5)] == 7
    assert counts["CN", date(2026, 1, 5)] == 30


def test_daily_counts_make_a_week_only_if_no_day_is_missing(ingest: Ingest, epidemiologist: Person) -> None:
    rows = [
        {"disease": "measles", "place": "PK-PB", "date": f"2026-01-{day:02}", "observed": day} for day in range(5, 18)
    ]
    ingest(rows, kind="counts")
    counts = weekly(epidemiologist)

    assert counts["PK-PB", date(2026, 1, 5)] == sum(range(5, 12))
    assert counts["PK-PB", date(2026, 1, 12)] is None


def test_an_import_puts_detection_into_the_queue_once(ingest: Ingest) -> None:
    ingest([case(1)])
    ingest([case(2)], as_of=LATER)

    assert Job.objects.filter(kind=tasks.DETECT).count() == 1


def test_the_audit_trail_counts_and_names_nobody(ingest: Ingest) -> None:
    ingest([case(1, case_id="Zainab-Lahore-1")])
    trail = "".join(str(entry.detail) + entry.subject for entry in AuditEntry.objects.all())

    assert "'added': 1" in trail
    assert "Zainab" not in trail


def test_someone_without_the_role_cannot_ingest(database: str) -> None:
    from corridor.accounts.actors import System
    from corridor.accounts.roles import NotPermitted
    from corridor.accounts.services import add_person

    auditor = add_person("omar", roles=["auditor"], actor=System("tests"), now=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(NotPermitted):
        begin(auditor)
