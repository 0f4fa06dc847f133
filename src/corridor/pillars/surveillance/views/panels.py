"""What the board shows of one disease: the curves, the map and the tables of the last periods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
from django.urls import reverse
from django.utils.translation import gettext as _

from corridor.accounts.access import PersonRequest
from corridor.base.reference import diseases as known_diseases
from corridor.pillars.surveillance import queries
from corridor.pillars.surveillance.forms import BoardForm
from corridor.pillars.surveillance.texts import period_text, place_text, withheld_text
from corridor.pillars.surveillance.views.curves import (
    SHOWN,
    Point,
    curve_frame,
    map_frame,
    point_cell,
    points_between,
)
from corridor.web.charts import ChartFrame
from corridor.web.tables import Cell, Column, Table

__all__ = ["Curve", "latest_tables", "shown"]

LATEST = 4
PLACES = 12


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One curve of the board with its source line."""

    frame: ChartFrame
    country: str
    place: str
    is_partner: bool
    last: Point | None
    period: str
    definition: str
    why_url: str = ""
    updated_at: datetime | None = None
    agreement: str = ""
    crossing_id: int | None = None
    withheld: str = ""


def shown(
    request: PersonRequest, view: queries.Board
) -> tuple[list[Curve], tuple[str, ChartFrame | None] | None, BoardForm]:
    """Return the curves, the map of the last whole period, and the chooser."""
    own_places = view.own["place"].unique().to_list()
    nodes = {
        node: sorted(view.partners.filter(pl.col("from_node") == node)["place"].unique())
        for node, _place in view.partner_curves
    }
    form = BoardForm(
        {
            "disease": view.disease,
            "period": view.period,
            "place": view.own_place,
            **{f"place-{node}": place for node, place in view.partner_curves},
        },
        diseases=view.diseases,
        places=own_places,
        partners=nodes,
    )
    if not own_places and not nodes:
        return [], None, form
    last = max(day for day in (view.own["start_on"].max(), view.partners["start_on"].max()) if isinstance(day, date))
    alerts = {
        (alert.place, alert.start_on) for alert in view.alerts if alert.disease == view.disease and alert.start_on
    }
    span = "half" if view.own_place and nodes else "full"
    curves = [_own_curve(request, view, last, span=span)] if view.own_place else []
    curves += [
        _partner_curve(request, view, node, place, figures, last=last, alerts=alerts)
        for (node, place), figures in view.partner_curves.items()
    ]
    return curves, _map(request, view, alerts), form


def _own_point(view: queries.Board, row: dict[str, Any], *, base: str) -> Point:
    return Point(
        start_on=row["start_on"],
        observed=row["observed"],
        expected=row["expected"],
        upperbound=row["upperbound"],
        is_signal=bool(row["alarm"]),
        is_whole=row["is_whole"],
        sites_reported=row["sites_reported"],
        sites_expected=row["sites_expected"],
        url=f"{base}{view.disease}/{row['place']}/{row['start_on']}/?period={view.period}",
    )


def _own_curve(request: PersonRequest, view: queries.Board, last: date, *, span: str) -> Curve:
    place, base = view.own_place, reverse("surveillance:counts")
    mine = view.own_curve.tail(2 * SHOWN[view.period])
    rows = [_own_point(view, row, base=base) for row in mine.iter_rows(named=True)]
    points = points_between(rows, last=last, period=view.period)
    known = [point for point in points if point.observed is not None and point.is_whole]
    disease = known_diseases().get(view.disease)
    return Curve(
        frame=curve_frame(
            points,
            disease=view.disease,
            place=place,
            period=view.period,
            request=request,
            simulated=view.simulated,
            span=span,
        ),
        country=place.partition("-")[0],
        place=place,
        is_partner=False,
        last=known[-1] if known else None,
        period=period_text(known[-1].start_on, view.period) if known else "",
        definition=disease.definition if disease is not None else "",
        why_url=reverse("surveillance:limit", args=[view.disease, place]) + f"?period={view.period}",
        updated_at=view.as_of,
    )


def _partner_point(row: dict[str, Any], alerts: set[tuple[str, date]]) -> Point:
    above = row["upperbound"] is not None and row["value"] is not None and row["value"] > row["upperbound"]
    return Point(
        start_on=row["start_on"],
        observed=row["value"],
        expected=row["expected"],
        upperbound=row["upperbound"],
        is_signal=above or (row["value"] is not None and (row["place"], row["start_on"]) in alerts),
        withheld=row["withheld"],
        sites_reported=row["sites_reported"],
        sites_expected=row["sites_expected"],
        url=reverse("exchange:crossing", args=[row["crossing_id"]]) if row["crossing_id"] else "",
    )


