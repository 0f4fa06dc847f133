"""Follow-up care: schedules, their PlanDefinition, who is due, and the figures that may leave."""

import json
from calendar import monthrange
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from corridor.cli.care import care
from corridor.pillars.research.reference import reference_text
from corridor.pillars.research.rules.care import (
    Item,
    ItemKind,
    MalformedSchedule,
    Occurrence,
    Patient,
    RiskGroup,
    Schedule,
    Standing,
    Status,
    adherence,
    day_after,
    due_list,
    follow,
    read_plan_definition,
    schedule_from_toml,
    write_plan_definition,
)
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.tables import FaultyPatients, PatientColumnMissing, read_patients

REFERENCES = ("breast-cancer-follow-up", "thalassaemia-follow-up")
START = date(2024, 1, 31)


def schedule(*items: Item) -> Schedule:
    group = RiskGroup("standard", "Standard", items or (item(),))
    return Schedule(
        "urn:x:plan", "1", "Plan", Status.ACTIVE, date(2026, 1, 1), "Us", "Surgery", ("Study 2020",), (group,)
    )


def item(code: str = "visit", times: tuple[tuple[int, int, int], ...] = ((4, 3, 5), (8, 7, 9))) -> Item:
    return Item(code, ItemKind.VISIT, "Visit", "mo", tuple(Occurrence(*each) for each in times))


def standings(patient: Patient, on: date, plan: Schedule | None = None) -> list[Standing]:
    return [each.standing for each in follow(plan or schedule(), [patient], on=on)]


def patient(*visits: date, **members: Any) -> Patient:
    return Patient("p", START, "standard", visits={"visit": visits}, **members)


# --- days ---


def slow_day_after(start: date, number: int, unit: str) -> date:
    """Step month by month on the first of the month, then walk up to the day, as one does on a wall calendar."""
    if unit != "mo":
        return start + timedelta(days=number * (7 if unit == "wk" else 1))
    first = start.replace(day=1)
    for _ in range(number):
        first += timedelta(days=32)
        first = first.replace(day=1)
    found = first
    while found.day < start.day and (found + timedelta(days=1)).month == first.month:
        found += timedelta(days=1)
    return found


@given(st.dates(date(1990, 1, 1), date(2060, 12, 31)), st.integers(0, 240), st.sampled_from(["d", "wk", "mo"]))
def test_due_days_are_those_of_a_wall_calendar(start: date, number: int, unit: str) -> None:
    assert day_after(start, number, unit=unit) == slow_day_after(start, number, unit)


def test_a_month_without_that_day_ends_on_its_last_and_loses_nothing_for_later_months() -> None:
    assert [day_after(START, number, unit="mo") for number in (1, 2, 13)] == [
        date(2024, 2, 29),
        date(2024, 3, 31),
        date(2025, 2, 28),
    ]


# --- standing, against a clinic that goes through its calendar day by day ---


@dataclass
class Card:
    """One occurrence as a card on the wall of the clinic, which changes its colour as the days pass."""

    opens: date
    closes: date
    colour: Standing = Standing.COMING
    judged: bool = False

    def turn(self, day: date) -> None:
        if day == self.opens and self.colour is Standing.COMING:
            self.colour = Standing.DUE
        if day == self.closes + timedelta(days=1) and self.colour is Standing.DUE:
            self.colour = Standing.OVERDUE

    def end(self) -> None:
        """Take the card down: the patient died or was lost."""
        if self.colour in (Standing.COMING, Standing.DUE):
            self.colour = Standing.ENDED
        elif self.colour is Standing.OVERDUE:
            self.colour = Standing.MISSED

    def stamp(self, day: date) -> None:
        if self.colour not in (Standing.ON_TIME, Standing.LATE):
            self.colour = Standing.ON_TIME if day <= self.closes else Standing.LATE


