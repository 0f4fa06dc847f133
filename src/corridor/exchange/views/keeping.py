"""The body of one envelope: lay or lift a legal hold, ask for its deletion, look at what may be viewed and not kept."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page, reauthenticated
from corridor.accounts.approvals import is_one_person_mode
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.exchange import queries
from corridor.exchange.forms import HoldForm
from corridor.exchange.messages import Message
from corridor.exchange.queries import CrossingDetail, NoSuchCrossing, texts
from corridor.exchange.queries import keeping as keeping_queries
from corridor.exchange.services import deletion, viewing
from corridor.exchange.views.shared import tell


@page(deletion.PERMISSION, methods=("GET", "POST"))
@reauthenticated
def keeping_page(request: PersonRequest, crossing_id: int) -> HttpResponse:
    """Hold the body of an envelope, ask that a hold be lifted, or ask that the body be deleted."""
    view = _find(request, crossing_id).view
    form = HoldForm(request.POST if request.POST.get("do") == "hold" else None)
    if request.method == "POST" and (not form.is_bound or form.is_valid()):
        _act(request, view.envelope_id, form)
        return redirect("exchange:crossing", crossing_id)
    context = {
        "view": view,
        "message": texts.message_text(view.schema),
        "keeping": keeping_queries.keeping(request.user, crossing_id, now=utcnow()),
        "form": form,
        "one_person": is_one_person_mode(),
    }
    return render(request, "exchange/keeping.html", context, status=400 if form.errors else 200)


def _act(request: PersonRequest, envelope_id: str, form: HoldForm) -> None:
    who: dict[str, Any] = {"actor": request.user, "now": utcnow()}
    try:
        match request.POST.get("do"):
            case "hold":
                deletion.hold(envelope_id, reason=form.cleaned_data["reason"], **who)
                messages.success(request, _("A legal hold lies on the body."))
            case "release":
                tell(request, deletion.ask_to_release(envelope_id, **who))
            case "delete":
                tell(request, deletion.ask_to_delete(envelope_id, **who))
    except UserFault as fault:
        messages.error(request, fault_text(fault))


@page(viewing.PERMISSION, methods=("POST",))
def body_page(request: PersonRequest, crossing_id: int) -> HttpResponse:
    """Show what an envelope says that may be viewed and not kept; the look is recorded, the page is not cached."""
    view = _find(request, crossing_id).view
    now = utcnow()
    try:
        message = viewing.look(crossing_id=crossing_id, actor=request.user, now=now)
    except UserFault as fault:
        messages.error(request, fault_text(fault))
        return redirect("exchange:crossing", crossing_id)
    context = {
        "view": view,
        "message": texts.message_text(view.schema),
        "keeping": keeping_queries.keeping(request.user, crossing_id, now=now),
        **_spelled(message),
    }
    response = render(request, "exchange/body.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _find(request: PersonRequest, crossing_id: int) -> CrossingDetail:
    try:
        return queries.crossing(request.user, crossing_id)
    except NoSuchCrossing as fault:
        raise Http404 from fault


def _spelled(message: Message) -> dict[str, Any]:
    """Return the single members of a message, and its lists of parts as tables: names and codes as they crossed."""
    facts, tables = [], []
    for name, value in message.model_dump(mode="json").items():
        if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
            columns = list(value[0])
            tables.append({"name": name, "columns": columns, "rows": [_row(part, columns) for part in value]})
        else:
            facts.append((name, _text(value)))
    return {"facts": facts, "tables": tables}


def _row(part: dict[str, Any], columns: list[str]) -> list[tuple[str, str]]:
    return [(column, _text(part.get(column))) for column in columns]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, list):
        return ", ".join(_text(part) for part in value)
    return "" if value is None else str(value)
