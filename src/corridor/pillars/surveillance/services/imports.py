"""Taking a file in: begin, record chunk by chunk, complete; nothing shows before the last step."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar

import polars as pl
from django.db import connection

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import Refused, WrongUsage
from corridor.jobs.services import enqueue
from corridor.pillars.surveillance.models import Case, CountReport, Import, Source, WeekTally
from corridor.pillars.surveillance.queries.imports import CASE_COLUMNS, COUNT_COLUMNS, compare_cases, compare_counts
from corridor.pillars.surveillance.queries.rows import chosen, fetch
from corridor.pillars.surveillance.queries.tallies import TALLY_COLUMNS, TALLY_SCHEMA, sum_tallies, tally
from corridor.pillars.surveillance.services import bulk

__all__ = [
    "Changes",
    "ImportUnderWay",
    "NoSuchImport",
    "abandon_import",
    "begin_import",
    "complete_import",
    "record_cases",
    "record_counts",
    "record_tallies",
]

INGEST = "surveillance.ingest"

KEPT_APART = 500_000
"""Rows of changed tallies from which on they are added up: adding up after each chunk would cost more than writing."""

_TALLIED = ["disease", "place", "onset_on", "report_on", "classification"]


class ImportUnderWay(Refused):
    """Another file of the same source is being taken in."""

    code: ClassVar[str] = "import-under-way"


class NoSuchImport(WrongUsage):
    """There is no import of that number that is still running."""

    code: ClassVar[str] = "no-such-import"


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a chunk changed.

    Attributes
    ----------
    added, corrected, unchanged, outdated : rows
    tallies : polars.DataFrame
        By how much the weekly tallies change, columns of `TALLY_SCHEMA`, a week perhaps in several rows; empty for
        counts.
    """

    added: int = 0
    corrected: int = 0
    unchanged: int = 0
    outdated: int = 0
    tallies: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TALLY_SCHEMA))

    def __add__(self, other: "Changes") -> "Changes":
        tallies = pl.concat([self.tallies, other.tallies])
        return Changes(
            added=self.added + other.added,
            corrected=self.corrected + other.corrected,
            unchanged=self.unchanged + other.unchanged,
            outdated=self.outdated + other.outdated,
            tallies=sum_tallies(tallies) if tallies.height > KEPT_APART else tallies,
        )


@write("surveillance.begin_import", subject="source")
def begin_import(
    *,
    source: str,
    kind: str,
    file_name: str,
    file_hash: str,
    mapping: dict[str, Any],
    simulated: bool,
    as_of: datetime,
    covers_from_on: date | None,
    rows: int,
    rejected: int,
    reasons: dict[str, int],
    actor: Actor,
    now: datetime,
) -> Import:
    """Open an import of a file that was read and validated; what is recorded under it stays unseen until it completes.

    Raises
    ------
    NotPermitted
        If `actor` may not ingest.
    ImportUnderWay
        If another import of this source is running. One that was left by a process that died is abandoned first.
    """
    require(actor, INGEST)
    origin, _ = Source.objects.get_or_create(name=source, defaults={"added_at": now})
    running = Import.objects.filter(source=origin, status=Import.Status.RUNNING).first()
    if running is not None:
        raise ImportUnderWay(
            f"a file of the source {source!r} is being taken in since {running.started_at:%Y-%m-%d %H:%M} UTC"
            f" (import {running.pk}). Wait until it is done, or, if its process died, give --restart."
        )
    import_ = Import.objects.create(
        source=origin,
        kind=kind,
        status=Import.Status.RUNNING,
        file_name=file_name,
        file_hash=file_hash,
        mapping=mapping,
        simulated=simulated,
        as_of=as_of,
        covers_from_on=covers_from_on,
        actor=actor_name(actor),
        started_at=now,
        rows=rows,
        rejected=rejected,
        reasons=reasons,
    )
    note(import_id=import_.pk, rows=rows, rejected=rejected)
    return import_


def _running(import_id: int) -> Import:
    import_ = Import.objects.select_for_update().filter(pk=import_id, status=Import.Status.RUNNING).first()
    if import_ is None:
        raise NoSuchImport(f"import {import_id} is not running; it was completed or abandoned meanwhile.")
    return import_


def _later_imports(import_: Import) -> list[int]:
    """Return the imports of the source whose extract is younger: their rows are not overwritten by an older one."""
    later = Import.objects.filter(source=import_.source_id, as_of__gt=import_.as_of)
    return list(later.order_by().values_list("pk", flat=True))


@write("surveillance.record_cases", subject="import_id")
def record_cases(cases: pl.DataFrame, *, import_id: int, actor: Actor, now: datetime) -> Changes:
    """Record a chunk of a validated line list; a changed row replaces its predecessor, which is kept.

    Parameters
    ----------
    cases : polars.DataFrame, columns of `tables.linelist.CASE_SCHEMA`, ids distinct

    Raises
    ------
    NotPermitted, NoSuchImport
        If `actor` may not ingest, or the import is not running.
    """
    require(actor, INGEST)
    import_ = _running(import_id)
    merged = compare_cases(cases, source_id=import_.source_id)
    is_new, differs = pl.col("id").is_null(), pl.col("differs")
    from_later = pl.col("entered_in_id").is_in(_later_imports(import_))
    added = merged.filter(is_new)
    corrected = merged.filter(~is_new & differs & ~from_later)
    outdated = merged.filter(~is_new & differs & from_later).height
    bulk.replace(Case, corrected["id"], replaced_in=import_id)
    entered = pl.concat([added, corrected]).select(*CASE_COLUMNS)
    bulk.insert(Case, entered, source_id=import_.source_id, entered_in_id=import_id)
    replaced = corrected.select(pl.col(f"{name}_held").alias(name) for name in _TALLIED)
    changes = Changes(
        added=added.height,
        corrected=corrected.height,
        unchanged=merged.height - added.height - corrected.height - outdated,
        outdated=outdated,
        tallies=pl.concat([tally(entered), tally(replaced).with_columns(-pl.col(TALLY_COLUMNS))]),
    )
    note(added=changes.added, corrected=changes.corrected)
    return changes


