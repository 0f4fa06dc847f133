"""Treatment protocols and follow-up schedules of both sides: the list, one of them, and publishing one."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, is_reauthenticated, page, to_page
from corridor.accounts.roles import may
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.pillars.research import queries, services
from corridor.pillars.research.forms import CompareForm, PublishForm
from corridor.pillars.research.queries import CareView
from corridor.pillars.research.rules.care import CareKind, draft_care_document
from corridor.pillars.research.services.care import PUBLISH
from corridor.pillars.research.texts import CARE_KINDS, SCHEDULE_STATUSES
from corridor.pillars.research.views.care_tables import schedule_tables, treatment_tables
from corridor.pillars.research.views.words import in_words
from corridor.web.tables import Cell, Column, Table

__all__ = [
    "SEE_CARE",
    "document",
    "document_json",
    "documents",
    "find_document_or_404",
    "side_text",
    "treatment_choices",
]

SEE_CARE, SEE_PATIENTS = "research.see_care", "research.see_patients"


@page(SEE_CARE, methods=("GET", "POST"))
def documents(request: PersonRequest) -> HttpResponseBase:
    """List what both sides do, let two protocols be compared, and publish one of this site."""
    found = queries.care_documents(request.user)
    form = None
    if may(request.user, PUBLISH):
        agreements = _agreements(request)
        form = PublishForm(request.POST or None, request.FILES or None, agreements=agreements) if agreements else None
    if request.method == "POST":
        if form is None:
            messages.error(request, _("No agreement in force opens the sharing of these documents."))
            return redirect("research:care")
        if not is_reauthenticated(request):
            return to_page(request, "accounts:reauthenticate")
        if form.is_valid() and _published(request, form):
            return redirect("research:care")
    treatments = [each for each in found if each.document.kind is CareKind.TREATMENT]
    context = {
        "treatments": _listed(treatments),
        "schedules": _listed([each for each in found if each.document.kind is CareKind.SCHEDULE]),
        "sides": sorted({each.node for each in treatments}),
        "compare_form": CompareForm(treatments=treatment_choices(treatments), initial=_most_telling(treatments))
        if len(treatments) > 1
        else None,
        "form": form,
        "may_publish": may(request.user, PUBLISH),
    }
    return render(request, "research/care.html", context, status=400 if form is not None and form.errors else 200)


@page(SEE_CARE)
def document(request: PersonRequest, hash_: str) -> HttpResponse:
    """Show one treatment protocol or follow-up schedule, with its sources and its other versions."""
    view = find_document_or_404(request, hash_)
    same = [
        each
        for each in queries.care_documents(request.user, kind=view.document.kind)
        if (each.node, each.document.name) == (view.node, view.document.name)
    ]
    schedule = view.document.schedule
    context = {
        "view": view,
        "title": in_words(view.document.title),
        "kind": CARE_KINDS[view.document.kind.value],
        "status": SCHEDULE_STATUSES[schedule.status.value] if schedule else "",
        "tables": schedule_tables(schedule) if schedule else treatment_tables(view.document.treatment),
        "versions": _listed(same),
        "may_see_patients": schedule is not None and may(request.user, SEE_PATIENTS),
        "before": next((each.document.hash for each in same if each.recorded_at < view.recorded_at), None)
        if schedule is None
        else None,
    }
    return render(request, "research/care_document.html", context)


@page(SEE_CARE)
def document_json(request: PersonRequest, hash_: str) -> HttpResponse:
    """Return the document as it was shared: canonical JSON, of a schedule a FHIR R4 PlanDefinition."""
    view = find_document_or_404(request, hash_)
    kind = "application/fhir+json" if view.document.schedule else "application/json"
    name = f"{view.document.kind.value}-{view.document.hash[:12]}.json"
    return HttpResponse(
        view.content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def find_document_or_404(request: PersonRequest, hash_: str, *, kind: CareKind | None = None) -> CareView:
    """Return a document of care, or answer that there is no such page."""
    try:
        return queries.find_care_document(hash_, actor=request.user, kind=kind)
    except queries.UnknownCareDocument as fault:
        raise Http404 from fault


def _published(request: PersonRequest, form: PublishForm) -> bool:
    try:
        kind, content = draft_care_document(form.cleaned_data["file"])
        services.publish_document(
            kind, content, agreement=form.cleaned_data["agreement"], actor=request.user, now=utcnow()
        )
    except UserFault as fault:
        form.add_error("file", fault_text(fault))
        return False
    messages.success(request, _("Published, and on its way to the partners of the agreement."))
    return True


def _agreements(request: PersonRequest) -> list[tuple[str, str]]:
    found = queries.care_channels(actor=request.user, now=utcnow())
    return list({view.agreement: f"{view.title} ({', '.join(view.partners)})" for view in found}.items())


def treatment_choices(treatments: list[CareView]) -> list[tuple[str, str]]:
    """Return protocols to choose from; whose they are stands first, where a narrow field still shows it."""
    return [
        (each.document.hash, f"{side_text(each)} · {_version(each)} · {in_words(each.document.title)}")
        for each in treatments
    ]


def _most_telling(treatments: list[CareView]) -> dict[str, str]:
    """Return the pair that is offered first: the latest of this site and of a partner for the same disease."""
    own = [each for each in treatments if each.is_own and each.is_latest]
    for each in own:
        for other in treatments:
            if other.is_latest and not other.is_own and other.document.disease[:3] == each.document.disease[:3]:
                return {"left": each.document.hash, "right": other.document.hash}
    first, second = treatments[0], treatments[1]
    return {"left": second.document.hash, "right": first.document.hash}


def _listed(found: list[CareView]) -> Table:
    return Table(
        caption=_("Documents, by what they are about"),
        quiet_caption=True,
        columns=[
            Column("title", _("Title"), foreign=True),
            Column("side", _("Whose"), foreign=True),
            Column("version", _("Version"), foreign=True),
            Column("dated_on", _("Dated"), kind="day"),
            Column("standing", _("Standing"), kind="badge"),
            Column("recorded_at", _("Here since"), kind="moment"),
        ],
        rows=[
            [
                Cell(in_words(each.document.title), url=reverse("research:care-document", args=[each.document.hash])),
                side_text(each),
                each.document.version,
                each.document.dated_on,
                Cell(_("latest"), tone="accent") if each.is_latest else Cell(_("earlier")),
                each.recorded_at,
            ]
            for each in found
        ],
    )


def side_text(view: CareView) -> str:
    """Return whose a document is."""
    treatment = view.document.treatment
    if treatment is not None:
        return f"{treatment.document['side']['institution']} ({view.node})"
    return view.node


def _version(view: CareView) -> str:
    return _("version %(version)s") % {"version": view.document.version}
