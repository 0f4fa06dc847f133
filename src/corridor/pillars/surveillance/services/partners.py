"""What partners send: stored in order of revision, whatever the order of arrival; accepted at once or by a person."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import polars as pl
from django.db import connection

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.disclosure import place_level
from corridor.base.errors import WrongUsage
from corridor.exchange.registry import Received
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.pillars.surveillance.messages import Alert, AlertWithdrawal, CaseNotification, PeriodCounts
from corridor.pillars.surveillance.models import PartnerAlert, PartnerCount
from corridor.pillars.surveillance.queries.rows import chosen, fetch
from corridor.pillars.surveillance.rules import case_definition, next_start
from corridor.pillars.surveillance.services import bulk

__all__ = [
    "NothingWaits",
    "decide_counts",
    "forget_partner",
    "see_alert",
    "store_partner_alerts",
    "store_partner_counts",
    "store_partner_notifications",
    "store_partner_withdrawals",
]

_KEY = ["disease", "period_type", "from_node", "agreement", "place", "start_on", "basis", "case_classes", "stratum"]
_SCHEMA: dict[str, Any] = {
    "from_node": pl.String,
    "agreement": pl.String,
    "envelope": pl.String,
    "crossing_id": pl.Int64,
    "disease": pl.String,
    "place": pl.String,
    "place_level": pl.String,
    "period_type": pl.String,
    "basis": pl.String,
    "case_classes": pl.String,
    "stratum": pl.String,
    "start_on": pl.Date,
    "end_on": pl.Date,
    "revision": pl.Int64,
    "value": pl.Int64,
    "withheld": pl.String,
    "sites_reported": pl.Int64,
    "sites_expected": pl.Int64,
    "expected": pl.Float64,
    "limit": pl.Float64,
    "simulated": pl.Boolean,
    "as_of": pl.String,
    "received_at": pl.String,
    "status": pl.String,
}


class NothingWaits(WrongUsage):
    """Nothing of that envelope waits for a decision."""

    code: ClassVar[str] = "nothing-waits"


def _moment(at: datetime) -> str:
    # The form in which Django stores moments in SQLite, and which PostgreSQL reads as well.
    return str(connection.ops.adapt_datetimefield_value(at)) if connection.vendor == "sqlite" else at.isoformat()


def _status(received: Received) -> str:
    waits = received.channel is not None and received.channel.acceptance == "preview"
    return PartnerCount.Status.WAITING if waits else PartnerCount.Status.ACCEPTED


@write("surveillance.store_partner_counts")
def store_partner_counts(batch: Sequence[Received], *, actor: Actor, now: datetime) -> int:
    """Store the figures of period counts that arrived; return how many were news.

    A revision that is held already changes nothing, and one that is older than the current one is kept as history: the
    highest revision holds, whatever the order of arrival.
    """
    rows = [row for received in batch for row in _count_rows(received, now=now)]
    arrived = pl.DataFrame(rows, schema=_SCHEMA, orient="row").unique(
        [*_KEY, "revision"], keep="first", maintain_order=True
    )
    held = _held(arrived)
    news = arrived.join(held, on=[*_KEY, "revision"], how="anti", maintain_order="left")
    newest = held.filter("is_current").select(*_KEY, "id", pl.col("revision").alias("revision_held"))
    ranked = news.join(newest, on=_KEY, how="left", maintain_order="left")
    accepted = pl.col("status") == PartnerCount.Status.ACCEPTED
    highest = pl.col("revision") == pl.col("revision").filter(accepted).max().over(_KEY)
    overtakes = pl.col("revision_held").is_null() | (pl.col("revision") > pl.col("revision_held"))
    ranked = ranked.with_columns((accepted & highest & overtakes).fill_null(value=False).alias("is_current"))
    _no_longer_current(ranked.filter("is_current")["id"].drop_nulls())
    bulk.insert(PartnerCount, ranked.select(*_SCHEMA, "is_current"))
    note(figures=ranked.height, repeated=arrived.height - ranked.height)
    return ranked.height


def _count_rows(received: Received, *, now: datetime) -> list[tuple[Any, ...]]:
    message = received.message
    if not isinstance(message, PeriodCounts):
        raise Refused(Reason.MALFORMED)
    status = _status(received)
    definition = case_definition(message.case_classes)
    as_of, received_at = _moment(message.as_of), _moment(now)
    return [
        (
            received.from_node,
            received.agreement,
            received.envelope_id,
            received.crossing_id,
            message.disease,
            cell.place,
            place_level(cell.place),
            message.period_type,
            message.date_basis,
            definition,
            cell.stratum,
            cell.period_start,
            cell.period_end,
            cell.revision,
            cell.value,
            cell.withheld,
            cell.sites_reported,
            cell.sites_expected,
            cell.expected,
            cell.limit,
            message.simulated,
            as_of,
            received_at,
            status,
        )
        for cell in message.counts
    ]


def _held(arrived: pl.DataFrame) -> pl.DataFrame:
    """Return what is held of the figures that arrived, every revision."""
    conditions, parameters = [], []
    for column in ("disease", "from_node", "agreement", "place"):
        condition, values = chosen(column, arrived[column].unique().to_list())
        conditions.append(condition)
        parameters += values
    schema = {"id": pl.Int64, "revision": pl.Int64, "is_current": pl.Boolean}
    held = fetch(
        PartnerCount,
        {**schema, **{name: _SCHEMA[name] for name in _KEY}},
        where=f"{' AND '.join(conditions)} AND start_on BETWEEN %s AND %s",
        parameters=[*parameters, str(arrived["start_on"].min()), str(arrived["start_on"].max())],
    )
    return held.join(arrived.select(_KEY).unique(), on=_KEY, how="semi")


def _no_longer_current(ids: pl.Series) -> None:
    for chunk in ids.to_frame("id").iter_slices(500):
        PartnerCount.objects.filter(pk__in=chunk["id"].to_list()).update(is_current=False)


@write("surveillance.decide_partner_counts", subject="envelope")
def decide_counts(*, envelope: str, accept: bool, actor: Actor, now: datetime) -> int:
    """Accept or decline the figures of one envelope that wait for a person; return how many they are.

    Raises
    ------
    NotPermitted, NothingWaits
        If `actor` may not, or nothing of the envelope waits.
    """
    require(actor, "surveillance.accept")
    waiting = list(
        PartnerCount.objects.select_for_update()
        .filter(envelope=envelope, status=PartnerCount.Status.WAITING)
        .order_by("pk")
    )
    alerts = PartnerAlert.objects.filter(envelope=envelope, status=PartnerCount.Status.WAITING)
    status = PartnerCount.Status.ACCEPTED if accept else PartnerCount.Status.DECLINED
    decided = alerts.update(status=status, seen_by=actor_name(actor), seen_at=now)
    if not waiting and not decided:
        raise NothingWaits(f"nothing of envelope {envelope} waits for a decision; someone may have decided meanwhile.")
    for figure in waiting:
        figure.status = status
        if accept:
            same = PartnerCount.objects.filter(**{name: getattr(figure, name) for name in _KEY}, is_current=True)
            if not same.filter(revision__gt=figure.revision).exists():
                same.update(is_current=False)
                figure.is_current = True
        figure.save(update_fields=["status", "is_current"])
    note(figures=len(waiting), alerts=decided, accepted=accept)
    return len(waiting) + decided


@write("surveillance.store_partner_alerts")
def store_partner_alerts(batch: Sequence[Received], *, actor: Actor, now: datetime) -> int:
    """Store alerts that arrived; a lower revision than the one held changes nothing; return how many were news."""
    news = 0
    for received in batch:
        message = received.message
        if not isinstance(message, Alert):
            raise Refused(Reason.MALFORMED)
        values = {
            "severity": message.severity,
            "text_code": message.text_code,
            "disease": message.disease,
            "place": message.place,
            "start_on": message.period_start,
            "end_on": message.period_end,
            "observed": message.observed,
            "expected": message.expected,
            "withheld": message.withheld,
            "simulated": message.simulated,
            "issued_at": message.issued_at,
        }
        news += _store_alert(received, values, event=message.event, revision=message.revision, now=now)
    note(alerts=news)
    return news


@write("surveillance.store_partner_notifications")
def store_partner_notifications(batch: Sequence[Received], *, actor: Actor, now: datetime) -> int:
    """Store notifications of single cases that arrived; return how many were news."""
    news = 0
    for received in batch:
        message = received.message
        if not isinstance(message, CaseNotification):
            raise Refused(Reason.MALFORMED)
        values = {
            "severity": "urgent",
            "text_code": "first-case",
            "disease": message.disease,
            "place": message.place,
            "start_on": message.reported_on,
            "end_on": next_start(message.reported_on, "day"),
            "observed": message.cases,
            "simulated": message.simulated,
            "issued_at": message.notified_at,
        }
        news += _store_alert(received, values, event=message.event, revision=1, now=now)
    note(notifications=news)
    return news


@write("surveillance.store_partner_withdrawals")
def store_partner_withdrawals(batch: Sequence[Received], *, actor: Actor, now: datetime) -> int:
    """Mark alerts as withdrawn; one that has not arrived yet is withdrawn when it does; return how many were news."""
    news = 0
    for received in batch:
        message = received.message
        if not isinstance(message, AlertWithdrawal):
            raise Refused(Reason.MALFORMED)
        values: dict[str, Any] = {"withdrawn_at": message.withdrawn_at, "withdrawal_code": message.reason_code}
        held = _alert(received, message.event)
        if held is None:
            values |= {"simulated": message.simulated, "issued_at": message.withdrawn_at}
        news += _store_alert(received, values, event=message.event, revision=message.revision, now=now)
    note(withdrawals=news)
    return news


def _alert(received: Received, event: str) -> PartnerAlert | None:
    rows = PartnerAlert.objects.select_for_update()
    return rows.filter(from_node=received.from_node, agreement=received.agreement, event=event).first()


def _store_alert(received: Received, values: dict[str, Any], *, event: str, revision: int, now: datetime) -> bool:
    held = _alert(received, event)
    if held is None:
        PartnerAlert.objects.create(
            from_node=received.from_node,
            agreement=received.agreement,
            envelope=received.envelope_id,
            crossing_id=received.crossing_id,
            schema=received.message.schema_id(),
            event=event,
            revision=revision,
            received_at=now,
            status=_status(received),
            **values,
        )
        return True
    if held.disease == "" and "disease" in values:
        # The withdrawal overtook the alert: now it can be said what was withdrawn.
        values["revision"] = max(revision, held.revision)
        values["schema"] = received.message.schema_id()
    elif revision > held.revision:
        values["revision"] = revision
        if "disease" in values:
            values |= {"withdrawn_at": None, "withdrawal_code": ""}
    else:
        return False
    for name, value in values.items():
        setattr(held, name, value)
    held.save()
    return True


@write("surveillance.see_alert", subject="alert_id")
def see_alert(*, alert_id: int, actor: Actor, now: datetime) -> None:
    """Record that a person has taken note of a partner's alert; the first one counts.

    Raises
    ------
    NotPermitted
        If `actor` may not work on signals.
    """
    require(actor, "surveillance.work_signals")
    unseen = PartnerAlert.objects.filter(pk=alert_id, seen_at__isnull=True)
    unseen.update(seen_by=actor_name(actor), seen_at=now)


@write("surveillance.forget_partner")
def forget_partner(crossing_ids: Sequence[int], *, actor: Actor, now: datetime) -> int:
    """Delete the figures and alerts of envelopes whose bodies are deleted; return how many rows went.

    An older revision does not become current again: it was wrong when it was replaced, and its own envelope is older
    still. An alert goes with the envelope that brought it first, whatever came to it later.
    """
    figures, _ = PartnerCount.objects.filter(crossing_id__in=crossing_ids).delete()
    alerts, _ = PartnerAlert.objects.filter(crossing_id__in=crossing_ids).delete()
    note(figures=figures, alerts=alerts)
    return figures + alerts