def slow_standings(plan: Schedule, patient: Patient, on: date) -> list[tuple[Standing, bool]]:
    """Play every day up to `on`."""
    (what,) = plan.groups[0].items
    ends = [day for day in (patient.died_on, patient.lost_on) if day is not None]
    cards = [
        Card(*(slow_day_after(patient.start_on, each, what.unit) for each in (occurrence.earliest, occurrence.latest)))
        for occurrence in what.occurrences
    ]
    day, gone = patient.start_on, False
    while day <= on:
        for index, card in enumerate(cards):
            card.turn(day)
            if day == card.opens and index and cards[index - 1].colour is Standing.OVERDUE:
                cards[index - 1].colour = Standing.MISSED
        if day in ends:
            gone = True
        if gone:
            for card in cards:
                card.end()
        if day in patient.visits[what.code]:
            for card in [each for each in cards if each.opens <= day][-1:]:
                card.stamp(day)
        for card in cards:
            if day == card.closes + timedelta(days=1):
                card.judged = not any(end < day for end in ends)
        day += timedelta(days=1)
    return [(card.colour, card.judged) for card in cards]


@st.composite
def items(draw: st.DrawFn) -> Item:
    unit, last = draw(st.sampled_from(["d", "wk", "mo"])), -1
    occurrences = []
    for _ in range(draw(st.integers(1, 4))):
        earliest = last + draw(st.integers(1, 5))
        at = earliest + draw(st.integers(0, 2))
        last = at + draw(st.integers(0, 2))
        occurrences.append(Occurrence(at, earliest, last))
    return Item(draw(st.sampled_from(["visit", "mammography"])), ItemKind.VISIT, "Visit", unit, tuple(occurrences))


_OFFSETS = st.integers(0, 500).map(lambda days: START + timedelta(days=days))


@settings(max_examples=60, deadline=None)
@given(
    items(),
    st.lists(_OFFSETS, max_size=6),
    st.none() | _OFFSETS,
    st.none() | _OFFSETS,
    st.integers(0, 500).map(lambda days: START + timedelta(days=days)),
)
def test_every_standing_is_that_of_a_calendar_played_day_by_day(
    what: Item, visits: list[date], died_on: date | None, lost_on: date | None, on: date
) -> None:
    plan = schedule(what)
    one = Patient("p", START, "standard", died_on, lost_on, {what.code: tuple(visits)})

    found = [(each.standing, each.is_judged) for each in follow(plan, [one], on=on)]

    assert found == slow_standings(plan, one, on)


def test_both_ends_of_the_window_are_on_time_and_the_day_after_is_overdue() -> None:
    opens, closes = date(2024, 4, 30), date(2024, 6, 30)

    assert standings(patient(), opens - timedelta(days=1))[0] is Standing.COMING
    assert standings(patient(), opens)[0] is standings(patient(), closes)[0] is Standing.DUE
    assert standings(patient(), closes + timedelta(days=1))[0] is Standing.OVERDUE
    assert standings(patient(opens), closes)[0] is standings(patient(closes), closes)[0] is Standing.ON_TIME
    assert standings(patient(closes + timedelta(days=1)), date(2024, 7, 2))[0] is Standing.LATE


def test_what_was_not_done_is_missed_once_the_next_window_opens() -> None:
    assert standings(patient(), date(2024, 8, 31)) == [Standing.MISSED, Standing.DUE]


def test_who_died_or_was_lost_is_due_for_nothing() -> None:
    on = date(2024, 7, 10)

    for end in ("died_on", "lost_on"):
        assert due_list(follow(schedule(), [patient(**{end: date(2024, 5, 1)})], on=on), on=on) == []
        assert due_list(follow(schedule(), [patient(**{end: date(2024, 7, 5)})], on=on), on=on) == []
    assert len(due_list(follow(schedule(), [patient()], on=on), on=on)) == 1


def test_a_death_after_the_day_asked_about_is_not_yet_known() -> None:
    assert standings(patient(died_on=date(2024, 7, 1)), date(2024, 5, 31))[0] is Standing.DUE


