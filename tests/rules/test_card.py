from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.errors import CorridorError
from corridor.exchange.rules.canonical import b64, canonical, parse_canonical
from corridor.exchange.rules.card import (
    CARD,
    BadFingerprint,
    BrokenChain,
    NodeKeys,
    card_file,
    fingerprint,
    make_reinstatement,
    make_revocation,
    parse_fingerprint,
    read_card,
    read_chain,
    read_reinstatement,
    read_revocation,
    read_rotation,
    rotate_card,
    show_fingerprint,
)
from corridor.exchange.rules.jws import BadSignature, Malformed
from corridor.exchange.rules.keys import SigningKey, UnknownSuite, WeakKey, sign_statement
from tests.rules.evidence_case import NOW, Party

RFC_8032_TEST_1 = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")


def resigned(party: Party, **members: object) -> bytes:
    """Return the party's card with other members, signed again by its own keys."""
    card = parse_canonical(party.card.signed)["card"] | members
    keys = (party.keys.transport, party.keys.log, party.keys.agreement)
    signatures = {key.kid: b64(sign_statement(canonical(card), kind=CARD, key=key)) for key in keys}
    return canonical({"card": card, "signatures": signatures})


def test_card_reads_back_as_it_was_made() -> None:
    party = Party.found("pk.nih")

    card = read_card(party.card.signed)

    assert card == party.card
    assert card.names == {"en": "pk.nih"}
    assert card.keys == party.keys.public
    assert not card.demo


def test_demonstration_cards_say_so() -> None:
    assert read_card(Party.found("pk.nih", demo=True).card.signed).demo


def test_fingerprint_is_eight_groups_and_reads_back_however_it_was_typed() -> None:
    shown = Party.found("pk.nih").fingerprint

    assert len(shown.split("-")) == 8
    for typed in (
        shown.lower(),
        shown.replace("-", " "),
        shown.replace("-", ""),
        f"  {shown}\n",
        shown.replace("0", "O"),
    ):
        assert parse_fingerprint(typed) == shown


@given(st.binary(min_size=20, max_size=20))
def test_any_fingerprint_reads_back_with_letters_that_look_alike(data: bytes) -> None:
    shown = show_fingerprint(data.hex())

    assert parse_fingerprint(shown.replace("1", "l").replace("0", "o")) == shown


@pytest.mark.parametrize("text", ["", "AB12", "AB12-" * 8 + "A", "UUUU-" * 7 + "UUUU", "é" * 32, "a" * 64])
def test_text_that_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(BadFingerprint, match="eight groups"):
        parse_fingerprint(text)


def test_fingerprint_covers_each_key_and_the_recovery_key() -> None:
    party = Party.found("pk.nih")
    shown = {Party.found("pk.nih").fingerprint, party.fingerprint}

    for name in ("transport", "log", "agreement", "encryption"):
        keys = replace(party.keys, **{name: getattr(NodeKeys.generate(), name)})
        other = Party(keys, party.recovery, party.card)
        public = {each: b64(getattr(keys.public, each)) for each in ("transport", "log", "agreement", "encryption")}
        with pytest.raises(BrokenChain, match="fingerprint"):
            read_card(resigned(other, keys=public))
    assert len(shown) == 2


def test_rotation_needs_the_old_key_and_the_recovery_key() -> None:
    party, keys = Party.found("pk.nih"), NodeKeys.generate()
    old, recovery = party.keys.agreement, party.recovery

    rotated = rotate_card(party.card, keys=keys, issued_at=NOW, previous_agreement_key=old, recovery_key=recovery)

    assert read_rotation(rotated.signed, party.card) == rotated
    assert fingerprint(rotated) == party.fingerprint
    assert rotated.keys == keys.public
    for given_keys in ({}, {"previous_agreement_key": old}, {"recovery_key": recovery}):
        with pytest.raises(BrokenChain, match="lacks a signature"):
            rotate_card(party.card, keys=keys, issued_at=NOW, **given_keys)


def test_thief_of_all_online_keys_appoints_no_successor() -> None:
    party, keys = Party.found("pk.nih"), NodeKeys.generate()

    with pytest.raises(BrokenChain):
        rotate_card(
            party.card,
            keys=keys,
            issued_at=NOW,
            previous_agreement_key=party.keys.agreement,
            recovery_key=SigningKey.generate(),
        )


