"""Outlines for maps: the world's land by country, cut to the stretch that a map shows (pure).

The outlines are those of `world.geo.json <https://github.com/johan/world.geo.json>`_, in the public domain, as the
package ``countryinfo`` brings them. They are coarse, all drawn alike, and say nothing on where a boundary runs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from countryinfo import CountryInfo

__all__ = ["Box", "clipped", "land"]

Point: TypeAlias = tuple[float, float]
Ring: TypeAlias = list[Point]
Box: TypeAlias = tuple[float, float, float, float]
"""West, south, east, north: degrees."""
STEP_DEGREES = 2.0
"""How far apart the corners lie that a cut side along a parallel gets."""


@functools.lru_cache(maxsize=32)
def land(box: Box) -> list[dict[str, Any]]:
    """Return the outlines of all countries within a box, as GeoJSON features without properties."""
    return clipped(_countries(), box)


def clipped(features: Iterable[dict[str, Any]], box: Box) -> list[dict[str, Any]]:
    """Return the parts of lines and areas that lie within a box, as GeoJSON features without properties.

    Outer rings come out clockwise and holes the other way round, as Vega's projections read them on the sphere; RFC
    7946 has it the other way about, and a ring drawn so would cover the world but for its inside.

    Notes
    -----
    Areas are cut by the algorithm of Sutherland and Hodgman (Communications of the ACM 17, 1974, 32-42), lines by that
    of Liang and Barsky (ACM Transactions on Graphics 3, 1984, 1-22).
    """
    areas: list[list[Ring]] = []
    lines: list[Ring] = []
    for feature in features:
        geometry = feature["geometry"]
        kind, coordinates = geometry["type"], geometry["coordinates"]
        if kind in ("Polygon", "MultiPolygon"):
            areas += _cut_areas([coordinates] if kind == "Polygon" else coordinates, box)
        else:
            for line in [coordinates] if kind == "LineString" else coordinates:
                lines += _cut_line([(point[0], point[1]) for point in line], box)
    found: list[dict[str, Any]] = [{"type": "Polygon", "coordinates": rings} for rings in areas]
    found += [{"type": "LineString", "coordinates": line} for line in lines]
    return [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in found]


@functools.lru_cache(maxsize=1)
def _countries() -> list[dict[str, Any]]:
    return [
        feature
        for country in CountryInfo.all().values()
        for feature in country.get("geoJSON", {}).get("features", ())
        if feature["geometry"]["type"] in ("Polygon", "MultiPolygon")
    ]


def _cut_areas(polygons: Sequence[Any], box: Box) -> Iterator[list[Ring]]:
    for polygon in polygons:
        rings = [_cut_ring([(point[0], point[1]) for point in ring], box) for ring in polygon]
        if rings and rings[0]:
            yield [_wound(ring, clockwise=number == 0) for number, ring in enumerate(rings) if ring]


def _cut_ring(ring: Ring, box: Box) -> Ring:
    """Return what of a closed ring lies in the box, closed; empty where nothing does."""
    points = ring[:-1] if ring and ring[0] == ring[-1] else ring
    for axis, limit, sign in ((0, box[0], 1), (1, box[1], 1), (0, box[2], -1), (1, box[3], -1)):
        kept: Ring = []
        for here, there in zip(points[-1:] + points[:-1], points, strict=True):
            is_in, was_in = sign * (there[axis] - limit) >= 0, sign * (here[axis] - limit) >= 0
            if is_in != was_in:
                share = (limit - here[axis]) / (there[axis] - here[axis])
                kept.append((here[0] + share * (there[0] - here[0]), here[1] + share * (there[1] - here[1])))
            if is_in:
                kept.append(there)
        points = kept
    return _along_parallels([*points, points[0]], box) if len(points) > 2 else []


def _along_parallels(ring: Ring, box: Box) -> Ring:
    """Return a ring that keeps to the southern and northern side of the box; an arc of the sphere would bulge."""
    kept: Ring = ring[:1]
    for here, there in itertools.pairwise(ring):
        if here[1] == there[1] and here[1] in (box[1], box[3]):
            steps = max(1, round(abs(there[0] - here[0]) / STEP_DEGREES))
            run = (there[0] - here[0]) / steps
            kept += [(here[0] + step * run, here[1]) for step in range(1, steps)]
        kept.append(there)
    return kept


def _wound(ring: Ring, *, clockwise: bool) -> Ring:
    doubled = sum(here[0] * there[1] - there[0] * here[1] for here, there in itertools.pairwise(ring))
    return ring if (doubled < 0) == clockwise else ring[::-1]


def _cut_line(line: Ring, box: Box) -> list[Ring]:
    """Return the stretches of a line that lie in the box."""
    parts: list[Ring] = []
    for here, there in itertools.pairwise(line):
        span = _cut_segment(here, there, box)
        if span is None:
            continue
        if parts and parts[-1][-1] == span[0]:
            parts[-1].append(span[1])
        else:
            parts.append([*span])
    return parts


def _cut_segment(here: Point, there: Point, box: Box) -> tuple[Point, Point] | None:
    run = there[0] - here[0], there[1] - here[1]
    first, last = 0.0, 1.0
    for towards, room in (
        (-run[0], here[0] - box[0]),
        (run[0], box[2] - here[0]),
        (-run[1], here[1] - box[1]),
        (run[1], box[3] - here[1]),
    ):
        if towards == 0:
            if room < 0:
                return None
        elif towards < 0:
            first = max(first, room / towards)
        else:
            last = min(last, room / towards)
    if first >= last:
        return None
    start = here if first == 0 else (here[0] + first * run[0], here[1] + first * run[1])
    end = there if last == 1 else (here[0] + last * run[0], here[1] + last * run[1])
    return start, end