def test_the_longest_overdue_comes_first_and_what_comes_is_asked_for() -> None:
    on = date(2024, 7, 15)
    people = [
        Patient("late", START, "standard"),
        Patient("later", START - timedelta(days=10), "standard"),
        Patient("soon", date(2024, 4, 20), "standard"),
    ]
    found = follow(schedule(), people, on=on)

    assert [each.person for each in due_list(found, on=on)] == ["later", "late"]
    assert [each.person for each in due_list(found, on=on, ahead_days=5)] == ["later", "late", "soon"]
    assert [each.days_late(on) for each in due_list(found, on=on)] == [24, 15]


# --- schedules and PlanDefinitions ---


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    def group(code: str) -> RiskGroup:
        return RiskGroup(code, "Risk " + code, tuple(draw(st.lists(items(), min_size=1, max_size=2, unique_by=_code))))

    codes = draw(st.lists(st.sampled_from(["low", "high", "standard"]), min_size=1, unique=True))
    return Schedule(
        url="https://example.org/plan",
        version=draw(st.sampled_from(["1", "2026.1"])),
        title=draw(st.sampled_from(["Plan", "随访", "فالو اپ"])),
        status=draw(st.sampled_from(Status)),
        dated_on=draw(st.dates(date(2000, 1, 1), date(2030, 1, 1))),
        publisher="Us",
        start="Surgery",
        sources=("Study 2020",),
        groups=tuple(group(code) for code in codes),
    )


def _code(each: Item) -> str:
    return each.code


@settings(max_examples=50, deadline=None)
@given(schedules())
def test_a_schedule_written_as_a_plan_definition_is_read_back_whole(plan: Schedule) -> None:
    written = write_plan_definition(plan)

    assert read_plan_definition(json.dumps(written)) == plan
    assert write_plan_definition(read_plan_definition(json.dumps(written))) == written


@pytest.mark.parametrize("name", REFERENCES)
def test_each_reference_schedule_is_whole(name: str) -> None:
    plan = schedule_from_toml(reference_text(name))

    assert read_plan_definition(json.dumps(write_plan_definition(plan))) == plan


def test_the_reference_schedule_asks_for_what_its_guideline_says() -> None:
    plan = schedule_from_toml(reference_text("breast-cancer-follow-up"))

    def months(group: str, code: str) -> list[int]:
        found = plan.group(group)
        assert found is not None
        return [each.at for what in found.items if what.code == code for each in what.occurrences]

    later = [30, 36, 42, 48, 54, 60, 72, 84, 96, 108, 120]
    assert months("standard", "visit") == [4, 8, 12, 16, 20, 24, *later]
    assert months("low", "visit") == [6, 12, 18, 24, *later]
    assert months("low", "mammography") == [12, 24, 36, 48, 60, 72, 84, 96, 108, 120]


def faults(plan: dict[str, Any]) -> set[str]:
    with pytest.raises(MalformedSchedule) as caught:
        read_plan_definition(json.dumps(plan))
    return {fault.pointer for fault in caught.value.faults}


def _visit(plan: dict[str, Any]) -> dict[str, Any]:
    return dict(plan)["action"][1]["action"][0]["action"][0]["relatedAction"][0]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda p: p.update(resourceType="CarePlan"), "/resourceType"),
        (lambda p: p.update(status="finished"), "/status"),
        (lambda p: p.update(modifierExtension=[]), "/modifierExtension"),
        (lambda p: p.update(implicitRules="x"), "/implicitRules"),
        (lambda p: p.update(relatedArtifact=[{"type": "documentation"}]), "/relatedArtifact"),
        (lambda p: p["type"]["coding"][0].update(code="order-set"), "/type/coding/0/code"),
        (lambda p: p["action"][0].update(id="surgery"), "/action/0/id"),
        (lambda p: p["action"][1].update(trigger=[]), "/action/1/trigger"),
        (lambda p: p["action"][1].update(selectionBehavior="any"), "/action/1/selectionBehavior"),
        (lambda p: p["action"][1]["condition"].append({"kind": "stop"}), "/action/1/condition"),
        (
            lambda p: p["action"][1]["condition"][0]["expression"].update(expression="%age > 50"),
            "/action/1/condition/0/expression/expression",
        ),
        (lambda p: p["action"][1]["action"][0].update(timingTiming={}), "/action/1/action/0/timingTiming"),
        (lambda p: _visit(p).update(actionId="other"), "/action/1/action/0/action/0/relatedAction/0/actionId"),
        (lambda p: _visit(p).update(relationship="before"), "/action/1/action/0/action/0/relatedAction/0/relationship"),
        (
            lambda p: _visit(p)["offsetDuration"].update(code="a"),
            "/action/1/action/0/action/0/relatedAction/0/offsetDuration/code",
        ),
        (
            lambda p: _visit(p)["offsetDuration"].update(value=4.5),
            "/action/1/action/0/action/0/relatedAction/0/offsetDuration/value",
        ),
        (
            lambda p: _visit(p)["extension"][0]["valueRange"]["high"].update(value=3),
            "/action/1/action/0/action/0/relatedAction/0/extension",
        ),
        (lambda p: _visit(p)["extension"][0]["valueRange"]["high"].update(value=7), "/action/1"),
    ],
)
def test_what_a_reader_would_have_to_guess_is_refused_by_its_place(
    change: Callable[[dict[str, Any]], Any], pointer: str
) -> None:
    plan = json.loads(json.dumps(write_plan_definition(schedule())))
    change(plan)

    assert pointer in faults(plan)


