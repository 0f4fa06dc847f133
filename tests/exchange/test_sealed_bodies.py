"""Bodies of single persons: sealed on the way, kept wrapped on both sides, deleted and held by a person's command."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar

import click
import pytest
from click.testing import CliRunner, Result
from django.db import transaction

from corridor.accounts import tokens
from corridor.accounts.actors import System
from corridor.accounts.commands import approve
from corridor.accounts.models import AuditEntry
from corridor.accounts.services import add_person
from corridor.base.clock import utcnow
from corridor.exchange import keystore
from corridor.exchange.commands.crossings import crossings as command
from corridor.exchange.messages import Message, field_class
from corridor.exchange.models import BodyKeeping, Crossing, LogLeaf, OutboxEntry, SealedBody
from corridor.exchange.registry import register_message
from corridor.exchange.rules import evidence
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.envelope import unpack
from corridor.exchange.rules.evidence_file import read
from corridor.exchange.rules.sealing import open_sealed
from corridor.exchange.services import bodies, claims, deletion, partners, proofs, send
from tests.exchange.nodes import Corridor, Node, store_effects

PK, CN = "pk.nih", "cn.cdc"
PATIENT = "Amina Bibi of Gilgit"
SQLITE = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


class Referral(Message):
    """A letter about one person, for tests."""

    schema_name: ClassVar[str] = "test.referral"
    data_class: ClassVar[DataClass] = DataClass.PERSONAL
    text: Annotated[str, field_class(DataClass.PERSONAL)]

    def persons(self) -> int:
        return 1


@pytest.fixture
def agreement(corridor: Corridor) -> str:
    """Return an agreement whose one channel is open for letters about persons."""
    register_message(Referral, handler=store_effects)
    (figures,) = corridor.source()["channels"]
    caps = {"envelopes_per_day": 100, "persons_per_year": 100}
    opened = {
        "id": "letters",
        "message": "test.referral/1",
        "data_class": "personal",
        "disclosure": [],
        "caps": caps,
        "filing": "standard-contract:2026-1",
    }
    for node in corridor:
        with node:
            add_person("steward", roles=("steward",), actor=System("test"), now=node.now)
    return corridor.sign(channels=[figures | opened])


def refer(corridor: Corridor, agreement: str, *, text: str = PATIENT, settle: bool = True) -> str:
    """Send one letter from Pakistan to China and return its envelope's id."""
    node = corridor[PK]
    with node, transaction.atomic():
        message = Referral(text=text)
        crossing = send(message, to=CN, agreement=agreement, channel="letters", actor=System("test"), now=node.now)
    assert crossing.status == "queued"
    if settle:
        corridor.settle()
    return str(crossing.envelope_id)


def delete(node: Node, envelope_id: str) -> None:
    """Let two officers delete a body."""
    node.both(lambda person: deletion.ask_to_delete(envelope_id, actor=person, now=node.now))


def files_of(node: Node) -> Iterator[tuple[Path, bytes]]:
    """Yield every file of a home but the wrapped keys, the database with what it has not yet written back."""
    for path in sorted(node.home.rglob("*")):
        if path.is_file() and keystore.KEYS not in path.parts:
            yield path, path.read_bytes()


def opened_by_receiver(corridor: Corridor, data: bytes) -> bytes:
    """Return the body that the receiver's key finds in an evidence file."""
    contents = read(data)
    with corridor[CN]:
        unpacked = unpack(contents.envelope or b"", keys=partners.transport_keys(PK))
        assert unpacked.sealed is not None
        return open_sealed(
            contents.ciphertext or b"",
            header=unpacked.header,
            mac=unpacked.sealed.mac,
            key=keystore.own_keys().encryption,
        ).body


def prove(node: Node, envelope_id: str) -> bytes:
    with node:
        return proofs.prove(envelope_id, actor=node.person("eye"), now=node.now)


def trust_of(corridor: Corridor) -> dict[str, str]:
    found = {}
    for node in corridor:
        with node:
            found[node.id] = partners.own_fingerprint()
    return found


def kinds_in_log(node: Node) -> list[bytes]:
    with node:
        return [bytes(record) for record in LogLeaf.objects.values_list("record", flat=True)]


def test_a_letter_about_a_person_arrives_and_stands_nowhere_in_plain(corridor: Corridor, agreement: str) -> None:
    envelope = refer(corridor, agreement)
    assert [name for name, _ in corridor[CN].effects()] == [envelope]
    for node in corridor:
        for path, content in files_of(node):
            assert b"Amina" not in content, path
        with node:
            for crossing in Crossing.objects.all():
                assert b"Amina" not in bytes(crossing.token)
    assert all(b"Amina" not in body for _, _, _, body in corridor.wire.log)


