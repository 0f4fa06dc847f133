"""What partners sent, what waits for a person, and what this node shares on which channel."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.roles import may
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.exchange import queries as exchange
from corridor.exchange.queries.texts import reason_text
from corridor.exchange.registry import ChannelView
from corridor.pillars.surveillance import queries, services, tasks
from corridor.pillars.surveillance.forms import ChannelForm
from corridor.pillars.surveillance.messages import MESSAGES, PeriodCounts
from corridor.pillars.surveillance.queries import provenance
from corridor.pillars.surveillance.texts import (
    ALERT_TEXTS,
    SCHEMAS,
    SEVERITIES,
    WITHDRAWALS,
    disease_name,
    named,
    period_text,
    place_text,
    withheld_limit,
    withheld_text,
)
from corridor.web.tables import Cell, Column, Table

SEE, ACCEPT, SHARE, WORK = (
    "surveillance.see_crossed",
    "surveillance.accept",
    "surveillance.share",
    "surveillance.work_signals",
)
SHARED_WEEKS = 8
SHOWN_FIGURES = 200


@page(SEE)
def partners(request: PersonRequest) -> HttpResponse:
    """Show what partners sent and what waits for us, and what we send."""
    actor, now = request.user, utcnow()
    view = queries.board(actor=actor, now=now)
    alerts = queries.partner_alerts(actor=actor)
    context = {
        "waiting": [{"view": each, "disease": disease_name(each.disease)} for each in view.waiting],
        "alerts": [_alert(each) for each in alerts],
        "unseen": len(view.alerts),
        "freshness": view.freshness,
        "channels": _channels(request),
        "may_accept": may(actor, ACCEPT),
        "may_share": may(actor, SHARE),
        "may_work": may(actor, WORK),
        "partners": {each.node_id: each for each in exchange.partners(actor)},
        "owing": exchange.owing(actor),
        "now": now,
    }
    return render(request, "surveillance/partners.html", context)


@page(SEE)
def waiting(request: PersonRequest, envelope: str) -> HttpResponse:
    """Show the figures of an envelope that wait for a yes, beside those that they would replace."""
    figures = provenance.waiting_figures(actor=request.user, envelope=envelope)
    if not figures:
        raise Http404
    found = next(
        (each for each in queries.board(actor=request.user, now=utcnow()).waiting if each.envelope == envelope), None
    )
    context = {
        "waiting": found,
        "disease": disease_name(figures[0].disease),
        "table": _waiting_table(figures[:SHOWN_FIGURES]),
        "left": max(0, len(figures) - SHOWN_FIGURES),
        "number": len(figures),
        "simulated": any(each.simulated for each in figures),
        "may_accept": may(request.user, ACCEPT),
    }
    return render(request, "surveillance/waiting.html", context)


@page(ACCEPT, methods=("POST",))
def decide(request: PersonRequest, envelope: str) -> HttpResponse:
    """Accept or decline what an envelope brought."""
    accept = request.POST.get("decision") == "accept"
    try:
        number = services.decide_counts(envelope=envelope, accept=accept, actor=request.user, now=utcnow())
        text = (
            ngettext("%(count)d figure accepted.", "%(count)d figures accepted.", number)
            if accept
            else ngettext("%(count)d figure declined.", "%(count)d figures declined.", number)
        )
        messages.success(request, text % {"count": number})
    except UserFault as fault:
        messages.error(request, fault_text(fault))
    return redirect("surveillance:partners")


@page(WORK, methods=("POST",))
def seen(request: PersonRequest, alert_id: int) -> HttpResponse:
    """Note that a person has taken note of a partner's alert."""
    services.see_alert(alert_id=alert_id, actor=request.user, now=utcnow())
    messages.success(request, _("Noted that you have seen this alert."))
    return redirect("surveillance:partners")


@page(SHARE, methods=("POST",))
def send_now(request: PersonRequest) -> HttpResponse:
    """Send what changed in the last weeks on one channel."""
    now = utcnow()
    channel = _asked_channel(request)
    if channel is None:
        messages.error(request, _("This channel is not open any more. Nothing was sent."))
        return redirect("surveillance:partners")
    today = now.astimezone(UTC).date()
    shared = tasks.share_channel(
        channel, first_on=today - timedelta(weeks=SHARED_WEEKS), end_on=today, actor=request.user, now=now
    )
    sent, withheld = sum(each.sent for each in shared), sum(each.withheld for each in shared)
    refused = sorted({reason for each in shared for reason in each.refused})
    if refused:
        messages.error(
            request, _("Refused: %(reasons)s") % {"reasons": " ".join(reason_text(code) for code in refused)}
        )
    if sent:
        text = ngettext(
            "%(count)d figure is on its way, %(withheld)d of them as withheld.",
            "%(count)d figures are on their way, %(withheld)d of them as withheld.",
            sent,
        )
        messages.success(request, text % {"count": sent, "withheld": withheld})
    waiting = sum(each.waiting for each in shared)
    if waiting and exchange.owing(request.user):
        text = ngettext(
            "%(count)d figure waits until the partners have returned what a restore lost here.",
            "%(count)d figures wait until the partners have returned what a restore lost here.",
            waiting,
        )
        messages.info(request, text % {"count": waiting})
    elif waiting:
        text = ngettext(
            "The disclosure ledger holds %(count)d figure back; “Held back” shows which.",
            "The disclosure ledger holds %(count)d figures back; “Held back” shows which.",
            waiting,
        )
        messages.info(request, text % {"count": waiting})
    elif not sent and not refused:
        messages.info(request, _("The partners have everything already; nothing was sent."))
    return redirect("surveillance:partners")


