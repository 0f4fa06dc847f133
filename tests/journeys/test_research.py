"""A study between two nodes through their pages: from the proposal to the report, and where somebody says no."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

from corridor.demo.cast import CHINA, COHORTS, PAKISTAN, NodePart
from corridor.demo.stage import start_jobs
from tests.journeys import town as towns
from tests.journeys.latin import english_on, left_in_latin
from tests.journeys.town import Town, faults, wait_until
from tests.journeys.walk import kind_of, walk

pytestmark = pytest.mark.journey

BETWEEN_LOOKS = 500.0
"""Milliseconds from one look at a page to the next, while somebody waits for what it will say."""
STUDY, DECLINED = "breast-hormone", "breast-hormone-again"
PARTS = (PAKISTAN, CHINA)
REASON = "ہمارے اخلاقی بورڈ کو نئی رضامندی چاہیے۔"
FEW = """
[[analyses]]
id = "most-nodes"
kind = "moments"
where = [{ variable = "meno", is = 0 }, { variable = "nodes", at_least = 24 }]
variables = ["age_years"]

[analyses.title]
en = "Age before the menopause with 24 positive nodes or more"
zh-hans = "绝经前阳性淋巴结不少于24个者的年龄"
ru = "Возраст до менопаузы при 24 и более поражённых лимфоузлах"
ur = "سنِ یاس سے پہلے 24 یا زیادہ متاثرہ غدود کے ساتھ عمر"
"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Town]:
    """Two nodes whose people can do research and whose jobs run."""
    with towns.town(tmp_path_factory.mktemp("town"), browser) as made:
        made.admit(("researcher", "researcher"), ("steward.two", "steward"))
        start_jobs(made.stage, PARTS)
        yield made


@pytest.fixture(scope="module")
def agreement(town: Town) -> str:
    """The agreement that opens joint research between both nodes."""
    return town.pin_and_sign("study")


