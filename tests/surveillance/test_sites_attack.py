"""What the number of sites that reported says of a withheld count: an attacker with the guard off, and with it on."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.disclosure import Cell, below
from corridor.pillars.surveillance.rules import Sites, tellable_sites
from tests.reference.sites_attacker import Told, Week, attack

K = 5
MONDAY = date(2024, 1, 1)
PLACES = ("PK-SD", "PK-GB", "PK-PB")
EXPECTED = 6


def report(chance: random.Random, *, with_zeros: bool) -> list[int]:
    """Return the cases of each site that reports in time, and of those that report late."""
    sites = [chance.choice([0, 0, 0, 1, 1, 2]) for _ in range(EXPECTED)]
    return sites if with_zeros else [cases for cases in sites if cases]


def play(seed: int, *, with_zeros: bool, with_guard: bool) -> tuple[int, int, int]:
    """Return how many withheld weeks the attacker finds exactly and narrows, and beside how many sites were told."""
    chance = random.Random(seed)
    weeks = [(place, week) for place in PLACES for week in range(chance.randint(1, 4))]
    truth = {key: report(chance, with_zeros=with_zeros) for key in weeks}
    arrived = {key: chance.randint(0, len(truth[key])) for key in weeks}
    tellings: list[dict[Week, Told]] = []
    held: dict[tuple[str, date], tuple[int, int]] = {}
    for _ in range(3):
        cells: list[Cell] = []
        sites: dict[tuple[str, date], Sites] = {}
        for (place, week), cases in truth.items():
            start = MONDAY + timedelta(weeks=week)
            seen = cases[: arrived[place, week]]
            small = 0 < sum(seen) < K
            cells.append(
                Cell("measles", place, start, start + timedelta(weeks=1), "", None if small else sum(seen),
                     below(K) if small else "")
            )  # fmt: skip
            sites[place, start] = (len(seen), EXPECTED)
        if with_guard:
            sites = tellable_sites(cells, sites, held=held)
        telling = {}
        for cell in cells:
            reported, expected = sites[cell.place, cell.period_start]
            telling[cell.place, (cell.period_start - MONDAY).days // 7] = Told(cell.value, reported, expected)
            if cell.value is not None and reported is not None:
                held[cell.place, cell.period_start] = (cell.value, reported)
        tellings.append(telling)
        arrived = {key: min(len(truth[key]), number + chance.randint(0, 2)) for key, number in arrived.items()}
    finds = attack(tellings, k=K)
    beside = sum(told.value is None and told.sites is not None for telling in tellings for told in telling.values())
    return sum(low == high for low, high in finds.values()), len(finds), beside


def test_sites_of_those_with_cases_alone_narrow_withheld_counts_and_are_not_told(record_property, capsys):
    played = {
        f"sites, {source}, guard {guard}": [
            play(seed, with_zeros=source == "zeros reported", with_guard=guard == "on") for seed in range(40)
        ]
        for source in ("zeros reported", "only sites with cases")
        for guard in ("off", "on")
    }
    counted = {name: tuple(map(sum, zip(*runs, strict=True))) for name, runs in played.items()}
    for name, (exact, narrowed, beside) in counted.items():
        record_property(name.replace(" ", "_").replace(",", ""), f"{exact} recovered, {narrowed} narrowed")
        with capsys.disabled():
            print(
                f"\n{name}: attacker recovers {exact} and narrows {narrowed};"
                f" sites told beside {beside} withheld figures",
                end="",
            )
    assert counted["sites, only sites with cases, guard off"][0] >= 1
    assert all(counts[:2] == (0, 0) for name, counts in counted.items() if name.endswith("on"))
    # Where zeros are reported and seen to be, completeness still stands beside what is withheld.
    assert counted["sites, zeros reported, guard on"][2] > 0


@given(st.integers(0, 2**32), st.booleans())
def test_no_number_of_sites_narrows_a_withheld_count(seed, with_zeros):
    assert play(seed, with_zeros=with_zeros, with_guard=True)[:2] == (0, 0)


def cell(value: int | None, week: int, *, place: str = "PK-SD") -> Cell:
    start = MONDAY + timedelta(weeks=week)
    return Cell("measles", place, start, start + timedelta(weeks=1), "", value, "" if value is not None else below(K))


def key(week: int, place: str = "PK-SD") -> tuple[str, date]:
    return place, MONDAY + timedelta(weeks=week)


def test_a_figure_with_fewer_cases_than_sites_shows_that_zeros_are_reported_and_opens_completeness():
    sites: dict[tuple[str, date], Sites] = {key(0): (3, 6), key(1): (4, 6)}
    assert tellable_sites([cell(None, 0), cell(9, 1)], sites, held={})[key(0)] == (None, None)
    assert tellable_sites([cell(None, 0), cell(0, 1)], sites, held={})[key(0)] == (3, 6)
    assert tellable_sites([cell(None, 0), cell(9, 1)], sites, held={key(5): (2, 4)})[key(0)] == (3, 6)
    assert tellable_sites([cell(None, 0), cell(9, 1)], sites, held={key(5, "PK-GB"): (2, 4)})[key(0)] == (None, None)


@pytest.mark.parametrize("hidden", [(3, 6), (None, None), (6, 6), (0, 6)])
def test_whether_completeness_is_told_does_not_depend_on_the_withheld_figure(hidden):
    sites: dict[tuple[str, date], Sites] = {key(0): hidden, key(1): (4, 6)}
    assert tellable_sites([cell(None, 0), cell(9, 1)], sites, held={})[key(0)] == (None, None)
    assert tellable_sites([cell(None, 0), cell(3 + K, 1)], sites, held={})[key(1)] == (4, 6)
