"""The frozen rows of a site: one spelling, one hash, so that an analysis can say on which data it ran."""

import hashlib
import io
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import polars as pl

from corridor.base.errors import CorridorError
from corridor.pillars.research.rules.rows import SiteTable

__all__ = ["BrokenSnapshot", "pack_snapshot", "snapshot_hash", "unpack_snapshot"]

_PERSON = "person"
_PREFIX = "v_"


class BrokenSnapshot(CorridorError):
    """Stored bytes are no snapshot, or not the one of that hash."""

    code: ClassVar[str] = "broken-snapshot"


def snapshot_hash(table: SiteTable) -> str:
    """Return the SHA-256 of the rows in hexadecimal.

    It is over the pseudonyms and each column by name, in the order of the names, numbers as 64-bit floats: the same
    rows in the same order have the same hash on every platform.
    """
    digest = hashlib.sha256(_spelled(table.persons))
    for name in sorted(table.columns):
        digest.update(_spelled([name]))
        values = np.where(np.isnan(table.columns[name]), np.nan, table.columns[name]) + 0.0
        digest.update(values.astype("<f8").tobytes())
    return digest.hexdigest()


def _spelled(texts: Iterable[str]) -> bytes:
    """Return texts, each after its length in four bytes."""
    encoded = [text.encode() for text in texts]
    heads = {length: length.to_bytes(4, "big") for length in set(map(len, encoded))}
    return b"".join([heads[len(each)] + each for each in encoded])


def pack_snapshot(table: SiteTable) -> bytes:
    """Return the rows as a Parquet file."""
    frame = pl.DataFrame(
        {_PERSON: list(table.persons), **{_PREFIX + name: values for name, values in sorted(table.columns.items())}}
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def unpack_snapshot(data: bytes, *, expected_hash: str) -> SiteTable:
    """Return the rows that `pack_snapshot` packed.

    Raises
    ------
    BrokenSnapshot
        If the bytes are no snapshot, or their hash is another than expected.
    """
    try:
        frame = pl.read_parquet(io.BytesIO(data))
        columns = {
            name.removeprefix(_PREFIX): frame[name].to_numpy().astype(float)
            for name in frame.columns
            if name.startswith(_PREFIX)
        }
        table = SiteTable(columns, tuple(frame[_PERSON].to_list()))
    except (pl.exceptions.PolarsError, OSError, KeyError) as fault:
        raise BrokenSnapshot(f"the stored snapshot cannot be read: {type(fault).__name__}") from fault
    if snapshot_hash(table) != expected_hash:
        raise BrokenSnapshot("the stored snapshot is not the one that was signed: its hash differs")
    return table
