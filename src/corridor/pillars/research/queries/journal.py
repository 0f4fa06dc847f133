"""What left, as it is noted outside the database: a database that was put back from a backup knows less than this.

The journal names each answer before it leaves and once it left. Beside it lies what the ledger must know of each, so
that two persons can bring a ledger back that lost it. Neither is in a backup, nor is the key that seals them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from corridor.base.errors import CorridorError
from corridor.exchange import keystore
from corridor.pillars.research.queries.row_files import FOLDER, NONCE
from corridor.pillars.research.rules.rows import Mask

__all__ = ["INTENDED", "LEDGER_KEY", "Left", "journal_path", "kept", "noted", "path_of_left", "unsure"]

LEDGER_KEY = "research-ledger"
INTENDED = "?"
"""Before a line of the journal: it was about to be released, and whether it was only the database knows."""

_JOURNAL = "research-ledger.journal"
_RELEASED = "released"


@dataclass(frozen=True)
class Left:
    """One answer that left, as the ledger must know it.

    Attributes
    ----------
    rows : str
        Name of the file that holds the frozen rows.
    partners : tuple of str
        Nodes that got the answer.
    released_at : str
        In ISO 8601.
    sets : tuple of array of bool, shape (rows of the snapshot,)
        Of whom it tells.
    """

    study: str
    protocol: str
    run: str
    analysis: str
    model: str
    statistic: str
    snapshot: str
    rows: str
    partners: tuple[str, ...]
    numbers: Mapping[str, list[float | None]]
    released_at: str
    sets: tuple[Mask, ...]


def noted() -> set[str]:
    """Return what left, by the name of its statistic."""
    return {line for line in _lines() if not line.startswith(INTENDED)}


def unsure() -> set[str]:
    """Return what was about to leave when its process ended: whether it did, only the database knows."""
    lines = _lines()
    return {line.removeprefix(INTENDED) for line in lines if line.startswith(INTENDED)} - lines


def kept(statistic: str) -> Left | None:
    """Return what was kept of an answer, or None where it is not there or cannot be read."""
    try:
        sealed = path_of_left(statistic).read_bytes()
        key = AESGCM(keystore.body_key(keystore.home(), LEDGER_KEY))
        body = zlib.decompress(key.decrypt(sealed[:NONCE], sealed[NONCE:], statistic.encode()))
    except (OSError, InvalidTag, ValueError, CorridorError):
        return None
    end = 4 + int.from_bytes(body[:4], "big")
    told, sets, place = json.loads(body[4:end]), [], end
    for size in told["sets"]:
        width = (size + 7) // 8
        bits = np.frombuffer(body[place : place + width], dtype=np.uint8)
        sets.append(np.unpackbits(bits, count=size).astype(bool))
        place += width
    members = {field.name: told[field.name] for field in fields(Left)}
    return Left(**{**members, "partners": tuple(told["partners"]), "sets": tuple(sets)})


def path_of_left(statistic: str) -> Path:
    """Return where it is kept what the ledger must know of an answer."""
    return keystore.home() / FOLDER / _RELEASED / statistic


def journal_path() -> Path:
    """Return where the journal lies."""
    return keystore.home() / keystore.KEYS / _JOURNAL


def _lines() -> set[str]:
    path = journal_path()
    return set(path.read_text(encoding="ascii").split()) if path.exists() else set()
