"""Sending counts, alerts and notifications to the partners of an agreement."""

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.disclosure import (
    Cell,
    DisclosureRule,
    below,
    complement,
    place_level,
    rule_for,
    suppress,
)
from corridor.base.errors import Refused, WrongUsage
from corridor.exchange import services as exchange
from corridor.exchange.queries.crossings import refused_among
from corridor.exchange.registry import ChannelView
from corridor.exchange.services import release
from corridor.pillars.surveillance.messages import Alert, AlertWithdrawal, CaseNotification, CountCell, PeriodCounts
from corridor.pillars.surveillance.models import AutomaticChannel, SentAlert, SharedCount, Signal
from corridor.pillars.surveillance.queries.sharing import (
    Shareable,
    shareable_cases,
    shareable_counts,
    shared_counts,
    without_limits,
)
from corridor.pillars.surveillance.rules import least_count, next_start
from corridor.pillars.surveillance.rules import severity as severity_of
from corridor.pillars.surveillance.services.detection import locked_signal

__all__ = [
    "AlertWouldTell",
    "NothingToWithdraw",
    "Shared",
    "notify_cases",
    "set_automatic",
    "share_alert",
    "share_disease",
    "withdraw_alert",
]

SHARE = "surveillance.share"
CELLS_A_MESSAGE = 2000
NOTIFIED_FOR = timedelta(days=14)
"""How far back a case is still news that crosses at once."""
_SENT_ONCE = (
    "agreement",
    "channel",
    "to_node",
    "disease",
    "period_type",
    "basis",
    "stratum",
    "place",
    "start_on",
)
_SENT_LAST = ("value", "withheld", "sites_reported", "sites_expected", "revision", "crossing_id", "sent_at")


class AlertWouldTell(Refused):
    """The alert would say more of a figure that is withheld than that it is small."""

    code: ClassVar[str] = "alert-would-tell"


