"""The charts of studies: numbers and translated labels in, Vega-Lite out (pure).

Colours are not named here: marks carry a style of the house's theme. Labels stand beside what they name, so that no
chart needs its colours to be read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["CurveArm", "Effect", "forest_plot", "love_plot", "share_plot", "survival_plot"]

ROW_HEIGHT = 30
CURVE_HEIGHT = 300
AT_RISK_TIMES = 7
_ARM_STYLES = ("cases", "limit", "expected", "partner-cases")
_LOG_LEAST = 1e-3
_LABEL_PIXELS = 190
_LINE_LETTERS = 28
_ABOVE = {"align": "left", "dx": 4, "dy": -12}
_BELOW = {"align": "right", "dx": -4, "dy": 14}
_LABEL_AT = 0.7
"""Where along the time a curve bears its name, as a share of the longest follow-up."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One row of a forest plot: an estimate with its interval, in words at the left."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class CurveArm:
    """One curve of survival.

    Attributes
    ----------
    times : days at which `survival` falls, rising
    survival : share that is free of the event from that day on
    at_risk : persons at risk just before each of `times`
    """

    label: str
    times: Sequence[float]
    survival: Sequence[float]
    at_risk: Sequence[float]


def forest_plot(effects: Sequence[Effect], *, axis: str, is_ratio: bool = True) -> dict[str, Any]:
    """Return the Vega-Lite definition of a forest plot.

    Parameters
    ----------
    effects : top to bottom
    axis : title of the axis, such as "Hazard ratio (95% interval)"
    is_ratio : the axis is logarithmic and no effect is 1; else linear and 0

    Returns
    -------
    dict
        Vega-Lite with the data inside.
    """
    rows: list[dict[str, Any]] = [
        {"label": _folded(each.label), "value": each.value, "low": each.low, "high": each.high}
        for each in effects
        if not is_ratio or each.low > _LOG_LEAST
    ]
    scale = _effect_scale(rows, is_ratio=is_ratio)
    x = {"type": "quantitative", "title": axis, "scale": scale, "axis": {"tickCount": 6, "grid": False}}
    y = _rows_axis([row["label"] for row in rows])
    return _layers(
        [
            _mark("rule", "graticule", [{"none": 1.0 if is_ratio else 0.0}], {"x": {**x, "field": "none"}}),
            _mark("rule", "expected", rows, {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}}),
            _mark(
                {"type": "point", "filled": True, "size": 70, "shape": "square", "opacity": 1},
                "cases",
                rows,
                {"y": y, "x": {**x, "field": "value"}, "tooltip": [{"field": name} for name in ("label", "value")]},
            ),
        ],
        height=ROW_HEIGHT * max(len(rows), 2),
    )


def love_plot(
    differences: Sequence[tuple[str, float]],
    *,
    axis: str,
    before: Sequence[tuple[str, float]] = (),
    tolerated: float = 0.1,
) -> dict[str, Any]:
    """Return the Vega-Lite definition of a love plot: absolute standardised differences by variable.

    Parameters
    ----------
    differences : name and difference of each variable, as points
    axis : title of the axis
    before : the same before weighting, as crosses
    tolerated : where the line stands

    Notes
    -----
    Below 0.1 the arms are commonly called balanced: Austin 2009, Statistics in Medicine 28:3083.
    """
    rows: list[dict[str, Any]] = [{"label": _folded(label), "value": abs(value)} for label, value in differences]
    crosses: list[dict[str, Any]] = [{"label": _folded(label), "value": abs(value)} for label, value in before]
    most = max([2 * tolerated, *(1.1 * row["value"] for row in (*rows, *crosses))])
    scale = {"domain": [0, most], "nice": False}
    x = {"type": "quantitative", "title": axis, "axis": {"grid": False, "tickCount": 5}, "scale": scale}
    y = _rows_axis([row["label"] for row in rows])
    return _layers(
        [
            _mark("rule", "limit", [{"none": tolerated}], {"x": {**x, "field": "none"}}),
            _mark(
                {"type": "point", "shape": "cross", "filled": True, "size": 70, "opacity": 1},
                "partner-cases",
                crosses,
                {"y": y, "x": {**x, "field": "value"}},
            ),
            _mark(
                {"type": "point", "filled": True, "size": 80, "opacity": 1},
                "cases",
                rows,
                {"y": y, "x": {**x, "field": "value"}},
            ),
        ],
        height=ROW_HEIGHT * max(len(rows), 3),
    )


