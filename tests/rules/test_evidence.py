from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.exchange.rules.canonical import b64, canonical, parse_canonical, sha256_hex
from corridor.exchange.rules.card import (
    BadFingerprint,
    NodeKeys,
    make_reinstatement,
    make_revocation,
    read_revocation,
    rotate_card,
)
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.control import make_checkpoint_statement
from corridor.exchange.rules.envelope import pack
from corridor.exchange.rules.evidence import Contents, NodeHistory, Opening, Verdict, build, verify
from corridor.exchange.rules.sealing import open_sealed, seal
from tests.rules.evidence_case import NOW, Case, Party, crossed, header_for

CASE = crossed()
FILE = build(CASE.contents)


def rewritten(file: bytes, **members: Any) -> bytes:
    """Return an evidence file with other members and a digest that fits them, as a forger would."""
    document = {name: value for name, value in parse_canonical(file).items() if name != "digest"} | members
    return canonical({**document, "digest": sha256_hex(canonical(document))})


def judged(case: Case, **changes: Any) -> Verdict:
    return verify(build(replace(case.contents, **changes)), case.trust)


def test_evidence_of_an_envelope_is_authentic_for_who_pinned_both_sides() -> None:
    verdict = verify(FILE, CASE.trust)

    assert verdict.status == "authentic", verdict.reasons
    assert verdict.exit_code == 0
    assert verdict.reasons == ()
    assert {node.node for node in verdict.nodes if node.is_pinned} == {"pk.nih", "cn.cdc"}
    assert any("the leaf that the receipt names stands in the log of cn.cdc" in each for each in verdict.findings)
    assert any("no party is missing" in each for each in verdict.findings)


def test_times_are_bounded_by_what_the_other_side_held() -> None:
    verdict = verify(FILE, CASE.trust)

    assert verdict.claimed_at == NOW
    assert verdict.earliest_at == NOW - timedelta(hours=1)
    assert verdict.latest_at == NOW + timedelta(seconds=1)


def test_every_single_changed_byte_is_found() -> None:
    for place, byte in enumerate(FILE):
        changed = bytearray(FILE)
        # 0x01 keeps most letters letters and digits digits; every seventh byte gets its case turned, which base64
        # minds.
        changed[place] = byte ^ (0x20 if place % 7 == 0 else 0x01)
        verdict = verify(bytes(changed), CASE.trust)
        assert verdict.status == "altered", place
        assert verdict.exit_code == 3
        assert verdict.reasons


@given(st.data())
def test_any_byte_changed_to_any_other_is_found(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(FILE) - 1))
    changed = FILE[:place] + bytes([FILE[place] ^ data.draw(st.integers(1, 255))]) + FILE[place + 1 :]

    assert verify(changed, CASE.trust).status == "altered"


@given(st.integers(0, len(FILE) - 1), st.binary(max_size=3))
def test_any_byte_left_out_or_put_in_is_found(place: int, more: bytes) -> None:
    shorter, longer = FILE[:place] + FILE[place + 1 :], FILE[:place] + more + FILE[place:]

    assert verify(shorter, CASE.trust).status == "altered"
    assert not more or verify(longer, CASE.trust).status == "altered"


def leaves_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    return [path] if items is None else [each for key, member in items for each in leaves_of(member, (*path, key))]


def changed_at(document: Any, path: tuple[Any, ...]) -> Any:
    """Return a copy of the document with another value of the same form at the path."""
    if path:
        copy = dict(document) if isinstance(document, dict) else list(document)
        copy[path[0]] = changed_at(document[path[0]], path[1:])
        return copy
    if isinstance(document, int):
        return document + 1
    if isinstance(document, str):
        middle = len(document) // 2
        return document[:middle] + ("B" if document[middle] == "A" else "A") + document[middle + 1 :]
    return "AAAA"


def test_forger_who_repairs_the_digest_is_found_in_every_member() -> None:
    """The digest is not what protects: without it each value is still bound by a signature or a proof."""
    document = parse_canonical(FILE)
    paths = [path for path in leaves_of(document) if path != ("digest",)]

    for path in paths:
        verdict = verify(
            rewritten(FILE, **{k: v for k, v in changed_at(document, path).items() if k != "digest"}), CASE.trust
        )
        assert verdict.status == "altered", path
    assert len(paths) > 25