class NothingToWithdraw(WrongUsage):
    """No alert of that event was sent under the agreement."""

    code: ClassVar[str] = "nothing-to-withdraw"


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What became of the figures of one disease for one partner on one channel.

    Attributes
    ----------
    sent : figures sent, the withheld ones included
    withheld : of these, how many travel as withheld
    unchanged : figures that the partner has already
    waiting : figures that the suppression ledger holds back for now
    negative : corrections below zero, which stay at home
    crossings : numbers of the crossings
    refused : reasons of the gate, where it refused
    """

    agreement: str
    channel: str
    to: str
    disease: str
    sent: int = 0
    withheld: int = 0
    unchanged: int = 0
    waiting: int = 0
    negative: int = 0
    crossings: tuple[int, ...] = ()
    refused: tuple[str, ...] = ()


def rules_of(channel: ChannelView) -> list[DisclosureRule]:
    """Return the disclosure rules of a channel."""
    level = str(channel.channel.get("place_level", "admin1"))
    return [
        DisclosureRule(
            disease=rule.get("disease", "*"),
            place_level=rule.get("place_level") or level,
            stratum=rule.get("stratum", "total"),
            min_cell=rule["min_cell"],
        )
        for rule in channel.disclosure
    ]


@write("surveillance.share_counts", subject="disease")
def share_disease(
    *, channel: ChannelView, to: str, disease: str, first_on: date, end_on: date, actor: Actor, now: datetime
) -> Shared:
    """Send one partner what it does not have yet of the counts of a disease, small figures withheld.

    Parameters
    ----------
    channel : a channel that this node may send on
    to : the partner's node
    first_on, end_on : half-open range of days; the periods that begin in it and are over

    Returns
    -------
    Shared

    Raises
    ------
    NotPermitted
        If `actor` may not share.
    """
    require(actor, SHARE)
    result = Shared(agreement=channel.agreement, channel=channel.id, to=to, disease=disease)
    period = str(channel.channel.get("period") or "week")
    table = shareable_counts(
        actor=actor,
        disease=disease,
        level=str(channel.channel.get("place_level") or "admin1"),
        period=period,
        first_on=first_on,
        end_on=end_on,
    )
    negative = table.frame.filter(pl.col("observed") < 0).height
    cells = _cells(table.frame.filter(pl.col("observed") >= 0), disease=disease, period=period)
    rules = rules_of(channel)
    told = suppress(cells, rules)
    held = shared_counts(channel=channel, to=to, disease=disease, period=period)
    lost = refused_among(row.crossing_id for row in held.values())
    sites = {
        (row[0], row[1]): row[2:]
        for row in table.frame.select("place", "start_on", "sites_reported", "sites_expected").iter_rows()
    }
    news = [cell for cell in told if _is_news(cell, held, sites, lost)]
    going, waiting = release.releasable(news)
    rule = rule_for(rules, disease=disease, place_level=table.level, stratum="total")
    hidden = {cell.place for cell in told if cell.value is None} | {cell.place for cell in waiting}
    table = without_limits(table, hidden=hidden, min_cell=rule.min_cell if rule else 1, actor=actor)
    result = replace(result, unchanged=len(told) - len(news), waiting=len(waiting), negative=negative)
    for start in range(0, len(going), CELLS_A_MESSAGE):
        part = going[start : start + CELLS_A_MESSAGE]
        result = _send_counts(part, result, channel, table, held, sites, actor=actor, now=now)
    note(to=to, channel=channel.id, sent=result.sent, withheld=result.withheld, waiting=result.waiting)
    return result


def _cells(frame: pl.DataFrame, *, disease: str, period: str) -> list[Cell]:
    return [
        Cell(
            disease=disease,
            place=place,
            period_start=start,
            period_end=next_start(start, period),
            value=value,
        )
        for place, start, value in frame.select("place", "start_on", "observed").iter_rows()
    ]


def _is_news(
    cell: Cell, held: dict[tuple[str, date], SharedCount], sites: dict[Any, Any], lost: frozenset[int]
) -> bool:
    key = (cell.place, cell.period_start)
    row = held.get(key)
    return (
        row is None
        or row.crossing_id in lost
        or (row.value, row.withheld, (row.sites_reported, row.sites_expected))
        != (
            cell.value,
            cell.withheld,
            tuple(sites[key]),
        )
    )


def _send_counts(
    cells: list[Cell],
    result: Shared,
    channel: ChannelView,
    table: Shareable,
    held: dict[tuple[str, date], SharedCount],
    sites: dict[Any, Any],
    *,
    actor: Actor,
    now: datetime,
) -> Shared:
    revisions = {}
    counts = []
    for cell in cells:
        key = (cell.place, cell.period_start)
        revisions[key] = held[key].revision + 1 if key in held else 1
        expected, limit = table.limits.get(key, (None, None)) if cell.value is not None else (None, None)
        counts.append(
            CountCell(
                place=cell.place,
                period_start=cell.period_start,
                period_end=cell.period_end,
                value=cell.value,
                withheld=cell.withheld,
                revision=revisions[key],
                sites_reported=sites[key][0],
                sites_expected=sites[key][1],
                expected=expected,
                limit=limit,
            )
        )
    message = PeriodCounts(
        disease=result.disease,
        place_level=table.level,  # type: ignore[arg-type]  # validated by the model
        period_type=table.period,  # type: ignore[arg-type]  # as above
        date_basis="report",
        case_classes=(),
        as_of=table.as_of or now,
        simulated=table.simulated,
        counts=tuple(counts),
    )
    crossing = exchange.send(
        message, to=result.to, agreement=channel.agreement, channel=channel.id, actor=actor, now=now
    )
    if crossing.status == "refused":
        return replace(result, crossings=(*result.crossings, crossing.pk), refused=(*result.refused, crossing.reason))
    SharedCount.objects.bulk_create(
        [
            SharedCount(
                agreement=channel.agreement,
                channel=channel.id,
                to_node=result.to,
                disease=result.disease,
                place=cell.place,
                period_type=table.period,
                basis="report",
                stratum="",
                start_on=cell.period_start,
                value=cell.value,
                withheld=cell.withheld,
                sites_reported=sites[cell.place, cell.period_start][0],
                sites_expected=sites[cell.place, cell.period_start][1],
                revision=revisions[cell.place, cell.period_start],
                crossing_id=crossing.pk,
                sent_at=now,
            )
            for cell in cells
        ],
        update_conflicts=True,
        unique_fields=_SENT_ONCE,
        update_fields=_SENT_LAST,
        batch_size=500,
    )
    return replace(
        result,
        sent=result.sent + len(cells),
        withheld=result.withheld + sum(cell.value is None for cell in cells),
        crossings=(*result.crossings, crossing.pk),
    )


@write("surveillance.share_alert", subject="signal_id")
def share_alert(
    *,
    signal_id: int,
    channel: ChannelView,
    text_code: str,
    severity: str | None = None,
    actor: Actor,
    now: datetime,
) -> list[SentAlert]:
    """Send the partners of a channel an alert about a signal; sent again, it is a revision of the first.

    The observed count travels if the channel's rules let it, else as withheld, else not at all.

    Raises
    ------
    NotPermitted
        If `actor` may not share.
    NoSuchSignal
        If there is none.
    AlertWouldTell
        If the figure is withheld, and that it exceeds its limit would narrow it.

    Notes
    -----
    An alert on a withheld figure is as loud as one case would be. A partner for whom the gate refuses it is left out of
    the result; the crossing says why.
    """
    require(actor, SHARE)
    signal = locked_signal(signal_id)
    sent = SentAlert.objects.filter(event=signal.event, agreement=channel.agreement).order_by("-revision").first()
    observed, withheld = _figure(signal, channel)
    loud = severity or signal.severity
    if observed is None:
        loud = _quiet_enough(signal, severity=loud, withheld=withheld)
    message = Alert(
        event=str(signal.event),
        revision=1 if sent is None else sent.revision + 1,
        severity=loud,  # type: ignore[arg-type]  # validated by the model
        text_code=text_code,  # type: ignore[arg-type]  # as above
        disease=signal.disease,
        place=signal.place,
        period_type=signal.period_type,  # type: ignore[arg-type]  # as above
        period_start=signal.start_on,
        period_end=signal.end_on,
        observed=observed,
        withheld=withheld,
        issued_at=now,
        simulated=signal.simulated,
    )
    return _send_event(
        message, channel, disease=signal.disease, place=signal.place, start_on=signal.start_on, actor=actor, now=now
    )


def _figure(signal: Signal, channel: ChannelView) -> tuple[int | None, str]:
    """Return the count and the rule that withholds it, as far as the channel's rules open it at all."""
    level = place_level(signal.place)
    rule = rule_for(rules_of(channel), disease=signal.disease, place_level=level, stratum="total")
    if rule is None or (level != channel.channel.get("place_level", "admin1") and rule.disease == "*"):
        return None, ""
    if signal.observed < rule.min_cell:
        return None, below(rule.min_cell)
    cell = Cell(signal.disease, signal.place, signal.start_on, signal.end_on, value=signal.observed)
    going, _ = release.releasable([cell])
    return (signal.observed, "") if going else (None, "")


