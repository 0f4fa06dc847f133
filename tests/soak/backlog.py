"""A partner that is down for days while thousands wait for it, beside one that answers, and then comes back."""

from __future__ import annotations

import time
import tracemalloc
from collections import deque
from dataclasses import dataclass
from math import ceil

from django.db import transaction

from corridor.accounts.actors import System
from corridor.exchange.models import Crossing
from corridor.exchange.services import send
from corridor.exchange.services.inbox import MAX_BATCH
from tests.exchange.nodes import Corridor, Figure

DOWN, UP, SENDER = "ru.gamma", "cn.cdc", "pk.nih"
DAYS = 3
FIRST = 1000
"""The first waiting figure; what goes to the other partner lies below."""
MOST_BYTES = 8 * 1024 * 1024
"""What catching up may hold at once, however many wait: a batch or two of envelopes and their rows."""


@dataclass(frozen=True)
class Backlog:
    """What came of it.

    Attributes
    ----------
    waiting : int
        Envelopes that waited for the partner that was down.
    arrived : tuple of int
        Their values in the order of its log, once it was back.
    effects : int
        How many effects they had there.
    beside : tuple of (int, int)
        For each day what the other partner was sent until then, and what had arrived.
    attempts : int
        Rounds that were tried with the partner while it was down.
    rounds : int
        Rounds of the sender's one pass after its return; nothing new was sent before.
    left : int
        What still waits after that pass.
    peak_bytes : int
        Most memory that the pass held, on both sides.
    seconds : float
    """

    waiting: int
    arrived: tuple[int, ...]
    effects: int
    beside: tuple[tuple[int, int], ...]
    attempts: int
    rounds: int
    left: int
    peak_bytes: int
    seconds: float

    @property
    def faults(self) -> list[str]:
        """What did not hold; empty where all did."""
        wrong = {
            "not all arrived once and in order": self.arrived != tuple(range(FIRST, FIRST + self.waiting)),
            "an effect is missing or doubled": self.effects != self.waiting,
            "the partner beside it waited too": any(sent != came for sent, came in self.beside),
            # Each pass tries once; more would be a node that hammers at a closed door.
            f"the closed door was tried {self.attempts} times in {DAYS} passes": self.attempts > DAYS,
            f"{self.left} still wait after one pass without new traffic": self.left != 0,
            f"{self.rounds} rounds for {self.waiting}": self.rounds > ceil(self.waiting / MAX_BATCH) + 2,
            f"catching up held {self.peak_bytes} bytes": self.peak_bytes > MOST_BYTES,
        }
        return [fault for fault, is_wrong in wrong.items() if is_wrong]

    def __str__(self) -> str:
        return (
            f"{self.waiting} waited {DAYS} days, {len(self.arrived)} arrived in order in {self.rounds} rounds of one "
            f"pass without new traffic, {self.effects} effects, {self.left} left, {self.attempts} attempts meanwhile, "
            f"partner beside it {self.beside[-1][1]} of {self.beside[-1][0]}, peak {self.peak_bytes / 2**20:.1f} MiB"
        )


def let_wait(corridor: Corridor, *, waiting: int) -> Backlog:
    """Cut one partner of three off for days while `waiting` envelopes queue for it; let it return, and look.

    Parameters
    ----------
    corridor : Corridor
        Of `UP`, `SENDER` and `DOWN`.
    waiting : int
    """
    begin = time.monotonic()
    agreement = corridor.sign()
    sender, wire = corridor[SENDER], corridor.wire
    wire.cut = {(SENDER, DOWN), (DOWN, SENDER), (UP, DOWN), (DOWN, UP)}
    for start in range(FIRST, FIRST + waiting, MAX_BATCH):
        with sender, transaction.atomic():
            for value in range(start, min(start + MAX_BATCH, FIRST + waiting)):
                message = Figure(place="PK-XX", value=value)
                send(message, to=DOWN, agreement=agreement, channel="figures", actor=System("soak"), now=sender.now)
    beside, attempts = [], 0
    for day in range(DAYS):
        sender.send(10 + day, to=UP, agreement=agreement)
        report = sender.deliver()
        attempts += report.failed.count(DOWN)
        beside.append((day + 1, len(corridor[UP].effects())))
        corridor.advance(days=1)
    wire.cut = set()
    # What passed is kept for tests that replay it; here it would be the memory that is measured.
    wire.log = deque(maxlen=1)  # type: ignore[assignment]  # a list that forgets
    tracemalloc.start()
    held, _ = tracemalloc.get_traced_memory()
    report = sender.deliver()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    with sender:
        left = Crossing.objects.filter(direction="out", status="queued", to_node=DOWN).count()
    return Backlog(
        waiting=waiting,
        arrived=_arrived(corridor),
        effects=len(corridor[DOWN].effects()),
        beside=tuple(beside),
        attempts=attempts,
        rounds=report.rounds,
        left=left,
        peak_bytes=peak - held,
        seconds=time.monotonic() - begin,
    )


def _arrived(corridor: Corridor) -> tuple[int, ...]:
    with corridor[DOWN]:
        arrived = Crossing.objects.filter(direction="in", schema=Figure.schema_id(), status="accepted")
        in_order = list(arrived.order_by("leaf_index").values_list("envelope_id", flat=True))
    values = dict(corridor[DOWN].effects())
    return tuple(values[envelope_id] for envelope_id in in_order)
