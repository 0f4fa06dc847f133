"""What a file would change, and what was taken in so far."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.pillars.surveillance.models import Case, CountReport, Import, ReportingDelay, Source
from corridor.pillars.surveillance.queries.rows import chosen, fetch
from corridor.pillars.surveillance.tables.counts import COUNT_KEY, COUNT_SCHEMA
from corridor.pillars.surveillance.tables.linelist import CASE_SCHEMA

__all__ = [
    "CASE_COLUMNS",
    "COUNT_COLUMNS",
    "ImportView",
    "SourceView",
    "compare_cases",
    "compare_counts",
    "imports",
    "running_import",
    "same_file",
    "sources",
    "would_change",
]

CASE_COLUMNS = {name: dtype for name, dtype in CASE_SCHEMA.items() if name != "row"}
COUNT_COLUMNS = {name: dtype for name, dtype in COUNT_SCHEMA.items() if name != "row"}
_CASE_VALUES = [name for name in CASE_COLUMNS if name != "case_id"]
_COUNT_VALUES = [name for name in COUNT_COLUMNS if name not in COUNT_KEY]
_CHUNK = 50_000


@dataclass(frozen=True, kw_only=True)
class ImportView:
    """One file that was taken in, as pages and commands show it."""

    id: int
    source: str
    kind: str
    status: str
    file_name: str
    as_of: datetime
    actor: str
    started_at: datetime
    completed_at: datetime | None
    simulated: bool
    rows: int
    rejected: int
    reasons: dict[str, int]
    added: int
    corrected: int
    unchanged: int
    outdated: int


@dataclass(frozen=True, kw_only=True)
class SourceView:
    """How fresh a source is: its last complete import, if it has one, and how long its reports take.

    Attributes
    ----------
    delay_days : median days from onset to report of the disease asked for, in the last weeks; None where not known
    """

    name: str
    last: ImportView | None
    delay_days: float | None = None


def compare_cases(cases: pl.DataFrame, *, source_id: int) -> pl.DataFrame:
    """Return the cases beside the current version of each in the source.

    Returns
    -------
    polars.DataFrame
        The columns of `CASE_COLUMNS`; the same with the ending ``_held``; ``id`` and ``entered_in_id`` of the current
        version, null for a new case; ``differs``.
    """
    # Ids are distinct within a file, so the first file of a source meets nothing.
    earlier = Import.objects.filter(source=source_id, kind=Import.Kind.LINE_LIST, status=Import.Status.COMPLETE)
    condition, parameters = chosen("case_id", cases["case_id"].to_list() if earlier.exists() else [])
    held = fetch(
        Case,
        {"id": pl.Int64, "entered_in_id": pl.Int64, **CASE_COLUMNS},
        where=f"source_id = %s AND replaced_in_id IS NULL AND {condition}",
        parameters=[source_id, *parameters],
    )
    merged = cases.select(*CASE_COLUMNS).join(held, on="case_id", how="left", suffix="_held", maintain_order="left")
    return merged.with_columns(_differs(_CASE_VALUES))


def compare_counts(counts: pl.DataFrame, *, source_id: int, carried: Iterable[str]) -> pl.DataFrame:
    """Return the counts beside the current version of each in the source, as `compare_cases` does.

    A figure that the file does not carry at all stays what it was: completeness may come in a file of its own.
    """
    diseases, disease_parameters = chosen("disease", counts["disease"].unique().to_list())
    periods, period_parameters = chosen("period_type", counts["period_type"].unique().to_list())
    held = fetch(
        CountReport,
        {"id": pl.Int64, "entered_in_id": pl.Int64, **COUNT_COLUMNS},
        where=f"source_id = %s AND replaced_in_id IS NULL AND {diseases} AND {periods} AND start_on BETWEEN %s AND %s",
        parameters=[
            source_id,
            *disease_parameters,
            *period_parameters,
            str(counts["start_on"].min()),
            str(counts["start_on"].max()),
        ],
    )
    merged = counts.select(*COUNT_COLUMNS).join(
        held, on=list(COUNT_KEY), how="left", suffix="_held", maintain_order="left"
    )
    absent = set(_COUNT_VALUES) - set(carried)
    merged = merged.with_columns(pl.col(f"{name}_held").alias(name) for name in sorted(absent))
    return merged.with_columns(_differs(_COUNT_VALUES))


def _differs(names: list[str]) -> pl.Expr:
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_held")) for name in names).alias("differs")


def would_change(kept: pl.DataFrame, *, kind: str, source: str, carried: Iterable[str], actor: Actor) -> dict[str, int]:
    """Return how many rows of a validated file are new, corrected and unchanged against what the source holds.

    Raises
    ------
    NotPermitted
        If `actor` may not ingest.
    """
    require(actor, "surveillance.ingest")
    held = Source.objects.filter(name=source).values_list("pk", flat=True).first()
    if held is None or kept.is_empty():
        return {"added": kept.height, "corrected": 0, "unchanged": 0}
    total = {"added": 0, "corrected": 0, "unchanged": 0}
    for chunk in kept.iter_slices(_CHUNK):
        if kind == Import.Kind.LINE_LIST:
            merged = compare_cases(chunk, source_id=held)
        else:
            merged = compare_counts(chunk, source_id=held, carried=carried)
        added = merged["id"].null_count()
        corrected = merged.filter(pl.col("id").is_not_null() & pl.col("differs")).height
        total["added"] += added
        total["corrected"] += corrected
        total["unchanged"] += merged.height - added - corrected
    return total


def same_file(*, source: str, kind: str, file_hash: str, mapping: dict[str, Any], actor: Actor) -> ImportView | None:
    """Return the last complete import of a source if it was of the very same file, read in the same way."""
    require(actor, "surveillance.ingest")
    complete = Import.objects.filter(source__name=source, kind=kind, status=Import.Status.COMPLETE)
    last = complete.select_related("source").order_by("-completed_at", "-id").first()
    if last is None or (last.file_hash, last.mapping) != (file_hash, mapping):
        return None
    return _view(last)


def running_import(*, source: str, actor: Actor) -> int | None:
    """Return the number of the import of a source that is not complete, or None."""
    require(actor, "surveillance.ingest")
    running = Import.objects.filter(source__name=source, status=Import.Status.RUNNING)
    return running.values_list("pk", flat=True).first()


def imports(*, actor: Actor, limit: int = 100) -> list[ImportView]:
    """Return the latest imports, newest first."""
    require(actor, "surveillance.see_board")
    return [_view(row) for row in Import.objects.select_related("source").order_by("-started_at", "-id")[:limit]]


def sources(*, actor: Actor, disease: str = "") -> list[SourceView]:
    """Return every source by name with its last complete import, and its reporting delay of a disease."""
    require(actor, "surveillance.see_board")
    last: dict[int, Import] = {}
    complete = Import.objects.filter(status=Import.Status.COMPLETE).select_related("source")
    for row in complete.order_by("completed_at", "id"):
        last[row.source_id] = row
    delays = dict(ReportingDelay.objects.filter(disease=disease).values_list("source", "median_days"))
    return [
        SourceView(
            name=source.name,
            last=_view(last[source.pk]) if source.pk in last else None,
            delay_days=delays.get(source.pk),
        )
        for source in Source.objects.order_by("name")
    ]


def _view(row: Import) -> ImportView:
    return ImportView(
        id=row.pk,
        source=row.source.name,
        kind=row.kind,
        status=row.status,
        file_name=row.file_name,
        as_of=row.as_of,
        actor=row.actor,
        started_at=row.started_at,
        completed_at=row.completed_at,
        simulated=row.simulated,
        rows=row.rows,
        rejected=row.rejected,
        reasons=row.reasons,
        added=row.added,
        corrected=row.corrected,
        unchanged=row.unchanged,
        outdated=row.outdated,
    )
