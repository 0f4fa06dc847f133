"""An envelope that may cross no more, but was on its way before: the partner's answer decides, and both logs agree."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction
from django.urls import reverse

from corridor.accounts.actors import System
from corridor.exchange.messages import EnvelopeWithdrawal, ReceiptNotice
from corridor.exchange.models import Crossing, LogLeaf, OutboxEntry
from corridor.exchange.rules import evidence
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.exchange.services import agreement_acts, checkpoints, inbox, partners, proofs, withdrawals
from tests.exchange.nodes import Corridor
from tests.exchange.test_agreement_pages import signed_in

PK, CN = "pk.nih", "cn.cdc"


def _suspend(corridor: Corridor, agreement: str) -> None:
    with corridor[PK] as node:
        agreement_acts.suspend(agreement, actor=node.person(), now=node.now)


def _outcomes(corridor: Corridor) -> dict[str, list[tuple[str, str]]]:
    """Return status and reason of the figures as each side's crossings tell them, oldest first."""
    return {
        node.id: [(row.status, row.reason) for row in reversed(node.crossings(schema="test.figure/1"))]
        for node in corridor
    }


def _lost(corridor: Corridor, agreement: str, *, what: str) -> Crossing:
    """Send a figure whose request or answer is lost, and suspend the agreement at its sender."""
    setattr(corridor.wire, what, 1)
    sent = corridor[PK].send(7, to=CN, agreement=agreement)
    corridor[PK].deliver()
    _suspend(corridor, agreement)
    corridor.advance(minutes=90)
    return sent


def test_what_took_effect_before_a_suspension_is_accepted_on_both_sides(corridor: Corridor) -> None:
    agreement = corridor.sign()
    _lost(corridor, agreement, what="lose_replies")
    corridor.settle()
    assert corridor[CN].effects() != []
    assert _outcomes(corridor) == {PK: [("accepted", "")], CN: [("accepted", "")]}
    with corridor[CN]:
        inbound = Crossing.objects.get(schema="test.figure/1")
    with corridor[PK]:
        assert bytes(Crossing.objects.get(schema="test.figure/1").receipt) == bytes(inbound.receipt)


def test_what_never_arrived_is_refused_on_both_sides_and_stays_so_when_it_arrives_late(corridor: Corridor) -> None:
    agreement = corridor.sign()
    late = bytes(_lost(corridor, agreement, what="lose_requests").token)
    corridor.settle()
    assert _outcomes(corridor) == {PK: [("refused", "withdrawn")], CN: [("refused", "withdrawn")]}
    with corridor[PK] as node:
        node.both(lambda person: agreement_acts.ask_to_resume(agreement, actor=person, now=node.now))
    corridor.settle()
    with corridor[CN] as node:
        (reply,) = inbox.receive([late], peer=PK, now=node.now)
        assert reply.receipt == bytes(Crossing.objects.get(schema="test.figure/1").receipt)
    assert corridor[CN].effects() == []
    assert _outcomes(corridor) == {PK: [("refused", "withdrawn")], CN: [("refused", "withdrawn")]}


