"""Figures that the disclosure ledger holds back, and asking that they go by hand."""

from __future__ import annotations

from datetime import UTC, timedelta
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page, reauthenticated
from corridor.accounts.approvals import is_one_person_mode
from corridor.accounts.roles import may
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.exchange import queries as exchange
from corridor.exchange.registry import ChannelView
from corridor.pillars.surveillance import queries, services, tasks
from corridor.pillars.surveillance.forms import ReasonForm, ReleaseForm
from corridor.pillars.surveillance.messages import PeriodCounts
from corridor.pillars.surveillance.texts import (
    deduction_lines,
    disease_name,
    period_text,
    place_text,
)

SHARE = "surveillance.share"
LOOKS_BACK = timedelta(weeks=26)
"""How far back the page looks for figures that wait; older ones are released by command."""


@page(SHARE)
@reauthenticated
def held(request: PersonRequest, agreement: str, channel: str) -> HttpResponse:
    """Show what waits on a channel; of figures that were chosen, what the partner could then work out."""
    now = utcnow()
    view = _channel(request, agreement, channel)
    today = now.astimezone(UTC).date()
    try:
        found = tasks.held_back(view, first_on=today - LOOKS_BACK, end_on=today, actor=request.user)
    except services.ReturnsOwed as fault:
        messages.error(request, fault_text(fault))
        return redirect("surveillance:partners")
    node = exchange.own_node()
    context: dict[str, Any] = {
        "channel": view,
        "groups": _groups(found),
        "number": len(found),
        "simulated": bool(getattr(node, "is_simulated", False)),
        "one_person": is_one_person_mode(),
    }
    form = ReleaseForm(request.GET) if request.GET else None
    if form is not None and form.is_valid():
        context |= _chosen(request, view, form)
    return render(request, "surveillance/held.html", context)


@page(SHARE, methods=("POST",))
@reauthenticated
def ask(request: PersonRequest, agreement: str, channel: str) -> HttpResponse:
    """Ask that the chosen figures go by hand; a second person decides."""
    view = _channel(request, agreement, channel)
    form, reason = ReleaseForm(request.POST), ReasonForm(request.POST)
    if not form.is_valid() or not reason.is_valid():
        messages.error(request, _("Choose at least one figure and say why the partner must have it."))
        return redirect("surveillance:held", agreement, channel)
    try:
        weighed = services.weigh(channel=view, **form.cleaned_data, actor=request.user)
        if weighed.digest != reason.cleaned_data["shown"]:
            messages.error(request, _("What the partner could work out has changed meanwhile. Look at it again."))
            return redirect("surveillance:held", agreement, channel)
        outcome = services.ask_release(
            channel=view,
            to=form.cleaned_data["to"],
            disease=form.cleaned_data["disease"],
            weighed=weighed,
            reason=reason.cleaned_data["reason"],
            actor=request.user,
            now=utcnow(),
        )
    except UserFault as fault:
        messages.error(request, fault_text(fault))
        return redirect("surveillance:held", agreement, channel)
    if outcome.done:
        messages.success(request, _("Released by hand. The figures are on their way."))
    else:
        told = _("Asked for. Request %(number)d waits for the yes of a second person.")
        messages.success(request, told % {"number": outcome.request_id})
    may_see = may(request.user, "accounts.see_approvals") and not outcome.done
    return redirect("accounts:approvals") if may_see else redirect("surveillance:held", agreement, channel)


def _channel(request: PersonRequest, agreement: str, channel: str) -> ChannelView:
    found = queries.channels(actor=request.user, schema=PeriodCounts.schema_id(), now=utcnow(), agreement=agreement)
    view = next((each for each in found if (each.agreement, each.id) == (agreement, channel)), None)
    if view is None:
        raise Http404
    return view


def _chosen(request: PersonRequest, view: ChannelView, form: ReleaseForm) -> dict[str, Any]:
    try:
        weighed = services.weigh(channel=view, **form.cleaned_data, actor=request.user)
    except UserFault as fault:
        return {"fault": fault_text(fault)}
    return {
        "lines": deduction_lines(weighed.deductions),
        "chosen": [f"{place}:{start}" for place, start, _value in weighed.figures],
        "names": [_named(place, start, view) for place, start, _value in weighed.figures],
        "to": form.cleaned_data["to"],
        "disease": form.cleaned_data["disease"],
        "disease_name": disease_name(form.cleaned_data["disease"]),
        "reason_form": ReasonForm(initial={"shown": weighed.digest}),
    }


def _named(place: str, start: Any, view: ChannelView) -> str:
    return f"{place_text(place)} · {period_text(start, str(view.channel.get('period') or 'week'))}"


def _groups(found: list[services.HeldFigure]) -> list[dict[str, Any]]:
    """Return the figures by recipient and disease: one release goes to one partner and concerns one disease."""

    def key(each: services.HeldFigure) -> tuple[str, str]:
        return each.to, each.disease

    return [
        {
            "to": to,
            "disease": disease,
            "name": disease_name(disease),
            "figures": [
                {
                    "figure": each,
                    "key": f"{each.place}:{each.start_on}",
                    "place": place_text(each.place),
                    "period": period_text(each.start_on, each.period),
                }
                for each in figures
            ],
        }
        for (to, disease), figures in groupby(sorted(found, key=key), key=key)
    ]