@page(SHARE, methods=("POST",))
def automatic(request: PersonRequest) -> HttpResponse:
    """Let this node send on a channel by itself, or no longer."""
    form = ChannelForm(request.POST)
    if form.is_valid():
        answers = form.cleaned_data
        services.set_automatic(**answers, actor=request.user, now=utcnow())
        told = (
            _("From now on this node sends on the channel by itself.")
            if answers["is_on"]
            else _("From now on a person sends on the channel.")
        )
        messages.success(request, told)
    return redirect("surveillance:partners")


def _asked_channel(request: PersonRequest) -> ChannelView | None:
    form = ChannelForm(request.POST)
    if not form.is_valid():
        return None
    found = queries.channels(actor=request.user, schema=PeriodCounts.schema_id(), now=utcnow())
    wanted = (form.cleaned_data["agreement"], form.cleaned_data["channel"])
    return next((each for each in found if (each.agreement, each.id) == wanted), None)


def _alert(alert: queries.PartnerAlertView) -> dict[str, Any]:
    period = "" if alert.start_on is None else period_text(alert.start_on, _length(alert))
    return {
        "alert": alert,
        "disease": disease_name(alert.disease),
        "place": place_text(alert.place),
        "country": place_text(alert.place.partition("-")[0]),
        "period": period,
        "text": named(ALERT_TEXTS, alert.text_code),
        "severity": named(SEVERITIES, alert.severity),
        "withdrawal": named(WITHDRAWALS, alert.withdrawal_code) if alert.withdrawal_code else "",
        "limit": withheld_limit(alert.withheld),
        "rule": withheld_text(alert.withheld) if alert.withheld else "",
        "waits": alert.status == "waiting",
        "is_new": not alert.seen_by and alert.withdrawn_at is None,
    }


def _length(alert: queries.PartnerAlertView) -> str:
    if alert.start_on is None or alert.end_on is None:
        return "day"
    days = (alert.end_on - alert.start_on).days
    return "day" if days == 1 else "week" if days == 7 else "month"


def _channels(request: PersonRequest) -> list[dict[str, Any]]:
    """Return the open channels on which this node sends what surveillance has, with what was sent."""
    actor, now = request.user, utcnow()
    found = []
    for message in MESSAGES:
        for channel in exchange.channels_open(actor=actor, schema=message.schema_id(), now=now):
            if not channel.partners:
                continue
            found.append(
                {
                    "channel": channel,
                    "what": named(SCHEMAS, message.schema_id()),
                    "is_counts": message is PeriodCounts,
                    "is_automatic": queries.is_automatic(actor=actor, agreement=channel.agreement, channel=channel.id),
                    "can_be_automatic": message.schema_id() in _AUTOMATIC,
                    "sent": provenance.shared_summary(actor=actor, agreement=channel.agreement, channel=channel.id)
                    if message is PeriodCounts
                    else [],
                }
            )
    return sorted(found, key=lambda each: (each["channel"].title, each["channel"].id))


_AUTOMATIC = {"surveillance.period-counts/1", "surveillance.case-notification/1"}


def _waiting_table(figures: list[provenance.EnvelopeFigure]) -> Table:
    return Table(
        caption=_("Figures that wait"),
        columns=[
            Column("period", _("Period")),
            Column("place", _("Place")),
            Column("value", _("Cases"), kind="number"),
            Column("held", _("Held now"), kind="number"),
            Column("sites", _("Sites")),
            Column("revision", _("Revision"), kind="number"),
        ],
        rows=[
            [
                period_text(each.start_on, each.period),
                place_text(each.place),
                Cell(state="withheld", below=withheld_limit(each.withheld), note=withheld_text(each.withheld))
                if each.withheld
                else each.value,
                each.held,
                _("%(reported)d of %(expected)d") % {"reported": each.sites_reported, "expected": each.sites_expected}
                if each.sites_expected and each.sites_reported is not None
                else None,
                each.revision,
            ]
            for each in figures
        ],
        quiet_caption=True,
    )
