"""Care between two nodes through their pages: a clinician of each side publishes, both compare, patients stay home."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from corridor.demo.cast import CHINA, PAKISTAN, NodePart
from corridor.pillars.research.reference import reference_text
from tests.journeys import browser as chromium
from tests.journeys import town as towns
from tests.journeys.latin import english_on, left_in_latin
from tests.journeys.town import Town, faults, wait_until

pytestmark = pytest.mark.journey

CARE = "/research/-/care/"
WRITTEN = re.compile(r"weekly-paclitaxel|paclitaxel|mg/m2|\bReference\b")
"""Words of the protocols, which stand on the page as their side wrote them."""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Town]:
    """Two nodes with a clinician each, whose agreement opens the sharing of protocols and schedules."""
    with towns.town(tmp_path_factory.mktemp("town"), browser) as made:
        made.admit(("clinician", "clinician"))
        made.pin_and_sign("study")
        yield made


def publish(town: Town, part: NodePart, file: Path, *, held: int) -> None:
    """Let the clinician of a node publish a file on the page, and wait until both nodes hold so many documents."""
    page = town.page(part, "clinician")
    page.goto(town.url(part) + CARE)
    assert faults(page) == []
    town.let_password_expire(part)
    send(page, file)
    towns.give_password_again(page)
    send(page, file)
    expect(page.locator(".messages")).to_contain_text("Published, and on its way")
    for each in (PAKISTAN, CHINA):
        wait_until(lambda each=each: len(town.player(each).do("care_hashes")) == held)


def send(page: Page, file: Path) -> None:
    page.locator("#publish input[type=file]").set_input_files(str(file))
    page.locator("#publish button[type=submit]").click()


def test_two_clinicians_publish_and_compare_and_a_steward_sees_who_is_due(town: Town, tmp_path: Path) -> None:
    theirs, ours, plan = (tmp_path / name for name in ("theirs.toml", "ours.toml", "plan.toml"))
    reference = reference_text("breast-cancer")
    theirs.write_text(reference, encoding="utf-8")
    ours.write_text(reference.replace("dose = 80,", "dose = 90,"), encoding="utf-8")
    plan.write_text(reference_text("breast-cancer-follow-up"), encoding="utf-8")
    publish(town, CHINA, theirs, held=1)
    publish(town, PAKISTAN, ours, held=2)
    publish(town, CHINA, plan, held=3)

    page = town.page(PAKISTAN, "clinician", language="ur")
    page.goto(town.url(PAKISTAN) + CARE)
    assert faults(page) == []
    page.locator("input[name=differing]").check()
    page.locator("form[action$='/compare/'] button[type=submit]").click()
    assert faults(page) == []
    expect(page.locator("main")).to_contain_text("90\N{NO-BREAK SPACE}mg/m2")
    expect(page.locator("main")).to_contain_text("80\N{NO-BREAK SPACE}mg/m2")
    assert left_in_latin(WRITTEN.sub("", text) for text in english_on(page)) == []

    steward = town.page(PAKISTAN, "steward")
    steward.goto(town.url(PAKISTAN) + CARE)
    steward.get_by_role("link", name="Follow-up after early breast cancer").click()
    assert faults(steward) == []
    steward.get_by_role("link", name="Who is due here").click()
    assert faults(steward) == []
    steward.locator("input[name=table]").set_input_files(str(patients(tmp_path / "patients.csv")))
    steward.get_by_role("button", name="Register the table").click()
    towns.give_password_again(steward)
    expect(steward.locator(".messages")).to_contain_text("nothing of it crosses")
    expect(steward.locator("main")).to_contain_text("1 visit is overdue. They are of 1 patient.")
    assert faults(steward) == []
    steward.set_viewport_size(chromium.PHONE)
    assert faults(steward) == []
    steward.set_viewport_size(chromium.WIDE)


def patients(path: Path) -> Path:
    """Write one patient whose first visit is overdue and whose second is not due yet."""
    start = towns.today() - timedelta(days=210)
    path.write_text(f"person,start_on,risk_group,visit,mammography\nP-01,{start},standard,,\n", encoding="utf-8")
    return path