def test_forgery_with_fresh_keys_is_consistent_and_not_authentic() -> None:
    forged = crossed()

    verdict = verify(build(forged.contents), CASE.trust)

    assert verdict.status == "unauthenticated"
    assert verdict.exit_code == 3
    assert any("another node's, or forged" in reason for reason in verdict.reasons)


def test_without_pinned_fingerprints_nothing_is_authentic() -> None:
    verdict = verify(FILE, {})

    assert verdict.status == "unauthenticated"
    assert len(verdict.reasons) == 2
    assert not any(node.is_pinned for node in verdict.nodes)


@pytest.mark.parametrize("pinned", ["pk.nih", "cn.cdc"])
def test_partial_trust_says_who_is_not_pinned(pinned: str) -> None:
    verdict = verify(FILE, {pinned: CASE.trust[pinned]})
    other = ({"pk.nih", "cn.cdc"} - {pinned}).pop()

    assert verdict.status == "unauthenticated"
    assert [reason.startswith(f"{other} is not pinned") for reason in verdict.reasons] == [True]
    assert [node.node for node in verdict.nodes if node.is_pinned] == [pinned]


def test_fingerprints_of_the_two_nodes_exchanged_are_not_trust() -> None:
    swapped = {"pk.nih": CASE.trust["cn.cdc"], "cn.cdc": CASE.trust["pk.nih"]}

    assert verify(FILE, swapped).status == "unauthenticated"


def test_pinned_node_that_signed_nothing_is_remarked() -> None:
    verdict = verify(FILE, CASE.trust | {"ru.rpn": Party.found("ru.rpn").fingerprint})

    assert verdict.status == "authentic"
    assert any("ru.rpn is pinned by you, but nothing" in remark for remark in verdict.remarks)


def test_text_that_is_no_fingerprint_is_the_readers_fault_and_not_the_files() -> None:
    with pytest.raises(BadFingerprint):
        verify(FILE, {"pk.nih": "AB12"})


def test_refusal_names_its_reason() -> None:
    case = crossed(outcome="refused", reason="cell_below_limit")

    verdict = verify(build(case.contents), case.trust)

    assert verdict.status == "authentic", verdict.reasons
    assert any("refused (cell_below_limit)" in each for each in verdict.findings)


def test_refusal_by_the_senders_own_gate_needs_no_receipt() -> None:
    for kind in ("refused", "withdrawn"):
        log = CASE.sender.log(sha256_hex(CASE.contents.agreement))
        log.append(kind=kind, envelope=sha256_hex(CASE.contents.envelope), reason="cell_below_limit")
        contents = Contents(
            kind="refusal",
            nodes={"pk.nih": CASE.sender.history},
            envelope=CASE.contents.envelope,
            proofs=(log.prove(0),),
        )

        assert verify(build(contents), CASE.trust).status == "authentic"
        assert verify(build(replace(contents, kind="envelope")), CASE.trust).status == "altered"


def test_without_statements_the_agreement_and_the_receipt_bound_the_time() -> None:
    verdict = judged(CASE, statements=())

    assert verdict.earliest_at == NOW - timedelta(days=9)
    assert verdict.latest_at == NOW + timedelta(seconds=2)


@pytest.mark.parametrize("kind", ["refusal", "receipt", "agreement"])
def test_file_about_one_thing_is_not_shown_as_about_another(kind: str) -> None:
    assert judged(CASE, kind=kind).status == "altered"


def test_refusal_is_not_shown_as_accepted() -> None:
    case = crossed(outcome="refused", reason="cell_below_limit")

    assert judged(case, kind="envelope").status == "altered"


def test_receipt_alone_and_agreement_alone_are_evidence_too() -> None:
    contents = CASE.contents
    receipt = Contents(
        kind="receipt", nodes={"cn.cdc": CASE.receiver.history}, receipt=contents.receipt, proofs=contents.proofs[1:]
    )
    agreement = Contents(
        kind="agreement",
        nodes=contents.nodes,
        agreement=contents.agreement,
        agreement_signatures=contents.agreement_signatures,
    )

    assert verify(build(receipt), CASE.trust).status == "authentic"
    assert verify(build(agreement), CASE.trust).status == "authentic"
    one = replace(
        agreement, nodes={"pk.nih": CASE.sender.history}, agreement_signatures=contents.agreement_signatures[:1]
    )
    verdict = verify(build(one), CASE.trust)
    assert any("without the signature of cn.cdc" in each for each in verdict.findings)


