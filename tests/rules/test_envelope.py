import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey

from corridor.base.errors import CorridorError
from corridor.exchange.rules.canonical import b64, canonical, sha256_hex, unb64, utc_text
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.envelope import (
    ENVELOPE_TYPE,
    BadSignature,
    CiphertextMismatch,
    ForeignType,
    Malformed,
    NotForMe,
    UnknownKey,
    check_ciphertext,
    new_id,
    pack,
    unpack,
)
from corridor.exchange.rules.keys import SigningKey
from corridor.exchange.rules.receipt import RECEIPT_TYPE
from tests.rules.evidence_case import NOW, Party, header_for

SENDER, RECEIVER = Party.found("pk.nih"), Party.found("cn.cdc")
KEY = SENDER.keys.transport
KEYS = SENDER.card.transport_keys
HEADER = header_for(SENDER, RECEIVER, agreement="a" * 64)
TOKEN = pack(HEADER, b'{"cells":[]}', key=KEY)
PAYLOAD = json.loads(unb64(TOKEN.split(b".")[1].decode()))


def signed(payload: bytes, header: bytes | None = None, key: SigningKey = KEY) -> bytes:
    """Return a token over any payload and header, signed soundly."""
    spelled = canonical({"alg": "Ed25519", "kid": key.kid, "typ": ENVELOPE_TYPE}) if header is None else header
    signing_input = f"{b64(spelled)}.{b64(payload)}".encode()
    return signing_input + b"." + b64(key.sign(signing_input)).encode()


def test_envelope_opens_to_what_was_packed() -> None:
    unpacked = unpack(TOKEN, keys=KEYS, sender="pk.nih", recipient="cn.cdc")

    assert unpacked.header == HEADER
    assert unpacked.body == b'{"cells":[]}'
    assert unpacked.sealed is None
    assert unpacked.token_hash == sha256_hex(TOKEN)
    assert unpacked.kid == KEY.kid


@given(st.text(max_size=300))
def test_body_comes_back_byte_for_byte(text: str) -> None:
    body = text.encode("utf-8", "replace")

    assert unpack(pack(HEADER, body, key=KEY), keys=KEYS).body == body


def test_joserfc_reads_what_we_write_and_we_read_what_it_writes() -> None:
    private = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": b64(KEY.public), "d": b64(KEY.private_bytes())})
    registry = jws.JWSRegistry(algorithms=["Ed25519"])

    read = jws.deserialize_compact(TOKEN, private, algorithms=["Ed25519"], registry=registry)
    written = jws.serialize_compact(
        dict(read.headers()), read.payload, private, algorithms=["Ed25519"], registry=registry
    )

    assert json.loads(read.payload) == PAYLOAD
    assert read.headers() == {"alg": "Ed25519", "kid": KEY.kid, "typ": ENVELOPE_TYPE}
    assert unpack(written.encode(), keys=KEYS).header == HEADER
    assert written.encode() == TOKEN


@given(st.data())
def test_envelope_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(TOKEN) - 1))
    changed = TOKEN[:place] + bytes([TOKEN[place] ^ data.draw(st.integers(1, 255))]) + TOKEN[place + 1 :]

    with pytest.raises((Malformed, BadSignature, UnknownKey, ForeignType)):
        unpack(changed, keys=KEYS)


@given(st.binary(max_size=120))
def test_any_bytes_raise_nothing_but_typed_errors(data: bytes) -> None:
    with pytest.raises(Malformed):
        unpack(data, keys=KEYS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(PAYLOAD)), JSON)
def test_signed_payload_with_any_member_replaced_raises_nothing_but_typed_errors(member: str, value: object) -> None:
    token = signed(json.dumps(PAYLOAD | {member: value}).encode())

    try:
        unpacked = unpack(token, keys=KEYS)
    except CorridorError:
        return
    assert member in {"body", "channel", "purpose", "agreement", "persons"}
    assert unpacked.header.id == HEADER.id


