"""A backup is put back: two officers open a new epoch, the partner welcomes the node, nothing counts twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from corridor.demo.cast import CHINA, PAKISTAN, NodePart
from tests.journeys import town as towns
from tests.journeys.town import Town, faults, wait_until

RESTORED, PARTNER = CHINA, PAKISTAN
LANGUAGES = {RESTORED: "ur", PARTNER: "en"}

pytestmark = pytest.mark.journey


@pytest.fixture
def town(tmp_path: Path, browser: Browser) -> Iterator[Town]:
    """Two nodes with an agreement in force."""
    with towns.town(tmp_path / "town", browser) as made:
        made.agreement = made.pin_and_sign()
        yield made


def go(page: Page, town: Town, part: NodePart, path: str) -> None:
    page.goto(town.url(part) + path)
    assert faults(page) == [], path
    assert page.locator("html").get_attribute("dir") == {"en": "ltr", "ur": "rtl"}[LANGUAGES[part]]


def figures(town: Town, part: NodePart) -> list[tuple[Any, ...]]:
    """Return what a node holds of the other side's figures."""
    other = PARTNER if part is RESTORED else RESTORED
    rows = town.player(part).do("held", partner=other.id)
    return sorted((row["place"], row["start_on"], row["value"]) for row in rows)


def envelopes(town: Town, part: NodePart) -> Counter[tuple[str, str]]:
    """Count the accepted envelopes with figures by direction and id."""
    rows = town.player(part).do("crossings", schema="surveillance.period-counts/1", status="accepted")
    return Counter((row["direction"], row["envelope_id"]) for row in rows)


def test_restored_node_is_welcomed_back_through_the_pages_and_nothing_counts_twice(town: Town, tmp_path: Path) -> None:
    people = {name: town.page(RESTORED, name, language="ur") for name in ("officer.one", "officer.two")}
    partners_officer = town.page(PARTNER, "officer.one", language="en")
    for week, part in enumerate((RESTORED, PARTNER)):
        town.send(part, town.agreement, value=20 + week, week=week)
    town.delivered()
    town.player(RESTORED).do("back_up", path=str(tmp_path / "yesterday.tar"))
    for week, part in enumerate((RESTORED, PARTNER, RESTORED, PARTNER), start=2):
        town.send(part, town.agreement, value=20 + week, week=week)
    town.delivered()
    before = {part.id: (figures(town, part), envelopes(town, part)) for part in (RESTORED, PARTNER)}

    town.restart_from(RESTORED, tmp_path / "yesterday.tar")
    lost = figures(town, RESTORED)
    wait_until(lambda: town.player(RESTORED).do("node_state") == "recovering")
    first = people["officer.one"]
    go(first, town, RESTORED, "/exchange/partners/")
    first.locator("#recovering button[type=submit]").click()
    first.locator(".messages .notice").wait_for()
    assert town.player(RESTORED).do("node_state") == "recovering"
    second = people["officer.two"]
    go(second, town, RESTORED, "/accounts/approvals")
    second.locator("a[href*='/accounts/approvals/']").last.click()
    assert faults(second) == []
    second.locator("button[value=yes]").click()
    second.locator(".messages .notice").wait_for()
    assert town.player(RESTORED).do("node_state") == "running"
    go(second, town, RESTORED, "/exchange/partners/")
    assert second.locator("#recovering").count() == 0

    wait_until(lambda: is_told(town, partners_officer))
    partners_officer.locator("form[action$='/welcome/'] button").click()
    partners_officer.locator(".messages .notice").wait_for()
    assert faults(partners_officer) == []
    wait_until(lambda: figures(town, RESTORED) == before[RESTORED.id][0])
    town.delivered()

    assert len(lost) < len(before[RESTORED.id][0])
    for part in (RESTORED, PARTNER):
        assert (figures(town, part), envelopes(town, part)) == before[part.id]
        assert set(envelopes(town, part).values()) == {1}
        assert not any(tree["faults"] for tree in town.player(part).do("verify_log"))
        assert not any(each["disputes"] for each in town.player(part).do("partners"))


def is_told(town: Town, page: Page) -> bool:
    """Tell whether the partner's page says that the node came back from a backup."""
    go(page, town, PARTNER, f"/exchange/partners/{RESTORED.id}/")
    return page.locator("form[action$='/welcome/']").count() == 1