def _quiet_enough(signal: Signal, *, severity: str, withheld: str) -> str:
    """Return how loud an alert without its figure may be; raise `AlertWouldTell` where it may not cross at all."""
    of_one = severity_of(observed=1, expected=signal.expected or 0.0, upperbound=signal.upperbound)
    if withheld and severity != "information":
        severity = of_one
    least = least_count(expected=signal.expected, upperbound=signal.upperbound, severity=severity)
    # Withheld as small it is 1 or more anyway; else the ledger says whether "at least so many" gives others away.
    figure = Cell(signal.disease, signal.place, signal.start_on, signal.end_on, withheld=complement(least))
    tells = least > 1 if withheld else bool(release.breaches([figure]))
    if tells:
        raise AlertWouldTell(
            "the figure is withheld under this agreement, and an alert would say that it exceeds its limit, which a "
            "partner can work out. Wait until the figure may cross, or sign a smaller limit for this disease."
        )
    return severity


def _send_event(
    message: Alert | AlertWithdrawal | CaseNotification,
    channel: ChannelView,
    *,
    disease: str,
    place: str,
    start_on: date,
    actor: Actor,
    now: datetime,
) -> list[SentAlert]:
    sent = []
    reasons = []
    for to in channel.partners:
        crossing = exchange.send(message, to=to, agreement=channel.agreement, channel=channel.id, actor=actor, now=now)
        if crossing.status == "refused":
            reasons.append(f"{to}: {crossing.reason}")
            continue
        sent.append(
            SentAlert.objects.create(
                event=message.event,
                schema=message.schema_id(),
                revision=getattr(message, "revision", 1),
                agreement=channel.agreement,
                to_node=to,
                disease=disease,
                place=place,
                start_on=start_on,
                withdrawn=isinstance(message, AlertWithdrawal),
                crossing_id=crossing.pk,
                actor=actor_name(actor),
                sent_at=now,
            )
        )
    note(event=str(message.event), sent=len(sent), refused=reasons)
    return sent


