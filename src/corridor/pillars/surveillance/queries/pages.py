"""What single pages ask for besides the board: rises on both sides, what was shared, how a figure came about."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl
from django.db.models import Count, F, Max, Q

from corridor.accounts.actors import Actor, System
from corridor.accounts.roles import require
from corridor.pillars.surveillance.models import (
    DetectionResult,
    DetectionRun,
    Import,
    LastLooked,
    PartnerAlert,
    PartnerCount,
    SentAlert,
    SharedCount,
    Signal,
)
from corridor.pillars.surveillance.queries.counts import period_counts
from corridor.pillars.surveillance.queries.signals import SignalView, _view

__all__ = [
    "EnvelopeFigure",
    "Lacking",
    "PartnerRise",
    "Revision",
    "RunView",
    "SentSummary",
    "SentView",
    "current_results",
    "failed_imports",
    "is_first_look_today",
    "lacking_places",
    "latest_run",
    "page_of_signals",
    "partner_revisions",
    "partner_rises",
    "revisions",
    "sent_alerts",
    "shared_summary",
    "waiting_figures",
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


@dataclass(frozen=True, kw_only=True)
class SentView:
    """An alert or its withdrawal as it was sent to one partner."""

    schema: str
    revision: int
    agreement: str
    to_node: str
    withdrawn: bool
    crossing_id: int
    actor: str
    sent_at: datetime


@dataclass(frozen=True, kw_only=True)
class SentSummary:
    """What one partner has from this node on one channel."""

    to_node: str
    figures: int
    withheld: int
    last_sent_at: datetime
    last_crossing_id: int


@dataclass(frozen=True, kw_only=True)
class EnvelopeFigure:
    """One figure of an envelope that waits for a person, and the figure that it would replace."""

    disease: str
    place: str
    period: str
    start_on: date
    revision: int
    value: int | None
    withheld: str
    sites_reported: int | None
    sites_expected: int | None
    simulated: bool
    held: int | None


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A figure as it was known from some moment on, and what brought it."""

    known_at: datetime
    value: int | None
    withheld: str = ""
    import_id: int | None = None
    source: str = ""
    file_name: str = ""
    as_of: datetime | None = None
    from_node: str = ""
    agreement: str = ""
    crossing_id: int | None = None


def partner_rises(*, actor: Actor, signals: Sequence[SignalView]) -> dict[int, list[PartnerRise]]:
    """Return for each signal, by number, the partners' places that rise with it: same disease, same period.

    A signal of a whole country is set beside other whole countries alone, one of a place beside places.
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
            and ("-" in rise.place) == ("-" in signal.place)
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


def sent_alerts(*, actor: Actor, event: str) -> list[SentView]:
    """Return what was sent about an event, newest first."""
    require(actor, "surveillance.see_crossed")
    return [
        SentView(
            schema=row.schema,
            revision=row.revision,
            agreement=row.agreement,
            to_node=row.to_node,
            withdrawn=row.withdrawn,
            crossing_id=row.crossing_id,
            actor=row.actor,
            sent_at=row.sent_at,
        )
        for row in SentAlert.objects.filter(event=event).order_by("-sent_at", "-id")
    ]


def shared_summary(*, actor: Actor, agreement: str, channel: str) -> list[SentSummary]:
    """Return what each partner has from this node on a channel of counts."""
    require(actor, "surveillance.see_crossed")
    rows = (
        SharedCount.objects.filter(agreement=agreement, channel=channel)
        .order_by()
        .values("to_node")
        .annotate(
            figures=Count("pk"),
            kept_back=Count("pk", filter=~Q(withheld="")),
            sent=Max("sent_at"),
            crossing=Max("crossing_id"),
        )
    )
    return [
        SentSummary(
            to_node=row["to_node"],
            figures=row["figures"],
            withheld=row["kept_back"],
            last_sent_at=row["sent"],
            last_crossing_id=row["crossing"],
        )
        for row in sorted(rows, key=lambda row: str(row["to_node"]))
    ]


def waiting_figures(*, actor: Actor, envelope: str) -> list[EnvelopeFigure]:
    """Return the figures of an envelope that wait, each with the one it would replace."""
    require(actor, "surveillance.see_crossed")
    rows = list(PartnerCount.objects.filter(envelope=envelope, status=PartnerCount.Status.WAITING).order_by("id"))
    if not rows:
        return []
    first = rows[0]
    current = PartnerCount.objects.filter(
        from_node=first.from_node, agreement=first.agreement, disease=first.disease, is_current=True, stratum=""
    )
    held = {
        (place, start): value
        for place, start, value in current.filter(start_on__in={row.start_on for row in rows}).values_list(
            "place", "start_on", "value"
        )
    }
    return [
        EnvelopeFigure(
            disease=row.disease,
            place=row.place,
            period=row.period_type,
            start_on=row.start_on,
            revision=row.revision,
            value=row.value,
            withheld=row.withheld,
            sites_reported=row.sites_reported,
            sites_expected=row.sites_expected,
            simulated=row.simulated,
            held=held.get((row.place, row.start_on)),
        )
        for row in rows
    ]


def revisions(*, actor: Actor, disease: str, place: str, start_on: date, period: str, basis: str) -> list[Revision]:
    """Return how one of this node's own figures came about, newest first: each import that changed it.

    At most the last thirty imports are looked at.
    """
    require(actor, SEE)
    complete = Import.objects.filter(status=Import.Status.COMPLETE, as_of__date__gte=start_on)
    latest = list(complete.select_related("source").order_by("-completed_at", "-id")[:30])
    found: list[Revision] = []
    level = ("country", "admin1", "admin2")[min(place.count("-"), 2)]
    for row in reversed(latest):
        if row.completed_at is None:
            continue
        figures = period_counts(
            actor=actor,
            diseases=[disease],
            period=period,
            basis=basis,
            level=level,
            first_on=start_on,
            end_on=start_on + timedelta(days=1),
            known_at=row.completed_at,
        )
        values = figures.frame.filter(pl.col("place") == place)["observed"].to_list()
        value = values[0] if values else None
        if (found and found[-1].value == value) or (not found and value is None):
            continue
        found.append(
            Revision(
                known_at=row.completed_at,
                value=value,
                import_id=row.pk,
                source=row.source.name,
                file_name=row.file_name,
                as_of=row.as_of,
            )
        )
    return found[::-1]


def partner_revisions(*, actor: Actor, disease: str, place: str, start_on: date, period: str) -> list[Revision]:
    """Return every accepted revision of a partner's figure, newest first, with the crossing that brought it."""
    require(actor, SEE)
    rows = PartnerCount.objects.filter(
        disease=disease,
        place=place,
        start_on=start_on,
        period_type=period,
        stratum="",
        status=PartnerCount.Status.ACCEPTED,
    )
    return [
        Revision(
            known_at=row.received_at,
            value=row.value,
            withheld=row.withheld,
            as_of=row.as_of,
            from_node=row.from_node,
            agreement=row.agreement,
            crossing_id=row.crossing_id,
        )
        for row in rows.order_by("-received_at", "-revision")
    ]
