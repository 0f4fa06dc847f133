from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.errors import CorridorError
from corridor.exchange.rules.canonical import canonical, parse_canonical
from corridor.exchange.rules.control import (
    STATEMENT_TYPE,
    Dispute,
    Exhibit,
    Proof,
    ProofKind,
    ReceiptAgainstLog,
    ShownLeaf,
    ShrunkReply,
    TwoCheckpoints,
    TwoLeaves,
    exhibit_bytes,
    judge,
    make_checkpoint_statement,
    read_checkpoint_statement,
    read_exhibit,
)
from corridor.exchange.rules.jws import Malformed, sign_token
from corridor.exchange.rules.note import NoteUnsigned
from corridor.exchange.rules.receipt import make_receipt
from tests.rules.evidence_case import NOW, Log, Party

NODE, OTHER = Party.found("pk.nih"), Party.found("cn.cdc")
AGREEMENT = "a" * 64


def log_of(*records: str, party: Party = NODE, agreement: str = AGREEMENT) -> Log:
    log = party.log(agreement)
    for text in records:
        log.append(kind="sent", text=text)
    return log


def shown(log: Log, index: int, size: int | None = None) -> ShownLeaf:
    proof = log.prove(index, size)
    return ShownLeaf(log.hashes[index], index, proof.path, proof.checkpoint)


def fork(log: Log, index: int) -> Log:
    """Return the log as its node might show it to somebody else: one record replaced."""
    leaves = list(log.leaves)
    leaves[index] = (leaves[index][0], canonical({"kind": "sent", "text": "something else"}))
    return replace(log, leaves=leaves)


def verdict(exhibit: Exhibit, party: Party = NODE) -> Proof | Dispute:
    return judge(
        read_exhibit(exhibit_bytes(exhibit)),
        node=party.card.id,
        log_keys=[party.card.keys.log],
        transport_keys=party.card.transport_keys,
    )


def receipt_for(log: Log, index: int, *, origin: str | None = None) -> bytes:
    return make_receipt(
        envelope_hash="b" * 64,
        agreement=AGREEMENT,
        outcome="accepted",
        reason="",
        epoch=1,
        index=index,
        leaf_hash=log.hashes[index],
        origin=origin or log.origin,
        at=NOW,
        key=log.node.keys.transport,
    )


def statement(*, given: bytes | None, quoted: bytes | None, party: Party = NODE, node: str = "pk.nih") -> bytes:
    return make_checkpoint_statement(
        node=node, to="cn.cdc", at=NOW, nonce="n" * 22, key=party.keys.transport, given=given, quoted=quoted
    )


LOG = log_of("a", "b", "c", "d", "e")
FORKED = fork(LOG, 2)
FOREIGN = log_of("a", "b", "c", "d", "e", agreement="c" * 64)


def test_two_checkpoints_of_one_size_and_different_roots_are_proof() -> None:
    found = verdict(TwoCheckpoints(LOG.checkpoint(), FORKED.checkpoint()))

    assert isinstance(found, Proof)
    assert (found.kind, found.node, found.origin) == (ProofKind.FORKED_CHECKPOINT, "pk.nih", LOG.origin)


def test_two_leaves_at_one_index_under_two_checkpoints_are_proof() -> None:
    longer = fork(LOG, 2)
    longer.append(kind="sent", text="f")

    found = verdict(TwoLeaves(shown(LOG, 2), shown(longer, 2)))

    assert isinstance(found, Proof)
    assert found.kind is ProofKind.FORKED_LEAF


def test_receipt_against_the_log_is_proof() -> None:
    found = verdict(ReceiptAgainstLog(receipt_for(LOG, 2), shown(FORKED, 2)))

    assert isinstance(found, Proof)
    assert found.kind is ProofKind.RECEIPT_CONTRADICTED


def test_statement_that_quotes_more_than_it_gives_is_proof() -> None:
    found = verdict(ShrunkReply(statement(given=LOG.checkpoint(3), quoted=LOG.checkpoint(5))))

    assert isinstance(found, Proof)
    assert found.kind is ProofKind.SHRUNK_REPLY


