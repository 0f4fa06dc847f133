"""People at their desks: the first administrator, the officers she appoints, and the auditor who reads everything."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from corridor.accounts.actors import System
from corridor.accounts.models import AuditEntry, Person
from corridor.accounts.services import add_person
from tests.journeys.town import PASSWORD, WRITING, change_password, faults, sign_in, speak
from tests.journeys.walk import walk

NOW = datetime(2026, 11, 16, 6, tzinfo=UTC)
ONE_TIME = "abcd-efgh-jkmn-pqrs"
LANGUAGES = ("en", "ur")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.journey,
    pytest.mark.parametrize("language", LANGUAGES),
]


@pytest.fixture
def visit(live_server, open_page, settings) -> Callable[..., Page]:
    """Open an address of the node as nobody, in a language that the browser asks for."""
    settings.CORRIDOR = {**settings.CORRIDOR, "simulated": True, "name": "Pakistan national node", "country": "PK"}

    def go(path: str, *, language: str) -> Page:
        cookie = {"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": live_server.url}
        page = open_page(cookies=[cookie])
        page.goto(live_server.url + path)
        return page

    return go


def appoint(name: str, role: str, *, language: str, password: str = PASSWORD, one_time: bool = False) -> Person:
    return add_person(
        name,
        roles=[role],
        language=language,
        password=password,
        must_change_password=one_time,
        actor=System("test"),
        now=NOW - timedelta(days=30),
    )


def test_first_administrator_replaces_the_one_time_password_and_appoints_the_people(visit, language):
    appoint("administrator", "administrator", language=language, password=ONE_TIME, one_time=True)
    page = visit("/accounts/people", language=language)
    assert faults(page) == []

    sign_in(page, "administrator", password=ONE_TIME)
    assert urlsplit(page.url).path == "/accounts/password"
    assert faults(page) == []
    change_password(page, ONE_TIME, new=PASSWORD)
    assert urlsplit(page.url).path == "/accounts/people"
    assert faults(page) == []

    given = {}
    for name, role in (("nadia", "officer"), ("li.wei", "officer"), ("olga", "auditor")):
        page.locator("input[name=username]").fill(name)
        page.locator("input[name=display_name]").fill(name.title())
        page.locator(f"input[name=roles][value={role}]").check()
        page.locator("main form button[type=submit]").last.click()
        given[name] = page.locator(".notice code").inner_text()
        assert faults(page) == []

    assert {person.username: sorted(person.role_names) for person in Person.objects.all()} == {
        "administrator": ["administrator"],
        "nadia": ["officer"],
        "li.wei": ["officer"],
        "olga": ["auditor"],
    }
    assert len(set(given.values())) == 3
    signing_in = visit("/accounts/login", language=language)
    sign_in(signing_in, "nadia", password=given["nadia"])
    assert urlsplit(signing_in.url).path == "/accounts/password"


def test_five_wrong_passwords_lock_the_account_even_for_the_right_one(visit, language):
    appoint("nadia", "officer", language=language)
    page = visit("/accounts/login", language=language)

    for _ in range(5):
        sign_in(page, "nadia", password="a wrong guess of mine")
    said = page.locator("[role=alert]").inner_text()
    sign_in(page, "nadia", password=PASSWORD)
    locked = page.locator("[role=alert]").inner_text()

    assert urlsplit(page.url).path == "/accounts/login"
    assert locked != said
    assert "15" in locked
    refusals = [text for text in page.complaints if "403" not in text]
    page.complaints[:] = refusals
    assert faults(page) == []


def test_language_switch_turns_the_login_around_and_keeps_the_way_back(visit, language):
    other = {"en": "ur", "ur": "en"}[language]
    page = visit("/exchange/crossings/", language=language)

    speak(page, other)

    assert page.locator("html").get_attribute("dir") == ("rtl" if other == "ur" else "ltr")
    assert urlsplit(page.url).query == "next=/exchange/crossings/" or "crossings" in urlsplit(page.url).query
    assert faults(page) == []


def test_auditor_filters_the_trail_and_takes_it_along_as_a_file(visit, language, tmp_path: Path):
    appoint("olga", "auditor", language=language)
    appoint("nadia", "officer", language=language)
    page = visit("/accounts/audit", language=language)
    sign_in(page, "olga", password=PASSWORD)
    assert faults(page) == []

    page.locator("input[name=action]").fill("accounts.add")
    page.locator(".filter-bar button[type=submit]").click()
    shown = page.locator("main table tbody tr")
    with page.expect_download() as started:
        page.locator("a[href*='export.csv']").click()
    started.value.save_as(tmp_path / "audit.csv")

    rows = list(csv.DictReader((tmp_path / "audit.csv").read_text("utf-8").splitlines()))
    added = AuditEntry.objects.filter(action="accounts.add_person").count()
    assert shown.count() == len(rows) == added == 2
    assert {row["action"] for row in rows} == {"accounts.add_person"}
    assert faults(page) == []


def test_auditor_finds_no_button_that_writes_on_any_page(visit, live_server, language):
    appoint("olga", "auditor", language=language)
    page = visit("/accounts/login", language=language)
    sign_in(page, "olga", password=PASSWORD)

    seen, writing = [], []
    for path in walk(page, live_server.url, start=("/", "/exchange/agreements/", "/accounts/audit", "/jobs/")):
        seen.append(path)
        # Language, signing out and one's own password and sessions are everyone's.
        if not path.startswith(("/accounts/password", "/accounts/sessions", "/web/components")):
            writing += [(path, html) for html in page.eval_on_selector_all(WRITING, SOURCES)]

    assert writing == []
    assert {"/exchange/crossings/", "/exchange/partners/", "/accounts/audit", "/accounts/approvals"} <= set(seen)


SOURCES = "all => all.map((form) => form.outerHTML.slice(0, 120))"
