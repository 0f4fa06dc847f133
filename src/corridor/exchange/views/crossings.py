"""Crossings: everything that crossed or was refused, and from each row to envelope, receipt and evidence."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.exports import quoted
from corridor.accounts.roles import may
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.base.reference.names import name_in
from corridor.exchange import queries
from corridor.exchange.forms import CrossingFilterForm
from corridor.exchange.queries import CrossingDetail, CrossingView, NoSuchCrossing, keeping, texts
from corridor.exchange.queries import agreements as agreement_queries
from corridor.exchange.rules.canonical import unb64
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.jurisdictions import Jurisdiction
from corridor.exchange.services import claims, deletion, proofs, viewing

SEE = "exchange.see_crossings"
ROWS = 50
EXPORT_ROWS = 10_000

_TONES = {"queued": "accent", "refused": "solid", "undeliverable": "solid"}
_COLUMNS = (
    "id",
    "recorded_at",
    "direction",
    "from_node",
    "to_node",
    "agreement",
    "channel",
    "schema",
    "purpose",
    "data_class",
    "persons",
    "status",
    "reason",
    "envelope_id",
    "token_hash",
    "settled_at",
)


@page(SEE)
def crossing_list(request: PersonRequest) -> HttpResponse:
    """Show what crossed, and what was refused."""
    form = _form(request)
    before = request.GET.get("before", "")
    filters = form.filters(limit=ROWS + 1, before_id=int(before) if before.isdecimal() and len(before) < 18 else None)
    views = queries.crossings(request.user, filters)
    shown = views[:ROWS]
    older = request.GET.copy()
    older["before"] = str(shown[-1].id) if shown else ""
    newest = request.GET.copy()
    newest.pop("before", None)
    context = {
        "form": form,
        "rows": [_row(view) for view in shown],
        "older": older.urlencode() if len(views) > ROWS else "",
        "newest": newest.urlencode() if before else None,
        "query": newest.urlencode(),
        "is_filtered": any(value for key, value in request.GET.items() if key != "before"),
        "refused": sum(view.status == "refused" for view in shown),
        "now": utcnow(),
        "viewable": [
            {"id": number, "sender": sender, "message": texts.message_text(schema), "until_at": until_at}
            for number, sender, schema, until_at in keeping.viewable(request.user, now=utcnow())
        ],
    }
    return render(request, "exchange/crossings.html", context)


@page(SEE)
def crossing_export(request: PersonRequest) -> HttpResponse:
    """Give the same rows as CSV, at most ten thousand."""
    views = queries.crossings(request.user, _form(request).filters(limit=EXPORT_ROWS, before_id=None))
    is_simulated = bool(getattr(queries.own_node(), "is_simulated", False))
    response = HttpResponse(_csv(views, is_simulated=is_simulated), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="crossings.csv"'
    return response


@page(SEE)
def crossing_page(request: PersonRequest, crossing_id: int) -> HttpResponse:
    """Show what an envelope says of itself, and what became of it."""
    detail = _find(request, crossing_id)
    row, now = _row(detail.view), utcnow()
    kept = keeping.keeping(request.user, crossing_id, now=now)
    context = row | {
        "header": _header(detail.token),
        "receipt": _payload(detail.receipt),
        "agreement": _agreement(request, detail.view.agreement),
        "data_class": texts.CLASSES[DataClass(detail.view.data_class)],
        "last_error": texts.reason_text(detail.view.last_error) if detail.view.last_error else "",
        "may_retry": detail.view.status == "undeliverable" and may(request.user, "exchange.retry"),
        "now": now,
        "keeping": kept,
        "may_keep": kept.has_body and may(request.user, deletion.PERMISSION),
        "may_view": kept.is_view_only
        and kept.until_at is not None
        and now < kept.until_at
        and detail.view.status == "accepted"
        and may(request.user, viewing.PERMISSION),
    }
    return render(request, "exchange/crossing.html", context)


@page(SEE)
def crossing_token(request: PersonRequest, crossing_id: int) -> HttpResponse:
    """Give the envelope as it was signed."""
    detail = _find(request, crossing_id)
    if not detail.token:
        raise Http404
    return _download(detail.token, f"envelope-{detail.view.envelope_id}.jws")


@page(SEE)
def crossing_receipt(request: PersonRequest, crossing_id: int) -> HttpResponse:
    """Give the receipt as it was signed."""
    detail = _find(request, crossing_id)
    if not detail.receipt:
        raise Http404
    return _download(detail.receipt, f"receipt-{detail.view.envelope_id}.jws")


@page(SEE)
def crossing_evidence(request: PersonRequest, crossing_id: int) -> HttpResponse:
    """Give the evidence file of one envelope, to be verified offline by whoever doubts it."""
    detail = _find(request, crossing_id)
    try:
        evidence = proofs.prove(detail.view.envelope_id, actor=request.user, now=utcnow())
    except UserFault as fault:
        messages.error(request, fault_text(fault))
        return redirect("exchange:crossing", crossing_id)
    response = HttpResponse(evidence, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="evidence-{detail.view.envelope_id}.json"'
    return response


@page("exchange.retry", methods=("POST",))
def crossing_retry(request: PersonRequest, crossing_id: int) -> HttpResponse:
    """Queue an undeliverable envelope again."""
    try:
        claims.retry(crossing_id, actor=request.user, now=utcnow())
        messages.success(request, _("Queued again; it goes out as soon as the partner answers."))
    except UserFault as fault:
        messages.error(request, fault_text(fault))
    return redirect("exchange:crossing", crossing_id)


@page(SEE)
def counter_list(request: PersonRequest) -> HttpResponse:
    """Show how many persons' data left this year, and how near a limit of the law is."""
    now = utcnow()
    found = agreement_queries.counters(request.user, now=now)
    context = {
        "counters": found,
        "closed": [each for each in found if each.is_closed],
        "law": [_law(jurisdiction) for jurisdiction in agreement_queries.known_law(request.user)],
        "year": now.year,
    }
    return render(request, "exchange/counters.html", context)