def survival_plot(arms: Sequence[CurveArm], *, time: str, survival: str) -> dict[str, Any]:
    """Return the Vega-Lite definition of Kaplan-Meier curves, with the numbers at risk under them.

    Parameters
    ----------
    arms : at most four
    time, survival : titles of the axes
    """
    last = max((arm.times[-1] for arm in arms if len(arm.times)), default=1.0)
    ticks = [round(last * step / (AT_RISK_TIMES - 1)) for step in range(AT_RISK_TIMES)]
    depth = 0.09
    y = {
        "type": "quantitative",
        "title": survival,
        "scale": {"domain": [-depth * (len(arms) + 0.5), 1.0]},
        "axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": "%", "grid": True},
    }
    x = {
        "type": "quantitative",
        "title": time,
        "scale": {"domain": [-0.11 * last, last * 1.02], "nice": False},
        "axis": {"values": ticks, "grid": False},
    }
    highest = max((_survival(arm, _LABEL_AT * last) for arm in arms), default=1.0)
    layers = []
    for number, arm in enumerate(arms[: len(_ARM_STYLES)]):
        style = _ARM_STYLES[number]
        steps = [{"t": 0.0, "s": 1.0}] + [
            {"t": float(t), "s": float(s)} for t, s in zip(arm.times, arm.survival, strict=True)
        ]
        level = -depth * (number + 1)
        label: dict[str, Any] = {"t": _LABEL_AT * last, "s": _survival(arm, _LABEL_AT * last), "word": arm.label}
        at_risk = [{"t": tick, "s": level, "word": f"{_at_risk(arm, tick):.0f}"} for tick in ticks]
        layers += [
            _mark(
                {"type": "line", "interpolate": "step-after"},
                style,
                steps,
                {"x": {**x, "field": "t"}, "y": {**y, "field": "s"}},
            ),
            # Curves fall: above one there is room to the right of a point, below one to the left.
            _words([label], x, y, _ABOVE if label["s"] >= highest else _BELOW),
            _words(at_risk, x, y, {"align": "center"}),
            _mark(
                {"type": "point", "filled": True, "size": 40, "shape": "square", "opacity": 1},
                style,
                [{"t": -0.1 * last, "s": level}],
                {"x": {**x, "field": "t"}, "y": {**y, "field": "s"}},
            ),
        ]
    return _layers(layers, height=CURVE_HEIGHT)


def share_plot(
    lines: Sequence[tuple[str, Sequence[float], Sequence[float]]], *, value: str, share: str, is_step: bool = False
) -> dict[str, Any]:
    """Return the Vega-Lite definition of rising shares of patients, each line with its name where there are several.

    Parameters
    ----------
    lines : at most four, each its name, values and the share up to each of them, from 0 to 1
    value, share : titles of the axes
    is_step : shares rise at the values; else evenly between them
    """
    first, last = min(values[0] for _, values, _ in lines), max(values[-1] for _, values, _ in lines)
    x = {"type": "quantitative", "title": value, "scale": {"domain": [first, last], "nice": False}}
    x |= {"axis": {"grid": False, "tickCount": 6}}
    y = {"type": "quantitative", "title": share, "scale": {"domain": [0, 1]}}
    y |= {"axis": {"values": [0, 0.25, 0.5, 0.75, 1], "format": "%", "grid": True}}
    at = first + _LABEL_AT * (last - first)
    highest = max(_share_at(values, shares, at) for _, values, shares in lines)
    layers = []
    for style, (label, values, shares) in zip(_ARM_STYLES, lines, strict=False):
        points = [{"t": float(t), "s": float(s)} for t, s in zip(values, shares, strict=True)]
        mark = {"type": "line", "interpolate": "step-after" if is_step else "linear"}
        layers.append(_mark(mark, style, points, {"x": {**x, "field": "t"}, "y": {**y, "field": "s"}}))
        if len(lines) > 1:
            here = _share_at(values, shares, at)
            name = {"t": at, "s": here, "word": label}
            layers.append(_words([name], x, y, {"align": "center", "dy": -18 if here >= highest else 16}))
    return _layers(layers, height=CURVE_HEIGHT)


