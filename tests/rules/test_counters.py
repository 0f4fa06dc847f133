"""Export counters: who is counted once, where, and when a limit is near."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.counters import (
    CounterKey,
    Standing,
    counters_for,
    limits_for,
    normalise,
    reached_limits,
    standing,
    tag,
)
from corridor.exchange.rules.jurisdictions import jurisdictions

CHINA = jurisdictions()["CN"]
SENSITIVE = CounterKey("CN", 2026, "sensitive")
KEY = bytes(range(32))


@pytest.mark.parametrize(
    "spelling",
    ["cnic 35202-1234567-1", "CNIC 3520212345671", "CNIC ۳۵۲۰۲-۱۲۳۴۵۶۷-۱", "ＣＮＩＣ３５２０２１２３４５６７１"],
)
def test_one_person_has_one_spelling(spelling: str) -> None:
    assert normalise(spelling) == "CNIC3520212345671"


def test_two_persons_have_two_tags_and_a_tag_tells_nothing_under_another_key() -> None:
    assert tag("CNIC 1", key=KEY) != tag("CNIC 2", key=KEY)
    assert tag("CNIC 1", key=KEY) != tag("CNIC 1", key=KEY[::-1])
    assert tag("cnic-1", key=KEY) == tag("CNIC 1", key=KEY)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        tag("CNIC 1", key=b"short")


@pytest.mark.parametrize(
    ("data_class", "keys"),
    [
        (DataClass.PUBLIC, ()),
        (DataClass.AGGREGATE, ()),
        (DataClass.DEIDENTIFIED, (SENSITIVE,)),
        (DataClass.PERSONAL, (SENSITIVE,)),
        (DataClass.GENETIC, (SENSITIVE,)),
    ],
)
def test_persons_are_counted_and_figures_are_not(data_class: DataClass, keys: tuple[CounterKey, ...]) -> None:
    assert counters_for(data_class, jurisdiction=CHINA, year=2026) == keys


@pytest.mark.parametrize(
    ("persons", "expected"),
    [
        (0, Standing.FREE),
        (7_999, Standing.FREE),
        (8_000, Standing.WARNING),
        (9_999, Standing.WARNING),
        (10_000, Standing.REACHED),
    ],
)
def test_a_warning_comes_at_eighty_percent(persons: int, expected: Standing) -> None:
    (limit,) = limits_for(SENSITIVE, jurisdiction=CHINA)

    assert standing(persons, limit=limit.limit) is expected


def test_without_a_known_limit_nothing_is_ever_reached() -> None:
    assert standing(10**9, limit=None) is Standing.FREE


@given(persons=st.integers(0, 20_000), filing=st.sampled_from([None, "standard-contract:1", "security-assessment:2"]))
def test_a_limit_is_reached_exactly_from_its_number_on_without_its_mechanism(persons: int, filing: str | None) -> None:
    reached = reached_limits({SENSITIVE: persons}, jurisdiction=CHINA, filing=filing, exemption=None)

    assert bool(reached) == (persons >= 10_000 and filing != "security-assessment:2")


def test_a_counter_of_another_country_is_not_judged_here() -> None:
    other = CounterKey("RU", 2026, "sensitive")

    assert reached_limits({other: 99_999}, jurisdiction=CHINA, filing=None, exemption=None) == ()
