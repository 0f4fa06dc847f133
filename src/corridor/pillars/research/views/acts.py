"""What people do on the pages of studies: sign, ask for an analysis, release, open the ledger again, pause, leave."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page, reauthenticated
from corridor.accounts.approvals import Outcome
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.pillars.research import services
from corridor.pillars.research.forms import ReopeningForm, StandingForm
from corridor.pillars.research.services.data import HOLD
from corridor.pillars.research.services.runs import RELEASE, REQUEST
from corridor.pillars.research.services.standing import PAUSE
from corridor.pillars.research.services.studies import APPROVE
from corridor.pillars.research.views.studies import (
    find_study_or_404,
    ledger_context,
    standing_choices,
    study_context,
)

__all__ = ["release", "reopen_ledger", "request_analysis", "set_standing", "sign", "sign_rows"]


@page(APPROVE, methods=("POST",))
@reauthenticated
def sign(request: PersonRequest, study: str, hash_: str) -> HttpResponse:
    """Ask for this site's signature over a protocol; a second person gives it."""
    _try(
        request,
        lambda: services.ask_to_sign(hash_, actor=request.user, now=utcnow()),
        done=_("The protocol is signed, and the signature is on its way to the other sites."),
    )
    return redirect("research:study", study)


@page(HOLD, methods=("POST",))
@reauthenticated
def sign_rows(request: PersonRequest, study: str, hash_: str) -> HttpResponse:
    """Sign the report on frozen rows."""
    _try(
        request,
        lambda: services.sign_snapshot(snapshot=hash_, actor=request.user, now=utcnow()),
        done=_("Signed. Analyses run on these rows from here on; the other sites learn their hash alone."),
    )
    return redirect("research:rows", study)


@page(REQUEST, methods=("POST",))
def request_analysis(request: PersonRequest, study: str, analysis: str) -> HttpResponse:
    """Ask every site for an analysis of the plan."""
    _try(
        request,
        lambda: services.request_run(study=study, analysis=analysis, actor=request.user, now=utcnow()),
        done=_("Asked for. Each site answers by itself; this page shows how far it is."),
    )
    return redirect("research:study", study)


@page(RELEASE, methods=("POST",))
@reauthenticated
def release(request: PersonRequest, study: str, run: uuid.UUID, number: int) -> HttpResponse:
    """Ask that this site's answer of a round leaves; a second person allows it."""
    _try(
        request,
        lambda: services.ask_to_release(run, number=number, actor=request.user, now=utcnow()),
        done=_("The answer is on its way to the other sites."),
    )
    return redirect("research:result", study, run)


@page(PAUSE, methods=("POST",))
@reauthenticated
def set_standing(request: PersonRequest, study: str) -> HttpResponse:
    """Pause, resume, leave or close this site's part of a study."""
    view = find_study_or_404(request, study)
    own = next((site.standing for site in view.sites if site.is_own), "")
    form = StandingForm(request.POST, choices=standing_choices(own))
    if not form.is_valid():
        context = study_context(request, view, standing_form=form)
        return render(request, "research/study.html", context, status=400)
    _try(
        request,
        lambda: services.set_standing(study=study, **form.cleaned_data, actor=request.user, now=utcnow()),
        done=_("Said. The other sites are told, with the reason."),
    )
    return redirect("research:study", study)


@page(RELEASE, methods=("POST",))
@reauthenticated
def reopen_ledger(request: PersonRequest, study: str) -> HttpResponse:
    """Ask that the answers which the ledger lost are brought back; a second person allows it."""
    view, form = find_study_or_404(request, study), ReopeningForm(request.POST)
    if not form.is_valid():
        return render(request, "research/ledger.html", ledger_context(request, view, form=form), status=400)
    _try(
        request,
        lambda: services.ask_to_reopen(**form.cleaned_data, actor=request.user, now=utcnow()),
        done=_("What could be brought back counts again; this page says what could not."),
    )
    return redirect("research:ledger", study)


def _try(request: PersonRequest, act: Callable[[], object], *, done: str) -> None:
    try:
        outcome = act()
    except UserFault as fault:
        messages.error(request, fault_text(fault))
        return
    if isinstance(outcome, Outcome) and not outcome.done:
        told = _("Asked for. Request %(number)d waits for the yes of a second person.")
        messages.success(request, told % {"number": outcome.request_id})
        return
    messages.success(request, done)
