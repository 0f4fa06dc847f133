"""What a partner's own signatures contradict is found by itself; whatever else does not agree accuses nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction

from corridor.accounts.actors import System
from corridor.exchange import keystore, registry
from corridor.exchange.messages import ConsistencyDemand, LeavesForward
from corridor.exchange.models import Crossing, Dispute, LogTree, OwnStatement, PeerCheckpoint, PeerLeaf
from corridor.exchange.rules import control, evidence, note, tree
from corridor.exchange.rules.evidence_file import build, read
from corridor.exchange.rules.reasons import Refused
from corridor.exchange.rules.receipt import Receipt, make_receipt, read_receipt
from corridor.exchange.services import checkpoints, comparison, consistency, leaves, partners, proofs, swaps
from corridor.exchange.services.disputes import open_dispute
from corridor.exchange.services.inbox import InclusionPath
from corridor.exchange.services.swaps import Swap
from tests.exchange.nodes import Corridor, Node

PK, CN, RU = "pk.nih", "cn.cdc", "ru.gamma"
SQLITE = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


def tree_of(node: Node) -> LogTree:
    """Return the head of the one agreement's log; the node must be active."""
    return LogTree.objects.get(kind="agreement")


def forge(node: Node, *, size: int, root: bytes) -> bytes:
    """Return a checkpoint that a node's operator signs of a log that it does not have."""
    with node:
        return note.sign_checkpoint(tree_of(node).origin, size, root, keystore.own_keys().log, node.id)


def real(node: Node) -> bytes:
    with node:
        return bytes(tree_of(node).checkpoint)


def say(node: Node, *, to: str, **checkpoints_: bytes) -> bytes:
    with node:
        return control.make_checkpoint_statement(
            node=node.id, to=to, at=node.now, nonce="n" * 20, key=keystore.own_keys().transport, **checkpoints_
        )


def take(node: Node, peer: str, *statements: bytes) -> None:
    with node, transaction.atomic():
        swaps.take(peer, [Swap(each) for each in statements], now=node.now)


def disputes(node: Node) -> list[tuple[str, str]]:
    with node:
        return list(Dispute.objects.order_by("pk").values_list("partner__node_id", "kind"))


def exchanged(corridor: Corridor, *values: int) -> str:
    agreement = corridor.sign()
    for value in values:
        corridor[PK].send(value, to=CN, agreement=agreement)
        corridor.settle()
    return agreement


def receipts(corridor: Corridor) -> list[Receipt]:
    """Return the receipts of China for the figures of Pakistan, in the order of its log."""
    node = corridor[PK]
    with node:
        keys = partners.transport_keys(CN)
        rows = Crossing.objects.filter(schema="test.figure/1", direction="out")
        found = [read_receipt(bytes(row.receipt), keys=keys) for row in rows]
    return sorted(found, key=lambda receipt: receipt.index)


def shown(corridor: Corridor, receipt: Receipt) -> InclusionPath:
    with corridor[PK]:
        leaf = leaves.of_receipt(receipt)
        assert leaf is not None
        return InclusionPath(leaf.leaf_hash, leaf.path)


def test_each_receipt_comes_with_the_proof_that_the_partners_log_holds_its_leaf(corridor: Corridor) -> None:
    exchanged(corridor, 7, 8)
    with corridor[PK]:
        for receipt in receipts(corridor):
            row = PeerLeaf.objects.get(origin=receipt.origin, index=receipt.index)
            assert bytes(row.leaf_hash) == receipt.leaf_hash
    assert disputes(corridor[PK]) == []


@SQLITE
def test_evidence_of_the_sender_carries_the_proof_from_the_other_log_and_a_forged_path_fails(
    corridor: Corridor,
) -> None:
    agreement = exchanged(corridor, 6)
    sent = corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.settle()
    trust = {}
    for node in corridor:
        with node:
            trust[node.id] = partners.own_fingerprint()
    with corridor[PK] as node:
        data = proofs.prove(sent.envelope_id, actor=node.person("eye"), now=node.now)
    verdict = evidence.verify(data, trust)
    assert verdict.status == "authentic", verdict.reasons
    assert any("stands in the log of cn.cdc, under its signed checkpoint" in each for each in verdict.findings)
    contents = read(data)
    assert contents.receipt_proof is not None
    path = (b"\1" * 32, *contents.receipt_proof.path[1:])
    forged = build(replace(contents, receipt_proof=replace(contents.receipt_proof, path=path)))
    assert evidence.verify(forged, trust).status == "altered"


