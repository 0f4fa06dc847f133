"""An attacker with a linear programme, on random tables that are revised: with the ledger off, and with it on."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corridor.base.disclosure import Cell, DisclosureRule, Ledger, bound, suppress
from tests.reference.suppression_attacker import Between, Find, Said, attack

K = 5
RULES = (
    DisclosureRule(min_cell=K),
    DisclosureRule(stratum="age", min_cell=K),
    DisclosureRule(place_level="country", min_cell=K),
)
MONDAY = date(2024, 1, 1)

Truth = dict[tuple[str, str, int], int]
"""Cases by place, age and week."""


class World:
    """Cases that are counted, corrected and told again, in figures that overlap."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.places = ["PK-A", "PK-B"][: chance.randint(1, 2)]
        self.ages = ["a", "b", "c"][: chance.randint(1, 3)]
        self.weeks = range(chance.randint(1, 3))
        self.truth: Truth = {
            (place, age, week): self._few() for place in self.places for age in self.ages for week in self.weeks
        }
        self.shapes = [shape for shape in self._all_shapes() if chance.random() < 0.8]

    def _few(self) -> int:
        return self.chance.choice([0, 1, 2, 3, 4, 4, 5, 6, 7, 9, 14])

    def _all_shapes(self) -> Iterator[tuple[str, str, int, int]]:
        spans = [(week, week + 1) for week in self.weeks] + [(0, len(self.weeks))] * (len(self.weeks) > 1)
        for start, end in spans:
            for place in [*self.places, *(["PK"] if len(self.places) > 1 else [])]:
                yield (place, "", start, end)
                if place != "PK":
                    yield from ((place, age, start, end) for age in self.ages if len(self.ages) > 1)

    def revise(self) -> None:
        """Let late reports come in, and a correction now and then."""
        for piece in self.truth:
            if self.chance.random() < 0.3:
                self.truth[piece] = max(0, self.truth[piece] + self.chance.choice([1, 1, 1, 2, 5, -1]))

    def pieces(self, shape: tuple[str, str, int, int]) -> frozenset[str]:
        place, age, start, end = shape
        return frozenset(
            repr(piece)
            for piece in self.truth
            if piece[0].startswith(place) and age in ("", piece[1]) and start <= piece[2] < end
        )

    def table(self) -> list[Cell]:
        """All figures at this moment, or some of them, as partners come to ask for them."""
        return [self.cell(shape) for shape in self.shapes if self.chance.random() < 0.85]

    def cell(self, shape: tuple[str, str, int, int]) -> Cell:
        place, age, start, end = shape
        return Cell(
            disease="measles",
            place=place,
            period_start=MONDAY + timedelta(weeks=start),
            period_end=MONDAY + timedelta(weeks=end),
            stratum=f"age:{age}" if age else "",
            value=sum(self.truth[piece] for piece in self.truth if repr(piece) in self.pieces(shape)),
        )

    def alerts(self) -> list[tuple[Cell, Between]]:
        """Alerts on figures that exceed some limit; the louder one says also how far they do not exceed it."""
        shapes = list(self._all_shapes())
        figures = [self.cell(shape) for shape in self.chance.sample(shapes, k=min(2, len(shapes)))]
        loud = [(cell, cell.value) for cell in figures if cell.value]
        return [
            (cell, Between(self.chance.randint(max(1, value - 3), value), self.chance.choice([np.inf, value + 1])))
            for cell, value in loud
        ]

    def name(self, cell: Cell) -> frozenset[str]:
        weeks = [(day - MONDAY).days // 7 for day in (cell.period_start, cell.period_end)]
        return self.pieces((cell.place, cell.stratum.removeprefix("age:"), weeks[0], weeks[1]))


def small_only(table: list[Cell]) -> list[Cell]:
    """Withhold small figures and nothing else: what disclosure control is without a ledger."""
    return [
        Cell(
            **{name: getattr(cell, name) for name in ("disease", "place", "period_start", "period_end", "stratum")},
            value=None if 0 < cell.value < K else cell.value,
            withheld="below-5" if 0 < cell.value < K else "",
        )
        for cell in table
    ]


def play(seed: int, *, moments: int, with_ledger: bool, alerts: str = "none") -> tuple[list[Find], int, int]:
    """Return what the attacker finds, how many figures were told small, and how many figures were told in all.

    Alerts without their figure are ``none``, ``kept`` by the ledger, or judged by it and then ``forgotten``.
    """
    world = World(random.Random(seed))
    ledger = Ledger()
    tellings: list[dict[frozenset[str], Said]] = []
    small = told = 0
    for _ in range(moments):
        table = world.table()
        if with_ledger:
            going, _waiting = ledger.releasable(suppress(table, RULES, ledger=ledger))
            assert ledger.check(going) == []
            ledger.add(going)
        else:
            going = small_only(table)
        telling: dict[frozenset[str], Said] = {}
        for cell in going:
            said = cell.value if cell.value is not None else "small" if cell.withheld == "below-5" else "large"
            # Figures over the same pieces (the only age and the total) are one; a number says more than a bound.
            if not isinstance(telling.get(world.name(cell)), int):
                telling[world.name(cell)] = said
        tellings.append(telling)
        for cell, said_of_it in world.alerts() if alerts != "none" else ():
            most = None if said_of_it.most == np.inf else int(said_of_it.most)
            stated = replace(cell, value=None, withheld=bound(int(said_of_it.least), most))
            if with_ledger and ledger.check([stated]):
                continue
            if alerts == "kept":
                ledger.add([stated])
            tellings.append({world.name(cell): said_of_it})
        small += sum(said == "small" for said in telling.values())
        told += sum(isinstance(said, int) for said in telling.values())
        world.revise()
    return attack(tellings, k=K), small, told


def report(capsys, record_property, runs):
    """Print what the attacker found in each way of playing, and return it by name."""
    counted = {
        name: (sum(find.is_exact for finds, *_ in played for find in finds), sum(len(finds) for finds, *_ in played),
               sum(small for _, small, _ in played), sum(told for *_, told in played))
        for name, played in runs.items()
    }  # fmt: skip
    for name, (exact, narrowed, small, told) in counted.items():
        record_property(name.replace(" ", "_"), f"{exact} recovered, {narrowed} narrowed")
        with capsys.disabled():
            print(
                f"\n{name}: attacker recovers {exact} and narrows {narrowed} of {small} small cells;"
                f" {told} figures shown",
                end="",
            )
    return counted


def test_the_attacker_recovers_cells_with_the_ledger_off_and_none_with_it_on(record_property, capsys):
    seeds = range(24)
    counted = report(capsys, record_property, {
        "ledger off": [play(seed, moments=3, with_ledger=False) for seed in seeds],
        "ledger on": [play(seed, moments=3, with_ledger=True) for seed in seeds],
    })  # fmt: skip
    assert counted["ledger off"][0] >= 1
    assert counted["ledger on"][:2] == (0, 0)
    assert counted["ledger on"][3] > 0


def test_alerts_without_their_figure_narrow_cells_once_the_ledger_forgets_them_and_none_while_it_keeps_them(
    record_property, capsys
):
    seeds = range(24)
    counted = report(capsys, record_property, {
        "ledger on, alerts forgotten": [
            play(seed, moments=3, with_ledger=True, alerts="forgotten") for seed in seeds
        ],
        "ledger on, alerts kept": [play(seed, moments=3, with_ledger=True, alerts="kept") for seed in seeds],
    })  # fmt: skip
    assert counted["ledger on, alerts forgotten"][1] >= 1
    assert counted["ledger on, alerts kept"][:2] == (0, 0)
    assert counted["ledger on, alerts kept"][3] > 0


# Each example plays several releases and attacks them: a quarter of the profile's examples.
@settings(deadline=None, max_examples=max(20, settings().max_examples // 4))
@given(st.integers(0, 2**32), st.integers(1, 4), st.sampled_from(["none", "kept"]))
# Parts of a place are not all told, all places of the country are: its total gave a small place away.
@example(848, 2, "none")
def test_no_sequence_of_releases_through_the_ledger_narrows_a_small_cell(seed, moments, alerts):
    finds, _, _ = play(seed, moments=moments, with_ledger=True, alerts=alerts)
    assert finds == []
