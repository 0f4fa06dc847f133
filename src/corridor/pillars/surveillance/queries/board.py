"""The Monday view: one's own and the partners' curves, what is new, what must be done, how fresh everything is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from django.db.models import Count, Max

from corridor.accounts.actors import Actor
from corridor.accounts.models import Person
from corridor.accounts.roles import require
from corridor.pillars.surveillance.models import (
    CountReport,
    DetectionResult,
    DetectionRun,
    LastLooked,
    PartnerAlert,
    PartnerCount,
    Signal,
    WeekTally,
)
from corridor.pillars.surveillance.queries.counts import counts_by_level, diseases_with_data
from corridor.pillars.surveillance.queries.detection import period_of
from corridor.pillars.surveillance.queries.imports import SourceView, sources
from corridor.pillars.surveillance.queries.rows import Parameter, fetch, visible, with_rows
from corridor.pillars.surveillance.queries.signals import OPEN, SignalView, signals
from corridor.pillars.surveillance.rules import COUNTED_CLASSES, case_definition

__all__ = ["Board", "PartnerAlertView", "PartnerFreshness", "Waiting", "board", "partner_alerts", "partner_counts"]

SEE = "surveillance.see_board"
SHOWN_DAYS = {"day": 75, "week": 60 * 7, "month": 3 * 366}
"""How far back from the last figure a curve of the board reaches; the page of counts has all of it."""
RECENT_DAYS = {"day": 30, "week": 7 * 13, "month": 366}
"""How far back the board reads all places; the curves alone are longer."""
LATELY = 8
"""Periods by whose cases a place is chosen for a curve where nothing else chooses one."""
CURVES_OF_PARTNERS = 2

PARTNER_SCHEMA: dict[str, Any] = {
    "from_node": pl.String,
    "agreement": pl.String,
    "envelope": pl.String,
    "crossing_id": pl.Int64,
    "place": pl.String,
    "place_level": pl.String,
    "case_classes": pl.String,
    "start_on": pl.Date,
    "revision": pl.Int64,
    "value": pl.Int64,
    "withheld": pl.String,
    "sites_reported": pl.Int64,
    "sites_expected": pl.Int64,
    "expected": pl.Float64,
    "upperbound": pl.Float64,
    "simulated": pl.Boolean,
    "as_of": pl.Datetime("us", "UTC"),
    "received_at": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True, kw_only=True)
class PartnerAlertView:
    """A partner's alert, or notification of a case."""

    id: int
    from_node: str
    agreement: str
    crossing_id: int | None
    envelope: str
    schema: str
    event: str
    revision: int
    severity: str
    text_code: str
    disease: str
    place: str
    start_on: date | None
    end_on: date | None
    observed: int | None
    expected: float | None
    withheld: str
    simulated: bool
    issued_at: datetime
    received_at: datetime
    withdrawn_at: datetime | None
    withdrawal_code: str
    status: str
    seen_by: str


@dataclass(frozen=True, kw_only=True)
class PartnerFreshness:
    """How fresh a partner's figures of the disease shown are: as of when, received when, up to which period."""

    from_node: str
    as_of: datetime
    received_at: datetime
    last_start_on: date


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Figures of one envelope that wait for a person's yes."""

    envelope: str
    from_node: str
    agreement: str
    disease: str
    figures: int
    received_at: datetime