@pytest.mark.parametrize(
    ("exhibit", "because"),
    [
        (TwoCheckpoints(LOG.checkpoint(), LOG.checkpoint()), "agree"),
        (TwoCheckpoints(LOG.checkpoint(4), FORKED.checkpoint(5)), "consistency proof is owed"),
        (TwoCheckpoints(LOG.checkpoint(), FOREIGN.checkpoint()), "different logs"),
        (TwoCheckpoints(LOG.checkpoint(), log_of("x", party=OTHER).checkpoint()), "does not hold"),
        (TwoCheckpoints(LOG.checkpoint(), b"no note"), "does not hold"),
        (TwoLeaves(shown(LOG, 2), shown(LOG, 2, 4)), "agree"),
        (TwoLeaves(shown(LOG, 2), shown(LOG, 3)), "different places"),
        (TwoLeaves(shown(LOG, 2), replace(shown(FORKED, 2), checkpoint=LOG.checkpoint())), "not contained"),
        (TwoLeaves(shown(LOG, 2), shown(FOREIGN, 2)), "different places"),
        (ReceiptAgainstLog(receipt_for(LOG, 2), shown(LOG, 2)), "agree"),
        (ReceiptAgainstLog(receipt_for(LOG, 2), shown(LOG, 3)), "different places"),
        (ReceiptAgainstLog(receipt_for(LOG, 2, origin=FOREIGN.origin), shown(FORKED, 2)), "different places"),
        (ReceiptAgainstLog(receipt_for(LOG, 2), replace(shown(FORKED, 2), index=3)), "not contained"),
        (ReceiptAgainstLog(b"no receipt", shown(LOG, 2)), "does not hold"),
        (ShrunkReply(statement(given=LOG.checkpoint(5), quoted=LOG.checkpoint(5))), "not smaller"),
        (ShrunkReply(statement(given=LOG.checkpoint(3), quoted=FOREIGN.checkpoint(5))), "different logs"),
        (ShrunkReply(statement(given=LOG.checkpoint(3), quoted=None)), "both quote and give"),
        (ShrunkReply(statement(given=LOG.checkpoint(3), quoted=LOG.checkpoint(5), party=OTHER)), "does not hold"),
        (ShrunkReply(statement(given=LOG.checkpoint(3), quoted=LOG.checkpoint(5), node="ru.rpn")), "another node"),
    ],
)
def test_everything_else_is_an_unproven_dispute(exhibit: Exhibit, because: str) -> None:
    found = verdict(exhibit)

    assert isinstance(found, Dispute)
    assert because in found.finding


def test_honest_restore_under_a_new_epoch_convicts_nobody() -> None:
    restored = replace(FORKED, origin=LOG.origin.removesuffix("1") + "2")

    assert isinstance(verdict(TwoCheckpoints(LOG.checkpoint(), restored.checkpoint())), Dispute)


def test_signatures_of_any_log_key_of_the_chain_count() -> None:
    keys = [OTHER.card.keys.log, NODE.card.keys.log]
    exhibit = TwoCheckpoints(LOG.checkpoint(), FORKED.checkpoint())

    assert isinstance(judge(exhibit, node="pk.nih", log_keys=keys, transport_keys={}), Proof)
    nobody = judge(exhibit, node="pk.nih", log_keys=[], transport_keys={})
    assert isinstance(nobody, Dispute)
    assert NoteUnsigned.code == "note-unsigned"


def test_statement_reads_back() -> None:
    token = statement(given=b"given", quoted=None)

    read = read_checkpoint_statement(token, keys=NODE.card.transport_keys)

    assert (read.node, read.to, read.at, read.given, read.quoted, read.held) == (
        "pk.nih",
        "cn.cdc",
        NOW,
        b"given",
        None,
        None,
    )


@pytest.mark.parametrize("change", [{"node": "x"}, {"nonce": 1}, {"at": "now"}, {"held": "="}, {"more": 1}])
def test_statement_has_exactly_its_members(change: dict) -> None:
    sound = {"node": "pk.nih", "to": "cn.cdc", "at": "2026-11-23T07:00:00.000000Z", "nonce": "n"}
    payload = sound | {"given": None, "quoted": None, "held": None}
    key = NODE.keys.transport

    assert read_checkpoint_statement(
        sign_token(canonical(payload), typ=STATEMENT_TYPE, key=key), keys={key.kid: key.public}
    )
    token = sign_token(canonical(payload | change), typ=STATEMENT_TYPE, key=key)
    with pytest.raises(Malformed):
        read_checkpoint_statement(token, keys={key.kid: key.public})


JSON = st.recursive(
    st.none() | st.integers(-5, 5) | st.text(max_size=5),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["schema", "kind", "first", "second"]), JSON)
def test_any_exhibit_raises_nothing_but_typed_errors(member: str, value: object) -> None:
    sound = parse_canonical(exhibit_bytes(TwoLeaves(shown(LOG, 2), shown(FORKED, 2))))

    with pytest.raises(CorridorError):
        read_exhibit(canonical(sound | {member: value}))


@given(st.binary(max_size=100))
def test_any_bytes_are_no_exhibit(data: bytes) -> None:
    with pytest.raises(CorridorError):
        read_exhibit(data)