@pytest.mark.parametrize("side", [PK, CN])
def test_evidence_of_either_side_carries_the_ciphertext_that_the_receiver_opens(
    corridor: Corridor, agreement: str, side: str
) -> None:
    envelope = refer(corridor, agreement)
    data = prove(corridor[side], envelope)
    assert evidence.verify(data, trust_of(corridor)).status == "authentic"
    assert PATIENT.encode() in opened_by_receiver(corridor, data)


@pytest.mark.parametrize("side", [PK, CN])
def test_after_deletion_no_plaintext_can_be_had_and_evidence_still_proves_the_envelope(
    corridor: Corridor, agreement: str, side: str, tmp_path: Path
) -> None:
    envelope = refer(corridor, agreement)
    node = corridor[side]
    before = tmp_path / "copy of the bodies"
    shutil.copytree(node.home / bodies.FOLDER, before)
    delete(node, envelope)
    data = prove(node, envelope)
    verdict = evidence.verify(data, trust_of(corridor))
    assert verdict.status == "authentic", verdict.reasons
    assert read(data).ciphertext is None
    # A copy of the wrapped file, as in a backup, opens no more: its key is gone.
    shutil.copytree(before, node.home / bodies.FOLDER, dirs_exist_ok=True)
    with node:
        row = SealedBody.objects.select_related("crossing__keeping").get()
        assert (row.crossing.keeping.deleted_by, bodies.load(row.crossing)) == ("first, second", None)
        with pytest.raises(keystore.KeysUnreadable, match="deleted"):
            keystore.body_key(node.home, row.name)
    assert any(
        b'"kind":"deleted"' in record and row.crossing.token_hash.encode() in record for record in kinds_in_log(node)
    )


def test_deletion_at_one_side_leaves_the_other_sides_copy(corridor: Corridor, agreement: str) -> None:
    envelope = refer(corridor, agreement)
    delete(corridor[PK], envelope)
    assert PATIENT.encode() in opened_by_receiver(corridor, prove(corridor[CN], envelope))


def test_deleting_one_body_spares_the_others(corridor: Corridor, agreement: str) -> None:
    first, second = refer(corridor, agreement), refer(corridor, agreement, text="Another patient")
    delete(corridor[CN], first)
    assert b"Another" in opened_by_receiver(corridor, prove(corridor[CN], second))


def test_a_legal_hold_keeps_the_body_until_it_is_lifted(corridor: Corridor, agreement: str) -> None:
    envelope = refer(corridor, agreement)
    node = corridor[CN]
    with node:
        deletion.hold(envelope, reason="Order 1", actor=node.person("steward"), now=node.now)
    with pytest.raises(deletion.BodyHeld, match="two persons lift it first"):
        delete(node, envelope)
    assert PATIENT.encode() in opened_by_receiver(corridor, prove(node, envelope))
    node.both(lambda person: deletion.ask_to_release(envelope, actor=person, now=node.now))
    delete(node, envelope)
    records = kinds_in_log(node)
    assert [sum(b'"kind":"%s"' % kind in each for each in records) for kind in (b"held", b"released", b"deleted")] == [
        1,
        1,
        1,
    ]


def test_what_was_not_receipted_yet_is_not_deleted_under_the_hand_of_delivery(
    corridor: Corridor, agreement: str
) -> None:
    envelope = refer(corridor, agreement, settle=False)
    with pytest.raises(deletion.BodyWaits, match="no receipt of"):
        delete(corridor[PK], envelope)
    corridor.settle()
    delete(corridor[PK], envelope)


def test_an_undeliverable_body_that_was_deleted_is_not_tried_again(corridor: Corridor, agreement: str) -> None:
    corridor.wire.cut = {(PK, CN)}
    envelope = refer(corridor, agreement, settle=False)
    corridor.advance(days=7, minutes=1)
    corridor[PK].deliver()
    delete(corridor[PK], envelope)
    with corridor[PK] as node, pytest.raises(claims.NothingToRetry, match="was deleted"):
        claims.retry(Crossing.objects.get(envelope_id=envelope).pk, actor=node.person(), now=node.now)


def test_an_envelope_whose_body_is_gone_is_set_aside_and_holds_nobody_up(corridor: Corridor, agreement: str) -> None:
    first = refer(corridor, agreement, settle=False)
    with corridor[PK] as node:
        keystore.destroy_body_key(node.home, SealedBody.objects.get().name)
    second = refer(corridor, agreement)
    with corridor[PK]:
        entry = OutboxEntry.objects.get()
        assert (entry.crossing.envelope_id, entry.is_undeliverable) == (first, True)
        assert entry.last_error == claims.BODY_DELETED
    assert [name for name, _ in corridor[CN].effects()] == [second]


