"""Two nodes as real processes on loopback, and the loop that kills them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO

from corridor.base.clock import utcnow
from corridor.server import env
from corridor.server.supervisor import PortTaken, check_port, child_command
from tests.exchange import nodes
from tests.soak import reader
from tests.soak.databases import Databases, sqlite_template

ROOT = Path(__file__).parents[2]
SENDER, RECEIVER = "pk.nih", "cn.cdc"
DRAIN_SECONDS = 240.0


@dataclass
class Part:
    """One process of a node, in a group of its own, so that a kill takes its workers too, as a power cut would."""

    name: str
    command: list[str]
    environ: dict[str, str]
    log: Path
    output: int | IO[bytes] = subprocess.DEVNULL
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it ends by itself when this process is gone, since its standard input then closes."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=self.output,
                stderr=log,
                env=self.environ,
                cwd=ROOT,
                start_new_session=True,
            )

    def shoot(self) -> bool:
        """Kill it with SIGKILL; return whether it was alive until then."""
        if self.process is None:
            return False
        alive = self.process.poll() is None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.process = None
        return alive


@dataclass
class Shooting:
    """What the kill loop came to.

    Attributes
    ----------
    kills : Counter
        By process.
    committed : set of str
        Ids of which the sending process said, after its commit, that they are queued.
    """

    kills: Counter[str] = field(default_factory=Counter)
    committed: set[str] = field(default_factory=set)
    findings: reader.Findings = field(default_factory=reader.Findings)
    seconds: float = 0.0


@dataclass
class Pair:
    """Two nodes that signed an agreement, and their processes."""

    databases: Databases
    agreement: str
    parts: dict[str, Part]
    told: set[str] = field(default_factory=set)
    is_leaving: bool = False

    def start(self, name: str) -> None:
        """Start a process; of the sending one every line is kept."""
        part = self.parts[name]
        if name == "sender":
            part.command[-1] = str(1_000_000 + 10_000 * len(self.told))
            part.output = subprocess.PIPE
        part.start()
        if name == "sender" and part.process is not None and part.process.stdout is not None:
            threading.Thread(target=self._listen, args=(part.process.stdout,), daemon=True).start()

    def _listen(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in stream:
                # A line that the kill cut in two says nothing.
                envelope_id, _, status = line.decode().partition(" ")
                if status == "queued\n":
                    self.told.add(envelope_id)

    def acknowledged(self) -> int:
        """Return how many figures the sender holds a receipt for, as plain SQL counts them."""
        statement = (
            "SELECT count(*) FROM exchange_crossing "
            "WHERE direction = 'out' AND schema = 'test.figure/1' AND status = 'accepted'"
        )
        return int(reader.rows(self.databases.where(SENDER), statement)[0][0])

    def waiting(self) -> int:
        """Return how many envelopes wait in both outboxes."""
        count = "SELECT count(*) FROM exchange_outboxentry"
        return sum(int(reader.rows(self.databases.where(node), count)[0][0]) for node in (SENDER, RECEIVER))


@contextlib.contextmanager
def pair(folder: Path, kind: str) -> Iterator[Pair]:
    """Make two nodes on loopback, and end their processes whatever happens."""
    databases = Databases(kind, folder)
    template = sqlite_template(folder.parent) if kind == "sqlite" else None
    # Signing lets the clock of the corridor run ahead; its processes use the real one.
    begin = utcnow() - timedelta(hours=2)
    corridor = nodes.Corridor(
        folder, template=template, database=databases.make(), now=begin, first_port=two_free_ports()
    )
    agreement = corridor.sign()
    for node in corridor:
        settings = {"id": node.id, "name": node.id, "country": node.country, "url": node.url, "simulated": True}
        env.write_file(node.home / env.SETTINGS_FILE, settings)
        node.wrapper.close()
    parts = {}
    for node, side in ((SENDER, "sender's"), (RECEIVER, "receiver's")):
        environ = _environment(databases, node)
        log = folder / f"{node}.log"
        web = child_command("web", "127.0.0.1", corridor[node].url.rsplit(":", 1)[1], "1")
        parts[f"{side} web"] = Part(f"{side} web", web, environ, log)
        parts[f"{side} delivery"] = Part(f"{side} delivery", child_command("delivery"), environ, log)
    command = [sys.executable, "-m", "tests.soak.sender", agreement, "0"]
    parts["sender"] = Part("sender", command, _environment(databases, SENDER), folder / "sender.log")
    made = Pair(databases, agreement, parts)
    try:
        yield made
    finally:
        for part in parts.values():
            part.shoot()


def two_free_ports() -> int:
    """Return the first of two ports in a row that are free; the nodes of a corridor are numbered so."""
    while True:
        first = check_port("127.0.0.1", 0)
        with contextlib.suppress(PortTaken):
            return check_port("127.0.0.1", first + 1) - 1


def _environment(databases: Databases, node: str) -> dict[str, str]:
    home = databases.folder / node.replace(".", "-")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CORRIDOR_")}
    return {
        **kept,
        **databases.environment(node),
        "CORRIDOR_HOME": str(home),
        "CORRIDOR_LOG_LEVEL": "ERROR",
        "DJANGO_SETTINGS_MODULE": "tests.soak.settings",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
    }


TARGETS = ("sender", "sender's delivery", "receiver's web", "receiver's delivery")


def kill_at_random(
    folder: Path, kind: str, *, kills: int, acknowledged: int, seconds: float, is_lease_cut: bool = False, seed: int = 1
) -> Shooting:
    """Kill processes at random until both numbers are reached or the time is over; let all be delivered; compare.

    Parameters
    ----------
    folder : Path
    kind : {"sqlite", "postgres"}
    kills, acknowledged : int
        Both are to be reached.
    seconds : float
        For the shooting; what waits is delivered after that.
    is_lease_cut : bool
        Whether a killed delivery's leases of 60 s end at once, as if their minute had passed; for the short run.
    """
    draw, came, begin = random.Random(seed), Shooting(), time.monotonic()
    order: list[str] = []
    with pair(folder, kind) as both:
        for name in both.parts:
            both.start(name)
        _until(both, lambda: both.acknowledged() > 0, seconds=90)
        while time.monotonic() - begin < seconds and (came.kills.total() < kills or both.acknowledged() < acknowledged):
            time.sleep(draw.uniform(0.1, 1.5))
            if came.kills.total() >= kills:
                continue
            # In random order, but each in its turn, so that a short run too hits every one.
            order = order or draw.sample(TARGETS, len(TARGETS))
            name = order.pop()
            came.kills[name] += both.parts[name].shoot()
            if is_lease_cut and name == "sender's delivery":
                _cut_leases(both)
            both.start(name)
        both.parts["sender"].shoot()
        if is_lease_cut:
            both.parts["sender's delivery"].shoot()
            _cut_leases(both)
            both.start("sender's delivery")
        _until(both, lambda: both.waiting() == 0, seconds=DRAIN_SECONDS)
        for part in both.parts.values():
            part.shoot()
        came.committed = set(both.told)
        books = [reader.read(both.databases.where(node)) for node in (SENDER, RECEIVER)]
        came.findings = reader.compare(*books, committed=came.committed)
    came.seconds = time.monotonic() - begin
    return came


def _cut_leases(both: Pair) -> None:
    where = both.databases.where(SENDER)
    statement = "UPDATE exchange_outboxentry SET leased_until_at = NULL"
    if where.startswith("postgres"):
        import psycopg

        with psycopg.connect(where) as connection:
            connection.execute(statement)
        return
    import sqlite3

    with contextlib.closing(sqlite3.connect(where, timeout=30)) as plain, plain:
        plain.execute(statement)


def _until(both: Pair, holds: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        for name, part in both.parts.items():
            # What ended by itself is started again, as its supervisor would.
            if name != "sender" and part.process is not None and part.process.poll() is not None:
                part.shoot()
                both.start(name)
        if time.monotonic() > deadline:
            return
        time.sleep(0.3)
