import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.errors import CorridorError
from corridor.exchange.rules.canonical import canonical, unb64
from corridor.exchange.rules.jws import BadSignature, ForeignType, Malformed, UnknownKey, sign_token
from corridor.exchange.rules.keys import SigningKey
from corridor.exchange.rules.note import log_origin
from corridor.exchange.rules.receipt import RECEIPT_TYPE, make_receipt, read_receipt
from tests.rules.evidence_case import NOW

KEY = SigningKey.generate()
KEYS = {KEY.kid: KEY.public}
SOUND = {
    "envelope_hash": "a" * 64,
    "agreement": "b" * 64,
    "outcome": "accepted",
    "reason": "",
    "epoch": 1,
    "index": 7,
    "leaf_hash": b"\5" * 32,
    "origin": log_origin("cn.cdc", kind="agreement", subject="b" * 64, epoch=1),
    "at": NOW,
}
TOKEN = make_receipt(**SOUND, key=KEY)
PAYLOAD = json.loads(unb64(TOKEN.split(b".")[1].decode()))


@pytest.mark.parametrize("ending", [{}, {"outcome": "refused", "reason": "cell_below_limit"}, {"agreement": ""}])
def test_receipt_reads_back(ending: dict) -> None:
    members = SOUND | ending

    receipt = read_receipt(make_receipt(**members, key=KEY), keys=KEYS)

    for name, value in members.items():
        assert getattr(receipt, name) == value
    assert receipt.node == "cn.cdc"
    assert len(receipt.hash) == 64


def test_one_receipt_has_one_spelling() -> None:
    assert make_receipt(**SOUND, key=KEY) == TOKEN == read_receipt(TOKEN, keys=KEYS).signed
    loose = sign_token(json.dumps(PAYLOAD).encode(), typ=RECEIPT_TYPE, key=KEY)
    with pytest.raises(Malformed, match="canonical"):
        read_receipt(loose, keys=KEYS)


@pytest.mark.parametrize(
    "change",
    [
        {"envelope": "x"},
        {"agreement": None},
        {"outcome": "deferred"},
        {"outcome": []},
        {"outcome": "refused", "reason": ""},
        {"outcome": "refused", "reason": "Not a code"},
        {"reason": "cell_below_limit"},
        {"reason": None},
        {"origin": "cn.cdc"},
        {"origin": 1},
        {"epoch": 0},
        {"epoch": True},
        {"index": -1},
        {"index": 1.5},
        {"leaf_hash": "A" * 64},
        {"at": "now"},
        {"more": 1},
    ],
)
def test_payload_is_exactly_that_of_a_receipt(change: dict) -> None:
    with pytest.raises(Malformed):
        read_receipt(sign_token(canonical(PAYLOAD | change), typ=RECEIPT_TYPE, key=KEY), keys=KEYS)


def test_impossible_receipts_are_not_written() -> None:
    with pytest.raises(Malformed):
        make_receipt(**SOUND | {"epoch": 0}, key=KEY)


@given(st.data())
def test_receipt_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(TOKEN) - 1))
    changed = TOKEN[:place] + bytes([TOKEN[place] ^ data.draw(st.integers(1, 255))]) + TOKEN[place + 1 :]

    with pytest.raises((Malformed, BadSignature, UnknownKey, ForeignType)):
        read_receipt(changed, keys=KEYS)


@given(st.binary(max_size=120))
def test_any_bytes_raise_nothing_but_typed_errors(data: bytes) -> None:
    with pytest.raises(CorridorError):
        read_receipt(data, keys=KEYS)


def test_representation_does_not_repeat_the_token() -> None:
    receipt = read_receipt(TOKEN, keys=KEYS)

    assert "signed" not in repr(receipt)
    assert replace(receipt, index=8) != receipt
