"""After a backup was put back, and after logs contradicted each other: what an officer states to go on."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from corridor.accounts.access import PersonRequest, page, reauthenticated
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.exchange.forms import CloseDisputeForm, ForgoForm
from corridor.exchange.services import disputes, restore, returns
from corridor.exchange.views.shared import find_partner, tell

RESTORE, CONFIRM, CLOSE = "exchange.restore", "exchange.confirm_restore", "exchange.close_dispute"


@page(RESTORE, methods=("POST",))
@reauthenticated
def open_epoch(request: PersonRequest) -> HttpResponse:
    """Ask that this node go on from its backup in a new epoch; a second person allows it."""
    try:
        tell(request, restore.ask_to_open_epoch(actor=request.user, now=utcnow()))
    except UserFault as fault:
        messages.error(request, fault_text(fault))
    return redirect("exchange:partners")


@page(CONFIRM, methods=("POST",))
@reauthenticated
def confirm_restore(request: PersonRequest, node_id: str) -> HttpResponse:
    """Welcome a partner back that told of a restore."""
    view = find_partner(request, node_id)
    try:
        count = restore.confirm_restore(view.node_id, actor=request.user, now=utcnow())
    except UserFault as fault:
        messages.error(request, fault_text(fault))
    else:
        text = ngettext(
            "The partner is welcomed back; %(number)d envelope is returned to it or sent again.",
            "The partner is welcomed back; %(number)d envelopes are returned to it or sent again.",
            count,
        )
        messages.success(request, text % {"number": count})
    return redirect("exchange:partner", view.node_id)


@page(RESTORE, methods=("POST",))
@reauthenticated
def forgo_returns(request: PersonRequest, node_id: str) -> HttpResponse:
    """Ask that figures leave again without what a partner may hold; a second person allows it."""
    view = find_partner(request, node_id)
    form = ForgoForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why nothing will be returned, then ask again."))
        return redirect("exchange:partner", view.node_id)
    try:
        reason = form.cleaned_data["reason"]
        tell(request, returns.ask_to_forgo(view.node_id, reason=reason, actor=request.user, now=utcnow()))
    except UserFault as fault:
        messages.error(request, fault_text(fault))
    return redirect("exchange:partner", view.node_id)


@page(CLOSE, methods=("POST",))
@reauthenticated
def close_dispute(request: PersonRequest, node_id: str, number: int) -> HttpResponse:
    """Ask that a dispute be closed with what was found; a second person allows it."""
    view = find_partner(request, node_id)
    form = CloseDisputeForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say what was found and agreed, then ask again."))
        return redirect("exchange:partner", view.node_id)
    try:
        note = form.cleaned_data["closing_note"]
        tell(request, disputes.ask_to_close(number, closing_note=note, actor=request.user, now=utcnow()))
    except UserFault as fault:
        messages.error(request, fault_text(fault))
    return redirect("exchange:partner", view.node_id)
