"""The symposium of a study: agenda, figures from its results, decisions with owners, joint publications."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.roles import may
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.pillars.research import queries, services
from corridor.pillars.research.forms import EntryForm
from corridor.pillars.research.queries import EntryView, StudyView
from corridor.pillars.research.services.symposium import CONTRIBUTE
from corridor.pillars.research.texts import ENTRY_KINDS, ENTRY_STANDINGS
from corridor.pillars.research.views.results import show_result
from corridor.pillars.research.views.studies import find_study_or_404
from corridor.pillars.research.views.words import in_words
from corridor.web.cells import language
from corridor.web.exports import csv_response
from corridor.web.formats import day_text
from corridor.web.tables import Cell, Column, Table

__all__ = ["change", "space", "space_csv", "space_json"]

SEE = "research.see_studies"


@page(SEE, methods=("GET", "POST"))
def space(request: PersonRequest, study: str) -> HttpResponseBase:
    """Show what the sites bring to a symposium, by year, and add to it."""
    view = find_study_or_404(request, study)
    form = None
    if may(request.user, CONTRIBUTE):
        form = EntryForm(request.POST or None, runs=_runs(view), initial={"year": utcnow().year})
        if request.method == "POST" and form.is_valid() and _added(request, view, form):
            return redirect("research:symposium", study)
    entries = queries.symposium_entries(study, actor=request.user)
    years = sorted({each.year for each in entries}, reverse=True)
    shown = _year(request, years)
    inside = [each for each in entries if each.year == shown]
    context = {
        "view": view,
        "title": in_words(view.protocol.title),
        "years": years,
        "year": shown,
        "open": sum(each.standing == "open" and each.kind == "decision" for each in inside),
        "parts": [
            {"title": title, "entries": found}
            for kind, title in ENTRY_KINDS.items()
            if (found := [_shown(request, view, each) for each in inside if each.kind == kind])
        ],
        "may_contribute": form is not None,
        "form": form,
    }
    return render(request, "research/symposium.html", context, status=400 if form is not None and form.errors else 200)


@page(CONTRIBUTE, methods=("POST",))
def change(request: PersonRequest, study: str, entry: uuid.UUID) -> HttpResponse:
    """Mark an entry of this site as done or open again, or withdraw it."""
    find_study_or_404(request, study)
    standing = request.POST.get("standing", "")
    if standing in ENTRY_STANDINGS:
        try:
            services.change_entry(entry=entry, standing=standing, actor=request.user, now=utcnow())
        except UserFault as fault:
            messages.error(request, fault_text(fault))
        else:
            messages.success(request, _("Said. The other sites are told."))
    return redirect("research:symposium", study)


@page(SEE)
def space_csv(request: PersonRequest, study: str) -> HttpResponse:
    """Return everything that was brought to the symposia of a study as CSV."""
    view = find_study_or_404(request, study)
    shown = [_shown(request, view, each) for each in queries.symposium_entries(study, actor=request.user)]
    table = Table(
        caption=_("Symposium"),
        columns=[
            Column("year", _("Year")),
            Column("kind", _("What it is")),
            Column("text", _("Text"), foreign=True),
            Column("figure", _("Result")),
            Column("owner", _("Who sees to it"), foreign=True),
            Column("day", _("Day")),
            Column("standing", _("Standing")),
            Column("site", _("Site"), foreign=True),
        ],
        rows=[
            [
                each["entry"].year,
                str(ENTRY_KINDS[each["entry"].kind]),
                each["entry"].text,
                each["figure"],
                each["entry"].owner,
                Cell(each["entry"].day.isoformat() if each["entry"].day else ""),
                str(each["standing"]),
                each["site"],
            ]
            for each in shown
        ],
    )
    return csv_response(table, name=f"{study}-symposium", simulated=view.protocol.simulated)


@page(SEE)
def space_json(request: PersonRequest, study: str) -> HttpResponse:
    """Return the symposia of a study as JSON, each figure with its whole result."""
    view = find_study_or_404(request, study)
    document = queries.entries_document(view, queries.symposium_entries(study, actor=request.user))
    return HttpResponse(
        json.dumps(document, ensure_ascii=False, indent=2),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{study}-symposium.json"'},
    )


def _added(request: PersonRequest, view: StudyView, form: EntryForm) -> bool:
    given = dict(form.cleaned_data)
    given["run"] = uuid.UUID(given["run"]) if given["run"] else None
    try:
        services.add_entry(study=view.name, **given, actor=request.user, now=utcnow())
    except UserFault as fault:
        form.add_error(None, fault_text(fault))
        return False
    messages.success(request, _("Added. The other sites are told."))
    return True


def _runs(view: StudyView) -> list[tuple[str, str]]:
    """Return the results to choose from, the newest of each analysis."""
    found: dict[str, tuple[str, str]] = {}
    for run in view.runs:
        if run.state == "done" and run.analysis not in found:
            day = day_text(run.asked_at.date(), language=language(), short=True)
            found[run.analysis] = (run.id, f"{_analysis(view, run.analysis)} · {day}")
    return list(found.values())


def _analysis(view: StudyView, analysis: str) -> str:
    item = view.protocol.analysis(analysis)
    return in_words(item.title if item else None) or analysis


def _year(request: PersonRequest, years: list[int]) -> int:
    asked = request.GET.get("year", "")
    return int(asked) if asked.isdecimal() and int(asked) in years else (years[0] if years else utcnow().year)


def _shown(request: PersonRequest, view: StudyView, entry: EntryView) -> dict[str, Any]:
    site = next((site for site in view.sites if site.node == entry.node), None)
    return {
        "entry": entry,
        "site": site.institution if site else entry.node,
        "figure": _figure(request, view, entry) if entry.run else "",
        "standing": ENTRY_STANDINGS[entry.standing],
        "tone": "accent" if entry.standing == "open" else "plain",
        "next": [("done", _("Mark as done")) if entry.standing == "open" else ("open", _("Open again"))]
        if entry.is_own
        else [],
    }


def _figure(request: PersonRequest, view: StudyView, entry: EntryView) -> str:
    """Return what the result says, as its own page says it: the figure is not written down a second time."""
    run = next((each for each in view.runs if each.id == entry.run), None)
    item = view.protocol.analysis(run.analysis) if run else None
    if run is None or run.result is None or item is None:
        return ""
    shown = show_result(item, view.protocol, run.result["values"], request=request)
    return f"{_analysis(view, run.analysis)}. {shown.answer}"
