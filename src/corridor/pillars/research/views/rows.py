"""The rows of this site: a table uploaded and looked at before anything is kept, and the report on frozen ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.base.textfiles import read_table
from corridor.pillars.research import queries, services
from corridor.pillars.research.forms import MappingForm, MappingTextForm, TableForm
from corridor.pillars.research.queries import SnapshotView, StudyView
from corridor.pillars.research.rules.protocol import Protocol, VariableType
from corridor.pillars.research.services.data import HOLD
from corridor.pillars.research.tables import (
    Harmonised,
    SiteMapping,
    harmonise,
    join_events,
    load_site_mapping,
    site_mapping_text,
)
from corridor.pillars.research.texts import CHECKS
from corridor.pillars.research.views.studies import find_study_or_404
from corridor.pillars.research.views.words import code_text, in_words, variable_text
from corridor.web import uploads
from corridor.web.tables import Column, Table

__all__ = ["discard", "freeze", "mapping_file", "rows_page", "upload"]

MOST_UNPACKED = 256 * 1024 * 1024
_NUMBERS = (VariableType.NUMBER, VariableType.WHOLE)
_FLAG_CODES = ("1", "0")


@dataclass(frozen=True)
class _Table:
    """An uploaded table as it is read now.

    Attributes
    ----------
    fault : str
        Why it cannot be read, in the language of the page; empty if it can.
    """

    kept: uploads.KeptFile
    headings: list[str]
    mapping: SiteMapping
    harmonised: Harmonised | None
    fault: str

    @property
    def mapping_text(self) -> str:
        """How columns become variables, as TOML."""
        return str(self.kept.answers["mapping"])


@page(HOLD, methods=("GET", "POST"))
def rows_page(request: PersonRequest, study: str) -> HttpResponse:
    """Show what harmonising this site's table found, for the steward who signs it, and take another table."""
    now = utcnow()
    uploads.sweep(now=now)
    view = find_study_or_404(request, study)
    form = TableForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        token = _kept(request, view, form)
        if token:
            return redirect("research:upload", study, token)
    found = queries.snapshots(study, actor=request.user)
    context = {
        "view": view,
        "title": in_words(view.protocol.title),
        "form": form,
        "reports": [_frozen(view.protocol, each) for each in found],
    }
    return render(request, "research/rows.html", context, status=400 if form.errors else 200)


@page(HOLD, methods=("GET", "POST"))
def upload(request: PersonRequest, study: str, token: str) -> HttpResponse:
    """Show what harmonising an uploaded table finds, before anything is kept; the mapping may be changed."""
    view = find_study_or_404(request, study)
    try:
        table = _opened(request, view, token)
    except uploads.NoSuchUpload:
        messages.warning(request, _("This file is no longer kept. Upload it again."))
        return redirect("research:rows", study)
    is_text = "mapping" in request.POST
    by_columns = _mapping_form(view.protocol, table, None if is_text else request.POST or None)
    by_text = MappingTextForm(request.POST if is_text else None, initial={"mapping": table.mapping_text})
    text = None
    if by_columns.is_bound and by_columns.is_valid():
        text = site_mapping_text(by_columns.changed(table.mapping))
    if by_text.is_bound and by_text.is_valid():
        text = _checked(by_text, view.protocol)
    if text is not None:
        uploads.describe(replace(table.kept, answers={**table.kept.answers, "mapping": text}))
        return redirect("research:upload", study, token)
    context = {
        "view": view,
        "title": in_words(view.protocol.title),
        "upload": table.kept,
        "fault": table.fault,
        "form": by_columns,
        "text_form": by_text,
        "report": _reported(view.protocol, asdict(table.harmonised.report)) if table.harmonised else None,
    }
    return render(request, "research/upload.html", context, status=400 if by_columns.errors or by_text.errors else 200)


@page(HOLD, methods=("POST",))
def freeze(request: PersonRequest, study: str, token: str) -> HttpResponse:
    """Freeze an uploaded table as it was looked at; the report is signed on the page of the rows."""
    view = find_study_or_404(request, study)
    try:
        table = _opened(request, view, token)
        if table.harmonised is None:
            messages.error(request, table.fault)
            return redirect("research:upload", study, token)
        services.freeze_rows(
            study=study,
            harmonised=table.harmonised,
            source=table.kept.name,
            mapping=table.mapping_text,
            actor=request.user,
            now=utcnow(),
        )
    except UserFault as fault:
        messages.error(request, fault_text(fault))
        return redirect("research:rows", study)
    uploads.forget(token)
    messages.success(request, _("Frozen. Analyses run on these rows once their report is signed."))
    return redirect("research:rows", study)


@page(HOLD, methods=("POST",))
def discard(request: PersonRequest, study: str, token: str) -> HttpResponse:
    """Delete an uploaded table without freezing its rows."""
    try:
        uploads.forget(_open(request, study, token).token)
        messages.info(request, _("The table was deleted; nothing of it was kept."))
    except uploads.NoSuchUpload:
        messages.info(request, _("This file is no longer kept."))
    return redirect("research:rows", study)


