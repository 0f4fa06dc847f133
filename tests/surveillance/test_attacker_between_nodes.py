"""Two nodes, four channels under three agreements, and a linear programme over every byte that crossed between them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

from corridor.base.disclosure import Cell
from corridor.exchange.services import release
from corridor.pillars.surveillance import queries, tasks
from corridor.pillars.surveillance.messages import PeriodCounts
from corridor.pillars.surveillance.services import due, sharing
from corridor.pillars.surveillance.tables import Mapping
from tests.exchange.conftest import make_corridor, postgres, template  # noqa: F401  # fixtures
from tests.exchange.nodes import Corridor
from tests.surveillance.test_review import CN, PK, SQLITE, STRICT, K, crossed
from tests.surveillance.test_sharing import STEWARD, channel

FIRST, END = date(2026, 4, 27), date(2026, 6, 1)
DAYS = [FIRST + timedelta(days=number) for number in range((END - FIRST).days)]
PLACES = ("PK-PB", "PK-SD", "PK-GB")
FORMS = (("admin1", "week", FIRST), ("country", "week", FIRST), ("admin1", "month", FIRST), ("admin1", "day", DAYS[-4]))
"""Level, period and first day of the four channels."""

Truth = dict[tuple[str, date], int]
Reading = dict[tuple[str, date, date], tuple[float, float]]
"""Of each figure the least and the greatest number of cases that it leaves open."""


def open_all(corridor: Corridor) -> list[tuple[str, str, date]]:
    """Open each form under an agreement of its own; return agreement, channel and first day."""
    opened = []
    for number, (level, period, first_on) in enumerate(FORMS):
        one = channel(f"c{number}", PeriodCounts.schema_id(), period=period, place_level=level, disclosure=STRICT)
        opened.append((corridor.sign(channels=[one | {"clause": str(number)}]), f"c{number}", first_on))
    return opened


def tell(corridor: Corridor, opened: list[tuple[str, str, date]], truth: Truth) -> None:
    rows = [
        {"disease": "measles", "place": place, "date": str(day), "observed": count}
        for (place, day), count in truth.items()
    ]
    with corridor[PK] as node:
        read = tasks.read_file(
            pl.DataFrame(rows).write_csv().encode(),
            name="counts.csv",
            kind="counts",
            mapping=Mapping(simulated=True, period="day"),
            as_of=node.now,
        )
        assert read.outcome.left_out == 0, read.outcome.rejects
        tasks.take_in(read, source="Punjab", as_of=node.now, actor=STEWARD, now=node.now)
    for agreement, name, first_on in opened:
        with corridor[PK] as node:
            views = queries.channels(actor=STEWARD, schema=PeriodCounts.schema_id(), now=node.now, agreement=agreement)
            (view,) = (each for each in views if each.id == name)
            tasks.share_channel(view, first_on=first_on, end_on=END, codes=["measles"], actor=STEWARD, now=node.now)
        corridor.settle()


def readings(corridor: Corridor) -> Iterator[Reading]:
    """Yield, after each message, what stands of every figure, as the partner has it."""
    stands: Reading = {}
    for message in crossed(corridor, to=CN):
        assert isinstance(message, PeriodCounts)
        for cell in message.counts:
            said = (float(cell.value), float(cell.value)) if cell.value is not None else (1.0, K - 1.0)
            if cell.withheld.startswith("complement"):
                said = (float(K), np.inf)
            stands[cell.place, cell.period_start, cell.period_end] = said
        yield dict(stands)


def solve(reading: Reading) -> tuple[int, int]:
    """Return how many small figures this reading gives away exactly, and how many it narrows at all."""
    atoms = {atom: number for number, atom in enumerate((place, day) for place in PLACES for day in DAYS)}
    rows = {
        figure: np.array([float(place.startswith(figure[0]) and figure[1] <= day < figure[2]) for place, day in atoms])
        for figure in reading
    }
    above = [row for figure, row in rows.items() if reading[figure][1] < np.inf] + [-row for row in rows.values()]
    limits = [high for _, high in reading.values() if high < np.inf] + [-low for low, _ in reading.values()]
    exact = narrowed = 0
    for figure, (low, high) in reading.items():
        if (low, high) != (1.0, K - 1.0):
            continue
        ends = [linprog(sign * rows[figure], A_ub=np.array(above), b_ub=np.array(limits)) for sign in (1, -1)]
        if any(end.status != 0 for end in ends):
            return 0, 0
        least, most = int(np.ceil(ends[0].fun - 1e-7)), int(np.floor(-ends[1].fun + 1e-7))
        exact += least == most
        narrowed += least > 1 or most < K - 1
    return exact, narrowed


def play(corridor: Corridor, *, seed: int) -> dict[str, int]:
    """Count, report late cases, count again; return what the attacker finds at the worst moment and was told last."""
    chance = random.Random(seed)
    opened = open_all(corridor)
    truth = {(place, day): chance.choice([0, 0, 0, 0, 1]) for place in PLACES for day in DAYS}
    truth |= {(place, day): chance.choice([2, 3, 6]) for place in PLACES[:2] for day in DAYS}
    for _ in range(2):
        chance.shuffle(opened)
        tell(corridor, opened, truth)
        corridor.advance(hours=1)
        truth |= {key: truth[key] + 1 for key in chance.sample(sorted(truth), 3)}
    found = [solve(reading) for reading in readings(corridor)]
    last = list(readings(corridor))[-1]
    return {
        "exact": max(exact for exact, _ in found),
        "narrowed": max(narrowed for _, narrowed in found),
        "small": sum(said == (1.0, K - 1.0) for said in last.values()),
        "shown": sum(low == high for low, high in last.values()),
    }


def primary_only(cells: list[Cell], rules: Any, **_: Any) -> list[Cell]:
    """Withhold small figures and nothing else: disclosure control without a ledger."""
    del rules
    return [
        Cell(*cell.figure, value=None, withheld=f"below-{K}") if cell.value and cell.value < K else cell
        for cell in cells
    ]


@SQLITE
def test_everything_that_crossed_gives_cells_away_with_the_ledger_off_and_none_with_it_on(
    make_corridor: Callable[..., Corridor],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    on = [play(make_corridor(CN, PK), seed=seed) for seed in (1, 2)]
    monkeypatch.setattr(release, "breaches", lambda cells: [])
    monkeypatch.setattr(sharing.exchange, "releasable", lambda cells: (list(cells), []))
    monkeypatch.setattr(due, "suppress", primary_only)
    off = [play(make_corridor(CN, PK), seed=seed) for seed in (1, 2)]

    with capsys.disabled():
        for name, runs in (("off", off), ("on", on)):
            total = {key: sum(run[key] for run in runs) for key in runs[0]}
            print(
                f"\nbetween nodes, ledger {name}: attacker recovers {total['exact']} and narrows {total['narrowed']}"
                f" of {total['small']} small cells; {total['shown']} figures shown",
                end="",
            )
    assert sum(run["exact"] for run in off) >= 1
    assert [(run["exact"], run["narrowed"]) for run in on] == [(0, 0), (0, 0)]
    assert all(run["shown"] > 0 and run["small"] > 0 for run in on)
