"""Counts by disease, place and period, with completeness and revisions; the same figures as CSV."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Any

import polars as pl
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page
from corridor.base.clock import utcnow
from corridor.base.reference import diseases as known_diseases
from corridor.pillars.surveillance import queries
from corridor.pillars.surveillance.forms import CountsForm
from corridor.pillars.surveillance.queries import pages, provenance
from corridor.pillars.surveillance.rules import period_start
from corridor.pillars.surveillance.texts import (
    disease_name,
    listed,
    period_text,
    place_text,
    withheld_limit,
    withheld_text,
)
from corridor.web import exports
from corridor.web.formats import number_text
from corridor.web.tables import Cell, Column, Table

SEE = "surveillance.see_board"
ROWS = 100
WEEKS = 12
COMPLETE_ENOUGH = 0.8


@page(SEE)
def counts(request: PersonRequest) -> HttpResponse:
    """Show counts as a table, newest first."""
    form, figures, earlier = _figures(request)
    frame = figures.frame.sort(["start_on", "place"], descending=[True, False])
    shown = Paginator(range(frame.height), ROWS).get_page(request.GET.get("page"))
    part = frame.slice((shown.number - 1) * ROWS, ROWS)
    query = request.GET.copy()
    query.pop("page", None)
    asked = _asked(form)
    context = {
        "form": form,
        "table": _table(part, figures, earlier, asked),
        "page": shown,
        "rows": frame.height,
        "missing": int(frame["observed"].null_count()),
        "query": query.urlencode(),
        "disease": disease_name(asked["disease"]),
        "as_of": figures.as_of,
        "delays": _delays(request, asked["disease"]),
        "simulated": figures.simulated,
        "known_at": form.known_at,
        "has_data": bool(queries.diseases_with_data(actor=request.user)),
    }
    return render(request, "surveillance/counts.html", context)


def _delays(request: PersonRequest, disease: str) -> str:
    """Return how long reports of a disease take, source by source; empty where it is not known of any."""
    known = [each for each in queries.sources(actor=request.user, disease=disease) if each.delay_days is not None]
    language = get_language() or "en"
    return listed(
        ngettext("%(source)s %(days)s day", "%(source)s %(days)s days", ceil(each.delay_days or 0))
        % {"source": each.name, "days": number_text(each.delay_days or 0, language=language)}
        for each in known
    )


@page(SEE)
def counts_csv(request: PersonRequest) -> HttpResponse:
    """Give the same counts as CSV."""
    form, figures, earlier = _figures(request)
    asked = _asked(form)
    table = _export(figures, earlier, asked)
    return exports.csv_response(table, name=f"counts-{asked['disease']}", simulated=figures.simulated)


@page(SEE)
def count(request: PersonRequest, disease: str, place: str, day: str) -> HttpResponse:
    """Show how one figure came about: every import, or every envelope, that changed it."""
    start_on = parse_date(day) if len(day) == 10 else None
    if known_diseases().get(disease) is None or start_on is None:
        raise Http404
    asked = request.GET.get("period", "week")
    period = asked if asked in ("day", "week", "month") else "week"
    basis = "onset" if request.GET.get("basis") == "onset" else "report"
    own = provenance.revisions(
        actor=request.user, disease=disease, place=place, start_on=start_on, period=period, basis=basis
    )
    theirs = provenance.partner_revisions(
        actor=request.user, disease=disease, place=place, start_on=start_on, period=period
    )
    newest = next(iter([*own, *theirs]), None)
    context = {
        "disease": disease_name(disease),
        "place": place_text(place),
        "period": period_text(start_on, period),
        "newest": newest,
        "own": own,
        "theirs": [
            {"revision": each, "limit": withheld_limit(each.withheld), "rule": withheld_text(each.withheld)}
            for each in theirs
        ],
        "back": reverse("surveillance:counts") + f"?disease={disease}&period={period}",
    }
    return render(request, "surveillance/count.html", context)


@page(SEE)
def lacking(request: PersonRequest) -> HttpResponse:
    """Show the places whose last whole week is missing or incomplete."""
    today = utcnow().astimezone(UTC).date()
    found = pages.lacking_places(
        actor=request.user,
        diseases=queries.diseases_with_data(actor=request.user),
        monday=today - timedelta(days=today.weekday()),
    )
    table = Table(
        caption=_("Places to ask"),
        columns=[
            Column("place", _("Place")),
            Column("week", _("Week"), kind="week"),
            Column("share", _("Sites that reported"), kind="percent"),
            Column("diseases", _("Diseases")),
        ],
        rows=[
            [
                Cell(
                    place_text(each.place),
                    url=reverse("surveillance:counts") + f"?disease={each.diseases[0]}&place={each.place}",
                ),
                period_text(each.start_on, "week"),
                each.share,
                listed(disease_name(code) for code in each.diseases),
            ]
            for each in found
        ],
        quiet_caption=True,
        empty=_("Every place has reported."),
    )
    week = period_text(today - timedelta(days=today.weekday() + 7), "week")
    return render(request, "surveillance/lacking.html", {"table": table, "number": len(found), "week": week})


def _figures(request: PersonRequest) -> tuple[CountsForm, queries.Figures, queries.Figures | None]:
    """Return the filter, the figures as now known, and those as known on the day asked for."""
    actor = request.user
    codes = queries.diseases_with_data(actor=actor)
    chosen = request.GET.get("disease", "")
    disease = chosen if chosen in codes else next(iter(codes), "")
    period = request.GET.get("period") or (queries.period_of(actor=actor, disease=disease) if disease else "week")
    today = utcnow().astimezone(UTC).date()
    data = {
        "level": "admin1",
        "basis": "report",
        "first_on": _default_start(actor, disease, today),
        **{name: value for name, value in request.GET.items() if value},
        "disease": disease,
        "period": period,
    }
    known = queries.period_counts(actor=actor, diseases=[disease], period="month") if disease else None
    places = set(known.frame["place"].unique()) if known is not None else set()
    holders = {"-".join(code.split("-")[:number]) for code in places for number in (1, 2)}
    form = CountsForm(data, diseases=codes, places={*places, *holders})
    form.is_valid()
    asked = _asked(form)
    figures = _query(request, asked, None)
    earlier = _query(request, asked, form.known_at) if form.known_at is not None else None
    return form, figures, earlier


def _default_start(actor: Any, disease: str, today: date) -> date:
    """Return the first day shown by default: twelve weeks back from the last extract."""
    last = max((source.last.as_of.date() for source in queries.sources(actor=actor) if source.last), default=today)
    del disease
    return period_start(last - timedelta(weeks=WEEKS), "week")


def _asked(form: CountsForm) -> dict[str, Any]:
    answers = form.cleaned_data
    return {
        "disease": answers.get("disease", ""),
        "place": answers.get("place", ""),
        "level": answers.get("level") or "admin1",
        "period": answers.get("period") or "week",
        "basis": answers.get("basis") or "report",
        "first_on": answers.get("first_on"),
        "until_on": answers.get("until_on"),
    }


def _query(request: PersonRequest, asked: dict[str, Any], known_at: datetime | None) -> queries.Figures:
    until = asked["until_on"]
    place = asked["place"]
    level = ("country", "admin1", "admin2")[min(place.count("-"), 2)] if place else asked["level"]
    return queries.period_counts(
        actor=request.user,
        diseases=[asked["disease"]],
        period=asked["period"],
        basis=asked["basis"],
        level=level,
        first_on=asked["first_on"],
        end_on=until + timedelta(days=1) if until else None,
        within=place or None,
        known_at=known_at,
    )


def _share(row: dict[str, Any]) -> float | None:
    if not row["sites_expected"] or row["sites_reported"] is None:
        return None
    return float(row["sites_reported"] / row["sites_expected"])


def _cell(row: dict[str, Any], asked: dict[str, Any]) -> Cell:
    if row["observed"] is None:
        return Cell(state="missing")
    share = _share(row)
    is_incomplete = not row["is_whole"] or (share is not None and share < COMPLETE_ENOUGH)
    url = reverse("surveillance:count", args=[asked["disease"], row["place"], row["start_on"]])
    return Cell(
        row["observed"],
        state="incomplete" if is_incomplete else "",
        url=f"{url}?period={asked['period']}&basis={asked['basis']}",
    )


def _table(
    part: pl.DataFrame, figures: queries.Figures, earlier: queries.Figures | None, asked: dict[str, Any]
) -> Table:
    before = _by_cell(earlier)
    columns = [
        Column("period", _("Period")),
        Column("place", _("Place")),
        Column("cases", _("Cases"), kind="number"),
        *([Column("before", _("As known then"), kind="number")] if earlier is not None else []),
        Column("completeness", _("Completeness"), kind="percent"),
        Column("sites", _("Sites")),
    ]
    rows = []
    for row in part.iter_rows(named=True):
        sites = (
            _("%(reported)d of %(expected)d") % {"reported": row["sites_reported"], "expected": row["sites_expected"]}
            if _share(row) is not None
            else None
        )
        then = [before.get((row["place"], row["start_on"]))] if earlier is not None else []
        rows.append(
            [
                period_text(row["start_on"], figures.period),
                place_text(row["place"]),
                _cell(row, asked),
                *then,
                _share(row),
                sites,
            ]
        )
    return Table(
        caption=_("Counts, newest first"), columns=columns, rows=rows, quiet_caption=True, empty=_("No count fits.")
    )


def _by_cell(figures: queries.Figures | None) -> dict[tuple[str, date], int | None]:
    if figures is None:
        return {}
    return {
        (place, start): value
        for place, start, value in figures.frame.select("place", "start_on", "observed").iter_rows()
    }


def _export(figures: queries.Figures, earlier: queries.Figures | None, asked: dict[str, Any]) -> Table:
    """Return every figure with codes in place of names, as other programs read them."""
    before = _by_cell(earlier)
    names = [
        "disease",
        "place",
        "period_start",
        "period",
        "basis",
        "observed",
        "sites_reported",
        "sites_expected",
        "is_whole",
    ]
    if earlier is not None:
        names.append("observed_then")
    rows = []
    for row in figures.frame.iter_rows(named=True):
        values: list[object] = [
            row["disease"],
            row["place"],
            row["start_on"].isoformat(),
            figures.period,
            figures.basis,
            row["observed"] if row["observed"] is not None else Cell(),
            row["sites_reported"] if row["sites_reported"] is not None else Cell(),
            row["sites_expected"] if row["sites_expected"] is not None else Cell(),
            "yes" if row["is_whole"] else "no",
        ]
        if earlier is not None:
            then = before.get((row["place"], row["start_on"]))
            values.append(then if then is not None else Cell())
        rows.append(values)
    return Table(caption=str(asked["disease"]), columns=[Column(name, name) for name in names], rows=rows)