@page(HOLD)
def mapping_file(request: PersonRequest, study: str, token: str) -> HttpResponse:
    """Return the mapping as a file, for the command or for the next table."""
    try:
        text = str(_open(request, study, token).answers["mapping"])
    except uploads.NoSuchUpload:
        messages.warning(request, _("This file is no longer kept. Upload it again."))
        return redirect("research:rows", study)
    return HttpResponse(
        text,
        content_type="application/toml; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="mapping.toml"'},
    )


def _open(request: PersonRequest, study: str, token: str) -> uploads.KeptFile:
    return uploads.open_file(token, person_id=request.user.pk, purpose=_purpose(study))


def _purpose(study: str) -> str:
    return f"research:{study}"


def _kept(request: PersonRequest, view: StudyView, form: TableForm) -> str:
    """Keep the uploaded table; if it or its mapping cannot be read, say so in the form and return nothing."""
    data, mapping = form.cleaned_data["file"], form.cleaned_data["mapping"]
    for name, read in (
        ("file", lambda: read_table(data, max_bytes=MOST_UNPACKED)),
        ("mapping", lambda: _loaded(mapping, view.protocol)),
    ):
        try:
            read()
        except UserFault as fault:
            form.add_error(name, fault_text(fault))
    if form.errors:
        return ""
    name = str(getattr(request.FILES["file"], "name", ""))[:200]
    kept = uploads.keep(
        data, person_id=request.user.pk, purpose=_purpose(view.name), name=name, answers={"mapping": mapping}
    )
    return kept.token


def _opened(request: PersonRequest, view: StudyView, token: str) -> _Table:
    kept = _open(request, view.name, token)
    frame, mapping = read_table(kept.data, max_bytes=MOST_UNPACKED), _loaded(kept.answers["mapping"], view.protocol)
    headings = frame.columns
    try:
        headings = join_events(frame).columns
        harmonised = harmonise(frame, protocol=view.protocol, mapping=mapping)
    except UserFault as fault:
        return _Table(kept, headings, mapping, None, fault_text(fault))
    return _Table(kept, headings, mapping, harmonised, "")


def _loaded(text: str, protocol: Protocol) -> SiteMapping:
    return load_site_mapping(text, variables=[each.name for each in protocol.variables])


def _checked(form: MappingTextForm, protocol: Protocol) -> str | None:
    """Return the mapping that was typed; if it has faults, say so in the form and return nothing."""
    text = str(form.cleaned_data["mapping"])
    try:
        _loaded(text, protocol)
    except UserFault as fault:
        form.add_error("mapping", fault_text(fault))
        return None
    return text


def _mapping_form(protocol: Protocol, table: _Table, data: Any) -> MappingForm:
    made = {*table.mapping.constants, *table.mapping.cuts}
    made |= {name for event in table.mapping.first_events for name in (event.time, event.event)}
    unmapped = [
        (each.name, variable_text(protocol, each.name), text, _codes(protocol, each.name))
        for each in (table.harmonised.report.variables if table.harmonised else ())
        for text, _count in each.unmapped
        if each.name not in made
    ]
    return MappingForm(
        data,
        variables=[
            (each.name, variable_text(protocol, each.name), each.type in _NUMBERS)
            for each in protocol.variables
            if each.name not in made
        ],
        headings=table.headings,
        unmapped=unmapped,
        mapping=table.mapping,
    )


def _codes(protocol: Protocol, name: str) -> dict[str, str]:
    variable = protocol.variable(name)
    codes = (variable.codes if variable else None) or _FLAG_CODES
    return {code: code_text(protocol, name, code) for code in codes}


def _frozen(protocol: Protocol, snapshot: SnapshotView) -> dict[str, Any]:
    return {"snapshot": snapshot, **_reported(protocol, snapshot.report)}


def _reported(protocol: Protocol, report: Mapping[str, Any]) -> dict[str, Any]:
    table = Table(
        caption=_("Variables as they were found in the table"),
        quiet_caption=True,
        columns=[
            Column("variable", _("Variable"), foreign=True),
            Column("source", _("From"), foreign=True),
            Column("filled", _("Filled"), kind="number"),
            Column("missing", _("Missing"), kind="number"),
            Column("unreadable", _("Unreadable"), kind="number"),
            Column("out_of_range", _("Out of range"), kind="number"),
            Column("unmapped", _("Without a code"), foreign=True),
            Column("rows", _("First rows to look at"), foreign=True),
        ],
        rows=[
            [
                variable_text(protocol, each["name"]),
                each["source"],
                each["filled"],
                *(each[name] for name in ("missing", "unreadable", "out_of_range")),
                ", ".join(f"{text} × {count}" for text, count in each["unmapped"]),
                ", ".join(map(str, each.get("first_rows", ()))),
            ]
            for each in report["variables"]
        ],
    )
    checks = [
        {
            "text": CHECKS.get(each["code"], each["code"]),
            "variables": ", ".join(each["variables"]),
            "rows": each["rows"],
        }
        for each in report["checks"]
        if each["rows"]
    ]
    return {
        "table": table,
        "checks": checks,
        "read": report["rows"],
        "kept": report["kept"],
        "persons": report["persons"],
        "unused": sum(
            each["unreadable"] + each["out_of_range"] + sum(count for _text, count in each["unmapped"])
            for each in report["variables"]
        ),
    }
