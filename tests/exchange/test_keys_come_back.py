"""Stolen, revoked and lost keys between two nodes: what is refused, and how a partner comes back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from corridor.accounts.actors import System
from corridor.accounts.approvals import Outcome, SamePerson, approve
from corridor.base.errors import UserFault
from corridor.exchange import delivery, keystore, queries
from corridor.exchange.models import Crossing, Dispute, HeldByPeer, OutboxEntry, Partner
from corridor.exchange.queries import agreements as agreement_queries
from corridor.exchange.rules import card as cards
from corridor.exchange.rules.evidence import verify
from corridor.exchange.rules.keys import SigningKey
from corridor.exchange.services import agreement_acts, checkpoints, partners, proofs, receive, rotation
from corridor.server import env
from tests.exchange.nodes import Corridor, Figure, Node, sqlite_wrapper

PK, CN = "pk.nih", "cn.cdc"
pytestmark = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)
ADMIN = System("test")


@pytest.fixture
def agreement(corridor: Corridor) -> str:
    return corridor.sign()


def revoke(node: Node, *, is_delivered: bool = True) -> bytes:
    """Revoke the node's keys by its recovery key; unless the thief keeps the notice from leaving, partners hear it."""
    with node:
        statement = rotation.revoke(reason="stolen", recovery=node.recovery, actor=ADMIN, now=node.now)
    if is_delivered:
        node.deliver()
    return statement


def rotate(node: Node) -> bytes:
    """Replace all keys and return the card file."""
    with node:
        assert node.recovery is not None
        rotation.rotate(names=keystore.NAMES, recovery=node.recovery, home=node.home, actor=ADMIN, now=node.now)
        return partners.own_card_file()


def reinstate(node: Node) -> bytes:
    with node:
        assert node.recovery is not None
        return rotation.reinstate(recovery=node.recovery, actor=ADMIN, now=node.now)


def take(node: Node, document: bytes) -> None:
    """Let two officers of a node take a partner's file."""
    node.both(lambda person: partners.ask_to_take(document, actor=person, now=node.now))


def state(node: Node, partner: str) -> str:
    with node:
        return Partner.objects.get(node_id=partner).state


def values(node: Node) -> list[int]:
    return [value for _, value in node.effects()]


def second_yes(node: Node, waits: Outcome, *, by: str = "second") -> None:
    """Let a person of the active node allow what waits."""
    assert not waits.done
    assert waits.request_id is not None
    approve(waits.request_id, actor=node.person(by), now=node.now)


def print_of(node: Node) -> str:
    with node:
        return partners.own_fingerprint()


def refound(corridor: Corridor, node_id: str, *, template: Path) -> Node:
    """Put a new node of the same id in the place of one that lost home and keys; it knows nobody yet."""
    home = corridor[node_id].home.with_name("founded-again")
    home.mkdir()
    shutil.copyfile(template, home / env.DATABASE_FILE)
    node = Node(corridor, node_id, home=home, wrapper=sqlite_wrapper(home / env.DATABASE_FILE))
    node.found()
    corridor.nodes[node_id] = node
    return node


def pin_anew(node: Node, other: Node) -> None:
    with other:
        document, shown = partners.own_card_file(), partners.own_fingerprint()
    node.both(
        lambda person: partners.ask_to_pin(document, fingerprint=shown, actor=person, now=node.now, anew=other.id)
    )


def test_a_revoked_partner_is_refused_on_both_ways(corridor: Corridor, agreement: str) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    revoke(pakistan)

    assert state(china, PK) == "revoked"
    assert china.send(5, to=PK, agreement=agreement).reason == "key_revoked"
    assert pakistan.send(6, to=CN, agreement=agreement).reason == "key_revoked"
    with pakistan, pytest.raises(partners.KeysRevoked, match="rotate-key"):
        agreement_acts.suspend(agreement, actor=pakistan.person(), now=pakistan.now)
    corridor.settle(passes=3)
    assert values(china) == []


def test_a_reinstated_partner_exchanges_again_and_what_waited_arrives_once(corridor: Corridor, agreement: str) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    corridor.wire.cut.add((PK, CN))
    pakistan.send(7, to=CN, agreement=agreement)
    statement = revoke(pakistan, is_delivered=False)
    corridor.wire.cut.clear()
    take(china, statement)
    corridor.advance(hours=1)
    pakistan.deliver()
    assert values(china) == []

    take(china, reinstate(pakistan))
    corridor.advance(hours=1)
    corridor.settle()
    pakistan.send(8, to=CN, agreement=agreement)
    china.send(9, to=PK, agreement=agreement)
    corridor.settle()

    assert (state(china, PK), values(china), values(pakistan)) == ("pinned", [7, 8], [9])
    assert (pakistan.waiting(), china.waiting()) == (0, 0)


