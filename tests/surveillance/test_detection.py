"""Looking for outbreaks in what is stored, and working on what is found."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from corridor import science
from corridor.accounts.actors import System
from corridor.accounts.models import Person
from corridor.accounts.roles import NotPermitted
from corridor.accounts.services import add_person
from corridor.base.streams import stream
from corridor.jobs.worker import run_due
from corridor.pillars.surveillance import queries, rules, services, tasks
from corridor.pillars.surveillance.models import DetectionResult, DetectionRun, Signal
from corridor.pillars.surveillance.tables import Mapping
from tests.surveillance.cases import case
from tests.surveillance.conftest import NOW, Ingest

LAST = date(2026, 5, 25)
WEEKS = 300
STARTS = [LAST - timedelta(weeks=WEEKS - 1 - number) for number in range(WEEKS)]


def history(place: str = "PK-PB", *, mean: float = 6.0, last: int = 40, weeks: int = WEEKS) -> pl.DataFrame:
    counts = stream(7, "tests", place).poisson(mean, WEEKS)
    counts[-1] = last
    rows = pl.DataFrame({"week": [str(start) for start in STARTS], "observed": counts})
    return rows.with_columns(disease=pl.lit("measles"), place=pl.lit(place)).tail(weeks)


def series_of(frame: pl.DataFrame) -> np.ndarray:
    return frame["observed"].to_numpy().astype(float)


@pytest.fixture
def detected(ingest: Ingest, epidemiologist: Person) -> Person:
    ingest(pl.concat([history(), history("PK-SD", last=5)]), kind="counts", mapping=Mapping(period="week"))
    tasks.detect_disease("measles", actor=epidemiologist, now=NOW)
    return epidemiologist


def test_a_run_stores_what_science_says_of_each_series(detected: Person) -> None:
    alarms = science.detect(series_of(history()), dates=STARTS, evaluate=np.arange(WEEKS - 26, WEEKS))
    stored = DetectionResult.objects.filter(place="PK-PB").order_by("start_on")

    assert [row.start_on for row in stored] == STARTS[-26:]
    assert [row.upperbound for row in stored] == pytest.approx(alarms.upperbound[:, 0].tolist(), rel=1e-12)
    assert [row.expected for row in stored] == pytest.approx(alarms.expected[:, 0].tolist(), rel=1e-12)
    assert [row.alarm for row in stored] == alarms.alarm[:, 0].tolist()
    run = DetectionRun.objects.get()
    assert (run.method, run.series, run.settings["offset"]) == ("farrington-flexible", 3, "")
    assert run.software.startswith("health-corridor ")


def test_an_exceedance_raises_one_signal_a_place(detected: Person) -> None:
    found, number = queries.signals(actor=detected)

    assert number == 1
    assert [(each.place, each.observed, each.start_on, each.status) for each in found] == [("PK-PB", 40, LAST, "new")]


def test_a_rise_that_is_spread_thin_is_signalled_for_the_country(ingest: Ingest, epidemiologist: Person) -> None:
    provinces = ["PK-PB", "PK-SD", "PK-KP", "PK-BA", "PK-GB"]
    ingest(pl.concat([history(place, last=11) for place in provinces]), kind="counts", mapping=Mapping(period="week"))
    tasks.detect_disease("measles", actor=epidemiologist, now=NOW)
    found, _ = queries.signals(actor=epidemiologist)

    assert [(each.place, each.observed) for each in found] == [("PK", 55)]


def test_the_next_run_does_not_raise_it_again_unless_the_excess_doubles(detected: Person, ingest: Ingest) -> None:
    later = NOW + timedelta(days=1)
    tasks.detect_disease("measles", actor=detected, now=later)
    assert Signal.objects.count() == 1

    ingest(history(last=90).tail(1), kind="counts", mapping=Mapping(period="week"), as_of=later)
    tasks.detect_disease("measles", actor=detected, now=later)
    assert Signal.objects.filter(place="PK-PB").count() == 2


def test_a_short_series_falls_back_to_a_named_method(ingest: Ingest, epidemiologist: Person) -> None:
    ingest(history(weeks=30), kind="counts", mapping=Mapping(period="week"))
    tasks.detect_disease("measles", actor=epidemiologist, now=NOW)
    row = DetectionResult.objects.get(place="PK-PB", start_on=LAST)

    assert row.method == "ears-c1"
    assert row.fallback.startswith("history=29 of=")
    assert DetectionRun.objects.get().fallbacks == 2


def test_reporting_sites_are_the_offset_when_the_setting_says_so(ingest: Ingest, epidemiologist: Person) -> None:
    sites = stream(8, "tests", "sites").integers(20, 40, WEEKS)
    frame = history().with_columns(sites_reported=pl.Series(sites), sites_expected=pl.lit(40))
    ingest(frame, kind="counts", mapping=Mapping(period="week"))
    tasks.detect_disease("measles", offset="sites", actor=epidemiologist, now=NOW)
    expected = science.detect(series_of(history()), dates=STARTS, population=sites.astype(float), evaluate=WEEKS - 1)

    row = DetectionResult.objects.get(place="PK-PB", start_on=LAST)
    assert row.upperbound == pytest.approx(float(expected.upperbound[0, 0]), rel=1e-12)
    assert DetectionRun.objects.get().settings["offset"] == "sites"


def test_a_missing_week_stays_missing_in_detection(ingest: Ingest, epidemiologist: Person) -> None:
    frame = history().with_columns(
        pl.when(pl.col("week") != str(STARTS[-10])).then(pl.col("observed")).alias("observed")
    )
    ingest(frame, kind="counts", mapping=Mapping(period="week"))
    counts = series_of(history())
    counts[-10] = np.nan
    expected = science.detect(counts, dates=STARTS, evaluate=WEEKS - 1)
    tasks.detect_disease("measles", actor=epidemiologist, now=NOW)

    row = DetectionResult.objects.get(place="PK-PB", start_on=LAST)
    assert row.upperbound == pytest.approx(float(expected.upperbound[0, 0]), rel=1e-12)


def test_one_case_of_a_disease_with_a_fixed_value_is_a_signal(ingest: Ingest, epidemiologist: Person) -> None:
    rows = [case(number, disease="measles") for number in range(30)]
    ingest([*rows, case(99, disease="cholera", onset_on="", report_on="2026-05-27")])
    tasks.detect_disease("cholera", actor=epidemiologist, now=NOW)
    found, _ = queries.signals(actor=epidemiologist, disease="cholera")

    assert [(each.place, each.observed) for each in found] == [("PK-PB", 1)]
    assert queries.signal_cases(signal_id=found[0].id, actor=epidemiologist)["case_id"].to_list() == ["case-99"]


def test_daily_counts_are_judged_by_an_ears_method(ingest: Ingest, epidemiologist: Person) -> None:
    days = [LAST - timedelta(days=number) for number in range(40)][::-1]
    counts = [5, 6, 4, 5, 7, 5, 4, 6] * 5
    counts[-1] = 30
    rows = [
        {"disease": "covid-19", "place": "PK-PB", "date": str(day), "observed": number}
        for day, number in zip(days, counts, strict=True)
    ]
    ingest(rows, kind="counts")
    tasks.detect_disease("covid-19", actor=epidemiologist, now=NOW)
    found, _ = queries.signals(actor=epidemiologist)

    assert DetectionRun.objects.get().method == "ears-c1"
    assert [(each.place, each.observed, each.period_type) for each in found] == [("PK-PB", 30, "day")]


def test_the_job_after_an_import_detects(ingest: Ingest, epidemiologist: Person) -> None:
    ingest(history(), kind="counts", mapping=Mapping(period="week"))
    run_due(now=NOW)

    assert DetectionRun.objects.exists()
    assert Signal.objects.filter(place="PK-PB").count() == 1


def test_the_line_list_of_a_signal_adds_up_to_its_count(ingest: Ingest, epidemiologist: Person) -> None:
    rows = [case(number, onset_on="", report_on=str(LAST - timedelta(days=7 * (number % 40)))) for number in range(160)]
    rows += [case(1000 + number, onset_on="", report_on=str(LAST + timedelta(days=2))) for number in range(30)]
    rows += [case(2000, onset_on="", report_on=str(LAST), classification="discarded")]
    ingest(rows)
    tasks.detect_disease("measles", actor=epidemiologist, now=NOW)
    found, _ = queries.signals(actor=epidemiologist, place="PK-PB")

    assert queries.signal_cases(signal_id=found[0].id, actor=epidemiologist).height == found[0].observed == 34


def test_only_who_may_see_cases_sees_the_line_list(detected: Person) -> None:
    officer = add_person("bilal", roles=["officer"], actor=System("tests"), now=NOW)
    found, _ = queries.signals(actor=officer)

    with pytest.raises(NotPermitted):
        queries.signal_cases(signal_id=found[0].id, actor=officer)
    with pytest.raises(NotPermitted):
        services.move_signal(signal_id=found[0].id, to="verifying", text="", actor=officer, now=NOW)


def test_the_work_on_a_signal_is_remembered(detected: Person) -> None:
    found, _ = queries.signals(actor=detected, place="PK-PB")
    number = found[0].id
    services.move_signal(signal_id=number, to="verifying", text="", actor=detected, now=NOW + timedelta(hours=1))
    services.note_signal(signal_id=number, text="asked the laboratory", actor=detected, now=NOW + timedelta(hours=2))
    services.move_signal(
        signal_id=number, to="verified", text="six of eight positive", actor=detected, now=NOW + timedelta(hours=3)
    )
    detail = queries.signal(signal_id=number, actor=detected)

    assert detail.signal.status == "verified"
    assert [(step.actor, step.to_status, step.note) for step in detail.steps] == [
        ("amina", "new", ""),
        ("amina", "verifying", ""),
        ("amina", "verifying", "asked the laboratory"),
        ("amina", "verified", "six of eight positive"),
    ]
    assert detail.results.height == 26
    with pytest.raises(rules.ForbiddenMove):
        services.move_signal(signal_id=number, to="verified", text="again", actor=detected, now=NOW)


def test_the_board_shows_counts_limits_and_what_is_new(detected: Person) -> None:
    shown = queries.board(actor=detected, now=NOW)

    assert (shown.disease, shown.period, shown.signals_open, shown.new_signals) == ("measles", "week", 1, 1)
    last = shown.own.filter((pl.col("place") == "PK-PB") & (pl.col("start_on") == LAST)).row(0, named=True)
    assert (last["observed"], last["alarm"], last["is_whole"]) == (40, True, True)
    assert last["upperbound"] < 40
    assert [source.name for source in shown.sources] == ["Lahore laboratory"]

    services.look(actor=detected, now=NOW)
    services.look(actor=detected, now=NOW + timedelta(days=7))
    assert queries.board(actor=detected, now=NOW + timedelta(days=7)).new_signals == 0


def test_the_board_of_an_empty_node_is_empty(epidemiologist: Person) -> None:
    shown = queries.board(actor=epidemiologist, now=NOW)

    assert (shown.disease, shown.diseases, shown.own.height, shown.partners.height) == ("", (), 0, 0)
