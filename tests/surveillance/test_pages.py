"""The pages of surveillance: what each shows to whom, and that its figures are those of the database."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from corridor.accounts.actors import System
from corridor.base.clock import utcnow
from corridor.pillars.surveillance import queries, tasks
from corridor.pillars.surveillance.models import DetectionRun, Import, LastLooked, PartnerAlert, PartnerCount, Signal
from corridor.pillars.surveillance.queries import pages
from corridor.pillars.surveillance.tables import Mapping
from corridor.pillars.surveillance.views import uploads
from tests.surveillance.cases import case, count

pytestmark = pytest.mark.django_db

ACTOR = System("test")
NOW = utcnow()
MONDAY = NOW.date() - timedelta(days=NOW.weekday())
LAST_WEEK = MONDAY - timedelta(weeks=1)


@pytest.fixture(autouse=True)
def _own_home(settings: Any, tmp_path: Path) -> None:
    settings.CORRIDOR_HOME = tmp_path


def take_in(
    rows: list[dict[str, object]], *, kind: str = "line-list", source: str = "Lahore laboratory"
) -> tasks.Taken:
    data = pl.DataFrame(rows, infer_schema_length=None).write_csv().encode()
    read = tasks.read_file(data, name="rows.csv", kind=kind, mapping=Mapping(), as_of=NOW)
    return tasks.take_in(read, source=source, as_of=NOW, actor=ACTOR, now=utcnow())


def weekly(number: int = 8, observed: int = 9) -> list[dict[str, object]]:
    return [count(str(MONDAY - timedelta(weeks=back)), observed) for back in range(1, number + 1)]


def raise_signal(*, status: str = "new", disease: str = "measles", place: str = "PK-PB") -> Signal:
    run = DetectionRun.objects.create(
        disease=disease,
        period_type="week",
        basis="report",
        case_classes="all",
        method="farrington-flexible",
        settings={"method": "farrington-flexible", "options": {}},
        software="test",
        as_of=NOW,
        ran_at=NOW,
        series=1,
        fallbacks=0,
    )
    return Signal.objects.create(
        event=uuid.uuid4(),
        run=run,
        disease=disease,
        place=place,
        period_type="week",
        basis="report",
        start_on=LAST_WEEK,
        end_on=MONDAY,
        observed=40,
        expected=12.0,
        upperbound=25.0,
        method="farrington-flexible",
        severity="watch",
        simulated=False,
        status=status,
        raised_at=NOW,
        changed_at=NOW,
    )


def partner_figure(**fields: Any) -> PartnerCount:
    values = {
        "from_node": "cn.cdc",
        "agreement": "a" * 64,
        "envelope": str(uuid.uuid4()),
        "disease": "measles",
        "place": "CN-XJ",
        "place_level": "admin1",
        "period_type": "week",
        "basis": "report",
        "case_classes": "all",
        "start_on": LAST_WEEK,
        "end_on": MONDAY,
        "revision": 1,
        "value": 31,
        "expected": 10.0,
        "limit": 20.0,
        "simulated": False,
        "as_of": NOW,
        "received_at": NOW,
        "status": "accepted",
        "is_current": True,
        **fields,
    }
    return PartnerCount.objects.create(**values)


@pytest.fixture
def reader(appoint: Any) -> Client:
    """An epidemiologist who is signed in."""
    client = Client()
    client.force_login(appoint("amina", "epidemiologist"))
    return client


def text_of(client: Client, address: str, status: int = 200) -> str:
    reply = client.get(address)
    assert reply.status_code == status
    return reply.content.decode()


def test_board_of_an_empty_node_says_what_to_do_next(reader: Client) -> None:
    text = text_of(reader, "/surveillance/")

    assert "No counts yet." in text
    assert 'href="/surveillance/ingest/"' in text


def test_board_links_its_last_figure_to_what_it_is_made_of(reader: Client) -> None:
    take_in(weekly(observed=9), kind="counts")

    text = text_of(reader, "/surveillance/?disease=measles&place=PK-PB")
    figure = f"/surveillance/counts/measles/PK-PB/{LAST_WEEK}/"

    assert figure in text
    assert "Now known: 9 cases." in text_of(reader, f"{figure}?period=week")


def test_rise_is_joint_when_a_partner_shows_it_in_the_same_week(reader: Client) -> None:
    signal = raise_signal(place="PK-GB")
    partner_figure()

    assert "both sides" in text_of(reader, "/surveillance/signals/")
    assert list(pages.partner_rises(actor=ACTOR, signals=queries.signals(actor=ACTOR)[0])) == [signal.pk]


@pytest.mark.parametrize(
    "fields",
    [
        {"value": 20},
        {"start_on": LAST_WEEK - timedelta(weeks=1)},
        {"disease": "cholera"},
        {"is_current": False},
        {"place": "CN-HL"},
    ],
    ids=["not above its limit", "another week", "another disease", "replaced", "no neighbour"],
)
def test_rise_is_not_joint_with_what_is_no_rise_of_the_same_beside_it(fields: dict[str, Any]) -> None:
    raise_signal(place="PK-GB")
    partner_figure(**fields)

    assert pages.partner_rises(actor=ACTOR, signals=queries.signals(actor=ACTOR)[0]) == {}


def test_country_as_a_whole_is_joint_with_its_neighbour_and_with_the_places_at_its_border() -> None:
    whole, inland, border = (raise_signal(place=code) for code in ("PK", "PK-SD", "PK-GB"))
    partner_figure(place="CN", place_level="country")

    joint = pages.partner_rises(actor=ACTOR, signals=queries.signals(actor=ACTOR)[0])

    assert set(joint) == {whole.pk, border.pk}
    assert inland.pk not in joint


def test_withdrawn_alert_makes_no_rise_joint() -> None:
    raise_signal(place="PK-GB")
    alert = PartnerAlert.objects.create(
        from_node="cn.cdc",
        agreement="a" * 64,
        envelope=str(uuid.uuid4()),
        schema="surveillance.alert/1",
        event=uuid.uuid4(),
        revision=1,
        disease="measles",
        place="CN-XJ",
        start_on=LAST_WEEK,
        end_on=MONDAY,
        simulated=False,
        issued_at=NOW,
        received_at=NOW,
        status="accepted",
    )
    found = queries.signals(actor=ACTOR)[0]
    assert pages.partner_rises(actor=ACTOR, signals=found) != {}

    alert.withdrawn_at = NOW
    alert.save()

    assert pages.partner_rises(actor=ACTOR, signals=found) == {}


def test_withheld_figure_is_shown_as_withheld_with_its_rule(reader: Client) -> None:
    partner_figure(value=None, withheld="below-5", expected=None, limit=None)

    text = text_of(reader, "/surveillance/?disease=measles")

    assert "<\xa05" in text.replace("&lt;", "<")
    assert "cells below 5" in text


def test_place_that_fell_silent_stands_on_the_list_of_those_to_ask(reader: Client) -> None:
    rows = [count(str(MONDAY - timedelta(weeks=back)), 5, place="PK-BA") for back in range(2, 6)]
    take_in([*weekly(), *rows], kind="counts")

    assert [each.place for each in pages.lacking_places(actor=ACTOR, diseases=["measles"], monday=MONDAY)] == ["PK-BA"]
    assert "Ask Balochistan for" in text_of(reader, "/surveillance/")


def test_place_with_too_few_sites_is_asked_for_the_rest() -> None:
    rows = weekly()
    for row in rows:
        row |= {"sites_reported": 7, "sites_expected": 10}
    take_in(rows, kind="counts")

    found = pages.lacking_places(actor=ACTOR, diseases=["measles"], monday=MONDAY)

    assert [(each.place, each.share) for each in found] == [("PK-PB", 0.7)]


def test_looking_is_recorded_once_a_day_and_marking_as_read_makes_the_news_old(reader: Client) -> None:
    take_in(weekly(), kind="counts")
    reader.get("/surveillance/")
    first = LastLooked.objects.get().looked_at
    reader.get("/surveillance/")
    assert LastLooked.objects.get().looked_at == first

    reader.post("/surveillance/read/")

    assert LastLooked.objects.get().before_at is not None
    assert "0 were raised since then." in text_of(reader, "/surveillance/")


def test_table_of_counts_and_its_csv_equal_the_database(reader: Client) -> None:
    take_in([case(number, report_on=str(LAST_WEEK), onset_on=str(LAST_WEEK)) for number in range(7)])
    address = f"?disease=measles&place=PK-PB&first_on={LAST_WEEK}&until_on={LAST_WEEK}&period=week"
    figures = queries.period_counts(
        actor=ACTOR, diseases=["measles"], level="admin1", first_on=LAST_WEEK, end_on=LAST_WEEK + timedelta(days=1)
    )

    reply = reader.get(f"/surveillance/counts.csv{address}")
    rows = list(csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig"))))

    assert [int(row["observed"]) for row in rows] == figures.frame["observed"].to_list() == [7]
    assert ">7</bdi>" in text_of(reader, f"/surveillance/counts/{address}")


def test_signal_is_verified_with_a_note_and_not_without(reader: Client) -> None:
    signal = raise_signal()
    address = f"/surveillance/signals/{signal.pk}/move/"

    assert reader.post(address, {"to": "verified", "text": ""}).status_code == 400
    signal.refresh_from_db()
    assert signal.status == "new"

    assert reader.post(address, {"to": "verified", "text": "Three schools, laboratory agrees."}).status_code == 302
    signal.refresh_from_db()
    assert signal.status == "verified"
    assert "Three schools, laboratory agrees." in text_of(reader, f"/surveillance/signals/{signal.pk}/")


def test_line_list_opens_to_those_who_may_see_cases_alone(appoint: Any, reader: Client) -> None:
    take_in([case(number, report_on=str(LAST_WEEK), onset_on=str(LAST_WEEK)) for number in range(3)])
    signal = raise_signal()
    officer = Client()
    officer.force_login(appoint("bilal", "officer"))
    address = f"/surveillance/signals/{signal.pk}/cases/"

    assert "case-1" in text_of(reader, address)
    assert officer.get(address).status_code == 403
    page = text_of(officer, f"/surveillance/signals/{signal.pk}/")
    assert "case-1" not in page
    assert address not in page


def upload(client: Client, data: bytes, **fields: str) -> Any:
    form = {"kind": "line-list", "source": "Lahore laboratory", "basis": "report", **fields}
    return client.post("/surveillance/ingest/", {**form, "file": SimpleUploadedFile("cases.csv", data)})


def cases_csv(*rows: dict[str, object]) -> bytes:
    return pl.DataFrame(list(rows), infer_schema_length=None).write_csv().encode()


def test_preview_names_bad_rows_and_writes_nothing_until_it_is_told(reader: Client, tmp_path: Path) -> None:
    data = cases_csv(case(1), case(2, place="Atlantis"), case(3, onset_on="yesterday", report_on="soon"))

    reply = upload(reader, data)
    text = text_of(reader, reply.url)

    assert "2 rows cannot be read and would be left out." in text
    assert "No place of this name or code is known" in text
    assert "This is no date." in text
    assert "Atlantis" not in text
    assert not Import.objects.exists()

    reader.post(f"{reply.url}commit/")

    taken = Import.objects.get()
    assert (taken.rows, taken.rejected, taken.added) == (3, 2, 1)
    assert not list((tmp_path / "uploads").glob("*.upload"))
    rejects = reader.get(f"/surveillance/imports/{taken.pk}/rejects.csv").content.decode("utf-8-sig")
    assert {row["row"] for row in csv.DictReader(io.StringIO(rejects))} == {"3", "4"}


def test_preview_calls_the_case_class_in_the_language_of_the_reader(reader: Client, settings: Any) -> None:
    address = upload(reader, cases_csv(case(1))).url
    reader.cookies[settings.LANGUAGE_COOKIE_NAME] = "ur"

    assert "تصدیق شدہ" in text_of(reader, address)


def test_upload_of_one_person_is_closed_to_another_and_gone_after_two_hours(appoint: Any, reader: Client) -> None:
    address = upload(reader, cases_csv(case(1))).url
    other = Client()
    other.force_login(appoint("carl", "steward"))

    assert other.get(address).status_code == 302
    assert reader.get(address).status_code == 200
    assert uploads.sweep(now=utcnow() + timedelta(hours=3)) == 1
    assert reader.get(address).status_code == 302


@pytest.mark.parametrize("data", [b"", b"\x00\x01\x02\xff" * 50], ids=["empty", "no table"])
def test_file_that_is_no_table_is_turned_away_with_the_reason(reader: Client, data: bytes) -> None:
    reply = upload(reader, data)

    assert reply.status_code == 400
    assert "row-error" in reply.content.decode()


def test_column_that_was_not_recognised_can_be_named_on_the_preview(reader: Client) -> None:
    rows = [{("Kürzel" if name == "case_id" else name): value for name, value in case(1).items()}]
    address = upload(reader, cases_csv(*rows)).url
    assert "It cannot be read yet." in text_of(reader, address)

    reader.post(address, {"case_id": "Kürzel"})

    assert "1 would be added." in text_of(reader, address)


def test_waiting_figures_are_seen_on_no_board_until_a_person_accepts_them(reader: Client) -> None:
    figure = partner_figure(status="waiting", is_current=False)
    assert "31" not in {str(value) for value in _partner_values()}
    assert "Accept them" in text_of(reader, f"/surveillance/partners/waiting/{figure.envelope}/")

    reader.post(f"/surveillance/partners/waiting/{figure.envelope}/decide/", {"decision": "accept"})

    assert _partner_values() == [31]


def _partner_values() -> list[int | None]:
    first_on = datetime(2000, 1, 1, tzinfo=UTC).date()
    frame = queries.partner_counts(actor=ACTOR, disease="measles", period="week", first_on=first_on)
    return frame["value"].to_list()


@pytest.mark.parametrize("language", ["en", "zh-hans", "ru", "ur"])
def test_every_page_is_written_in_every_language(reader: Client, settings: Any, language: str) -> None:
    take_in(weekly(), kind="counts")
    signal = raise_signal()
    partner_figure()
    reader.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    addresses = [
        "",
        "signals/",
        f"signals/{signal.pk}/",
        f"signals/{signal.pk}/cases/",
        "limits/measles/PK-PB/",
        "ingest/",
        "counts/",
        f"counts/measles/PK-PB/{LAST_WEEK}/",
        "lacking/",
        "partners/",
    ]

    for address in addresses:
        text = text_of(reader, f"/surveillance/{address}")
        assert f'lang="{language}"' in text