def test_bringing_a_revoked_partner_back_takes_two_persons_and_a_revocation_takes_one(corridor: Corridor) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    statement = revoke(pakistan, is_delivered=False)
    with china:
        assert partners.ask_to_take(statement, actor=china.person(), now=china.now).done
    assert state(china, PK) == "revoked"
    lifted = reinstate(pakistan)
    with china:
        waits = partners.ask_to_take(lifted, actor=china.person(), now=china.now)
        with pytest.raises(SamePerson):
            second_yes(china, waits, by="first")
        assert state(china, PK) == "revoked"
        second_yes(china, waits)
    assert state(china, PK) == "pinned"


def test_a_revoked_partner_comes_back_with_new_keys_by_its_card_file(corridor: Corridor, agreement: str) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    china.send(3, to=PK, agreement=agreement)
    revoke(pakistan)
    take(china, rotate(pakistan))
    corridor.advance(hours=2)
    corridor.settle()
    pakistan.send(8, to=CN, agreement=agreement)
    china.send(9, to=PK, agreement=agreement)
    corridor.advance(hours=2)
    corridor.settle()

    assert (state(china, PK), values(china), values(pakistan)) == ("pinned", [8], [3, 9])
    with pakistan:
        assert partners.speaking_key(CN) == keystore.own_keys().transport
    with china:
        assert [card.serial for card in partners.valid_cards(PK)] == [2]
    for node in corridor:
        with node:
            assert [
                check.faults for check in checkpoints.verify_log(actor=ADMIN, now=corridor.now) if check.faults
            ] == []


def test_what_a_revoked_key_signed_is_undeliverable_once_new_keys_are_in_use(
    corridor: Corridor, agreement: str
) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    corridor.wire.cut.add((PK, CN))
    lost = pakistan.send(7, to=CN, agreement=agreement)
    revoke(pakistan)
    document = rotate(pakistan)
    corridor.wire.cut.clear()
    take(china, document)
    corridor.advance(hours=1)
    corridor.settle(passes=6)

    with pakistan:
        assert Crossing.objects.get(pk=lost.pk).status == "undeliverable"
        assert OutboxEntry.objects.get(crossing=lost.pk).last_error == "key_revoked"
    assert values(china) == []


def test_a_thief_of_all_online_keys_comes_back_with_no_card_that_keeps_them(corridor: Corridor) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    with pakistan:
        current, stolen = partners.own_chain()[-1], keystore.own_keys()
    moved = cards.rotate_card(current, keys=stolen, issued_at=corridor.now, url="http://127.0.0.1:8099")
    one_kept = cards.NodeKeys(stolen.transport, SigningKey.generate(), SigningKey.generate(), stolen.encryption)
    kept = cards.rotate_card(
        current,
        keys=one_kept,
        issued_at=corridor.now,
        previous_agreement_key=stolen.agreement,
        recovery_key=pakistan.recovery,
    )
    revoke(pakistan)
    for card in (moved, kept):
        with china, pytest.raises(cards.BrokenChain, match="brings back a key that was revoked"):
            partners.ask_to_take(cards.card_file([current, card]), actor=china.person(), now=china.now)
    assert pakistan.recovery is not None
    with pakistan, pytest.raises(rotation.RevokedKeyKept, match="all four"):
        rotation.rotate(
            names=["transport"], recovery=pakistan.recovery, home=pakistan.home, actor=ADMIN, now=pakistan.now
        )
    assert state(china, PK) == "revoked"


def test_a_card_that_a_thief_made_before_the_revocation_falls_with_the_keys_on_it(corridor: Corridor) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    with pakistan:
        current, stolen = partners.own_chain()[-1], keystore.own_keys()
    moved = cards.rotate_card(current, keys=stolen, issued_at=corridor.now, url="http://127.0.0.1:8099")
    with china:
        assert partners.ask_to_take(cards.card_file([current, moved]), actor=china.person(), now=china.now).done
        assert partners.url_of(PK) == pakistan.url
        assert len(partners.transport_keys(PK)) == 1

    take(china, revoke(pakistan, is_delivered=False))

    assert state(china, PK) == "revoked"
    with china:
        assert partners.transport_keys(PK) == {}