@given(JSON)
def test_signed_payload_of_any_json_raises_nothing_but_typed_errors(value: object) -> None:
    with pytest.raises(Malformed):
        unpack(signed(json.dumps(value).encode()), keys=KEYS)


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (b'{"alg":"Ed25519","kid":"%s","typ":"hc-receipt+jws"}', ForeignType),
        (b'{"alg":"Ed25519","kid":"%s","kid":"%s","typ":"hc-envelope+jws"}', Malformed),
        (b'{"alg":"Ed25519","alg":"none","kid":"%s","typ":"hc-envelope+jws"}', Malformed),
        (b'{"alg":"none","kid":"%s","typ":"hc-envelope+jws"}', Malformed),
        (b'{"alg":"EdDSA","kid":"%s","typ":"hc-envelope+jws"}', Malformed),
        (b'{"alg":"HS256","kid":"%s","typ":"hc-envelope+jws"}', Malformed),
        (b'{"alg":"Ed25519","b64":false,"kid":"%s","typ":"hc-envelope+jws"}', Malformed),
        (b'{"alg":"Ed25519","jwk":{},"kid":"%s","typ":"hc-envelope+jws"}', Malformed),
        (b'{"alg":"Ed25519","crit":[],"kid":"%s","typ":"hc-envelope+jws"}', Malformed),
        (b'{"alg":"Ed25519","kid":"%s"}', Malformed),
        (b'{"kid":"%s","alg":"Ed25519","typ":"hc-envelope+jws"}', Malformed),
        (b'{"alg":"Ed25519", "kid":"%s","typ":"hc-envelope+jws"}', Malformed),
        (b'{"alg":"Ed25519","kid":["%s"],"typ":"hc-envelope+jws"}', Malformed),
        (b'{"alg":"Ed25519","kid":"' + b"x" * 43 + b'","typ":"hc-envelope+jws"}', UnknownKey),
        (b'["%s"]', Malformed),
        (b" " * 500, Malformed),
    ],
)
def test_protected_header_is_exactly_alg_kid_and_typ(header: bytes, fault: type[CorridorError]) -> None:
    token = signed(json.dumps(PAYLOAD).encode(), header.replace(b"%s", KEY.kid.encode()))

    with pytest.raises(fault):
        unpack(token, keys=KEYS)


def test_key_of_another_partner_is_unknown_and_a_stolen_name_is_a_bad_signature() -> None:
    other = RECEIVER.keys.transport

    with pytest.raises(UnknownKey):
        unpack(signed(json.dumps(PAYLOAD).encode(), key=other), keys=KEYS)
    with pytest.raises(BadSignature):
        unpack(TOKEN, keys={KEY.kid: other.public})


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(PAYLOAD)[:-1] + ',"to":"ru.rpn"}',
        json.dumps(PAYLOAD | {"more": 1}),
        json.dumps({key: value for key, value in PAYLOAD.items() if key != "purpose"}),
        json.dumps(PAYLOAD | {"sealed": {"sha256": "a" * 64, "mac": "a" * 64, "enc_kid": "a" * 43}}),
        json.dumps(PAYLOAD | {"body": None}),
        json.dumps(PAYLOAD | {"body": "\ud800"}),
        json.dumps(PAYLOAD | {"id": "x"}),
        json.dumps(PAYLOAD | {"id": "5e7d4d6a-8a3c-4c7e-9a53-0d6f0a9c9c11"}),
        json.dumps(PAYLOAD | {"from": "nih"}),
        json.dumps(PAYLOAD | {"agreement": "A" * 64}),
        json.dumps(PAYLOAD | {"channel": "Counts"}),
        json.dumps(PAYLOAD | {"schema": "counts"}),
        json.dumps(PAYLOAD | {"class": "secret"}),
        json.dumps(PAYLOAD | {"class": ["aggregate"]}),
        json.dumps(PAYLOAD | {"persons": -1}),
        json.dumps(PAYLOAD | {"persons": True}),
        json.dumps(PAYLOAD | {"persons": 1.0}),
        json.dumps(PAYLOAD | {"created_at": "now"}),
        "[" * 100_000,
        "\x00",
    ],
)
def test_payload_is_exactly_that_of_an_envelope(payload: str) -> None:
    with pytest.raises(Malformed):
        unpack(signed(payload.encode()), keys=KEYS)


