"""The sets of persons that left: sealed in the database, and read once by a process that has to judge the next ones."""

from __future__ import annotations

import secrets
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from corridor.exchange import keystore
from corridor.pillars.research.models import Release
from corridor.pillars.research.rules.disclosure import Differences, Selection
from corridor.pillars.research.rules.rows import IntArray
from corridor.pillars.research.services.ledger_key import ledger_key

__all__ = ["most_answers", "released_differences", "seal", "sets_of_releases"]

_NONCE = 12
_MOST_KEPT = 4
"""Ledgers that a process holds, by home: a node has one."""


@dataclass
class _Read:
    """What was read of a ledger so far: by person, how many answers tell of each, and the sets of all of them."""

    differences: Differences = field(default_factory=Differences)
    answers: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    releases: list[tuple[int, str]] = field(default_factory=list)

    def add(self, sets: Sequence[Selection]) -> None:
        """Take one answer in."""
        self.differences.add(sets)
        size = max(len(self.answers), *map(len, sets), 0)
        self.answers = np.pad(self.answers, (0, size - len(self.answers)))
        told = np.zeros(size, dtype=bool)
        for rows in sets:
            told[: len(rows)] |= rows > 0
        self.answers += told


_read: OrderedDict[Path, _Read] = OrderedDict()


def released_differences() -> Differences:
    """Return what this node released of whom, whatever the study; to be called under `lock_ledger`."""
    return _ledger().differences


def most_answers(sets: Iterable[Selection]) -> int:
    """Return how many answers tell of that one of the persons in `sets` of whom most do.

    To be called under `lock_ledger`.
    """
    answers = _ledger().answers
    return max((int(answers[rows[: len(answers)].nonzero()].max(initial=0)) for rows in sets), default=0)


def sets_of_releases(**conditions: str) -> list[IntArray]:
    """Return the numbers of the persons in every set that the releases of these conditions tell of."""
    sealed = Release.objects.filter(**conditions).order_by("pk").values_list("sets", flat=True)
    return [np.flatnonzero(each) for row in sealed for each in _unseal(bytes(row))]


def _ledger() -> _Read:
    """Return the whole ledger; what was read before is not read again.

    Unless the database does not begin with it any more, as after a backup was put back or a transaction that failed.
    """
    place = keystore.home()
    releases = list(Release.objects.order_by("pk").values_list("pk", "statistic"))
    read = _read.pop(place, None)
    if read is None or releases[: len(read.releases)] != read.releases:
        read = _Read()
    last = read.releases[-1][0] if read.releases else 0
    for sealed in Release.objects.filter(pk__gt=last).order_by("pk").values_list("sets", flat=True).iterator():
        read.add(_unseal(bytes(sealed)))
    read.releases = releases
    _read[place] = read
    while len(_read) > _MOST_KEPT:
        _read.popitem(last=False)
    return read


def seal(sets: Iterable[Selection]) -> bytes:
    """Return sets of persons, over their numbers, encrypted under the key of the ledger.

    A set is stored as the steps from one number to the next; a person of several rows is there for each.
    """
    parts = []
    for rows in sets:
        persons = np.flatnonzero(rows)
        numbers = persons if rows.dtype == np.bool_ else np.repeat(persons, rows[persons])
        data = np.diff(numbers, prepend=0).astype("<u4").tobytes()
        parts.append(len(data).to_bytes(4, "big") + data)
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(ledger_key()).encrypt(nonce, zlib.compress(b"".join(parts), 1), b"sets")


def _unseal(sealed: bytes) -> list[Selection]:
    data = zlib.decompress(AESGCM(ledger_key()).decrypt(sealed[:_NONCE], sealed[_NONCE:], b"sets"))
    sets: list[Selection] = []
    place = 0
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        place += 4
        sets.append(np.bincount(np.cumsum(np.frombuffer(data[place : place + size], dtype="<u4").astype(np.int64))))
        place += size
    return sets
