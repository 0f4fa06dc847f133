"""Whether released sets, added and subtracted, single out a few persons; against a slow, exact second programme."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corridor.pillars.research.rules.disclosure import Differences, hides_in
from tests.reference.rational_spans import small_subset_in_span
from tests.reference.spans_from_scratch import few_persons_in_span


@st.composite
def _releases(draw: st.DrawFn) -> tuple[list[list[bool]], int]:
    persons = draw(st.integers(2, 9))
    sets = draw(st.lists(st.lists(st.booleans(), min_size=persons, max_size=persons), max_size=7))
    return sets, draw(st.integers(2, 6))


@given(_releases())
def test_what_is_found_is_what_trying_every_subset_in_fractions_finds(drawn: tuple[list[list[bool]], int]) -> None:
    sets, smallest = drawn
    masks = [np.array(each, dtype=bool) for each in sets]
    assert hides_in(masks, smallest=smallest) == small_subset_in_span(sets, smallest=smallest)


@given(_releases(), st.integers(2, 8))
def test_persons_whom_no_set_tells_apart_are_counted_together(drawn: tuple[list[list[bool]], int], copies: int) -> None:
    sets, smallest = drawn
    many = [np.repeat(np.array(each, dtype=bool), copies) for each in sets]
    wanted = small_subset_in_span(sets, smallest=(smallest - 1) // copies + 1)
    assert hides_in(many, smallest=smallest) == wanted


@st.composite
def _histories(draw: st.DrawFn) -> tuple[list[list[list[bool]]], int]:
    """Draw answers of a few sets each, over more and more persons, and the rule."""
    persons = draw(st.integers(2, 14))
    members = st.lists(st.booleans(), min_size=persons, max_size=persons)
    answers = draw(st.lists(st.lists(members, max_size=3), max_size=8))
    unborn = draw(st.integers(0, persons // 2))
    first = [[[*each[: persons - unborn], *[False] * unborn] for each in answer] for answer in answers[:3]]
    return [*first, *answers[3:]], draw(st.integers(2, 5))


@given(_histories())
def test_a_ledger_that_goes_on_judges_every_answer_as_one_that_begins_anew(
    drawn: tuple[list[list[list[bool]]], int],
) -> None:
    answers, smallest = drawn
    ledger, released = Differences(), []
    for answer in answers:
        news = [each for each in answer if each not in released]
        expected = bool(news) and few_persons_in_span([*released, *news], smallest=smallest)
        # Persons who come last, and are in no set yet, are not known yet.
        masks = [np.trim_zeros(np.array(each, dtype=bool), "b") for each in answer]
        assert ledger.would_reveal(masks, smallest=smallest) == expected
        if not expected:
            ledger.add(masks)
            released += news


@given(_histories(), st.integers(2, 5))
def test_what_was_released_under_one_rule_is_judged_under_another(
    drawn: tuple[list[list[list[bool]]], int], stricter: int
) -> None:
    answers, smallest = drawn
    sets = [each for answer in answers for each in answer]
    ledger = Differences(np.array(each, dtype=bool) for each in sets[:-1])
    offered = [np.array(each, dtype=bool) for each in sets[-1:]]
    ledger.would_reveal(offered, smallest=smallest)
    is_new = bool(offered) and sets[-1] not in sets[:-1]
    expected = is_new and few_persons_in_span(sets, smallest=stricter)
    assert ledger.would_reveal(offered, smallest=stricter) == expected


def test_a_sum_of_all_less_a_sum_of_all_but_four_is_four_persons() -> None:
    persons = np.arange(100)
    assert hides_in([persons >= 0, persons >= 4], smallest=5)
    assert not hides_in([persons >= 0, persons >= 5], smallest=5)


def test_halves_of_sums_count_too() -> None:
    one, two, three = (np.zeros(90, dtype=bool) for _ in range(3))
    one[:31] = True
    two[30:60] = True
    three[:30] = three[31:60] = True
    # One and two, less three, are twice the thirtieth.
    assert hides_in([one, two, three], smallest=5)


def test_sets_of_earlier_releases_count_and_a_repeated_one_adds_nothing() -> None:
    persons = np.arange(50)
    known = Differences([persons >= 0])
    assert known.would_reveal([persons >= 3], smallest=5)
    assert not known.would_reveal([persons >= 0, persons >= 0], smallest=5)


def test_nothing_hides_in_no_sets_and_in_empty_ones() -> None:
    assert not hides_in([], smallest=5)
    assert not hides_in([np.zeros(20, dtype=bool)], smallest=5)
