"""Kill real processes at named points and at random, and let an independent reader compare what both databases hold.

Each life is a forked process that reopens two nodes from their files, sends, delivers, and dies without any clean-up.
The reader shares no code with the exchange: it reads tables with plain SQL.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

POINTS = (
    "append-before-head",
    "checkpoint-before-store",
    "claim-after-commit",
    "claim-before-commit",
    "receive-after-append",
    "receive-after-commit",
    "receive-after-effect",
    "receive-after-inbox",
    "receive-before-commit",
    "receive-before-transaction",
    "send-before-outbox",
    "settle-after-commit",
    "settle-before-commit",
)
"""Every named crash point of the exchange; a test compares the list with the source."""

KILLED = 86


@dataclass
class Toll:
    """What the lives came to.

    Attributes
    ----------
    kills : Counter
        Deaths per crash point ("random" for SIGKILL at a random moment).
    acknowledged, effects : int
        Envelopes that the sender holds a receipt for; rows of effect at the receiver.
    lost, doubled, unaccounted : int
        Acknowledged without effect; effects more than once; effects without an inbox row, or the other way round.
    faults : list of str
        What a full recomputation of both logs found.
    """

    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    effects: int = 0
    lost: int = 0
    doubled: int = 0
    unaccounted: int = 0
    waiting: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """Where the two nodes of a kill test live.

    Attributes
    ----------
    folder : Path
    agreement : str
    database : callable, optional
        Opens a node's database; by default its SQLite file.
    """

    folder: Path
    agreement: str
    database: Callable[[str, Path], Any] | None = None


def live(place: Place, *, point: str, count: int, envelopes: int, life: int, is_planted: bool = False) -> int:
    """Run one life in a forked process and return its exit status: `KILLED` if the crash point was reached."""
    child = os.fork()
    if child == 0:
        try:
            _work(place, point=point, count=count, envelopes=envelopes, life=life, is_planted=is_planted)
        except BaseException as fault:  # a life that fails tells so by its status, and how on stderr
            sys.stderr.write(f"life {life} failed: {fault!r}\n")
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def live_until_shot(place: Place, *, envelopes: int, life: int, seconds: float) -> bool:
    """Run one life, and kill it with SIGKILL after `seconds`; return whether it died of that."""
    child = os.fork()
    if child == 0:
        _work(place, point="", count=0, envelopes=envelopes, life=life)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _work(place: Place, *, point: str, count: int, envelopes: int, life: int, is_planted: bool = False) -> None:
    from datetime import timedelta

    from corridor.exchange.services import crash
    from tests.exchange.nodes import START, Corridor

    # Each life begins after every lease and circuit of the lives before has run out.
    now = START + timedelta(hours=2 * (life + 1))
    corridor = Corridor.reopened(place.folder, database=place.database, now=now)
    crash.arm(point, count)
    sender = corridor["pk.nih"]
    if is_planted:
        _plant(corridor)
    for number in range(envelopes):
        sender.send(1000 * life + number, to="cn.cdc", agreement=place.agreement)
    sender.deliver()
    corridor["cn.cdc"].deliver()
    if is_planted:
        os._exit(KILLED)
    for node in corridor:
        node.wrapper.close()


def _plant(corridor: Any) -> None:
    """Make the receiver acknowledge before its transaction commits: the fault that the reader must find."""
    from django.db import transaction

    real = corridor.wire.take

    def early(receiver: Any, headers: Any, body: bytes, **options: Any) -> Any:
        with receiver:
            transaction.atomic().__enter__()
            return real(receiver, headers, body, **options)

    corridor.wire.take = early


def reckon(place: Place, toll: Toll, *, verify: bool = True) -> Toll:
    """Fill `toll` with what both databases hold, read by plain SQL, and with what recomputing both logs finds."""
    from corridor.accounts.actors import System
    from corridor.exchange.services import checkpoints
    from tests.exchange.nodes import Corridor

    corridor = Corridor.reopened(place.folder, database=place.database)
    sent = _read(
        corridor["pk.nih"],
        "SELECT envelope_id, status FROM exchange_crossing WHERE direction = 'out' AND schema = 'test.figure/1'",
    )
    inbox = _read(
        corridor["cn.cdc"],
        "SELECT envelope_id FROM exchange_crossing WHERE direction = 'in' AND schema = 'test.figure/1' "
        "AND status = 'accepted'",
    )
    effects = Counter(row[0] for row in _read(corridor["cn.cdc"], "SELECT envelope_id FROM test_effect"))
    acknowledged = {row[0] for row in sent if row[1] == "accepted"}
    toll.acknowledged, toll.effects = len(acknowledged), sum(effects.values())
    toll.waiting = sum(row[1] == "queued" for row in sent)
    toll.lost = len(acknowledged - set(effects))
    toll.doubled = sum(number - 1 for number in effects.values())
    toll.unaccounted = len(set(effects) ^ {row[0] for row in inbox})
    for node in corridor if verify else ():
        with node:
            for check in checkpoints.verify_log(actor=System("test"), now=corridor.now):
                toll.faults += [f"{check.origin}: {fault}" for fault in check.faults]
    for node in corridor:
        node.wrapper.close()
    return toll


def _read(node: Any, statement: str) -> list[tuple[Any, ...]]:
    node.wrapper.ensure_connection()
    with node.wrapper.connection.cursor() if node.wrapper.vendor == "postgresql" else _plain(node) as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


class _plain:  # noqa: N801 - used as a statement
    def __init__(self, node: Any) -> None:
        self._cursor = node.wrapper.connection.cursor()

    def __enter__(self) -> Any:
        return self._cursor

    def __exit__(self, *_: object) -> None:
        self._cursor.close()


def kill_at_every_point(place: Place, *, times: int, envelopes: int = 6, points: Sequence[str] = POINTS) -> Toll:
    """Die `times` times at each point, then live once to the end, and return the reckoning."""
    toll, life = Toll(), 0
    for point in points:
        for turn in range(times):
            # The point is passed several times in a life; each turn dies at another passing where there is one.
            status = live(place, point=point, count=1 + turn % 3, envelopes=envelopes, life=life)
            if status not in (0, KILLED):
                raise RuntimeError(f"a life failed at {point}")
            if status == 0:
                status = live(place, point=point, count=1, envelopes=envelopes, life=life + 1)
                life += 1
            toll.kills[point] += status == KILLED
            life += 1
    for _ in range(3):
        live(place, point="", count=0, envelopes=1, life=life)
        life += 1
    return reckon(place, toll)


def kill_at_random(place: Place, *, kills: int, acknowledged: int, envelopes: int = 100, seed: int = 1) -> Toll:
    """Kill lives at random moments until both numbers are reached, then live to the end, and return the reckoning."""
    draw, toll, life = random.Random(seed), Toll(), 0
    while toll.kills["random"] < kills or reckon(place, toll, verify=False).acknowledged < acknowledged:
        toll.kills["random"] += live_until_shot(place, envelopes=envelopes, life=life, seconds=draw.uniform(0.02, 0.8))
        life += 1
    while reckon(place, toll, verify=False).waiting:
        live(place, point="", count=0, envelopes=1, life=life)
        life += 1
    return reckon(place, toll)


def make_place(
    folder: Path, *, database: Callable[[str, Path], Any] | None = None, template: Path | None = None
) -> Place:
    """Make two nodes with an agreement in `folder` and close them."""
    from tests.exchange.nodes import Corridor

    corridor = Corridor(folder, template=template, database=database)
    agreement = corridor.sign()
    for node in corridor:
        node.wrapper.close()
    return Place(folder, agreement, database)


def planted_fault_is_found(folder: Path, *, template: Path | None = None) -> bool:
    """Return whether the reader finds the envelopes that a planted early acknowledgement loses."""
    place = make_place(folder, template=template)
    live(place, point="", count=0, envelopes=5, life=0, is_planted=True)
    return reckon(place, Toll(), verify=False).lost == 5


def main() -> int:
    """The long run: ``python -m tests.exchange.crashing [kills [acknowledged [times]]]``."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "corridor.server.settings")
    django.setup()
    numbers = [int(text) for text in sys.argv[1:]] + [200, 20_000, 20][len(sys.argv) - 1 :]
    kills, acknowledged, times = numbers[:3]
    with tempfile.TemporaryDirectory() as folder:
        named = kill_at_every_point(make_place(Path(folder) / "named"), times=times)
        shot = kill_at_random(make_place(Path(folder) / "shot"), kills=kills, acknowledged=acknowledged)
        found = planted_fault_is_found(Path(folder) / "planted")
    for name, toll in (("named points", named), ("SIGKILL at random", shot)):
        sys.stdout.write(
            f"{name}: kills {sum(toll.kills.values())}, acknowledged {toll.acknowledged}, lost {toll.lost}, "
            f"doubled {toll.doubled}, unaccounted {toll.unaccounted}, waiting {toll.waiting}, "
            f"log faults {len(toll.faults)}\n"
        )
    for point, number in sorted(named.kills.items()):
        sys.stdout.write(f"  {point}: {number} kills (sqlite)\n")
    sys.stdout.write(f"planted early acknowledgement caught: {'yes' if found else 'NO'}\n")
    is_whole = all(not (toll.lost or toll.doubled or toll.unaccounted or toll.faults) for toll in (named, shot))
    return 0 if is_whole and found else 1


if __name__ == "__main__":
    sys.exit(main())