def _law(law: Jurisdiction) -> dict[str, Any]:
    """Return the rules of a country in the language of the page, with the instrument that each cites."""
    language = get_language() or "en"
    return {
        "law": law,
        "rules": [
            {
                "rule": rule,
                "title": name_in(law.instrument(rule.instrument).title, language),
                "official": law.instrument(rule.instrument).title_local,
                "article": name_in(rule.article, language),
                "text": name_in(rule.text, language),
                "known": texts.VERIFIED[rule.verified],
                "open": [name_in(question, language) for question in rule.open_questions],
            }
            for rule in law.rules
        ],
        "open": [name_in(question, language) for question in law.open_questions],
    }


def _form(request: PersonRequest) -> CrossingFilterForm:
    language = get_language() or "en"
    may_see = may(request.user, agreement_queries.SEE)
    known = agreement_queries.agreements(request.user, now=utcnow()) if may_see else []
    partners = queries.partners(request.user) if may(request.user, "exchange.see_partners") else []
    form = CrossingFilterForm(
        request.GET,
        partners=[(each.node_id, each.node_id) for each in partners],
        agreements=[(each.hash, f"{each.document.title_in(language)} ({each.hash[:8]})") for each in known],
        channels=sorted({channel.id for each in known for channel in each.document.channels}),
    )
    form.is_valid()
    return form


def _find(request: PersonRequest, crossing_id: int) -> CrossingDetail:
    try:
        return queries.crossing(request.user, crossing_id)
    except NoSuchCrossing as fault:
        raise Http404 from fault


def _row(view: CrossingView) -> dict[str, Any]:
    return {
        "view": view,
        "partner": view.from_node if view.direction == "in" else view.to_node,
        "direction": texts.DIRECTIONS.get(view.direction, view.direction),
        "message": texts.message_text(view.schema),
        "status": texts.STATUSES.get(view.status, view.status),
        "tone": _TONES.get(view.status, "plain"),
        "reason": texts.reason_text(view.reason) if view.reason else "",
        "is_unreceipted": view.is_unreceipted(utcnow()),
    }


def _agreement(request: PersonRequest, hash_: str) -> dict[str, str] | None:
    if not hash_ or not may(request.user, "exchange.see_agreements"):
        return None
    try:
        view = agreement_queries.agreement(request.user, hash_, now=utcnow())
    except UserFault:
        return None
    return {"hash": view.hash, "title": view.document.title_in(get_language() or "en")}


def _header(token: bytes) -> list[tuple[str, str, str]]:
    """Return the members of a signed header, and of a body the size alone: what is inside is the pillar's to show."""
    return [
        (label, name, _bytes(value) if name in ("body", "sealed") else value) for label, name, value in _payload(token)
    ]


def _bytes(value: str) -> str:
    size = len(value.encode())
    return ngettext("%(size)d byte", "%(size)d bytes", size) % {"size": size}


def _payload(token: bytes) -> list[tuple[str, str, str]]:
    """Return each signed member: what people call it, its name as signed, its value."""
    if not token:
        return []
    value = json.loads(unb64(token.split(b".")[1].decode()))
    return [
        (str(texts.SIGNED.get(name, name)), str(name), member if isinstance(member, str) else json.dumps(member))
        for name, member in value.items()
    ]


def _download(data: bytes, name: str) -> HttpResponse:
    response = HttpResponse(data, content_type="application/jose")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _csv(views: Iterable[CrossingView], *, is_simulated: bool) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow([*_COLUMNS, *(["SIMULATED"] if is_simulated else [])])
    for view in views:
        values = [getattr(view, name) for name in _COLUMNS]
        writer.writerow([*(quoted(_text(value)) for value in values), *(["SIMULATED"] if is_simulated else [])])
    return stream.getvalue()


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)
