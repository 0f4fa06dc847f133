"""Telling the partners of an agreement of events: alerts, their withdrawal, single cases of notifiable diseases."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.disclosure import Cell, DisclosureRule, below, bound, place_level, rule_for
from corridor.base.errors import Refused, WrongUsage
from corridor.base.reference import diseases
from corridor.exchange import services as exchange
from corridor.exchange.registry import ChannelView
from corridor.pillars.surveillance.messages import Alert, AlertWithdrawal, CaseNotification
from corridor.pillars.surveillance.models import SentAlert, Signal
from corridor.pillars.surveillance.queries.sharing import shareable_cases
from corridor.pillars.surveillance.rules import least_count, most_count
from corridor.pillars.surveillance.rules import severity as severity_of
from corridor.pillars.surveillance.services.detection import locked_signal
from corridor.pillars.surveillance.services.due import rules_of
from corridor.pillars.surveillance.services.sharing import SHARE

__all__ = ["AlertWouldTell", "NothingToWithdraw", "notify_cases", "share_alert", "withdraw_alert"]

NOTIFIED_FOR = timedelta(days=14)
"""How far back a case is still news that crosses at once."""


class AlertWouldTell(Refused):
    """The alert would say more of a figure that is withheld than that it is small."""

    code: ClassVar[str] = "alert-would-tell"


class NothingToWithdraw(WrongUsage):
    """No alert of that event was sent under the agreement."""

    code: ClassVar[str] = "nothing-to-withdraw"


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
    ReturnsOwed
        While partners have not returned what was lost with a restore.

    Notes
    -----
    An alert on a withheld figure is as loud as one case would be. A partner for whom the gate refuses it is left out of
    the result; the crossing says why.
    """
    require(actor, SHARE)
    exchange.require_whole()
    signal = locked_signal(signal_id)
    sent = SentAlert.objects.filter(event=signal.event, agreement=channel.agreement).order_by("-revision").first()
    observed, withheld = _figure(signal, channel)
    loud = severity or signal.severity
    says: tuple[Cell, ...] = ()
    if observed is None:
        loud, says = _quiet_enough(signal, severity=loud, withheld=withheld)
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
        message,
        channel,
        disease=signal.disease,
        place=signal.place,
        start_on=signal.start_on,
        actor=actor,
        now=now,
        says=says,
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
    going, _ = exchange.releasable([cell])
    return (signal.observed, "") if going else (None, "")


def _quiet_enough(signal: Signal, *, severity: str, withheld: str) -> tuple[str, tuple[Cell, ...]]:
    """Return how loud an alert without its figure may be, and what it then says of the figure, for the ledger to keep.

    Raises
    ------
    AlertWouldTell
        If it may not cross at all.
    """
    is_small = bool(withheld) or signal.observed < _usual_limit(signal.disease)
    if is_small and severity != "information":
        severity = severity_of(observed=1, expected=signal.expected or 0.0, upperbound=signal.upperbound)
    least = least_count(expected=signal.expected, upperbound=signal.upperbound, severity=severity)
    # A small figure is made as quiet as one case would be, so that its severity says nothing of a greatest number.
    most = None if is_small else most_count(expected=signal.expected, upperbound=signal.upperbound, severity=severity)
    if most is not None and most < signal.observed:
        # A person chose to say less than the figure would.
        most = None
    # Withheld as small it is 1 or more anyway; else the ledger says whether the bound gives others away.
    says = () if withheld else (_bounded(signal, least, most),)
    if (is_small and least > 1) or exchange.breaches(says):
        raise AlertWouldTell(
            "the figure is withheld under this agreement, and an alert would say that it exceeds its limit, which a "
            "partner can work out. Wait until the figure may cross, or sign a smaller limit for this disease."
        )
    return severity, says


def _bounded(signal: Signal, least: int, most: int | None) -> Cell:
    return Cell(signal.disease, signal.place, signal.start_on, signal.end_on, withheld=bound(max(least, 1), most))


def _usual_limit(disease: str) -> int:
    """Return from how many cases a total of the disease crosses where no agreement says otherwise."""
    known = diseases().get(disease)
    return known.disclosure.total if known is not None else DisclosureRule().min_cell


def _send_event(
    message: Alert | AlertWithdrawal | CaseNotification,
    channel: ChannelView,
    *,
    disease: str,
    place: str,
    start_on: date,
    actor: Actor,
    now: datetime,
    says: tuple[Cell, ...] = (),
) -> list[SentAlert]:
    terms = exchange.Terms(says=says)
    sent = []
    reasons = []
    for to in channel.partners:
        crossing = exchange.send(
            message, to=to, agreement=channel.agreement, channel=channel.id, actor=actor, now=now, terms=terms
        )
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
                period_type=getattr(message, "period_type", ""),
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
    ReturnsOwed
        While partners have not returned what was lost with a restore: they may know of these cases.
    """
    require(actor, SHARE)
    exchange.require_whole()
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
