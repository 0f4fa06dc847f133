"""Two transactions at once on PostgreSQL (READ COMMITTED): what the gate decided still holds when it commits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from corridor.accounts.actors import System
from corridor.exchange.models import Crossing, LogLeaf, LogTree
from corridor.exchange.services import agreement_acts, checkpoints, log
from tests.exchange.nodes import Corridor, using, wrapper_of

PK, CN = "pk.nih", "cn.cdc"
POSTGRES = pytest.mark.parametrize(
    "make_corridor", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


def _beside(corridor: Corridor, node_id: str, work: Callable[[], Any]) -> threading.Thread:
    """Start `work` in a thread with a connection of its own to the node's database."""
    node = corridor[node_id]

    def run() -> None:
        other = wrapper_of(node.wrapper.settings_dict)
        with using(other):
            try:
                work()
            finally:
                other.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@POSTGRES
def test_a_suspension_waits_for_a_send_that_passed_the_gate_and_stops_the_next(corridor: Corridor) -> None:
    agreement = corridor.sign()
    node = corridor[PK]
    with node:
        actor = node.person()
        with transaction.atomic():
            first = node.send(7, to=CN, agreement=agreement)
            thread = _beside(corridor, PK, lambda: agreement_acts.suspend(agreement, actor=actor, now=corridor.now))
            thread.join(0.5)
            assert thread.is_alive()
        thread.join(20)
        assert not thread.is_alive()
    second = node.send(8, to=CN, agreement=agreement)
    assert (first.status, second.status, second.reason) == ("queued", "refused", "suspended")
    node.deliver()
    with node:
        assert Crossing.objects.get(pk=first.pk).reason == "suspended"
    assert corridor[CN].effects() == []


@POSTGRES
def test_two_writers_of_one_log_never_share_an_index(corridor: Corridor) -> None:
    node = corridor[PK]

    def write() -> None:
        for number in range(25):
            with transaction.atomic():
                head = log.lock_tree(LogTree.Kind.PARTNER, subject=CN, now=corridor.now)
                log.append(head, [log.record("test", now=corridor.now, number=number)])

    with node:
        before = LogLeaf.objects.filter(tree__kind="partner").count()
        threads = [_beside(corridor, PK, write) for _ in range(3)]
        for thread in threads:
            thread.join(60)
        indexes = list(LogLeaf.objects.filter(tree__kind="partner").values_list("index", flat=True).order_by("index"))
        assert indexes == list(range(before + 75))
        checks = checkpoints.verify_log(actor=System("test"), now=corridor.now)
        assert [check.faults for check in checks] == [() for _ in checks]
