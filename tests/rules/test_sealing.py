from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.envelope import CiphertextMismatch, NotForMe, check_ciphertext, pack, unpack
from corridor.exchange.rules.keys import SealingKey, WeakKey
from corridor.exchange.rules.sealing import SMALLEST_CIPHERTEXT, CannotOpen, commitment, open_sealed, seal
from tests.rules.evidence_case import Party, header_for

SENDER, RECEIVER = Party.found("pk.nih"), Party.found("cn.cdc")
KEY = RECEIVER.keys.encryption
HEADER = header_for(SENDER, RECEIVER, agreement="a" * 64, data_class=DataClass.PERSONAL, sealed=True)


@given(st.binary(max_size=3000))
def test_body_comes_back_and_the_ciphertext_is_a_power_of_two(body: bytes) -> None:
    sealed = seal(body, header=HEADER, recipient_key=KEY.public)

    opened = open_sealed(sealed.ciphertext, header=HEADER, mac=sealed.mac, key=KEY)

    assert opened.body == body
    assert commitment(body, r=opened.r) == sealed.mac
    length = len(sealed.ciphertext)
    assert length >= SMALLEST_CIPHERTEXT
    assert length & (length - 1) == 0
    assert length == SMALLEST_CIPHERTEXT or length < 2 * (len(body) + 32 + 1 + 48)


@pytest.mark.parametrize("tail", [b"\x80", b"\x80\0\0", b"\0", b"\0" * 50])
def test_body_that_ends_like_padding_comes_back(tail: bytes) -> None:
    sealed = seal(b"body" + tail, header=HEADER, recipient_key=KEY.public)

    assert open_sealed(sealed.ciphertext, header=HEADER, mac=sealed.mac, key=KEY).body == b"body" + tail


def test_sealed_envelope_carries_no_plaintext_and_opens_at_its_receiver() -> None:
    sealed = seal(b"name of a patient", header=HEADER, recipient_key=KEY.public)
    token = pack(HEADER, sealed, key=SENDER.keys.transport)

    unpacked = unpack(token, keys=SENDER.card.transport_keys)
    check_ciphertext(unpacked, sealed.ciphertext)

    assert unpacked.sealed is not None
    assert unpacked.body is None
    opened = open_sealed(sealed.ciphertext, header=unpacked.header, mac=unpacked.sealed.mac, key=KEY)
    assert opened.body == b"name of a patient"
    assert b"patient" not in sealed.ciphertext
    assert "patient" not in repr(opened)


def test_commitment_does_not_repeat_for_one_body() -> None:
    first, second = (seal(b"yes", header=HEADER, recipient_key=KEY.public) for _ in range(2))

    assert first.mac != second.mac


@pytest.mark.parametrize("member", ["id", "from_", "to", "agreement", "channel", "schema", "data_class"])
def test_ciphertext_opens_in_no_other_envelope(member: str) -> None:
    sealed = seal(b"body", header=HEADER, recipient_key=KEY.public)
    other = replace(HEADER, **{member: DataClass.GENETIC if member == "data_class" else "other"})

    with pytest.raises(CannotOpen):
        open_sealed(sealed.ciphertext, header=other, mac=sealed.mac, key=KEY)


def test_another_key_opens_nothing() -> None:
    sealed = seal(b"body", header=HEADER, recipient_key=KEY.public)

    with pytest.raises(CannotOpen):
        open_sealed(sealed.ciphertext, header=HEADER, mac=sealed.mac, key=SealingKey.generate())


def test_body_other_than_the_committed_one_is_refused() -> None:
    sealed = seal(b"body", header=HEADER, recipient_key=KEY.public)

    with pytest.raises(CannotOpen, match="committed"):
        open_sealed(sealed.ciphertext, header=HEADER, mac="0" * 64, key=KEY)


@given(st.data())
def test_ciphertext_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    sealed = seal(b"body", header=HEADER, recipient_key=KEY.public)
    place = data.draw(st.integers(0, len(sealed.ciphertext) - 1))
    changed = bytearray(sealed.ciphertext)
    changed[place] ^= data.draw(st.integers(1, 255))
    unpacked = unpack(pack(HEADER, sealed, key=SENDER.keys.transport), keys=SENDER.card.transport_keys)

    with pytest.raises(CiphertextMismatch):
        check_ciphertext(unpacked, bytes(changed))
    # The highest bit of an X25519 key means nothing, so that change opens; the hash above is what refuses it.
    if place != 31 or changed[31] ^ sealed.ciphertext[31] != 0x80:
        with pytest.raises(CannotOpen):
            open_sealed(bytes(changed), header=HEADER, mac=sealed.mac, key=KEY)


@pytest.mark.parametrize("length", [0, 1, 128, 255, 257, 300])
def test_ciphertext_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(CannotOpen, match="power of two"):
        open_sealed(b"\1" * length, header=HEADER, mac="0" * 64, key=KEY)


def test_weak_encryption_key_is_refused() -> None:
    with pytest.raises(WeakKey):
        seal(b"body", header=HEADER, recipient_key=b"\0" * 32)


def test_ciphertext_replayed_under_another_recipient_is_refused_before_it_is_opened() -> None:
    sealed = seal(b"body", header=HEADER, recipient_key=KEY.public)
    token = pack(HEADER, sealed, key=SENDER.keys.transport)

    with pytest.raises(NotForMe):
        unpack(token, keys=SENDER.card.transport_keys, recipient="ru.rpn")
