"""Bytes that were once signed must be written and read the same by every later version."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from corridor.exchange.rules import tree
from corridor.exchange.rules.canonical import b64, sha256_hex, unb64
from corridor.exchange.rules.card import Card, NodeKeys, fingerprint, make_card, read_card
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.control import make_checkpoint_statement, read_checkpoint_statement
from corridor.exchange.rules.envelope import Header, pack, unpack
from corridor.exchange.rules.evidence import Contents, LogProof, NodeHistory, build, verify
from corridor.exchange.rules.http_signature import sign_request, verify_request
from corridor.exchange.rules.keys import SealingKey, SigningKey
from corridor.exchange.rules.note import log_origin, read_checkpoint, sign_checkpoint
from corridor.exchange.rules.receipt import make_receipt, read_receipt
from corridor.exchange.rules.sealing import open_sealed

FILE = Path(__file__).parents[1] / "exchange" / "vectors" / "forms.json"
GOLDEN: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
AT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
SALT = bytes(range(32))
RECORD = b'{"kind":"received"}'


def seed(name: str) -> bytes:
    return bytes.fromhex(sha256_hex(f"health-corridor golden {name}".encode()))


def node_keys() -> NodeKeys:
    signing = [SigningKey.from_bytes(seed(name)) for name in ("transport", "log", "agreement")]
    return NodeKeys(*signing, SealingKey.from_bytes(seed("encryption")))


KEYS, RECOVERY = node_keys(), SigningKey.from_bytes(seed("recovery"))
ORIGIN = log_origin("pk.nih", kind="agreement", subject="a" * 64, epoch=1)


def header(body_kind: str = "plain") -> Header:
    return Header(
        id="01a20734-5580-7213-8b6e-3853bac5d20a",
        from_="pk.nih",
        to="cn.cdc",
        agreement="a" * 64,
        channel="counts",
        schema="surveillance.period-counts/1",
        purpose="disease-surveillance",
        data_class=DataClass.PERSONAL if body_kind == "sealed" else DataClass.AGGREGATE,
        persons=0,
        created_at=AT,
        body_kind=body_kind,  # type: ignore[arg-type]
    )


def card() -> Card:
    return make_card(
        id="pk.nih",
        legal_entity="National Institute of Health",
        names={"en": "National Institute of Health", "ur": "قومی ادارہ صحت"},
        country="PK",
        url="https://node.example.org",
        keys=KEYS,
        recovery=RECOVERY.public,
        issued_at=AT,
    )


def envelope() -> bytes:
    return pack(header(), '{"place":"سندھ"}'.encode(), key=KEYS.transport)


def receipt() -> bytes:
    return make_receipt(
        envelope_hash="b" * 64,
        agreement="a" * 64,
        outcome="refused",
        reason="cell_below_limit",
        epoch=1,
        index=0,
        leaf_hash=tree.leaf_hash(SALT + RECORD),
        origin=ORIGIN,
        at=AT,
        key=KEYS.transport,
    )


def checkpoint() -> bytes:
    return sign_checkpoint(ORIGIN, 1, tree.leaf_hash(SALT + RECORD), KEYS.log, "pk.nih")


def statement() -> bytes:
    return make_checkpoint_statement(
        node="pk.nih", to="cn.cdc", at=AT, nonce="n" * 22, key=KEYS.transport, given=checkpoint()
    )


def evidence() -> bytes:
    record = json.dumps({"envelope": sha256_hex(envelope()), "kind": "sent"}, separators=(",", ":")).encode()
    signed = sign_checkpoint(ORIGIN, 1, tree.leaf_hash(SALT + record), KEYS.log, "pk.nih")
    proof = LogProof(node="pk.nih", salt=SALT, record=record, index=0, path=(), checkpoint=signed)
    nodes = {"pk.nih": NodeHistory((card().signed,))}
    return build(Contents(kind="envelope", nodes=nodes, envelope=envelope(), proofs=(proof,)))


def request() -> dict[str, str]:
    return sign_request(
        method="POST",
        authority="node.example.org",
        path="/exchange/v1/envelopes",
        body=b"{}",
        key=KEYS.transport,
        nonce="n" * 22,
        created_at=AT,
    )


WRITTEN = {
    "card": lambda: card().signed,
    "envelope": envelope,
    "receipt": receipt,
    "checkpoint": checkpoint,
    "statement": statement,
    "evidence": evidence,
    "request": lambda: json.dumps(request(), sort_keys=True).encode(),
}


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_each_form_is_still_written_byte_for_byte(name: str) -> None:
    assert b64(WRITTEN[name]()) == GOLDEN[name]


def test_each_form_is_still_read() -> None:
    transport = {KEYS.transport.kid: KEYS.transport.public}
    golden = {name: unb64(text) for name, text in GOLDEN.items() if name != "fingerprint"}

    known = read_card(golden["card"])
    assert fingerprint(known) == GOLDEN["fingerprint"]
    assert unpack(golden["envelope"], keys=transport).header == header()
    assert read_receipt(golden["receipt"], keys=transport).reason == "cell_below_limit"
    assert read_checkpoint(golden["checkpoint"], KEYS.log.public, "pk.nih").size == 1
    assert read_checkpoint_statement(golden["statement"], keys=transport).given == golden["checkpoint"]
    assert verify(golden["evidence"], {"pk.nih": GOLDEN["fingerprint"]}).status == "authentic"
    assert verify_request(
        json.loads(golden["request"]),
        method="POST",
        authority="node.example.org",
        path="/exchange/v1/envelopes",
        body=b"{}",
        keys=transport,
        now=AT,
    )


def test_sealed_body_of_an_earlier_version_still_opens() -> None:
    unpacked = unpack(unb64(GOLDEN["sealed_envelope"]), keys={KEYS.transport.kid: KEYS.transport.public})

    assert unpacked.sealed is not None
    opened = open_sealed(
        unb64(GOLDEN["ciphertext"]), header=unpacked.header, mac=unpacked.sealed.mac, key=KEYS.encryption
    )
    assert opened.body == b"sealed body"