@write("surveillance.withdraw_alert", subject="event")
def withdraw_alert(
    *, event: str, channel: ChannelView, reason_code: str, actor: Actor, now: datetime
) -> list[SentAlert]:
    """Take an alert back; the partners keep it and show it as withdrawn.

    Raises
    ------
    NotPermitted, NothingToWithdraw
        If `actor` may not share, or no alert of the event was sent under the agreement.
    """
    require(actor, SHARE)
    sent = SentAlert.objects.filter(event=event, agreement=channel.agreement).order_by("-revision").first()
    if sent is None or sent.withdrawn:
        raise NothingToWithdraw(
            f"no alert {event} stands under agreement {channel.agreement}; `corridor share alerts` lists those sent."
        )
    message = AlertWithdrawal(
        event=event,
        revision=sent.revision + 1,
        reason_code=reason_code,  # type: ignore[arg-type]  # validated by the model
        withdrawn_at=now,
        simulated=Signal.objects.filter(event=event, simulated=True).exists(),
    )
    return _send_event(
        message, channel, disease=sent.disease, place=sent.place, start_on=sent.start_on, actor=actor, now=now
    )


@write("surveillance.notify_cases", subject="disease")
def notify_cases(*, channel: ChannelView, disease: str, actor: Actor, now: datetime) -> list[SentAlert]:
    """Notify the partners of a channel, one message a case, of recent cases that they were not told of.

    Raises
    ------
    NotPermitted
        If `actor` may not share.
    """
    require(actor, SHARE)
    level = str(channel.channel.get("place_level") or "admin1")
    since = (now.astimezone(UTC) - NOTIFIED_FOR).date()
    sent: list[SentAlert] = []
    for case in shareable_cases(actor=actor, disease=disease, level=level, since=since, channel=channel):
        message = CaseNotification(
            event=str(uuid.uuid4()),
            disease=disease,
            place=case.place,
            reported_on=case.reported_on,
            case_class=case.case_class,  # type: ignore[arg-type]  # validated by the model
            notified_at=now,
            simulated=case.simulated,
        )
        sent += _send_event(
            message, channel, disease=disease, place=case.place, start_on=case.reported_on, actor=actor, now=now
        )
    return sent


@write("surveillance.set_automatic", subject="channel")
def set_automatic(*, agreement: str, channel: str, is_on: bool, actor: Actor, now: datetime) -> None:
    """Let this node send on a channel by itself after each import, or no longer.

    Raises
    ------
    NotPermitted
        If `actor` may not share.
    """
    require(actor, SHARE)
    AutomaticChannel.objects.update_or_create(
        agreement=agreement,
        channel=channel,
        defaults={"is_on": is_on, "set_by": actor_name(actor), "set_at": now},
    )
    note(is_on=is_on)
