"""An epidemiologist's Monday: sign in, read the board, verify the signal, take a file with two bad rows in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from corridor.accounts.actors import System
from corridor.accounts.models import Person
from corridor.accounts.services import add_person
from corridor.base.clock import utcnow
from corridor.pillars.surveillance import tasks
from corridor.pillars.surveillance.models import Import, Signal
from corridor.pillars.surveillance.tables import Mapping
from tests.journeys import browser as chromium
from tests.journeys.latin import english_on
from tests.journeys.walk import kind_of, walk
from tests.surveillance.cases import case, count
from tests.surveillance.test_pages import partner_figure, raise_signal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey]

FREE_TEXT = ("Punjab office", "test", "counts.csv", "suspected measles", "cn.cdc")
"""What people of the node and of its partner wrote themselves: a source, a file, a case definition, a name."""
ON_PREVIEW = (
    "cases.csv",
    "Lahore laboratory",
    "31 Jan 2024",
    *(name for fields in tasks.FIELDS.values() for name in fields),
)
"""What a preview repeats of the file: its name, its source, its headings; and a date as files write it."""
NOW = utcnow()
MONDAY = NOW.date() - timedelta(days=NOW.weekday())
PASSWORD = "corridor-journey-test"
WORDS = {
    "en": {
        "both": "both sides",
        "move": "verified: a real event",
        "record": "Record",
        "now": "verified",
        "preview": "Preview",
        "place": "No place of this name or code is known",
        "date": "This is no date.",
        "take": "Take it in",
        "done": "1 rows added",
    },
    "ur": {
        "both": "دونوں جانب",
        "move": "تصدیق شدہ: حقیقی واقعہ",
        "record": "درج کریں",
        "now": "تصدیق شدہ",
        "preview": "پیش منظر",
        "place": "اس نام یا کوڈ کا کوئی مقام معلوم نہیں",
        "date": "یہ تاریخ نہیں۔",
        "take": "درآمد کریں",
        "done": "1 سطریں شامل",
    },
}


@pytest.fixture
def node(settings: Any, tmp_path: Path) -> None:
    """A node with a person, eight weeks of counts, a signal, and a partner that rises in the same week."""
    settings.CORRIDOR_HOME = tmp_path
    settings.CORRIDOR = {**settings.CORRIDOR, "simulated": True, "name": "Pakistan national node", "country": "PK"}
    add_person(
        "ayesha",
        roles=["epidemiologist"],
        password=PASSWORD,
        must_change_password=False,
        actor=System("test"),
        now=NOW,
    )
    weeks = range(1, 30)
    rows = [count(str(MONDAY - timedelta(weeks=back)), 40 if back == 1 else 9, place="PK-GB") for back in weeks]
    read = tasks.read_file(
        pl.DataFrame(rows).write_csv().encode(), name="counts.csv", kind="counts", mapping=Mapping(), as_of=NOW
    )
    tasks.take_in(read, source="Punjab office", as_of=NOW, actor=System("test"), now=NOW)
    raise_signal(place="PK-GB")
    for back in range(1, 12):
        start = MONDAY - timedelta(weeks=back)
        figures: dict[str, Any] = {"value": 31 if back == 1 else 12}
        if back == 5:
            figures = {"value": None, "withheld": "below-5", "expected": None, "limit": None}
        partner_figure(start_on=start, end_on=start + timedelta(days=7), **figures)


@pytest.fixture
def visit(live_server: Any, open_page: Callable[..., Page], settings: Any, node: None) -> Callable[..., Page]:
    """Open the board in a language; who has not signed in meets the login."""

    def go(language: str, **options: object) -> Page:
        Person.objects.update(language=language)
        cookie = {"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": live_server.url}
        page = open_page(cookies=[cookie], **options)
        page.goto(live_server.url + "/")
        page.locator("input[name=username]").fill("ayesha")
        page.locator("input[name=password]").fill(PASSWORD)
        page.locator("main button[type=submit]").click()
        page.wait_for_url("**/surveillance/")
        page.wait_for_load_state("networkidle")
        return page

    return go


@pytest.mark.parametrize("language", ["en", "ur"])
def test_monday_of_an_epidemiologist(visit: Callable[..., Page], tmp_path: Path, language: str) -> None:
    words = WORDS[language]
    page = visit(language)

    expect(page.locator("main")).to_contain_text(words["both"])
    assert page.locator("figure.frame").count() >= 2

    page.locator(".table a[href*='/signals/']").first.click()
    page.get_by_label(words["move"]).check()
    page.locator("textarea[name=text]").first.fill("Laboratory agrees; three schools.")
    page.get_by_role("button", name=words["record"], exact=True).click()
    expect(page.locator(".answer")).to_contain_text(words["now"])
    expect(page.locator(".timeline")).to_contain_text("Laboratory agrees; three schools.")
    assert Signal.objects.get().status == "verified"

    file = tmp_path / "cases.csv"
    rows = [case(1), case(2, place="Atlantis"), case(3, onset_on="soon", report_on="later")]
    file.write_text(pl.DataFrame(rows).write_csv(), encoding="utf-8")
    page.goto(page.url.split("/signals/")[0] + "/ingest/")
    page.locator("input[name=file]").set_input_files(file)
    page.locator("input[name=source]").fill("Lahore laboratory")
    page.get_by_role("button", name=words["preview"], exact=True).click()
    expect(page.locator("main")).to_contain_text(words["place"])
    expect(page.locator("main")).to_contain_text(words["date"])
    assert language == "en" or english_on(page, signed=(*FREE_TEXT, *ON_PREVIEW)) == []
    assert chromium.overflow(page) == []
    page.get_by_role("button", name=words["take"], exact=True).click()
    expect(page.locator(".messages")).to_contain_text(words["done"])

    taken = Import.objects.order_by("-pk").first()
    assert taken is not None
    assert (taken.rows, taken.rejected) == (3, 2)
    assert page.complaints == []  # type: ignore[attr-defined]  # the fixture's note of what the browser said


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh-hans", "ru", "ur"])
def test_board_fits_every_width_with_enough_contrast(visit: Callable[..., Page], language: str, *, dark: bool) -> None:
    page = visit(language, dark=dark, width=390)

    for width in (390, 768, 1280, 1600):
        page.set_viewport_size({"width": width, "height": 800})
        assert chromium.overflow(page) == []
        assert chromium.contrast_faults(page) == []


@pytest.mark.parametrize("language", ["ur", "zh-hans", "ru"])
def test_no_page_of_surveillance_leaves_a_word_in_english(visit: Callable[..., Page], language: str) -> None:
    page = visit(language)
    base = page.url.split("/surveillance/")[0]
    start = ("/surveillance/", "/surveillance/lacking/", "/surveillance/signals/", "/surveillance/ingest/")

    left = {
        kind_of(path): found
        for path in walk(page, base, start=start)
        if path.startswith("/surveillance/") and (found := english_on(page, signed=FREE_TEXT))
    }

    assert left == {}


def test_board_is_read_without_javascript(visit: Callable[..., Page]) -> None:
    page = visit("en", javascript=False)

    expect(page.locator(".frame-picture img").first).to_be_visible()
    page.locator(".frame-table summary").first.click()
    expect(page.locator(".frame-table table").first).to_be_visible()
