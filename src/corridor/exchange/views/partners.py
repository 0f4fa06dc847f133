"""Partners: reachable, since when, what waits, which dispute; and adding one by card and fingerprint."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page, reauthenticated
from corridor.accounts.roles import may
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.exchange import queries
from corridor.exchange.forms import AddPartnerForm, CloseDisputeForm, ForgoForm, PauseForm, TakeFileForm
from corridor.exchange.queries import PartnerView
from corridor.exchange.services import partners as services
from corridor.exchange.views.recovery import CLOSE, CONFIRM, RESTORE
from corridor.exchange.views.shared import find_partner, tell

SEE, PIN = "exchange.see_partners", "exchange.pin_partner"


@page(SEE)
def partner_list(request: PersonRequest) -> HttpResponse:
    """Show whether our partners can be reached."""
    views = queries.partners(request.user)
    return render(
        request,
        "exchange/partners.html",
        {
            "partners": views,
            "reachable": sum(view.is_open and view.is_reachable for view in views),
            "disputes": queries.disputes(request.user),
            "own": queries.own_node(),
            "owing": [view for view in views if view.is_owing],
            "returning": [view for view in views if view.restore_epoch is not None],
            "may_pin": may(request.user, PIN),
            "may_restore": may(request.user, RESTORE),
            "now": utcnow(),
        },
    )


@page(SEE)
def partner_page(request: PersonRequest, node_id: str) -> HttpResponse:
    """Show how we stand with one partner."""
    view = find_partner(request, node_id)
    return render(request, "exchange/partner.html", _context(request, view))


@page(PIN, methods=("GET", "POST"))
@reauthenticated
def partner_add(request: PersonRequest) -> HttpResponse:
    """Pin a partner: its card, and the fingerprint told by another way."""
    return _pin(request, None)


@page(PIN, methods=("GET", "POST"))
@reauthenticated
def partner_anew(request: PersonRequest, node_id: str) -> HttpResponse:
    """Pin a partner anew that lost all its keys."""
    return _pin(request, find_partner(request, node_id))


def _pin(request: PersonRequest, anew: PartnerView | None) -> HttpResponse:
    is_sent = request.method == "POST"
    form = AddPartnerForm(request.POST, request.FILES) if is_sent else AddPartnerForm()
    if is_sent and form.is_valid():
        try:
            outcome = services.ask_to_pin(
                form.cleaned_data["card"],
                fingerprint=form.cleaned_data["fingerprint"],
                actor=request.user,
                now=utcnow(),
                anew=anew.node_id if anew else None,
            )
        except UserFault as fault:
            form.add_error(None, fault_text(fault))
        else:
            tell(request, outcome)
            return redirect("exchange:partner", anew.node_id) if anew else redirect("exchange:partners")
    context = {"form": form, "own": queries.own_node(), "anew": anew}
    return render(request, "exchange/partner_add.html", context, status=400 if form.errors else 200)


@page(PIN, methods=("POST",))
@reauthenticated
def partner_take(request: PersonRequest, node_id: str) -> HttpResponse:
    """Take what a partner says of its keys; what brings a revoked partner back a second person allows."""
    view = find_partner(request, node_id)
    form = TakeFileForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            tell(request, services.ask_to_take(form.cleaned_data["file"], actor=request.user, now=utcnow()))
        except UserFault as fault:
            form.add_error("file", fault_text(fault))
        else:
            return redirect("exchange:partner", view.node_id)
    return render(request, "exchange/partner.html", _context(request, view, taking=form), status=400)


@page(PIN, methods=("POST",))
@reauthenticated
def partner_pause(request: PersonRequest, node_id: str) -> HttpResponse:
    """Stop all exchange with a partner for now."""
    view = find_partner(request, node_id)
    form = PauseForm(request.POST)
    if not form.is_valid():
        return render(request, "exchange/partner.html", _context(request, view, pausing=form), status=400)
    services.pause(view.node_id, reason=form.cleaned_data["reason"], actor=request.user, now=utcnow())
    messages.success(request, _("Exchange with this partner is paused. What waits stays queued."))
    return redirect("exchange:partner", view.node_id)


@page(PIN, methods=("POST",))
@reauthenticated
def partner_resume(request: PersonRequest, node_id: str) -> HttpResponse:
    """Lift a pause; a second person allows it."""
    view = find_partner(request, node_id)
    try:
        tell(request, services.ask_to_resume(view.node_id, actor=request.user, now=utcnow()))
    except UserFault as fault:
        messages.error(request, fault_text(fault))
    return redirect("exchange:partner", view.node_id)


@page(PIN, methods=("POST",))
@reauthenticated
def partner_change_url(request: PersonRequest, node_id: str) -> HttpResponse:
    """Use the address on the partner's latest card; a second person allows it."""
    view = find_partner(request, node_id)
    try:
        tell(request, services.ask_to_change_url(view.node_id, actor=request.user, now=utcnow()))
    except UserFault as fault:
        messages.error(request, fault_text(fault))
    return redirect("exchange:partner", view.node_id)


@page(SEE)
def own_card(request: PersonRequest) -> HttpResponse:
    """Give our own card, for a partner."""
    del request
    response = HttpResponse(services.own_card_file(), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="card.json"'
    return response


def _context(
    request: PersonRequest,
    view: PartnerView,
    *,
    pausing: PauseForm | None = None,
    taking: TakeFileForm | None = None,
) -> dict[str, object]:
    return {
        "view": view,
        "owing": [view],
        "forgoing": ForgoForm(),
        "may_restore": may(request.user, RESTORE),
        "keys": queries.partner_keys(request.user, view.node_id),
        "may_pin": may(request.user, PIN),
        "may_see_crossings": may(request.user, "exchange.see_crossings"),
        "may_confirm": may(request.user, CONFIRM),
        "may_close": may(request.user, CLOSE),
        "form": pausing or PauseForm(),
        "taking": taking or TakeFileForm(),
        "closing": CloseDisputeForm(),
        "disputes": [each for each in queries.disputes(request.user, is_open=None) if each.node_id == view.node_id],
        "now": utcnow(),
    }
