"""What single pages ask for besides the board: rises on both sides, what lacks, what a run of detection said."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl
from django.db.models import F, Max, Q

from corridor.accounts.actors import Actor, System
from corridor.accounts.roles import require
from corridor.base.reference import places
from corridor.pillars.surveillance.models import (
    DetectionResult,
    DetectionRun,
    Import,
    LastLooked,
    PartnerAlert,
    PartnerCount,
    Signal,
)
from corridor.pillars.surveillance.queries.counts import period_counts
from corridor.pillars.surveillance.queries.signals import SignalView, _view

__all__ = [
    "Lacking",
    "PartnerRise",
    "RunView",
    "current_results",
    "failed_imports",
    "is_first_look_today",
    "lacking_places",
    "latest_run",
    "page_of_signals",
    "partner_rises",
]

SEE = "surveillance.see_board"
COMPLETE_ENOUGH = 0.8
"""From this share of sites on a week counts as reported."""
LOOK_BACK = timedelta(weeks=5)


@dataclass(frozen=True, kw_only=True)
class PartnerRise:
    """A partner's place that rises too: it sent an alert, or a figure above the limit that it sent along."""

    from_node: str
    place: str
    disease: str
    start_on: date
    observed: int | None
    expected: float | None
    upperbound: float | None
    withheld: str
    crossing_id: int | None
    is_alert: bool


@dataclass(frozen=True, kw_only=True)
class Lacking:
    """A place whose last whole week is missing, or reported by too few sites.

    `share` is the part of the sites that reported, None where nothing came at all. `diseases` are those concerned.
    """

    place: str
    start_on: date
    share: float | None
    diseases: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RunView:
    """One run of detection: everything that is needed to repeat it."""

    id: int
    disease: str
    period: str
    basis: str
    method: str
    settings: dict[str, object]
    software: str
    as_of: datetime
    ran_at: datetime
    series: int
    fallbacks: int


def partner_rises(*, actor: Actor, signals: Sequence[SignalView]) -> dict[int, list[PartnerRise]]:
    """Return for each signal, by number, the partners' neighbouring places that rise with it: same disease and period.

    Places are neighbours where they adjoin across a border (`Places.adjoin`), a whole country and what borders it too.
    """
    require(actor, SEE)
    if not signals:
        return {}
    wanted = {(each.disease, each.start_on) for each in signals}
    rises = _rises(
        Q(disease__in={code for code, _ in wanted}, start_on__in={start for _, start in wanted}),
        periods={each.period_type for each in signals},
    )
    found: dict[int, list[PartnerRise]] = {}
    for signal in signals:
        fitting = [
            rise
            for rise in rises
            if (rise.disease, rise.start_on) == (signal.disease, signal.start_on)
            and places().adjoin(signal.place, rise.place)
        ]
        if fitting:
            found[signal.id] = fitting
    return found


def _rises(condition: Q, *, periods: set[str]) -> list[PartnerRise]:
    """Return alerts that stand and figures above their sent limit, one for each partner and place."""
    found: dict[tuple[str, str, str, date], PartnerRise] = {}
    figures = PartnerCount.objects.filter(
        condition, period_type__in=periods, is_current=True, stratum="", value__gt=F("limit")
    )
    for row in figures.order_by("id"):
        found[row.from_node, row.place, row.disease, row.start_on] = PartnerRise(
            from_node=row.from_node,
            place=row.place,
            disease=row.disease,
            start_on=row.start_on,
            observed=row.value,
            expected=row.expected,
            upperbound=row.limit,
            withheld="",
            crossing_id=row.crossing_id,
            is_alert=False,
        )
    for alert in PartnerAlert.objects.filter(condition, withdrawn_at__isnull=True).order_by("id"):
        if alert.start_on is None:
            continue
        key = (alert.from_node, alert.place, alert.disease, alert.start_on)
        seen = found.get(key)
        found[key] = PartnerRise(
            from_node=alert.from_node,
            place=alert.place,
            disease=alert.disease,
            start_on=alert.start_on,
            observed=alert.observed if alert.observed is not None else seen.observed if seen else None,
            expected=alert.expected if alert.expected is not None else seen.expected if seen else None,
            upperbound=seen.upperbound if seen else None,
            withheld=alert.withheld,
            crossing_id=alert.crossing_id,
            is_alert=True,
        )
    return sorted(found.values(), key=lambda rise: (rise.from_node, rise.place))