def test_a_file_of_another_kind_is_told_from_a_faulty_plan() -> None:
    with pytest.raises(MalformedSchedule, match="corridor care plan"):
        read_plan_definition(reference_text("breast-cancer-follow-up"))
    assert faults({"resourceType": "CarePlan", "status": "active"}) == {"/resourceType"}


def test_what_only_describes_is_passed_over() -> None:
    plan = write_plan_definition(schedule())
    plan |= {"purpose": "x", "jurisdiction": [], "text": {"status": "generated", "div": "<div/>"}}
    plan["action"][1]["description"] = "x"

    assert read_plan_definition(json.dumps(plan)) == schedule()


def test_an_occurrence_without_a_window_is_on_time_on_its_day_alone() -> None:
    plan = write_plan_definition(schedule())
    del _visit(plan)["extension"]

    assert read_plan_definition(json.dumps(plan)).groups[0].items[0].occurrences[0] == Occurrence(4, 4, 4)


@pytest.mark.parametrize(
    ("old", "new", "pointer"),
    [
        ("last = 24, before = 1", "last = 24, before = 3", "/groups/0"),
        ("first = 4,", "first = 0,", "/items/0/rules/0/before"),
        ('groups = ["low"]', 'groups = ["middle"]', "/items/0/rules/1/groups"),
        ('code = "low", title', 'code = "start", title', "/groups/1/code"),
        ('unit = "mo"', 'unit = "month"', "/items/0/unit"),
        ("2019;30(8):1194-1220", "in press", "/sources/0"),
    ],
)
def test_a_fault_of_a_schedule_is_named_by_its_place(old: str, new: str, pointer: str) -> None:
    text = reference_text("breast-cancer-follow-up")
    assert old in text

    with pytest.raises(MalformedSchedule) as caught:
        schedule_from_toml(text.replace(old, new))

    assert pointer in {fault.pointer for fault in caught.value.faults}


# --- tables of patients ---


def table(*rows: tuple[str | None, ...]) -> pl.DataFrame:
    headings = ("person", "start_on", "risk_group", "died_on", "visit")
    return pl.DataFrame(rows, schema=dict.fromkeys(headings, pl.String), orient="row")


def test_patients_are_read_with_their_dates_in_any_usual_writing() -> None:
    read = read_patients(
        table(
            ("a", "2024-01-31", "standard", None, "2024-05-01; 01.10.2024"),
            ("b", "2024年3月5日", "standard", "n/a", None),
        ),
        schedule=schedule(),
    )

    assert read[0].visits == {"visit": (date(2024, 5, 1), date(2024, 10, 1))}
    assert (read[1].start_on, read[1].died_on, read[1].visits) == (date(2024, 3, 5), None, {"visit": ()})


