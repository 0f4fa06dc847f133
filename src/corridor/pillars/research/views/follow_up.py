"""Who of this site's patients is due by a schedule; their registration, and adherence frozen for a study."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from corridor.accounts.access import PersonRequest, page, reauthenticated
from corridor.accounts.roles import may
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.pillars.research import queries, services
from corridor.pillars.research.forms import DueForm, FreezeForm, PatientsForm
from corridor.pillars.research.queries import CareView, StudyView, Worklist
from corridor.pillars.research.rules.care import Adherence, CareKind, Expectation, Schedule, Standing, kept_names
from corridor.pillars.research.rules.disclosure import Policy
from corridor.pillars.research.services.data import HOLD
from corridor.pillars.research.texts import GUARDS, ITEM_KINDS, VISIT_STANDINGS
from corridor.pillars.research.views.care import find_document_or_404
from corridor.pillars.research.views.words import in_words, plain
from corridor.web.exports import csv_response
from corridor.web.tables import Cell, Column, Table

__all__ = ["due", "due_csv", "freeze", "register"]

SEE_PATIENTS = "research.see_patients"
SHOWN = 200
_TONES = {Standing.OVERDUE: "alarm", Standing.DUE: "accent"}


@page(SEE_PATIENTS)
def due(request: PersonRequest, hash_: str) -> HttpResponse:
    """Show who is overdue and who is due, for those who call patients in."""
    view = find_document_or_404(request, hash_, kind=CareKind.SCHEDULE)
    return render(request, "research/due.html", _context(request, view))


@page(SEE_PATIENTS)
def due_csv(request: PersonRequest, hash_: str) -> HttpResponse:
    """Return the due list as CSV; it names patients by their pseudonyms and stays at the site."""
    view = find_document_or_404(request, hash_, kind=CareKind.SCHEDULE)
    form = _form(request, _schedule(view))
    found = _worklist(request, view, form)
    if found is None:
        raise Http404
    wanted = _wanted(found, form)
    return csv_response(
        _due_table(found, wanted), name=f"due-{found.on.isoformat()}", simulated=found.view.is_simulated
    )


@page(HOLD, methods=("POST",))
@reauthenticated
def register(request: PersonRequest, hash_: str) -> HttpResponse:
    """Register this site's patients for a schedule."""
    view = find_document_or_404(request, hash_, kind=CareKind.SCHEDULE)
    form = PatientsForm(request.POST, request.FILES, items=list(_schedule(view).item_codes))
    if form.is_valid():
        source, frame = form.cleaned_data["table"]
        try:
            services.register_patients(
                schedule=view.document.hash, source=source, frame=frame, actor=request.user, now=utcnow()
            )
        except UserFault as fault:
            form.add_error("table", fault_text(fault))
        else:
            messages.success(request, _("Registered. The table stays here, encrypted; nothing of it crosses."))
            return redirect("research:due", view.document.hash)
    return render(request, "research/due.html", _context(request, view, patients_form=form), status=400)


@page(HOLD, methods=("POST",))
@reauthenticated
def freeze(request: PersonRequest, hash_: str) -> HttpResponse:
    """Freeze how the registered patients kept a schedule as this site's rows of a study."""
    view = find_document_or_404(request, hash_, kind=CareKind.SCHEDULE)
    form = FreezeForm(request.POST, studies=_studies(request, _schedule(view)))
    if form.is_valid():
        try:
            services.freeze_adherence(
                study=form.cleaned_data["study"],
                schedule=view.document.hash,
                on=form.cleaned_data["on"],
                actor=request.user,
                now=utcnow(),
            )
        except UserFault as fault:
            form.add_error(None, fault_text(fault))
        else:
            messages.success(request, _("Frozen. Look at the report and sign it."))
            return redirect("research:rows", form.cleaned_data["study"])
    return render(request, "research/due.html", _context(request, view, freeze_form=form), status=400)


def _context(
    request: PersonRequest,
    view: CareView,
    *,
    patients_form: PatientsForm | None = None,
    freeze_form: FreezeForm | None = None,
) -> dict[str, Any]:
    schedule = _schedule(view)
    form = _form(request, schedule)
    found = _worklist(request, view, form)
    wanted = _wanted(found, form) if found else []
    holds = may(request.user, HOLD)
    studies = _studies(request, schedule) if holds and found else []
    today = utcnow().date()
    return {
        "view": view,
        "title": in_words(view.document.title),
        "form": form,
        "found": found,
        "answer": _answer(found, wanted) if found else "",
        "due": _due_table(found, wanted[:SHOWN]) if found else None,
        "left_out": max(len(wanted) - SHOWN, 0),
        "figures": _figures_table(found) if found else None,
        "smallest": Policy().smallest_cell,
        "query": request.GET.urlencode(),
        "patients_form": (patients_form or PatientsForm(items=list(schedule.item_codes))) if holds else None,
        "freeze_form": (freeze_form or FreezeForm(studies=studies, initial={"on": today})) if studies else None,
    }


