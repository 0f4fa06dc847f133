"""Signals: the list, one signal with the work on it, and the line list behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.roles import may
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.exchange import services as exchange
from corridor.exchange.registry import ChannelView
from corridor.pillars.surveillance import queries, services
from corridor.pillars.surveillance.forms import MoveForm, NoteForm, ShareForm, SignalFilterForm, WithdrawForm
from corridor.pillars.surveillance.messages import Alert, AlertWithdrawal
from corridor.pillars.surveillance.queries import pages, provenance
from corridor.pillars.surveillance.queries.signals import OPEN
from corridor.pillars.surveillance.rules import MOVES
from corridor.pillars.surveillance.texts import (
    SCHEMAS,
    STATUSES,
    disease_name,
    named,
    period_text,
    place_text,
)
from corridor.pillars.surveillance.views.curves import SHOWN, Point, curve_frame, points_between
from corridor.pillars.surveillance.views.limits import methods_told, settings_told
from corridor.pillars.surveillance.views.rows import case_table, signal_rows
from corridor.web.parts import Moment
from corridor.web.tables import Column, Table

SEE, WORK, SHARE, CASES = (
    "surveillance.see_board",
    "surveillance.work_signals",
    "surveillance.share",
    "surveillance.see_cases",
)
ROWS = 50
CASE_ROWS = 100
DOING = {
    "verifying": lambda: _("being verified"),
    "verified": lambda: _("verified: a real event"),
    "discarded": lambda: _("discarded: no event"),
}


@page(SEE)
def signal_list(request: PersonRequest) -> HttpResponse:
    """Show which signals there are and where the work on them stands."""
    actor = request.user
    codes = queries.diseases_with_data(actor=actor)
    everything, _number = queries.signals(actor=actor, limit=10_000)
    form = SignalFilterForm(
        request.GET,
        diseases={*codes, *(each.disease for each in everything)},
        places={each.place for each in everything},
    )
    form.is_valid()
    asked = form.cleaned_data
    number = _page_number(request)
    status = asked.get("status", "")
    found, total = pages.page_of_signals(
        actor=actor,
        disease=asked.get("disease", ""),
        place=asked.get("place", ""),
        statuses=OPEN if status == "open" else (status,) if status else (),
        both_sides=bool(asked.get("both")),
        offset=(number - 1) * ROWS,
        limit=ROWS,
    )
    joint = pages.partner_rises(actor=actor, signals=found)
    context = {
        "form": form,
        "signals": signal_rows(found, joint),
        "total": total,
        "open": sum(each.is_open for each in everything),
        "joint": len(joint),
        "page": Paginator(range(total), ROWS).get_page(number),
        "is_filtered": any(request.GET.get(name) for name in form.fields),
    }
    return render(request, "surveillance/signals.html", context)


@page(SEE)
def signal_page(request: PersonRequest, signal_id: int) -> HttpResponse:
    """Show one signal: its curve, why its limit is what it is, what was done, what can be done."""
    return _signal(request, _find(request, signal_id))


@page(WORK, methods=("POST",))
def move(request: PersonRequest, signal_id: int) -> HttpResponse:
    """Move a signal on."""
    detail = _find(request, signal_id)
    form = MoveForm(request.POST, moves=_moves(detail.signal.status))
    if form.is_valid():
        answers = form.cleaned_data
        try:
            services.move_signal(
                signal_id=signal_id, to=answers["to"], text=answers["text"], actor=request.user, now=utcnow()
            )
        except UserFault as fault:
            form.add_error("text" if fault.code == "note-missing" else None, fault_text(fault))
        else:
            messages.success(request, _("The signal is now: %(status)s.") % {"status": STATUSES[answers["to"]]})
            return redirect("surveillance:signal", signal_id)
    return _signal(request, detail, move_form=form, status=400)


@page(WORK, methods=("POST",))
def note(request: PersonRequest, signal_id: int) -> HttpResponse:
    """Add a note to a signal."""
    detail = _find(request, signal_id)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return _signal(request, detail, note_form=form, status=400)
    services.note_signal(signal_id=signal_id, text=form.cleaned_data["text"], actor=request.user, now=utcnow())
    messages.success(request, _("The note was added."))
    return redirect("surveillance:signal", signal_id)


@page(SHARE, methods=("POST",))
def share(request: PersonRequest, signal_id: int) -> HttpResponse:
    """Tell the partners of a channel of a signal."""
    detail = _find(request, signal_id)
    channels = queries.channels(actor=request.user, schema=Alert.schema_id(), now=utcnow())
    form = ShareForm(request.POST, channels=_channel_choices(channels))
    if not form.is_valid():
        return _signal(request, detail, share_form=form, status=400)
    answers = form.cleaned_data
    try:
        sent = services.share_alert(
            signal_id=signal_id,
            channel=_channel(channels, answers["channel"]),
            text_code=answers["text_code"],
            severity=answers["severity"],
            actor=request.user,
            now=utcnow(),
        )
    except exchange.ReturnsOwed:
        messages.error(request, _("Figures wait until the partners have returned what a restore lost here."))
        return redirect("surveillance:signal", signal_id)
    except services.AlertWouldTell:
        messages.error(request, _("The figure is withheld, and an alert would say too much of it. Nothing was sent."))
        return redirect("surveillance:signal", signal_id)
    if sent:
        messages.success(
            request, _("The alert is on its way to: %(nodes)s.") % {"nodes": ", ".join(each.to_node for each in sent)}
        )
    else:
        messages.error(request, _("The gate refused the alert for every partner; the crossings say why."))
    return redirect("surveillance:signal", signal_id)


@page(SHARE, methods=("POST",))
def withdraw(request: PersonRequest, signal_id: int) -> HttpResponse:
    """Take an alert back."""
    detail = _find(request, signal_id)
    channels = queries.channels(actor=request.user, schema=AlertWithdrawal.schema_id(), now=utcnow())
    form = WithdrawForm(request.POST, channels=_channel_choices(channels))
    if not form.is_valid():
        return _signal(request, detail, withdraw_form=form, status=400)
    try:
        services.withdraw_alert(
            event=str(detail.signal.event),
            channel=_channel(channels, form.cleaned_data["channel"]),
            reason_code=form.cleaned_data["reason_code"],
            actor=request.user,
            now=utcnow(),
        )
        messages.success(
            request, _("The withdrawal is on its way; the partners keep the alert and see it as withdrawn.")
        )
    except UserFault as fault:
        messages.error(request, fault_text(fault))
    return redirect("surveillance:signal", signal_id)


@page(CASES)
def signal_cases(request: PersonRequest, signal_id: int) -> HttpResponse:
    """Show the line list behind a signal."""
    detail = _find(request, signal_id)
    cases = queries.signal_cases(signal_id=signal_id, actor=request.user)
    shown = Paginator(range(cases.height), CASE_ROWS).get_page(request.GET.get("page"))
    part = cases.slice((shown.number - 1) * CASE_ROWS, CASE_ROWS)
    context = _named(detail.signal) | {
        "signal": detail.signal,
        "number": cases.height,
        "table": case_table(part),
        "page": shown,
    }
    return render(request, "surveillance/cases.html", context)


def _find(request: PersonRequest, signal_id: int) -> queries.SignalDetail:
    try:
        return queries.signal(signal_id=signal_id, actor=request.user)
    except queries.UnknownSignal as fault:
        raise Http404 from fault


def _page_number(request: PersonRequest) -> int:
    text = request.GET.get("page", "1")
    return max(1, int(text)) if text.isdecimal() and len(text) < 7 else 1


def _moves(status: str) -> list[tuple[str, str]]:
    reopened = status in ("verified", "discarded")
    return [
        (to, _("opened again: being verified") if to == "verifying" and reopened else DOING[to]())
        for to in MOVES.get(status, ())
    ]


def _named(signal: queries.SignalView) -> dict[str, str]:
    return {
        "disease": disease_name(signal.disease),
        "place": place_text(signal.place),
        "period": period_text(signal.start_on, signal.period_type),
    }


def _signal(
    request: PersonRequest,
    detail: queries.SignalDetail,
    *,
    move_form: MoveForm | None = None,
    note_form: NoteForm | None = None,
    share_form: ShareForm | None = None,
    withdraw_form: WithdrawForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render the page of a signal; a form at fault is shown with what is wrong."""
    signal, actor, now = detail.signal, request.user, utcnow()
    joint = pages.partner_rises(actor=actor, signals=[signal])
    sent = (
        provenance.sent_alerts(actor=actor, event=str(signal.event)) if may(actor, "surveillance.see_crossed") else []
    )
    channels = queries.channels(actor=actor, schema=Alert.schema_id(), now=now) if may(actor, SHARE) else []
    taking_back = (
        queries.channels(actor=actor, schema=AlertWithdrawal.schema_id(), now=now) if may(actor, SHARE) else []
    )
    standing = {each.agreement for each in sent[:1] if not each.withdrawn}
    to_withdraw = [each for each in taking_back if each.agreement in standing]
    parts = _parts(request, signal)
    context = _named(signal) | {
        "row": signal_rows([signal], joint)[0],
        "signal": signal,
        "detail": detail,
        "curve": _curve(request, detail),
        "why": methods_told(detail.results.filter(pl.col("start_on") == signal.start_on), signal.method),
        "settings": settings_told(detail.settings),
        "limit_url": reverse("surveillance:limit", args=[signal.disease, signal.place])
        + f"?period={signal.period_type}",
        "counts_url": reverse("surveillance:count", args=[signal.disease, signal.place, signal.start_on])
        + f"?period={signal.period_type}&basis={signal.basis}",
        "moments": _moments(detail),
        "move_form": (move_form or MoveForm(moves=_moves(signal.status))) if may(actor, WORK) else None,
        "note_form": (note_form or NoteForm()) if may(actor, WORK) else None,
        "share_form": _share_form(share_form, channels, signal) if channels else None,
        "withdraw_form": (withdraw_form or WithdrawForm(channels=_channel_choices(to_withdraw)))
        if to_withdraw
        else None,
        "may_share": may(actor, SHARE),
        "may_see_cases": may(actor, CASES),
        "may_see_crossed": may(actor, "surveillance.see_crossed"),
        "parts": parts,
        "sent": [{"view": each, "what": named(SCHEMAS, each.schema)} for each in sent],
        "now": now,
    }
    return render(request, "surveillance/signal.html", context, status=status)


