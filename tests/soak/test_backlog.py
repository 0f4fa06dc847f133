"""A partner that was down for days: what waits for it harms nobody, and goes when it answers, once and in order.

``make soak`` lets ten thousand wait on each database; here it is a few hundred.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.exchange.nodes import Corridor
from tests.soak.backlog import DOWN, FIRST, MOST_BYTES, SENDER, UP, Backlog, let_wait

WAITING = 250
"""More than two batches."""


def test_hundreds_that_waited_for_days_are_delivered_once_and_in_order(make_corridor: Callable[..., Corridor]) -> None:
    came = let_wait(make_corridor(UP, SENDER, DOWN), waiting=WAITING)
    assert came.faults == []


WHOLE = Backlog(
    waiting=2,
    arrived=(FIRST, FIRST + 1),
    effects=2,
    beside=((1, 1),),
    attempts=1,
    rounds=1,
    left=0,
    peak_bytes=1,
    seconds=0.0,
)


@pytest.mark.parametrize(
    "broken",
    [
        {"arrived": (FIRST + 1, FIRST)},
        {"arrived": (FIRST,)},
        {"effects": 3},
        {"beside": ((1, 0),)},
        {"attempts": 40},
        {"rounds": 40},
        {"left": 1},
        {"peak_bytes": MOST_BYTES + 1},
    ],
    ids=lambda value: next(iter(value)),
)
def test_what_does_not_hold_is_named(broken: dict[str, object]) -> None:
    assert WHOLE.faults == []
    assert len(replace(WHOLE, **broken).faults) == 1  # type: ignore[arg-type]
