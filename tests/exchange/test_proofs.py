"""Evidence, restored backups, rotated and revoked keys, a database that cannot write."""

from __future__ import annotations

import json
import shutil
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from corridor.accounts.actors import System
from corridor.exchange import keystore
from corridor.exchange.models import Crossing, LogLeaf, LogTree, Node, Partner
from corridor.exchange.rules import evidence, tree
from corridor.exchange.services import checkpoints, partners, proofs, restore, rotation
from tests.exchange.nodes import Corridor

PK, CN = "pk.nih", "cn.cdc"


def _trust(corridor: Corridor) -> dict[str, str]:
    trust = {}
    for node in corridor:
        with node:
            trust[node.id] = partners.own_fingerprint()
    return trust


def _prove(corridor: Corridor, node_id: str, envelope_id: str) -> bytes:
    with corridor[node_id]:
        return proofs.prove(envelope_id, actor=corridor[node_id].person("eye"), now=corridor.now)


@pytest.mark.parametrize("node_id", [PK, CN])
def test_either_side_proves_what_crossed_and_any_changed_byte_fails(corridor: Corridor, node_id: str) -> None:
    agreement = corridor.sign()
    sent = corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.settle()
    data = _prove(corridor, node_id, sent.envelope_id)
    trust = _trust(corridor)
    assert evidence.verify(data, trust).status == "authentic"
    assert evidence.verify(data, {}).status == "unauthenticated"
    for place in range(0, len(data), 97):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        assert evidence.verify(changed, trust).status == "altered"


def test_the_root_of_the_audit_trail_stands_in_each_agreements_log_once_a_day(corridor: Corridor) -> None:
    agreement = corridor.sign()
    with corridor[PK] as node:
        assert checkpoints.write_audit_roots(actor=System("test"), now=node.now) == 1
        assert checkpoints.write_audit_roots(actor=System("test"), now=node.now) == 0
        record = json.loads(bytes(LogLeaf.objects.filter(tree__subject=agreement).latest("index").record))
        # The trail has gone on since; its root at that size stands as it stood.
        trail = LogTree.objects.get(kind="audit")
        roots = {b64encode(tree.root(checkpoints.reader_of(trail), size)).decode() for size in range(1, trail.size + 1)}
    assert (record["kind"], record["root"] in roots) == ("audit_root", True)


def test_a_refusal_by_the_own_gate_is_proved_too(corridor: Corridor) -> None:
    agreement = corridor.sign()
    sent = corridor[PK].send(7, to=CN, agreement=agreement, channel="other")
    assert sent.status == "refused"
    data = _prove(corridor, PK, sent.envelope_id)
    assert evidence.verify(data, _trust(corridor)).status == "authentic"


def test_a_refusal_by_the_partner_is_proved_by_its_receipt(corridor: Corridor) -> None:
    from corridor.exchange.services import agreement_acts

    agreement = corridor.sign()
    corridor.wire.cut = {(CN, PK)}
    with corridor[CN]:
        agreement_acts.suspend(agreement, actor=corridor[CN].person(), now=corridor.now)
    sent = corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.wire.cut = set()
    corridor[PK].deliver()
    corridor.settle()
    (row,) = corridor[PK].crossings(schema="test.figure/1")
    assert (row.status, row.reason) == ("refused", "suspended")
    assert evidence.verify(_prove(corridor, PK, sent.envelope_id), _trust(corridor)).status == "authentic"


def _snapshot(corridor: Corridor, node_id: str, target: Path) -> None:
    node = corridor[node_id]
    node.wrapper.ensure_connection()
    with sqlite3.connect(target) as into:
        node.wrapper.connection.backup(into)
    into.close()


def _put_back(corridor: Corridor, node_id: str, source: Path) -> None:
    node = corridor[node_id]
    with sqlite3.connect(source) as old:
        node.wrapper.ensure_connection()
        old.backup(node.wrapper.connection)
    old.close()
    with node:
        restore.start(now=corridor.now)


@pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)
def test_yesterdays_backup_is_welcomed_back_by_two_persons_without_double_effect(
    corridor: Corridor, tmp_path: Path
) -> None:
    agreement = corridor.sign()
    corridor[PK].send(10, to=CN, agreement=agreement)
    corridor[CN].send(20, to=PK, agreement=agreement)
    corridor.settle()
    _snapshot(corridor, CN, tmp_path / "backup.db")
    corridor.advance(days=1)
    for value in (11, 12):
        corridor[PK].send(value, to=CN, agreement=agreement)
        corridor[CN].send(value + 10, to=PK, agreement=agreement)
    corridor.settle()

    _put_back(corridor, CN, tmp_path / "backup.db")
    assert [value for _, value in corridor[CN].effects()] == [10]
    corridor[CN].deliver()
    with corridor[CN]:
        assert Node.objects.get().state == "recovering"
    corridor[PK].send(13, to=CN, agreement=agreement)
    corridor[PK].deliver()
    assert [value for _, value in corridor[CN].effects()] == [10]

    corridor[CN].both(lambda person: restore.ask_to_open_epoch(actor=person, now=corridor.now))
    corridor.settle()
    with corridor[PK]:
        assert Partner.objects.get().restore_epoch == 2
        restore.confirm_restore(CN, actor=corridor[PK].person(), now=corridor.now)
    corridor.settle()

    assert [value for _, value in corridor[CN].effects()] == [10, 11, 12, 13]
    assert [value for _, value in corridor[PK].effects()] == [20, 21, 22]
    with corridor[CN]:
        assert Crossing.objects.filter(direction="out", schema="test.figure/1", status="accepted").count() == 3
        assert set(LogTree.objects.values_list("epoch", flat=True)) == {1, 2}
    for node in corridor:
        with node:
            checks = checkpoints.verify_log(actor=System("test"), now=corridor.now)
            assert [check.faults for check in checks] == [() for _ in checks]