@pytest.fixture(scope="module")
def study(town: Town, agreement: str, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A study that was proposed on the page; the stewards signed it and froze their rows through the pages."""
    folder = tmp_path_factory.mktemp("paper")
    propose(town, agreement, folder / "protocol.toml", name=STUDY)
    for part in PARTS:
        sign_the_protocol(town, part)
    for part in PARTS:
        wait_until(lambda part=part: town.player(part).do("study_state")["is_locked"])
    freeze_a_table_with_other_words(town, PAKISTAN)
    freeze_a_table(town, CHINA)
    for part in PARTS:
        wait_until(lambda part=part: len(town.player(part).do("study_state")["ready"]) == 2)
    return town


@pytest.fixture(scope="module")
def computed(study: Town) -> Town:
    """The study after its researcher asked for three analyses, the last of which asks too much."""
    page = visit(study, PAKISTAN, "researcher")
    for analysis in ("baseline-categories", "primary", "most-nodes"):
        ask_for(page, analysis)
    for part in PARTS:
        wait_until(lambda part=part: ended(study, part) == ["done", "done", "refused"])
    return study


def protocol_text(name: str = STUDY) -> str:
    """Return the protocol of the demonstration between the two nodes, with an analysis that asks too much."""
    text = resources.files("corridor.demo").joinpath("breast-hormone.toml").read_text(encoding="utf-8")
    text = text.replace('study = "breast-hormone"', f'study = "{name}"', 1) + FEW
    for node, part in (("nl.rotterdam", PAKISTAN), ("de.gbsg", CHINA)):
        assert f'node = "{node}"' in text
        text = text.replace(f'node = "{node}"', f'node = "{part.id}"')
    return text


def propose(town: Town, agreement: str, path: Path, *, name: str) -> None:
    """Let the researcher of Pakistan propose a protocol on the page, and wait until China's node holds it."""
    path.write_text(protocol_text(name), encoding="utf-8")
    page = visit(town, PAKISTAN, "researcher", "/research/")
    page.locator("a[href='/research/-/propose/']").click()
    assert faults(page) == []
    page.locator("input[name=file]").set_input_files(path)
    page.locator("select[name=agreement]").select_option(agreement)
    page.locator("main form button[type=submit]").click()
    page.locator(".messages .notice").last.wait_for()
    assert page.locator(".messages .notice-fault").count() == 0
    page = visit(town, CHINA, "steward")
    wait_until(lambda: shows(page, f"{town.url(CHINA)}/research/{name}/"))


def shows(page: Page, address: str) -> bool:
    page.wait_for_timeout(BETWEEN_LOOKS)
    answer = page.goto(address)
    page.complaints[:] = [text for text in page.complaints if "404" not in text]
    return answer is not None and answer.ok


def visit(town: Town, part: NodePart, name: str, path: str = f"/research/{STUDY}/", *, language: str = "en") -> Page:
    """Let somebody open a page of the study; it must be sound."""
    page = town.page(part, name, language=language)
    answer = page.goto(town.url(part) + path)
    page.complaints[:] = [text for text in page.complaints if "404" not in text]
    assert answer is not None
    assert not answer.ok or faults(page) == []
    return page


def give_yes(town: Town, part: NodePart) -> None:
    """Let the second steward look at what waits and say yes."""
    page = visit(town, part, "steward.two", "/accounts/approvals")
    page.locator("main a[href*='/accounts/approvals/']").last.click()
    towns.give_password_again(page)
    assert faults(page) == []
    page.locator("button[value=yes]").click()
    page.locator(".messages .notice").wait_for()
    assert page.locator(".messages .notice-fault").count() == 0


def sign_the_protocol(town: Town, part: NodePart) -> None:
    page = visit(town, part, "steward")
    page.locator("main a[href*='/protocol/']").first.click()
    assert faults(page) == []
    assert "Royston-Altman-2013" in page.locator("main").inner_text()
    page.go_back()
    page.locator("form[action$='/sign/'] button").click()
    towns.give_password_again(page)
    give_yes(town, part)


def cohort(part: NodePart) -> str:
    return resources.files("corridor.demo").joinpath(COHORTS[part.country]).read_text(encoding="utf-8")


def bring(page: Page, data: str, *, name: str) -> None:
    """Upload a table on the page of the rows."""
    page.locator("input[name=file]").set_input_files({"name": name, "mimeType": "text/csv", "buffer": data.encode()})
    page.locator("main form[enctype] button[type=submit]").click()


def freeze_a_table(town: Town, part: NodePart) -> None:
    page = visit(town, part, "steward", f"/research/{STUDY}/rows/")
    bring(page, cohort(part), name="cohort.csv")
    freeze_and_sign(page)


def freeze_and_sign(page: Page) -> None:
    assert faults(page) == []
    page.locator("form[action$='/freeze/'] button").click()
    assert faults(page) == []
    page.locator("form[action$='/sign/'] button").click()
    towns.give_password_again(page)
    page.locator(".messages .notice").last.wait_for()
    assert page.locator(".messages .notice-fault").count() == 0
    expect(page.locator("main .badge-accent")).to_have_count(1)


def freeze_a_table_with_other_words(town: Town, part: NodePart) -> None:
    """Bring a table whose column of treatment has another name and whose third grade is called otherwise."""
    heading, *rows = cohort(part).splitlines()
    names = heading.split(",")
    grade = names.index("grade")
    changed = [
        ",".join("G3" if (place, cell) == (grade, "3") else cell for place, cell in enumerate(row.split(",")))
        for row in rows
    ]
    page = visit(town, part, "steward", f"/research/{STUDY}/rows/")
    bring(page, "\n".join([heading.replace("hormon", "tamoxifen"), *changed, ""]), name="registry.csv")

    expect(page.locator("main .notice-fault")).to_contain_text("hormon")
    assert page.locator("form[action$='/freeze/']").count() == 0
    assert faults(page) == []
    page.get_by_label("Hormonal treatment").select_option("tamoxifen")
    page.locator("form:has(.grid-fields) button[type=submit]").click()
    expect(page.locator("main .card").first).to_contain_text("G3 ×")

    page.get_by_label("Grade: G3").or_(page.get_by_label(re.compile("G3"))).first.select_option("3")
    page.locator("form:has(.grid-fields) button[type=submit]").click()
    expect(page.locator("main .card").first).not_to_contain_text("G3 ×")
    freeze_and_sign(page)


def ask_for(page: Page, analysis: str) -> None:
    page.locator(f"form[action$='/request/{analysis}/'] button").click()
    page.locator(".messages .notice").last.wait_for()
    assert page.locator(".messages .notice-fault").count() == 0


def ended(town: Town, part: NodePart) -> list[str]:
    """Return how the runs stand, as the page of the study says it, in the order of the plan."""
    page = town.page(part, "steward")
    # The nodes compute meanwhile; who asks for the page all the time only holds them up.
    page.wait_for_timeout(BETWEEN_LOOKS)
    page.goto(f"{town.url(part)}/research/{STUDY}/")
    words = page.locator("main table").first.locator("tbody .badge").all_inner_texts()
    return [word for word in words if word in ("done", "refused", "no result", "disputed")]


def test_a_researcher_and_two_stewards_come_from_the_proposal_to_the_report(computed: Town, tmp_path: Path) -> None:
    page = visit(computed, PAKISTAN, "researcher")
    page.locator("main a", has_text="Hazard ratios, stratified by site").first.click()
    assert faults(page) == []
    answer = page.locator("main").inner_text()
    ratio = re.search(r"Hormonal treatment: hazard ratio ([0-9.]+), 95% interval", page.locator("body").inner_text())
    crossed = re.search(r"0 rows and ([0-9,]+) numbers crossed", answer)
    assert ratio
    assert ratio[1] == "0.71"
    assert crossed
    forest = page.locator("figure.frame img").first
    wait_until(lambda: forest.evaluate("picture => picture.complete && picture.naturalWidth > 300"))

    visit(computed, PAKISTAN, "researcher", f"/research/{STUDY}/report/")
    with page.expect_download() as started:
        page.locator("a[href$='report.pdf']").click()
    started.value.save_as(tmp_path / "report.pdf")
    text = "\n".join(sheet.extract_text() for sheet in PdfReader(BytesIO((tmp_path / "report.pdf").read_bytes())).pages)

    assert "Hormonal treatment: hazard ratio 0.71" in " ".join(text.split())
    assert computed.player(PAKISTAN).do("study_state")["protocol"] in text.replace("\n", "")


def test_both_sites_read_the_same_result_in_their_own_language(computed: Town) -> None:
    told = {}
    for part, language in ((PAKISTAN, "ur"), (CHINA, "en")):
        page = visit(computed, part, "steward", language=language)
        page.locator("main table").first.locator("tbody tr").nth(2).locator("a").first.click()
        assert faults(page) == []
        table = page.locator(
            "main table", has=page.locator("td", has_text=re.compile("Hormonal treatment|ہارمونی علاج"))
        )
        told[language] = table.first.locator("tbody tr").first.locator("td").all_inner_texts()[1:]

    assert told["ur"] == told["en"]
    assert len(told["en"]) == 4


@pytest.mark.parametrize(
    ("language", "where", "help_"),
    [
        ("en", "does not let its answer leave", "Merge categories, or leave the analysis out."),
        ("ur", "ضابطۂ افشا اس کا جواب باہر نہیں جانے دیتا", "زمرے ملا دیں"),
    ],
)
def test_a_disclosure_refusal_says_at_which_site_why_and_what_helps(
    computed: Town, language: str, where: str, help_: str
) -> None:
    page = visit(computed, PAKISTAN, "researcher", language=language)

    page.locator("main a[href*='/results/']").last.click()

    assert faults(page) == []
    said = page.locator("main").inner_text()
    assert where in said
    assert help_ in said
    assert re.search(r"\b0\b.*\b0\b", said)


def test_a_table_with_a_broken_row_is_turned_away_by_its_row_and_without_its_values(study: Town) -> None:
    heading, first, *rest = cohort(CHINA).splitlines()
    page = visit(study, CHINA, "steward", f"/research/{STUDY}/rows/")

    bring(page, "\n".join([heading, first, first + ",KHAN-19370412", *rest, ""]), name="broken.csv")

    told = page.locator("main [role=alert], main .row-error").all_inner_texts()
    page.complaints[:] = [text for text in page.complaints if "400" not in text]
    assert faults(page) == []
    assert any("row 3" in text for text in told)
    assert "KHAN" not in page.content()


def test_a_steward_declines_and_the_researcher_reads_why(town: Town, agreement: str, tmp_path: Path) -> None:
    propose(town, agreement, tmp_path / "second.toml", name=DECLINED)
    page = visit(town, CHINA, "steward", f"/research/{DECLINED}/", language="ur")
    page.locator("details:has(form[action$='/standing/'] textarea) summary").first.click()
    assert faults(page) == []
    page.locator("#decline_reason").fill(REASON)
    page.locator("form:has(#decline_reason) button").click()
    towns.give_password_again(page)
    page.locator(".messages .notice").last.wait_for()
    assert page.locator(".messages .notice-fault").count() == 0

    address = f"{town.url(PAKISTAN)}/research/{DECLINED}/"
    reader = town.page(PAKISTAN, "researcher")
    wait_until(lambda: shows(reader, address) and REASON in reader.locator("main").inner_text())
    assert faults(reader) == []
    assert reader.locator("form[action$='/request/primary/']").count() == 0
    shows(page, f"{town.url(CHINA)}/research/{DECLINED}/")
    assert page.locator("form[action$='/sign/']").count() == 0


def words_of(value: Any) -> Iterator[str]:
    """Yield every text inside a protocol, as its people wrote it."""
    if isinstance(value, str):
        yield from (value.strip(), " ".join(value.split()))
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from words_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from words_of(each)


@pytest.mark.parametrize(("name", "language"), [("steward", "ur"), ("researcher", "zh-hans"), ("auditor", "ru")])
def test_no_page_of_research_leaves_a_word_in_english(computed: Town, name: str, language: str) -> None:
    page = computed.page(PAKISTAN, name, language=language)
    protocol = tomllib.loads(protocol_text())
    written = {text for text in words_of(protocol) if len(text) > 2} | {DECLINED, "tamoxifen"}
    # These stand inside sentences; they are taken out as whole words, so that they hide nothing of a longer one.
    inside = {value for site in protocol["sites"] for value in (site["id"], site["country"])}
    inside |= {unit for variable in protocol["variables"] if len(unit := variable.get("unit", "")) > 1}
    single = re.compile(rf"(?<![A-Za-z])({'|'.join(map(re.escape, sorted(inside)))})(?![A-Za-z])")
    seen, left = set(), {}

    for path in walk(page, computed.url(PAKISTAN), start=("/research/",), below="/research/"):
        seen.add(kind_of(path))
        found = [
            text for text in english_on(page, signed=written) if left_in_latin([single.sub("", text)], signed=written)
        ]
        if found:
            left[kind_of(path)] = found

    assert {"/research/", f"/research/{STUDY}/", f"/research/{STUDY}/report/"} <= seen
    assert f"/research/{STUDY}/results/<uuid>/" in seen
    assert not left, left
