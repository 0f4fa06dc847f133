"""Work of several steps: take a file in, look for outbreaks, share what is due."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from corridor import science
from corridor.accounts.actors import Actor, System
from corridor.base.errors import UserFault
from corridor.base.reference import Disease, diseases, places
from corridor.base.textfiles import read_table
from corridor.exchange.registry import ChannelView
from corridor.jobs.registry import JobContext, task
from corridor.jobs.services import enqueue
from corridor.pillars.surveillance.messages import CaseNotification, PeriodCounts
from corridor.pillars.surveillance.queries import (
    SeriesTable,
    automatic_channels,
    diseases_with_data,
    past_signals,
    period_of,
    running_import,
    same_file,
    series_table,
    would_change,
)
from corridor.pillars.surveillance.rules import COUNTED_CLASSES, case_definition, is_raised, next_start, severity
from corridor.pillars.surveillance.services import (
    Changes,
    NewSignal,
    Shared,
    abandon_import,
    begin_import,
    complete_import,
    notify_cases,
    record_cases,
    record_counts,
    record_run,
    record_tallies,
    share_disease,
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

__all__ = [
    "DETECT",
    "FIELDS",
    "SHARE",
    "ReadFile",
    "Taken",
    "detect",
    "detect_disease",
    "preview",
    "read_file",
    "share",
    "share_channel",
    "take_in",
]

DETECT = "surveillance.detect"
SHARE = "surveillance.share-automatically"
CHUNK = 50_000
FIELDS = {"line-list": CASE_FIELDS, "counts": COUNT_FIELDS}

# How many of the last periods a run judges and keeps, and how old a period may be to become a signal.
JUDGED = {"week": 26, "day": 60}
RAISED = {"week": 4, "day": 7}

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
    outcome = read(frame, mapping=complete, as_of_on=as_of.date(), places=places(), diseases=diseases())
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
    for chunk in changes.tallies.sort("disease", "place", "start_on").iter_slices(CHUNK):
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


@task(DETECT, lease=timedelta(minutes=15))
def detect(*, arguments: dict[str, Any], now: datetime, job: JobContext) -> None:
    """Judge the series of every disease that has data (or of ``diseases``), then put sharing into the queue.

    Other arguments: ``period``, ``method`` and ``options`` in place of the reference data's, ``until`` (ISO date).
    """
    actor = System("surveillance")
    codes = arguments.get("diseases") or diseases_with_data(actor=actor)
    until = arguments.get("until")
    for number, code in enumerate(codes, start=1):
        detect_disease(
            code,
            period=arguments.get("period"),
            method=arguments.get("method"),
            options=arguments.get("options"),
            until=date.fromisoformat(until) if until else None,
            actor=actor,
            now=now,
        )
        job.heartbeat(number, len(codes))
    enqueue(SHARE, {}, actor=actor, now=now, key="after-detection")


@task(SHARE)
def share(*, arguments: dict[str, Any], now: datetime, job: JobContext) -> None:
    """Send what changed in the last ``weeks`` (8) on the channels on which a person let this node send by itself.

    Cases of diseases that are notified at once go first.
    """
    actor = System("surveillance")
    codes = diseases_with_data(actor=actor)
    immediate = [code for code in codes if (known := diseases().get(code)) and known.notifiable == "immediate"]
    for channel in automatic_channels(actor=actor, schema=CaseNotification.schema_id(), now=now):
        for code in immediate:
            notify_cases(channel=channel, disease=code, actor=actor, now=now)
    today = now.astimezone(UTC).date()
    first_on = today - timedelta(weeks=int(arguments.get("weeks", 8)))
    channels_on = automatic_channels(actor=actor, schema=PeriodCounts.schema_id(), now=now)
    for number, channel in enumerate(channels_on, start=1):
        share_channel(channel, first_on=first_on, end_on=today, actor=actor, now=now)
        job.heartbeat(number, len(channels_on))


def share_channel(
    channel: ChannelView,
    *,
    first_on: date,
    end_on: date,
    actor: Actor,
    now: datetime,
    codes: Sequence[str] | None = None,
) -> list[Shared]:
    """Send every partner of a channel what it does not have yet, disease by disease.

    Parameters
    ----------
    first_on, end_on : half-open range of days; the periods that begin in it and are over
    codes : diseases; every one with data by default. What no rule of the channel opens is left out.
    """
    found = []
    for code in codes if codes is not None else diseases_with_data(actor=actor):
        for partner in channel.partners:
            result = share_disease(
                channel=channel, to=partner, disease=code, first_on=first_on, end_on=end_on, actor=actor, now=now
            )
            found.append(result)
    return found


def detect_disease(
    code: str,
    *,
    actor: Actor,
    now: datetime,
    period: str | None = None,
    method: str | None = None,
    options: dict[str, Any] | None = None,
    offset: str | None = None,
    until: date | None = None,
) -> int | None:
    """Judge all series of a disease at once, store the run, raise signals; return the run's number.

    Parameters
    ----------
    code : disease
    period, method, options, offset
        In place of what the reference data say. Daily counts are judged by an EARS method.
    until : only periods that end by that day

    Returns
    -------
    int, or None where there is nothing to judge
    """
    setting = diseases().get(code)
    period = period or period_of(actor=actor, disease=code)
    method, options = _method(setting, period=period, method=method, options=options)
    offset = options.pop("offset", "") if offset is None else offset
    series = series_table(actor=actor, disease=code, period=period, offset=offset, until=until)
    if not series.starts or series.as_of is None:
        return None
    alarms = _judge(series, period=period, method=method, options=options)
    fixed_value = setting.detection.fixed_value if setting is not None else None
    results = _results(series, alarms, fixed_value=fixed_value)
    run = record_run(
        disease=code,
        period=period,
        basis="report",
        case_classes=case_definition(COUNTED_CLASSES),
        method=method,
        settings={
            "method": method,
            "options": options,
            "offset": offset if series.offset is not None else "",
            "fixed_value": fixed_value,
        },
        software=f"health-corridor {version('health-corridor')}",
        as_of=series.as_of,
        series=len(series.places),
        fallbacks=len(alarms.notes),
        results=results,
        signals=_new_signals(results, code=code, period=period, last=series.starts[-1], actor=actor, now=now),
        simulated=series.simulated,
        actor=actor,
        now=now,
    )
    return int(run.pk)


def _method(
    setting: Disease | None, *, period: str, method: str | None, options: dict[str, Any] | None
) -> tuple[str, dict[str, Any]]:
    if method is not None:
        return method, dict(options or {})
    chosen = setting.detection.method if setting is not None else "farrington-flexible"
    usual = dict(setting.detection.options) if setting is not None else {}
    if period == "day" and not chosen.startswith("ears"):
        # Farrington's seasons are weeks of the year; daily counts have a weekday effect that it does not know.
        return "ears-c1", dict(options or {})
    return chosen, {**usual, **(options or {})}


def _judge(series: SeriesTable, *, period: str, method: str, options: dict[str, Any]) -> science.Alarms:
    periods = len(series.starts)
    evaluate = np.arange(max(0, periods - JUDGED[period]), periods)
    is_farrington = method.startswith("farrington")
    return science.detect(
        series.counts,
        method=method,
        dates=list(series.starts) if is_farrington else None,
        population=series.offset if is_farrington else None,
        evaluate=evaluate,
        **options,
    )


def _results(series: SeriesTable, alarms: science.Alarms, *, fixed_value: int | None) -> pl.DataFrame:
    """Return one row for each judged period and place that had a count or got a limit."""
    epochs, columns = np.indices(alarms.alarm.shape)
    rows = alarms.evaluated[epochs.ravel()]
    names = np.array([*alarms.methods])
    notes = [alarms.notes.get(number, "")[:200] for number in range(len(series.places))]
    frame = pl.DataFrame(
        {
            "place": np.array(series.places)[columns.ravel()],
            "start_on": pl.Series(series.starts)[rows.tolist()],
            "observed": series.counts[rows, columns.ravel()],
            "expected": alarms.expected.ravel(),
            "upperbound": alarms.upperbound.ravel(),
            "alarm": alarms.alarm.ravel(),
            "judged": alarms.judged.ravel(),
            "score": alarms.score.ravel(),
            "phi": alarms.phi.ravel(),
            "method": names[alarms.used.ravel()],
            "fallback": np.array(notes, dtype=object)[columns.ravel()],
        },
        schema_overrides={"fallback": pl.String, "method": pl.String, "place": pl.String},
    )
    frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
    frame = frame.with_columns(
        pl.col("observed").cast(pl.Int64),
        pl.when("judged").then(pl.col("alarm")).alias("alarm"),
        pl.when(pl.col("method") != alarms.method).then(pl.col("fallback")).otherwise(pl.lit("")).alias("fallback"),
    )
    if fixed_value is not None:
        frame = _with_fixed_value(frame, fixed_value)
    return frame.drop("judged").filter(pl.col("observed").is_not_null() | pl.col("upperbound").is_not_null())


def _with_fixed_value(frame: pl.DataFrame, fixed_value: int) -> pl.DataFrame:
    """Return the results with an alarm wherever a place of its own, not a whole country, reaches the fixed value."""
    reached = (pl.col("observed") >= fixed_value) & pl.col("place").str.contains("-", literal=True)
    is_fixed = reached & ~pl.col("alarm").fill_null(value=False)
    return frame.with_columns(
        pl.when(is_fixed).then(pl.lit(value=True)).otherwise(pl.col("alarm")).alias("alarm"),
        pl.when(is_fixed).then(pl.lit(fixed_value - 1.0)).otherwise(pl.col("upperbound")).alias("upperbound"),
        pl.when(is_fixed).then(pl.lit("fixed-value")).otherwise(pl.col("method")).alias("method"),
    )


def _new_signals(
    results: pl.DataFrame, *, code: str, period: str, last: date, actor: Actor, now: datetime
) -> list[NewSignal]:
    """Return the exceedances of the last periods that the rules let become signals, at most one a place."""
    past = past_signals(actor=actor, disease=code, period=period)
    earliest = last - timedelta(days=(RAISED[period] - 1) * (7 if period == "week" else 1))
    recent = results.filter(pl.col("alarm") & (pl.col("start_on") >= earliest)).sort("start_on", descending=True)
    raised = []
    for row in recent.unique("place", keep="first", maintain_order=True).iter_rows(named=True):
        excess = row["observed"] - (row["expected"] or 0.0)
        if not is_raised(start_on=row["start_on"], excess=excess, now=now, past=past.get(row["place"], [])):
            continue
        raised.append(
            NewSignal(
                place=row["place"],
                start_on=row["start_on"],
                end_on=next_start(row["start_on"], period),
                observed=row["observed"],
                expected=row["expected"],
                upperbound=row["upperbound"],
                method=row["method"],
                severity=severity(
                    observed=row["observed"], expected=row["expected"] or 0.0, upperbound=row["upperbound"]
                ),
            )
        )
    return raised