def test_sealed_part_is_exactly_hash_mac_and_key() -> None:
    plain = {key: value for key, value in PAYLOAD.items() if key != "body"}
    sound = {"sha256": "a" * 64, "mac": "b" * 64, "enc_kid": "c" * 43}

    assert unpack(signed(json.dumps(plain | {"sealed": sound}).encode()), keys=KEYS).body is None
    for other in (
        None,
        {},
        sound | {"more": 1},
        sound | {"mac": "x"},
        sound | {"enc_kid": "c"},
        sound | {"enc_kid": 1},
    ):
        with pytest.raises(Malformed):
            unpack(signed(json.dumps(plain | {"sealed": other}).encode()), keys=KEYS)


def test_wrong_sender_and_recipient_are_refused() -> None:
    with pytest.raises(NotForMe):
        unpack(TOKEN, keys=KEYS, sender="ru.rpn")
    with pytest.raises(NotForMe):
        unpack(TOKEN, keys=KEYS, recipient="ru.rpn")


def test_receipt_signed_by_the_same_key_is_no_envelope() -> None:
    header = canonical({"alg": "Ed25519", "kid": KEY.kid, "typ": RECEIPT_TYPE})

    with pytest.raises(ForeignType):
        unpack(signed(json.dumps(PAYLOAD).encode(), header), keys=KEYS)


def test_four_mebibytes_are_read_and_one_byte_more_is_not() -> None:
    with pytest.raises(Malformed, match="at most 4194304"):
        unpack(b"a" * (4 * 1024 * 1024 + 1), keys=KEYS)


def test_packing_refuses_what_unpacking_would() -> None:
    with pytest.raises(Malformed):
        pack(replace(HEADER, channel="Not a channel"), b"{}", key=KEY)
    with pytest.raises(Malformed, match="UTF-8"):
        pack(HEADER, b"\xff", key=KEY)
    with pytest.raises(Malformed, match="another key"):
        pack(HEADER, b"{}", key=KEY, kid=RECEIVER.keys.transport.kid)
    with pytest.raises(Malformed, match="body kind"):
        pack(replace(HEADER, body_kind="sealed"), b"{}", key=KEY)


def test_control_messages_travel_without_agreement_channel_and_purpose() -> None:
    header = replace(
        HEADER, agreement="", channel="", purpose="", schema="exchange.card/1", data_class=DataClass.PUBLIC
    )

    assert unpack(pack(header, b"{}", key=KEY), keys=KEYS).header == header


def test_ciphertext_beside_a_plain_envelope_is_refused() -> None:
    with pytest.raises(CiphertextMismatch):
        check_ciphertext(unpack(TOKEN, keys=KEYS), b"anything")


@given(st.datetimes(min_value=NOW.replace(tzinfo=None)), st.binary(min_size=10, max_size=10))
def test_ids_are_uuid7_of_their_moment(moment: object, tail: bytes) -> None:
    at = moment.replace(tzinfo=NOW.tzinfo)  # type: ignore[attr-defined]

    made = UUID(new_id(at, lambda count: tail[:count]))

    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == int(at.timestamp() * 1000)


def test_later_ids_sort_behind_earlier_ones() -> None:
    assert new_id(NOW) < new_id(NOW + timedelta(milliseconds=1))
    assert new_id(NOW) != new_id(NOW)


def test_created_at_is_the_senders_claim_to_the_microsecond() -> None:
    header = replace(HEADER, created_at=NOW + timedelta(microseconds=7))

    assert unpack(pack(header, b"{}", key=KEY), keys=KEYS).header.created_at == header.created_at
    assert utc_text(header.created_at).endswith("000007Z")
