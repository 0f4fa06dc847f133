"""Epidemic curves and the map as frames of a page: figures in, picture with table and download out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from corridor.base.reference import places
from corridor.pillars.surveillance.charts import (
    CurveLabels,
    CurvePoint,
    MapLabels,
    MapPoint,
    epidemic_curve,
    extent,
    signal_map,
)
from corridor.pillars.surveillance.rules import next_start, period_start
from corridor.pillars.surveillance.texts import (
    disease_name,
    listed,
    period_label,
    period_text,
    place_text,
    short_period,
    withheld_limit,
    withheld_text,
)
from corridor.web import charts, maps
from corridor.web.charts import ChartFrame
from corridor.web.tables import Cell, Column, Table

__all__ = ["SHOWN", "Point", "curve_frame", "map_frame", "point_cell", "points_between"]

SEE = "surveillance.see_board"
SHOWN = {"day": 60, "week": 52, "month": 24}
"""How many periods a curve shows."""
COMPLETE_ENOUGH = 0.8
ROWS_UNDER = 13
"""Rows of the table under a curve; the whole of it is one click away, and the page stays light."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One period of one place, own or a partner's, with everything that is said about it."""

    start_on: date
    observed: int | None = None
    expected: float | None = None
    upperbound: float | None = None
    is_signal: bool = False
    is_whole: bool = True
    withheld: str = ""
    sites_reported: int | None = None
    sites_expected: int | None = None
    url: str = ""

    @property
    def completeness(self) -> float | None:
        """The share of sites that reported, or None where it is not known."""
        if not self.sites_expected or self.sites_reported is None:
            return None
        return self.sites_reported / self.sites_expected

    @property
    def is_incomplete(self) -> bool:
        """Whether reports of this period are still to come."""
        share = self.completeness
        return not self.is_whole or (share is not None and share < COMPLETE_ENOUGH)


def points_between(rows: Iterable[Point], *, last: date, period: str) -> list[Point]:
    """Return the points of the shown periods up to the one of `last`, oldest first; one without a row is missing."""
    known = {row.start_on: row for row in rows}
    start = _first(last, period)
    points = []
    while start <= last:
        points.append(known.get(start, Point(start_on=start)))
        start = next_start(start, period)
    return points


def _first(last: date, period: str) -> date:
    number = SHOWN[period] - 1
    if period == "month":
        return period_start(last - timedelta(days=round(number * 30.44)), "month")
    return last - timedelta(days=number * (7 if period == "week" else 1))


def curve_frame(
    points: Sequence[Point],
    *,
    disease: str,
    place: str,
    period: str,
    request: HttpRequest,
    simulated: bool,
    is_partner: bool = False,
    span: str = "half",
) -> ChartFrame:
    """Return the frame of one epidemic curve with its table.

    Parameters
    ----------
    points : oldest first, one for each period
    """
    word = _("SIMULATED") if simulated else ""
    definition = epidemic_curve(
        [_curve_point(point, period) for point in points],
        labels=CurveLabels(
            period=_("Period"),
            cases=_("Cases"),
            expected=_("Expected"),
            limit=_("Limit"),
            signal=_("above the limit"),
            simulated=word,
        ),
        is_partner=is_partner,
    )
    country = place_text(place.partition("-")[0])
    title = (
        disease_name(disease) if place == place.partition("-")[0] else f"{disease_name(disease)} · {place_text(place)}"
    )
    frame = charts.frame(
        definition,
        title=f"{country} · {title}",
        description=_described(points, period),
        table=_table(points, period),
        permission=SEE,
        request=request,
        simulated=simulated,
        span="full" if span == "full" else "half",
    )
    return replace(frame, table=frame.table.head(ROWS_UNDER))


def _curve_point(point: Point, period: str) -> CurvePoint:
    return CurvePoint(
        start_on=point.start_on,
        label=short_period(point.start_on, period),
        observed=point.observed,
        expected=point.expected,
        limit=point.upperbound,
        is_signal=point.is_signal,
        is_incomplete=point.is_incomplete and point.observed is not None,
        withheld_below=(withheld_limit(point.withheld) or 2) if point.withheld else None,
    )


