"""Back up and restore a node by its commands: nothing acknowledged is lost, nothing takes effect twice."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from django.db import transaction

from corridor.accounts import tokens
from corridor.accounts.actors import System
from corridor.accounts.commands import approve
from corridor.accounts.services import add_person
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.exchange import keystore, registry
from corridor.exchange.commands.counters import counters as counters_command
from corridor.exchange.commands.nodes import node as node_command
from corridor.exchange.commands.peers import peer
from corridor.exchange.models import BodyKeeping, Crossing, ExportCounter, LogTree, Node, SealedBody
from corridor.exchange.registry import register_message
from corridor.exchange.services import bodies, checkpoints, counters, deletion, restore, send
from tests.exchange.nodes import Corridor, store_effects
from tests.exchange.test_agreement_limits import Records
from tests.exchange.test_sealed_bodies import Referral

PK, CN = "pk.nih", "cn.cdc"
pytestmark = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)
Run = Callable[..., Result]


@pytest.fixture
def corridor(make_corridor: Callable[..., Corridor]) -> Corridor:
    """Return two nodes whose clocks are those of the commands."""
    return make_corridor(now=utcnow() - timedelta(hours=1))


@pytest.fixture
def run(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command at a node in the name of one of its people."""

    def call(node_id: str, command: click.Command, *arguments: str, name: str = "first") -> Result:
        with corridor[node_id] as node:
            person = node.person(name)
            person.must_change_password = False
            person.save()
            secret = tokens.issue_token(person, name="test", actor=person, now=utcnow())
            monkeypatch.setenv("CORRIDOR_TOKEN", secret)
            return CliRunner().invoke(command, list(arguments))

    return call


def test_a_backup_put_back_by_command_goes_on_in_a_new_epoch_by_two_persons(
    corridor: Corridor, run: Run, tmp_path: Path
) -> None:
    backup = tmp_path / "monday.tar"
    agreement = corridor.sign()
    corridor[PK].send(10, to=CN, agreement=agreement)
    corridor.settle()
    assert "is written" in run(CN, node_command, "backup", str(backup)).output
    assert backup.stat().st_mode & 0o777 == 0o600
    for value in (11, 12):
        corridor[PK].send(value, to=CN, agreement=agreement)
        corridor[CN].send(value + 10, to=PK, agreement=agreement)
    corridor.settle()

    assert "The backup is back" in run(CN, node_command, "restore", str(backup)).output
    assert [value for _, value in corridor[CN].effects()] == [10]
    corridor[CN].deliver()
    with corridor[CN]:
        assert Node.objects.get().state == "recovering"

    asked = run(CN, node_command, "restore")
    number = re.search(r"approve (\d+)", asked.output)
    assert number is not None, asked.output
    with corridor[CN]:
        assert Node.objects.get().epoch == 1
    allowed = run(CN, approve, number[1], name="second")
    assert allowed.exit_code == 0, allowed.output
    with corridor[CN]:
        assert (Node.objects.get().epoch, Node.objects.get().state) == (2, "running")
    corridor.settle()
    welcomed = run(PK, peer, "confirm-restore", CN)
    assert welcomed.exit_code == 0, welcomed.exception
    corridor.settle()

    assert [value for _, value in corridor[CN].effects()] == [10, 11, 12]
    assert [value for _, value in corridor[PK].effects()] == [21, 22]
    for node in corridor:
        with node:
            checks = checkpoints.verify_log(actor=System("test"), now=corridor.now)
            assert [check.faults for check in checks] == [()] * LogTree.objects.count()


def test_a_body_deleted_after_the_backup_does_not_come_back_with_it(
    corridor: Corridor, run: Run, tmp_path: Path
) -> None:
    register_message(Referral, handler=store_effects)
    (figures,) = corridor.source()["channels"]
    letters = {"id": "letters", "message": "test.referral/1", "data_class": "personal", "disclosure": []}
    caps = {"caps": {"envelopes_per_day": 9, "persons_per_year": 9}, "filing": "standard-contract:2026-1"}
    agreement = corridor.sign(channels=[figures | letters | caps])
    with corridor[PK] as node, transaction.atomic():
        add_person("steward", roles=("steward",), actor=System("test"), now=node.now)
        sent = send(
            Referral(text="a patient"),
            to=CN,
            agreement=agreement,
            channel="letters",
            actor=System("test"),
            now=node.now,
        )
    corridor.settle()
    backup = tmp_path / "monday.tar"
    run(PK, node_command, "backup", str(backup))
    node = corridor[PK]
    node.both(lambda person: deletion.ask_to_delete(sent.envelope_id, actor=person, now=node.now))
    run(PK, node_command, "restore", str(backup))
    with corridor[PK] as node:
        row = SealedBody.objects.select_related("crossing").get()
        assert not BodyKeeping.objects.exists()
        assert (node.home / bodies.FOLDER / row.name[:2] / row.name).exists()
        assert bodies.load(row.crossing) is None
        deletion.acknowledge_lost(actor=System("hourly"), now=node.now)
        assert not (node.home / bodies.FOLDER / row.name[:2] / row.name).exists()