def _share_form(given: ShareForm | None, channels: Sequence[ChannelView], signal: queries.SignalView) -> ShareForm:
    initial = {"severity": signal.severity, "text_code": "more-than-expected"}
    return given or ShareForm(channels=_channel_choices(channels), initial=initial)


def _channel_choices(channels: Sequence[ChannelView]) -> list[tuple[str, str]]:
    return [
        (
            f"{each.agreement}/{each.id}",
            _("%(title)s, channel %(channel)s, to %(nodes)s")
            % {"title": each.title, "channel": each.id, "nodes": ", ".join(each.partners)},
        )
        for each in channels
    ]


def _channel(channels: Sequence[ChannelView], key: str) -> ChannelView:
    return next(each for each in channels if f"{each.agreement}/{each.id}" == key)


def _curve(request: PersonRequest, detail: queries.SignalDetail) -> Any:
    signal = detail.signal
    level = ("country", "admin1", "admin2")[min(signal.place.count("-"), 2)]
    days = {"day": 1, "week": 7, "month": 31}[signal.period_type]
    last = signal.start_on + timedelta(days=4 * days)
    figures = queries.period_counts(
        actor=request.user,
        diseases=[signal.disease],
        period=signal.period_type,
        basis=signal.basis,
        level=level,
        first_on=signal.start_on - timedelta(days=SHOWN[signal.period_type] * days),
        end_on=last + timedelta(days=days),
    )
    limits = {row["start_on"]: row for row in detail.results.iter_rows(named=True)}
    points = [
        _point(row, limits.get(row["start_on"]))
        for row in figures.frame.filter(pl.col("place") == signal.place).iter_rows(named=True)
    ]
    shown = max([signal.start_on, *(point.start_on for point in points)])
    return curve_frame(
        points_between(points, last=shown, period=signal.period_type),
        disease=signal.disease,
        place=signal.place,
        period=signal.period_type,
        request=request,
        simulated=signal.simulated,
        span="full",
    )


