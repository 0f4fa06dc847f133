"""What the signed terms say about keeping is enforced: retention, the end of an agreement, holds, deletion told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from corridor.accounts.actors import System
from corridor.accounts.approvals import approve
from corridor.exchange import registry
from corridor.exchange.models import BodyKeeping, Crossing, LogLeaf, LogTree
from corridor.exchange.rules import evidence
from corridor.exchange.rules.canonical import parse_canonical
from corridor.exchange.rules.evidence_file import read
from corridor.exchange.rules.retention import Why
from corridor.exchange.services import agreement_acts, checkpoints, deletion, partners, proofs
from corridor.exchange.tasks import RETENTION
from corridor.jobs import services as jobs
from corridor.jobs.registry import recurrences
from corridor.jobs.worker import work_off
from tests.exchange.nodes import Corridor, Figure, Node

PK, CN = "pk.nih", "cn.cdc"
SQLITE = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Register the test figures with one who forgets; what was to be forgotten stands in the list."""
    ids: list[int] = []

    def forget(crossing_ids: Sequence[int], /, *, actor: Any, now: datetime) -> int:
        ids.extend(crossing_ids)
        return len(crossing_ids)

    known = registry._registrations["test.figure/1"]
    changed = registry.Registration(message=Figure, handler=known.handler, forget=forget)
    monkeypatch.setitem(registry._registrations, "test.figure/1", changed)
    return ids


def enforce(node: Node) -> int:
    with node:
        return sum(deletion.enforce_retention(actor=deletion.RETENTION, now=node.now))


def sent(corridor: Corridor, agreement: str, value: int = 7) -> str:
    envelope = corridor[PK].send(value, to=CN, agreement=agreement).envelope_id
    corridor.settle()
    return str(envelope)


def received(node: Node, envelope: str) -> Crossing:
    with node:
        return Crossing.objects.select_related("keeping").get(envelope_id=envelope)


def prove(corridor: Corridor, node: Node, envelope: str) -> tuple[evidence.Verdict, bytes]:
    with node:
        data = proofs.prove(envelope, actor=node.person("eye"), now=node.now)
    trust = {}
    for each in corridor:
        with each:
            trust[each.id] = partners.own_fingerprint()
    return evidence.verify(data, trust), data


def hold(node: Node, envelope: str) -> None:
    with node:
        deletion.hold(envelope, reason="Court order 12", actor=node.person(), now=node.now)


def test_an_open_body_goes_when_its_retention_is_over_and_not_an_hour_before(
    corridor: Corridor, forgotten: list[int]
) -> None:
    agreement = corridor.sign(retention_days=30)
    envelope = sent(corridor, agreement)
    china = corridor[CN]
    corridor.now = received(china, envelope).recorded_at + timedelta(days=29, hours=23)
    assert enforce(china) == 0
    assert forgotten == []
    corridor.advance(hours=1)

    assert enforce(china) == 1

    crossing = received(china, envelope)
    assert (bytes(crossing.token), crossing.keeping.why) == (b"", "retention")
    assert forgotten == [crossing.pk]
    assert enforce(china) == 0
    with china:
        leaf = LogLeaf.objects.get(tree_id=crossing.keeping.tree_id, index=crossing.keeping.leaf_index)
        assert parse_canonical(bytes(leaf.record))["envelope"] == crossing.token_hash
        checks = checkpoints.verify_log(actor=System("test"), now=china.now)
        assert [check.faults for check in checks] == [()] * LogTree.objects.count()


def test_what_is_sent_stays_with_its_sender_who_learns_that_the_partner_deleted_it(corridor: Corridor) -> None:
    agreement = corridor.sign(retention_days=1)
    envelope = sent(corridor, agreement)
    corridor.advance(days=2)
    assert (enforce(corridor[PK]), enforce(corridor[CN])) == (0, 1)
    stated_at = corridor.now

    corridor.settle()

    crossing = received(corridor[PK], envelope)
    assert crossing.token
    assert (crossing.keeping.partner_deleted_at, crossing.keeping.partner_why) == (stated_at, "retention")
    assert crossing.keeping.deleted_at is None


def test_a_notice_about_envelopes_of_somebody_else_changes_nothing(make_corridor: Callable[..., Corridor]) -> None:
    corridor = make_corridor("cn.cdc", "pk.nih", "ru.rpn")
    agreement = corridor.sign((PK, CN), retention_days=1)
    envelope = sent(corridor, agreement)
    token_hash = received(corridor[PK], envelope).token_hash
    notice = deletion.BodyDeletion(envelopes=(token_hash,), why=Why.REQUEST, deleted_at=corridor.now)
    with corridor["ru.rpn"] as russia, transaction.atomic():
        deletion.send_control(notice, to=PK, actor=System("test"), now=russia.now)
    corridor.settle()
    with corridor[PK]:
        assert not BodyKeeping.objects.exists()


def test_evidence_without_the_body_is_authentic_and_says_that_it_was_deleted(corridor: Corridor) -> None:
    agreement = corridor.sign(retention_days=1)
    envelope = sent(corridor, agreement)
    corridor.advance(days=2)
    enforce(corridor[CN])
    corridor.settle()

    verdict, data = prove(corridor, corridor[CN], envelope)

    assert verdict.status == "authentic", verdict.reasons
    assert read(data).envelope is None
    assert any("deleted the body (retention)" in finding for finding in verdict.findings)
    assert verdict.earliest_at is not None
    assert verdict.latest_at is not None
    assert verdict.earliest_at <= verdict.latest_at
    whole, _ = prove(corridor, corridor[PK], envelope)
    assert (whole.status, whole.header is not None) == ("authentic", True)