@SQLITE
def test_evidence_is_bounded_from_below_by_the_last_word_about_the_shorter_log(corridor: Corridor) -> None:
    agreement = exchanged(corridor, 6)
    corridor.advance(days=3)
    corridor[PK].deliver()
    told_at = corridor.now
    corridor.advance(hours=5)
    sent = corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.settle()
    with corridor[PK] as node:
        data = proofs.prove(sent.envelope_id, actor=node.person("eye"), now=node.now)
        assert OwnStatement.objects.filter(told_at=told_at).exists()
    verdict = evidence.verify(data, {})
    assert verdict.earliest_at == told_at
    assert verdict.latest_at is not None
    assert (verdict.latest_at - told_at).total_seconds() < 6 * 3600


@SQLITE
def test_a_receipt_that_the_log_contradicts_is_proved(corridor: Corridor) -> None:
    exchanged(corridor, 7, 8)
    first, second = receipts(corridor)
    given = _given(corridor, second)
    with corridor[PK] as node, transaction.atomic():
        other = replace(first, index=second.index, signed=_signed_again(corridor, first, index=second.index))
        leaves.take(CN, [(other, shown(corridor, second))], given=given, now=node.now)
    assert disputes(corridor[PK]) == [(CN, "receipt-contradicted")]


@SQLITE
def test_another_leaf_at_a_place_that_was_shown_before_is_proved(corridor: Corridor) -> None:
    exchanged(corridor, 7)
    (receipt,) = receipts(corridor)
    other_leaf = b"\7" * 32
    with corridor[CN]:
        head = tree_of(corridor[CN])
        size = receipt.index + 1
        frontier = [bytes(row) for row in head.leaves.order_by("index").values_list("leaf_hash", flat=True)][:size]
    forked = [*frontier[: receipt.index], other_leaf]
    signed = forge(corridor[CN], size=size, root=tree.root(forked))
    later = replace(receipt, leaf_hash=other_leaf)
    path = InclusionPath(other_leaf, tuple(tree.inclusion_proof(forked, receipt.index, size)))
    with corridor[PK] as node, transaction.atomic():
        checkpoint = control.read_checkpoint_by(signed, log_keys=partners.log_keys_of(CN), node=CN)
        leaves.take(CN, [(later, path)], given={receipt.origin: checkpoint}, now=node.now)
    assert disputes(corridor[PK]) == [(CN, "forked-leaf")]
    with corridor[PK]:
        stored = control.read_exhibit(bytes(Dispute.objects.get().evidence))
    assert isinstance(stored, control.TwoLeaves)


@SQLITE
def test_a_path_that_leads_nowhere_is_a_dispute_that_accuses_nobody(corridor: Corridor) -> None:
    exchanged(corridor, 7, 8)
    _, receipt = receipts(corridor)
    broken = InclusionPath(receipt.leaf_hash, (b"\1" * 32,))
    with corridor[PK] as node, transaction.atomic():
        leaves.take(CN, [(receipt, broken)], given=_given(corridor, receipt), now=node.now)
    assert disputes(corridor[PK]) == [(CN, "unproven")]


@SQLITE
def test_a_reply_that_shrinks_is_proved(corridor: Corridor) -> None:
    agreement = exchanged(corridor, 7)
    small = real(corridor[PK])
    corridor[PK].send(8, to=CN, agreement=agreement)
    corridor.settle()
    take(corridor[CN], PK, say(corridor[PK], to=CN, given=small, quoted=real(corridor[PK])))
    assert disputes(corridor[CN]) == [(PK, "shrunk-reply")]
    assert corridor[CN].send(9, to=PK, agreement=agreement).reason == "dispute"


@SQLITE
def test_a_consistency_proof_that_does_not_hold_is_an_unproven_dispute(corridor: Corridor) -> None:
    agreement = exchanged(corridor, 7)
    held = real(corridor[PK])
    with corridor[PK]:
        size = tree_of(corridor[PK]).signed_size
    take(
        corridor[CN],
        PK,
        say(corridor[PK], to=CN, given=forge(corridor[PK], size=size + 3, root=b"\3" * 32), quoted=held),
    )
    assert disputes(corridor[CN]) == [(PK, "unproven")]
    assert corridor[CN].send(9, to=PK, agreement=agreement).reason == "dispute"


def _loose(corridor: Corridor, checkpoint: bytes) -> None:
    """Hand China a checkpoint of Pakistan that comes late, joined to nothing."""
    take(corridor[CN], PK, say(corridor[PK], to=CN, given=checkpoint))


@SQLITE
def test_the_proof_for_a_smaller_checkpoint_that_came_late_is_demanded_and_joins_it(corridor: Corridor) -> None:
    agreement = exchanged(corridor, 7)
    with corridor[PK] as node, transaction.atomic():
        corridor[PK].send(8, to=CN, agreement=agreement)
        late = checkpoints.sign(LogTree.objects.select_for_update().get(kind="agreement"), now=node.now).signed
    corridor[PK].send(9, to=CN, agreement=agreement)
    corridor.settle()
    _loose(corridor, late)
    with corridor[CN]:
        assert not PeerCheckpoint.objects.get(signed=late).is_proved
    for _ in range(3):
        corridor.advance(hours=2)
        corridor[CN].deliver()
        corridor.settle()
    with corridor[CN]:
        assert PeerCheckpoint.objects.get(signed=late).is_proved
    assert disputes(corridor[CN]) == []