def _described(points: Sequence[Point], period: str) -> str:
    """Return what a curve shows, for those who do not see it."""
    parts = [
        ngettext("Cases over %(count)d period.", "Cases over %(count)d periods.", len(points)) % {"count": len(points)}
    ]
    known = [point for point in points if point.observed is not None]
    if known:
        parts.append(
            _("The last figure is %(cases)d, for %(period)s.")
            % {"cases": known[-1].observed, "period": period_text(known[-1].start_on, period)}
        )
    above = [period_text(point.start_on, period) for point in points if point.is_signal]
    parts.append(
        _("Above the limit: %(periods)s.") % {"periods": listed(above)} if above else _("None lies above its limit.")
    )
    hidden = sum(bool(point.withheld) for point in points)
    if hidden:
        parts.append(
            ngettext("%(count)d period is withheld.", "%(count)d periods are withheld.", hidden) % {"count": hidden}
        )
    return " ".join(parts)


def point_cell(point: Point) -> Cell:
    """Return the cell of a table for a point: a figure, or that it is withheld, missing or not yet complete."""
    if point.withheld:
        limit = withheld_limit(point.withheld)
        return Cell(state="withheld", below=limit, note=withheld_text(point.withheld), url=point.url)
    if point.observed is None:
        return Cell(state="missing")
    state = "alarm" if point.is_signal else "incomplete" if point.is_incomplete else ""
    return Cell(point.observed, state=state, url=point.url)  # type: ignore[arg-type]  # one of the states


def _table(points: Sequence[Point], period: str) -> Table:
    return Table(
        caption=_("Newest first"),
        columns=[
            Column("period", _("Period"), kind="week" if period != "day" else "text", sortable=True),
            Column("cases", _("Cases"), kind="number", sortable=True),
            Column("expected", _("Expected"), kind="number", sortable=True),
            Column("limit", _("Limit"), kind="number", sortable=True),
            Column("completeness", _("Completeness"), kind="percent", sortable=True),
        ],
        rows=[
            [
                period_label(point.start_on, period),
                point_cell(point),
                _rounded(point.expected),
                _rounded(point.upperbound),
                point.completeness,
            ]
            for point in reversed(points)
        ],
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def map_frame(
    latest: Sequence[tuple[str, Point, bool]],
    *,
    disease: str,
    last: str,
    request: HttpRequest,
    simulated: bool,
) -> ChartFrame | None:
    """Return the map of the last whole period, or None where fewer than two places have a position.

    Parameters
    ----------
    latest : place, its point, and whether it is a partner's
    last : the period, as the reader's language writes it
    """
    drawn: list[tuple[MapPoint, Point]] = []
    for code, point, is_partner in latest:
        place = places().get(code)
        if place is None or place.lat is None or place.lon is None:
            continue
        drawn.append(
            (
                MapPoint(
                    name=place_text(code),
                    latitude=place.lat,
                    longitude=place.lon,
                    cases=point.observed,
                    is_signal=point.is_signal,
                    is_partner=is_partner,
                ),
                point,
            )
        )
    if len(drawn) < 2:
        return None
    box = extent([each for each, _point in drawn])
    ground = maps.ground(box)
    definition: dict[str, Any] = signal_map(
        [each for each, _point in drawn],
        labels=MapLabels(place=_("Place"), cases=_("Cases"), simulated=_("SIMULATED") if simulated else ""),
        ground=ground.features,
        style=ground.style,
    )
    rising = [each.name for each, _point in drawn if each.is_signal]
    above = (
        _("Above the limit: %(places)s.") % {"places": listed(rising)} if rising else _("None lies above its limit.")
    )
    shown = ngettext("%(count)d place, sized by cases.", "%(count)d places, sized by cases.", len(drawn))
    frame = maps.frame(
        definition,
        title=_("Where is %(disease)s in %(period)s?") % {"disease": disease_name(disease), "period": last},
        description=shown % {"count": len(drawn)} + " " + above,
        table=Table(
            caption=_("Cases by place"),
            columns=[
                Column("place", _("Place"), sortable=True),
                Column("cases", _("Cases"), kind="number", sortable=True),
                Column("limit", _("Limit"), kind="number", sortable=True),
            ],
            rows=[[each.name, point_cell(point), _rounded(point.upperbound)] for each, point in drawn],
        ),
        permission=SEE,
        request=request,
        simulated=simulated,
        box=box,
        countries=tuple(dict.fromkeys(code.partition("-")[0] for code, _point, _is_partner in latest)),
        note=_("Filled: own places. Grey: partners' places. Ringed: above the limit."),
    )
    return replace(frame, table=frame.table.head(ROWS_UNDER))