def test_what_was_never_sent_is_refused_here_without_asking(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    _suspend(corridor, agreement)
    corridor.settle()
    assert _outcomes(corridor) == {PK: [("refused", "suspended")], CN: []}
    assert corridor[PK].crossings(schema=EnvelopeWithdrawal.schema_id()) == []


def test_an_envelope_is_taken_back_once_and_waits_for_the_answer(corridor: Corridor) -> None:
    agreement = corridor.sign()
    _lost(corridor, agreement, what="lose_replies")
    corridor.wire.cut = {(PK, CN)}
    for _ in range(3):
        corridor[PK].deliver()
        corridor.advance(minutes=90)
    assert len(corridor[PK].crossings(schema=EnvelopeWithdrawal.schema_id())) == 1
    with corridor[PK]:
        entry = OutboxEntry.objects.get(crossing__schema="test.figure/1")
        assert (entry.is_withdrawn, entry.last_error) == (True, "suspended")


def test_both_logs_stay_whole(corridor: Corridor) -> None:
    agreement = corridor.sign()
    _lost(corridor, agreement, what="lose_requests")
    corridor.settle()
    for node in corridor:
        with node:
            checks = checkpoints.verify_log(actor=System("test"), now=corridor.now)
            assert [check.faults for check in checks] == [()] * len(checks)
            kinds = [bytes(record).decode() for record in LogLeaf.objects.values_list("record", flat=True)]
        assert any('"withdrawn"' in record for record in kinds) == (node.id == CN)
        assert any('"receipted"' in record and '"refused"' in record for record in kinds) == (node.id == PK)


@pytest.mark.parametrize("what", ["lose_requests", "lose_replies"])
def test_either_side_proves_what_became_of_it(corridor: Corridor, what: str) -> None:
    agreement = corridor.sign()
    sent = _lost(corridor, agreement, what=what)
    corridor.settle()
    trust = {}
    for node in corridor:
        with node:
            trust[node.id] = partners.own_fingerprint()
    for node in corridor:
        with node:
            data = proofs.prove(sent.envelope_id, actor=node.person("eye"), now=node.now)
        assert evidence.verify(data, trust).status == "authentic"


def test_its_page_says_that_it_was_taken_back_and_then_that_nothing_came(corridor: Corridor) -> None:
    agreement = corridor.sign()
    sent = _lost(corridor, agreement, what="lose_requests")
    corridor[PK].deliver()
    with signed_in(corridor[PK], "eye") as client:
        waiting = client.get(reverse("exchange:crossing", args=[sent.pk])).content.decode()
    corridor.settle()
    (row,) = corridor[CN].crossings(schema="test.figure/1")
    with signed_in(corridor[CN], "eye") as client:
        refused = client.get(reverse("exchange:crossing", args=[row.id])).content.decode()
    assert "The partner was asked; its answer decides." in waiting
    assert "Next attempt" not in waiting
    assert "Nothing came: its sender took the envelope back" in refused


def _withdrawal(sent: Crossing, **members: str) -> EnvelopeWithdrawal:
    return EnvelopeWithdrawal(
        **{
            "envelope": sent.token_hash,
            "envelope_id": sent.envelope_id,
            "agreement": sent.agreement_hash,
            "channel": sent.channel,
            "message_type": sent.schema,
            "data_class_of": sent.data_class,
            "created_at": sent.created_at,
        }
        | members  # type: ignore[arg-type]  # pydantic checks what each member is
    )


def test_other_bytes_under_a_known_id_are_not_taken_back(corridor: Corridor) -> None:
    agreement = corridor.sign()
    sent = corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.settle()
    with corridor[CN], pytest.raises(Refused) as refusal:
        withdrawals.accept(_withdrawal(sent, envelope="0" * 64), from_node=PK, now=corridor.now)
    assert refusal.value.reason is Reason.UNKNOWN_SUBJECT


def test_no_third_node_takes_back_or_settles_what_is_not_its_own(make_corridor: Callable[..., Corridor]) -> None:
    corridor = make_corridor(CN, PK, "ru.gamma")
    agreement = corridor.sign()
    sent = _lost(corridor, agreement, what="lose_replies")
    with corridor[CN]:
        receipt = bytes(Crossing.objects.get(schema="test.figure/1").receipt)
        with transaction.atomic():
            withdrawals.accept(_withdrawal(sent), from_node="ru.gamma", now=corridor.now)
        assert Crossing.objects.get(schema="test.figure/1", from_node=PK).status == "accepted"
    with corridor[PK], pytest.raises(Refused) as refusal:
        withdrawals.accept_receipt(ReceiptNotice(receipt=receipt.decode()), from_node="ru.gamma", now=corridor.now)
    assert refusal.value.reason is Reason.BAD_SIGNATURE