def _share_at(values: Sequence[float], shares: Sequence[float], at: float) -> float:
    """Return the share up to the last of `values` that is not above `at`."""
    return next((s for t, s in zip(reversed(values), reversed(shares), strict=True) if t <= at), 0.0)


def _survival(arm: CurveArm, at: float) -> float:
    """Return the share that is free of the event on a day."""
    return next((s for t, s in zip(reversed(arm.times), reversed(arm.survival), strict=True) if t <= at), 1.0)


def _at_risk(arm: CurveArm, at: float) -> float:
    """Return how many are at risk just before a day: those of the first time at or after it."""
    return next((count for t, count in zip(arm.times, arm.at_risk, strict=True) if t >= at), 0.0)


def _effect_scale(rows: Sequence[dict[str, Any]], *, is_ratio: bool) -> dict[str, Any]:
    """Return a scale that holds every interval and no effect, with a margin on both sides."""
    none = 1.0 if is_ratio else 0.0
    least, most = min([none, *(row["low"] for row in rows)]), max([none, *(row["high"] for row in rows)])
    if is_ratio:
        return {"type": "log", "nice": False, "domain": [least / 1.15, most * 1.15]}
    margin = 0.08 * (most - least) or 1.0
    return {"nice": False, "zero": False, "domain": [least - margin, most + margin]}


def _rows_axis(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "field": "label",
        "type": "nominal",
        "title": None,
        "sort": list(labels),
        "axis": {
            "labelLimit": _LABEL_PIXELS,
            "labelExpr": "split(datum.label, '\\n')",
            # Lines of a label go down from where a single one stands: half a line up centres two.
            "labelOffset": {"condition": {"test": "indexof(datum.label, '\\n') > 0", "value": -6}, "value": 0},
            "ticks": False,
            "domain": False,
        },
    }


def _folded(label: str) -> str:
    """Return a long label in two lines, broken at the blank nearest to its middle."""
    blanks = [place for place, letter in enumerate(label) if letter == " "]
    if len(label) <= _LINE_LETTERS or not blanks:
        return label
    middle = min(blanks, key=lambda place: abs(place - len(label) / 2))
    return f"{label[:middle]}\n{label[middle + 1 :]}"


def _mark(
    mark: str | dict[str, Any], style: str, rows: list[dict[str, Any]], encoding: dict[str, Any]
) -> dict[str, Any]:
    described = {"type": mark} if isinstance(mark, str) else mark
    return {"mark": {**described, "style": style}, "data": {"values": _finite(rows)}, "encoding": encoding}


def _words(rows: list[dict[str, Any]], x: dict[str, Any], y: dict[str, Any], look: dict[str, Any]) -> dict[str, Any]:
    encoding = {"x": {**x, "field": "t"}, "y": {**y, "field": "s"}, "text": {"field": "word"}}
    return _mark({"type": "text", **look}, "ring-label", rows, encoding)


def _layers(layers: list[dict[str, Any]], *, height: int) -> dict[str, Any]:
    return {"layer": layers, "width": "container", "height": height}


def _finite(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if all(not isinstance(each, float) or math.isfinite(each) for each in row.values())]
