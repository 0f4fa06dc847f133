"""Cells, rules, suppression of a table, and the ledger on cases small enough to follow by hand."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.disclosure import (
    Cell,
    DisclosureRule,
    ImpossibleCell,
    Ledger,
    Scope,
    bound,
    conceded,
    place_level,
    rule_for,
    stratum_kind,
    suppress,
)

MONDAY = date(2024, 1, 1)
RULES = (
    DisclosureRule(),
    DisclosureRule(stratum="sex"),
    DisclosureRule(stratum="age-sex"),
    DisclosureRule(disease="cholera", min_cell=1),
)


def cell(value=None, stratum="", *, week=0, weeks=1, place="PK-SD", disease="measles", withheld=""):
    start = MONDAY + timedelta(weeks=week)
    return Cell(disease, place, start, start + timedelta(weeks=weeks), stratum, value, withheld)


def small(stratum="", **where):
    return cell(None, stratum, withheld="below-5", **where)


def large(stratum="", **where):
    return cell(None, stratum, withheld="complement-5", **where)


def bounds(breaches):
    return [(breach.cell.stratum, breach.lower, breach.upper) for breach in breaches]


# --- cells and rules ---------------------------------------------------------------------------------------------


def test_a_cell_with_an_empty_period_or_with_value_and_rule_cannot_be():
    with pytest.raises(ImpossibleCell, match="ends after it starts"):
        Cell("measles", "PK", MONDAY, MONDAY, value=3)
    with pytest.raises(ImpossibleCell, match="no value"):
        cell(3, withheld="below-5")


def test_a_withheld_cell_is_written_with_its_rule():
    assert (small().status, cell(7).status, cell(0).status) == ("withheld:below-5", "7", "0")
    assert cell(None, withheld="withheld:below-10").status == "withheld:below-10"


def test_the_rule_of_the_disease_comes_before_the_rule_for_all_and_the_strictest_of_equals_holds():
    rules = [*RULES, DisclosureRule(min_cell=3), DisclosureRule(min_cell=10)]
    where = {"place_level": "admin1", "stratum": "total"}
    assert rule_for(rules, disease="cholera", **where).min_cell == 1
    assert rule_for(rules, disease="measles", **where).min_cell == 10


def test_what_no_rule_opens_is_closed():
    assert rule_for(RULES, disease="measles", place_level="admin2", stratum="total") is None
    assert rule_for(RULES, disease="measles", place_level="admin1", stratum="occupation") is None
    # A rule for a disease's totals says nothing on its strata: those stay under the general rule.
    assert rule_for(RULES, disease="cholera", place_level="admin1", stratum="sex").min_cell == 5


def test_levels_and_kinds_are_read_from_codes():
    assert [place_level(code) for code in ("PK", "PK-SD", "PK-SD-KHI", "PK-SD-KHI-1")] == [
        "country", "admin1", "admin2", "admin2"
    ]  # fmt: skip
    assert [stratum_kind(stratum) for stratum in ("", "sex:f", "age-sex:0-4:f")] == ["total", "sex", "age-sex"]


# --- suppression of a table --------------------------------------------------------------------------------------


def statuses(cells):
    return [cell.status for cell in cells]


def test_small_figures_are_withheld_and_zero_is_shown():
    table = [cell(value, week=week) for week, value in enumerate([0, 1, 4, 5, 60])]
    assert statuses(suppress(table, RULES)) == ["0", "withheld:below-5", "withheld:below-5", "5", "60"]


def test_a_figure_that_gives_a_small_one_away_is_withheld_too_strata_before_totals():
    table = [cell(3, "sex:f"), cell(9, "sex:m"), cell(12)]
    assert statuses(suppress(table, RULES)) == ["withheld:below-5", "withheld:complement-5", "12"]


def test_the_smallest_sufficient_complement_is_taken():
    table = [cell(3, "sex:f"), cell(20, "sex:m"), cell(9, "sex:unknown"), cell(32)]
    assert statuses(suppress(table, RULES)) == ["withheld:below-5", "20", "withheld:complement-5", "32"]


def test_two_small_strata_that_hide_each_other_need_no_complement_and_others_do():
    hidden = [cell(1, "sex:f"), cell(4, "sex:m"), cell(5)]
    assert statuses(suppress(hidden, RULES)) == ["withheld:below-5", "withheld:below-5", "5"]
    # Three and four make seven: each would be known to be at least three.
    known = [cell(3, "sex:f"), cell(4, "sex:m"), cell(7)]
    assert statuses(suppress(known, RULES))[2] == "withheld:complement-5"


def test_an_immediately_notifiable_total_crosses_from_one_case():
    assert statuses(suppress([cell(1, disease="cholera")], RULES)) == ["1"]


def test_figures_that_no_rule_opens_are_left_out():
    assert suppress([cell(50, "occupation:health"), cell(50, place="PK-SD-KHI")], RULES) == []


def test_strata_of_two_dimensions_and_their_margins_are_one_table():
    grid = [cell(3, "age-sex:0-4:f"), cell(8, "age-sex:0-4:m"), cell(9, "age-sex:5+:f"), cell(9, "age-sex:5+:m")]
    margins = [cell(12, "sex:f"), cell(17, "sex:m"), cell(29)]
    told = suppress([*grid, *margins], RULES)
    assert told[0].status == "withheld:below-5"
    assert Ledger().check(told) == []
    assert Ledger().check([small("age-sex:0-4:f"), *grid[1:], *margins]) != []


@given(st.lists(st.integers(0, 12), min_size=1, max_size=5))
def test_what_goes_of_a_suppressed_table_passes_the_ledger_and_shows_true_values(values):
    table = [cell(value, f"sex:{number}") for number, value in enumerate(values)] + [cell(sum(values))]
    told = suppress(table, RULES)
    going, waiting = Ledger().releasable(told)
    assert Ledger().check(going) == []
    assert all(shown.value is None for shown in waiting)
    assert all(shown.value in (None, true.value) for shown, true in zip(told, table, strict=True))
    assert all((shown.value is None) >= (0 < true.value < 5) for shown, true in zip(told, table, strict=True))


# --- the ledger --------------------------------------------------------------------------------------------------


def test_a_total_beside_its_other_strata_gives_the_withheld_one_away():
    assert bounds(Ledger().check([small("sex:f"), cell(9, "sex:m"), cell(12)])) == [("sex:f", 3, 3)]


def test_with_nothing_withheld_or_nothing_linked_everything_goes():
    assert Ledger().check([cell(9, "sex:m"), cell(12)]) == []
    assert Ledger([[small(week=week) for week in range(50)]]).check([cell(9, week=week) for week in range(50)]) == []


def test_another_disease_place_or_period_tells_nothing():
    known = Ledger([[small("sex:f"), cell(9, "sex:m")]])
    assert known.check([cell(12, disease="dengue"), cell(12, place="PK-PB"), cell(12, week=1)]) == []
    assert known.check([cell(12)]) != []


def test_a_month_beside_its_weeks_gives_a_week_away():
    weeks = Ledger([[small(week=0), *(cell(8, week=week) for week in (1, 2, 3))]])
    assert bounds(weeks.check([cell(26, weeks=4)])) == [("", 2, 2)]


def test_a_week_that_two_overlapping_periods_share_is_found():
    # Weeks 0-1 hold 9, weeks 1-2 hold 12, week 0 holds 7: week 1 holds 2.
    known = Ledger([[cell(9, weeks=2), small(week=1)]])
    assert bounds(known.check([cell(7, week=0)])) == [("", 2, 2)]


def test_cumulative_totals_are_subtracted():
    known = Ledger([[cell(40, weeks=3), small(week=3)]])
    assert bounds(known.check([cell(43, weeks=4)])) == [("", 3, 3)]


def test_a_national_total_beside_the_provinces_gives_a_province_away():
    known = Ledger([[small(place="PK-SD"), cell(9, place="PK-PB")]])
    assert bounds(known.check([cell(13, place="PK")])) == [("", 4, 4)]


def test_a_day_gives_its_week_away_only_when_it_narrows_it():
    week = small()
    one_day, other_day = (
        Cell("measles", "PK-SD", MONDAY + timedelta(days=day), MONDAY + timedelta(days=day + 1), value=1)
        for day in (0, 1)
    )
    assert Ledger([[week]]).check([one_day]) == []
    assert bounds(Ledger([[week], [one_day]]).check([other_day])) == [("", 2, 4)]


def test_an_alert_for_the_same_place_and_week_is_the_same_figure():
    known = Ledger([[small("sex:f"), cell(9, "sex:m")]])
    assert known.check([cell(12)])[0].reason == "narrowed"


def test_a_withheld_cell_that_grows_into_sight_gives_its_past_away_with_the_revised_total():
    # Withheld (4) of 12, the rest withheld too; then 5 is shown, and 13 as total: one more, so it was 4.
    known = Ledger([[small("sex:f"), large("sex:m"), cell(12)]])
    assert bounds(known.check([cell(5, "sex:f"), cell(13)])) == [("sex:f", 4, 4)]
    assert known.check([cell(5, "sex:f")]) == []
    known.add([cell(5, "sex:f")])
    assert bounds(known.check([cell(13)])) == [("sex:f", 4, 4)]
    # Thirty in all cannot be without a change elsewhere: nothing follows for the past.
    assert known.check([cell(30)]) == []


def test_a_total_revised_while_its_strata_stay_withheld_may_cross_unless_it_narrows_them():
    known = Ledger([[small("sex:f"), large("sex:m"), cell(12)]])
    assert known.check([cell(13)]) == []
    assert bounds(known.check([cell(8)])) == [("sex:f", 1, 3)]


def test_a_complement_that_was_shown_before_hides_nothing():
    known = Ledger([[small("sex:f"), cell(9, "sex:m")]])
    assert bounds(known.check([large("sex:m"), cell(12)])) == [("sex:f", 3, 3)]


def test_to_repeat_a_withheld_total_after_a_part_was_revised_tells_something():
    # Week 0 was 0 and both weeks below 5 (week 1: 1 to 4); now week 0 is 1 to 4 and both are still below 5.
    known = Ledger([[cell(0), small(weeks=2)]])
    assert known.check([small(week=0)]) == []
    assert bounds(known.check([small(week=0), small(weeks=2)])) == [("", 1, 3), ("", 1, 3), ("", 2, 4)]


def test_one_agreement_does_not_show_what_another_withholds():
    known = Ledger([[small()]])
    assert bounds(known.check([cell(3)])) == [("", 3, 3)]
    assert known.check([cell(5)]) == []
    assert known.check([cell(0)]) == []
    assert bounds(Ledger([[cell(None, withheld="below-10")]]).check([small()])) == [("", 1, 4)]


def test_to_withhold_more_than_is_known_tells_nothing():
    assert Ledger([[small()]]).check([cell(None, withheld="below-10")]) == []
    assert Ledger([[cell(3)]]).check([small()]) == []


def test_figures_that_contradict_wait_until_they_are_revised_together():
    known = Ledger([[small(week=0), large(week=1), cell(9, week=2), cell(30, weeks=3)]])
    assert [breach.reason for breach in known.check([cell(29, week=2)])] == ["contradiction"]
    assert known.check([cell(29, week=2), cell(50, weeks=3)]) == []


def test_a_breach_once_made_closes_what_is_linked_to_it_and_nothing_else():
    known = Ledger([[small("sex:f"), cell(9, "sex:m"), cell(12)], [small("sex:f", week=9)]])
    assert known.check([cell(10, "sex:m")]) != []
    assert known.check([cell(10, "sex:m", week=9)]) == []


def test_strata_wait_where_not_all_can_go_and_long_periods_after_short_ones():
    release = [cell(9, "sex:m"), small("sex:f"), cell(12), cell(70, week=1)]
    going, waiting = Ledger().releasable(release)
    assert waiting == [cell(9, "sex:m")]
    assert set(going) == set(release) - set(waiting)
    weeks = [cell(21, weeks=3), small(), cell(9, week=1), cell(9, week=2)]
    assert Ledger().releasable(weeks)[1] == [cell(21, weeks=3)]


def test_gaps_that_narrow_each_other_are_not_all_told():
    # Two small strata under a small total: each would be known to be three at most.
    going, waiting = Ledger().releasable([small(), small("sex:f"), small("sex:m")])
    assert (going, waiting) == ([small(), small("sex:f")], [small("sex:m")])


def test_a_withheld_cell_without_rule_counts_as_below_the_ledgers_limit():
    ledger = Ledger([[cell(None, "sex:f"), cell(9, "sex:m")]], default_limit=3)
    assert bounds(ledger.check([cell(11)])) == [("sex:f", 2, 2)]


def test_what_is_too_large_to_judge_is_not_released():
    # 300 values in each of three dimensions, all linked by one total.
    strata = [f"{dimension}:{value}" for dimension in ("age", "job", "town") for value in range(300)]
    breaches = Ledger().check([*(small(stratum) for stratum in strata), cell(9000)])
    assert [breach.reason for breach in breaches] == ["too-large"]


def test_the_order_of_cells_in_a_release_does_not_matter():
    release = [small("sex:f"), cell(9, "sex:m"), cell(12), small(week=2)]
    assert bounds(Ledger().check(release)) == bounds(Ledger().check(release[::-1]))


# --- reading a ledger from storage -------------------------------------------------------------------------------


def stored(batches):
    """A database in small: answers the query that a scope describes."""

    def fetch(scope):
        asked.append(scope)
        return [
            [
                each
                for each in batch
                if each.disease == scope.disease
                and (each.place == scope.country or each.place.startswith(f"{scope.country}-"))
                and each.period_start < scope.end
                and each.period_end > scope.start
            ]
            for batch in batches
        ]

    asked: list[Scope] = []
    return fetch, asked


def test_a_ledger_read_by_narrow_queries_judges_like_the_whole_one():
    batches = [
        [small(week=0), *(cell(8, week=week) for week in range(1, 60))],
        [cell(7, week=0, disease="dengue"), cell(9, week=0, place="CN-XJ")],
    ]
    fetch, asked = stored(batches)
    release = [cell(26, weeks=4)]
    assert bounds(Ledger.relevant(release, fetch).check(release)) == bounds(Ledger(batches).check(release)) != []
    assert {(scope.disease, scope.country) for scope in asked} == {("measles", "PK")}
    assert max(scope.end for scope in asked) == MONDAY + timedelta(weeks=4)


def test_the_query_widens_as_far_as_periods_overlap():
    fetch, asked = stored([[cell(90, weeks=8), cell(60, week=6, weeks=8), small(week=13)]])
    known = Ledger.relevant([cell(9, week=0)], fetch)
    assert asked[-1] == Scope("measles", "PK", MONDAY, MONDAY + timedelta(weeks=14))
    assert len(known.cells) == 3


# --- bounds: what an alert without its figure says ----------------------------------------------------------------


def exceeds(least, most=None, **where):
    return cell(None, withheld=bound(least, most), **where)


def test_a_bound_that_was_told_is_kept_for_what_is_released_later():
    told = [[small(place="PK-GB")], [exceeds(9, place="PK-SD")]]
    total = cell(12, place="PK")
    assert Ledger(told[:1]).check([total]) == []
    (breach,) = Ledger(told).check([total])
    assert (breach.cell, breach.lower, breach.upper) == (small(place="PK-GB"), 1, 3)


def test_a_greatest_number_narrows_from_the_other_side():
    told = [[small(place="PK-GB")], [exceeds(5, 9, place="PK-SD")]]
    (breach,) = Ledger(told).check([cell(11, place="PK")])
    assert (breach.lower, breach.upper) == (2, 4)


def test_a_bound_on_a_withheld_figure_itself_waits_unless_it_says_no_more_than_the_gap_does():
    ledger = Ledger([[small()]])
    assert ledger.check([exceeds(1)]) == []
    assert bounds(ledger.check([exceeds(2)])) == [("", 2, 4)]


def test_a_figure_bounded_below_its_limit_before_it_was_withheld_is_not_told_to_be_small():
    assert bounds(Ledger([[exceeds(2, 4)]]).check([small()])) == [("", 2, 4)]


def test_a_bound_costs_nothing_where_nothing_small_is_linked():
    assert Ledger([[exceeds(9, place="PK-SD")]]).check([cell(6, place="PK")]) == []


def test_a_bound_beside_a_number_that_was_shown_takes_nothing_from_the_number():
    ledger = Ledger([[cell(9, place="PK-SD"), small(place="PK-GB")], [exceeds(6, place="PK-SD")]])
    (breach,) = ledger.check([cell(12, place="PK")])
    assert (breach.lower, breach.upper) == (3, 3)


# --- what two persons conceded ------------------------------------------------------------------------------------


def test_what_was_conceded_is_no_longer_held_against_a_release_and_what_is_left_stays_protected():
    told = [[small("sex:f"), cell(9, "sex:m")]]
    total = cell(12)
    (breach,) = Ledger(told).deductions([total])
    assert (breach.cell, breach.lower, breach.upper) == (small("sex:f"), 3, 3)

    by_hand = [total, cell(None, "sex:f", withheld=conceded(3, 3))]
    later = cell(30, weeks=4)
    assert Ledger([*told, [total]]).check([later]) != []
    assert Ledger([*told, by_hand]).check([later]) == []


def test_a_concession_lets_no_release_narrow_further():
    told = [[small(place="PK-GB"), large(place="PK-SD")]]
    alert = exceeds(9, place="PK-SD")
    total = cell(12, place="PK")
    ledger = Ledger([*told, [alert], [total, cell(None, place="PK-GB", withheld=conceded(1, 3))]])
    assert ledger.check([exceeds(8, place="PK-SD")]) == []
    (breach,) = ledger.check([exceeds(10, place="PK-SD")])
    assert (breach.lower, breach.upper) == (1, 2)


def test_a_figure_withheld_anew_after_a_revision_is_protected_as_a_whole():
    told = [[small("sex:f"), cell(9, "sex:m")], [cell(12), cell(None, "sex:f", withheld=conceded(3, 3))]]
    ledger = Ledger([*told, [cell(6, "sex:f"), cell(15)], [small("sex:f")]])
    assert ledger.check([cell(11), cell(9, "sex:m")]) != []


def test_what_every_reader_learns_is_told_and_nothing_twice():
    ledger = Ledger([[small(place="PK-GB"), large(place="PK-SD")], [exceeds(9, place="PK-SD")]])
    found = ledger.deductions([cell(12, place="PK")])
    assert len(found) == len(set(found))
    assert {(breach.lower, breach.upper) for breach in found} == {(1, 3)}
    assert all(breach.is_known for breach in found)
