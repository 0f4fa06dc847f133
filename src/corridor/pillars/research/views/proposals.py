"""Proposing a protocol: a file, the agreement that opens joint research, and what is wrong with it."""

from __future__ import annotations

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.pillars.research import queries, services
from corridor.pillars.research.forms import ProtocolForm
from corridor.pillars.research.rules.protocol import draft_protocol
from corridor.pillars.research.services.studies import PROPOSE

__all__ = ["propose"]


@page(PROPOSE, methods=("GET", "POST"))
def propose(request: PersonRequest) -> HttpResponseBase:
    """Take a protocol, or an amendment of one, and propose it to every site that it names."""
    found = queries.study_channels(actor=request.user, now=utcnow())
    agreements = {view.agreement: f"{view.title} ({', '.join(view.partners)})" for view in found}
    form = ProtocolForm(request.POST or None, request.FILES or None, agreements=list(agreements.items()))
    if request.method == "POST" and form.is_valid():
        try:
            version = services.propose_study(
                draft_protocol(form.cleaned_data["file"]),
                agreement=form.cleaned_data["agreement"],
                actor=request.user,
                now=utcnow(),
            )
        except UserFault as fault:
            form.add_error("file", fault_text(fault))
        else:
            messages.success(request, _("Proposed, and on its way to the other sites. Each of them signs it."))
            return redirect("research:protocol", version.study.name, version.hash)
    context = {"form": form, "agreements": agreements}
    return render(request, "research/propose.html", context, status=400 if form.errors else 200)
