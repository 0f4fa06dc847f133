"""Agreements: what do they open, who signed, and the forms by which an officer signs or halts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy, override
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page, reauthenticated
from corridor.accounts.approvals import Outcome, is_one_person_mode
from corridor.accounts.roles import may
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.base.reference import diseases
from corridor.exchange.forms import ConfirmForm, LanguagePairForm
from corridor.exchange.queries import agreements as queries
from corridor.exchange.queries import texts
from corridor.exchange.queries.agreements import AgreementView
from corridor.exchange.queries.lives import NoSuchAgreement
from corridor.exchange.rules import retention
from corridor.exchange.rules.agreement import Channel, ClauseChange, Kind, State
from corridor.exchange.services import agreement_acts as acts

SEE, SIGN = "exchange.see_agreements", "exchange.sign_agreement"

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

_TONES: Mapping[State, str] = {
    State.IN_FORCE: "accent",
    State.PROPOSED: "accent",
    State.SIGNED_BY_SOME: "accent",
    State.SUSPENDED: "solid",
}


@dataclass(frozen=True)
class Act:
    """One thing an officer may do with an agreement: what it is called, what it brings about, and who does it below."""

    name: str
    kind: Kind
    label: str | Promise
    effect: str | Promise
    takes_two: bool
    run: Callable[..., object]


ACTS: Mapping[str, Act] = {
    act.name: act
    for act in (
        Act(
            "propose",
            Kind.PROPOSAL,
            gettext_lazy("Propose to the other parties"),
            gettext_lazy("The other parties receive the document. Nothing opens until every party has signed it."),
            takes_two=False,
            run=acts.propose,
        ),
        Act(
            "sign",
            Kind.SIGNATURE,
            gettext_lazy("Sign"),
            gettext_lazy("When every party has signed, the channels below open from the agreed start on."),
            takes_two=True,
            run=acts.ask_to_sign,
        ),
        Act(
            "activate",
            Kind.ACTIVATION,
            gettext_lazy("Open the emergency annex"),
            gettext_lazy("The channels below open for the agreed number of days, then the annex closes by itself."),
            takes_two=False,
            run=acts.activate,
        ),
        Act(
            "suspend",
            Kind.SUSPENSION,
            gettext_lazy("Suspend"),
            gettext_lazy("Nothing crosses under this agreement from this moment on; what waits is refused."),
            takes_two=False,
            run=acts.suspend,
        ),
        Act(
            "resume",
            Kind.RESUMPTION,
            gettext_lazy("Lift our suspension"),
            gettext_lazy("The channels below open again, unless another party holds a suspension of its own."),
            takes_two=True,
            run=acts.ask_to_resume,
        ),
        Act(
            "terminate",
            Kind.TERMINATION,
            gettext_lazy("Terminate"),
            gettext_lazy(
                "The agreement ends for good when the agreed notice has run; "
                "a proposal that not all have signed ends at once."
            ),
            takes_two=True,
            run=acts.ask_to_terminate,
        ),
    )
}


@page(SEE)
def agreement_list(request: PersonRequest) -> HttpResponse:
    """Show which agreements there are, and which wait for us."""
    views = queries.agreements(request.user, now=utcnow())
    rows = [_row(view) for view in views]
    return render(
        request,
        "exchange/agreements.html",
        {
            "rows": rows,
            "may_sign": may(request.user, SIGN),
            "in_force": sum(view.state is State.IN_FORCE for view in views),
            "waiting": sum(Kind.SIGNATURE in view.may for view in views),
        },
    )


@page(SEE)
def agreement_page(request: PersonRequest, hash_: str) -> HttpResponse:
    """Show what an agreement opens."""
    return render(request, "exchange/agreement.html", _context(request, hash_))


@page(SEE)
def agreement_sheet(request: PersonRequest, hash_: str) -> HttpResponse:
    """Show the sheet to print and keep with the signed paper: clause, channel, hash."""
    return render(request, "exchange/sheet.html", _context(request, hash_))


@page(SEE)
def agreement_document(request: PersonRequest, hash_: str) -> HttpResponse:
    """Give the canonical bytes that every party signs."""
    view = _find(request, hash_)
    response = HttpResponse(view.signed_bytes, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="agreement-{view.hash[:12]}.json"'
    return response


@page(SEE)
def agreement_difference(request: PersonRequest, hash_: str) -> HttpResponse:
    """Show what an amendment changes, in two languages side by side."""
    view = _find(request, hash_)
    old, changed = queries.changes(request.user, view.hash)
    here = get_language() or "en"
    other = "en" if here != "en" else "ur"
    form = LanguagePairForm(request.GET or {"first": here, "second": other})
    pair = (form.cleaned_data["first"], form.cleaned_data["second"]) if form.is_valid() else (here, other)
    return render(
        request,
        "exchange/difference.html",
        {
            "view": view,
            "old": old,
            "form": form,
            "title": view.document.title_in(here),
            "columns": [_column(language, changed) for language in pair],
            "count": len(changed),
        },
    )


@page(SIGN, methods=("GET", "POST"))
@reauthenticated
def agreement_act(request: PersonRequest, hash_: str, name: str) -> HttpResponse:
    """Ask once more with what it opens in view, then state it."""
    act = ACTS.get(name)
    if act is None:
        raise Http404
    context = _context(request, hash_)
    view: AgreementView = context["view"]
    form = ConfirmForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            result = act.run(view.hash, actor=request.user, now=utcnow())
        except UserFault as fault:
            form.add_error(None, fault_text(fault))
        else:
            _tell(request, act, result)
            return redirect("exchange:agreement", view.hash)
    return render(
        request,
        "exchange/act.html",
        context | {"act": act, "form": form, "is_possible": act.kind in view.may, "one_person": is_one_person_mode()},
        status=400 if form.errors else 200,
    )


def _tell(request: HttpRequest, act: Act, result: object) -> None:
    if isinstance(result, Outcome) and not result.done:
        text = _("Recorded. A second person must approve it: request %(number)s.") % {"number": result.request_id}
        messages.info(request, text)
    else:
        messages.success(request, _("Done: %(what)s.") % {"what": act.label})


def _find(request: PersonRequest, hash_: str) -> AgreementView:
    try:
        return queries.agreement(request.user, hash_, now=utcnow())
    except NoSuchAgreement as fault:
        raise Http404 from fault


def _context(request: PersonRequest, hash_: str) -> dict[str, Any]:
    view = _find(request, hash_)
    language = get_language() or "en"
    return {
        "view": view,
        "document": view.document,
        "title": view.document.title_in(language),
        "state": texts.STATES[view.state],
        "tone": _TONES.get(view.state, "plain"),
        "channels": [_channel(channel) for channel in view.document.channels],
        "acts": [act for act in ACTS.values() if act.kind in view.may],
        "perms_sign": may(request.user, SIGN),
        "statements": [
            {"view": each, "text": texts.STATEMENTS[Kind(each.kind)]}
            for each in queries.statements(request.user, view.hash)
        ],
        "texts": [(dict(settings.LANGUAGES).get(key, key), value) for key, value in view.document.texts.items()],
        "kept_hours": int(retention.kept_for(view.document).total_seconds() // 3600),
        "data_survives": retention.data_survives(view.document),
        "days_after_end": retention.AFTER_THE_END.days,
        "now": utcnow(),
    }


def _row(view: AgreementView) -> dict[str, Any]:
    return {
        "view": view,
        "title": view.document.title_in(get_language() or "en"),
        "state": texts.STATES[view.state],
        "tone": _TONES.get(view.state, "plain"),
        "must_sign": Kind.SIGNATURE in view.may,
        "opens": [texts.message_text(channel.message) for channel in view.document.channels],
    }


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "channel": channel,
        "message": texts.message_text(channel.message),
        "data_class": texts.CLASSES[channel.data_class],
        "level": texts.LEVELS[channel.place_level],
        "period": texts.PERIODS[channel.period],
        "acceptance": texts.ACCEPTANCE[channel.acceptance.value],
        "senders": sorted(channel.senders),
        "receivers": sorted(channel.receivers),
        "rules": [
            {
                "rule": rule,
                "disease": _disease(rule.disease),
                "level": texts.LEVELS.get(rule.place_level, rule.place_level),
            }
            for rule in channel.disclosure
        ],
    }


def _disease(code: str) -> str:
    """Return the name of a disease in the language of the page; a code that is not in the list stands as it is."""
    known = diseases().get(code)
    return known.names.get(get_language() or "en", known.names["en"]) if known else code


def _column(language: str, changed: list[ClauseChange]) -> dict[str, Any]:
    """Return one side of a difference, its words in `language`."""
    with override(language):
        return {
            "language": language,
            "name": dict(settings.LANGUAGES).get(language, language),
            "heading": str(_("Clause")),
            "old_word": str(_("until now")),
            "new_word": str(_("from now on")),
            "none_word": str(_("nothing")),
            "changes": [
                {
                    "place": texts.path_text(each.path),
                    "clause": each.clause,
                    "old": _value(each.old, language),
                    "new": _value(each.new, language),
                }
                for each in changed
            ],
        }


def _value(value: Any, language: str) -> list[str]:
    """Return a JSON value as lines for people; empty for nothing."""
    if value is None:
        return []
    if isinstance(value, bool):
        return [str(_("yes") if value else _("no"))]
    if isinstance(value, list):
        return [", ".join(_value(entry, language)) for entry in value]
    if isinstance(value, dict):
        return [f"{texts.path_text((key,))}: {', '.join(_value(entry, language))}" for key, entry in value.items()]
    words: Mapping[str, str | Promise] = {
        **texts.ACCEPTANCE,
        **texts.LEVELS,
        **texts.PERIODS,
        **{each.value: text for each, text in texts.CLASSES.items()},
    }
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return [f"{value[:10]} {value[11:16]} UTC"]
    return [str(words[value]) if isinstance(value, str) and value in words else str(value)]