def _partner_curve(
    request: PersonRequest,
    view: queries.Board,
    node: str,
    place: str,
    figures: pl.DataFrame,
    *,
    last: date,
    alerts: set[tuple[str, date]],
) -> Curve:
    rows = figures.sort("start_on").tail(2 * SHOWN[view.period]).to_dicts()
    points = points_between([_partner_point(row, alerts) for row in rows], last=last, period=view.period)
    newest = rows[-1] if rows else None
    fresh = next((each for each in view.freshness if each.from_node == node), None)
    hidden = [point.withheld for point in points if point.withheld]
    known = [point for point in points if point.observed is not None or point.withheld]
    return Curve(
        frame=curve_frame(
            points,
            disease=view.disease,
            place=place,
            period=view.period,
            request=request,
            simulated=any(row["simulated"] for row in rows),
            is_partner=True,
        ),
        country=place.partition("-")[0],
        place=place,
        is_partner=True,
        last=known[-1] if known else None,
        period=period_text(known[-1].start_on, view.period) if known else "",
        definition=newest["case_classes"] if newest else "",
        updated_at=fresh.received_at if fresh else None,
        agreement=newest["agreement"] if newest else "",
        crossing_id=newest["crossing_id"] if newest else None,
        withheld=withheld_text(hidden[-1]) if hidden else "",
    )


def _map(
    request: PersonRequest, view: queries.Board, alerts: set[tuple[str, date]]
) -> tuple[str, ChartFrame | None] | None:
    """Return the last whole period and the map of it."""
    whole = view.own.filter(pl.col("is_whole") & pl.col("observed").is_not_null())["start_on"].max()
    last = whole if isinstance(whole, date) else view.partners["start_on"].max()
    if not isinstance(last, date):
        return None
    own = [
        (
            row["place"],
            Point(start_on=last, observed=row["observed"], upperbound=row["upperbound"], is_signal=bool(row["alarm"])),
            False,
        )
        for row in view.own.filter(
            (pl.col("start_on") == last) & pl.col("place").str.contains("-", literal=True)
        ).iter_rows(named=True)
    ]
    theirs = [
        (row["place"], _partner_point(row, alerts), True)
        for row in view.partners.filter(
            (pl.col("start_on") == last) & pl.col("place").str.contains("-", literal=True)
        ).iter_rows(named=True)
    ]
    label = period_text(last, view.period)
    return label, map_frame(
        [*own, *theirs], disease=view.disease, last=label, request=request, simulated=view.simulated
    )


def latest_tables(view: queries.Board) -> list[dict[str, Any]]:
    """Return the figures of the last periods by place: one's own, then each partner's."""
    tables = []
    counts = reverse("surveillance:counts")
    if not view.own.is_empty():
        whole = view.own.filter(pl.col("is_whole") & pl.col("observed").is_not_null())
        tables.append(
            _latest_table(
                view,
                view.own,
                _last_starts(whole),
                column="observed",
                point=lambda row: _own_point(view, row, base=counts),
                caption=_("Own places"),
                more=f"{counts}?disease={view.disease}",
            )
        )
    for node in sorted(view.partners["from_node"].unique()):
        mine = view.partners.filter(pl.col("from_node") == node)
        country = place_text(mine["place"][0].partition("-")[0])
        tables.append(
            _latest_table(
                view,
                mine,
                _last_starts(mine),
                column="value",
                point=lambda row: _partner_point(row, set()),
                caption=_("Places of %(country)s, as it sent them") % {"country": country},
                more="",
            )
        )
    return tables


def _last_starts(figures: pl.DataFrame) -> list[date]:
    return figures["start_on"].unique().sort().tail(LATEST).to_list()


def _latest_table(
    view: queries.Board,
    figures: pl.DataFrame,
    starts: Sequence[date],
    *,
    column: str,
    point: Callable[[dict[str, Any]], Point],
    caption: str,
    more: str,
) -> dict[str, Any]:
    """Return the table of the places with the most cases; `column` holds the figure, `point` reads a row."""
    latest = figures.filter(pl.col("start_on").is_in(pl.Series(starts, dtype=pl.Date).implode()))
    # Where a place has several figures of a period, the last one shows, and it is the one that weighs.
    weights = (
        latest.unique(["place", "start_on"], keep="last").group_by("place").agg(pl.col(column).sum().alias("cases"))
    )
    places = weights.sort(["cases", "place"], descending=[True, False])["place"].to_list()
    chosen = pl.Series(places[:PLACES], dtype=pl.String).implode()
    cells = {
        (row["place"], row["start_on"]): point_cell(point(row))
        for row in latest.filter(pl.col("place").is_in(chosen)).iter_rows(named=True)
    }
    columns = [Column("place", _("Place"))]
    columns += [
        Column(f"p{number}", period_text(start, view.period), kind="number") for number, start in enumerate(starts)
    ]
    rows = [
        [place_text(place), *(cells.get((place, start), Cell(state="missing")) for start in starts)]
        for place in places[:PLACES]
    ]
    return {"table": Table(caption=caption, columns=columns, rows=rows), "more": more if len(places) > PLACES else ""}
