"""What was found: one result with what crossed for it, its exports, and the report of a study."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.approvals import isolated
from corridor.accounts.roles import may
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.pillars.research import queries
from corridor.pillars.research.queries import Crossed, RunView, StudyView
from corridor.pillars.research.services.runs import RELEASE
from corridor.pillars.research.texts import ENDINGS, GUARDS, KINDS, PRECISIONS, STANDINGS, STATES, WARNINGS
from corridor.pillars.research.views.methods import methods_text
from corridor.pillars.research.views.printed import printed_report
from corridor.pillars.research.views.results import show_result
from corridor.pillars.research.views.studies import TONES, find_study_or_404
from corridor.pillars.research.views.words import in_words, leaves
from corridor.web.cells import language
from corridor.web.exports import csv_response
from corridor.web.pdf import TypefaceMissing, pdf_response
from corridor.web.tables import Cell, Column, Table

__all__ = ["report", "report_pdf", "result", "result_csv", "result_json"]

SEE, CROSSINGS = "research.see_studies", "exchange.see_crossings"


@page(SEE)
def result(request: PersonRequest, study: str, run: uuid.UUID) -> HttpResponse:
    """Show one result, the answer first, and which numbers crossed for it."""
    view = find_study_or_404(request, study)
    found = _run(view, run)
    blocks = queries.crossed(run, actor=request.user)
    waiting = [each.round for each in blocks if not each.released]
    shown = _shown(request, view, found)
    context = shown | {
        "found": shown,
        "view": view,
        "title": in_words(view.protocol.title),
        "crossed": _crossed_table(request, blocks),
        "numbers": sum(each.numbers for each in blocks if each.released),
        "release_round": waiting[0] if waiting and may(request.user, RELEASE) else None,
    }
    return render(request, "research/result.html", context)


@page(SEE)
def result_csv(request: PersonRequest, study: str, run: uuid.UUID) -> HttpResponse:
    """Return every number of a result as CSV, by its name."""
    view = find_study_or_404(request, study)
    found = _run(view, run)
    if found.result is None:
        raise Http404
    table = Table(
        caption=found.analysis,
        columns=[Column("name", _("Name")), Column("value", _("Value"))],
        rows=[["precision", found.result["precision"]], *map(list, leaves(found.result["values"]))],
    )
    return csv_response(table, name=f"{study}-{found.analysis}", simulated=view.protocol.simulated)


@page(SEE)
def result_json(request: PersonRequest, study: str, run: uuid.UUID) -> HttpResponse:
    """Return a run with its result and what crossed as JSON."""
    view = find_study_or_404(request, study)
    document = queries.run_document(view, _run(view, run), queries.crossed(run, actor=request.user))
    return HttpResponse(
        json.dumps(document, ensure_ascii=False, indent=2),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{study}-{document["analysis"]}.json"'},
    )


@page(SEE)
def report(request: PersonRequest, study: str) -> HttpResponse:
    """Show the report of a study: methods from the protocol, results, deviations, and what crossed."""
    return render(request, "research/report.html", reported(request, find_study_or_404(request, study)))


@page(SEE)
def report_pdf(request: PersonRequest, study: str) -> HttpResponse:
    """Return the report of a study as PDF, in the language of the page."""
    view = find_study_or_404(request, study)
    try:
        data = printed_report(reported(request, view), request=request, now=utcnow())
    except TypefaceMissing as fault:
        messages.error(request, fault_text(fault))
        return redirect("research:report", study)
    return pdf_response(data, name=f"{view.name}-{view.protocol.version}-{language()}")


def reported(request: PersonRequest, view: StudyView) -> dict[str, Any]:
    """Return what the report of a study says, on the page and on paper."""
    newest: dict[str, RunView] = {}
    for run in view.runs:
        newest.setdefault(run.analysis, run)
    parts = [_shown(request, view, newest[item.id]) for item in view.protocol.analyses if item.id in newest]
    blocks = [block for run in view.runs for block in queries.crossed(uuid.UUID(run.id), actor=request.user)]
    return {
        "view": view,
        "title": in_words(view.protocol.title),
        "question": in_words(view.protocol.question),
        "methods": methods_text(view.protocol),
        "parts": parts,
        "deviations": _deviations(request, view, newest),
        "crossed": _by_site(view, blocks),
        "numbers": sum(each.numbers for each in blocks if each.released),
    }


def _run(view: StudyView, run: uuid.UUID) -> RunView:
    found = next((each for each in view.runs if each.id == str(run)), None)
    if found is None:
        raise Http404
    return found


def _shown(request: PersonRequest, view: StudyView, run: RunView) -> dict[str, Any]:
    item = view.protocol.analysis(run.analysis)
    shown = None
    if run.result is not None and item is not None:
        shown = show_result(item, view.protocol, run.result["values"], request=request)
    return {
        "run": run,
        "analysis_title": in_words(item.title if item else None) or run.analysis,
        "kind": KINDS.get(item.kind, item.kind) if item else "",
        "state": STATES.get(run.state, run.state),
        "tone": TONES.get(run.state, "plain"),
        "shown": shown,
        "precision": PRECISIONS.get(run.result["precision"], "") if run.result else "",
        "warnings": [WARNINGS.get(each, each) for each in (run.result or {}).get("warnings", ())],
        "ending": ending_text(run),
        "reasons": reasons_told(run),
    }


def ending_text(run: RunView) -> str:
    """Return why a run ended without a result, and what helps; nothing for one that goes on or is done."""
    if run.state not in ("refused", "failed", "disputed"):
        return ""
    told = ENDINGS.get(run.code)
    return str(told) % {"site": isolated(run.at_site)} if told else _("It has no result.")


def reasons_told(run: RunView) -> list[dict[str, Any]]:
    """Return what the end of a run concerns: by guard of disclosure control with what helps, or in the words told."""
    found: dict[str, list[str]] = {}
    for reason in run.reasons:
        guard, colon, subject = reason.partition(": ")
        is_guard = bool(colon) and guard in GUARDS
        if is_guard or reason != run.code:
            found.setdefault(guard if is_guard else "", []).append(subject if is_guard else reason)
    return [{"subjects": subjects, "help": GUARDS.get(guard, "")} for guard, subjects in found.items()]


def _crossed_table(request: PersonRequest, blocks: list[Crossed]) -> Table:
    linked = may(request.user, CROSSINGS)
    return Table(
        caption=_("What crossed, by round and site"),
        quiet_caption=True,
        columns=[
            Column("round", _("Round"), kind="number"),
            Column("site", _("Site"), foreign=True),
            Column("numbers", _("Numbers"), kind="number"),
            Column("lists", _("What they are called"), foreign=True),
            Column("envelope", _("Envelope")),
        ],
        rows=[
            [
                each.round,
                each.site,
                each.numbers,
                ", ".join(each.names),
                _envelope(each, linked=linked),
            ]
            for each in blocks
        ],
    )


def _envelope(block: Crossed, *, linked: bool) -> Cell:
    if not block.released:
        return Cell(_("waits for two persons"))
    if block.crossing is None:
        return Cell(_("not kept any more"))
    url = reverse("exchange:crossing", args=[block.crossing]) if linked else ""
    return Cell(_("envelope and receipt"), url=url)


def _by_site(view: StudyView, blocks: list[Crossed]) -> Table:
    return Table(
        caption=_("What crossed, by site"),
        quiet_caption=True,
        columns=[
            Column("site", _("Site"), foreign=True),
            Column("answers", _("Answers"), kind="number"),
            Column("rows", _("Rows"), kind="number"),
            Column("numbers", _("Numbers"), kind="number"),
        ],
        rows=[
            [
                f"{site.institution} ({site.id})",
                sum(each.site == site.id and each.released for each in blocks),
                0,
                sum(each.numbers for each in blocks if each.site == site.id and each.released),
            ]
            for site in view.sites
        ],
    )


def _deviations(request: PersonRequest, view: StudyView, newest: dict[str, RunView]) -> list[str]:
    """Return in words where the study did not go as the protocol planned."""
    found = []
    for item in view.protocol.analyses:
        run = newest.get(item.id)
        title = in_words(item.title)
        if run is None:
            found.append(_("“%(title)s” was not asked for.") % {"title": title})
        elif run.state != "done":
            told = _("“%(title)s” has no result: %(state)s.")
            words = told % {"title": title, "state": STATES.get(run.state, run.state)}
            found.append(f"{words} {ending_text(run)}".strip())
    for site in view.sites:
        if site.standing != "active":
            told = _("The site %(site)s: %(standing)s. %(reason)s")
            standing = STANDINGS.get(site.standing, site.standing)
            named = {"site": isolated(site.id), "standing": standing, "reason": isolated(site.reason)}
            found.append(told % named)
    for version in queries.study_versions(view.name, actor=request.user):
        if version.protocol.version > 1 and version.locked_at:
            found.append(_("The protocol was amended: version %(version)d.") % {"version": version.protocol.version})
    return found
