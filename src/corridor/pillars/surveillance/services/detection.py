"""Storing what detection found, raising signals, and the work on them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

import polars as pl
from django.db import connection

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import WrongUsage
from corridor.pillars.surveillance.models import DetectionResult, DetectionRun, SentAlert, Signal, SignalStep
from corridor.pillars.surveillance.rules import check_move, check_note
from corridor.pillars.surveillance.services import bulk

__all__ = ["NewSignal", "NoSuchSignal", "locked_signal", "move_signal", "note_signal", "record_run"]

KEPT_RUNS = 8
"""Runs of a disease whose results are kept, besides those that raised a signal; every run itself is kept."""


class NoSuchSignal(WrongUsage):
    """There is no signal of that number."""

    code: ClassVar[str] = "no-such-signal"


@dataclass(frozen=True, kw_only=True)
class NewSignal:
    """An exceedance that the rules let become a signal."""

    place: str
    start_on: date
    end_on: date
    observed: int
    expected: float | None
    upperbound: float
    method: str
    severity: str


@write("surveillance.record_run", subject="disease")
def record_run(
    *,
    disease: str,
    period: str,
    basis: str,
    case_classes: str,
    method: str,
    settings: dict[str, Any],
    software: str,
    as_of: datetime,
    series: int,
    fallbacks: int,
    results: pl.DataFrame,
    signals: Sequence[NewSignal],
    simulated: bool,
    actor: Actor,
    now: datetime,
) -> DetectionRun:
    """Store a run with the results of its last periods, and raise its signals.

    Parameters
    ----------
    results : polars.DataFrame
        Columns place, start_on, observed, expected, upperbound, alarm, score, phi, method, fallback.
    signals : what is raised; the rules on raising were applied before

    Raises
    ------
    NotPermitted
        If `actor` may not detect.
    """
    require(actor, "surveillance.detect")
    run = DetectionRun.objects.create(
        disease=disease,
        period_type=period,
        basis=basis,
        case_classes=case_classes,
        method=method,
        settings=settings,
        software=software,
        as_of=as_of,
        ran_at=now,
        series=series,
        fallbacks=fallbacks,
    )
    bulk.insert(DetectionResult, results.with_columns(pl.lit(run.pk).alias("run_id")))
    for signal in signals:
        raised = Signal.objects.create(
            event=_event(disease, period, signal),
            run=run,
            disease=disease,
            place=signal.place,
            period_type=period,
            basis=basis,
            start_on=signal.start_on,
            end_on=signal.end_on,
            observed=signal.observed,
            expected=signal.expected,
            upperbound=signal.upperbound,
            method=signal.method,
            severity=signal.severity,
            simulated=simulated,
            raised_at=now,
            changed_at=now,
        )
        SignalStep.objects.create(
            signal=raised, at=now, actor=actor_name(actor), from_status="", to_status=Signal.Status.NEW
        )
    _forget_old_results(disease=disease, period=period)
    note(run=run.pk, series=series, signals=len(signals))
    return run


def _event(disease: str, period: str, raised: NewSignal) -> uuid.UUID:
    """Return a new event, or the one under which partners were told of it before a restore that lost the signal."""
    told = SentAlert.objects.filter(
        disease=disease, place=raised.place, period_type=period, start_on=raised.start_on
    ).exclude(event__in=Signal.objects.filter(disease=disease, place=raised.place).values("event"))
    return told.values_list("event", flat=True).first() or uuid.uuid4()


def _forget_old_results(*, disease: str, period: str) -> None:
    runs = DetectionRun.objects.filter(disease=disease, period_type=period, signals=None).order_by("-ran_at", "-id")
    old = list(runs.values_list("pk", flat=True)[KEPT_RUNS : KEPT_RUNS + 50])
    if not old:
        return
    table = connection.ops.quote_name(DetectionResult._meta.db_table)
    marks = ", ".join(["%s"] * len(old))
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE run_id IN ({marks})", old)  # noqa: S608  # own names; values are parameters


def locked_signal(signal_id: int) -> Signal:
    """Return a signal, its row locked until the transaction ends.

    Raises
    ------
    NoSuchSignal
        If there is none of that number.
    """
    signal = Signal.objects.select_for_update().filter(pk=signal_id).first()
    if signal is None:
        raise NoSuchSignal(f"there is no signal {signal_id}; `corridor signals` lists those that there are.")
    return signal


@write("surveillance.move_signal", subject="signal_id")
def move_signal(*, signal_id: int, to: str, text: str, actor: Actor, now: datetime) -> Signal:
    """Move a signal on: verifying, verified or discarded, with a note that says why.

    Raises
    ------
    NotPermitted, NoSuchSignal, ForbiddenMove, NoteMissing
        If `actor` may not, or the signal cannot go there.
    """
    require(actor, "surveillance.work_signals")
    signal = locked_signal(signal_id)
    check_move(status=signal.status, to=to, note=text)
    SignalStep.objects.create(
        signal=signal, at=now, actor=actor_name(actor), from_status=signal.status, to_status=to, note=text.strip()
    )
    signal.status = to
    signal.changed_at = now
    signal.save(update_fields=["status", "changed_at"])
    note(to=to)
    return signal


@write("surveillance.note_signal", subject="signal_id")
def note_signal(*, signal_id: int, text: str, actor: Actor, now: datetime) -> SignalStep:
    """Add a note to a signal without moving it.

    Raises
    ------
    NotPermitted, NoSuchSignal, NoteMissing
        If `actor` may not, there is no such signal, or the note is empty.
    """
    require(actor, "surveillance.work_signals")
    signal = locked_signal(signal_id)
    check_note(text)
    return SignalStep.objects.create(
        signal=signal,
        at=now,
        actor=actor_name(actor),
        from_status=signal.status,
        to_status=signal.status,
        note=text.strip(),
    )
