"""The Monday board: what is new, what must be done, both sides' curves, how fresh everything is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.roles import may
from corridor.base.clock import utcnow
from corridor.base.reference import diseases as known_diseases
from corridor.pillars.surveillance import queries, services
from corridor.pillars.surveillance.queries import pages
from corridor.pillars.surveillance.queries.signals import OPEN
from corridor.pillars.surveillance.services.reading import mark_read
from corridor.pillars.surveillance.texts import (
    disease_name,
    listed,
    period_text,
    place_text,
    weekday_text,
)
from corridor.pillars.surveillance.views import uploads
from corridor.pillars.surveillance.views.panels import latest_tables, shown
from corridor.pillars.surveillance.views.rows import signal_rows
from corridor.web.tables import Cell, Column, Table

SEE = "surveillance.see_board"
ROWS = 8
SIGNALS = 50
"""As many open signals as the query of the board looks at."""
PERIODS = ("day", "week")


@dataclass(frozen=True, kw_only=True)
class ToDo:
    """One thing to do now, with where it is done."""

    text: str
    url: str


@page(SEE)
def board(request: PersonRequest) -> HttpResponse:
    """Show what is new since this person last looked, and what must be done."""
    now = utcnow()
    actor = request.user
    if pages.is_first_look_today(actor=actor, today=now.astimezone(UTC).date()):
        services.look(actor=actor, now=now)
        uploads.sweep(now=now)
    asked = request.GET.get("period", "")
    open_signals, _number = queries.signals(actor=actor, statuses=OPEN, limit=SIGNALS)
    joint = pages.partner_rises(actor=actor, signals=open_signals)
    disease = _known(request.GET.get("disease", "")) or _pressing(open_signals, joint)
    view = queries.board(
        actor=actor,
        now=now,
        disease=disease,
        period=asked if asked in PERIODS else "",
        wanted=_wanted(request, [rise for rises in joint.values() for rise in rises if rise.disease == disease]),
    )
    monday = _monday(now)
    lacking = pages.lacking_places(actor=actor, diseases=view.diseases, monday=monday)
    curves, latest, form = shown(request, view)
    context = {
        "view": view,
        "since": weekday_text(view.looked_at.date()) if view.looked_at else "",
        "answers": _answers(view, joint, lacking),
        "signals": signal_rows(view.signals[:ROWS], joint),
        "more_signals": max(0, view.signals_open - ROWS),
        "todo": _todo(request, view, joint, lacking, now=now),
        "form": form,
        "disease": disease_name(view.disease),
        "curves": curves,
        "map": latest[1] if latest else None,
        "tables": latest_tables(view),
        "freshness": _freshness(view),
        "now": now,
        "may_ingest": may(actor, "surveillance.ingest"),
        "has_data": not view.own.is_empty() or not view.partners.is_empty(),
    }
    return render(request, "surveillance/board.html", context)


@page(SEE, methods=("POST",))
def read(request: PersonRequest) -> HttpResponse:
    """Note that the person has read the board; from now on new means since now."""
    mark_read(actor=request.user, now=utcnow())
    messages.success(request, _("Marked as read. What comes from now on is shown as new."))
    return redirect("surveillance:board")


def _known(code: str) -> str:
    return code if known_diseases().get(code) is not None else ""


def _pressing(signals: Sequence[queries.SignalView], joint: dict[int, Any]) -> str:
    """Return the disease that rises on both sides of a border, or nothing: the board then takes the newest signal's."""
    return next((each.disease for each in signals if each.id in joint), "")


def _wanted(request: PersonRequest, rises: Sequence[pages.PartnerRise]) -> dict[str, list[str]]:
    """Return by node ("" for one's own) the places whose curves are asked for, then those that rise with one's own."""
    wanted = {
        name.removeprefix("place").removeprefix("-"): [str(place)]
        for name, place in request.GET.items()
        if name.startswith("place")
    }
    for rise in rises:
        wanted.setdefault(rise.from_node, []).append(rise.place)
    return wanted


def _monday(now: datetime) -> date:
    today = now.astimezone(UTC).date()
    return today - timedelta(days=today.weekday())


def _answers(view: queries.Board, joint: dict[int, Any], lacking: Sequence[pages.Lacking]) -> list[str]:
    """Return the answer of the page, sentence by sentence."""
    said = []
    if view.signals_open == 0:
        said.append(_("No signal is open."))
    else:
        said.append(
            ngettext("%(count)d signal is open.", "%(count)d signals are open.", view.signals_open)
            % {"count": view.signals_open}
        )
    if view.looked_at is not None:
        said.append(
            ngettext("%(count)d was raised since then.", "%(count)d were raised since then.", view.new_signals)
            % {"count": view.new_signals}
        )
    if joint:
        said.append(
            ngettext(
                "%(count)d rises on both sides of a border in the same week.",
                "%(count)d rise on both sides of a border in the same week.",
                len(joint),
            )
            % {"count": len(joint)}
        )
    if view.alerts:
        said.append(
            ngettext(
                "%(count)d alert of a partner has not been seen.",
                "%(count)d alerts of partners have not been seen.",
                len(view.alerts),
            )
            % {"count": len(view.alerts)}
        )
    if lacking:
        said.append(_lacking_text(lacking))
    return said