def test_every_faulty_cell_is_named_by_row_and_column_and_never_by_its_content() -> None:
    faulty = table(
        ("secret-1", "2024-01-31", "standard", "2023-01-01", "2024-05-01;secret-2"),
        ("secret-1", "secret-3", "secret-4", "secret-5", None),
        (None, None, None, None, None),
    )

    with pytest.raises(FaultyPatients) as caught:
        read_patients(faulty, schedule=schedule())

    assert {(row, column) for row, column, _ in caught.value.faults} == {
        (2, "died_on"), (2, "visit"), (3, "person"), (3, "start_on"), (3, "risk_group"), (3, "died_on"),
        (4, "person"), (4, "start_on"), (4, "risk_group"),
    }  # fmt: skip
    assert "secret" not in str(caught.value)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(PatientColumnMissing, match="'visit'"):
        read_patients(table().drop("visit"), schedule=schedule())


# --- adherence ---


def people(on_time: int, partly: int, never: int, *, prefix: str = "p", code: str = "visit") -> list[Patient]:
    first, second = date(2024, 5, 31), date(2024, 9, 30)
    visits = [(first, second)] * on_time + [(first,)] * partly + [()] * never
    return [Patient(f"{prefix}{n}", START, "standard", visits={code: each}) for n, each in enumerate(visits)]


DONE_ON = date(2025, 1, 1)


def test_persons_are_counted_by_how_they_kept_the_schedule() -> None:
    plan = schedule()

    (figure,) = adherence(plan, follow(plan, people(10, 6, 5), on=DONE_ON), policy=Policy())

    assert (figure.persons, figure.all_on_time, figure.some_on_time, figure.none_on_time) == (21, 10, 6, 5)
    assert figure.share_all_on_time == pytest.approx(10 / 21)
    assert figure.withheld == ""


def test_windows_that_are_open_or_closed_after_the_end_do_not_count() -> None:
    plan = schedule()
    died = [Patient(f"d{n}", START, "standard", died_on=date(2024, 5, 1)) for n in range(9)]
    early = people(7, 0, 0)

    (figure,) = adherence(plan, follow(plan, [*died, *early], on=date(2024, 10, 15)), policy=Policy())
    (later,) = adherence(plan, follow(plan, [*died, *early], on=date(2024, 11, 15)), policy=Policy())

    assert figure.persons == later.persons == 7
    assert figure.all_on_time == later.all_on_time == 7


def test_a_small_cell_is_withheld_with_what_would_give_it_away() -> None:
    plan = schedule()
    found = follow(plan, people(20, 8, 2), on=DONE_ON)

    (open_,) = adherence(plan, found, policy=Policy().without("smallest-cell", "differencing"))
    (guarded,) = adherence(plan, found, policy=Policy())

    assert open_.none_on_time == 2
    assert (guarded.persons, guarded.all_on_time, guarded.some_on_time, guarded.none_on_time) == (30, 20, None, None)
    assert guarded.withheld == "smallest-cell"


def test_fewer_persons_than_the_rule_are_not_told_of_at_all() -> None:
    plan = schedule()

    (figure,) = adherence(plan, follow(plan, people(4, 0, 0), on=DONE_ON), policy=Policy())

    assert (figure.persons, figure.all_on_time, figure.share_all_on_time) == (None, None, None)
    assert figure.withheld == "smallest-cell"


def test_two_tables_that_differ_by_a_few_persons_are_not_both_given() -> None:
    """Two of thirty died between the closing of the one item's window and of the other's."""
    plan = schedule(item("visit", ((4, 3, 5),)), item("mammography", ((4, 3, 6),)))
    closes = date(2024, 6, 30)
    patients = [
        Patient(f"p{n}", START, "standard", died_on=closes + timedelta(days=9) if n < 2 else None) for n in range(30)
    ]
    found = follow(plan, patients, on=DONE_ON)

    first, second = adherence(plan, found, policy=Policy().without("differencing"))
    assert first.persons is not None
    assert second.persons is not None
    assert first.persons - second.persons == 2  # what the guard is there to prevent

    first, second = adherence(plan, found, policy=Policy())
    assert (first.persons, second.persons, second.withheld) == (30, None, "differencing")