def _schedule(view: CareView) -> Schedule:
    if view.document.schedule is None:
        raise Http404
    return view.document.schedule


def _form(request: PersonRequest, schedule: Schedule) -> DueForm:
    groups = [(group.code, group.title) for group in schedule.groups]
    data = request.GET if request.method == "GET" and request.GET else None
    form = DueForm(data, groups=groups, initial={"on": utcnow().date(), "ahead": 0})
    form.is_valid()
    return form


def _asked(form: DueForm, name: str) -> Any:
    return form.cleaned_data.get(name) if form.is_bound else None


def _worklist(request: PersonRequest, view: CareView, form: DueForm) -> Worklist | None:
    on: date = _asked(form, "on") or utcnow().date()
    try:
        return queries.worklist(view.document.hash, on=on, ahead_days=_asked(form, "ahead") or 0, actor=request.user)
    except queries.NoPatients:
        return None


def _wanted(found: Worklist, form: DueForm) -> list[Expectation]:
    group, standing = _asked(form, "group"), _asked(form, "standing")
    return [
        each for each in found.due if (not group or each.group == group) and (not standing or each.standing == standing)
    ]


def _studies(request: PersonRequest, schedule: Schedule) -> list[tuple[str, str]]:
    """Return the studies whose protocol asks how this schedule is kept."""
    needed = set(kept_names(schedule).values())
    return [
        (each.name, in_words(each.protocol.title)) for each in queries.studies(request.user) if needed <= _names(each)
    ]


def _names(study: StudyView) -> set[str]:
    return {variable.name for variable in study.protocol.variables}


def _answer(found: Worklist, wanted: list[Expectation]) -> str:
    overdue = sum(each.standing is Standing.OVERDUE for each in wanted)
    due_now = sum(each.standing is Standing.DUE for each in wanted)
    patients = len({each.person for each in wanted if each.standing is Standing.OVERDUE})
    if not overdue and not due_now:
        return _("Nobody is overdue, and nothing is due.")
    told = []
    if overdue:
        text = ngettext("%(count)s visit is overdue.", "%(count)s visits are overdue.", overdue)
        told.append(text % {"count": plain(overdue, 0)})
        text = ngettext("They are of %(count)s patient.", "They are of %(count)s patients.", patients)
        told.append(text % {"count": plain(patients, 0)})
    text = ngettext("%(count)s is due now.", "%(count)s are due now.", due_now)
    return " ".join([*told, text % {"count": plain(due_now, 0)}])


def _due_table(found: Worklist, wanted: list[Expectation]) -> Table:
    titles = {group.code: group.title for group in found.schedule.groups}
    return Table(
        caption=_("Who is due, the longest overdue first"),
        quiet_caption=True,
        empty=_("Nobody is overdue, and nothing is due."),
        columns=[
            Column("person", _("Patient"), foreign=True),
            Column("risk_group", _("Risk group"), foreign=True),
            Column("item", _("What"), foreign=True),
            Column("kind", _("Kind")),
            Column("standing", _("Standing"), kind="badge"),
            Column("due_on", _("Due on"), kind="day"),
            Column("to_on", _("On time until"), kind="day"),
            Column("days_late", _("Days late"), kind="number"),
            Column("last_on", _("Last done"), kind="day"),
        ],
        rows=[
            [
                each.person,
                titles[each.group],
                each.item.title,
                ITEM_KINDS[each.item.kind.value],
                Cell(VISIT_STANDINGS[each.standing.value], tone=_TONES.get(each.standing, "plain")),
                each.due_on,
                each.to_on,
                each.days_late(found.on),
                each.last_on,
            ]
            for each in wanted
        ],
    )


def _figures_table(found: Worklist) -> Table:
    groups = {group.code: group for group in found.schedule.groups}
    return Table(
        caption=_("Patients by how they kept the schedule"),
        quiet_caption=True,
        columns=[
            Column("risk_group", _("Risk group"), foreign=True),
            Column("item", _("What"), foreign=True),
            Column("persons", _("Patients"), kind="number"),
            Column("all_on_time", _("Always on time"), kind="number"),
            Column("some_on_time", _("Sometimes"), kind="number"),
            Column("none_on_time", _("Never"), kind="number"),
            Column("share", _("Share always on time"), kind="percent"),
        ],
        rows=[
            [
                groups[each.group].title,
                next(item.title for item in groups[each.group].items if item.code == each.item),
                *(
                    _count(each, number)
                    for number in (each.persons, each.all_on_time, each.some_on_time, each.none_on_time)
                ),
                _share(each),
            ]
            for each in found.figures
        ],
    )


def _count(figure: Adherence, number: int | None) -> Cell:
    if number is not None:
        return Cell(number)
    return Cell(None, state="withheld", note=str(GUARDS.get(figure.withheld, figure.withheld)))


def _share(figure: Adherence) -> Cell:
    share = figure.share_all_on_time
    if share is None and figure.withheld:
        return _count(figure, None)
    return Cell(share, state="missing" if share is None else "")
