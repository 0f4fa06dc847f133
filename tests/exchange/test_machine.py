"""Random histories of two and three nodes: in whatever order things are sent, lost and doubled, the invariants hold.

I1 no acknowledged envelope is lost · I2 its effect happens once · I3 nothing crosses while the agreement is suspended
at the receiver · I4 the log is whole and peers' checkpoints agree with it · I5 in the end everything is delivered or
visibly refused.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from corridor.accounts.actors import System
from corridor.exchange.models import Crossing, Dispute
from corridor.exchange.services import agreement_acts, checkpoints
from tests.budget import examples
from tests.exchange.nodes import Corridor

TEMPLATE: dict[str, Path] = {}


class History(RuleBasedStateMachine):
    """One corridor, its traffic and its accidents."""

    ids: tuple[str, ...] = ("cn.cdc", "pk.nih")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.corridor = Corridor(Path(self.folder.name) / "corridor", self.ids, template=TEMPLATE["sqlite"])
        self.agreement = self.corridor.sign()
        self.value = 100
        self.suspended: set[str] = set()
        self.sent: dict[str, tuple[str, str]] = {}

    def _node(self, place: int) -> str:
        return self.ids[place % len(self.ids)]

    @rule(place=st.integers(0, 2), step=st.integers(1, 2), number=st.integers(1, 4))
    def send(self, place: int, step: int, number: int) -> None:
        sender, receiver = self._node(place), self._node(place + step)
        if sender == receiver:
            return
        for _ in range(number):
            self.value += 1
            crossing = self.corridor[sender].send(self.value, to=receiver, agreement=self.agreement)
            if crossing.status == "queued":
                self.sent[crossing.envelope_id] = (sender, receiver)

    @rule(place=st.integers(0, 2))
    def deliver(self, place: int) -> None:
        before = {node: self.corridor[node].effects() for node in self.suspended}
        self.corridor[self._node(place)].deliver()
        assert before == {node: self.corridor[node].effects() for node in self.suspended}

    @rule(kind=st.sampled_from(["lose_requests", "lose_replies", "double"]), number=st.integers(1, 3))
    def disturb(self, kind: str, number: int) -> None:
        setattr(self.corridor.wire, kind, number)

    @rule(place=st.integers(0, 2), step=st.integers(1, 2))
    def cut(self, place: int, step: int) -> None:
        self.corridor.wire.cut.add((self._node(place), self._node(place + step)))

    @rule()
    def heal(self) -> None:
        self.corridor.wire.cut.clear()

    @rule(minutes=st.sampled_from([1, 5, 90, 1500]))
    def wait(self, minutes: int) -> None:
        self.corridor.advance(minutes=minutes)

    @rule(place=st.integers(0, 2))
    def replay(self, place: int) -> None:
        if not self.corridor.wire.log:
            return
        _, receiver, headers, body = self.corridor.wire.log[place % len(self.corridor.wire.log)]
        self.corridor.wire.take(self.corridor[receiver], headers, body)

    @rule(place=st.integers(0, 1))
    def suspend_or_resume(self, place: int) -> None:
        node = self.corridor[self._node(place)]
        if node.id in self.suspended:
            node.both(lambda person: agreement_acts.ask_to_resume(self.agreement, actor=person, now=self.corridor.now))
            self.suspended.discard(node.id)
            return
        with node:
            agreement_acts.suspend(self.agreement, actor=node.person(), now=self.corridor.now)
        self.suspended.add(node.id)

    @invariant()
    def effects_happen_once_and_only_for_what_was_accepted(self) -> None:
        if not hasattr(self, "corridor"):
            return
        for node in self.corridor:
            effects = Counter(envelope_id for envelope_id, _ in node.effects())
            with node:
                accepted = set(
                    Crossing.objects.filter(direction="in", schema="test.figure/1", status="accepted").values_list(
                        "envelope_id", flat=True
                    )
                )
            assert set(effects) == accepted
            assert all(number == 1 for number in effects.values())

    @invariant()
    def what_was_acknowledged_is_there(self) -> None:
        if not hasattr(self, "corridor"):
            return
        for node in self.corridor:
            with node:
                acknowledged = list(
                    Crossing.objects.filter(direction="out", schema="test.figure/1", status="accepted").values_list(
                        "to_node", "envelope_id"
                    )
                )
            for receiver, envelope_id in acknowledged:
                assert envelope_id in {known for known, _ in self.corridor[receiver].effects()}

    def teardown(self) -> None:
        if not hasattr(self, "corridor"):
            return
        self.corridor.wire.cut.clear()
        self.corridor.wire.lose_requests = self.corridor.wire.lose_replies = self.corridor.wire.double = 0
        self.corridor.settle(passes=60)
        for node in self.corridor:
            assert node.waiting() == 0
            with node:
                assert not Dispute.objects.exists()
                for check in checkpoints.verify_log(actor=System("test"), now=self.corridor.now):
                    assert check.faults == (), check
        for envelope_id, (sender, receiver) in self.sent.items():
            (row,) = [row for row in self.corridor[sender].crossings(limit=1000) if row.envelope_id == envelope_id]
            happened = envelope_id in {known for known, _ in self.corridor[receiver].effects()}
            assert row.status == ("accepted" if happened else "refused"), row
        self.corridor.close()
        self.folder.cleanup()


class HistoryOfThree(History):
    """The same among three nodes of one agreement."""

    ids = ("cn.cdc", "pk.nih", "ru.gamma")


@pytest.mark.parametrize("machine", [History, HistoryOfThree])
def test_random_histories_keep_the_invariants(machine: Any, template: Path, django_db_blocker: Any) -> None:
    TEMPLATE["sqlite"] = template
    with django_db_blocker.unblock():
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples(6),
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