@dataclass(frozen=True, kw_only=True)
class Board:
    """What the Monday page shows of one disease: all places lately, and the longer curves of a few.

    Attributes
    ----------
    disease : code; "" where there is no data at all
    diseases : codes of which own or partners' figures are held
    period : "day" or "week"
    case_definition : classes that one's own figures count
    own : polars.DataFrame
        place (first level and countries), start_on, observed (null: not reported), sites_reported, sites_expected,
        places_reported, places, is_whole, expected, upperbound, alarm, method, fallback.
    partners : polars.DataFrame, columns of `PARTNER_SCHEMA`
        The accepted figures of each partner, the highest revisions; withheld ones with the rule's name.
    own_place, own_curve : the place of one's own whose curve is shown, and its last 60 weeks or 75 days; "" without any
    partner_curves : the same of the first partners, by node and place
    signals : open signals of all diseases, newest first; `signals_open` is how many there are
    alerts : partners' alerts that stand and that nobody has seen, newest first
    sources, freshness : how fresh one's own sources and the partners' figures are
    waiting : figures of partners that wait for a person
    looked_at : when this person looked before; None at the first time
    new_signals : how many were raised since then
    as_of : moment of one's own youngest extract
    simulated : something on the board is simulated
    """

    disease: str
    diseases: tuple[str, ...]
    period: str
    case_definition: str
    own: pl.DataFrame
    partners: pl.DataFrame
    own_place: str
    own_curve: pl.DataFrame
    partner_curves: dict[tuple[str, str], pl.DataFrame]
    signals: tuple[SignalView, ...]
    signals_open: int
    alerts: tuple[PartnerAlertView, ...]
    sources: tuple[SourceView, ...]
    freshness: tuple[PartnerFreshness, ...]
    waiting: tuple[Waiting, ...]
    looked_at: datetime | None
    new_signals: int
    as_of: datetime | None
    simulated: bool


def board(
    *,
    actor: Actor,
    now: datetime,
    disease: str = "",
    period: str = "",
    wanted: Mapping[str, Sequence[str]] | None = None,
) -> Board:
    """Return the board of a disease; without one, of that with the newest open signal, else the first with data.

    Parameters
    ----------
    wanted : by node ("" for one's own) the places whose curve is wanted, the first of which there are figures; else the
        place of one's newest signal, else the one with the most cases lately

    Raises
    ------
    NotPermitted
        If `actor` may not see the board.
    """
    require(actor, SEE)
    known = sorted({*diseases_with_data(actor=actor), *with_rows([(PartnerCount, "TRUE")])})
    open_signals, signals_open = signals(actor=actor, statuses=OPEN, limit=50)
    disease = disease or next((each.disease for each in open_signals), "") or next(iter(known), "")
    period = period or period_of(actor=actor, disease=disease)
    today = now.astimezone(UTC).date()
    recent, long = timedelta(days=RECENT_DAYS[period]), timedelta(days=SHOWN_DAYS[period])
    last_on = _last_on(disease, period, today=today)
    own, as_of, simulated = _own(disease, period, last_on - recent, actor=actor)
    own_place = _own_place((wanted or {}).get("", ()), own, disease=disease, signals=open_signals)
    parts = {
        node: partner_counts(actor=actor, disease=disease, period=period, first_on=last - recent, from_node=node)
        for node, last in _last_of_partners(disease, period, first_on=last_on - long)
    }
    curves = {}
    for node, figures in list(parts.items())[:CURVES_OF_PARTNERS]:
        place = _wanted((wanted or {}).get(node, ()), figures) or _largest(figures, "value")
        curves[node, place] = partner_counts(
            actor=actor, disease=disease, period=period, first_on=last_on - long, from_node=node, place=place
        )
    partners = pl.concat(parts.values()) if parts else pl.DataFrame(schema=PARTNER_SCHEMA)
    alerts = partner_alerts(actor=actor, only_unseen=True)
    looked_at = _looked_at(actor)
    return Board(
        disease=disease,
        diseases=tuple(known),
        period=period,
        case_definition=case_definition(COUNTED_CLASSES),
        own=own,
        partners=partners,
        own_place=own_place,
        own_curve=_own(disease, period, last_on - long, actor=actor, within=own_place)[0] if own_place else own,
        partner_curves=curves,
        signals=tuple(open_signals),
        signals_open=signals_open,
        alerts=tuple(alerts),
        sources=tuple(sources(actor=actor, disease=disease)),
        freshness=_freshness(partners),
        waiting=_waiting(),
        looked_at=looked_at,
        new_signals=_new_signals(looked_at),
        as_of=as_of,
        simulated=simulated or bool(partners["simulated"].any()) or any(alert.simulated for alert in alerts),
    )


