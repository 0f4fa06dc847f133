"""A partner that was down for days: what waits for it harms nobody, and goes when it answers, once and in order."""

from __future__ import annotations

from collections.abc import Callable

from corridor.exchange.models import Crossing
from tests.exchange.nodes import Corridor

DOWN, UP, SENDER = "ru.gamma", "cn.cdc", "pk.nih"
WAITING = 250
"""More than two batches."""


def test_hundreds_that_waited_for_days_are_delivered_once_and_in_order(make_corridor: Callable[..., Corridor]) -> None:
    corridor = make_corridor(UP, SENDER, DOWN)
    agreement = corridor.sign()
    corridor.wire.cut = {(SENDER, DOWN), (DOWN, SENDER), (UP, DOWN), (DOWN, UP)}
    for value in range(1000, 1000 + WAITING):
        corridor[SENDER].send(value, to=DOWN, agreement=agreement)
    for day in range(3):
        corridor[SENDER].send(10 + day, to=UP, agreement=agreement)
        assert corridor[SENDER].deliver().failed == [DOWN]
        assert [value for _, value in corridor[UP].effects()] == list(range(10, 11 + day))
        corridor.advance(days=1)
    assert corridor[SENDER].waiting() >= WAITING

    corridor.wire.cut = set()
    corridor.settle()

    assert corridor[SENDER].waiting() == 0
    with corridor[DOWN]:
        arrived = list(
            Crossing.objects.filter(direction="in", schema="test.figure/1")
            .order_by("leaf_index")
            .values_list("envelope_id", flat=True)
        )
    values = dict(corridor[DOWN].effects())
    assert [values[envelope_id] for envelope_id in arrived] == list(range(1000, 1000 + WAITING))
    assert len(corridor[DOWN].effects()) == WAITING
