"""The stage: homes, ports, node processes and the player of each node."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket  # noqa: TID251  # to see whether our own node listens on this machine yet
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from corridor.base.errors import CorridorError, WrongUsage
from corridor.demo.cast import NodePart
from corridor.server.supervisor import check_port

MARK = "demonstration"
START_SECONDS = 120.0
"""Longer than any machine needs that is not busy with much else; a process that ended is noticed at once."""
STOP_SECONDS = 15.0
CORRIDOR = (sys.executable, "-c", "from corridor.cli.main import main; main()")
"""The command line of this very installation, whatever is on the path."""
PLAYER = (sys.executable, "-m", "corridor.demo.player")


class NotADemoHome(WrongUsage):
    """The folder holds something that the demonstration did not put there."""

    code = "not-a-demo-home"


class NodeDidNotStart(CorridorError):
    """A node of the demonstration ended or stayed silent while it was being started."""

    code = "node-did-not-start"


class ActFailed(CorridorError):
    """What an act asserts does not hold."""

    code = "act-failed"


@dataclass(frozen=True, kw_only=True)
class Programs:
    """How the processes of the stage are called; tests put others in their place, to see the acts fail."""

    corridor: tuple[str, ...] = CORRIDOR
    player: tuple[str, ...] = PLAYER


@dataclass
class Player:
    """A process that acts at one node, in place of the people at their desks.

    It takes one request a line and answers one line; both are JSON.
    """

    part: NodePart
    home: Path
    process: subprocess.Popen[str]

    def do(self, operation: str, **arguments: Any) -> Any:
        """Have the node's people do something and return what came of it.

        Raises
        ------
        ActFailed
            If it was refused or went wrong; the text says why.
        """
        answer = self.attempt(operation, **arguments)
        if "error" in answer:
            raise ActFailed(f"{self.part.id}: {operation}: {answer['error']}")
        return answer["result"]

    def attempt(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Have the node's people try something; the answer holds ``result``, or ``error`` and ``code``."""
        if self.process.stdin is None or self.process.stdout is None:
            raise ActFailed(f"{self.part.id}: the player has no way to be spoken to")
        self.process.stdin.write(json.dumps({"operation": operation, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise ActFailed(f"{self.part.id}: the player ended during {operation}; see {log_of(self.home)}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass
class Stage:
    """Everything that the acts play on: a folder, and the players and servers of the nodes by country."""

    folder: Path
    players: dict[str, Player] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    servers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    programs: Programs = field(default_factory=Programs)

    def home(self, part: NodePart) -> Path:
        """Return the home of a node."""
        return self.folder / part.country.lower()

    def player(self, part: NodePart) -> Player:
        """Return the player at a node."""
        return self.players[part.country]

    def everywhere(self, parts: tuple[NodePart, ...], operation: str, **arguments: Any) -> list[Any]:
        """Have the people of several nodes do the same at the same time."""
        with ThreadPoolExecutor(len(parts)) as pool:
            return list(pool.map(lambda part: self.player(part).do(operation, **arguments), parts))


def prepare_folder(folder: Path) -> None:
    """Empty the folder of an earlier demonstration, or make it.

    Raises
    ------
    NotADemoHome
        If it holds something else; nothing is deleted then.
    """
    if folder.is_file():
        raise NotADemoHome(f"{folder} is a file; name a folder that does not exist yet.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise NotADemoHome(f"{folder} is not empty and was not made by `corridor demo`; name another folder.")
    try:
        if folder.is_dir():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / MARK).write_text("Made by `corridor demo`; it is emptied when the demonstration starts again.\n")
    except OSError as fault:
        raise NotADemoHome(
            f"{folder} cannot be made ({fault.strerror}); name a folder with --home that you may write to."
        ) from fault


@contextlib.contextmanager
def stage(
    folder: Path, parts: tuple[NodePart, ...], *, simulated: bool = True, programs: Programs | None = None
) -> Iterator[Stage]:
    """Make the homes, start nodes and players, and stop all of them in the end, whatever happens.

    Parameters
    ----------
    simulated : whether the nodes mark every page, chart and export as simulated
    programs : how the processes are called; left out, as installed
    """
    prepare_folder(folder)
    it = Stage(folder=folder, programs=programs or Programs())
    for part in parts:
        it.urls[part.country] = f"http://127.0.0.1:{check_port('127.0.0.1', 0)}"
    try:
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(lambda part: _found(it, part, simulated=simulated), parts))
        for part in parts:
            # Jobs judge by today's clock; until the last Monday is played, the players judge by the story's.
            start_server(it, part, only=("web", "delivery"))
            it.players[part.country] = start_player(it, it.home(part), part)
        for part in parts:
            it.player(part).do("hello")
            wait_until_served(it, part)
        yield it
    finally:
        for player in it.players.values():
            stop_player(player)
        stop_servers(it)


def start_server(it: Stage, part: NodePart, *, only: tuple[str, ...]) -> None:
    """Start processes of a node: ``web`` (pages and API), ``delivery``, ``jobs``."""
    home = it.home(part)
    port = it.urls[part.country].rsplit(":", 1)[1]
    command = [*it.programs.corridor, "node", "serve", "--home", str(home), "--port", port]
    for name in only:
        command += ["--only", name]
    with log_of(home).open("ab") as log:
        it.servers[" ".join((part.country, *only))] = subprocess.Popen(  # noqa: S603  # our own command line
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=_environment(home), process_group=0
        )


def start_jobs(it: Stage, parts: tuple[NodePart, ...]) -> None:
    """Start the jobs of the nodes, now that their story has arrived at today."""
    for part in parts:
        start_server(it, part, only=("jobs",))


def wait_until_served(it: Stage, part: NodePart) -> None:
    """Wait until a node listens.

    Raises
    ------
    NodeDidNotStart
        If its process ended, or it stays silent; the text names the log to read.
    """
    address = ("127.0.0.1", int(it.urls[part.country].rsplit(":", 1)[1]))
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=1):
            return
        ended = [server for name, server in it.servers.items() if name.startswith(part.country) and server.poll()]
        if ended or time.monotonic() > deadline:
            log = log_of(it.home(part))
            raise NodeDidNotStart(
                f"{part.id} {'ended' if ended else 'stayed silent'} while it was being started at "
                f"{it.urls[part.country]}: {last_line(log)} (all of it: {log})"
            )
        time.sleep(0.05)


def log_of(home: Path) -> Path:
    """Return the file that holds what the processes of a node say."""
    return home.parent / f"{home.name}.log"


def last_line(log: Path) -> str:
    """Return the last line of a log that says something."""
    lines = log.read_text("utf-8", errors="replace").split("\n") if log.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")


def stop_servers(it: Stage) -> None:
    """Stop the processes of all nodes and wait until they have ended."""
    servers = list(it.servers.values())
    it.servers.clear()
    for server in servers:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
    for server in servers:
        _wait_for_end(server)


def _wait_for_end(server: subprocess.Popen[bytes]) -> None:
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def stop_player(player: Player) -> None:
    """Let a player end by closing its input."""
    if player.process.stdin is not None:
        player.process.stdin.close()
    try:
        player.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        player.process.kill()
        player.process.wait()
    if player.process.stdout is not None:
        player.process.stdout.close()


@contextlib.contextmanager
def guest(it: Stage, part: NodePart, *, backup: Path, name: str) -> Iterator[Player]:
    """Put a backup into a copy of a node's home and a player at it for a while; the node itself goes on undisturbed."""
    copy = it.folder / name
    shutil.copytree(it.home(part), copy, ignore=shutil.ignore_patterns("corridor.db*", "cache", "*.lock"))
    shutil.copy2(_secret(it.home(part)), _secret(copy))
    with tarfile.open(backup) as archive:
        archive.extract("corridor.db", copy, filter="data")
    player = start_player(it, copy, part)
    try:
        yield player
    finally:
        stop_player(player)


def carry_round(one: Player, other: Player, *, greets: bool = True, times: int = 1) -> bool:
    """Carry a round from one player to another by hand, and return whether it went through.

    Parameters
    ----------
    greets : whether the first asks beforehand what the other holds, as a node that starts does
    times : how often the round arrives; each time after the first, it must get the receipts that it got before
    """
    if greets:
        came = one.do("greeting")
        answer = other.attempt("answered", partner=one.part.id, came=came)
        if "error" in answer or "error" in one.attempt("greeted", partner=other.part.id, answer=answer["result"]):
            return False
    came = one.attempt("prepared", partner=other.part.id)
    if not came.get("result"):
        return "error" not in came
    answer = other.attempt("answered", partner=one.part.id, came=came["result"])
    if "error" in answer:
        return False
    for _ in range(times - 1):
        again = other.attempt("answered", partner=one.part.id, came=came["result"])
        if "error" in again or _replies(again) != _replies(answer):
            return False
    return "error" not in one.attempt("concluded", partner=other.part.id, answer=answer["result"])


def _replies(answer: dict[str, Any]) -> Any:
    return json.loads(answer["result"])["replies"]


def _secret(home: Path) -> Path:
    return home.with_name(f"{home.name}.secret")


def wait_for(what: str, holds: Any, *, seconds: float = START_SECONDS) -> Any:
    """Return what `holds` returns as soon as that is true.

    Raises
    ------
    ActFailed
        If it stays false for `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        if found := holds():
            return found
        if time.monotonic() > deadline:
            raise ActFailed(f"after {seconds:.0f} s still waiting: {what}")
        time.sleep(0.1)


def _found(it: Stage, part: NodePart, *, simulated: bool) -> None:
    home = it.home(part)
    command = [*it.programs.corridor, "node", "init", "--home", str(home)]
    command += ["--simulated"] if simulated else []
    command += ["--id", part.id, "--name", part.name, "--country", part.country, "--url", it.urls[part.country]]
    command += ["--language", part.language]
    made = subprocess.run(command, capture_output=True, text=True, env=_environment(home), check=False)  # noqa: S603  # our own command line
    if made.returncode:
        log_of(home).write_text(made.stderr)
        raise NodeDidNotStart(f"{part.id} could not be made: {last_line(log_of(home))} (all of it: {log_of(home)})")
    places = home / "places"
    places.mkdir()
    (places / "demonstration.csv").write_bytes(resources.files("corridor.demo").joinpath("places.csv").read_bytes())


def start_player(it: Stage, home: Path, part: NodePart) -> Player:
    """Put a player at a home of a node."""
    with log_of(home).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own command line
            it.programs.player,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=_environment(home),
            process_group=0,
        )
    return Player(part=part, home=home, process=process)


def _environment(home: Path) -> dict[str, str]:
    """Return the environment of a node's process; a database or token of the caller's own node stays out."""
    foreign = {"DATABASE_URL", "CORRIDOR_TOKEN", "CORRIDOR_SECRET_FILE"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return {**kept, "CORRIDOR_HOME": str(home)}
