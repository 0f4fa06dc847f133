"""The rules of China, Russia and Pakistan as data: cited, dated, with what is unknown left open."""

import re
import unicodedata
from datetime import UTC, date, datetime

import pytest

from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.jurisdictions import (
    BrokenJurisdiction,
    Effect,
    Rule,
    Said,
    Verified,
    jurisdictions,
    mechanism_of,
    read_jurisdiction,
)

ALL_RULES = [rule for jurisdiction in jurisdictions().values() for rule in jurisdiction.rules]


def test_the_three_countries_of_the_corridor_have_rules() -> None:
    assert set(jurisdictions()) == {"CN", "PK", "RU"}


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_every_rule_is_cited_dated_and_says_how_well_it_is_known(rule: Rule) -> None:
    assert len(rule.source) > 20
    assert rule.source_on <= date(2027, 1, 1)
    assert rule.verified in Verified
    assert rule.article["en"]


SCRIPTS = {"en": "LATIN", "zh-hans": "CJK", "ru": "CYRILLIC", "ur": "ARABIC"}


def said() -> list[tuple[str, Said]]:
    """Every text of every country that people read, with where it stands."""
    found = []
    for country, law in jurisdictions().items():
        found += [(f"{country} {each.id}", each.title) for each in law.instruments]
        found += [(rule.id, text) for rule in law.rules for text in (rule.text, *rule.open_questions)]
        found += [(rule.id, rule.article) for rule in law.rules if not rule.article["en"].isdigit()]
        found += [(country, text) for text in law.open_questions]
    return found


@pytest.mark.parametrize("language", SCRIPTS)
def test_every_text_of_the_law_stands_in_each_language_and_its_script(language: str) -> None:
    texts = [(where, text[language]) for where, text in said()]

    assert len(texts) > 40
    assert [
        where for where, text in texts if not any(SCRIPTS[language] in unicodedata.name(sign, "") for sign in text)
    ] == []


def numbers_in(text: str) -> set[str]:
    """Numbers of two digits and more, however the language groups them: articles, limits, years, days."""
    joined = re.sub(r"(?<=[0-9])[,\u00a0 ](?=[0-9]{3}(?![0-9]))", "", text)
    return set(re.findall(r"[0-9]{2,}", joined))


@pytest.mark.parametrize("language", SCRIPTS)
def test_every_number_of_the_law_stands_in_each_language(language: str) -> None:
    lost = [(where, numbers_in(text["en"]) - numbers_in(text[language])) for where, text in said()]

    assert [(where, numbers) for where, numbers in lost if numbers] == []


def test_a_number_that_a_translation_lost_would_be_noticed() -> None:
    assert numbers_in("From 10,000 persons, article 39") - numbers_in("От 10 000 человек, статья 38") == {"39"}


@pytest.mark.parametrize("country", ["CN", "PK", "RU"])
def test_every_country_says_what_is_not_known(country: str) -> None:
    assert jurisdictions()[country].open_questions


def test_only_a_rule_with_a_source_carries_a_number() -> None:
    limits = [rule for rule in ALL_RULES if rule.limit is not None]

    assert [(rule.id, rule.limit) for rule in limits] == [("cn.sensitive-assessment", 10_000)]
    assert all(rule.verified is not Verified.NOT_VERIFIED for rule in limits)


def test_nothing_is_claimed_as_an_act_of_pakistan() -> None:
    assert jurisdictions()["PK"].rules_for(DataClass.PERSONAL, Effect.FILING, Effect.LIMIT, Effect.LICENCE) == ()


@pytest.mark.parametrize(("country", "year"), [("CN", 2027), ("RU", 2026), ("PK", 2026)])
def test_the_calendar_year_turns_in_the_time_zone_of_the_rule(country: str, year: int) -> None:
    new_year_in_beijing = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)

    assert jurisdictions()[country].year(new_year_in_beijing) == year


def test_a_filing_names_its_mechanism_before_the_colon() -> None:
    assert mechanism_of("Standard-Contract: 2026/17") == "standard-contract"


SOUND = """
country = "XX"
as_of = 2026-01-01
time_zone = "UTC"
open_questions = []
[[instruments]]
id = "act"
title = "Act"
title_zh_hans = "法"
title_ru = "Закон"
title_ur = "قانون"
title_local = "Act"
[[rules]]
id = "xx.one"
instrument = "act"
article = "1"
effect = "limit"
data_classes = ["personal"]
limit = 10
text = "…"
text_zh_hans = "……"
text_ru = "…"
text_ur = "…"
verified = "text"
source = "…"
source_on = 2026-01-01
"""


def test_a_sound_file_is_read() -> None:
    assert read_jurisdiction(SOUND, name="xx.toml").rules[0].limit == 10


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("limit = 10\n", ""),
        ('effect = "limit"', 'effect = "note"'),
        ('instrument = "act"', 'instrument = "other"'),
        ('id = "xx.one"', 'id = "yy.one"'),
        ('time_zone = "UTC"', 'time_zone = "Moon/Tycho"'),
        ('data_classes = ["personal"]', 'data_classes = ["secret"]'),
        ('source = "…"\n', ""),
        ('text_ru = "…"\n', ""),
        ('title_ur = "قانون"\n', ""),
        ("open_questions = []", 'open_questions = ["One?"]'),
        ('country = "XX"', "country = "),
    ],
)
def test_a_broken_file_is_refused_with_its_name(old: str, new: str) -> None:
    with pytest.raises(BrokenJurisdiction, match=r"xx\.toml"):
        read_jurisdiction(SOUND.replace(old, new), name="xx.toml")