def test_the_deletion_of_a_sender_moves_no_bound_of_the_time_at_which_it_sent(corridor: Corridor) -> None:
    # Sealed, so that the signed envelope stays when its body goes.
    agreement = corridor.sign(storage="view-only")
    envelope = sent(corridor, agreement)
    before, _ = prove(corridor, corridor[PK], envelope)
    corridor.advance(hours=2)
    sent(corridor, agreement, 8)
    pakistan = corridor[PK]
    pakistan.both(lambda person: deletion.ask_to_delete(envelope, actor=person, now=pakistan.now))
    corridor.settle()

    after, _ = prove(corridor, pakistan, envelope)

    assert after.status == "authentic", after.reasons
    assert after.earliest_at == before.earliest_at
    bounds = [[remark for remark in each.remarks if "came later" in remark] for each in (before, after)]
    assert bounds[0] == bounds[1] != []


def test_a_legal_hold_stops_the_retention_until_two_persons_lift_it(corridor: Corridor, forgotten: list[int]) -> None:
    agreement = corridor.sign(retention_days=1)
    held, other = sent(corridor, agreement), sent(corridor, agreement, 8)
    china = corridor[CN]
    hold(china, held)
    corridor.advance(days=2)

    assert enforce(china) == 1
    assert forgotten == [received(china, other).pk]
    assert received(china, held).token

    china.both(lambda person: deletion.ask_to_release(held, actor=person, now=china.now))
    assert enforce(china) == 1
    assert not received(china, held).token


@SQLITE
def test_one_person_alone_lifts_no_hold_and_deletes_nothing(corridor: Corridor) -> None:
    envelope = sent(corridor, corridor.sign())
    china = corridor[CN]
    with china:
        asked = deletion.ask_to_delete(envelope, actor=china.person(), now=china.now)
        assert (asked.done, bool(received(china, envelope).token)) == (False, True)
    hold(china, envelope)
    with china:
        assert not deletion.ask_to_release(envelope, actor=china.person(), now=china.now).done
        assert BodyKeeping.objects.get().held_at is not None
        with pytest.raises(deletion.BodyHeld):
            approve(asked.request_id or 0, actor=china.person("second"), now=china.now)


@SQLITE
@pytest.mark.parametrize(("survives", "gone"), [(["audit", "evidence"], 1), (["audit", "data"], 0)])
def test_what_does_not_survive_the_agreement_goes_thirty_days_after_its_end(
    corridor: Corridor, survives: list[str], gone: int
) -> None:
    agreement = corridor.sign(survives=survives, termination={"notice_days": 0})
    envelope = sent(corridor, agreement)
    china = corridor[CN]
    china.both(lambda person: agreement_acts.ask_to_terminate(agreement, actor=person, now=china.now))
    corridor.settle()
    corridor.advance(days=29)
    assert enforce(china) == 0
    corridor.advance(days=2)

    assert enforce(china) == gone

    if gone:
        assert received(china, envelope).keeping.why == "agreement-ended"


@SQLITE
def test_an_amendment_keeps_what_came_under_the_version_before_it(corridor: Corridor) -> None:
    old = corridor.sign()
    envelope = sent(corridor, old)
    corridor.sign(supersedes=old, retention_days=90)
    corridor.advance(days=60)
    assert enforce(corridor[CN]) == 0
    assert received(corridor[CN], envelope).token


@SQLITE
def test_nothing_is_deleted_while_the_node_signs_nothing(corridor: Corridor) -> None:
    sent(corridor, corridor.sign(retention_days=1))
    corridor.advance(days=2)
    with corridor[CN]:
        checkpoints.halt("a test", now=corridor.now)
    assert enforce(corridor[CN]) == 0


@SQLITE
def test_the_scheduled_job_deletes_by_itself(corridor: Corridor) -> None:
    envelope = sent(corridor, corridor.sign(retention_days=1))
    corridor.advance(days=2)
    with corridor[CN] as china:
        assert RETENTION in {each.kind for each in recurrences()}
        jobs.enqueue(RETENTION, actor=System("test"), now=china.now)
        job = jobs.claim(worker="test", now=china.now)
        assert job is not None
        work_off(job, now=china.now, clock=lambda: china.now)
    assert not received(corridor[CN], envelope).token


@SQLITE
def test_more_bodies_than_one_transaction_takes_all_go(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "BATCH", 2)
    agreement = corridor.sign(retention_days=1)
    for value in range(5):
        corridor[PK].send(value + 10, to=CN, agreement=agreement)
    corridor.settle()
    corridor.advance(days=2)
    with corridor[CN] as china:
        assert list(deletion.enforce_retention(actor=deletion.RETENTION, now=china.now)) == [2, 2, 1]


@SQLITE
def test_a_repeat_of_a_deleted_envelope_gets_its_receipt_again_and_brings_nothing_back(corridor: Corridor) -> None:
    agreement = corridor.sign(retention_days=1)
    corridor.wire.lose_replies = 1
    pakistan = corridor[PK]
    envelope = str(pakistan.send(7, to=CN, agreement=agreement).envelope_id)
    pakistan.deliver()
    corridor.advance(days=2)
    assert enforce(corridor[CN]) == 1

    corridor.settle()

    assert received(pakistan, envelope).status == "accepted"
    assert not received(corridor[CN], envelope).token
    assert len(corridor[CN].effects()) == 1
