"""Taking a file in: read, validate, compare, record chunk by chunk."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path

import polars as pl

from corridor.accounts.actors import Actor
from corridor.base.errors import UserFault
from corridor.base.reference import diseases, places
from corridor.base.textfiles import read_table
from corridor.exchange.queries import own_node
from corridor.pillars.surveillance.queries import running_import, same_file, sum_tallies, would_change
from corridor.pillars.surveillance.services import (
    Changes,
    abandon_import,
    begin_import,
    complete_import,
    record_cases,
    record_counts,
    record_tallies,
)
from corridor.pillars.surveillance.tables import (
    CASE_FIELDS,
    COUNT_FIELDS,
    Mapping,
    Outcome,
    guess_mapping,
    read_counts,
    read_line_list,
)

__all__ = ["FIELDS", "ReadFile", "Taken", "preview", "read_file", "take_in"]

CHUNK = 50_000
FIELDS = {"line-list": CASE_FIELDS, "counts": COUNT_FIELDS}

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class ReadFile:
    """A file that was read and validated, and how."""

    name: str
    kind: str
    hash: str
    mapping: Mapping
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of a file.

    Attributes
    ----------
    import_id : number of the import; of the earlier one where the same file was taken in before; None for a preview
    is_repeat : the same file, read in the same way, was the last one of its source; nothing changed
    rows, kept, rejected : rows of the file
    reasons : reason to number of faults
    added, corrected, unchanged, outdated : what the kept rows did, or would do
    """

    import_id: int | None
    is_repeat: bool
    rows: int
    kept: int
    rejected: int
    reasons: dict[str, int]
    added: int
    corrected: int
    unchanged: int
    outdated: int


def read_file(
    source: str | Path | bytes, *, name: str, kind: str, mapping: Mapping, as_of: datetime, encoding: str | None = None
) -> ReadFile:
    """Read and validate a file of line lists or counts; columns that the mapping leaves open are guessed.

    A name that several countries have means the place in this node's own country.

    Raises
    ------
    UserFault
        If the file is no table, or a needed column is missing.
    """
    data = source if isinstance(source, bytes) else None
    frame = read_table(source, encoding=encoding)
    digest = sha256(data if data is not None else _bytes(source))
    fields = FIELDS[kind]
    complete = guess_mapping(frame.columns, fields=fields, base=mapping)
    read = read_line_list if kind == "line-list" else read_counts
    node = own_node()
    home = node.country if node is not None else ""
    outcome = read(frame, mapping=complete, as_of_on=as_of.date(), places=places(), diseases=diseases(), home=home)
    return ReadFile(name=name, kind=kind, hash=digest.hexdigest(), mapping=complete, outcome=outcome)


def _bytes(source: str | Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else Path(source).read_bytes()


def preview(file: ReadFile, *, source: str, actor: Actor) -> Taken:
    """Return what taking the file in would do; nothing is written."""
    outcome = file.outcome
    carried = [*file.mapping.columns, *file.mapping.constants]
    change = would_change(outcome.kept, kind=file.kind, source=source, carried=carried, actor=actor)
    return Taken(
        import_id=None,
        is_repeat=False,
        rows=outcome.rows,
        kept=outcome.kept.height,
        rejected=outcome.left_out,
        reasons=outcome.reasons(),
        outdated=0,
        **change,
    )


def take_in(
    file: ReadFile,
    *,
    source: str,
    as_of: datetime,
    actor: Actor,
    now: datetime,
    restart: bool = False,
    progress: Progress | None = None,
) -> Taken:
    """Record a validated file, chunk by chunk; it becomes visible as a whole at the end.

    Parameters
    ----------
    restart : first undo an import of this source that was never completed
    progress : called with the rows done and all rows

    Raises
    ------
    NotPermitted, ImportUnderWay
        If `actor` may not, or another import of the source is running.
    """
    outcome, mapping = file.outcome, file.mapping.as_dict()
    earlier = same_file(source=source, kind=file.kind, file_hash=file.hash, mapping=mapping, actor=actor)
    if earlier is not None:
        return _taken(file, earlier.id, Changes(unchanged=outcome.kept.height), is_repeat=True)
    left = running_import(source=source, actor=actor) if restart else None
    while left is not None and not abandon_import(import_id=left, actor=actor, now=now):
        continue
    import_ = begin_import(
        source=source,
        kind=file.kind,
        file_name=file.name,
        file_hash=file.hash,
        mapping=mapping,
        simulated=file.mapping.simulated,
        as_of=as_of,
        covers_from_on=_covers_from(outcome.kept, file.kind),
        rows=outcome.rows,
        rejected=outcome.left_out,
        reasons=outcome.reasons(),
        actor=actor,
        now=now,
    )
    try:
        changes = _record(file, import_.pk, actor=actor, now=now, progress=progress)
        complete_import(import_id=import_.pk, changes=changes, actor=actor, now=now)
    except UserFault:
        while not abandon_import(import_id=import_.pk, actor=actor, now=now):
            continue
        raise
    return _taken(file, import_.pk, changes, is_repeat=False)


def _record(file: ReadFile, import_id: int, *, actor: Actor, now: datetime, progress: Progress | None) -> Changes:
    kept = file.outcome.kept
    is_cases = file.kind == "line-list"
    # Rows in the order of the index are appended to it, not scattered over it.
    kept = kept.sort("case_id") if is_cases else kept.sort("disease", "period_type", "place", "start_on")
    record = record_cases if is_cases else record_counts
    changes = Changes()
    for number, chunk in enumerate(kept.iter_slices(CHUNK), start=1):
        changes += record(chunk, import_id=import_id, actor=actor, now=now)
        if progress is not None:
            progress(min(number * CHUNK, kept.height), kept.height)
    for chunk in sum_tallies(changes.tallies).sort("disease", "place", "start_on").iter_slices(CHUNK):
        record_tallies(chunk, import_id=import_id, actor=actor, now=now)
    return changes


def _covers_from(kept: pl.DataFrame, kind: str) -> date | None:
    """Return from when on a source reports: the day by which one report in 200 had come in.

    The very first date may be a slip of the pen, decades early; it must not turn decades into zeros.
    """
    if kind != "line-list" or kept.is_empty():
        return None
    days = kept["report_on"].drop_nulls()
    days = days if days.len() else kept["onset_on"].drop_nulls()
    return days.sort().item(days.len() // 200)  # type: ignore[no-any-return]  # a column of dates


def _taken(file: ReadFile, import_id: int, changes: Changes, *, is_repeat: bool) -> Taken:
    return Taken(
        import_id=import_id,
        is_repeat=is_repeat,
        rows=file.outcome.rows,
        kept=file.outcome.kept.height,
        rejected=file.outcome.left_out,
        reasons=file.outcome.reasons(),
        added=changes.added,
        corrected=changes.corrected,
        unchanged=changes.unchanged,
        outdated=changes.outdated,
    )
