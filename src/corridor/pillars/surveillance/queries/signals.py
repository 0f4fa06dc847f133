"""Signals, the work on them, and the line list behind each."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

import polars as pl
from django.db.models import QuerySet

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.base.errors import WrongUsage
from corridor.pillars.surveillance.models import Case, DetectionResult, Signal, Source
from corridor.pillars.surveillance.queries.counts import held_by
from corridor.pillars.surveillance.queries.rows import chosen, fetch_visible, visible
from corridor.pillars.surveillance.tables.linelist import CASE_SCHEMA

__all__ = ["OPEN", "SignalDetail", "SignalStepView", "SignalView", "UnknownSignal", "signal", "signal_cases", "signals"]

SEE = "surveillance.see_board"
OPEN = (Signal.Status.NEW.value, Signal.Status.VERIFYING.value)
_CASE_COLUMNS = {name: dtype for name, dtype in CASE_SCHEMA.items() if name != "row"}


class UnknownSignal(WrongUsage):
    """There is no signal of that number."""

    code: ClassVar[str] = "unknown-signal"


@dataclass(frozen=True, kw_only=True)
class SignalView:
    """One signal as pages and commands show it."""

    id: int
    event: UUID
    disease: str
    place: str
    period_type: str
    basis: str
    start_on: date
    end_on: date
    observed: int
    expected: float | None
    upperbound: float
    method: str
    severity: str
    status: str
    simulated: bool
    raised_at: datetime
    changed_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to decide."""
        return self.status in OPEN


@dataclass(frozen=True, kw_only=True)
class SignalStepView:
    """One step of the work on a signal."""

    at: datetime
    actor: str
    from_status: str
    to_status: str
    note: str


@dataclass(frozen=True, kw_only=True)
class SignalDetail:
    """A signal with its history and what detection said of its series.

    Attributes
    ----------
    results : polars.DataFrame
        start_on, observed, expected, upperbound, alarm, score, phi, method, fallback of the run that raised it.
    settings, software : what the run was made with
    ran_at, as_of : when it ran, on figures as of when
    """

    signal: SignalView
    steps: tuple[SignalStepView, ...]
    results: pl.DataFrame
    settings: dict[str, object]
    software: str
    ran_at: datetime
    as_of: datetime


def _chosen(
    *, disease: str = "", place: str = "", statuses: tuple[str, ...] = (), since: datetime | None = None
) -> QuerySet[Signal]:
    rows = Signal.objects.all()
    if disease:
        rows = rows.filter(disease=disease)
    if place:
        rows = rows.filter(place=place)
    if statuses:
        rows = rows.filter(status__in=statuses)
    if since is not None:
        rows = rows.filter(raised_at__gt=since)
    return rows


def signals(
    *,
    actor: Actor,
    disease: str = "",
    place: str = "",
    statuses: tuple[str, ...] = (),
    since: datetime | None = None,
    offset: int = 0,
    limit: int = 100,
) -> tuple[list[SignalView], int]:
    """Return a page of signals, newest first, and how many there are in all.

    Raises
    ------
    NotPermitted
        If `actor` may not see the board.
    """
    require(actor, SEE)
    rows = _chosen(disease=disease, place=place, statuses=statuses, since=since)
    return [_view(row) for row in rows[offset : offset + limit]], rows.count()


def signal(*, signal_id: int, actor: Actor) -> SignalDetail:
    """Return a signal with its history.

    Raises
    ------
    NotPermitted, UnknownSignal
        If `actor` may not see the board, or there is no such signal.
    """
    require(actor, SEE)
    row = _one(signal_id)
    steps = tuple(
        SignalStepView(
            at=step.at, actor=step.actor, from_status=step.from_status, to_status=step.to_status, note=step.note
        )
        for step in row.steps.all()
    )
    names = ["start_on", "observed", "expected", "upperbound", "alarm", "score", "phi", "method", "fallback"]
    results = DetectionResult.objects.filter(run=row.run_id, place=row.place).order_by("start_on").values_list(*names)
    schema = {
        "start_on": pl.Date,
        "observed": pl.Int64,
        "expected": pl.Float64,
        "upperbound": pl.Float64,
        "alarm": pl.Boolean,
        "score": pl.Float64,
        "phi": pl.Float64,
        "method": pl.String,
        "fallback": pl.String,
    }
    return SignalDetail(
        signal=_view(row),
        steps=steps,
        results=pl.DataFrame(list(results), schema=schema, orient="row"),
        settings=row.run.settings,
        software=row.run.software,
        ran_at=row.run.ran_at,
        as_of=row.run.as_of,
    )


def signal_cases(*, signal_id: int, actor: Actor) -> pl.DataFrame:
    """Return the line list behind a signal: source and the columns of `CASE_SCHEMA` but the row, as now known.

    Empty where the counts came as counts.

    Raises
    ------
    NotPermitted, UnknownSignal
        If `actor` may not see cases, or there is no such signal.
    """
    require(actor, "surveillance.see_cases")
    row = _one(signal_id)
    day = f"{row.basis}_on"
    condition, parameters = chosen("place", held_by(row.place))
    cases = fetch_visible(
        Case,
        {"source": pl.Int64, **_CASE_COLUMNS},
        versions=visible(),
        where=f"disease = %s AND {condition} AND {day} >= %s AND {day} < %s AND classification <> 'discarded'",
        parameters=[row.disease, *parameters, str(row.start_on), str(row.end_on)],
        columns={"source": "source_id"},
    )
    names = dict(Source.objects.values_list("pk", "name"))
    named = pl.col("source").replace_strict(names, default=None, return_dtype=pl.String)
    return cases.with_columns(named).sort(day, "source", "case_id")


def _one(signal_id: int) -> Signal:
    row = Signal.objects.select_related("run").filter(pk=signal_id).first()
    if row is None:
        raise UnknownSignal(f"there is no signal {signal_id}; `corridor signals` lists those that there are.")
    return row


def _view(row: Signal) -> SignalView:
    return SignalView(
        id=row.pk,
        event=row.event,
        disease=row.disease,
        place=row.place,
        period_type=row.period_type,
        basis=row.basis,
        start_on=row.start_on,
        end_on=row.end_on,
        observed=row.observed,
        expected=row.expected,
        upperbound=row.upperbound,
        method=row.method,
        severity=row.severity,
        status=row.status,
        simulated=row.simulated,
        raised_at=row.raised_at,
        changed_at=row.changed_at,
    )
