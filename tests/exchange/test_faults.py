"""What may go wrong on the wire and beyond it, and what holds all the same (I1 to I5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from corridor.accounts.actors import System
from corridor.exchange import api, keystore, queries
from corridor.exchange.models import Crossing, Dispute, LogLeaf, LogTree, Node, OutboxEntry, UnauthenticatedCount
from corridor.exchange.rules import control, note
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.envelope import Header, new_id, pack
from corridor.exchange.rules.receipt import read_receipt
from corridor.exchange.services import agreement_acts, checkpoints, claims, inbox, outbox, partners, settling
from corridor.exchange.services.swaps import Swap, take
from tests.exchange.nodes import POISON, Corridor, Figure

PK, CN = "pk.nih", "cn.cdc"


def _values(corridor: Corridor) -> list[int]:
    return [value for _, value in corridor[CN].effects()]


def _envelope(corridor: Corridor, under: str, value: int = 7, **members: Any) -> bytes:
    """Return an envelope as the sender's own code could never make it: any member may be replaced."""
    sender = corridor[PK]
    fields: dict[str, Any] = {
        "id": new_id(sender.now),
        "from_": PK,
        "to": CN,
        "agreement": under,
        "channel": "figures",
        "schema": "test.figure/1",
        "purpose": "disease-surveillance",
        "data_class": DataClass.AGGREGATE,
        "persons": 0,
        "created_at": sender.now,
    } | members
    body = fields.pop("body", None) or Figure(place="PK-SD", value=value).to_bytes()
    with sender:
        return pack(Header(**fields), body, key=keystore.own_keys().transport)


def _receive(corridor: Corridor, *tokens: bytes) -> list[inbox.Reply]:
    with corridor[CN]:
        return inbox.receive(list(tokens), peer=PK, now=corridor.now)


def _outcome(corridor: Corridor, reply: inbox.Reply) -> tuple[str, str]:
    with corridor[PK]:
        receipt = read_receipt(reply.receipt, keys=partners.transport_keys(CN))
    return receipt.outcome, receipt.reason


