"""Back up and restore a node by its commands: nothing acknowledged is lost, nothing takes effect twice."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
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
from corridor.exchange import keystore
from corridor.exchange.commands.nodes import node as node_command
from corridor.exchange.commands.peers import peer
from corridor.exchange.models import ExportCounter, LogTree, Node, SealedBody
from corridor.exchange.registry import register_message
from corridor.exchange.services import bodies, checkpoints, send
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
    with corridor[PK] as node:
        bodies.delete(sent.envelope_id, actor=node.person("steward"), now=node.now)
    run(PK, node_command, "restore", str(backup))
    with corridor[PK] as node:
        row = SealedBody.objects.select_related("crossing").get()
        assert row.deleted_at is None
        assert (node.home / bodies.FOLDER / row.name[:2] / row.name).exists()
        assert bodies.load(row.crossing) is None
        bodies.acknowledge_lost(actor=System("hourly"), now=node.now)
        assert not (node.home / bodies.FOLDER / row.name[:2] / row.name).exists()


@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_counter_that_began_after_the_backup_is_closed_until_its_year_ends(
    corridor: Corridor, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    register_message(Records, handler=store_effects)
    (figures,) = corridor.source()["channels"]
    caps = {"envelopes_per_day": 99, "persons_per_year": 99}
    opened = {"message": "test.records/1", "data_class": "deidentified", "disclosure": [], "caps": caps}
    agreement = corridor.sign(channels=[figures | opened | {"filing": "standard-contract:2026-1"}])
    backup = tmp_path / "monday.tar"
    run(CN, node_command, "backup", str(backup))
    assert _share(corridor, agreement) == ("queued", "")
    corridor.settle()

    run(CN, node_command, "restore", str(backup))
    corridor[CN].deliver()
    with corridor[CN] as node:
        assert not ExportCounter.objects.exists()
        for path in (node.home / keystore.KEYS / keystore.BODY_KEYS).iterdir():
            os.utime(path, (0, corridor.now.timestamp() - 60))
    asked = run(CN, node_command, "restore")
    number = re.search(r"approve (\d+)", asked.output)
    assert number is not None, (asked.output, asked.exception)
    run(CN, approve, number[1], name="second")
    if not is_guarded:
        monkeypatch.setattr(keystore, "body_key_made_at", lambda folder, name: None)
    outcome = _share(corridor, agreement)
    assert outcome == (("refused", "counters_closed") if is_guarded else ("queued", ""))


def _share(corridor: Corridor, agreement: str) -> tuple[str, str]:
    with corridor[CN] as node, transaction.atomic():
        crossing = send(
            Records(names=("one",)), to=PK, agreement=agreement, channel="figures", actor=System("test"), now=node.now
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