def test_record_of_an_envelope_is_no_proof_about_its_agreement() -> None:
    agreement = replace(CASE.contents, kind="agreement", envelope=None, receipt=None, statements=())

    assert verify(build(agreement), CASE.trust).status == "altered"


def test_parts_of_another_case_do_not_fit() -> None:
    other = crossed().contents

    for name in ("receipt", "agreement", "agreement_signatures", "proofs", "statements", "envelope"):
        assert judged(CASE, **{name: getattr(other, name)}).status == "altered", name


def test_signature_of_who_is_no_party_is_refused() -> None:
    stranger = Party.found("ru.rpn")
    nodes = {**CASE.contents.nodes, "ru.rpn": stranger.history}

    assert judged(CASE, nodes=nodes).status == "altered"
    twice = CASE.contents.agreement_signatures[:1] * 2
    assert judged(CASE, agreement_signatures=twice).status == "altered"


def test_missing_cards_are_named() -> None:
    verdict = judged(CASE, nodes={"pk.nih": CASE.sender.history})

    assert verdict.status == "altered"


def test_cards_under_another_nodes_name_are_refused() -> None:
    nodes = {"pk.nih": CASE.receiver.history, "cn.cdc": CASE.sender.history}

    assert judged(CASE, nodes=nodes).status == "altered"


def test_leaf_about_another_envelope_proves_nothing() -> None:
    assert judged(CASE, proofs=(CASE.sent.prove(0),)).status == "altered"


def test_receipt_that_the_receivers_log_contradicts_is_found() -> None:
    forked = replace(CASE.received, leaves=list(CASE.received.leaves))
    place = len(forked.leaves) - 1
    forked.leaves[place] = (
        forked.leaves[place][0],
        canonical({"envelope": sha256_hex(CASE.contents.envelope), "x": 1}),
    )

    verdict = judged(CASE, proofs=(CASE.contents.proofs[0], forked.prove(place)))

    assert verdict.status == "altered"
    assert "names another leaf" in verdict.reasons[0]


def sealed_case() -> tuple[Case, bytes, Opening]:
    header = header_for(CASE.sender, CASE.receiver, agreement="", data_class=DataClass.PERSONAL, sealed=True)
    sealed = seal(b"body", header=header, recipient_key=CASE.receiver.card.keys.encryption)
    token = pack(header, sealed, key=CASE.sender.keys.transport)
    opened = open_sealed(sealed.ciphertext, header=header, mac=sealed.mac, key=CASE.receiver.keys.encryption)
    contents = Contents(
        kind="envelope",
        nodes={"pk.nih": CASE.sender.history},
        envelope=token,
        ciphertext=sealed.ciphertext,
        opening=Opening(r=opened.r, body=opened.body),
    )
    return replace(CASE, contents=contents), sealed.ciphertext, contents.opening


def test_opened_body_is_proved_by_its_commitment_and_another_is_not() -> None:
    case, ciphertext, opening = sealed_case()

    verdict = verify(build(case.contents), case.trust)

    assert verdict.status == "authentic", verdict.reasons
    assert any("body shown" in each for each in verdict.findings)
    assert judged(case, opening=replace(opening, body=b"other")).status == "altered"
    assert judged(case, opening=replace(opening, r=b"\0" * 32)).status == "altered"
    assert judged(case, ciphertext=ciphertext[::-1]).status == "altered"
    assert judged(CASE, opening=opening).status == "altered"
    assert judged(case, opening=None, ciphertext=None).status == "authentic"


def test_rotated_keys_are_believed_through_the_chain_under_the_first_fingerprint() -> None:
    party, keys = CASE.sender, NodeKeys.generate()
    second = rotate_card(
        party.card,
        keys=keys,
        issued_at=NOW,
        previous_agreement_key=party.keys.agreement,
        recovery_key=party.recovery,
    )
    token = pack(header_for(party, CASE.receiver, agreement=""), b"{}", key=keys.transport)
    contents = Contents(
        kind="envelope", nodes={"pk.nih": NodeHistory((party.card.signed, second.signed))}, envelope=token
    )

    assert verify(build(contents), CASE.trust).status == "authentic"
    alone = replace(contents, nodes={"pk.nih": party.history})
    assert verify(build(alone), CASE.trust).status == "altered"


