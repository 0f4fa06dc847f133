"""What partners return after a restore of this node: which figures and events they were told, in which revision."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from corridor.accounts.actors import Actor
from corridor.accounts.transactions import note, write
from corridor.exchange.registry import Received
from corridor.jobs.services import enqueue
from corridor.pillars.surveillance.messages import Alert, AlertWithdrawal, CaseNotification, PeriodCounts
from corridor.pillars.surveillance.models import SentAlert, SharedCount, Signal
from corridor.pillars.surveillance.services.sharing import SENT_LAST, SENT_ONCE

__all__ = ["share_soon", "take_back_counts", "take_back_events"]

RETURNED = "returned by the partner"


@write("surveillance.take_back_counts")
def take_back_counts(batch: Sequence[Received], *, actor: Actor, now: datetime) -> int:
    """Know again which figures a partner has, and in which revision; return how many were news.

    A later revision that is known here stays.
    """
    del actor, now
    rows: dict[tuple[Any, ...], SharedCount] = {}
    for received in batch:
        for row in _counts_of(received):
            key = tuple(getattr(row, name) for name in SENT_ONCE)
            if key not in rows or rows[key].revision < row.revision:
                rows[key] = row
    held = _revisions_held(rows)
    news = {key: row for key, row in rows.items() if row.revision > held.get(key, 0)}
    SharedCount.objects.bulk_create(
        news.values(), update_conflicts=True, unique_fields=SENT_ONCE, update_fields=SENT_LAST, batch_size=500
    )
    note(figures=len(news))
    return len(news)


def _counts_of(received: Received) -> list[SharedCount]:
    message = received.message
    if not isinstance(message, PeriodCounts) or received.crossing_id is None:
        raise TypeError(f"expected a stored envelope of {PeriodCounts.schema_id()}, came {received.header.schema}")
    return [
        SharedCount(
            agreement=received.agreement,
            channel=received.header.channel,
            to_node=received.header.to,
            disease=message.disease,
            place=cell.place,
            period_type=message.period_type,
            basis=message.date_basis,
            stratum=cell.stratum,
            start_on=cell.period_start,
            value=cell.value,
            withheld=cell.withheld,
            sites_reported=cell.sites_reported,
            sites_expected=cell.sites_expected,
            revision=cell.revision,
            crossing_id=received.crossing_id,
            sent_at=received.header.created_at,
        )
        for cell in message.counts
    ]


def _revisions_held(rows: Mapping[tuple[Any, ...], SharedCount]) -> dict[tuple[Any, ...], int]:
    """Return the revision known here of each figure of the same diseases, partners and days."""
    wanted = SharedCount.objects.filter(
        to_node__in={row.to_node for row in rows.values()},
        disease__in={row.disease for row in rows.values()},
        start_on__in={row.start_on for row in rows.values()},
    )
    return {tuple(key): revision for *key, revision in wanted.values_list(*SENT_ONCE, "revision")}


@write("surveillance.take_back_events")
def take_back_events(batch: Sequence[Received], *, actor: Actor, now: datetime) -> int:
    """Know again of which alerts, withdrawals and cases a partner was told; return how many were news."""
    del actor, now
    news = 0
    for received in batch:
        message, header = received.message, received.header
        if not isinstance(message, Alert | AlertWithdrawal | CaseNotification) or received.crossing_id is None:
            raise TypeError(f"expected a stored envelope about an event, came {header.schema}")
        disease, place, start_on = _subject(message, agreement=received.agreement)
        _, is_new = SentAlert.objects.get_or_create(
            event=message.event,
            revision=getattr(message, "revision", 1),
            agreement=received.agreement,
            to_node=header.to,
            defaults={
                "schema": header.schema,
                "disease": disease,
                "place": place,
                "period_type": getattr(message, "period_type", ""),
                "start_on": start_on,
                "withdrawn": isinstance(message, AlertWithdrawal),
                "crossing_id": received.crossing_id,
                "actor": RETURNED,
                "sent_at": header.created_at,
            },
        )
        news += is_new
        if isinstance(message, Alert):
            _rejoin(message)
    note(events=news)
    return news


def _rejoin(alert: Alert) -> None:
    """Give the signal that detection raised anew the event under which partners know it, unless it was told already."""
    signal = Signal.objects.filter(
        disease=alert.disease, place=alert.place, period_type=alert.period_type, start_on=alert.period_start
    ).first()
    if signal is None or SentAlert.objects.filter(event=signal.event).exists():
        return
    signal.event = uuid.UUID(alert.event)
    signal.save(update_fields=["event"])


def share_soon(*, actor: Actor, now: datetime) -> None:
    """Let the channels on which this node sends by itself send what waited."""
    enqueue("surveillance.share-automatically", {}, actor=actor, now=now, key="after-returns")


def _subject(message: Alert | AlertWithdrawal | CaseNotification, *, agreement: str) -> tuple[str, str, date]:
    """Return disease, place and first day; a withdrawal names only the event, whose alert came before it."""
    if isinstance(message, Alert):
        return message.disease, message.place, message.period_start
    if isinstance(message, CaseNotification):
        return message.disease, message.place, message.reported_on
    alert = SentAlert.objects.filter(event=message.event, agreement=agreement).exclude(disease="").first()
    if alert is None:
        return "", "", message.withdrawn_at.astimezone(UTC).date()
    return alert.disease, alert.place, alert.start_on
