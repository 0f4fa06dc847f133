"""The shell and its components: in four languages, on a phone, in the dark, by keyboard and without JavaScript."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from corridor.accounts.actors import System
from corridor.accounts.models import Person
from corridor.accounts.services import add_person
from tests.journeys import browser as chromium

NOW = datetime(2026, 11, 16, 6, tzinfo=UTC)
LANGUAGES = ("en", "zh-hans", "ru", "ur")
FIRST_LOAD_BYTES = 150_000
SAMPLE_IS_WRONG_ON_PURPOSE = "does not conform to the required format"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey]


@pytest.fixture
def person():
    return add_person(
        "ayesha",
        display_name="Ayesha Siddiqui",
        roles=["epidemiologist", "auditor"],
        must_change_password=False,
        actor=System("test"),
        now=NOW,
    )


@pytest.fixture
def visit(live_server, open_page, client, person, settings) -> Callable[..., Page]:
    """Open an address as the signed-in person, in a language."""
    settings.CORRIDOR = {**settings.CORRIDOR, "simulated": True, "name": "Pakistan national node", "country": "PK"}
    client.force_login(person)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value

    def go(path: str = "/web/components", *, language: str = "en", **options: object) -> Page:
        names = {settings.SESSION_COOKIE_NAME: session, settings.LANGUAGE_COOKIE_NAME: language}
        cookies = [{"name": name, "value": value, "url": live_server.url} for name, value in names.items()]
        page = open_page(cookies=cookies, **options)
        page.goto(live_server.url + path)
        page.wait_for_load_state("networkidle")
        return page

    return go


def complaints_of(page: Page) -> list[str]:
    return [text for text in page.complaints if SAMPLE_IS_WRONG_ON_PURPOSE not in text]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_page_of_components_fits_a_phone_and_a_desk_with_enough_contrast(visit, language, dark):
    page = visit(language=language, dark=dark, width=390)

    for width in (390, 700, 1280, 1600):
        page.set_viewport_size({"width": width, "height": 800})
        assert chromium.overflow(page) == []
        assert chromium.contrast_faults(page) == []
    assert complaints_of(page) == []


def test_overflow_is_noticed_where_there_is_some(visit):
    page = visit(width=390)

    page.evaluate("document.querySelector('h1').style.inlineSize = '900px'")

    assert chromium.overflow(page) != []


def test_low_contrast_is_noticed_where_there_is_some(visit):
    page = visit()

    page.evaluate("document.querySelector('h1').style.color = '#cccccc'")

    assert chromium.contrast_faults(page) != []


def test_urdu_page_runs_from_right_to_left_and_its_charts_do_not(visit):
    page = visit(language="ur")

    brand = page.locator(".brand").bounding_box()
    menus = page.locator(".menus").bounding_box()
    assert brand["x"] > menus["x"]
    assert page.locator(".frame-picture").first.evaluate("(e) => getComputedStyle(e).direction") == "ltr"


def test_interactive_chart_draws_under_the_content_policy(visit):
    page = visit()

    page.get_by_role("button", name="Interactive chart").first.click()
    page.locator(".frame-live canvas").first.wait_for()

    assert complaints_of(page) == []
    assert "script-src 'self'" in page.request.get(page.url).headers["content-security-policy"]


def test_interactive_libraries_are_not_loaded_before_someone_asks(visit):
    page = visit()

    loaded = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")

    assert not any("library" in address for address in loaded)


def test_first_load_is_light(visit):
    page = visit("/web/components", width=1280)

    sizes = page.evaluate(
        """() => performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
                 .map((entry) => [entry.name, entry.transferSize])"""
    )

    assert sum(size for _, size in sizes) < FIRST_LOAD_BYTES, sizes


def test_page_is_whole_without_javascript(visit):
    page = visit(javascript=False)

    page.locator(".frame-table summary").first.click()

    assert page.locator(".frame-table table").first.is_visible()
    assert page.locator(".frame-picture img").first.is_visible()
    assert not page.get_by_role("button", name="Interactive chart").first.is_visible()


def test_first_tab_stop_leads_to_the_content(visit):
    page = visit()

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"


def test_every_stop_of_the_keyboard_is_visible(visit):
    page = visit()

    invisible, stops = [], 0
    for _ in range(80):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return [e.outerHTML.slice(0, 80), s.outlineStyle, parseFloat(s.outlineWidth)]; }"
        )
        if outline[0].startswith("<body"):  # past the last stop the focus leaves the page
            break
        stops += 1
        if outline[1] == "none" or outline[2] < 2:
            invisible.append(outline)

    assert invisible == []
    assert stops > 30


def test_table_below_a_chart_sorts_and_keeps_what_is_not_known_last(visit):
    page = visit()
    page.locator(".frame-table summary").first.click()
    table = page.locator(".frame-table table").first

    table.get_by_role("button", name="Cases").click()
    upwards = table.locator("tbody tr td:nth-child(2)").all_inner_texts()
    table.get_by_role("button", name="Cases").click()
    downwards = table.locator("tbody tr td:nth-child(2)").all_inner_texts()

    numbers = [int(re.findall(r"\d+", text)[0]) for text in upwards if "<" not in text]
    assert numbers == sorted(numbers)
    assert "<" in upwards[-1]
    assert "<" in downwards[-1]
    assert "78" in downwards[0]


def test_table_becomes_a_list_of_cards_on_a_phone(visit):
    page = visit(phone=True)

    cells = page.locator(".card table").first.locator("tbody tr").first.locator("td").all()

    tops = [cell.bounding_box()["y"] for cell in cells]
    assert tops == sorted(set(tops))


def test_hash_is_shown_whole_when_it_has_the_focus(visit):
    page = visit()
    digest = page.locator(".hash").first

    digest.focus()

    assert len(digest.locator(".hash-full").inner_text()) == 64
    assert not digest.locator(".hash-short").is_visible()


def test_language_switch_changes_the_page_and_the_account(visit, person):
    page = visit()

    page.locator(".language summary").click()
    page.get_by_role("button", name="اردو").click()
    page.wait_for_load_state("networkidle")

    assert page.locator("html").get_attribute("dir") == "rtl"
    assert urlsplit(page.url).path == "/web/components"
    assert Person.objects.get(pk=person.pk).language == "ur"


def test_menu_closes_on_escape_and_gives_the_focus_back(visit):
    page = visit()
    page.locator(".language summary").click()

    page.keyboard.press("Escape")

    assert page.locator(".language[open]").count() == 0
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_printed_page_has_no_menus(visit):
    page = visit()

    page.emulate_media(media="print")

    assert not page.locator(".menus").is_visible()
    assert page.locator(".simulated").first.is_visible()
