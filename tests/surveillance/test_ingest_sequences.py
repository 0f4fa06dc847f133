"""Any sequence of files leaves what a plain dictionary would hold, and the tallies that a loop would count."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corridor.accounts.models import Person
from corridor.base.epiweek import Week
from corridor.pillars.surveillance.models import Case, WeekTally
from corridor.pillars.surveillance.rules import COUNTED_CLASSES
from tests.surveillance.cases import case
from tests.surveillance.conftest import NOW, Ingest

sources = itertools.count()
row = st.tuples(
    st.integers(0, 8),
    st.sampled_from(["PK-PB", "PK-SD"]),
    st.sampled_from(["measles", "cholera"]),
    st.integers(0, 40),
    st.none() | st.integers(0, 20),
    st.sampled_from([*COUNTED_CLASSES, "discarded"]),
)
files = st.lists(st.lists(row, min_size=1, max_size=8, unique_by=lambda each: each[0]), min_size=1, max_size=5)


def written(number: int, place: str, disease: str, day: int, before: int | None, name: str) -> dict[str, object]:
    report_on = date(2026, 1, 5) + timedelta(days=day)
    onset_on = "" if before is None else str(report_on - timedelta(days=before))
    return case(number, place=place, disease=disease, report_on=str(report_on), onset_on=onset_on, classification=name)


def recounted(rows: list[dict[str, object]]) -> Counter[tuple[object, ...]]:
    counts: Counter[tuple[object, ...]] = Counter()
    for each in rows:
        for basis in ("report", "onset"):
            if each[f"{basis}_on"] and each["classification"] != "discarded":
                start = Week.of(date.fromisoformat(str(each[f"{basis}_on"]))).start
                counts[each["disease"], each["place"], start, f"{basis}_{each['classification']}"] += 1
    return counts


@given(files)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_files_in_sequence_leave_what_a_dictionary_would_hold(
    ingest: Ingest, epidemiologist: Person, files: list[list[tuple[int, str, str, int, int | None, str]]]
) -> None:
    source = f"source {next(sources)}"
    held: dict[str, dict[str, object]] = {}
    versions = 0
    for number, file in enumerate(files):
        rows = [written(*each) for each in file]
        for each in rows:
            key = str(each["case_id"])
            unlike = {name for name in each if name != "age_years"}
            versions += key not in held or any(held[key][name] != each[name] for name in unlike)
            held[key] = each
        at = NOW + timedelta(days=number)
        ingest(rows, source=source, as_of=at)
        again = ingest(rows[::-1], source=source, as_of=at)
        assert (again.added, again.corrected) == (0, 0)

    current = Case.objects.filter(source__name=source, replaced_in=None)
    assert {each.case_id: (each.place, each.disease, str(each.report_on)) for each in current} == {
        key: (each["place"], each["disease"], each["report_on"]) for key, each in held.items()
    }
    assert Case.objects.filter(source__name=source).count() == versions
    stored: Counter[tuple[object, ...]] = Counter()
    for tally in WeekTally.objects.filter(source__name=source, replaced_in=None):
        for name in (f"{basis}_{each}" for basis in ("report", "onset") for each in COUNTED_CLASSES):
            stored[tally.disease, tally.place, tally.start_on, name] += getattr(tally, name)
    assert +stored == recounted(list(held.values()))
