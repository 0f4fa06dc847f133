"""What may be sent, what was sent, and on which channels."""

from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.base.disclosure import place_level
from corridor.exchange import queries as exchange
from corridor.exchange.queries.agreements import agreements
from corridor.exchange.queries.crossings import refused_among
from corridor.exchange.registry import ChannelView
from corridor.pillars.surveillance.messages import CaseNotification
from corridor.pillars.surveillance.models import (
    AutomaticChannel,
    Case,
    DetectionResult,
    DetectionRun,
    Import,
    SentAlert,
    SharedCount,
)
from corridor.pillars.surveillance.queries.counts import holder, period_counts
from corridor.pillars.surveillance.queries.rows import fetch_visible, visible

__all__ = [
    "NotifiableCase",
    "Shareable",
    "agreement_state",
    "automatic_channels",
    "channels",
    "is_automatic",
    "shareable_cases",
    "shareable_counts",
    "shared_counts",
    "without_limits",
]

SHARE = "surveillance.share"


@dataclass(frozen=True, kw_only=True)
class Shareable:
    """The figures of this node's own country at one level, over and done, with what detection expected.

    Attributes
    ----------
    frame : polars.DataFrame with place, start_on, observed, sites_reported, sites_expected
    limits : place and first day to expected count and limit, of methods whose limits give no single count away
    """

    disease: str
    frame: pl.DataFrame
    limits: dict[tuple[str, date], tuple[float | None, float | None]]
    level: str
    period: str
    as_of: datetime | None
    simulated: bool


@dataclass(frozen=True, kw_only=True)
class NotifiableCase:
    """One case that a partner was not told of: where, when, how sure."""

    place: str
    reported_on: date
    case_class: str
    simulated: bool


def channels(*, actor: Actor, schema: str, now: datetime, agreement: str | None = None) -> list[ChannelView]:
    """Return the open channels for a message type on which this node may send.

    Parameters
    ----------
    agreement : beginning of the hash of the only agreement that counts
    """
    require(actor, SHARE)
    found = exchange.channels_open(actor=actor, schema=schema, now=now)
    return [view for view in found if view.partners and view.agreement.startswith(agreement or "")]


def agreement_state(*, actor: Actor, agreement: str, now: datetime) -> str:
    """Return where the agreement stands whose hash begins with `agreement`; empty where none or several do."""
    require(actor, SHARE)
    views = agreements(actor, now=now)
    states = [str(view.state) for view in views if view.document.hash.startswith(agreement)]
    return states[0] if len(states) == 1 else ""


def automatic_channels(*, actor: Actor, schema: str, now: datetime) -> list[ChannelView]:
    """Return the open channels for a message type on which a person let this node send by itself."""
    on = set(AutomaticChannel.objects.filter(is_on=True).values_list("agreement", "channel"))
    return [view for view in channels(actor=actor, schema=schema, now=now) if (view.agreement, view.id) in on]


def is_automatic(*, actor: Actor, agreement: str, channel: str) -> bool:
    """Say whether this node sends on a channel by itself."""
    require(actor, "surveillance.see_crossed")
    return AutomaticChannel.objects.filter(agreement=agreement, channel=channel, is_on=True).exists()


def shareable_counts(*, actor: Actor, disease: str, level: str, period: str, first_on: date, end_on: date) -> Shareable:
    """Return the counts of this node's own places at `level`, of periods that are over."""
    require(actor, SHARE)
    figures = period_counts(
        actor=actor, diseases=[disease], period=period, level=level, first_on=first_on, end_on=end_on
    )
    node = exchange.own_node()
    country = node.country if node is not None else ""
    codes = figures.frame["place"].unique().to_list()
    mine = [code for code in codes if place_level(code) == level and code.partition("-")[0] == country]
    frame = figures.frame.filter(
        pl.col("is_whole") & pl.col("observed").is_not_null() & pl.col("place").is_in(pl.Series(mine).implode())
    )
    return Shareable(
        disease=disease,
        frame=frame.select("place", "start_on", "observed", "sites_reported", "sites_expected"),
        limits=_limits(disease, period),
        level=level,
        period=period,
        as_of=figures.as_of,
        simulated=figures.simulated,
    )


