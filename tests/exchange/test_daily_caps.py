"""The cap of a day: both sides count by the day on which an envelope goes over, so that nothing claimed is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from corridor.exchange.models import ChannelDay, Crossing, OutboxEntry
from corridor.exchange.rules import gate
from tests.exchange.nodes import Corridor, Node

PK, CN = "pk.nih", "cn.cdc"
CAP = 3
SQLITE = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


@pytest.fixture
def agreement(corridor: Corridor) -> str:
    (figures,) = corridor.source()["channels"]
    return corridor.sign(channels=[figures | {"caps": {"envelopes_per_day": CAP, "persons_per_year": 0}}])


def queue(corridor: Corridor, agreement: str, *values: int) -> None:
    for value in values:
        crossing = corridor[PK].send(value, to=CN, agreement=agreement)
        assert (crossing.status, crossing.reason) == ("queued", "")


def at(corridor: Corridor, clock: str, *, day: int = 0) -> None:
    """Set every clock to a time of the first of July, or of some days later."""
    hours, minutes = map(int, clock.split(":"))
    corridor.now = datetime(2026, 7, 1 + day, hours, minutes, tzinfo=UTC)


def arrived(corridor: Corridor) -> list[int]:
    return [value for _, value in corridor[CN].effects()]


def refused(node: Node) -> list[str]:
    return [view.reason for view in node.crossings(status="refused")]


def test_what_is_over_the_cap_waits_for_the_next_day_and_is_not_refused(corridor: Corridor, agreement: str) -> None:
    at(corridor, "09:00")
    queue(corridor, agreement, 11, 12, 13, 14, 15)
    pakistan = corridor[PK]

    pakistan.deliver()

    assert arrived(corridor) == [11, 12, 13]
    with pakistan:
        waiting = list(OutboxEntry.objects.values_list("due_at", "last_error"))
        assert waiting == [(datetime(2026, 7, 2, 0, 10, tzinfo=UTC), "envelope_cap")] * 2
    at(corridor, "00:10", day=1)
    pakistan.deliver()
    assert arrived(corridor) == [11, 12, 13, 14, 15]
    assert (refused(pakistan), refused(corridor[CN])) == ([], [])


def test_what_was_queued_yesterday_is_counted_today_like_what_is_queued_today(
    corridor: Corridor, agreement: str
) -> None:
    corridor.wire.cut = {(PK, CN)}
    at(corridor, "15:00")
    queue(corridor, agreement, 11, 12)
    corridor[PK].deliver()
    at(corridor, "09:00", day=1)
    corridor.wire.cut = set()
    queue(corridor, agreement, 13, 14)

    corridor[PK].deliver()

    assert arrived(corridor) == [11, 12, 13]
    assert (refused(corridor[PK]), refused(corridor[CN])) == ([], [])
    assert corridor[PK].waiting() == 1


@SQLITE
@pytest.mark.parametrize("seconds_off", [-540, -60, 0, 60, 540])
@pytest.mark.parametrize("before", ["23:49", "23:51", "23:59"])
def test_at_the_border_of_two_days_the_receiver_never_counts_more_than_the_cap(
    corridor: Corridor, agreement: str, seconds_off: int, before: str
) -> None:
    corridor[CN].clock_offset = timedelta(seconds=seconds_off)
    at(corridor, before)
    queue(corridor, agreement, *range(11, 11 + CAP))
    corridor[PK].deliver()
    queue(corridor, agreement, *range(21, 21 + CAP))
    for clock in ("00:00", "00:02", "00:05", "00:11"):
        at(corridor, clock, day=1)
        corridor[PK].deliver()
    at(corridor, "00:11", day=2)
    corridor[PK].deliver()

    assert refused(corridor[CN]) == []
    assert arrived(corridor) == [*range(11, 11 + CAP), *range(21, 21 + CAP)]
    with corridor[CN]:
        assert all(number <= CAP for number in ChannelDay.objects.values_list("envelopes", flat=True))


@SQLITE
def test_without_tolerance_a_clock_that_is_off_makes_the_receiver_refuse(
    corridor: Corridor, agreement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "CLOCKS_DIFFER", timedelta(0))
    corridor[CN].clock_offset = timedelta(minutes=2)
    at(corridor, "23:59")
    queue(corridor, agreement, *range(11, 11 + CAP))
    corridor[PK].deliver()
    at(corridor, "00:03", day=1)
    queue(corridor, agreement, 21)
    corridor[PK].deliver()

    assert refused(corridor[CN]) == ["envelope_cap"]


@SQLITE
def test_an_envelope_that_is_tried_again_and_again_takes_one_place_of_its_day(
    corridor: Corridor, agreement: str
) -> None:
    corridor.wire.cut = {(PK, CN)}
    at(corridor, "09:00")
    queue(corridor, agreement, 11)
    for _ in range(CAP + 2):
        corridor[PK].deliver()
        corridor.advance(minutes=45)
    corridor.wire.cut = set()
    queue(corridor, agreement, 12, 13)

    corridor[PK].deliver()

    assert arrived(corridor) == [11, 12, 13]
    with corridor[PK]:
        assert ChannelDay.objects.get(from_node=PK, envelopes__gt=0).envelopes == CAP


@SQLITE
def test_what_waits_for_its_day_holds_up_no_other_agreement(corridor: Corridor, agreement: str) -> None:
    other = corridor.sign()
    at(corridor, "09:00")
    queue(corridor, agreement, *range(11, 11 + CAP + 100))
    queue(corridor, other, 7)

    corridor[PK].deliver()
    corridor[PK].deliver()

    assert arrived(corridor) == [7, *range(11, 11 + CAP)]
    with corridor[PK]:
        assert Crossing.objects.filter(status="queued").count() == 100