def test_rotated_keys_are_taken_by_partners_and_what_was_queued_before_still_passes(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    node = corridor[PK]
    with node:
        assert node.recovery is not None
        rotation.rotate(
            names=keystore.NAMES, recovery=node.recovery, home=node.home, actor=System("test"), now=corridor.now
        )
    corridor[PK].send(8, to=CN, agreement=agreement)
    corridor.settle()
    corridor[CN].send(9, to=PK, agreement=agreement)
    corridor.settle()
    assert [value for _, value in corridor[CN].effects()] == [7, 8]
    assert [value for _, value in corridor[PK].effects()] == [9]
    with corridor[CN]:
        assert partners.current_card(PK).serial == 2


def test_a_successor_without_the_recovery_key_is_refused(corridor: Corridor) -> None:
    from corridor.exchange.messages import CardAnnouncement
    from corridor.exchange.rules import card as cards
    from corridor.exchange.rules.canonical import b64
    from corridor.exchange.rules.keys import SigningKey
    from corridor.exchange.services import send_control

    node = corridor[PK]
    with node:
        current, thief = partners.own_chain()[-1], SigningKey.generate()
        forged = cards.rotate_card(
            current,
            keys=cards.NodeKeys.generate(),
            issued_at=corridor.now,
            previous_agreement_key=keystore.own_keys().agreement,
            recovery_key=node.recovery,
        )
        altered = forged.signed.replace(b64(node.recovery.public).encode(), b64(thief.public).encode())
        send_control(CardAnnouncement(card=b64(altered)), to=CN, actor=System("test"), now=corridor.now)
    corridor.settle()
    with corridor[CN]:
        assert partners.current_card(PK).serial == 1
    (row,) = corridor[CN].crossings(schema="exchange.card/1")
    assert row.status == "refused"


def test_revoked_keys_open_nothing_any_more(corridor: Corridor) -> None:
    agreement = corridor.sign()
    with corridor[PK]:
        rotation.revoke(reason="stolen", recovery=None, actor=System("test"), now=corridor.now)
    corridor[PK].deliver()
    with corridor[CN]:
        assert Partner.objects.get().state == "revoked"
    corridor[PK].send(7, to=CN, agreement=agreement)
    corridor.advance(hours=3)
    corridor[PK].deliver()
    assert corridor[CN].effects() == []


@pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)
def test_a_locked_database_answers_503_and_leaves_no_half_state(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    node = corridor[CN]
    with node:
        node.wrapper.ensure_connection()
        node.wrapper.connection.execute("PRAGMA busy_timeout = 50")
    holder = sqlite3.connect(node.home / "corridor.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    report = corridor[PK].deliver()
    holder.execute("ROLLBACK")
    holder.close()
    assert report.failed == [CN]
    assert node.effects() == []
    corridor.settle()
    assert [value for _, value in node.effects()] == [7]


@pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)
def test_a_database_that_cannot_be_written_answers_503(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    node = corridor[CN]
    with node:
        node.wrapper.ensure_connection()
        pages = node.wrapper.connection.execute("PRAGMA page_count").fetchone()[0]
        node.wrapper.connection.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(40):
            try:
                node.wrapper.connection.execute(
                    "INSERT INTO test_effect VALUES (?, ?)", (f"filler {number}" + "x" * 4000, -1)
                )
                node.wrapper.connection.commit()
            except sqlite3.OperationalError:
                node.wrapper.connection.rollback()
    report = corridor[PK].deliver()
    assert report.failed == [CN]
    assert 7 not in [value for _, value in node.effects()]
    with node:
        node.wrapper.connection.execute("PRAGMA max_page_count = 1000000")
    corridor.settle()
    assert [value for _, value in node.effects() if value > 0] == [7]


def test_a_real_node_refuses_the_card_of_a_demonstration(make_corridor: Callable[..., Corridor]) -> None:
    demo, real = make_corridor("cn.cdc", is_pinned=False), make_corridor("pk.nih", is_pinned=False, simulated=False)
    with demo[CN]:
        document, shown = partners.own_card_file(), partners.own_fingerprint()
    with real[PK], pytest.raises(partners.CardUnfit, match="demonstration"):
        partners.ask_to_pin(document, fingerprint=shown, actor=real[PK].person(), now=real.now)


def test_a_card_with_another_fingerprint_is_not_pinned(make_corridor: Callable[..., Corridor]) -> None:
    corridor = make_corridor(is_pinned=False)
    with corridor[CN]:
        document = partners.own_card_file()
    with corridor[PK]:
        shown = partners.own_fingerprint()
        with pytest.raises(partners.WrongFingerprint, match="Do not pin it"):
            partners.ask_to_pin(document, fingerprint=shown, actor=corridor[PK].person(), now=corridor.now)


def test_a_copied_home_without_its_secret_opens_no_key(corridor: Corridor, tmp_path: Path) -> None:
    copy = tmp_path / "stolen"
    shutil.copytree(corridor[PK].home / "keys", copy / "keys")
    with pytest.raises(keystore.KeysUnreadable, match="secret"):
        keystore.open_keys(copy)
