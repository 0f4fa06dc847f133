"""The charts of surveillance: tables and translated labels in, Vega-Lite out (pure).

One definition serves the page, the report and the notebook. Colours are not named here: marks carry a style, and the
theme of the house says how ``cases``, ``signal`` or ``withheld`` look in the light and in the dark.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

ROW_HEIGHT = 220
LABELS_ACROSS = 8

# Altair checks every definition against the schema of Vega-Lite; that takes a third of a second, which a page does not
# have. So a definition is made once for each set of words, with these in place of the figures.
_ROWS = [{"rows": "@"}]
_OUTLINES = [{"outlines": "@"}]
_DOMAIN = ["@domain"]
_LABELS = "'@labels'"
_EXTENT = [[-179.125, -79.125], [179.125, 79.125]]


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One period of an epidemic curve.

    Attributes
    ----------
    start_on : first day of the period
    label : the period as the reader's language writes it, for example ``W43``
    observed : cases, or None where nothing was reported or the figure was withheld
    expected, limit : as detection gives them, or None
    is_signal : the count is above its limit
    is_incomplete : reports of this period are still coming in
    withheld_below : the limit under which the partner withheld the figure, or None
    """

    start_on: date
    label: str
    observed: int | None
    expected: float | None = None
    limit: float | None = None
    is_signal: bool = False
    is_incomplete: bool = False
    withheld_below: int | None = None


@dataclass(frozen=True, kw_only=True)
class CurveLabels:
    """The words inside an epidemic curve, translated by the caller.

    Attributes
    ----------
    period, cases, expected, limit : names of axes and lines
    signal : the word beside the mark of an alarm week
    simulated : what stands across a chart of simulated figures, or empty for real ones
    """

    period: str
    cases: str
    expected: str
    limit: str
    signal: str
    simulated: str = ""


@dataclass(frozen=True, kw_only=True)
class MapPoint:
    """One place on the map: its name, where it lies (degrees) and what was counted there."""

    name: str
    latitude: float
    longitude: float
    cases: int | None
    is_signal: bool
    is_partner: bool


@dataclass(frozen=True, kw_only=True)
class MapLabels:
    """The words inside a map, translated by the caller; `simulated` is empty for real figures."""

    place: str
    cases: str
    simulated: str = ""


def epidemic_curve(points: Sequence[CurvePoint], *, labels: CurveLabels, is_partner: bool = False) -> dict[str, Any]:
    """Return the Vega-Lite definition of one epidemic curve.

    Bars for counts, a line for the expected count, a step for the limit; alarm periods are marked and labelled, periods
    with reports still to come are hatched, a partner's withheld periods are hollow bars of the height of their rule.

    Parameters
    ----------
    points : oldest first
    is_partner : the figures came from another country, and look it

    Returns
    -------
    dict
        Vega-Lite with the data inside, width following its frame.
    """
    return _filled(
        _curve_definition(labels, is_partner),
        [
            (_ROWS, [_curve_row(point) for point in points]),
            (_DOMAIN, [point.start_on.isoformat() for point in points]),
            (_LABELS, _sparse_labels(points)),
        ],
    )


@functools.lru_cache(maxsize=64)
def _curve_definition(labels: CurveLabels, is_partner: bool) -> str:  # a cache asks for positions
    """Return the definition of a curve as JSON, with placeholders for its figures."""
    import altair as alt

    base = alt.Chart(alt.InlineData(values=_ROWS))
    period = alt.X(
        "start:O",
        title=None,
        scale=alt.Scale(domain=_DOMAIN),
        axis=alt.Axis(labelExpr=_LABELS, labelOverlap=False, ticks=False, labelAngle=0),
    )
    cases = alt.Y("value:Q", title=labels.cases, axis=alt.Axis(tickMinStep=1))
    tooltip = [alt.Tooltip("label:N", title=labels.period), alt.Tooltip("observed:Q", title=labels.cases)]
    bars = [
        base.transform_filter(f"datum.kind == '{kind}'")
        .mark_bar(style=style)
        .encode(x=period, y=cases, tooltip=tooltip)
        for kind, style in (
            ("counted", "partner-cases" if is_partner else "cases"),
            ("incomplete", "incomplete"),
            ("signal", "signal"),
            ("withheld", "withheld"),
        )
    ]
    # Layers share one axis: the whole numbers of cases hold only if every layer asks for them.
    whole = alt.Axis(tickMinStep=1)
    expected = base.mark_line(style="expected", interpolate="monotone").encode(
        x=period, y=alt.Y("expected:Q", title=labels.cases, axis=whole)
    )
    limit = base.mark_line(style="limit", interpolate="step").encode(
        x=period, y=alt.Y("limit:Q", title=labels.cases, axis=whole)
    )
    flags = (
        base.transform_filter("datum.flagged")
        .mark_text(style="signal-label", dy=-6, text="▲")
        .encode(x=period, y=cases, description=alt.value(labels.signal))
    )
    layers = [*bars, expected, limit, flags, *_watermark(labels.simulated)]
    return _finished(alt.layer(*layers).properties(width="container", height=ROW_HEIGHT))