@write("surveillance.record_tallies", subject="import_id")
def record_tallies(changes: pl.DataFrame, *, import_id: int, actor: Actor, now: datetime) -> int:
    """Record a chunk of changes to the weekly tallies; return how many weeks changed.

    Parameters
    ----------
    changes : polars.DataFrame, columns of `TALLY_SCHEMA`, one row a disease, place and week
    """
    require(actor, INGEST)
    import_ = _running(import_id)
    changes = changes.filter(pl.any_horizontal(pl.col(TALLY_COLUMNS) != 0))
    if changes.is_empty():
        return 0
    condition, parameters = chosen("disease", changes["disease"].unique().to_list())
    first, last = changes["start_on"].min(), changes["start_on"].max()
    held = fetch(
        WeekTally,
        {"id": pl.Int64, **TALLY_SCHEMA},
        where=f"source_id = %s AND replaced_in_id IS NULL AND {condition} AND start_on BETWEEN %s AND %s",
        parameters=[import_.source_id, *parameters, str(first), str(last)],
    )
    merged = changes.join(held, on=["disease", "place", "start_on"], how="left", suffix="_held")
    bulk.replace(WeekTally, merged["id"].drop_nulls(), replaced_in=import_id)
    entered = merged.select(
        "disease",
        "place",
        "start_on",
        *((pl.col(name) + pl.col(f"{name}_held").fill_null(0)).alias(name) for name in TALLY_COLUMNS),
    )
    bulk.insert(WeekTally, entered, source_id=import_.source_id, entered_in_id=import_id)
    return entered.height


@write("surveillance.record_counts", subject="import_id")
def record_counts(counts: pl.DataFrame, *, import_id: int, actor: Actor, now: datetime) -> Changes:
    """Record a chunk of validated counts; a changed count replaces its predecessor, which is kept.

    Parameters
    ----------
    counts : polars.DataFrame, columns of `tables.counts.COUNT_SCHEMA`, keys distinct

    Raises
    ------
    NotPermitted, NoSuchImport
        If `actor` may not ingest, or the import is not running.
    """
    require(actor, INGEST)
    import_ = _running(import_id)
    carried = {*import_.mapping.get("columns", {}), *import_.mapping.get("constants", {})}
    merged = compare_counts(counts, source_id=import_.source_id, carried=carried)
    is_new, differs = pl.col("id").is_null(), pl.col("differs")
    from_later = pl.col("entered_in_id").is_in(_later_imports(import_))
    added = merged.filter(is_new)
    corrected = merged.filter(~is_new & differs & ~from_later)
    outdated = merged.filter(~is_new & differs & from_later).height
    bulk.replace(CountReport, corrected["id"], replaced_in=import_id)
    entered = pl.concat([added, corrected]).select(*COUNT_COLUMNS)
    bulk.insert(CountReport, entered, source_id=import_.source_id, entered_in_id=import_id)
    note(added=added.height, corrected=corrected.height)
    return Changes(
        added=added.height,
        corrected=corrected.height,
        unchanged=merged.height - added.height - corrected.height - outdated,
        outdated=outdated,
    )


@write("surveillance.complete_import", subject="import_id")
def complete_import(*, import_id: int, changes: Changes, actor: Actor, now: datetime) -> Import:
    """Make everything recorded under an import visible at once, and put detection and sharing into the queue.

    Raises
    ------
    NotPermitted, NoSuchImport
        If `actor` may not ingest, or the import is not running.
    """
    require(actor, INGEST)
    import_ = _running(import_id)
    import_.status = Import.Status.COMPLETE
    import_.completed_at = now
    import_.added, import_.corrected = changes.added, changes.corrected
    import_.unchanged, import_.outdated = changes.unchanged, changes.outdated
    import_.save()
    note(added=changes.added, corrected=changes.corrected, unchanged=changes.unchanged, outdated=changes.outdated)
    if changes.added or changes.corrected:
        enqueue("surveillance.detect", {"as_of": import_.as_of.isoformat()}, actor=actor, now=now, key="after-import")
    return import_


@write("surveillance.abandon_import", subject="import_id")
def abandon_import(*, import_id: int, actor: Actor, now: datetime) -> bool:
    """Undo a part of what a running import recorded; return True when nothing of it is left and it is closed.

    Called until it returns True, so that no transaction is long.
    """
    require(actor, INGEST)
    import_ = _running(import_id)
    for model in (Case, WeekTally, CountReport):
        # The new versions go first: only then is there room for the old ones to be current again.
        if _some(model, "entered_in_id", import_id, "DELETE FROM {table}"):
            return False
    for model in (Case, WeekTally, CountReport):
        if _some(model, "replaced_in_id", import_id, "UPDATE {table} SET replaced_in_id = NULL"):
            return False
    import_.status = Import.Status.ABANDONED
    import_.save(update_fields=["status"])
    return True


def _some(model: type[Case | WeekTally | CountReport], column: str, import_id: int, action: str) -> int:
    table = connection.ops.quote_name(model._meta.db_table)
    part = f"SELECT id FROM {table} WHERE {column} = %s LIMIT {bulk.CHUNK}"  # noqa: S608  # own names
    with connection.cursor() as cursor:
        cursor.execute(f"{action.format(table=table)} WHERE id IN ({part})", [import_id])
        return int(cursor.rowcount)