@SQLITE
@pytest.mark.parametrize("further", [-1, 5], ids=["smaller", "larger"])
def test_a_checkpoint_of_another_view_cannot_be_proved_and_becomes_a_dispute(corridor: Corridor, further: int) -> None:
    exchanged(corridor, 7, 8)
    with corridor[PK]:
        size = tree_of(corridor[PK]).signed_size
    _loose(corridor, forge(corridor[PK], size=size + further, root=b"\4" * 32))
    for _ in range(3):
        corridor.advance(hours=2)
        corridor[CN].deliver()
        corridor.settle()
        with corridor[CN] as node:
            consistency.judge_demands(actor=System("hourly"), now=node.now)
    assert disputes(corridor[CN]) == [(PK, "unproven")]


@SQLITE
def test_a_demanded_proof_that_never_comes_is_a_dispute_after_a_day_and_not_before(
    corridor: Corridor, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchanged(corridor, 7, 8)
    silent = replace(registry._registrations["exchange.proof-demand/1"], handler=_say_nothing)
    monkeypatch.setitem(registry._registrations, ConsistencyDemand.schema_id(), silent)
    with corridor[PK]:
        size = tree_of(corridor[PK]).signed_size
    _loose(corridor, forge(corridor[PK], size=size - 1, root=b"\4" * 32))
    corridor.advance(hours=2)
    corridor[CN].deliver()
    for hours, expected in ((1, []), (25, [(PK, "unproven")])):
        corridor.advance(hours=hours)
        with corridor[CN] as node:
            consistency.judge_demands(actor=System("hourly"), now=node.now)
        assert disputes(corridor[CN]) == expected


def _say_nothing(batch: Any, *, actor: Any, now: Any) -> None:
    del batch, actor, now


@SQLITE
def test_a_split_view_is_convicted_by_the_third_party(make_corridor: Callable[..., Corridor]) -> None:
    corridor = make_corridor(CN, PK, RU)
    agreement = corridor.sign()
    corridor[RU].send(7, to=PK, agreement=agreement)
    corridor[RU].send(8, to=CN, agreement=agreement)
    corridor.settle()
    with corridor[PK]:
        newest = PeerCheckpoint.objects.filter(node_id=RU, origin=_origin(corridor, RU)).order_by("size").last()
        assert newest is not None
        size = newest.size
    with corridor[CN]:
        # The view that Russia showed to China alone: as long as what Pakistan saw, with another root.
        PeerLeaf.objects.filter(origin=_origin(corridor, RU)).delete()
        PeerCheckpoint.objects.filter(node_id=RU, origin=_origin(corridor, RU)).delete()
    take(corridor[CN], RU, say(corridor[RU], to=CN, given=forge(corridor[RU], size=size, root=b"\5" * 32)))
    assert disputes(corridor[CN]) == []

    corridor.advance(hours=2)
    corridor[CN].deliver()

    assert disputes(corridor[PK]) == [(RU, "forked-checkpoint")]
    assert corridor[PK].send(9, to=RU, agreement=agreement).reason == "dispute"


def _origin(corridor: Corridor, node_id: str) -> str:
    with corridor[node_id]:
        return str(tree_of(corridor[node_id]).origin)


def _given(corridor: Corridor, receipt: Receipt) -> dict[str, note.Checkpoint]:
    """Return the checkpoint under which Pakistan keeps the leaf of a receipt."""
    with corridor[PK]:
        leaf = leaves.of_receipt(receipt)
        assert leaf is not None
        checkpoint = control.read_checkpoint_by(leaf.checkpoint, log_keys=partners.log_keys_of(CN), node=CN)
    return {receipt.origin: checkpoint}


def _signed_again(corridor: Corridor, receipt: Receipt, *, index: int) -> bytes:
    with corridor[CN]:
        return make_receipt(
            envelope_hash=receipt.envelope_hash,
            agreement=receipt.agreement,
            outcome=receipt.outcome,
            reason=receipt.reason,
            epoch=receipt.epoch,
            index=index,
            leaf_hash=receipt.leaf_hash,
            origin=receipt.origin,
            at=receipt.at,
            key=keystore.own_keys().transport,
        )


def _fork_shown_to_china(corridor: Corridor) -> int:
    """Let Russia show China another leaf than Pakistan holds, in a log of another size; return the leaf's index."""
    agreement = corridor.sign()
    for number, sender in enumerate((PK, CN, PK, CN)):
        corridor[sender].send(10 + number, to=RU, agreement=agreement)
        corridor.settle()
    origin = _origin(corridor, RU)
    with corridor[PK]:
        index = PeerLeaf.objects.filter(origin=origin).latest("index").index
    with corridor[RU]:
        real_leaves = [bytes(each) for each in tree_of(corridor[RU]).leaves.values_list("leaf_hash", flat=True)]
    other = b"\x09" * 32
    forked = [*real_leaves[:index], other, *real_leaves[index + 1 :], b"\x0a" * 32, b"\x0b" * 32]
    signed = forge(corridor[RU], size=len(forked), root=tree.root(forked))
    with corridor[CN] as node:
        checkpoint = control.read_checkpoint_by(signed, log_keys=partners.log_keys_of(RU), node=RU)
        swaps.keep(RU, checkpoint, is_proved=False, received_from=RU, now=node.now)
        PeerLeaf.objects.create(
            origin=origin,
            index=index,
            leaf_hash=other,
            path=b"".join(tree.inclusion_proof(forked, index, len(forked))),
            checkpoint=PeerCheckpoint.objects.get(signed=signed),
        )
    return index


def _hours_pass(corridor: Corridor, hours: int = 4) -> None:
    for _ in range(hours):
        corridor.advance(hours=1)
        for node in corridor:
            node.deliver()
        corridor.settle()
        for node in corridor:
            with node:
                consistency.judge_demands(actor=System("hourly"), now=node.now)


@SQLITE
@pytest.mark.parametrize("are_compared", [True, False])
def test_two_views_of_different_sizes_are_proved_by_the_leaf_that_each_party_was_shown(
    make_corridor: Callable[..., Corridor], monkeypatch: pytest.MonkeyPatch, are_compared: bool
) -> None:
    if not are_compared:
        monkeypatch.setattr(comparison, "forwards", lambda peer: [])
    corridor = make_corridor(CN, PK, RU)
    _fork_shown_to_china(corridor)
    _hours_pass(corridor)
    for party in (CN, PK):
        found = disputes(corridor[party])
        assert (RU, "unproven") in found
        assert ((RU, "forked-leaf") in found) is are_compared
    assert disputes(corridor[RU]) == []


@SQLITE
def test_a_receipt_without_the_proof_of_its_leaf_is_held_against_the_leaf_that_another_was_shown(
    make_corridor: Callable[..., Corridor],
) -> None:
    corridor = make_corridor(CN, PK, RU)
    index = _fork_shown_to_china(corridor)
    with corridor[PK]:
        # Russia gave Pakistan the receipt and kept the proof of its leaf back.
        assert PeerLeaf.objects.filter(origin=_origin(corridor, RU), index=index).delete()[0] == 1
    _hours_pass(corridor)
    assert (RU, "receipt-contradicted") in disputes(corridor[PK])


@SQLITE
def test_leaves_of_one_log_that_parties_pass_on_accuse_nobody(make_corridor: Callable[..., Corridor]) -> None:
    corridor = make_corridor(CN, PK, RU)
    agreement = corridor.sign()
    for number, sender in enumerate((PK, CN, PK, CN)):
        corridor[sender].send(10 + number, to=RU, agreement=agreement)
        corridor.settle()
    origin = _origin(corridor, RU)
    with corridor[CN] as node, transaction.atomic():
        open_dispute(RU, None, origin=origin, agreement_hash=agreement, now=node.now, finding="a test")
    _hours_pass(corridor, 2)
    assert disputes(corridor[PK]) == []
    with corridor[PK]:
        passed_on = Crossing.objects.filter(direction="in", schema=LeavesForward.schema_id())
        assert [row.status for row in passed_on] == ["accepted"]


@SQLITE
def test_leaves_that_stand_in_no_log_are_refused(make_corridor: Callable[..., Corridor]) -> None:
    corridor = make_corridor(CN, PK, RU)
    agreement = corridor.sign()
    corridor[CN].send(10, to=RU, agreement=agreement)
    corridor.settle()
    origin = _origin(corridor, RU)
    with corridor[CN] as node, transaction.atomic():
        open_dispute(RU, None, origin=origin, agreement_hash=agreement, now=node.now, finding="a test")
        (honest,) = comparison.forwards(PK)
    (part, *_) = honest.leaves
    broken = honest.model_copy(update={"leaves": (part.model_copy(update={"index": part.index + 1}),)})
    foreign = honest.model_copy(update={"origin": honest.origin.replace("agreement", "partner")})
    for forward, reason in ((broken, "malformed"), (foreign, "unknown_subject")):
        with corridor[PK] as node, pytest.raises(Refused, match=reason), transaction.atomic():
            comparison.accept(forward, from_node=CN, now=node.now)
    assert disputes(corridor[PK]) == []
