"""Why the limit of a series is what it is: method, settings and run, on a page of its own and beside a signal."""

from __future__ import annotations

from typing import Any

import polars as pl
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest, page
from corridor.base.reference import diseases as known_diseases
from corridor.pillars.surveillance.queries import pages
from corridor.pillars.surveillance.texts import (
    BASES,
    METHODS,
    SETTINGS,
    disease_name,
    method_name,
    named,
    period_text,
    place_text,
    shortfall_text,
)
from corridor.web.tables import Cell, Column, Table

__all__ = ["limit", "methods_told", "settings_told"]

SEE = "surveillance.see_board"


@page(SEE)
def limit(request: PersonRequest, disease: str, place: str) -> HttpResponse:
    """Show why the limit of a series is what it is: method, settings and run."""
    if known_diseases().get(disease) is None:
        raise Http404
    period = "day" if request.GET.get("period") == "day" else "week"
    run = pages.latest_run(actor=request.user, disease=disease, period=period)
    results = pages.current_results(actor=request.user, run_id=run.id if run else -1, place=place)
    return render(
        request,
        "surveillance/limit.html",
        {
            "disease": disease_name(disease),
            "place": place_text(place),
            "run": run,
            "why": methods_told(results, run.method if run else ""),
            "settings": settings_told(run.settings) if run else [],
            "basis": named(BASES, run.basis) if run else "",
            "table": _results_table(results, period),
            "counts_url": reverse("surveillance:counts") + f"?disease={disease}&place={place}&period={period}",
        },
    )


def methods_told(results: pl.DataFrame, method: str) -> list[dict[str, str]]:
    """Return each method that judged these periods, in words, with why a simpler one was taken."""
    used = results.select("method", "fallback").unique(maintain_order=True).iter_rows() if results.height else []
    found = [
        {
            "name": method_name(name),
            "text": named(METHODS, name.partition(",")[0]),
            "fallback": shortfall_text(fallback) if fallback and name != "fixed-value" else "",
        }
        for name, fallback in used
    ]
    return found or [{"name": method_name(method), "text": named(METHODS, method.partition(",")[0]), "fallback": ""}]


def settings_told(settings: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the settings of a run as they were given: in words, by the name that the documentation has, the value."""
    given = {"method": settings.get("method", ""), **settings.get("options", {})}
    given |= {name: settings[name] for name in ("offset", "fixed_value") if settings.get(name)}
    return [(named(SETTINGS, str(name)), str(name), str(value)) for name, value in given.items()]


def _results_table(results: pl.DataFrame, period: str) -> Table:
    return Table(
        caption=_("What the run said of each period, newest first"),
        columns=[
            Column("period", _("Period")),
            Column("cases", _("Cases"), kind="number"),
            Column("expected", _("Expected"), kind="number"),
            Column("limit", _("Limit"), kind="number"),
            Column("score", _("Exceedance"), kind="number"),
            Column("method", _("Method")),
        ],
        rows=[
            [
                period_text(row["start_on"], period),
                Cell(
                    row["observed"], state="alarm" if row["alarm"] else "" if row["observed"] is not None else "missing"
                ),
                _rounded(row["expected"]),
                _rounded(row["upperbound"]),
                _rounded(row["score"]),
                method_name(row["method"]),
            ]
            for row in results.iter_rows(named=True)
        ],
        quiet_caption=True,
        empty=_("This series has not been judged yet."),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