def _lacking_text(lacking: Sequence[pages.Lacking]) -> str:
    names = [place_text(each.place) for each in lacking]
    shown = listed(names[:3])
    week = period_text(lacking[0].start_on, "week")
    if len(names) > 3:
        return ngettext(
            "For %(week)s reports are missing or incomplete from %(places)s and %(count)d other place.",
            "For %(week)s reports are missing or incomplete from %(places)s and %(count)d other places.",
            len(names) - 3,
        ) % {"week": week, "places": shown, "count": len(names) - 3}
    return _("For %(week)s reports are missing or incomplete from %(places)s.") % {"week": week, "places": shown}


def _todo(
    request: PersonRequest,
    view: queries.Board,
    joint: dict[int, list[pages.PartnerRise]],
    lacking: Sequence[pages.Lacking],
    *,
    now: datetime,
) -> list[ToDo]:
    """Return what must be done now, the most pressing first."""
    items = []
    for signal in view.signals:
        if signal.id in joint:
            there = joint[signal.id][0]
            text = _("Look at %(disease)s in %(here)s and %(there)s together") % {
                "disease": disease_name(signal.disease),
                "here": place_text(signal.place),
                "there": place_text(there.place),
            }
            items.append(ToDo(text=text, url=reverse("surveillance:signal", args=[signal.id])))
    new = [each for each in view.signals if each.status == "new"]
    if new:
        text = ngettext("Verify %(count)d new signal", "Verify %(count)d new signals", len(new)) % {"count": len(new)}
        items.append(ToDo(text=text, url=reverse("surveillance:signals") + "?status=new"))
    partners = reverse("surveillance:partners")
    if view.alerts:
        text = ngettext("Take note of %(count)d alert", "Take note of %(count)d alerts", len(view.alerts))
        items.append(ToDo(text=text % {"count": len(view.alerts)}, url=f"{partners}#alerts"))
    figures = sum(each.figures for each in view.waiting)
    if figures:
        text = ngettext("Accept or decline %(count)d figure", "Accept or decline %(count)d figures", figures)
        items.append(ToDo(text=text % {"count": figures}, url=f"{partners}#waiting"))
    items += [_ask(each) for each in lacking[:3]]
    if len(lacking) > 3:
        text = ngettext("%(count)d more place to ask", "%(count)d more places to ask", len(lacking) - 3)
        items.append(ToDo(text=text % {"count": len(lacking) - 3}, url=reverse("surveillance:lacking")))
    if may(request.user, "surveillance.ingest"):
        failed = pages.failed_imports(actor=request.user, since=now - timedelta(days=14))
        for source, number in failed:
            text = _("Take the file of %(source)s in again: import %(number)d was given up")
            url = reverse("surveillance:ingest") + "#imports"
            items.append(ToDo(text=text % {"source": source, "number": number}, url=url))
    return items


def _ask(each: pages.Lacking) -> ToDo:
    place, week = place_text(each.place), period_text(each.start_on, "week")
    if each.share is None:
        text = _("Ask %(place)s for %(week)s") % {"place": place, "week": week}
    else:
        text = _("Ask %(place)s for the rest of %(week)s: %(share)d%% of the sites reported") % {
            "place": place,
            "week": week,
            "share": round(100 * each.share),
        }
    query = f"?disease={each.diseases[0]}&place={each.place}"
    return ToDo(text=text, url=reverse("surveillance:counts") + query)


def _freshness(view: queries.Board) -> Table:
    """Return how fresh each source and each partner is."""
    rows: list[list[object]] = [
        [
            Cell(source.name, url=reverse("surveillance:ingest") + "#imports"),
            _("own source"),
            source.last.as_of if source.last else None,
            source.last.completed_at if source.last else None,
            source.delay_days,
        ]
        for source in view.sources
    ]
    partners = reverse("surveillance:partners")
    rows += [
        [Cell(each.from_node, url=partners), _("partner"), each.as_of, each.received_at, None]
        for each in view.freshness
    ]
    return Table(
        caption=_("How fresh is each source?"),
        columns=[
            Column("source", _("Source"), foreign=True),
            Column("kind", _("Kind")),
            Column("as_of", _("Figures as of"), kind="moment"),
            Column("received", _("Received"), kind="moment"),
            Column("delay", _("Onset to report, median days"), kind="number"),
        ],
        rows=rows,
        quiet_caption=True,
        empty=_("No source yet."),
    )
