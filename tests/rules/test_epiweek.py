"""Epidemiological weeks against the standard library (ISO) and against a day-by-day calendar (MMWR)."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.epiweek import ImpossibleWeek, Week, parse_weeks, weeks_between, weeks_in_year
from tests.reference.epiweek_calendar import mmwr_by_counting

days = st.dates(min_value=date(1600, 1, 1), max_value=date(2400, 12, 31))
systems = st.sampled_from(["iso", "mmwr"])
weeks = st.builds(
    lambda day, system: Week.of(day, system=system), days.filter(lambda day: 1700 < day.year < 2300), systems
)


@given(days)
def test_iso_week_of_a_day_is_the_standard_librarys(day):
    week = Week.of(day)
    assert (week.year, week.week) == tuple(day.isocalendar())[:2]
    assert week.start == date.fromisocalendar(week.year, week.week, 1)


@given(st.dates(min_value=date(1980, 1, 1), max_value=date(2060, 12, 31)))
def test_mmwr_week_of_a_day_is_that_of_a_calendar_counted_day_by_day(day):
    week = Week.of(day, system="mmwr")
    assert (week.year, week.week) == mmwr_by_counting(day)


@given(weeks)
def test_a_week_holds_seven_days_and_each_of_them_names_it(week):
    inside = [week.start + timedelta(days=ahead) for ahead in range(7)]
    assert all(Week.of(day, system=week.system) == week and day in week for day in inside)
    assert week.end not in week
    assert (week.end - week.start).days == 7


@given(weeks)
def test_what_is_written_is_read_again_in_both_forms(week):
    assert Week.parse(str(week), system=week.system) == week
    assert Week.parse(week.dhis2, system=week.system) == week


@given(weeks, st.integers(-3000, 3000))
def test_arithmetic_moves_by_whole_weeks_and_comes_back(week, ahead):
    moved = week + ahead
    assert moved.start - week.start == timedelta(weeks=ahead)
    assert moved - week == ahead
    assert moved - ahead == week


@given(weeks, st.integers(-3, 120))
def test_a_range_has_both_ends_and_no_gap(week, length):
    between = weeks_between(week, week + length)
    assert len(between) == max(0, length + 1)
    assert all(later.start == earlier.end for earlier, later in pairwise(between))
    assert between == sorted(between)


@pytest.mark.parametrize(("year", "expected"), [(2004, 53), (2009, 53), (2015, 53), (2020, 53), (2021, 52), (2026, 53)])
def test_iso_years_with_week_53(year, expected):
    assert weeks_in_year(year) == expected


@pytest.mark.parametrize(("year", "expected"), [(2008, 53), (2014, 53), (2015, 52), (2020, 53), (2025, 53), (2026, 52)])
def test_mmwr_years_with_week_53(year, expected):
    assert weeks_in_year(year, system="mmwr") == expected


def test_week_53_runs_into_the_next_january():
    week = Week.parse("2020-W53")
    assert (week.start, week.end) == (date(2020, 12, 28), date(2021, 1, 4))
    assert week + 1 == Week(2021, 1)


def test_dhis2_forms_name_both_systems():
    assert Week.parse("2024W5") == Week(2024, 5)
    assert Week.parse("2024SunW5") == Week(2024, 5, "mmwr")
    assert Week(2024, 5).dhis2 == "2024W5"
    assert Week(2024, 5, "mmwr").dhis2 == "2024SunW5"


@pytest.mark.parametrize(
    "text", ["", "2024", "2024-05", "2024-W", "2024-W00", "2021-W53", "2024-W54", "W05-2024", "2024-W5x", "٢٠٢٤-W05"]
)
def test_what_is_no_week_is_refused_with_what_came(text):
    with pytest.raises(ImpossibleWeek) as fault:
        Week.parse(text)
    assert "came" in str(fault.value)


def test_weeks_of_different_systems_do_not_compare():
    with pytest.raises(ImpossibleWeek, match="convert both to days"):
        Week(2024, 5) < Week(2024, 5, "mmwr")  # noqa: B015
    with pytest.raises(ImpossibleWeek):
        Week(2024, 5) - Week(2024, 5, "mmwr")
    assert Week(2024, 5) != Week(2024, 5, "mmwr")


def test_a_range_is_read_with_both_ends_and_never_backwards():
    assert [str(week) for week in parse_weeks("2020-W52..2021-W01")] == ["2020-W52", "2020-W53", "2021-W01"]
    assert parse_weeks("2024W5") == [Week(2024, 5)]
    with pytest.raises(ImpossibleWeek, match="swap the ends"):
        parse_weeks("2024-W05..2024-W04")


@pytest.mark.parametrize("year", [0, 1582, 9999])
def test_years_outside_the_calendar_are_refused(year):
    with pytest.raises(ImpossibleWeek, match="year of a week"):
        Week(year, 1)


def test_an_unknown_system_is_refused():
    with pytest.raises(ImpossibleWeek, match="week system"):
        Week(2024, 1, "lunar")
