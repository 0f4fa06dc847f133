"""What a power cut may take and what not: the order in which a node makes its writes durable.

A killed process leaves its writes with the kernel, so kills say nothing here. These tests record what is handed to the
disk, and in which order; where the machine has strace they record the system calls of SQLite itself.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from corridor.accounts.actors import System
from corridor.exchange import keystore
from corridor.exchange.models import Crossing, SealedBody
from corridor.exchange.registry import register_message
from corridor.exchange.rules import control
from corridor.exchange.rules.canonical import sha256_hex
from corridor.exchange.services import bodies, partners, send
from corridor.exchange.services.rounds import Answer, Round
from tests.exchange.nodes import Corridor, MemoryWire, Node, store_effects, wrapper_of
from tests.exchange.test_sealed_bodies import Referral

PK, CN = "pk.nih", "cn.cdc"
SQLITE = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


class Recorder:
    """Notes, in order, which file or folder was synced, renamed or removed, and when a transaction was committed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[tuple[str, Path]] = []
        self._monkeypatch = monkeypatch

    def watch(self, node: Node) -> None:
        """Watch the files of this process and the database of a node, which must be active."""
        sync, replace, unlink = os.fsync, Path.replace, Path.unlink

        def fsync(descriptor: int) -> None:
            sync(descriptor)
            self.events.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))

        def renamed(path: Path, target: Any) -> Path:
            self.events.append(("rename", Path(target)))
            return replace(path, target)

        def removed(path: Path, missing_ok: bool = False) -> None:
            self.events.append(("remove", path))
            unlink(path, missing_ok=missing_ok)

        self._monkeypatch.setattr(os, "fsync", fsync)
        self._monkeypatch.setattr(Path, "replace", renamed)
        self._monkeypatch.setattr(Path, "unlink", removed)
        connection.ensure_connection()
        if connection.vendor == "sqlite":
            connection.connection.set_trace_callback(
                lambda statement: self.events.append(("commit", node.home)) if statement == "COMMIT" else None
            )

    def not_durable(self) -> set[Path]:
        """Return what a power cut at the last commit takes: files renamed into a folder that was not synced since."""
        last = max(place for place, (kind, _) in enumerate(self.events) if kind == "commit")
        lost: set[Path] = set()
        for kind, path in self.events[:last]:
            if kind == "rename":
                lost.add(path)
            elif kind == "sync":
                lost -= {each for each in lost if each.parent == path}
        return lost


@pytest.fixture
def letters(corridor: Corridor) -> str:
    """Return an agreement with a channel for letters about persons."""
    register_message(Referral, handler=store_effects)
    (figures,) = corridor.source()["channels"]
    opened = {"id": "letters", "message": "test.referral/1", "data_class": "personal", "disclosure": []}
    caps = {"caps": {"envelopes_per_day": 9, "persons_per_year": 9}, "filing": "standard-contract:2026-1"}
    return corridor.sign(channels=[figures | opened | caps])


def refer(node: Node, agreement: str) -> Crossing:
    with transaction.atomic():
        return send(
            Referral(text="a letter"), to=CN, agreement=agreement, channel="letters", actor=System("t"), now=node.now
        )


