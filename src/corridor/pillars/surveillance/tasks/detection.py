"""Looking for outbreaks: all series of a disease at once, results stored, signals raised."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from corridor.accounts.actors import Actor, System
from corridor.base.reference import Disease, diseases
from corridor.jobs.registry import JobContext, task
from corridor.jobs.services import enqueue
from corridor.pillars.surveillance.queries import (
    SeriesTable,
    diseases_with_data,
    measure_delays,
    past_signals,
    period_of,
    series_table,
)
from corridor.pillars.surveillance.rules import COUNTED_CLASSES, case_definition, is_raised, next_start, severity
from corridor.pillars.surveillance.services import NewSignal, record_delays, record_run
from corridor.pillars.surveillance.tasks.sharing import SHARE

if TYPE_CHECKING:
    from corridor.science.alarms import Alarms

__all__ = ["DETECT", "detect", "detect_disease"]

DETECT = "surveillance.detect"

# How many of the last periods a run judges and keeps, and how old a period may be to become a signal.
JUDGED = {"week": 26, "day": 60}
RAISED = {"week": 4, "day": 7}


@task(DETECT, lease=timedelta(minutes=15))
def detect(*, arguments: dict[str, Any], now: datetime, job: JobContext) -> None:
    """Judge the series of every disease that has data (or of ``diseases``), measure delays, then queue sharing.

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
    record_delays(measure_delays(actor=actor), actor=actor, now=now)
    enqueue(SHARE, {}, actor=actor, now=now, key="after-detection")


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


def _judge(series: SeriesTable, *, period: str, method: str, options: dict[str, Any]) -> Alarms:
    periods = len(series.starts)
    evaluate = np.arange(max(0, periods - JUDGED[period]), periods)
    is_farrington = method.startswith("farrington")
    # The numerical libraries take a second to load; whoever only wires tasks does not pay for it.
    from corridor.science.detection import detect

    return detect(
        series.counts,
        method=method,
        dates=list(series.starts) if is_farrington else None,
        population=series.offset if is_farrington else None,
        evaluate=evaluate,
        **options,
    )


def _results(series: SeriesTable, alarms: Alarms, *, fixed_value: int | None) -> pl.DataFrame:
    """Return one row for each judged period and place that had a count or got a limit."""
    epochs, columns = np.indices(alarms.alarm.shape)
    rows = alarms.evaluated[epochs.ravel()]
    names = np.array([*alarms.methods])
    notes = [alarms.notes[number].code if number in alarms.notes else "" for number in range(len(series.places))]
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
    reached = (pl.col("observed") >= fixed_value) & ~_is_country()
    is_fixed = reached & ~pl.col("alarm").fill_null(value=False)
    return frame.with_columns(
        pl.when(is_fixed).then(pl.lit(value=True)).otherwise(pl.col("alarm")).alias("alarm"),
        pl.when(is_fixed).then(pl.lit(fixed_value - 1.0)).otherwise(pl.col("upperbound")).alias("upperbound"),
        pl.when(is_fixed).then(pl.lit("fixed-value")).otherwise(pl.col("method")).alias("method"),
    )


def _is_country() -> pl.Expr:
    return ~pl.col("place").str.contains("-", literal=True)


def _new_signals(
    results: pl.DataFrame, *, code: str, period: str, last: date, actor: Actor, now: datetime
) -> list[NewSignal]:
    """Return the exceedances of the last periods that the rules let become signals, at most one a place.

    A country is signalled for a period only where none of its places exceeds its own limit: a rise that is spread thin.
    """
    past = past_signals(actor=actor, disease=code, period=period)
    earliest = last - timedelta(days=(RAISED[period] - 1) * (7 if period == "week" else 1))
    recent = results.filter(pl.col("alarm") & (pl.col("start_on") >= earliest)).sort("start_on", descending=True)
    local = set(recent.filter(~_is_country()).select("start_on", pl.col("place").str.head(2)).iter_rows())
    raised = []
    for row in recent.unique("place", keep="first", maintain_order=True).iter_rows(named=True):
        if "-" not in row["place"] and (row["start_on"], row["place"]) in local:
            continue
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