def test_a_stolen_key_that_appoints_a_successor_is_refused_as_a_file_too(corridor: Corridor) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    with pakistan:
        current, stolen = partners.own_chain()[-1], keystore.own_keys()
    new, thief = cards.NodeKeys.generate(), SigningKey.generate()
    true = cards.rotate_card(
        current,
        keys=new,
        issued_at=corridor.now,
        previous_agreement_key=stolen.agreement,
        recovery_key=pakistan.recovery,
    )
    with pytest.raises(cards.BrokenChain, match="lacks a signature"):
        cards.rotate_card(current, keys=new, issued_at=corridor.now, previous_agreement_key=stolen.agreement)
    assert pakistan.recovery is not None
    renamed = true.signed.replace(pakistan.recovery.kid.encode(), thief.kid.encode())
    forged = b'{"cards":[' + current.signed + b"," + renamed + b'],"schema":"health-corridor.card-chain/1"}'
    with china:
        with pytest.raises(UserFault):
            partners.ask_to_take(forged, actor=china.person(), now=china.now)
        assert partners.current_card(PK).serial == 1
        assert partners.ask_to_take(cards.card_file([current, true]), actor=china.person(), now=china.now).done
        assert partners.current_card(PK).serial == 2


def test_a_file_that_says_nothing_new_or_follows_from_nothing_is_refused(corridor: Corridor) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    with pakistan:
        first = partners.own_card_file()
    stranger = cards.make_card(
        id="ru.spb",
        legal_entity="Another",
        names={"en": "Another"},
        country="RU",
        url="http://127.0.0.1:8050",
        keys=cards.NodeKeys.generate(),
        recovery=SigningKey.generate().public,
        issued_at=corridor.now,
        demo=True,
    )
    revoked, lifted = revoke(pakistan, is_delivered=False), reinstate(pakistan)
    with china:
        person = china.person()
        with pytest.raises(UserFault, match="pinned here already"):
            partners.ask_to_take(first, actor=person, now=china.now)
        with pytest.raises(partners.NoSuchPartner, match="no pinned partner"):
            partners.ask_to_take(stranger.signed, actor=person, now=china.now)
        with pytest.raises(cards.BrokenChain, match="take the file of the revocation first"):
            partners.ask_to_take(lifted, actor=person, now=china.now)
        partners.ask_to_take(revoked, actor=person, now=china.now)
        with pytest.raises(partners.NothingNew, match="recorded here already"):
            partners.ask_to_take(revoked, actor=person, now=china.now)


def test_keys_that_were_rotated_away_are_revoked_by_the_number_of_their_card(
    corridor: Corridor, agreement: str
) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    rotate(pakistan)
    corridor.settle()
    with china:
        assert len(partners.transport_keys(PK)) == 2
    with pakistan:
        rotation.revoke(reason="stolen", recovery=pakistan.recovery, actor=ADMIN, now=pakistan.now, serial=1)
    corridor.settle()
    pakistan.send(8, to=CN, agreement=agreement)
    corridor.settle()

    assert (state(china, PK), values(china)) == ("pinned", [8])
    with china:
        assert [card.serial for card in partners.valid_cards(PK)] == [2]


def test_a_partner_that_lost_all_its_keys_is_pinned_anew_and_exchanges_again(
    corridor: Corridor, agreement: str, template: Path
) -> None:
    china, before = corridor[CN], corridor[PK]
    before.send(7, to=CN, agreement=agreement)
    china.send(6, to=PK, agreement=agreement)
    corridor.settle()
    corridor.advance(days=1)
    waiting = china.send(5, to=PK, agreement=agreement)
    again = refound(corridor, PK, template=template)
    again.pin(china)

    pin_anew(china, again)
    corridor.settle()
    with china:
        assert Crossing.objects.get(pk=waiting.pk).reason == "key_revoked"
        assert not Dispute.objects.exists()
        old = agreement_queries.agreement(china.person("eye"), agreement, now=china.now)
        assert [party.node for party in old.parties if party.is_with_former_keys] == [PK]
        assert [view.partners for view in queries.channels_open(
            actor=china.person("eye"), schema=Figure.schema_id(), now=china.now
        )] == [()]  # fmt: skip
    fresh = corridor.sign(instrument={"title": {"en": "Anew"}, "date": "2026-06-02", "reference": "T-2"})
    again.send(8, to=CN, agreement=fresh)
    china.send(9, to=PK, agreement=fresh)
    corridor.settle()

    assert (values(china), values(again)) == ([7, 8], [9])
    assert china.send(4, to=PK, agreement=agreement).reason == "key_revoked"
    with china:
        assert not Dispute.objects.exists()


