"""Studies: the list, one study, and its protocol."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.approvals import isolated
from corridor.accounts.roles import may
from corridor.pillars.research import queries
from corridor.pillars.research.forms import DeclineForm, ReopeningForm, StandingForm
from corridor.pillars.research.queries import StudyView
from corridor.pillars.research.rules.protocol import Protocol
from corridor.pillars.research.services.data import HOLD
from corridor.pillars.research.services.runs import RELEASE, REQUEST
from corridor.pillars.research.services.standing import PAUSE
from corridor.pillars.research.services.studies import APPROVE, PROPOSE
from corridor.pillars.research.texts import KINDS, STANDINGS, STATES, TYPES
from corridor.pillars.research.views.words import in_words, variable_text
from corridor.web.tables import Column, Table

__all__ = [
    "find_study_or_404",
    "ledger_context",
    "ledger_page",
    "protocol_page",
    "standing_choices",
    "study_context",
    "study_list",
    "study_page",
]

SEE = "research.see_studies"
TONES = {"done": "accent", "refused": "alarm", "failed": "alarm", "disputed": "alarm"}


@page(SEE)
def study_list(request: PersonRequest) -> HttpResponse:
    """Show which studies run, and what waits for this person."""
    found = queries.studies(request.user)
    rows = [{"view": view, "title": in_words(view.protocol.title), "waits": _waits(request, view)} for view in found]
    context = {
        "rows": rows,
        "waiting": sum(bool(row["waits"]) for row in rows),
        "may_propose": may(request.user, PROPOSE),
    }
    return render(request, "research/studies.html", context)


@page(SEE)
def study_page(request: PersonRequest, study: str) -> HttpResponse:
    """Show one study: its sites, the plan with the state of each analysis, and what this person may do."""
    return render(request, "research/study.html", study_context(request, find_study_or_404(request, study)))


@page(SEE)
def protocol_page(request: PersonRequest, study: str, hash_: str) -> HttpResponse:
    """Show a version of a protocol to read, to print, and beside the version that it amends."""
    try:
        version = queries.protocol_version(hash_, actor=request.user)
    except queries.UnknownStudy as fault:
        raise Http404 from fault
    protocol = version.protocol
    if protocol.study != study:
        raise Http404
    before = None
    if protocol.supersedes:
        before = queries.protocol_version(protocol.supersedes, actor=request.user).protocol
    context = {
        "version": version,
        "protocol": protocol,
        "title": in_words(protocol.title),
        "question": in_words(protocol.question),
        "population": in_words(protocol.population_text),
        "conditions": [
            f"{variable_text(protocol, each.variable)} {_operator(each.operator)} {', '.join(map(_value, each.values))}"
            for each in protocol.population
        ],
        "exposure": variable_text(protocol, protocol.exposure),
        "variables": _variables(protocol),
        "endpoints": [{"endpoint": each, "label": in_words(each.label) or each.name} for each in protocol.endpoints],
        "plan": [
            {"item": item, "title": in_words(item.title), "kind": KINDS.get(item.kind, item.kind)}
            for item in protocol.analyses
        ],
        "changes": _changes(before, protocol) if before else None,
    }
    return render(request, "research/protocol.html", context)


@page(SEE)
def ledger_page(request: PersonRequest, study: str) -> HttpResponse:
    """Show what this site has told of its patients, what the budgets leave, and whether the ledger is closed."""
    return render(request, "research/ledger.html", ledger_context(request, find_study_or_404(request, study)))


def ledger_context(request: PersonRequest, view: StudyView, *, form: ReopeningForm | None = None) -> dict[str, Any]:
    """Return what the page of the ledger shows."""
    found = queries.ledger(view.name, actor=request.user)
    budgets = Table(
        caption=_("Budgets"),
        quiet_caption=True,
        columns=[
            Column("what", _("What is counted")),
            Column("told", _("Told so far"), kind="number"),
            Column("most", _("At most"), kind="number"),
        ],
        rows=[
            [_("Answers in this study"), found.answers, found.most_answers],
            [
                _("Answers of which one person’s rows may be part, in all studies"),
                found.of_person,
                found.most_of_person,
            ],
            *(
                [_("Numbers to %(node)s, in all studies") % {"node": isolated(node)}, told, found.most_to_partner]
                for node, told in found.partners
            ),
        ],
    )
    may_reopen = found.is_closed and found.lost > found.nameless and may(request.user, RELEASE)
    return {
        "view": view,
        "ledger": found,
        "title": in_words(view.protocol.title),
        "budgets": budgets,
        "form": (form or ReopeningForm()) if may_reopen else None,
    }


def find_study_or_404(request: PersonRequest, study: str) -> StudyView:
    """Return a study, or answer that there is no such page."""
    try:
        return queries.find_study(study, actor=request.user)
    except queries.UnknownStudy as fault:
        raise Http404 from fault


def study_context(
    request: PersonRequest, view: StudyView, *, standing_form: StandingForm | None = None
) -> dict[str, Any]:
    """Return what the page of a study shows."""
    actor, own = request.user, next((site for site in view.sites if site.is_own), None)
    rows = queries.snapshots(view.name, actor=actor)
    choices = standing_choices(own.standing if own else "")
    sites = [{"site": site, "standing": STANDINGS.get(site.standing, site.standing)} for site in view.sites]
    takes_part = own is not None and own.standing not in ("left", "closed")
    may_sign = may(actor, APPROVE) and takes_part and own is not None and own.signed_at is None
    return {
        "view": view,
        "own": own,
        "title": in_words(view.protocol.title),
        "question": in_words(view.protocol.question),
        "sites": sites,
        "gone": [each for each, site in zip(sites, view.sites, strict=True) if site.standing != "active"],
        "unsigned": [site.id for site in view.sites if site.signed_at is None and site.standing == "active"],
        "plan": [_planned(view, item.id) for item in view.protocol.analyses],
        "late": sorted({site for run in view.runs for site in run.waits_for}),
        "versions": queries.study_versions(view.name, actor=actor),
        "unsigned_rows": [each for each in rows if each.signed_at is None],
        "may_sign": may_sign,
        "decline_form": DeclineForm(auto_id="decline_%s") if may_sign and may(actor, PAUSE) else None,
        "may_request": may(actor, REQUEST) and view.locked_at is not None,
        "may_hold": may(actor, HOLD),
        "standing_form": (standing_form or StandingForm(choices=choices)) if may(actor, PAUSE) and choices else None,
        "waits": _waits(request, view),
        "ledger": queries.ledger(view.name, actor=actor),
    }


def standing_choices(standing: str) -> list[tuple[str, Any]]:
    """Return how a site may stand next."""
    following = {"active": ("paused", "left", "closed"), "paused": ("active", "left", "closed")}.get(standing, ())
    return [(each, STANDINGS[each]) for each in following]


def _planned(view: StudyView, analysis: str) -> dict[str, Any]:
    item = view.protocol.analysis(analysis)
    runs = [run for run in view.runs if run.analysis == analysis]
    return {
        "id": analysis,
        "title": in_words(item.title if item else None) or analysis,
        "kind": KINDS.get(item.kind, item.kind) if item else "",
        "run": runs[0] if runs else None,
        "state": STATES.get(runs[0].state, runs[0].state) if runs else _("not asked for"),
        "tone": TONES.get(runs[0].state, "plain") if runs else "plain",
        "is_open": bool(runs) and runs[0].state in ("running", "waiting"),
    }


def _waits(request: PersonRequest, view: StudyView) -> list[str]:
    """Return in words what this person can do for a study now."""
    actor, own = request.user, next((site for site in view.sites if site.is_own), None)
    if own is None or own.standing in ("left", "closed"):
        return []
    found = []
    if own.signed_at is None and may(actor, APPROVE):
        found.append(_("the protocol waits for this site’s signature"))
    if may(actor, HOLD):
        rows = queries.snapshots(view.name, actor=actor)
        if own.signed_at is not None and not rows:
            found.append(_("this site has frozen no rows yet"))
        if any(each.signed_at is None for each in rows):
            found.append(_("frozen rows wait for a signature"))
    if may(actor, RELEASE) and any(run.state == "waiting" for run in view.runs):
        found.append(_("an answer waits for two persons"))
    return found


def _operator(operator: str) -> str:
    return {"is": "=", "is_not": "≠", "one_of": "∈", "above": ">", "at_least": "≥", "below": "<", "at_most": "≤"}[
        operator
    ]


def _variables(protocol: Protocol) -> Table:
    return Table(
        caption=_("Variables"),
        quiet_caption=True,
        columns=[
            Column("name", _("Name"), foreign=True),
            Column("label", _("Meaning"), foreign=True),
            Column("type", _("Type")),
            Column("unit", _("Unit"), foreign=True),
            Column("codes", _("Codes, or plausible range"), foreign=True),
        ],
        rows=[
            [each.name, in_words(each.label), TYPES[str(each.type)], each.unit or each.coding, _domain(each)]
            for each in protocol.variables
        ],
    )


def _domain(variable: Any) -> str:
    if variable.codes:
        return "; ".join(f"{code} = {label}" if code != label else code for code, label in variable.codes.items())
    if variable.least is not None or variable.most is not None:
        return f"{_bound(variable.least)}–{_bound(variable.most)}"
    return ""


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _changes(before: Protocol, after: Protocol) -> Table:
    """Return what differs between two versions, member by member."""
    old, new = _members(asdict(before)), _members(asdict(after))
    ignored = {"hash", "supersedes"}
    differ = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name) and name not in ignored]
    return Table(
        caption=_("What this version changes"),
        quiet_caption=True,
        columns=[
            Column("member", _("Member"), foreign=True),
            Column("before", _("Before"), foreign=True),
            Column("after", _("Now"), foreign=True),
        ],
        rows=[[name, old.get(name, ""), new.get(name, "")] for name in differ],
    )


def _members(value: Any, name: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        parts = [_members(inner, f"{name}.{key}" if name else str(key)) for key, inner in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [_members(inner, f"{name}.{_key(inner, place)}") for place, inner in enumerate(value, start=1)]
    else:
        return {name: "" if value is None else str(value)}
    return {key: text for part in parts for key, text in part.items()}


def _key(entry: Any, place: int) -> str:
    """Return what tells an entry of a list apart: its own name where it has one."""
    named = (entry.get("id") or entry.get("name")) if isinstance(entry, dict) else None
    return str(named or place)
