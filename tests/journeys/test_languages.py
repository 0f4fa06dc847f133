"""Every page of two nodes in Urdu, Chinese and Russian: nothing stays in English that is no code, id or name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from corridor.demo import memoranda
from corridor.demo.cast import PAKISTAN
from corridor.exchange.rules.agreement.drafting import DEFAULTS
from tests.journeys import pictures
from tests.journeys import town as towns
from tests.journeys.latin import LIST, allowed, english_on, left_in_latin
from tests.journeys.town import Town
from tests.journeys.walk import kind_of, walk

WALKS = [
    ("auditor", "ur"),
    ("officer.two", "zh-hans"),
    ("administrator", "ru"),
]
"""Between them they see every page; those of surveillance are walked with data by the journeys of the board."""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Town]:
    """Two nodes with an agreement, a crossing, refusals, a proposal and a step that waits."""
    with towns.town(tmp_path_factory.mktemp("town"), browser) as made:
        pictures.play(made)
        yield made


def words_of(value: Any) -> Iterator[str]:
    """Yield every text inside an agreement's source."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from words_of(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from words_of(each)


def signed_words() -> set[str]:
    sources = (memoranda.pakistan_china(towns.today())[0], memoranda.emergency(towns.today())[0], dict(DEFAULTS))
    return {text for source in sources for text in words_of(source) if len(text) > 3 and text != "English"}


@pytest.mark.journey
@pytest.mark.parametrize(("name", "language"), WALKS)
def test_no_page_leaves_a_word_in_english(town: Town, name: str, language: str) -> None:
    page = town.page(PAKISTAN, name, language=language)
    signed = signed_words()

    # The page of components shows samples of names and of hostile texts; its own words are those of the others.
    left = {
        kind_of(path): found
        for path in walk(page, town.url(PAKISTAN))
        if path != "/web/components" and (found := english_on(page, signed=signed))
    }

    assert left == {}


@pytest.mark.journey
def test_page_in_english_is_noticed(town: Town) -> None:
    page = town.page(PAKISTAN, "officer.one", language="en")
    page.goto(town.url(PAKISTAN) + "/exchange/partners/")

    assert len(english_on(page)) > 10


def test_every_allowance_has_a_reason() -> None:
    assert all(len(reason) > 8 for reason in allowed().values()), LIST


@pytest.mark.parametrize(
    ("text", "is_left"),
    [
        ("دستخط · pk.demo", False),
        ("دستخط Signed", True),
        ("下载CSV", False),
        ("下载CSV file", True),
        ("Подписано 05fa9ca195589def60bc8701c5147b24a31de59a77fdd3cf021ff6a6607108b8", False),
        ("exchange.claim", True),
        ("alerts", False),
        ("پیغام alerts", True),
    ],
)
def test_words_are_told_from_codes(text: str, *, is_left: bool) -> None:
    assert (left_in_latin([text], signed=["alerts"]) == [text]) == is_left