def test_without_the_guard_an_agreement_of_the_former_keys_would_be_open(
    corridor: Corridor, agreement: str, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = refound(corridor, PK, template=template)
    again.pin(corridor[CN])
    pin_anew(corridor[CN], again)
    monkeypatch.setattr("corridor.exchange.services.gatekeeping.signed_with_former_keys", lambda row: frozenset())

    assert corridor[CN].send(4, to=PK, agreement=agreement).status == "queued"


def test_replayed_envelopes_of_the_former_keys_have_no_second_effect(
    corridor: Corridor, agreement: str, template: Path
) -> None:
    china = corridor[CN]
    corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.settle()
    recorded = [each for each in corridor.wire.log if each[0] == PK]
    with china:
        token = bytes(Crossing.objects.get(direction="in", schema="test.figure/1").token)
    again = refound(corridor, PK, template=template)
    again.pin(china)
    pin_anew(china, again)

    replies = [corridor.wire.take(china, headers, body).status for _, _, headers, body in recorded]
    with china:
        (reply,) = receive([token], peer=PK, now=china.now)

    assert set(replies) == {401}
    assert reply.status == "unauthenticated"
    assert values(china) == [7]


def test_evidence_of_what_crossed_under_the_former_keys_still_verifies(
    corridor: Corridor, agreement: str, template: Path
) -> None:
    china = corridor[CN]
    came = corridor[PK].send(7, to=CN, agreement=agreement)
    went = china.send(6, to=PK, agreement=agreement)
    corridor.settle()
    former = print_of(corridor[PK])
    corridor.advance(days=1)
    again = refound(corridor, PK, template=template)
    again.pin(china)
    pin_anew(china, again)
    corridor.settle()
    corridor.sign(instrument={"title": {"en": "Anew"}, "date": "2026-06-02", "reference": "T-2"})

    for crossing in (came, went):
        with china:
            evidence = proofs.prove(crossing.envelope_id, actor=china.person("eye"), now=china.now)
        verdict = verify(evidence, {PK: former, CN: print_of(china)})
        assert (verdict.status, verdict.reasons) == ("authentic", ())
        assert verify(evidence, {PK: print_of(again), CN: print_of(china)}).status == "unauthenticated"


def test_pinning_anew_is_refused_for_the_same_chain_a_former_one_another_node_and_one_person(
    corridor: Corridor, template: Path
) -> None:
    china, before = corridor[CN], corridor[PK]
    with before:
        old, old_print = partners.own_card_file(), partners.own_fingerprint()
    with china:
        own, own_print = partners.own_card_file(), partners.own_fingerprint()
        with pytest.raises(partners.CardUnfit, match="this very fingerprint"):
            partners.ask_to_pin(old, fingerprint=old_print, actor=china.person(), now=china.now, anew=PK)
        with pytest.raises(partners.CardUnfit, match="this node itself"):
            partners.ask_to_pin(own, fingerprint=own_print, actor=china.person(), now=china.now, anew=PK)
    again = refound(corridor, PK, template=template)
    with again:
        new, new_print = partners.own_card_file(), partners.own_fingerprint()
    with china:
        with pytest.raises(partners.WrongFingerprint, match="Do not pin it"):
            partners.ask_to_pin(new, fingerprint=old_print, actor=china.person(), now=china.now, anew=PK)
        with pytest.raises(partners.CardUnfit, match="--anew"):
            partners.ask_to_pin(new, fingerprint=new_print, actor=china.person(), now=china.now)
        with pytest.raises(cards.BrokenChain, match="--anew"):
            partners.ask_to_take(new, actor=china.person(), now=china.now)
        waits = partners.ask_to_pin(new, fingerprint=new_print, actor=china.person(), now=china.now, anew=PK)
        with pytest.raises(SamePerson):
            second_yes(china, waits, by="first")
        assert Partner.objects.get(node_id=PK).fingerprint == old_print
        second_yes(china, waits)
        assert Partner.objects.get(node_id=PK).fingerprint == new_print
        with pytest.raises(partners.CardUnfit, match="was pinned before"):
            partners.ask_to_pin(old, fingerprint=old_print, actor=china.person(), now=china.now, anew=PK)


def test_a_card_under_another_fingerprint_brings_no_key_back_that_was_pinned_before(corridor: Corridor) -> None:
    pakistan, china = corridor[PK], corridor[CN]
    with pakistan:
        stolen = keystore.own_keys()
    fresh = SigningKey.generate
    card = cards.make_card(
        id=PK,
        legal_entity="Institute",
        names={"en": "Institute"},
        country="PK",
        url=pakistan.url,
        keys=cards.NodeKeys(fresh(), fresh(), stolen.agreement, stolen.encryption),
        recovery=fresh().public,
        issued_at=corridor.now,
        demo=True,
    )
    with china, pytest.raises(partners.CardUnfit, match="pinned before"):
        partners.ask_to_pin(
            card.signed, fingerprint=cards.fingerprint(card), actor=china.person(), now=china.now, anew=PK
        )


def test_a_partner_whose_keys_are_revoked_is_not_counted_as_reachable(corridor: Corridor) -> None:
    china = corridor[CN]
    revoke(corridor[PK])
    with china:
        standing = queries.standing(china.person("eye"), china.now)
    assert (standing.partners, standing.partners_reachable) == (1, 0)


def test_a_statement_of_the_former_keys_moves_nothing_after_the_partner_was_pinned_anew(
    corridor: Corridor, template: Path
) -> None:
    before, china = corridor[PK], corridor[CN]
    statement = revoke(before, is_delivered=False)
    again = refound(corridor, PK, template=template)
    pin_anew(china, again)
    with china, pytest.raises(cards.BrokenChain, match="before it was pinned anew"):
        partners.ask_to_take(statement, actor=china.person(), now=china.now)
    assert state(china, PK) == "pinned"


def test_a_signature_by_a_revoked_key_counts_only_if_another_held_it_in_a_checkpoint_before(
    corridor: Corridor, agreement: str
) -> None:
    pakistan = corridor[PK]
    held = pakistan.send(7, to=CN, agreement=agreement)
    corridor.settle()
    swap_checkpoints(corridor)
    corridor.wire.cut.add((PK, CN))
    late = pakistan.send(8, to=CN, agreement=agreement)
    corridor.advance(hours=1)
    take(corridor[CN], revoke(pakistan))
    corridor.wire.cut.clear()
    take(corridor[CN], rotate(pakistan))
    corridor.advance(hours=2)
    pakistan.send(9, to=CN, agreement=agreement)
    corridor.settle(passes=6)
    swap_checkpoints(corridor)
    trust = {node.id: print_of(node) for node in corridor}

    with pakistan:
        before, after = (
            verify(proofs.prove(each.envelope_id, actor=pakistan.person("eye"), now=pakistan.now), trust)
            for each in (held, late)
        )
    assert before.reasons == ()
    assert before.status == "authentic"
    assert after.status == "unauthenticated"
    assert any("key revoked" in reason for reason in after.reasons)

    with pakistan:
        HeldByPeer.every.exclude(frozen_by="").delete()
        without = verify(proofs.prove(held.envelope_id, actor=pakistan.person("eye"), now=pakistan.now), trust)
    assert any("key revoked" in reason for reason in without.reasons)


def swap_checkpoints(corridor: Corridor) -> None:
    for _ in range(3):
        corridor.advance(hours=2)
        for node in corridor:
            with node:
                delivery.deliver_once(now=node.now, wire=corridor.wire)


def test_a_paused_partner_is_resumed_by_two_persons(corridor: Corridor, agreement: str) -> None:
    china = corridor[CN]
    with china:
        partners.pause(PK, reason="audit", actor=china.person(), now=china.now)
        waits = partners.ask_to_resume(PK, actor=china.person(), now=china.now)
        with pytest.raises(SamePerson):
            second_yes(china, waits, by="first")
        assert state(china, PK) == "paused"
        second_yes(china, waits)
        with pytest.raises(partners.NotPaused):
            partners.ask_to_resume(PK, actor=china.person(), now=china.now)
    corridor[PK].send(8, to=CN, agreement=agreement)
    corridor.settle()
    assert (state(china, PK), values(china)) == ("pinned", [8])


def test_resuming_a_partner_whose_keys_were_revoked_meanwhile_leaves_it_revoked(corridor: Corridor) -> None:
    china = corridor[CN]
    statement = revoke(corridor[PK], is_delivered=False)
    with china:
        partners.pause(PK, reason="audit", actor=china.person(), now=china.now)
        partners.ask_to_take(statement, actor=china.person(), now=china.now)
        assert state(china, PK) == "paused"
    china.both(lambda person: partners.ask_to_resume(PK, actor=person, now=china.now))
    assert state(china, PK) == "revoked"


def test_one_person_suffices_in_one_person_mode(make_corridor: Callable[..., Corridor]) -> None:
    corridor = make_corridor(one_person=True)
    china = corridor[CN]
    take(china, revoke(corridor[PK], is_delivered=False))
    with china:
        assert partners.ask_to_take(reinstate(corridor[PK]), actor=china.person(), now=china.now).done
    assert state(china, PK) == "pinned"