def test_a_lost_request_is_sent_again_and_takes_effect_once(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor.wire.lose_requests = 2
    corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.settle()
    assert _values(corridor) == [7]


def test_a_lost_answer_is_answered_again_with_the_same_receipt(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor.wire.lose_replies = 2
    corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.settle()
    assert _values(corridor) == [7]
    with corridor[CN]:
        inbound = Crossing.objects.get(schema="test.figure/1")
    with corridor[PK]:
        outbound = Crossing.objects.get(schema="test.figure/1")
    assert bytes(inbound.receipt) == bytes(outbound.receipt)


def test_a_doubled_request_takes_effect_once(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor.wire.double = 3
    for value in range(10, 15):
        corridor[PK].send(value, to=CN, agreement=agreement)
    corridor.settle()
    assert _values(corridor) == [10, 11, 12, 13, 14]


def test_a_poison_envelope_spares_the_others_of_its_batch(corridor: Corridor) -> None:
    agreement = corridor.sign()
    for value in [*range(10, 20), POISON, *range(20, 30)]:
        corridor[PK].send(value, to=CN, agreement=agreement)
    corridor[PK].deliver()
    assert _values(corridor) == list(range(10, 30))
    with corridor[PK]:
        entry = OutboxEntry.objects.get()
        assert entry.last_error == "handler_failed"
        assert entry.due_at > corridor.now


def test_what_waits_for_seven_days_becomes_undeliverable_and_is_retried_by_hand(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor.wire.cut = {(PK, CN)}
    sent = corridor[PK].send(7, to=CN, agreement=agreement)
    corridor[PK].deliver()
    corridor.advance(days=7, minutes=1)
    corridor[PK].deliver()
    (row,) = corridor[PK].crossings(schema="test.figure/1")
    assert row.status == "undeliverable"
    corridor.wire.cut = set()
    with corridor[PK]:
        claims.retry(sent.pk, actor=corridor[PK].person(), now=corridor.now)
    corridor.settle()
    assert _values(corridor) == [7]


def test_what_waits_goes_as_soon_as_the_partner_calls_without_new_traffic(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor.wire.cut = {(PK, CN)}
    corridor[PK].send(7, to=CN, agreement=agreement)
    for _ in range(12):
        corridor[PK].deliver()
        corridor.advance(hours=1)
    corridor[PK].deliver()
    with corridor[PK]:
        assert partners.callable_now(now=corridor.now) == []
    corridor.wire.cut = set()
    corridor[CN].deliver()
    corridor[PK].deliver()
    assert _values(corridor) == [7]


def test_a_partner_that_is_down_delays_nobody_else(make_corridor: Callable[..., Corridor]) -> None:
    corridor = make_corridor("cn.cdc", "pk.nih", "ru.gamma")
    agreement = corridor.sign()
    corridor.wire.cut = {(PK, "ru.gamma")}
    corridor[PK].send(7, to="ru.gamma", agreement=agreement)
    corridor[PK].send(8, to=CN, agreement=agreement)
    report = corridor[PK].deliver()
    assert report.failed == ["ru.gamma"]
    assert _values(corridor) == [8]


def test_an_id_with_other_bytes_is_refused_and_has_no_effect(corridor: Corridor) -> None:
    agreement = corridor.sign()
    first = _envelope(corridor, agreement, 7, id="019e8236-0980-7aa4-b1df-596e79a3eb0c")
    second = _envelope(corridor, agreement, 8, id="019e8236-0980-7aa4-b1df-596e79a3eb0c")
    (one,) = _receive(corridor, first)
    (two,) = _receive(corridor, second)
    (again,) = _receive(corridor, second)
    assert _outcome(corridor, one) == ("accepted", "")
    assert _outcome(corridor, two) == ("refused", "id_reused")
    assert again.receipt == two.receipt
    assert _values(corridor) == [7]


def test_a_replay_of_old_bytes_gets_the_old_receipt_and_no_effect(corridor: Corridor) -> None:
    agreement = corridor.sign()
    token = _envelope(corridor, agreement)
    (first,) = _receive(corridor, token)
    corridor.advance(days=300)
    (again,) = _receive(corridor, token)
    assert again.receipt == first.receipt
    assert _values(corridor) == [7]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"to": "ru.gamma"}, "wrong_recipient"),
        ({"agreement": "0" * 64}, "no_agreement"),
        ({"agreement": ""}, "no_agreement"),
        ({"channel": "other"}, "no_channel"),
        ({"channel": ""}, "no_agreement"),
        ({"purpose": "marketing"}, "wrong_purpose"),
        ({"schema": "test.cell-figure/1"}, "wrong_message_type"),
        ({"schema": "test.unknown/1"}, "unknown_message_type"),
        ({"data_class": DataClass.PUBLIC}, "class_mislabelled"),
        ({"data_class": DataClass.PERSONAL}, "class_above_channel"),
        ({"persons": 3}, "persons_mislabelled"),
        ({"body": b'{"disease":"cholera","place":"PK-SD","value":7,"week":1,"week":1}'}, "malformed"),
        ({"body": b"{}"}, "malformed"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_the_sender_signed_wrongly_is_refused_with_a_receipt_and_logged(
    corridor: Corridor, members: dict[str, Any], reason: str
) -> None:
    agreement = corridor.sign()
    (reply,) = _receive(corridor, _envelope(corridor, agreement, **members))
    assert _outcome(corridor, reply) == ("refused", reason)
    assert _values(corridor) == []
    (row,) = corridor[CN].crossings(status="refused")
    assert row.reason == reason


@pytest.mark.parametrize("place", [0, 1, 2], ids=["header", "payload", "signature"])
def test_a_changed_byte_is_counted_and_leaves_nothing(corridor: Corridor, place: int) -> None:
    agreement = corridor.sign()
    parts = _envelope(corridor, agreement).split(b".")
    middle = len(parts[place]) // 2
    other = b"A" if parts[place][middle : middle + 1] != b"A" else b"B"
    parts[place] = parts[place][:middle] + other + parts[place][middle + 1 :]
    with corridor[CN]:
        before = LogLeaf.objects.exclude(tree__kind="audit").count()
    (reply,) = _receive(corridor, b".".join(parts))
    with corridor[CN]:
        after = LogLeaf.objects.exclude(tree__kind="audit").count()
        counted = UnauthenticatedCount.objects.count()
    assert (reply.status, reply.receipt, after - before, counted) == ("unauthenticated", b"", 0, 1)


def test_an_envelope_signed_by_another_pinned_partner_does_not_pass(make_corridor: Callable[..., Corridor]) -> None:
    corridor = make_corridor("cn.cdc", "pk.nih", "ru.gamma")
    agreement = corridor.sign()
    token = _envelope(corridor, agreement)
    with corridor[CN]:
        (reply,) = inbox.receive([token], peer="ru.gamma", now=corridor.now)
    assert reply.status == "unauthenticated"
    assert _values(corridor) == []


def test_a_request_with_a_changed_body_is_answered_401_and_counted(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.wire.tamper = lambda body: body.replace(b'"hello":false', b'"hello":true ')
    report = corridor[PK].deliver()
    assert report.failed == [CN]
    with corridor[CN]:
        assert UnauthenticatedCount.objects.filter(fault="digest-mismatch").exists()
    assert _values(corridor) == []


def test_a_receipt_that_was_changed_on_the_way_counts_as_no_answer(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.wire.tamper_reply = lambda body: body.replace(b'"receipt"', b'"deferred"', 1)
    corridor[PK].deliver()
    (row,) = corridor[PK].crossings(schema="test.figure/1")
    assert row.status == "queued"
    corridor.wire.tamper_reply = None
    corridor.settle()
    assert _values(corridor) == [7]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Encoding": "gzip"}, b"{}", 415),
        ({}, b"x" * (4 * 1024 * 1024 + 1), 413),
        ({}, b"{}", 401),
    ],
)
def test_what_is_compressed_too_large_or_unsigned_is_turned_away(
    corridor: Corridor, headers: dict[str, str], body: bytes, status: int
) -> None:
    assert corridor.wire.take(corridor[CN], headers, body).status == status


def test_a_partner_that_asks_too_often_is_turned_away_for_the_minute_and_nothing_is_lost(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreement = corridor.sign()
    monkeypatch.setattr(api, "ROUNDS_PER_MINUTE", 0)
    corridor[PK].send(7, to=CN, agreement=agreement)
    assert corridor[PK].deliver().failed == [CN]
    monkeypatch.undo()
    corridor.settle()
    assert _values(corridor) == [7]


def test_a_suspension_stops_what_is_queued_and_what_arrives(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    with corridor[CN]:
        agreement_acts.suspend(agreement, actor=corridor[CN].person(), now=corridor.now)
    corridor[PK].deliver()
    assert _values(corridor) == []
    corridor.settle()
    corridor[PK].send(8, to=CN, agreement=agreement)
    assert [(row.status, row.reason) for row in corridor[PK].crossings(schema="test.figure/1")] == [
        ("refused", "suspended"),
        ("refused", "suspended"),
    ]


def test_clocks_an_hour_apart_refuse_no_envelope_and_are_shown(corridor: Corridor) -> None:
    corridor[PK].clock_offset = timedelta(hours=-1)
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.settle()
    assert _values(corridor) == [7]
    with corridor[CN]:
        (view,) = queries.partners(corridor[CN].person("eye"))
    assert view.is_clock_off


def test_two_workers_never_hold_one_envelope_at_once(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    with corridor[PK]:
        first = claims.claim(CN, actor=outbox.DELIVERY, now=corridor.now)
        second = claims.claim(CN, actor=outbox.DELIVERY, now=corridor.now)
    assert (len(first.envelopes), len(second.envelopes)) == (1, 0)


def test_a_receipt_that_two_workers_bring_is_logged_once(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    with corridor[PK]:
        claim = claims.claim(CN, actor=outbox.DELIVERY, now=corridor.now)
    replies = _receive(corridor, *(each.posted.token for each in claim.envelopes))
    with corridor[PK]:
        for _ in range(2):
            settling.settle(CN, claim=claim, replies=replies, actor=outbox.DELIVERY, now=corridor.now)
        leaves = [json.loads(bytes(record)) for record in LogLeaf.objects.values_list("record", flat=True)]
    named = [
        leaf for leaf in leaves if leaf["kind"] == "receipted" and leaf["envelope"] == claim.envelopes[0].token_hash
    ]
    assert len(named) == 1


def _tamper_with_log(corridor: Corridor, how: str) -> str:
    agreement = corridor.sign()
    for value in range(10, 16):
        corridor[PK].send(value, to=CN, agreement=agreement)
    corridor.settle()
    with corridor[CN]:
        head = LogTree.objects.get(kind="agreement")
        rows = LogLeaf.objects.filter(tree=head)
        if how == "edited":
            rows.filter(index=3).update(record=b'{"kind":"nothing"}')
        elif how == "deleted":
            rows.filter(index=3).delete()
        elif how == "truncated":
            rows.filter(index__gte=head.size - 2).delete()
        elif how == "envelope":
            Crossing.objects.filter(schema="test.figure/1").update(token=b"another")
    return agreement


@pytest.mark.parametrize("how", ["edited", "deleted", "truncated", "envelope"])
def test_a_log_that_was_tampered_with_is_found_and_the_node_stops_signing(corridor: Corridor, how: str) -> None:
    agreement = _tamper_with_log(corridor, how)
    with corridor[CN]:
        checks = checkpoints.verify_log(actor=System("test"), now=corridor.now)
        assert any(check.faults for check in checks)
        assert Node.objects.get().state == "halted"
    corridor[PK].send(99, to=CN, agreement=agreement)
    corridor[PK].deliver()
    assert 99 not in _values(corridor)
    (row,) = corridor[PK].crossings(status="queued")
    assert row.schema == "test.figure/1"


def test_a_log_that_nobody_touched_is_clean(corridor: Corridor) -> None:
    _tamper_with_log(corridor, "nothing")
    for node in corridor:
        with node:
            checks = checkpoints.verify_log(actor=System("test"), now=corridor.now)
            assert [check.faults for check in checks] == [() for _ in checks]


def test_two_views_of_one_size_are_a_proved_dispute_and_halt_the_agreement(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.settle()
    with corridor[PK]:
        head = LogTree.objects.get(kind="agreement")
        forged = note.sign_checkpoint(head.origin, head.signed_size, b"\1" * 32, keystore.own_keys().log, PK)
        LogTree.objects.filter(pk=head.pk).update(checkpoint=forged)
        statement = control.make_checkpoint_statement(
            node=PK, to=CN, at=corridor.now, nonce="n" * 20, key=keystore.own_keys().transport, given=forged
        )
    with corridor[CN], transaction.atomic():
        take(PK, [Swap(statement)], now=corridor.now)
        dispute = Dispute.objects.get()
        assert dispute.kind == "forked-checkpoint"
    (reply,) = _receive(corridor, _envelope(corridor, agreement, 8))
    assert _outcome(corridor, reply) == ("refused", "dispute")