def test_a_body_whose_key_went_before_a_restore_is_stated_as_deleted_again(corridor: Corridor, agreement: str) -> None:
    refer(corridor, agreement)
    node = corridor[CN]
    with node:
        keystore.destroy_body_key(node.home, SealedBody.objects.get().name)
        assert deletion.acknowledge_lost(actor=System("hourly"), now=node.now) == 1
        assert deletion.acknowledge_lost(actor=System("hourly"), now=node.now) == 0
        assert BodyKeeping.objects.get().why == "restore"


def test_files_that_no_row_names_are_swept_after_a_day_and_others_stay(corridor: Corridor, agreement: str) -> None:
    envelope = refer(corridor, agreement)
    node = corridor[CN]
    with node:
        crossing = Crossing.objects.get(envelope_id=envelope)
        with transaction.atomic():
            SealedBody.objects.all().delete()
            bodies.store(crossing, b"of a transaction that fails")
            transaction.set_rollback(True)
        later = utcnow() + bodies.SWEEP_AFTER + timedelta(minutes=1)
        assert bodies.sweep(now=utcnow()) == 0
        assert bodies.sweep(now=later) == 1
        assert bodies.load(Crossing.objects.get(pk=crossing.pk)) is not None


def test_what_was_refused_is_not_kept_by_the_receiver(corridor: Corridor, agreement: str) -> None:
    from corridor.exchange.services import agreement_acts

    refer(corridor, agreement, settle=False)
    with corridor[CN] as node:
        agreement_acts.suspend(agreement, actor=node.person(), now=node.now)
    corridor[PK].deliver()
    with corridor[CN] as node:
        assert [row.status for row in Crossing.objects.filter(schema="test.referral/1")] == ["refused"]
        assert not SealedBody.objects.exists()


@pytest.fixture
def run(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that runs a command of China's node in the name of one of its people."""

    def call(*arguments: str, name: str = "steward", what: click.Command = command) -> Result:
        with corridor[CN] as node:
            person: Any = node.person(name)
            person.must_change_password = False
            person.save()
            monkeypatch.setenv("CORRIDOR_TOKEN", tokens.issue_token(person, name="test", actor=person, now=utcnow()))
            return CliRunner().invoke(what, list(arguments))

    return call


@SQLITE
def test_the_commands_hold_release_and_delete_by_the_beginning_of_an_id(
    corridor: Corridor, agreement: str, run: Callable[..., Result]
) -> None:
    envelope = refer(corridor, agreement)
    assert "legal hold lies on" in run("hold", envelope, "--reason", "Court order 12").output
    assert isinstance(run("delete", envelope).exception, deletion.BodyHeld)
    allow(run, run("release", envelope))
    allow(run, run("delete", envelope))
    assert isinstance(run("delete", envelope).exception, deletion.NoBody)
    assert isinstance(run("release", envelope).exception, deletion.NoBody)
    with corridor[CN]:
        actions = list(AuditEntry.objects.order_by("pk").values_list("action", "outcome"))
        assert BodyKeeping.objects.get().deleted_by == "steward, first"
    assert ("exchange.hold_body", "done") in actions
    assert actions.count(("accounts.approve", "done")) >= 2


def allow(run: Callable[..., Result], asked: Result) -> None:
    """Let a second person give the yes for which a command asks."""
    assert (number := re.search(r"approve (\d+)", asked.output)), (asked.output, asked.exception)
    assert "approved and done" in run(number[1], name="first", what=approve).output


@SQLITE
def test_who_is_no_steward_deletes_nothing(corridor: Corridor, agreement: str, run: Callable[..., Result]) -> None:
    envelope = refer(corridor, agreement)
    result = run("delete", envelope, name="eye")
    assert type(result.exception).__name__ == "NotPermitted"
    with corridor[CN]:
        assert not BodyKeeping.objects.exists()


@SQLITE
def test_a_hold_without_a_reason_is_not_laid(corridor: Corridor, agreement: str, run: Callable[..., Result]) -> None:
    envelope = refer(corridor, agreement)
    assert "say it in a sentence" in run("hold", envelope, "--reason", " ").output
    with corridor[CN]:
        assert not BodyKeeping.objects.exists()


@SQLITE
def test_of_a_control_message_nothing_is_deleted_and_the_error_says_why(
    corridor: Corridor, agreement: str, run: Callable[..., Result]
) -> None:
    del agreement
    with corridor[CN]:
        control = Crossing.objects.filter(channel="").latest("pk").envelope_id
    result = run("delete", control)
    assert isinstance(result.exception, deletion.NoBody)
    assert "control message" in str(result.exception)