def revoked(case: Case, *, at_hours: float, by_recovery: bool = True) -> Case:
    party = case.sender
    key = party.recovery if by_recovery else party.keys.agreement
    revocation = make_revocation(party.card, key=key, at=NOW + timedelta(hours=at_hours), reason="stolen")
    nodes = {**case.contents.nodes, "pk.nih": NodeHistory((party.card.signed,), (revocation,))}
    return replace(case, contents=replace(case.contents, nodes=nodes))


def test_signature_from_before_a_revocation_counts_if_another_held_a_checkpoint_with_it() -> None:
    # The signature of the agreement has no such proof here, so it is left out.
    case = revoked(CASE, at_hours=1)

    verdict = judged(case, agreement=None, agreement_signatures=())

    assert verdict.status == "authentic", verdict.reasons


def test_signature_with_a_stolen_key_counts_for_nothing_however_it_is_dated() -> None:
    case = revoked(CASE, at_hours=-48)

    verdict = judged(case, agreement=None, agreement_signatures=())

    assert verdict.status == "unauthenticated"
    assert "key revoked" in verdict.reasons[0]


def test_own_checkpoint_does_not_vouch_for_a_revoked_key() -> None:
    case = revoked(CASE, at_hours=1)
    own = make_checkpoint_statement(
        node="pk.nih",
        to="cn.cdc",
        at=NOW,
        nonce="n" * 22,
        key=CASE.sender.keys.transport,
        given=CASE.sent.checkpoint(),
    )

    verdict = judged(case, agreement=None, agreement_signatures=(), statements=(own,))

    assert verdict.status == "unauthenticated"


def test_reinstated_key_counts_again() -> None:
    case = revoked(CASE, at_hours=-48)
    party = case.sender
    revocation = case.contents.nodes["pk.nih"].revocations[0]
    lifted = make_reinstatement(
        read_revocation(revocation, party.card), card=party.card, recovery_key=party.recovery, at=NOW
    )
    nodes = {**case.contents.nodes, "pk.nih": NodeHistory((party.card.signed,), (revocation, lifted))}

    assert judged(case, nodes=nodes).status == "authentic"


def test_reinstatement_without_its_revocation_is_refused() -> None:
    case = revoked(CASE, at_hours=-48)
    party = case.sender
    revocation = read_revocation(case.contents.nodes["pk.nih"].revocations[0], party.card)
    lifted = make_reinstatement(revocation, card=party.card, recovery_key=party.recovery, at=NOW)
    nodes = {**case.contents.nodes, "pk.nih": NodeHistory((party.card.signed,), (lifted,))}

    assert judged(case, nodes=nodes).status == "altered"


def test_cards_of_a_demonstration_are_remarked() -> None:
    party = Party.found("pk.nih", demo=True)
    token = pack(header_for(party, CASE.receiver, agreement=""), b"{}", key=party.keys.transport)
    file = build(Contents(kind="envelope", nodes={"pk.nih": party.history}, envelope=token))

    verdict = verify(file, {"pk.nih": party.fingerprint})

    assert verdict.status == "authentic"
    assert any("demonstration" in remark for remark in verdict.remarks)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(st.characters(codec="ascii"), max_size=6),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(parse_canonical(FILE))), JSON)
def test_any_value_of_any_member_raises_nothing(member: str, value: Any) -> None:
    file = rewritten(FILE, **{member: value} if member != "digest" else {})

    verify(file, CASE.trust)


@given(JSON, st.sampled_from(["cards", "revocations", "agreement", "agreement_signatures", "proofs", "statements"]))
def test_any_document_inside_raises_nothing(value: Any, place: str) -> None:
    text = b64(canonical(value))
    document = parse_canonical(FILE)
    if place in ("cards", "revocations"):
        nodes = document["nodes"]
        changes: dict[str, Any] = {"nodes": nodes | {"pk.nih": nodes["pk.nih"] | {place: [text]}}}
    elif place == "proofs":
        changes = {"proofs": [document["proofs"][0] | {"record": text}]}
    else:
        changes = {place: text if place == "agreement" else [text]}

    assert verify(rewritten(FILE, **changes), CASE.trust).status == "altered"


@given(st.binary(max_size=200))
def test_any_bytes_are_altered_and_raise_nothing(data: bytes) -> None:
    assert verify(data, {}).status == "altered"
