"""Frozen rows in the memory of the process that computes on them: decrypted and verified once, not in every round."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

from corridor.exchange import keystore
from corridor.pillars.research.models import Snapshot
from corridor.pillars.research.queries.row_files import read_rows, stamp_of_rows
from corridor.pillars.research.rules.rows import SiteTable
from corridor.pillars.research.tables import unpack_snapshot

__all__ = ["drop_tables", "frozen_table"]

MOST_TABLES = 4
"""Tables that a process holds; beyond, the one longest unused goes."""


@dataclass(frozen=True)
class _Held:
    table: SiteTable
    stamp: tuple[int, ...] | None


_held: OrderedDict[tuple[Path, str, str, str], _Held] = OrderedDict()
"""By home, file, hash and site. Nothing of it is ever written anywhere."""


def frozen_table(snapshot: Snapshot, *, site: str) -> SiteTable:
    """Return the frozen rows of a snapshot, the same object as long as the file and its key stay what they are.

    The hash is verified whenever the file is read; a file or a key that was touched since is read again, and refused
    if its rows are not those that were signed.

    Raises
    ------
    BrokenSnapshot
        If the rows are not those of the hash.
    KeysUnreadable
        If the key is gone.
    """
    place = (keystore.home(), snapshot.name, snapshot.hash, site)
    stamp = stamp_of_rows(snapshot.name)
    held = _held.pop(place, None)
    if held is None or held.stamp is None or held.stamp != stamp:
        table = unpack_snapshot(read_rows(snapshot.name), expected_hash=snapshot.hash)
        held = _Held(replace(table, site=site), stamp)
    _held[place] = held
    while len(_held) > MOST_TABLES:
        _held.popitem(last=False)
    return held.table


def drop_tables() -> None:
    """Let go of every table of this home: no run is open that needs them."""
    for place in [place for place in _held if place[0] == keystore.home()]:
        del _held[place]
