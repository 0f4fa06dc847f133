"""Numbers of persons in the ledger: the same person has the same number in every study and every snapshot."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from functools import partial

import numpy as np
from django.db import transaction

from corridor.base.errors import CorridorError
from corridor.exchange import keystore
from corridor.exchange.models import Node
from corridor.exchange.services import bulk
from corridor.pillars.research.models import PersonNumber
from corridor.pillars.research.queries.row_files import has_rows, read_rows
from corridor.pillars.research.rules.rows import IntArray, SiteTable, in_one_spelling
from corridor.pillars.research.services.ledger_key import ledger_key
from corridor.pillars.research.services.row_files import write_rows

__all__ = ["keep_numbers", "lock_ledger", "number_persons"]


_AT_ONCE = 20_000
"""Persons that are fetched together."""


def lock_ledger() -> None:
    """Let nobody else number persons or release anything until this transaction ends.

    One lock for everything that this site releases: two studies may be about the same persons.
    """
    Node.objects.select_for_update().get()


def number_persons(table: SiteTable, *, rows: str = "") -> IntArray:
    """Return the number of the person of each row, shape (rows,); new persons are numbered on.

    To be called under `lock_ledger`. Numbers are kept with the table once they are committed, and looked up anew where
    the database does not hold them as they were: a backup that was put back may have numbered others since.

    Parameters
    ----------
    table : SiteTable
    rows : str
        The name of the snapshot's file, beside which `keep_numbers` wrote them; nothing where they are to be looked up.
    """
    key, place = ledger_key(), ("numbers of persons", keystore.home())
    numbers: IntArray | None = table.kept(place)
    if numbers is None:
        numbers = _beside(rows, count=len(table))
    if numbers is None or not _still_hold(numbers, table.persons, key):
        numbers = _look_up(table.persons, key)
    transaction.on_commit(partial(table.keep, place, numbers))
    return numbers


def keep_numbers(rows: str, numbers: IntArray) -> None:
    """Write the numbers of the persons of a snapshot beside its rows, encrypted like these.

    To be called in the transaction that numbers them and stores the snapshot under its new name: where a database
    holds that name, it holds the numbers too, since none is ever given anew.
    """
    write_rows(_file_beside(rows), numbers.astype("<u8").tobytes())


def _beside(rows: str, *, count: int) -> IntArray | None:
    if not rows or not has_rows(_file_beside(rows)):
        return None
    try:
        numbers = np.frombuffer(read_rows(_file_beside(rows)), dtype="<u8").astype(np.int64)
    except CorridorError:
        return None
    return numbers if len(numbers) == count else None


def _file_beside(rows: str) -> str:
    return f"{rows}-persons"


def _look_up(persons: Sequence[str], key: bytes) -> IntArray:
    tags = _tags(persons, key)
    known = _known()
    fresh = [tag for tag in dict.fromkeys(tags) if tag not in known]
    if fresh:
        bulk.insert(PersonNumber, ("tag",), ((tag,) for tag in fresh))
        known = _known()
    return np.fromiter(map(known.__getitem__, tags), dtype=np.int64, count=len(tags))


def _known() -> dict[bytes, int]:
    rows = PersonNumber.objects.values_list("tag", "pk").iterator(chunk_size=_AT_ONCE)
    return {bytes(tag): number for tag, number in rows}


def _still_hold(numbers: IntArray, persons: Sequence[str], key: bytes) -> bool:
    """Tell whether those with the lowest and the highest number still have them: numbers are given in order."""
    rows = [int(row) for row in (numbers.argmin(), numbers.argmax())] if len(numbers) else []
    held = dict(PersonNumber.objects.filter(pk__in=numbers[rows].tolist()).values_list("pk", "tag"))
    tags = _tags([persons[row] for row in rows], key)
    return all(bytes(held.get(int(numbers[row]), b"")) == tag for row, tag in zip(rows, tags, strict=True))


def _tags(persons: Sequence[str], key: bytes) -> list[bytes]:
    return [hmac.digest(key, name.encode(), "sha256") for name in in_one_spelling(persons)]