def _own(
    disease: str, period: str, first_on: date, *, actor: Actor, within: str | None = None
) -> tuple[pl.DataFrame, datetime | None, bool]:
    parts, whole = counts_by_level(
        actor=actor, diseases=[disease], period=period, levels=["admin1", "country"], first_on=first_on, within=within
    )
    frame = pl.concat([parts.frame, whole.frame]).unique(["place", "start_on"], keep="last", maintain_order=True)
    if within is not None:
        # The country of a single province would hold that province alone.
        frame = frame.filter(pl.col("place") == within)
    limits = _limits(disease, period, first_on, place=within)
    joined = frame.drop("disease").join(limits, on=["place", "start_on"], how="left", maintain_order="left")
    return joined, parts.as_of, parts.simulated


def _own_place(wanted: Sequence[str], own: pl.DataFrame, *, disease: str, signals: Sequence[SignalView]) -> str:
    """Return the first place wanted, else that of the newest signal, else the one with the most cases lately."""
    signalled = [each.place for each in signals if each.disease == disease]
    chosen = _wanted([*wanted, *(code for code in signalled if "-" in code), *signalled], own)
    parts = own.filter(pl.col("place").str.contains("-", literal=True))
    return chosen or _largest(parts, "observed") or _largest(own, "observed")


def _wanted(wanted: Sequence[str], figures: pl.DataFrame) -> str:
    codes = set(figures["place"].unique())
    return next((code for code in wanted if code in codes), "")


def _largest(figures: pl.DataFrame, column: str) -> str:
    """Return the place with the most cases lately, "" without any figure."""
    if figures.is_empty():
        return ""
    starts = figures["start_on"].unique().sort().tail(LATELY).implode()
    totals = figures.filter(pl.col("start_on").is_in(starts)).group_by("place").agg(pl.col(column).sum())
    return str(totals.sort([column, "place"], descending=[True, False])["place"][0])


def _last_on(disease: str, period: str, *, today: date) -> date:
    """Return the day of the last figure of a disease, own or a partner's, at most today; today without any."""
    reported = CountReport.objects.filter(visible().q, disease=disease, start_on__lte=today)
    tallied = WeekTally.objects.filter(visible().q, disease=disease, start_on__lte=today)
    theirs = PartnerCount.objects.filter(is_current=True, disease=disease, period_type=period, start_on__lte=today)
    last = [rows.aggregate(last=Max("start_on"))["last"] for rows in (reported, tallied, theirs)]
    return max((day for day in last if day is not None), default=today)


def _last_of_partners(disease: str, period: str, *, first_on: date) -> list[tuple[str, date]]:
    """Return by node the last day of which a partner sent figures since `first_on`; one that fell silent is there."""
    figures = PartnerCount.objects.filter(
        is_current=True, disease=disease, period_type=period, stratum="", start_on__gte=first_on
    )
    return list(figures.order_by().values_list("from_node").annotate(last=Max("start_on")).order_by("from_node"))


def _limits(disease: str, period: str, first_on: date, *, place: str | None) -> pl.DataFrame:
    """Return what the last run said of each place, or of one, and of each period from a day on."""
    schema = {
        "place": pl.String,
        "start_on": pl.Date,
        "expected": pl.Float64,
        "upperbound": pl.Float64,
        "alarm": pl.Boolean,
        "method": pl.String,
        "fallback": pl.String,
    }
    run = DetectionRun.objects.filter(disease=disease, period_type=period).order_by("-ran_at", "-id").first()
    parameters: list[Parameter] = [run.pk if run is not None else -1, str(first_on)]
    where = "run_id = %s AND start_on >= %s"
    if place is not None:
        where, parameters = f"{where} AND place = %s", [*parameters, place]
    return fetch(DetectionResult, schema, where=where, parameters=parameters)


