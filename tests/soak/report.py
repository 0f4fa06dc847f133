"""Runs the four parts of the long run on one database and says what came of each."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.exchange import crashing
from tests.exchange.nodes import Corridor
from tests.soak import backlog, processes, reader
from tests.soak.databases import Databases, sqlite_template


@dataclass
class Outcome:
    """What the long run came to on one database."""

    kind: str
    named: Counter[str] = field(default_factory=Counter)
    shot: processes.Shooting = field(default_factory=processes.Shooting)
    backlog_faults: list[str] = field(default_factory=list)
    findings: list[reader.Findings] = field(default_factory=list)
    is_planted_fault_found: bool = False
    is_enough: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the invariants held, the numbers asked for were reached, and the reader is no blind one."""
        holds = not self.backlog_faults and all(each.is_whole for each in self.findings)
        return holds and self.is_enough and self.is_planted_fault_found


def on_database(kind: str, asked: argparse.Namespace, folder: Path, *, share: int) -> Outcome:
    """Kill at every named point, kill at random, let thousands wait, plant the fault; on `kind`.

    Kills and acknowledgements are an equal share of the numbers asked for; each database has the whole backlog.
    """
    came = Outcome(kind)
    if asked.times:
        _named(came, folder, times=asked.times)
    kills, acknowledged = asked.kills // share, asked.acknowledged // share
    came.shot = processes.kill_at_random(
        folder / f"shot-{kind}",
        kind,
        kills=kills,
        acknowledged=acknowledged,
        seconds=asked.seconds / share,
        is_lease_cut=asked.cut_leases,
        seed=asked.seed,
    )
    found = came.shot.findings
    came.findings.append(found)
    came.is_enough = came.shot.kills.total() >= kills and found.acknowledged >= acknowledged and found.waiting == 0
    by_process = ", ".join(f"{name} {number}" for name, number in sorted(came.shot.kills.items()))
    say(f"{kind}: SIGKILL at random moments, real processes: {came.shot.kills.total()} kills ({by_process})")
    say(f"{kind}:   queued and committed {len(came.shot.committed)}, {_words(found)} ({came.shot.seconds:.0f} s)")
    if not came.is_enough:
        say(f"{kind}:   NOT ENOUGH: {kills} kills and {acknowledged} acknowledged were asked for; give more --seconds")
    if asked.waiting:
        _backlog(came, folder, waiting=asked.waiting)
    _planted(came, folder)
    return came


def _named(came: Outcome, folder: Path, *, times: int) -> None:
    databases, place = _place(came.kind, folder, "named")
    toll = crashing.kill_at_every_point(place, times=times)
    came.named = toll.kills
    found = _compare(databases)
    found.faults += toll.faults
    came.findings.append(found)
    say(f"{came.kind}: named crash points: {toll.kills.total()} kills, {_words(found)}")
    for point, number in sorted(toll.kills.items()):
        say(f"{came.kind}:   {point:28} {number:4} kills")


def _backlog(came: Outcome, folder: Path, *, waiting: int) -> None:
    databases = Databases(came.kind, folder / f"backlog-{came.kind}")
    template = sqlite_template(folder) if came.kind == "sqlite" else None
    nodes = (backlog.UP, backlog.SENDER, backlog.DOWN)
    corridor = Corridor(databases.folder, nodes, template=template, database=databases.make(nodes))
    found = backlog.let_wait(corridor, waiting=waiting)
    corridor.close()
    came.backlog_faults = found.faults
    say(f"{came.kind}: a partner down for days: {found} ({found.seconds:.0f} s)")
    for fault in found.faults:
        say(f"{came.kind}:   DOES NOT HOLD: {fault}")
    sender = reader.read(databases.where(backlog.SENDER), to=backlog.DOWN)
    judged = reader.compare(sender, reader.read(databases.where(backlog.DOWN)))
    came.findings.append(judged)
    say(f"{came.kind}:   same reader: {_words(judged)}")


def _planted(came: Outcome, folder: Path) -> None:
    databases, place = _place(came.kind, folder, "planted")
    crashing.live(place, point="", count=0, envelopes=5, life=0, is_planted=True)
    found = _compare(databases)
    came.is_planted_fault_found = found.acknowledged == 5 and found.lost == 5
    verdict = "CAUGHT" if came.is_planted_fault_found else "NOT CAUGHT"
    say(f"{came.kind}: planted early acknowledgement, same reader: {_words(found)}: {verdict}")


def _place(kind: str, folder: Path, name: str) -> tuple[Databases, crashing.Place]:
    databases = Databases(kind, folder / f"{name}-{kind}")
    template = sqlite_template(folder) if kind == "sqlite" else None
    place = crashing.make_place(databases.folder, database=databases.make(), template=template)
    return databases, replace(place, database=databases.open)


def _compare(databases: Databases) -> reader.Findings:
    return reader.compare(*(reader.read(databases.where(node)) for node in (processes.SENDER, processes.RECEIVER)))


def totals(whole: Sequence[Outcome]) -> None:
    """Say the sums over all databases."""
    findings = [found for each in whole for found in each.findings]
    kills = {each.kind: each.named.total() + each.shot.kills.total() for each in whole}
    say(f"kills        {sum(kills.values())} ({', '.join(f'{kind} {number}' for kind, number in kills.items())})")
    say(f"acknowledged {sum(found.acknowledged for found in findings)}")
    say(f"lost         {sum(found.lost for found in findings)}")
    say(f"doubled      {sum(found.doubled for found in findings)}")
    say(f"log faults   {sum(len(found.faults) for found in findings)}")
    say(
        f"planted early acknowledgement caught: {'yes' if all(each.is_planted_fault_found for each in whole) else 'NO'}"
    )
    for fault in [fault for found in findings for fault in found.faults][:20]:
        say(f"FAULT {fault}")


def _words(found: reader.Findings) -> str:
    return (
        f"acknowledged {found.acknowledged}, effects {found.effects}, lost {found.lost}, doubled {found.doubled}, "
        f"waiting {found.waiting}, leaves read {found.leaves}, roots recomputed {found.roots}, "
        f"faults {len(found.faults)}"
    )


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
