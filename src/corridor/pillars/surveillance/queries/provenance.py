"""How a figure came about, what was sent to partners, and what of theirs waits for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl
from django.db.models import Count, Max, Q

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.pillars.surveillance.models import Import, PartnerCount, SentAlert, SharedCount
from corridor.pillars.surveillance.queries.counts import period_counts

__all__ = [
    "EnvelopeFigure",
    "Revision",
    "SentSummary",
    "SentView",
    "partner_revisions",
    "revisions",
    "sent_alerts",
    "shared_summary",
    "waiting_figures",
]

SEE = "surveillance.see_board"


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