@pytest.fixture
def records(corridor: Corridor) -> str:
    """Return an agreement with a channel for data about persons."""
    register_message(Records, handler=store_effects)
    (figures,) = corridor.source()["channels"]
    caps = {"envelopes_per_day": 99, "persons_per_year": 99}
    opened = {"message": "test.records/1", "data_class": "deidentified", "disclosure": [], "caps": caps}
    return corridor.sign(channels=[figures | opened | {"filing": "standard-contract:2026-1"}])


def lose(corridor: Corridor, run: Run, tmp_path: Path, agreement: str, *names: str) -> None:
    """Send data about persons after a backup, put that back at China, and open a new epoch."""
    backup = tmp_path / "monday.tar"
    run(CN, node_command, "backup", str(backup))
    corridor.advance(minutes=1)
    assert _share(corridor, agreement, *names) == ("queued", "")
    corridor.settle()
    run(CN, node_command, "restore", str(backup))
    corridor[CN].deliver()
    with corridor[CN] as node:
        for path in (node.home / keystore.KEYS / keystore.BODY_KEYS).iterdir():
            os.utime(path, (0, corridor.now.timestamp() - 60))
    _approved(run, run(CN, node_command, "restore"))
    corridor.settle()


def _approved(run: Run, asked: Result) -> None:
    number = re.search(r"approve (\d+)", asked.output)
    assert number is not None, (asked.output, asked.exception)
    allowed = run(CN, approve, number[1], name="second")
    assert allowed.exit_code == 0, (allowed.output, allowed.exception)


def counter(corridor: Corridor, *, rule: str = "CN:sensitive") -> tuple[int, bool]:
    with corridor[CN]:
        return ExportCounter.objects.values_list("persons", "is_closed").get(rule=rule, direction="out")


def test_a_counter_is_closed_until_partners_returned_what_was_lost_and_then_knows_the_persons_again(
    corridor: Corridor, run: Run, tmp_path: Path, records: str
) -> None:
    assert _share(corridor, records, "one") == ("queued", "")
    corridor.settle()
    lose(corridor, run, tmp_path, records, "one", "two", "three")
    assert counter(corridor) == (1, True)
    assert _share(corridor, records, "four") == ("refused", "counters_closed")

    run(PK, peer, "confirm-restore", CN)
    corridor.settle()

    assert counter(corridor) == (3, False)
    assert _share(corridor, records, "two") == ("queued", "")
    assert counter(corridor) == (3, False)