def told_sets(plan: Schedule, patients: list[Patient], on: date) -> list[frozenset[str]]:
    """Return the persons behind each number that the figures tell, counted again from the calendar of each patient."""
    sets = []
    for figure in adherence(plan, follow(plan, patients, on=on), policy=Policy()):
        (what,) = [each for each in plan.groups[0].items if each.code == figure.item]
        kept: dict[str, set[str]] = {"persons": set(), "all": set(), "some": set(), "none": set()}
        for one in patients:
            cards = slow_standings(replace(plan, groups=(RiskGroup("standard", "Standard", (what,)),)), one, on)
            closed = [standing is Standing.ON_TIME for standing, judged in cards if judged]
            if closed:
                kept["persons"].add(one.person)
                kept["all" if all(closed) else "some" if any(closed) else "none"].add(one.person)
        numbers = (figure.persons, figure.all_on_time, figure.some_on_time, figure.none_on_time)
        for number, who in zip(numbers, kept.values(), strict=True):
            assert number is None or number == len(who)
            sets += [frozenset(who)] if number else []
    return sets


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(10, 40))
def test_no_sum_or_difference_of_what_is_told_is_of_one_to_four_persons(random: Any, size: int) -> None:
    items_ = (item("visit", ((2, 1, 3), (5, 4, 6))), item("mammography", ((4, 3, 5),)), item("echo", ((4, 3, 6),)))
    plan = schedule(*items_)

    def day(most: int) -> date:
        return START + timedelta(days=random.randrange(most))

    patients = [
        Patient(
            f"p{n}",
            START,
            "standard",
            died_on=day(250) if random.random() < 0.2 else None,
            visits={each.code: tuple(day(220) for _ in range(random.randrange(6))) for each in items_},
        )
        for n in range(size)
    ]

    sets = told_sets(plan, patients, START + timedelta(days=random.randrange(100, 260)))

    for signs in product((-1, 0, 1), repeat=len(sets)):
        if 0 < sum(map(abs, signs)) <= 4:
            total = Counter({one.person: 0 for one in patients})
            for sign, who in zip(signs, sets, strict=True):
                total.update(dict.fromkeys(who, sign))
            if set(total.values()) <= {0, 1}:
                assert not 0 < sum(total.values()) < 5


# --- the commands ---


def test_the_commands_go_from_a_schedule_to_lists_and_figures(tmp_path: Path) -> None:
    (tmp_path / "schedule.toml").write_text(reference_text("breast-cancer-follow-up"), encoding="utf-8")
    rows = [f"p{n:02},2024-01-{n + 1:02},standard,,,{'2024-05-20' if n < 6 else ''}," for n in range(12)]
    heading = "person,start_on,risk_group,died_on,lost_on,visit,mammography"
    (tmp_path / "patients.csv").write_text("\n".join([heading, *rows]) + "\n", encoding="utf-8")
    plan, given = str(tmp_path / "plan.json"), ["--patients", str(tmp_path / "patients.csv"), "--on", "2024-06-30"]
    run = CliRunner().invoke

    assert run(care, ["plan", str(tmp_path / "schedule.toml"), "--out", plan], catch_exceptions=False).exit_code == 0
    due = run(care, ["due", plan, *given, "--out", str(tmp_path / "due.csv")], catch_exceptions=False)
    told = run(care, ["adherence", plan, *given, "--out", str(tmp_path / "told.csv")], catch_exceptions=False)

    assert "overdue 6, due 0" in due.stderr
    listed = pl.read_csv(tmp_path / "due.csv")
    assert listed["person"].to_list() == [f"p{n:02}" for n in range(6, 12)]
    assert set(listed["standing"]) == {"overdue"}
    assert told.exit_code == 0
    first = pl.read_csv(tmp_path / "told.csv").row(0, named=True)
    assert (first["persons"], first["all_on_time"], first["none_on_time"]) == (12, 6, 6)
    assert "p0" not in (tmp_path / "told.csv").read_text(encoding="utf-8")


def test_the_last_day_of_every_month_is_within_its_month() -> None:
    for number in range(48):
        day = day_after(START, number, unit="mo")
        assert day.day == monthrange(day.year, day.month)[1]