def _limits(disease: str, period: str) -> dict[tuple[str, date], tuple[float | None, float | None]]:
    """Return expected counts and limits of the last run, rounded, where they rest on a fit over years.

    The mean of seven periods is the sum of seven counts: with six of them known it would give a withheld one away.
    """
    run = DetectionRun.objects.filter(disease=disease, period_type=period).order_by("-ran_at", "-id").first()
    if run is None:
        return {}
    rows = DetectionResult.objects.filter(run=run, method__startswith="farrington").values_list(
        "place", "start_on", "expected", "upperbound"
    )
    return {
        (place, start): tuple(None if value is None or value < 0 else round(value, 1) for value in (expected, limit))  # type: ignore[misc]  # two values
        for place, start, expected, limit in rows
    }


def without_limits(table: Shareable, *, hidden: set[str], min_cell: int, actor: Actor) -> Shareable:
    """Return the figures without expectation and limit for every place of whose series anything is withheld.

    Both are computed from years of counts. Who knows all but one of these tries each value that the withheld one may
    have, and keeps the one that gives the expectation told.

    Parameters
    ----------
    hidden : places of which something is withheld or waits just now
    min_cell : the channel's limit; any smaller count of the series closes its place
    """
    if not table.limits:
        return table
    series = period_counts(actor=actor, diseases=[table.disease], period=table.period, level=table.level).frame
    small = series.filter((pl.col("observed") != 0) & (pl.col("observed") < min_cell))["place"].unique().to_list()
    told = SharedCount.objects.filter(disease=table.disease).exclude(withheld="").values_list("place", flat=True)
    closed = hidden.union(small, told)
    return replace(table, limits={key: both for key, both in table.limits.items() if key[0] not in closed})


def shared_counts(*, channel: ChannelView, to: str, disease: str, period: str) -> dict[tuple[str, date], SharedCount]:
    """Return the figures that a partner has from this node on a channel, by place and first day."""
    rows = SharedCount.objects.filter(
        agreement=channel.agreement,
        channel=channel.id,
        to_node=to,
        disease=disease,
        period_type=period,
        basis="report",
        stratum="",
    )
    return {(row.place, row.start_on): row for row in rows}


def shareable_cases(
    *, actor: Actor, disease: str, level: str, since: date, channel: ChannelView
) -> list[NotifiableCase]:
    """Return the cases reported from `since` on that were not notified on a channel yet, oldest first.

    Cases are counted by place and day: as many notifications as cases. No identifier of a case is kept with
    what was sent.
    """
    require(actor, SHARE)
    cases = fetch_visible(
        Case,
        {"place": pl.String, "report_on": pl.Date, "classification": pl.String, "entered_in": pl.Int64},
        versions=visible(),
        where="disease = %s AND report_on >= %s AND classification IN ('suspected', 'probable', 'confirmed')",
        parameters=[disease, str(since)],
        columns={"entered_in": "entered_in_id"},
    )
    node = exchange.own_node()
    country = node.country if node is not None else ""
    told: dict[tuple[str, date], int] = {}
    events = SentAlert.objects.filter(
        schema=CaseNotification.schema_id(), agreement=channel.agreement, disease=disease, start_on__gte=since
    )
    rows = list(events.order_by().values_list("place", "start_on", "event", "crossing_id"))
    lost = refused_among(crossing_id for *_, crossing_id in rows)
    # What was refused on its way was told to nobody.
    for place, start, _ in {row[:3] for row in rows if row[3] not in lost}:
        told[place, start] = told.get((place, start), 0) + 1
    simulated = _simulated(cases["entered_in"].unique().to_list())
    news = []
    for place, day, case_class, entered_in in cases.sort("report_on", "place").iter_rows():
        code = holder(place, level)
        if place_level(code) != level or code.partition("-")[0] != country:
            continue
        if told.get((code, day), 0) > 0:
            told[code, day] -= 1
            continue
        news.append(
            NotifiableCase(place=code, reported_on=day, case_class=case_class, simulated=entered_in in simulated)
        )
    return news


def _simulated(import_ids: list[int]) -> set[int]:
    return set(Import.objects.filter(pk__in=import_ids, simulated=True).values_list("pk", flat=True))