def page_of_signals(
    *,
    actor: Actor,
    disease: str = "",
    place: str = "",
    statuses: tuple[str, ...] = (),
    both_sides: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> tuple[list[SignalView], int]:
    """Return a page of signals, newest first, and how many there are; `both_sides`: only what partners see too."""
    require(actor, SEE)
    rows = Signal.objects.all()
    if disease:
        rows = rows.filter(disease=disease)
    if place:
        rows = rows.filter(place=place)
    if statuses:
        rows = rows.filter(status__in=statuses)
    if both_sides:
        kept = [_view(row) for row in rows]
        joint = partner_rises(actor=actor, signals=kept)
        kept = [each for each in kept if each.id in joint]
        return kept[offset : offset + limit], len(kept)
    return [_view(row) for row in rows[offset : offset + limit]], rows.count()


def lacking_places(*, actor: Actor, diseases: Iterable[str], monday: date) -> list[Lacking]:
    """Return the places whose week before `monday` is missing or reported by less than 80 % of its sites.

    Only places that reported in the five weeks before are expected to report at all.
    """
    require(actor, SEE)
    complete = Import.objects.filter(status=Import.Status.COMPLETE)
    stamp = complete.order_by("-completed_at").values_list("pk", "completed_at").first()
    running = tuple(Import.objects.filter(status=Import.Status.RUNNING).values_list("pk", flat=True))
    return list(_lacking((stamp, running), tuple(diseases), monday))


@functools.lru_cache(maxsize=8)
def _lacking(stamp: object, diseases: tuple[str, ...], monday: date) -> tuple[Lacking, ...]:
    """Return what lacks; it changes with the imports alone, which `stamp` names, and is asked for by every board."""
    del stamp
    week = monday - timedelta(weeks=1)
    figures = period_counts(
        actor=System("surveillance"),
        diseases=diseases,
        period="week",
        level="admin1",
        first_on=monday - LOOK_BACK,
        end_on=monday,
    )
    share = pl.col("sites_reported") / pl.col("sites_expected")
    known = figures.frame.with_columns(share.alias("share"))
    before = known.filter((pl.col("start_on") < week) & pl.col("observed").is_not_null())
    pairs = before.select("disease", "place").unique()
    now = known.filter(pl.col("start_on") == week).select("disease", "place", "observed", "share")
    joined = pairs.join(now, on=["disease", "place"], how="left")
    lacks = joined.filter(pl.col("observed").is_null() | (pl.col("share") < COMPLETE_ENOUGH))
    grouped = lacks.group_by("place").agg(
        pl.col("disease").sort(),
        pl.when(pl.col("observed").is_not_null()).then(pl.col("share")).min().alias("share"),
    )
    return tuple(
        Lacking(place=row["place"], start_on=week, share=row["share"], diseases=tuple(row["disease"]))
        for row in grouped.sort("place").iter_rows(named=True)
    )


def failed_imports(*, actor: Actor, since: datetime) -> list[tuple[str, int]]:
    """Return source and number of the imports given up since then, of sources without a complete one after it."""
    require(actor, SEE)
    given_up = Import.objects.filter(status=Import.Status.ABANDONED, started_at__gt=since).select_related("source")
    last = dict(
        Import.objects.filter(status=Import.Status.COMPLETE)
        .order_by()
        .values_list("source")
        .annotate(at=Max("completed_at"))
    )
    return [
        (row.source.name, row.pk)
        for row in given_up
        if last.get(row.source_id) is None or last[row.source_id] < row.started_at
    ]


def is_first_look_today(*, actor: Actor, today: date) -> bool:
    """Say whether this person has not opened the board yet today."""
    require(actor, SEE)
    looked = LastLooked.objects.filter(person=getattr(actor, "pk", None)).first()
    return looked is None or looked.looked_at.date() < today


def latest_run(*, actor: Actor, disease: str, period: str) -> RunView | None:
    """Return the last run of detection over a disease, or None before the first."""
    require(actor, SEE)
    row = DetectionRun.objects.filter(disease=disease, period_type=period).order_by("-ran_at", "-id").first()
    if row is None:
        return None
    return RunView(
        id=row.pk,
        disease=row.disease,
        period=row.period_type,
        basis=row.basis,
        method=row.method,
        settings=row.settings,
        software=row.software,
        as_of=row.as_of,
        ran_at=row.ran_at,
        series=row.series,
        fallbacks=row.fallbacks,
    )


def current_results(*, actor: Actor, run_id: int, place: str) -> pl.DataFrame:
    """Return what a run said of one place, newest first, with the method that judged each period."""
    require(actor, SEE)
    names = ["start_on", "observed", "expected", "upperbound", "alarm", "score", "phi", "method", "fallback"]
    rows = DetectionResult.objects.filter(run=run_id, place=place).order_by("-start_on").values_list(*names)
    schema = {
        "start_on": pl.Date,
        "observed": pl.Int64,
        **dict.fromkeys(("expected", "upperbound"), pl.Float64),
        "alarm": pl.Boolean,
        **dict.fromkeys(("score", "phi"), pl.Float64),
        **dict.fromkeys(("method", "fallback"), pl.String),
    }
    return pl.DataFrame(list(rows), schema=schema, orient="row")
