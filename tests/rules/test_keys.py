import base64
import json
from collections import Counter

import pytest

from corridor.exchange.rules import keys
from corridor.exchange.rules.keys import (
    SMALL_ORDER,
    MalformedKey,
    SealingKey,
    SigningKey,
    UnknownSuite,
    WeakKey,
    check_encryption,
    check_point,
    check_public,
    sign_statement,
    suite,
    thumbprint,
    verify,
    verify_statement,
)
from corridor.exchange.rules.published_keys import PUBLISHED_KEYS
from tests.reference import edwards25519
from tests.shared import shared

RFC_8032_TEST_1 = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
REFUSED_FLAGS = {
    "low_order_A",
    "low_order_R",
    "non_canonical_A",
    "non_canonical_R",
    "low_order_component_A",
    "low_order_component_R",
    "low_order_residue",
    "reencoded_k",
}


def test_signature_counts_for_its_message_and_key_alone() -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    signature = key.sign(b"message")

    assert verify(key.public, signature, b"message")
    assert not verify(key.public, signature, b"massage")
    assert not verify(other.public, signature, b"message")
    assert not verify(key.public, signature[:-1], b"message")
    assert not verify(key.public[:-1], signature, b"message")


def test_scalar_of_the_signature_must_be_reduced() -> None:
    key = SigningKey.generate()
    signature = key.sign(b"message")
    scalar = int.from_bytes(signature[32:], "little") + edwards25519.ORDER

    assert not verify(key.public, signature[:32] + scalar.to_bytes(32, "little"), b"message")


def test_each_flagged_case_of_cctv_is_refused_and_the_one_without_flag_counts() -> None:
    cases = json.loads(shared("vectors/cctv-ed25519/ed25519vectors.json").read_text())
    refused: Counter[str] = Counter()

    for case in cases:
        counts = verify(bytes.fromhex(case["key"]), bytes.fromhex(case["sig"]), case["msg"].encode())
        flags = set(case["flags"] or [])
        assert flags <= REFUSED_FLAGS
        assert counts is not bool(flags), (case["number"], flags)
        refused.update(flags)
    assert len(cases) == 914
    assert set(refused) == REFUSED_FLAGS


def test_without_our_own_rules_the_library_accepts_flagged_cases() -> None:
    """What the guard adds: OpenSSL alone counts 207 flagged cases."""
    cases = json.loads(shared("vectors/cctv-ed25519/ed25519vectors.json").read_text())

    accepted = [case for case in cases if case["flags"] and library_accepts(case)]

    assert len(accepted) == 207


def library_accepts(case: dict) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(case["key"]))
        public.verify(bytes.fromhex(case["sig"]), case["msg"].encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def test_vectors_of_wycheproof_agree() -> None:
    groups = json.loads(shared("vectors/wycheproof/ed25519_test.json").read_text())["testGroups"]
    count = 0

    for group in groups:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            count += 1
            counts = verify(public, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
            assert counts is (case["result"] == "valid"), case["tcId"]
    assert count == 151


def test_all_fourteen_encodings_of_small_order_are_known_and_no_others() -> None:
    assert edwards25519.small_order_encodings() == SMALL_ORDER
    for encoding in SMALL_ORDER:
        with pytest.raises(WeakKey):
            check_point(encoding)


def test_key_with_a_component_of_small_order_is_refused() -> None:
    public = SigningKey.generate().public
    mixed = edwards25519.plus_small_order(public)

    check_point(public)
    for encoding in mixed:
        with pytest.raises(WeakKey, match="component of small order"):
            check_point(encoding)
    assert len(mixed) == 7


@pytest.mark.parametrize("y", [2, 7, 2**255 - 1, 2**255 - 18])
def test_what_is_no_point_or_not_canonical_is_refused(y: int) -> None:
    with pytest.raises(WeakKey):
        check_point(y.to_bytes(32, "little"))


def test_key_of_another_length_is_refused() -> None:
    for call in (check_point, check_encryption, SigningKey.from_bytes, SealingKey.from_bytes):
        with pytest.raises(MalformedKey):
            call(b"\1" * 31)


def test_published_test_keys_are_refused_for_pinning() -> None:
    public = SigningKey.from_bytes(RFC_8032_TEST_1).public

    check_point(public)
    with pytest.raises(WeakKey, match="published"):
        check_public(public)


def test_every_sound_key_of_the_vector_folders_is_on_the_list_of_published_keys() -> None:
    groups = json.loads(shared("vectors/wycheproof/ed25519_test.json").read_text())["testGroups"]
    cases = json.loads(shared("vectors/cctv-ed25519/ed25519vectors.json").read_text())
    notes = json.loads(shared("vectors/c2sp-note/signed_note_go.json").read_text())["cases"]
    publics = {bytes.fromhex(group["publicKey"]["pk"]) for group in groups}
    publics |= {bytes.fromhex(case["key"]) for case in cases}
    publics |= {base64.b64decode(each.split("+", 2)[2])[1:] for case in notes for each in case["verifiers"]}

    for public in publics:
        with pytest.raises(WeakKey):
            check_public(public)
    assert len(publics) > 70
    assert thumbprint(SigningKey.from_bytes(RFC_8032_TEST_1).public) in PUBLISHED_KEYS


@pytest.mark.parametrize("u", [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 1, 2**255])
def test_weak_encryption_keys_are_refused(u: int) -> None:
    with pytest.raises(WeakKey):
        check_encryption(u.to_bytes(32, "little"))


def test_sound_encryption_key_is_taken() -> None:
    check_encryption(SealingKey.generate().public)


def test_thumbprint_is_that_of_rfc_8037() -> None:
    public = SigningKey.from_bytes(RFC_8032_TEST_1).public

    assert thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("kind", [SigningKey, SealingKey])
def test_private_material_never_shows(kind: type[SigningKey] | type[SealingKey]) -> None:
    key = kind.generate()
    private = key.private_bytes()

    for shown in (repr(key), str(key), f"{key}"):
        assert private.hex() not in shown
        assert repr(private) not in shown
    assert kind.from_bytes(private) == key
    assert kind.from_bytes(private).kid == key.kid


def test_statement_of_one_kind_is_none_of_another() -> None:
    key = SigningKey.generate()
    signature = sign_statement(b"data", kind="health-corridor.card/1", key=key)

    assert verify_statement(b"data", kind="health-corridor.card/1", public=key.public, signature=signature)
    assert not verify_statement(b"data", kind="health-corridor.agreement/1", public=key.public, signature=signature)
    assert not verify(key.public, signature, b"data")


def test_suites_are_known_by_name_and_nothing_else_is() -> None:
    assert suite("hc1").signature == "Ed25519"
    with pytest.raises(UnknownSuite, match="gost-1"):
        suite("gost-1")
    assert set(keys.SUITES) == {"hc1"}
