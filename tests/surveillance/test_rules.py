"""Decisions of surveillance."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.pillars.surveillance import rules
from corridor.pillars.surveillance.rules import PastSignal

NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)
MONDAY = date(2026, 5, 25)


def past(excess: float, *, days_ago: float, start_on: date = MONDAY - timedelta(weeks=1)) -> PastSignal:
    return PastSignal(start_on=start_on, raised_at=NOW - timedelta(days=days_ago), excess=excess)


def raised(excess: float, *signals: PastSignal) -> bool:
    return rules.is_raised(start_on=MONDAY, excess=excess, now=NOW, past=list(signals))


def test_a_first_exceedance_is_a_signal() -> None:
    assert raised(3.0)


def test_a_series_is_not_signalled_again_within_seven_days() -> None:
    assert not raised(5.0, past(4.0, days_ago=6.9))
    assert raised(5.0, past(4.0, days_ago=7))


def test_a_doubled_excess_is_signalled_again_at_once() -> None:
    assert not raised(7.9, past(4.0, days_ago=1))
    assert raised(8.0, past(4.0, days_ago=1))


def test_the_same_period_is_not_signalled_again_a_month_later() -> None:
    assert not raised(5.0, past(4.0, days_ago=30, start_on=MONDAY))


@given(st.lists(st.floats(0.1, 1000), min_size=1, max_size=6), st.floats(0, 6.9))
def test_what_was_signalled_today_is_never_repeated_with_the_same_excess(excesses: list[float], days: float) -> None:
    assert not raised(max(excesses), *(past(excess, days_ago=days) for excess in excesses))


def test_a_decision_needs_a_reason_and_can_be_reopened() -> None:
    rules.check_move(status="new", to="verifying", note="")
    rules.check_move(status="discarded", to="verifying", note="two more cases")
    with pytest.raises(rules.NoteMissing):
        rules.check_move(status="verifying", to="verified", note="  ")
    with pytest.raises(rules.ForbiddenMove, match="verifying"):
        rules.check_move(status="discarded", to="verified", note="so")


@pytest.mark.parametrize(("observed", "loud"), [(11, "watch"), (19.9, "watch"), (20, "urgent"), (50, "urgent")])
def test_an_excess_of_twice_the_limits_is_urgent(observed: float, loud: str) -> None:
    assert rules.severity(observed=observed, expected=0, upperbound=10) == loud


@given(st.dates(date(1990, 1, 1), date(2030, 1, 1)), st.integers(0, 800), st.sampled_from(["day", "week", "month"]))
def test_whole_periods_touch_and_end_in_time(first: date, length: int, period: str) -> None:
    end = first + timedelta(days=length)
    starts = rules.whole_periods(first, end, period)

    assert all(rules.next_start(one, period) == two for one, two in pairwise(starts))
    if starts:
        assert starts[0] <= first < rules.next_start(starts[0], period)
        assert rules.next_start(starts[-1], period) <= end