@SQLITE
@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_power_cut_right_after_the_commit_leaves_the_body_that_the_row_names(
    corridor: Corridor, letters: str, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    if not is_guarded:
        monkeypatch.setattr(keystore, "sync_folder", lambda folder: None)
    recorder = Recorder(monkeypatch)
    with corridor[PK] as node:
        recorder.watch(node)
        crossing = refer(node, letters)
        for path in recorder.not_durable():
            path.rename(path.with_name("lost"))
        if is_guarded:
            assert bodies.load(crossing) is not None
        else:
            assert bodies.load(crossing) is None


@SQLITE
def test_body_and_key_are_written_synced_renamed_and_their_folders_synced_before_the_row_is_committed(
    corridor: Corridor, letters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(monkeypatch)
    with corridor[PK] as node:
        recorder.watch(node)
        name = SealedBody.objects.get(crossing=refer(node, letters)).name
    events = recorder.events
    commit = max(place for place, (kind, _) in enumerate(events) if kind == "commit")
    for target in (
        node.home / bodies.FOLDER / name[:2] / name,
        node.home / keystore.KEYS / keystore.BODY_KEYS / f"{name}.json",
    ):
        renamed = events.index(("rename", target))
        written = [
            place for place, (kind, path) in enumerate(events) if kind == "sync" and path.parent == target.parent
        ]
        folder = events.index(("sync", target.parent), renamed)
        assert min(written) < renamed < folder < commit
    # The folder of the bodies was made for this one: its own entry is durable too.
    assert ("sync", node.home / bodies.FOLDER) in events[:commit]


@SQLITE
def test_a_destroyed_key_does_not_come_back_with_the_power(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> None:
    with corridor[PK] as node:
        keystore.make_body_key(node.home, "doomed")
        recorder = Recorder(monkeypatch)
        recorder.watch(node)
        keystore.destroy_body_key(node.home, "doomed")
    kinds = [kind for kind, path in recorder.events if "bodies" in path.parts]
    assert kinds == ["remove", "sync"]


def committed(node: Node, statement: str) -> list[Any]:
    """Read a node's database by a connection of its own, which sees what is committed and nothing else."""
    if node.wrapper.vendor == "sqlite":
        with sqlite3.connect(node.home / "corridor.db") as plain:
            rows = plain.execute(statement).fetchall()
        plain.close()
        return [bytes(row[0]) if row[0] is not None else b"" for row in rows]
    other = wrapper_of(node.wrapper.settings_dict)
    try:
        with other.cursor() as cursor:
            cursor.execute(statement)
            return [bytes(row[0]) if row[0] is not None else b"" for row in cursor.fetchall()]
    finally:
        other.close()


class WatchedWire(MemoryWire):
    """Looks, whenever bytes leave a node, whether what they tell of is committed there."""

    checkpoints: int = 0
    receipts: int = 0

    def post(self, partner: str, *, url: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        sender, receiver = self.corridor[self.corridor.active[-1]], self.corridor[partner]
        self._given(sender, Round.from_bytes(body).swaps)
        reply = super().post(partner, url=url, path=path, headers=headers, body=body)
        answer = Answer.from_bytes(reply.body)
        self._given(receiver, answer.swaps)
        stored = {sha256_hex(each) for each in committed(receiver, "SELECT receipt FROM exchange_crossing")}
        for each in answer.replies:
            if each.status == "receipt":
                assert sha256_hex(each.receipt) in stored, "a receipt left before it was committed"
                self.receipts += 1
        return reply

    def _given(self, node: Node, swaps: Any) -> None:
        stored = committed(node, "SELECT checkpoint FROM exchange_logtree")
        with node:
            keys = partners.transport_keys(node.id)
        for swap in swaps:
            statement = control.read_checkpoint_statement(swap.statement, keys=keys)
            if statement.given is not None:
                assert statement.given in stored, "a checkpoint left before it was committed"
                self.checkpoints += 1


def test_receipts_and_checkpoints_are_committed_before_they_leave(corridor: Corridor) -> None:
    agreement = corridor.sign()
    corridor.wire = WatchedWire(corridor)
    for value in (7, 8):
        corridor[PK].send(value, to=CN, agreement=agreement)
        corridor[CN].send(value + 10, to=PK, agreement=agreement)
        corridor.settle()
    assert corridor.wire.receipts >= 4
    assert corridor.wire.checkpoints >= 8


@SQLITE
def test_every_connection_of_a_node_to_sqlite_syncs_at_each_commit(corridor: Corridor) -> None:
    found = []

    def look() -> None:
        other = wrapper_of(corridor[PK].wrapper.settings_dict)
        with other.cursor() as cursor:
            found.append([cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")])
        other.close()

    look()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [[2, "wal"]] * 2


@pytest.mark.parametrize("make_corridor", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_no_connection_of_a_node_to_postgresql_commits_without_waiting_for_the_disk(corridor: Corridor) -> None:
    with corridor[PK].wrapper.cursor() as cursor:
        for name in ("synchronous_commit", "full_page_writes"):
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() == ("on",)


def test_only_backups_and_the_tables_of_sites_open_a_database_past_djangos_settings() -> None:
    source = Path(__file__).parents[2] / "src" / "corridor"
    opening = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if re.search(r"sqlite3\.connect|psycopg\.connect", path.read_text(encoding="utf-8"))
    }
    assert opening == OPENING


OPENING = {"exchange/services/backups.py", "pillars/research/services/databases.py"}
"""Copies of the node's own database, and databases of others, from which a study's rows are only read."""

LIFE = """
import os, sys
from datetime import timedelta
from pathlib import Path
import django
django.setup()
from corridor.server import env
from tests.exchange.nodes import START, Corridor
folder, agreement, synchronous = sys.argv[1:]
described = env.database
def database(url, home):
    found = described(url, home)
    found["OPTIONS"]["init_command"] = found["OPTIONS"]["init_command"].replace("FULL", synchronous)
    return found
env.database = database
corridor = Corridor.reopened(Path(folder), now=START + timedelta(hours=2))
def leaves(body):
    os.write(1, b"LEAVES")
    return body
corridor.wire.tamper = corridor.wire.tamper_reply = leaves
corridor["pk.nih"].send(12, to="cn.cdc", agreement=agreement)
corridor["pk.nih"].deliver()
assert corridor["cn.cdc"].effects(), "nothing was delivered"
"""


def is_traceable() -> bool:
    """Tell whether this machine has strace and lets it trace."""
    program = shutil.which("strace")
    return program is not None and subprocess.run([program, "-f", "true"], capture_output=True).returncode == 0


@SQLITE
@pytest.mark.skipif(not is_traceable(), reason="no strace, or it may not trace here")
@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
def test_sqlite_syncs_its_log_before_a_request_or_a_reply_leaves(
    corridor: Corridor, tmp_path: Path, synchronous: str
) -> None:
    agreement = corridor.sign()
    folder = corridor[PK].home.parent
    corridor.close()
    trace = tmp_path / "trace"
    calls = "trace=pwrite64,fsync,fdatasync,write"
    command = ["strace", "-f", "-y", "--seccomp-bpf", "-e", calls, "-o", str(trace), sys.executable, "-c", LIFE]
    done = subprocess.run(
        [*command, str(folder), agreement, synchronous],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"]},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]

    unsynced: set[str] = set()
    found = []
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        wal = re.search(r"(pwrite64|fsync|fdatasync)\(\d+<([^>]*-wal)>", line)
        if wal is not None:
            (unsynced.add if wal[1] == "pwrite64" else unsynced.discard)(wal[2])
        elif '"LEAVES"' in line:
            found.append(bool(unsynced))
    assert len(found) >= 2
    assert any(found) is (synchronous == "NORMAL")