@pytest.mark.parametrize("is_guarded", [True, False])
def test_an_open_body_deleted_after_the_backup_goes_again_when_the_partner_returns_the_statement(
    corridor: Corridor, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    sent = corridor[PK].send(10, to=CN, agreement=corridor.sign())
    corridor.settle()
    backup = tmp_path / "monday.tar"
    run(CN, node_command, "backup", str(backup))
    china = corridor[CN]
    china.both(lambda person: deletion.ask_to_delete(sent.envelope_id, actor=person, now=china.now))
    corridor.settle()
    if not is_guarded:
        known = registry.registration("exchange.body-deletion/1")
        assert known is not None
        monkeypatch.setitem(registry._registrations, "exchange.body-deletion/1", replace(known, returned=None))

    run(CN, node_command, "restore", str(backup))
    with china:
        assert Crossing.objects.get(envelope_id=sent.envelope_id).token
    china.deliver()
    asked = run(CN, node_command, "restore")
    number = re.search(r"approve (\d+)", asked.output)
    assert number is not None, asked.output
    run(CN, approve, number[1], name="second")
    corridor.settle()
    run(PK, peer, "confirm-restore", CN)
    corridor.settle()

    with china:
        assert bool(Crossing.objects.get(envelope_id=sent.envelope_id).token) is not is_guarded


@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_counter_that_began_after_the_backup_is_closed_while_its_persons_are_not_returned(
    corridor: Corridor, run: Run, tmp_path: Path, records: str, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    lose(corridor, run, tmp_path, records, "one")
    with corridor[CN]:
        assert not ExportCounter.objects.exists()
    _approved(run, run(CN, peer, "forgo-returns", PK, "--reason", "the institute was closed"))
    if not is_guarded:
        monkeypatch.setattr(keystore, "body_key_made_at", lambda folder, name: None)
    outcome = _share(corridor, records, "two")
    assert outcome == (("refused", "counters_closed") if is_guarded else ("queued", ""))


def test_two_persons_open_a_counter_at_a_stated_number_and_never_at_fewer_than_it_counted(
    corridor: Corridor, run: Run, tmp_path: Path, records: str
) -> None:
    assert _share(corridor, records, "one", "two") == ("queued", "")
    corridor.settle()
    lose(corridor, run, tmp_path, records, "three")
    with corridor[CN]:
        number = str(ExportCounter.objects.get(rule="CN:sensitive", direction="out").pk)
    stated = ("reopen", number, "--reason", "Register of referrals", "--persons")
    assert isinstance(run(CN, counters_command, *stated, "3").exception, counters.NotClosed)
    _approved(run, run(CN, peer, "forgo-returns", PK, "--reason", "the institute was closed"))
    assert isinstance(run(CN, counters_command, *stated, "1").exception, counters.TooFew)
    assert "closed after a restore" in run(CN, counters_command).output

    _approved(run, run(CN, counters_command, *stated, "3"))

    assert counter(corridor) == (3, False)
    assert _share(corridor, records, "two", "four") == ("queued", "")
    assert counter(corridor) == (4, False)
    assert isinstance(run(CN, counters_command, *stated, "9").exception, counters.NotClosed)


def test_persons_in_a_sealed_body_that_is_returned_count_as_new_ones_so_that_the_counter_is_never_too_low(
    corridor: Corridor, run: Run, tmp_path: Path
) -> None:
    register_message(Referral, handler=store_effects)
    (figures,) = corridor.source()["channels"]
    letters = {"id": "letters", "message": "test.referral/1", "data_class": "personal", "disclosure": []}
    caps = {"caps": {"envelopes_per_day": 9, "persons_per_year": 9}, "filing": "standard-contract:2026-1"}
    agreement = corridor.sign(channels=[figures | letters | caps])
    backup = tmp_path / "monday.tar"
    run(CN, node_command, "backup", str(backup))
    corridor.advance(minutes=1)
    with corridor[CN] as node, transaction.atomic():
        sent = send(
            Referral(text="a patient"), to=PK, agreement=agreement, channel="letters", actor=System("t"), now=node.now
        )
    corridor.settle()
    with corridor[CN]:
        before = set(ExportCounter.objects.filter(direction="out").values_list("rule", "persons"))
    run(CN, node_command, "restore", str(backup))
    corridor[CN].deliver()
    _approved(run, run(CN, node_command, "restore"))
    corridor.settle()
    run(PK, peer, "confirm-restore", CN)
    corridor.settle()
    with corridor[CN]:
        assert sent.envelope_id in Crossing.objects.filter(direction="out").values_list("envelope_id", flat=True)
        after = ExportCounter.objects.filter(direction="out")
        assert before
        assert set(after.values_list("rule", "persons")) == before
        assert not after.filter(is_closed=True).exists()


def test_what_is_sent_again_about_persons_is_accepted_and_counted_by_the_restored_receiver(
    corridor: Corridor, run: Run, tmp_path: Path, records: str
) -> None:
    backup = tmp_path / "monday.tar"
    assert _share(corridor, records, "one") == ("queued", "")
    corridor.settle()
    run(PK, node_command, "backup", str(backup))
    corridor.advance(minutes=1)
    assert _share(corridor, records, "two", "three") == ("queued", "")
    corridor.settle()
    run(PK, node_command, "restore", str(backup))
    corridor[PK].deliver()
    corridor[PK].both(lambda person: restore.ask_to_open_epoch(actor=person, now=corridor.now))
    corridor.settle()
    run(CN, peer, "confirm-restore", PK)
    corridor.settle()
    with corridor[PK]:
        assert ExportCounter.objects.get(rule="CN:sensitive", direction="in").persons == 3
        assert Crossing.objects.filter(schema="test.records/1", status="accepted").count() == 2


def _share(corridor: Corridor, agreement: str, *names: str) -> tuple[str, str]:
    with corridor[CN] as node, transaction.atomic():
        crossing = send(
            Records(names=names), to=PK, agreement=agreement, channel="figures", actor=System("test"), now=node.now
        )
        return crossing.status, crossing.reason


@pytest.mark.parametrize("content", [b"", b"no backup", b"\0" * 20_000], ids=["empty", "text", "zeros"])
def test_what_is_no_backup_changes_nothing(corridor: Corridor, run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.tar"
    file.write_bytes(content)
    result = run(CN, node_command, "restore", str(file))
    assert isinstance(result.exception, UserFault)
    assert "nothing was changed" in str(result.exception)
    assert [value for _, value in corridor[CN].effects()] == []
