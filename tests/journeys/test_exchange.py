"""Two nodes become partners through their pages: Pakistan's officers read English, China's read Urdu."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from corridor.demo import memoranda
from corridor.demo.cast import CHINA, PAKISTAN, NodePart
from tests.journeys import town as towns
from tests.journeys.town import Town, faults, wait_until
from tests.journeys.walk import kind_of, walk

LANGUAGES = {PAKISTAN: "en", CHINA: "ur"}
SIDES = [pytest.param(PAKISTAN, id="english"), pytest.param(CHINA, id="urdu")]
FIRST_LOAD_BYTES = 150_000

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Town]:
    """Two nodes that do not know each other yet."""
    with towns.town(tmp_path_factory.mktemp("town"), browser) as made:
        yield made


@pytest.fixture(scope="module")
def pinned(town: Town) -> Town:
    """The same, after the officers of both pinned the other's card through the pages."""
    for part in (PAKISTAN, CHINA):
        pin_through_pages(town, part)
    return town


@pytest.fixture(scope="module")
def agreement(pinned: Town, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An agreement that was drafted and proposed by command and signed through the pages of both; its hash."""
    hash_ = propose_by_command(pinned, tmp_path_factory.mktemp("paper"))
    wait_until(lambda: hash_ in pinned.player(CHINA).do("states"))
    for part in (PAKISTAN, CHINA):
        act(pinned, part, hash_, "sign")
        approve(pinned, part)
    for part in (PAKISTAN, CHINA):
        wait_until(lambda part=part: pinned.player(part).do("states")[hash_] == "in-force")
    return hash_


@pytest.fixture(scope="module")
def crossed(pinned: Town, agreement: str) -> str:
    """The agreement, after each side sent a figure that crossed and tried one that is too small."""
    for part in (PAKISTAN, CHINA):
        assert pinned.send(part, agreement, value=25)["status"] == "queued"
        assert pinned.send(part, agreement, value=2)["status"] == "refused"
    pinned.delivered()
    return agreement


def officer(town: Town, part: NodePart, name: str = "officer.one") -> Page:
    return town.page(part, name, language=LANGUAGES[part])


def go(page: Page, town: Town, part: NodePart, path: str) -> None:
    page.goto(town.url(part) + path)
    assert faults(page) == [], path


def pin_through_pages(town: Town, part: NodePart) -> None:
    other = CHINA if part is PAKISTAN else PAKISTAN
    shown = town.player(other).do("card")
    card = {"name": "card.json", "mimeType": "application/json", "buffer": shown["document"].encode()}
    page = officer(town, part)
    go(page, town, part, "/exchange/partners/")
    page.locator("a[href$='/partners/add/']").first.click()

    page.locator("input[name=card]").set_input_files(card)
    page.locator("input[name=fingerprint]").fill(town.player(part).do("card")["fingerprint"])
    page.locator("main form button[type=submit]").click()
    assert page.locator("[role=alert]").is_visible()
    page.complaints[:] = [text for text in page.complaints if "400" not in text]

    page.locator("input[name=card]").set_input_files(card)
    page.locator("input[name=fingerprint]").fill(shown["fingerprint"].lower().replace("-", " "))
    page.locator("main form button[type=submit]").click()
    assert urlsplit(page.url).path == "/exchange/partners/"
    assert not town.player(part).do("partners")
    approve(town, part, asks_password=True)
    assert [each["node_id"] for each in town.player(part).do("partners")] == [other.id]


def approve(town: Town, part: NodePart, *, asks_password: bool = False) -> None:
    """Let the second officer look at the newest step that waits and say yes."""
    page = officer(town, part, "officer.two")
    if asks_password:
        town.let_password_expire(part)
    go(page, town, part, "/accounts/approvals")
    page.locator("a[href*='/accounts/approvals/']").last.click()
    assert (urlsplit(page.url).path == "/accounts/again") == asks_password
    towns.give_password_again(page)
    assert faults(page) == []
    page.locator("button[value=yes]").click()
    assert urlsplit(page.url).path == "/accounts/approvals"
    page.locator(".messages .notice").wait_for()
    assert page.locator(".messages .notice-fault").count() == 0


def act(town: Town, part: NodePart, hash_: str, name: str) -> Page:
    """Let the first officer read what a step opens, tick that she has, and send it."""
    page = officer(town, part)
    go(page, town, part, f"/exchange/agreements/{hash_}/")
    page.locator(f"a[href$='/act/{name}/']").first.click()
    towns.give_password_again(page)
    assert faults(page) == []
    page.locator("input[name=has_read]").check()
    page.locator("main form button[type=submit]").click()
    assert urlsplit(page.url).path == f"/exchange/agreements/{hash_}/"
    page.locator(".messages .notice").wait_for()
    return page


def propose_by_command(town: Town, folder: Path) -> str:
    source, texts = memoranda.pakistan_china(towns.today())
    (folder / "source.json").write_text(json.dumps(source, default=plain), encoding="utf-8")
    options = []
    for language, text in texts.items():
        (folder / f"{language}.txt").write_bytes(text)
        options += ["--text", f"{language}={folder / language}.txt"]
    token = town.token(PAKISTAN, "officer.one")
    drafted = town.command(PAKISTAN, "agreement", "draft", str(folder / "source.json"), *options, "--json", token=token)
    hash_ = str(json.loads(drafted)["agreement"])
    town.command(PAKISTAN, "agreement", "propose", hash_, token=token)
    return hash_


def plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert isinstance(value, date)
    return value.isoformat()


@pytest.mark.parametrize("part", SIDES)
def test_officers_pin_a_partner_after_comparing_the_fingerprint(pinned: Town, part: NodePart) -> None:
    page = officer(pinned, part)

    go(page, pinned, part, "/exchange/partners/")

    assert page.locator("html").get_attribute("dir") == {"en": "ltr", "ur": "rtl"}[LANGUAGES[part]]
    assert page.locator("main table tbody tr").count() == 1


@pytest.mark.parametrize("part", SIDES)
def test_page_of_an_agreement_says_what_it_opens_and_its_sheet_can_be_printed(
    pinned: Town, agreement: str, part: NodePart
) -> None:
    page = officer(pinned, part)
    go(page, pinned, part, f"/exchange/agreements/{agreement}/")
    clauses = page.locator("main .card").first.locator("tbody tr td:first-child").all_inner_texts()

    page.locator("a[href$='/sheet/']").click()
    page.emulate_media(media="print")
    sheet = page.locator("main").inner_text()
    menus = page.locator(".menus").is_visible()
    page.emulate_media(media="screen")

    assert clauses == ["4.1", "4.2", "4.2", "4.3"]
    assert agreement in sheet
    assert "weekly-counts" in sheet
    assert not menus
    assert faults(page) == []


@pytest.mark.parametrize("part", SIDES)
def test_officer_suspends_at_once_and_two_lift_the_suspension(pinned: Town, crossed: str, part: NodePart) -> None:
    act(pinned, part, crossed, "suspend")
    while_suspended = pinned.send(part, crossed, value=30, week=1)

    act(pinned, part, crossed, "resume")
    approve(pinned, part)
    for side in (PAKISTAN, CHINA):
        wait_until(lambda side=side: pinned.player(side).do("states")[crossed] == "in-force")

    assert (while_suspended["status"], while_suspended["reason"]) == ("refused", "suspended")
    assert pinned.send(part, crossed, value=30, week=1)["status"] == "queued"


@pytest.mark.parametrize("part", SIDES)
def test_crossings_are_filtered_down_to_one_envelope_and_its_evidence_is_authentic(
    pinned: Town, crossed: str, part: NodePart, tmp_path: Path
) -> None:
    page = officer(pinned, part)
    go(page, pinned, part, "/exchange/crossings/")
    page.locator("details.filters summary").click()
    page.locator("select[name=channel]").select_option("weekly-counts")
    page.locator("select[name=direction]").select_option("out")
    page.locator("select[name=status]").select_option("accepted")
    page.locator(".filter-bar button[type=submit]").click()
    assert page.locator("main table tbody tr").count() >= 1
    assert faults(page) == []

    page.locator("main table tbody tr a").last.click()
    assert faults(page) == []
    with page.expect_download() as started:
        page.locator("a[href$='evidence.json']").click()
    started.value.save_as(tmp_path / "evidence.json")

    assert verdict(pinned, tmp_path / "evidence.json") == ("authentic", 0)
    changed = (tmp_path / "evidence.json").read_bytes()
    half = len(changed) // 2
    (tmp_path / "changed.json").write_bytes(changed[:half] + bytes([changed[half] ^ 1]) + changed[half + 1 :])
    assert verdict(pinned, tmp_path / "changed.json")[0] != "authentic"


def verdict(town: Town, path: Path) -> tuple[str, int]:
    trust = []
    for part in (PAKISTAN, CHINA):
        trust += ["--trust", f"{part.id}={town.player(part).do('card')['fingerprint']}"]
    run = subprocess.run(
        [*town.stage.programs.corridor, "evidence", "verify", str(path), "--json", *trust],
        capture_output=True,
        text=True,
        check=False,
    )
    return (json.loads(run.stdout)["verdict"] if run.stdout else run.stderr), run.returncode


@pytest.mark.parametrize("part", SIDES)
def test_refused_figure_shows_its_reason_in_the_language_of_the_page(
    pinned: Town, crossed: str, part: NodePart
) -> None:
    page = officer(pinned, part)

    go(page, pinned, part, "/exchange/crossings/?status=refused&direction=out")

    said = page.locator("main table tbody").inner_text()
    assert {"en": "smaller than the disclosure rule", "ur": "افشا کے قاعدے"}[LANGUAGES[part]] in said


@pytest.mark.parametrize("part", SIDES)
def test_auditor_reads_every_page_of_the_exchange_and_finds_no_button_that_writes(
    pinned: Town, crossed: str, part: NodePart, tmp_path: Path
) -> None:
    page = pinned.page(part, "auditor", language=LANGUAGES[part])
    seen, writing, wrong, weights = set(), [], [], {}

    for path in walk(page, pinned.url(part), start=("/exchange/agreements/", "/accounts/audit")):
        seen.add(kind_of(path))
        own = path.startswith(("/accounts/password", "/accounts/sessions"))
        writing += [] if own else page.eval_on_selector_all(towns.WRITING, "all => all.map((form) => form.outerHTML)")
        wrong += [(path, fault) for fault in faults(page)]
        page.complaints.clear()
        weights[path] = weight(page)

    assert {"/exchange/crossings/<number>/", "/exchange/partners/<node>/", "/exchange/counters/"} <= seen
    assert writing == []
    assert wrong == []
    assert too_heavy(weights) == {}
    with page.expect_download() as started:
        page.goto(pinned.url(part) + "/accounts/audit")
        page.locator("a[href*='export.csv']").click()
    started.value.save_as(tmp_path / "audit.csv")
    rows = list(csv.DictReader((tmp_path / "audit.csv").read_text("utf-8").splitlines()))
    assert {"accounts.approve", "accounts.ask_approval"} <= {row["action"] for row in rows}


@pytest.mark.parametrize("name", ["officer.two", "administrator", "steward"])
def test_first_load_of_every_page_is_light(pinned: Town, crossed: str, name: str) -> None:
    signed_in = pinned.page(PAKISTAN, name).context.storage_state()
    with pinned.browser.new_context(storage_state=signed_in) as fresh:
        page = fresh.new_page()
        weights = {path: weight(page) for path in walk(page, pinned.url(PAKISTAN))}

    assert len(weights) > 5
    assert too_heavy(weights) == {}


def test_page_that_is_too_heavy_is_noticed(pinned: Town) -> None:
    page = pinned.page(PAKISTAN, "officer.two")
    page.goto(pinned.url(PAKISTAN) + "/exchange/partners/")

    assert too_heavy({"/exchange/partners/": weight(page)}, most=10_000) != {}


def too_heavy(weights: dict[str, dict[str, int]], *, most: int = FIRST_LOAD_BYTES) -> dict[str, int]:
    return {path: sum(sizes.values()) for path, sizes in weights.items() if sum(sizes.values()) > most}


def weight(page: Page) -> dict[str, int]:
    """Return the bytes of the page and of everything that it loads, as if nothing had been kept from an earlier one."""
    return page.evaluate(
        """() => Object.fromEntries(
             performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
               .map((entry) => [entry.name, Math.max(entry.transferSize, entry.encodedBodySize + 300)]))"""
    )