def partner_counts(
    *, actor: Actor, disease: str, period: str, first_on: date, from_node: str = "", place: str = ""
) -> pl.DataFrame:
    """Return the accepted figures of partners, the highest revision of each, columns of `PARTNER_SCHEMA`.

    Parameters
    ----------
    from_node, place : only those of this partner, of this place; of all without

    A figure that came under an agreement and again under its amendment is shown once, as received last.
    """
    require(actor, SEE)
    where = "is_current AND disease = %s AND period_type = %s AND start_on >= %s AND stratum = ''"
    parameters: list[Parameter] = [disease, period, str(first_on)]
    for column, value in (("from_node", from_node), ("place", place)):
        if value:
            where, parameters = f"{where} AND {column} = %s", [*parameters, value]
    frame = fetch(
        PartnerCount,
        {**PARTNER_SCHEMA, "id": pl.Int64},
        where=where,
        parameters=parameters,
        columns={"upperbound": '"limit"'},
    )
    key = ["from_node", "place", "start_on", "case_classes"]
    return frame.sort("id").unique(key, keep="last").drop("id").sort(key)


def partner_alerts(*, actor: Actor, only_unseen: bool = False, limit: int = 50) -> list[PartnerAlertView]:
    """Return partners' alerts and notifications, newest first; `only_unseen`: that stand and that nobody has seen."""
    require(actor, SEE)
    rows = PartnerAlert.objects.exclude(disease="")
    if only_unseen:
        rows = rows.filter(seen_at__isnull=True, withdrawn_at__isnull=True)
    return [_alert(row) for row in rows[:limit]]


def _alert(row: PartnerAlert) -> PartnerAlertView:
    return PartnerAlertView(
        id=row.pk,
        from_node=row.from_node,
        agreement=row.agreement,
        crossing_id=row.crossing_id,
        envelope=row.envelope,
        schema=row.schema,
        event=str(row.event),
        revision=row.revision,
        severity=row.severity,
        text_code=row.text_code,
        disease=row.disease,
        place=row.place,
        start_on=row.start_on,
        end_on=row.end_on,
        observed=row.observed,
        expected=row.expected,
        withheld=row.withheld,
        simulated=row.simulated,
        issued_at=row.issued_at,
        received_at=row.received_at,
        withdrawn_at=row.withdrawn_at,
        withdrawal_code=row.withdrawal_code,
        status=row.status,
        seen_by=row.seen_by,
    )


def _freshness(figures: pl.DataFrame) -> tuple[PartnerFreshness, ...]:
    newest = figures.group_by("from_node").agg(pl.col("as_of", "received_at", "start_on").max()).sort("from_node")
    return tuple(
        PartnerFreshness(from_node=node, as_of=as_of, received_at=received_at, last_start_on=start)
        for node, as_of, received_at, start in newest.iter_rows()
    )


def _waiting() -> tuple[Waiting, ...]:
    rows = (
        PartnerCount.objects.filter(status=PartnerCount.Status.WAITING)
        .order_by()
        .values("envelope", "from_node", "agreement", "disease")
        .annotate(figures=Count("pk"), received=Max("received_at"))
    )
    return tuple(
        Waiting(
            envelope=row["envelope"],
            from_node=row["from_node"],
            agreement=row["agreement"],
            disease=row["disease"],
            figures=row["figures"],
            received_at=row["received"],
        )
        for row in sorted(rows, key=lambda row: row["received"])
    )


def _looked_at(actor: Actor) -> datetime | None:
    if not isinstance(actor, Person):
        return None
    looked = LastLooked.objects.filter(person=actor).first()
    return looked.before_at if looked is not None else None


def _new_signals(since: datetime | None) -> int:
    raised = Signal.objects.all() if since is None else Signal.objects.filter(raised_at__gt=since)
    return raised.count()
