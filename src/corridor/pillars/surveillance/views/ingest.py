"""Taking a file in: upload, preview, commit; and what was taken in so far."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.roles import may
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.base.reference import places
from corridor.base.textfiles import read_table
from corridor.exchange import queries as exchange
from corridor.pillars.surveillance import queries, tasks
from corridor.pillars.surveillance.forms import ColumnsForm, UploadForm
from corridor.pillars.surveillance.tables import Mapping, override
from corridor.pillars.surveillance.texts import (
    EFFECTS,
    FIELDS,
    IMPORT_STATUSES,
    KINDS,
    REASONS,
    class_text,
    disease_name,
    named,
    place_text,
)
from corridor.pillars.surveillance.views import uploads
from corridor.web.exports import download, rows_as_csv
from corridor.web.shell import is_simulated
from corridor.web.tables import Cell, Column, Kind, Table

INGEST = "surveillance.ingest"
SHOWN_REJECTS = 50
SHOWN_IMPORTS = 50
MOST_UNPACKED = 256 * 1024 * 1024


@page(INGEST, methods=("GET", "POST"))
def ingest(request: PersonRequest) -> HttpResponse:
    """Take a file, look at what it holds before anything is written, and list what was taken in."""
    now = utcnow()
    uploads.sweep(now=now)
    own = exchange.own_node()
    form = UploadForm(
        request.POST or None,
        request.FILES or None,
        countries=[(place.code, place_text(place.code)) for place in places() if place.level == "country"],
        initial={
            "kind": "line-list",
            "country": own.country if own else "",
            "basis": "report",
            "simulated": is_simulated(),
        },
    )
    if request.method == "POST" and form.is_valid():
        token = _kept(request, form)
        if token:
            return redirect("surveillance:upload", token)
    sources = queries.sources(actor=request.user)
    context = {
        "form": form,
        "sources": [source.name for source in sources],
        "imports": _imports(request),
        "last": next((source.last for source in sources if source.last), None),
    }
    return render(request, "surveillance/ingest.html", context, status=400 if form.errors else 200)


@page(INGEST, methods=("GET", "POST"))
def upload(request: PersonRequest, token: str) -> HttpResponse:
    """Show what taking a file in would do; other columns may be named."""
    try:
        kept = uploads.open_upload(token, person_id=request.user.pk)
    except uploads.NoSuchUpload:
        messages.warning(request, _("This file is no longer kept. Upload it again."))
        return redirect("surveillance:ingest")
    headings = _headings(kept)
    read, fault = _read(kept, kept.read_by)
    chosen = dict(read.mapping.columns if read else kept.read_by.columns)
    form = ColumnsForm(request.POST or None, fields=_labels(kept.kind), headings=headings, chosen=chosen)
    if request.method == "POST" and form.is_valid():
        columns = {name: heading for name, heading in form.cleaned_data.items() if heading}
        uploads.remap(kept, _with_columns(kept, columns))
        return redirect("surveillance:upload", token)
    return render(request, "surveillance/upload.html", _preview(request, kept, read, fault, form))


@page(INGEST, methods=("POST",))
def commit(request: PersonRequest, token: str) -> HttpResponse:
    """Take the file in as it was previewed."""
    try:
        kept = uploads.open_upload(token, person_id=request.user.pk)
        read, fault = _read(kept, kept.read_by)
        if read is None:
            messages.error(request, fault)
            return redirect("surveillance:upload", token)
        taken = tasks.take_in(
            read,
            source=kept.source,
            as_of=kept.as_of_at,
            actor=request.user,
            now=utcnow(),
            restart="restart" in request.POST,
        )
    except UserFault as refused:
        messages.error(request, str(refused))
        return redirect("surveillance:ingest")
    if taken.import_id is not None and taken.reasons:
        uploads.keep_rejects(_rejects_csv(read), import_id=taken.import_id)
    uploads.forget(token)
    messages.success(request, _taken_text(taken))
    return redirect("surveillance:ingest")


@page(INGEST, methods=("POST",))
def discard(request: PersonRequest, token: str) -> HttpResponse:
    """Delete an uploaded file without taking it in."""
    try:
        uploads.forget(uploads.open_upload(token, person_id=request.user.pk).token)
        messages.info(request, _("The file was deleted; nothing was taken in."))
    except uploads.NoSuchUpload:
        messages.info(request, _("This file is no longer kept."))
    return redirect("surveillance:ingest")


@page(INGEST)
def upload_rejects(request: PersonRequest, token: str) -> HttpResponse:
    """Give what cannot be read of an uploaded file as CSV."""
    try:
        kept = uploads.open_upload(token, person_id=request.user.pk)
    except uploads.NoSuchUpload as gone:
        raise Http404 from gone
    read, _fault = _read(kept, kept.read_by)
    if read is None:
        raise Http404
    return download(_rejects_csv(read), name=f"rejects-{kept.name}")


@page(INGEST)
def import_rejects(request: PersonRequest, import_id: int) -> HttpResponse:
    """Give what could not be read when a file was taken in, as CSV."""
    del request
    kept = uploads.rejects_of(import_id)
    if kept is None:
        raise Http404
    return download(kept, name=f"rejects-{import_id}")


def _kept(request: PersonRequest, form: UploadForm) -> str:
    """Keep the uploaded file; if it is no table, say so in the form and return nothing."""
    answers = form.cleaned_data
    try:
        read_table(answers["file"], encoding=answers["encoding"] or None, max_bytes=MOST_UNPACKED)
    except UserFault as fault:
        form.add_error("encoding" if fault.code == "unknown-encoding" else "file", fault_text(fault))
        return ""
    mapping: Mapping = replace(
        answers["base"],
        country=answers["country"] or answers["base"].country,
        day_first=not answers["month_first"] and answers["base"].day_first,
        cumulative=answers["cumulative"] or answers["base"].cumulative,
        corrections=answers["corrections"] or answers["base"].corrections,
        period=answers["period"] or answers["base"].period,
        basis=answers["basis"] or answers["base"].basis,
        simulated=answers["simulated"] or answers["base"].simulated,
    )
    return uploads.keep(
        answers["file"],
        person_id=request.user.pk,
        name=str(getattr(request.FILES["file"], "name", ""))[:200],
        kind=answers["kind"],
        source=answers["source"].strip(),
        encoding=answers["encoding"],
        as_of=uploads.moment_of(answers["as_of_on"], now=utcnow()),
        mapping=mapping,
    )


def _headings(kept: uploads.Upload) -> list[str]:
    return list(read_table(kept.data, encoding=kept.encoding or None, max_bytes=MOST_UNPACKED).columns)


def _read(kept: uploads.Upload, mapping: Mapping) -> tuple[tasks.ReadFile | None, str]:
    """Return the file as it is read now, or None and why it cannot be."""
    try:
        read = tasks.read_file(
            kept.data,
            name=kept.name,
            kind=kept.kind,
            mapping=mapping,
            as_of=kept.as_of_at,
            encoding=kept.encoding or None,
        )
    except UserFault as fault:
        return None, fault_text(fault)
    return read, ""


def _with_columns(kept: uploads.Upload, columns: dict[str, str]) -> Mapping:
    """Return the mapping with these columns; a field left empty is guessed from its usual headings."""
    fields = tasks.FIELDS[kept.kind]
    base = replace(kept.read_by, columns={})
    return override(base, columns=columns, fields=fields)


def _labels(kind: str) -> list[tuple[str, str]]:
    return [(name, named(FIELDS, name)) for name in tasks.FIELDS[kind]]


def _preview(
    request: PersonRequest, kept: uploads.Upload, read: tasks.ReadFile | None, fault: str, form: ColumnsForm
) -> dict[str, Any]:
    context: dict[str, Any] = {"upload": kept, "fault": fault, "form": form, "kind": named(KINDS, kept.kind)}
    if read is None:
        return context
    running = queries.running_import(source=kept.source, actor=request.user)
    return context | {
        "would": tasks.preview(read, source=kept.source, actor=request.user),
        "reasons": [(number, named(REASONS, reason)) for reason, number in read.outcome.reasons().items()],
        "rejects": _rejects_table(read),
        "rejects_left": max(0, read.outcome.rejects.height - SHOWN_REJECTS),
        "sample": _sample(read),
        "columns": [(named(FIELDS, name), heading) for name, heading in read.mapping.columns.items()],
        "simulated": read.mapping.simulated,
        "running": running,
    }


def _rejects_table(read: tasks.ReadFile) -> Table:
    return Table(
        caption=_("What cannot be read"),
        columns=[
            Column("row", _("Row"), kind="number"),
            Column("column", _("Column"), foreign=True),
            Column("reason", _("Why")),
            Column("effect", _("Effect")),
        ],
        rows=[
            [row["row"], row["column"], named(REASONS, row["reason"]), named(EFFECTS, row["effect"])]
            for row in read.outcome.rejects.head(SHOWN_REJECTS).iter_rows(named=True)
        ],
        quiet_caption=True,
    )


def _sample(read: tasks.ReadFile) -> Table:
    """Return the first kept rows by disease, place and dates: enough to see whether the columns are right."""
    kept = read.outcome.kept.head(5)
    names = [
        name
        for name in ("disease", "place", "start_on", "observed", "onset_on", "report_on", "classification")
        if name in kept.columns
    ]
    kinds: dict[str, Kind] = {"start_on": "day", "onset_on": "day", "report_on": "day", "observed": "number"}
    writers = {"disease": disease_name, "place": place_text, "classification": class_text}
    labels = {"start_on": _("Period from"), **{name: named(FIELDS, name) for name in names if name in FIELDS}}
    return Table(
        caption=_("The first rows as they are understood"),
        columns=[
            Column("row", _("Row"), kind="number"),
            *(Column(name, labels[name], kind=kinds.get(name, "text")) for name in names),
        ],
        rows=[
            [row["row"], *(writers[name](row[name]) if name in writers else row[name] for name in names)]
            for row in kept.iter_rows(named=True)
        ],
        quiet_caption=True,
    )


def _rejects_csv(read: tasks.ReadFile) -> bytes:
    rejects = read.outcome.rejects
    return rows_as_csv(rejects.columns, rejects.iter_rows())


def _taken_text(taken: tasks.Taken) -> str:
    if taken.is_repeat:
        return _("This very file was taken in before, as import %(number)d; nothing changed.") % {
            "number": taken.import_id
        }
    told = _("Import %(number)d: %(added)d rows added, %(corrected)d corrected, %(unchanged)d unchanged.") % {
        "number": taken.import_id,
        "added": taken.added,
        "corrected": taken.corrected,
        "unchanged": taken.unchanged,
    }
    if taken.rejected:
        told += " " + ngettext("%(count)d row was left out.", "%(count)d rows were left out.", taken.rejected) % {
            "count": taken.rejected
        }
    return told


def _imports(request: PersonRequest) -> Table:
    rows = []
    for each in queries.imports(actor=request.user, limit=SHOWN_IMPORTS):
        url = reverse("surveillance:import-rejects", args=[each.id]) if each.rejected else ""
        has_file = bool(url) and may(request.user, INGEST) and uploads.rejects_of(each.id) is not None
        rows.append(
            [
                each.source,
                each.file_name,
                Cell(named(IMPORT_STATUSES, each.status), tone="plain" if each.status == "complete" else "solid"),
                each.started_at,
                each.actor,
                each.rows,
                each.added,
                each.corrected,
                Cell(each.rejected, url=url if has_file else ""),
            ]
        )
    return Table(
        caption=_("Files taken in, newest first"),
        columns=[
            Column("source", _("Source"), foreign=True),
            Column("file", _("File"), foreign=True),
            Column("status", _("Status"), kind="badge"),
            Column("started", _("When"), kind="moment"),
            Column("actor", _("Who"), foreign=True),
            Column("rows", _("Rows"), kind="number"),
            Column("added", _("Added"), kind="number"),
            Column("corrected", _("Corrected"), kind="number"),
            Column("rejected", _("Left out"), kind="number"),
        ],
        rows=rows,
        quiet_caption=True,
        empty=_("No file has been taken in yet."),
    )