def _point(row: dict[str, Any], limit: dict[str, Any] | None) -> Point:
    judged = limit or {}
    return Point(
        start_on=row["start_on"],
        observed=row["observed"],
        expected=judged.get("expected"),
        upperbound=judged.get("upperbound"),
        is_signal=bool(judged.get("alarm")),
        is_whole=row["is_whole"],
        sites_reported=row["sites_reported"],
        sites_expected=row["sites_expected"],
    )


def _moments(detail: queries.SignalDetail) -> list[Moment]:
    found = []
    for step in detail.steps:
        if step.from_status == step.to_status:
            title = _("Note")
        elif not step.from_status:
            title = _("Raised")
        else:
            title = _("From %(before)s to %(after)s") % {
                "before": named(STATUSES, step.from_status),
                "after": named(STATUSES, step.to_status),
            }
        found.append(Moment(at=step.at, title=title, text=step.note, actor=step.actor))
    if found:
        tone = "alarm" if detail.signal.status == "new" else "accent"
        found[-1] = replace(found[-1], tone=tone)
    return found[::-1]


def _parts(request: PersonRequest, signal: queries.SignalView) -> Table:
    """Return the cases behind a signal by place, as reported: what everyone who sees the board may see."""
    figures = queries.period_counts(
        actor=request.user,
        diseases=[signal.disease],
        period=signal.period_type,
        basis=signal.basis,
        first_on=signal.start_on,
        end_on=signal.start_on + timedelta(days=1),
    )
    mine = figures.frame.filter((pl.col("place") == signal.place) | pl.col("place").str.starts_with(f"{signal.place}-"))
    return Table(
        caption=_("Cases by place, as now known"),
        columns=[Column("place", _("Place")), Column("cases", _("Cases"), kind="number"), Column("sites", _("Sites"))],
        rows=[
            [
                place_text(row["place"]),
                row["observed"],
                _("%(reported)d of %(expected)d")
                % {"reported": row["sites_reported"], "expected": row["sites_expected"]}
                if row["sites_expected"] and row["sites_reported"] is not None
                else None,
            ]
            for row in mine.iter_rows(named=True)
        ],
        quiet_caption=True,
    )