def test_new_recovery_key_needs_the_old_one_and_itself() -> None:
    party, recovery = Party.found("pk.nih"), SigningKey.generate()

    rotated = rotate_card(
        party.card,
        keys=party.keys,
        issued_at=NOW,
        previous_agreement_key=party.keys.agreement,
        recovery_key=party.recovery,
        new_recovery_key=recovery,
    )

    assert rotated.recovery == recovery.public
    with pytest.raises(BrokenChain):
        rotate_card(party.card, keys=party.keys, issued_at=NOW, new_recovery_key=recovery)


def test_new_address_with_the_same_keys_needs_those_keys_alone() -> None:
    party = Party.found("pk.nih")

    moved = rotate_card(party.card, keys=party.keys, issued_at=NOW, url="https://new.example.org")

    assert read_rotation(moved.signed, party.card).url == "https://new.example.org"


def test_chain_reads_to_its_latest_card_and_a_later_card_alone_is_not_believed() -> None:
    party, keys = Party.found("pk.nih"), NodeKeys.generate()
    signers = {"previous_agreement_key": party.keys.agreement, "recovery_key": party.recovery}
    second = rotate_card(party.card, keys=keys, issued_at=NOW, **signers)
    third = rotate_card(second, keys=keys, issued_at=NOW, names={"en": "New name"})

    chain = read_chain(card_file([party.card, second, third]))

    assert chain == (party.card, second, third)
    assert read_card(card_file(chain)) == third
    with pytest.raises(BrokenChain, match="chain from its first card"):
        read_card(third.signed)
    with pytest.raises(BrokenChain):
        read_chain(card_file([party.card, third]))
    with pytest.raises(BrokenChain):
        read_rotation(third.signed, party.card)


def test_card_of_another_node_is_no_successor() -> None:
    party, other = Party.found("pk.nih"), Party.found("cn.cdc")
    moved = rotate_card(other.card, keys=other.keys, issued_at=NOW)

    with pytest.raises(BrokenChain):
        read_rotation(moved.signed, party.card)


def test_successor_is_not_older_than_its_predecessor() -> None:
    party = Party.found("pk.nih")

    with pytest.raises(BrokenChain, match="older"):
        rotate_card(party.card, keys=party.keys, issued_at=party.card.issued_at - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("id", "PK.nih"),
        ("id", "cn.nih"),
        ("id", "pk"),
        ("id", "pk..nih"),
        ("country", "Pakistan"),
        ("country", "RU"),
        ("legal_entity", ""),
        ("names", {}),
        ("names", {"en": 1}),
        ("url", "ftp://node.example.org"),
        ("url", "https://user:password@node.example.org"),
        ("url", "https://node.example.org/path"),
        ("url", "https://node.example.org?x"),
        ("url", "https://"),
        ("url", "https://node.example.org:99999"),
        ("url", "https://n\u043ede.example.org"),
        ("url", "https://node.example.org\\@evil.example"),
        ("url", None),
        ("keys", {}),
        ("recovery", "AA"),
        ("issued_at", "2026-01-01"),
        ("serial", True),
        ("serial", 0),
        ("previous", "x"),
        ("fingerprint", "x"),
        ("demo", 1),
        ("suite", 1),
        ("schema", "health-corridor.card/2"),
    ],
)
def test_card_with_a_member_of_another_form_is_refused(member: str, value: object) -> None:
    with pytest.raises(Malformed):
        read_card(resigned(Party.found("pk.nih"), **{member: value}))


def test_card_with_a_member_too_many_is_refused() -> None:
    with pytest.raises(Malformed):
        read_card(resigned(Party.found("pk.nih"), more=1))


def test_unknown_suite_is_refused() -> None:
    with pytest.raises(UnknownSuite):
        read_card(resigned(Party.found("pk.nih"), suite="hc9"))


def test_published_and_weak_keys_are_refused_in_every_place() -> None:
    party = Party.found("pk.nih")
    published = SigningKey.from_bytes(RFC_8032_TEST_1).public
    keys = parse_canonical(party.card.signed)["card"]["keys"]

    for name, weak in (
        ("transport", published),
        ("log", published),
        ("agreement", b"\0" * 32),
        ("encryption", b"\0" * 32),
    ):
        with pytest.raises(WeakKey):
            read_card(resigned(party, keys=keys | {name: b64(weak)}))
    with pytest.raises(WeakKey):
        read_card(resigned(party, recovery=b64(published)))