def signal_map(
    points: Sequence[MapPoint], *, labels: MapLabels, ground: Sequence[dict[str, Any]] = (), style: str = "land"
) -> dict[str, Any]:
    """Return the Vega-Lite definition of a map: places sized by count and ringed where there is a signal.

    Parameters
    ----------
    ground : GeoJSON features within `extent`: what lies under the places
    style : how the theme draws them

    Notes
    -----
    The graticule spans the map, whatever land there is. Boundaries are indicative.
    """
    west, south, east, north = extent(points)
    return _filled(
        _map_definition(labels, style),
        [
            (_ROWS, [_map_row(point) for point in points]),
            (_EXTENT, [[west, south], [east, north]]),
            (_OUTLINES, list(ground)),
        ],
    )


@functools.lru_cache(maxsize=16)
def _map_definition(labels: MapLabels, style: str) -> str:
    """Return the definition of a map as JSON, with placeholders for its figures."""
    import altair as alt

    places = alt.Chart(alt.InlineData(values=_ROWS)).encode(
        longitude="longitude:Q",
        latitude="latitude:Q",
        size=alt.Size("cases:Q", legend=None, scale=alt.Scale(range=[16, 900])),
        tooltip=[alt.Tooltip("name:N", title=labels.place), alt.Tooltip("cases:Q", title=labels.cases)],
    )
    layers: list[alt.Chart] = [
        alt.Chart(alt.InlineData(values=_OUTLINES)).mark_geoshape(style=style),
        alt.Chart(alt.graticule(extent=_EXTENT, step=[5, 5])).mark_geoshape(style="graticule"),
        places.transform_filter("datum.kind == 'own'").mark_circle(style="place"),
        places.transform_filter("datum.kind == 'partner'").mark_circle(style="partner-place"),
        places.transform_filter("datum.ringed").mark_point(style="ring", shape="circle"),
        # Neighbours across a border lie close: one name stands above its place, the other below.
        *(
            places.transform_filter(f"datum.ringed && datum.kind == '{kind}'")
            .mark_text(style="ring-label", dy=offset)
            .encode(text="name:N", size=alt.value(11))
            for kind, offset in (("own", 26), ("partner", -24))
        ),
        *_watermark(labels.simulated),
    ]
    return _finished(alt.layer(*layers).project("mercator").properties(width="container", height=2 * ROW_HEIGHT))


def _curve_row(point: CurvePoint) -> dict[str, Any]:
    is_withheld = point.withheld_below is not None
    if is_withheld:
        kind = "withheld"
    elif point.is_signal:
        kind = "signal"
    elif point.is_incomplete:
        kind = "incomplete"
    else:
        kind = "counted"
    height = max(point.withheld_below - 1, 1) if point.withheld_below is not None else point.observed
    return {
        "start": point.start_on.isoformat(),
        "label": point.label,
        "observed": point.observed,
        "value": height,
        "expected": point.expected,
        "limit": point.limit,
        "kind": kind,
        "flagged": point.is_signal,
    }


def extent(points: Sequence[MapPoint]) -> tuple[float, float, float, float]:
    """Return west, south, east and north (degrees) of the smallest stretch of graticule around all points."""
    if not points:
        return -180.0, -60.0, 180.0, 80.0
    west = 5 * (min(point.longitude for point in points) // 5) - 5
    south = 5 * (min(point.latitude for point in points) // 5) - 5
    east = 5 * (max(point.longitude for point in points) // 5) + 10
    north = 5 * (max(point.latitude for point in points) // 5) + 10
    return max(west, -180.0), max(south, -80.0), min(east, 180.0), min(north, 80.0)


def _map_row(point: MapPoint) -> dict[str, Any]:
    return {
        "name": point.name,
        "latitude": point.latitude,
        "longitude": point.longitude,
        "cases": point.cases or 0,
        "ringed": point.is_signal,
        "kind": "partner" if point.is_partner else "own",
    }


def _sparse_labels(points: Sequence[CurvePoint]) -> str:
    """Return a Vega expression that writes every few labels, so that none overlap."""
    step = max(1, -(-len(points) // LABELS_ACROSS))
    shown = {point.start_on.isoformat(): point.label for index, point in enumerate(points) if index % step == step // 2}
    branches = "".join(f"datum.value == '{start}' ? {_quoted(label)} : " for start, label in shown.items())
    return branches + "''"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _watermark(text: str) -> list[alt.Chart]:
    """Return the word that stands inside a chart of simulated figures."""
    import altair as alt

    if not text:
        return []
    anchor = alt.Chart(alt.InlineData(values=[{}]))
    return [anchor.mark_text(style="watermark", text=text, x=alt.expr("width / 2"), y=alt.expr("height / 3"))]


def _finished(chart: alt.LayerChart | alt.FacetChart) -> str:
    return json.dumps(chart.to_dict(), ensure_ascii=False)


def _filled(definition: str, places: Sequence[tuple[object, object]]) -> dict[str, Any]:
    """Return a definition with its placeholders replaced by what stands in their place."""
    for placeholder, value in places:
        text = json.dumps(placeholder, ensure_ascii=False)
        definition = definition.replace(text, json.dumps(value, ensure_ascii=False))
    filled: dict[str, Any] = json.loads(definition)
    return filled
