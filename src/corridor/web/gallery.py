"""One sample of every component in every state, for the components page and its test."""

import math
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from corridor.accounts.roles import ACT
from corridor.web import charts, maps
from corridor.web.parts import Moment
from corridor.web.tables import Cell, Column, Table


class SampleForm(forms.Form):
    """A field of each kind."""

    place = forms.CharField(
        label=gettext_lazy("Place"), help_text=gettext_lazy("By name or code, in any of the four scripts.")
    )
    since_on = forms.DateField(
        label=gettext_lazy("Since"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    disease = forms.ChoiceField(
        label=gettext_lazy("Disease"),
        choices=[("measles", gettext_lazy("Measles")), ("cholera", gettext_lazy("Cholera"))],
    )
    basis = forms.ChoiceField(
        label=gettext_lazy("Date basis"),
        widget=forms.RadioSelect,
        choices=[("onset", gettext_lazy("date of onset")), ("report", gettext_lazy("date of report"))],
    )
    note = forms.CharField(label=gettext_lazy("Note"), required=False, widget=forms.Textarea(attrs={"rows": 3}))


def samples(request: HttpRequest, *, now: datetime) -> dict[str, Any]:
    """Return what the components page shows; every value is invented."""
    return {
        "now": now,
        "table": sample_table().ordered(request.GET.get("sort", "place")),
        "empty_table": Table(
            caption=_("Signals to work"),
            columns=sample_table().columns,
            rows=[],
            empty=_("No signal is open. The next run is tonight."),
        ),
        "page": Paginator(range(240), 20).get_page(request.GET.get("page", 2)),
        "moments": sample_moments(now),
        "form": SampleForm(),
        "faulty_form": SampleForm({"since_on": "tomorrow", "disease": "measles", "basis": "onset"}),
        "facts": [
            (_("Clause"), "4.1"),
            (_("Disclosure rule"), _("cells below 5 are withheld")),
            (_("Partner"), "Ministry of Health <script>"),
        ],
        "digest": "7c1e5f0b9d2a4c6e8f1a3b5d7c9e0f2a4b6c8d0e1f3a5b7c9d1e3f5a7b9ca90b",
        "curve": sample_chart(request),
        "wide_curve": sample_chart(request, span="full"),
        "map": sample_map(request),
        "long_ago": now - timedelta(days=21),
        "an_hour_ago": now - timedelta(hours=1),
        "minutes_ago": now - timedelta(minutes=3),
    }


def sample_table() -> Table:
    """Return a table with a cell in every state."""
    return Table(
        caption=_("Cases by place, invented for this page"),
        columns=[
            Column("place", _("Place"), sortable=True, foreign=True),
            Column("week", _("Week"), kind="week", sortable=True),
            Column("cases", _("Cases"), kind="number", sortable=True),
            Column("expected", _("Expected"), kind="number"),
            Column("completeness", _("Completeness"), kind="percent"),
            Column("state", _("State"), kind="badge"),
        ],
        rows=[
            ["Punjab", "2026-W45", Cell(1138, state="alarm", url="#"), 619.5, 0.96, Cell(_("new"), tone="alarm")],
            ["سندھ", "2026-W46", Cell(38, state="incomplete"), 19, 0.41, Cell(_("verifying"), tone="accent")],
            [
                "新疆维吾尔自治区",
                "2026-W46",
                Cell(state="withheld", below=5, note=_("strata below 5")),
                2,
                0.99,
                Cell(_("discarded")),
            ],
            ["Балхский край", "2026-W46", Cell(state="missing"), 12, 0.0, Cell(_("verified"))],
            ["=HYPERLINK(1)", "2026-W46", Cell(0, state="simulated"), 0, 1.0, Cell(_("new"), tone="alarm")],
        ],
        sort="place",
    )


def sample_moments(now: datetime) -> list[Moment]:
    """Return a timeline with a moment of each tone."""
    return [
        Moment(at=now - timedelta(days=9), title=_("Drafted"), actor="Ayesha Siddiqui"),
        Moment(at=now - timedelta(days=7), title=_("Signed by both parties"), text="مرحبا <b>", url="#"),
        Moment(at=now - timedelta(days=2), title=_("Limit exceeded"), tone="alarm"),
        Moment(at=now - timedelta(days=1), title=_("In force"), tone="accent"),
    ]


def sample_chart(request: HttpRequest, *, span: str = "half") -> charts.ChartFrame:
    """Return an epidemic curve with every kind of bar, drawn as the surveillance pillar draws its own."""
    weeks = [f"2026-W{number:02d}" for number in range(1, 47)]
    counts = [round(24 + 14 * math.cos(index / 7) + (index * 37 % 11)) for index in range(len(weeks))]
    kinds = ["cases"] * len(weeks)
    for index, kind in ((20, "withheld"), (23, "withheld"), (44, "signal"), (45, "incomplete")):
        kinds[index] = kind
    rows = [
        {
            "week": week,
            "cases": 4 if kind == "withheld" else count + (40 if kind == "signal" else 0),
            "expected": 28 + 13 * math.cos(index / 7),
            "limit": 44 + 15 * math.cos(index / 7),
            "kind": kind,
        }
        for index, (week, count, kind) in enumerate(zip(weeks, counts, kinds, strict=True))
    ]
    return charts.frame(
        _curve(rows),
        title=_("Influenza-like illness, invented district"),
        description=_(
            "Weekly cases over 46 weeks. Week 45 lies above its limit; two weeks are withheld; week 46 is not complete."
        ),
        table=_curve_table(rows),
        permission=ACT,
        request=request,
        simulated=True,
        span="full" if span == "full" else "half",
        note=_("own reports from 204 of 212 sites"),
    )


def sample_map(request: HttpRequest) -> charts.ChartFrame:
    """Return a map with places of two countries and a signal."""
    points = [
        {"name": "Gilgit-Baltistan", "lat": 35.8, "lon": 74.5, "cases": 40, "style": "place", "ring": True},
        {"name": "Sindh", "lat": 25.9, "lon": 68.5, "cases": 120, "style": "place", "ring": False},
        {"name": "Xinjiang", "lat": 41.1, "lon": 85.2, "cases": 75, "style": "partner-place", "ring": False},
    ]
    return maps.frame(
        _map(points),
        title=_("Where are cases counted?"),
        description=_("Three places in two countries, sized by cases; one has a signal."),
        table=Table(
            caption=_("Cases by place, invented for this page"),
            columns=[Column("place", _("Place"), foreign=True), Column("cases", _("Cases"), kind="number")],
            rows=[[point["name"], point["cases"]] for point in points],
        ),
        permission=ACT,
        request=request,
        simulated=True,
        countries=("PK", "CN"),
    )


def _curve(rows: list[dict[str, Any]]) -> dict[str, Any]:
    period = {
        "field": "week",
        "type": "ordinal",
        "title": None,
        "axis": {"labelAngle": 0, "labelExpr": "slice(datum.value, 5)", "labelOverlap": True},
    }
    bars = [
        {
            "transform": [{"filter": f"datum.kind == '{kind}'"}],
            "mark": {"type": "bar", "style": kind},
            "encoding": {"x": period, "y": {"field": "cases", "type": "quantitative", "title": _("Cases")}},
        }
        for kind in ("cases", "withheld", "signal", "incomplete")
    ]
    lines = [
        {
            "mark": {"type": "line", "style": style, "interpolate": shape},
            "encoding": {"x": period, "y": {"field": style, "type": "quantitative"}},
        }
        for style, shape in (("expected", "monotone"), ("limit", "step"))
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": rows},
        "height": 220,
        "layer": [*bars, *lines],
    }


def _curve_table(rows: list[dict[str, Any]]) -> Table:
    cells = {
        "withheld": lambda row: Cell(state="withheld", below=5, note=_("strata below 5")),
        "signal": lambda row: Cell(row["cases"], state="alarm"),
        "incomplete": lambda row: Cell(row["cases"], state="incomplete"),
        "cases": lambda row: Cell(row["cases"]),
    }
    return Table(
        caption=_("Weekly cases, newest first"),
        columns=[
            Column("week", _("Week"), kind="week"),
            Column("cases", _("Cases"), kind="number"),
            Column("expected", _("Expected"), kind="number"),
            Column("limit", _("Limit"), kind="number"),
        ],
        rows=[
            [row["week"], cells[row["kind"]](row), round(row["expected"], 1), round(row["limit"], 1)]
            for row in reversed(rows)
        ],
    )


def _map(points: list[dict[str, Any]]) -> dict[str, Any]:
    position: dict[str, Any] = {
        "longitude": {"field": "lon", "type": "quantitative"},
        "latitude": {"field": "lat", "type": "quantitative"},
    }
    size = {"field": "cases", "type": "quantitative", "legend": None, "scale": {"range": [40, 900]}}
    places: list[dict[str, Any]] = [
        {
            "transform": [{"filter": f"datum.style == '{style}'"}],
            "mark": {"type": "circle", "style": style},
            "encoding": {**position, "size": size},
        }
        for style in ("place", "partner-place")
    ]
    rings: dict[str, Any] = {
        "transform": [{"filter": "datum.ring"}],
        "mark": {"type": "point", "style": "ring"},
        "encoding": {**position, "size": size},
    }
    ground = {
        "data": {"graticule": {"step": [5, 5], "extent": [[60, 20], [125, 50]]}},
        "mark": {"type": "geoshape", "style": "graticule"},
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": points},
        "height": 320,
        "projection": {"type": "mercator"},
        "layer": [ground, *places, rings],
    }