def test_one_key_serves_one_purpose() -> None:
    party = Party.found("pk.nih")
    keys = parse_canonical(party.card.signed)["card"]["keys"]

    with pytest.raises(Malformed, match="three different keys"):
        read_card(resigned(party, keys=keys | {"log": keys["transport"]}))
    with pytest.raises(Malformed, match="none of the online keys"):
        read_card(resigned(party, recovery=keys["transport"]))


def test_missing_foreign_and_wrong_signatures_are_refused() -> None:
    party = Party.found("pk.nih")
    document = parse_canonical(party.card.signed)
    signatures = document["signatures"]
    first = next(iter(signatures))

    with pytest.raises(BrokenChain):
        read_card(canonical(document | {"signatures": {kid: sig for kid, sig in signatures.items() if kid != first}}))
    with pytest.raises(Malformed, match="nobody asked for"):
        read_card(canonical(document | {"signatures": signatures | {"x" * 43: "AA"}}))
    with pytest.raises(BadSignature):
        read_card(canonical(document | {"signatures": signatures | {first: b64(b"\1" * 64)}}))


@given(st.data())
def test_card_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    signed = CARD_UNDER_TEST.card.signed
    place = data.draw(st.integers(0, len(signed) - 1))
    changed = signed[:place] + bytes([signed[place] ^ data.draw(st.integers(1, 255))]) + signed[place + 1 :]

    with pytest.raises(CorridorError):
        read_card(changed)


CARD_UNDER_TEST = Party.found("pk.nih")


@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_typed_errors(data: bytes) -> None:
    with pytest.raises(CorridorError):
        read_card(data)


def test_either_key_revokes_and_only_the_recovery_key_reinstates() -> None:
    party = Party.found("pk.nih")

    for key, by_recovery in ((party.keys.agreement, False), (party.recovery, True)):
        revocation = read_revocation(make_revocation(party.card, key=key, at=NOW, reason="stolen"), party.card)
        assert revocation.by_recovery is by_recovery
        again = make_reinstatement(revocation, card=party.card, recovery_key=party.recovery, at=NOW)
        assert read_reinstatement(again, revocation=revocation, card=party.card).card == party.card.hash
        forged = make_reinstatement(revocation, card=party.card, recovery_key=party.keys.agreement, at=NOW)
        with pytest.raises(BadSignature):
            read_reinstatement(forged, revocation=revocation, card=party.card)


def test_revocation_by_any_other_key_or_of_another_card_is_refused() -> None:
    party, other = Party.found("pk.nih"), Party.found("pk.pims")

    for key in (party.keys.transport, party.keys.log, SigningKey.generate()):
        with pytest.raises(BadSignature):
            read_revocation(make_revocation(party.card, key=key, at=NOW, reason=""), party.card)
    borrowed = make_revocation(other.card, key=party.keys.agreement, at=NOW, reason="")
    with pytest.raises(BrokenChain, match="another card"):
        read_revocation(borrowed, party.card)


def test_reinstatement_of_another_revocation_is_refused() -> None:
    party = Party.found("pk.nih")
    one, two = (
        read_revocation(make_revocation(party.card, key=party.recovery, at=NOW, reason=reason), party.card)
        for reason in ("one", "two")
    )
    lifted = make_reinstatement(one, card=party.card, recovery_key=party.recovery, at=NOW)

    with pytest.raises(BrokenChain):
        read_reinstatement(lifted, revocation=two, card=party.card)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"schema": "health-corridor.card/2"}, r"expected a card in version health-corridor.card/1.*Upgrade this node"),
        ({"witnesses": []}, r"unknown: witnesses\. If a newer node wrote it, upgrade this one"),
        ({"suite": "hc2"}, r"suite 'hc2' is unknown here; known: hc1\. Upgrade this node"),
    ],
    ids=["version", "member", "suite"],
)
def test_card_that_a_newer_node_wrote_is_refused_with_what_to_do(members: dict[str, object], said: str) -> None:
    with pytest.raises(CorridorError, match=said):
        read_card(resigned(Party.found("pk.nih"), **members))
