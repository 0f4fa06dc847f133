"""The map frame: the chart frame with names of countries, and what lies under the places of a map.

Where a boundary runs is for the institutions that use a map to say: ``HOME/boundaries.geojson`` holds a node's own
outlines. Without it the land of an installed package is drawn, coarse and pale, all countries alike.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from corridor.base.errors import InputFault
from corridor.base.reference import places
from corridor.web import charts
from corridor.web.chart_render import Width
from corridor.web.names import place_name
from corridor.web.outlines import Box, clipped, land
from corridor.web.tables import Table

BOUNDARY_FILE = "boundaries.geojson"
MOST_BYTES = 8 * 1024 * 1024
SHAPES = frozenset({"Polygon", "MultiPolygon", "LineString", "MultiLineString"})


class BadBoundaries(InputFault):
    """The boundary file of the home cannot be used."""

    code = "bad-boundaries"


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What lies under the places of a map: GeoJSON features, and the style in which the theme draws them."""

    features: list[dict[str, Any]]
    style: str


def ground(box: Box) -> Ground:
    """Return the node's own outlines within a box, or the land of all countries where it has loaded none.

    Raises
    ------
    BadBoundaries
        If the file is larger than 8 MiB, is no GeoJSON feature collection, or holds more than lines and areas.
    """
    home = getattr(settings, "CORRIDOR_HOME", None)
    path = Path(home) / BOUNDARY_FILE if home is not None else None
    if path is None or not path.is_file():
        return Ground(features=land(box), style="land")
    status = path.stat()
    if status.st_size > MOST_BYTES:
        raise BadBoundaries(
            f"{BOUNDARY_FILE} has {status.st_size:,} bytes; at most {MOST_BYTES:,}. Simplify the outlines."
        )
    return Ground(features=clipped(_read(path, status.st_mtime_ns), box), style="outline")


def frame(
    spec: dict[str, Any],
    *,
    title: str,
    description: str,
    table: Table,
    permission: str,
    request: HttpRequest,
    simulated: bool | None = None,
    span: Width = "half",
    note: str = "",
    countries: Sequence[str] = (),
    box: Box = (-180.0, -90.0, 180.0, 90.0),
) -> charts.ChartFrame:
    """Keep a map and return its frame; like `charts.frame`, with the names of `countries` written on it.

    Parameters
    ----------
    box : what the map shows; a name stands amid the places of its country there
    """
    kept = charts.frame(
        _with_names(spec, countries, box) if countries else spec,
        title=title,
        description=description,
        table=table,
        permission=permission,
        request=request,
        simulated=simulated,
        span=span,
        note=note,
    )
    return replace(kept, template_name="web/components/map.html")


def _with_names(spec: dict[str, Any], countries: Sequence[str], box: Box) -> dict[str, Any]:
    language = get_language() or "en"
    layer = {
        "data": {
            "values": [
                {"name": place_name(code, language=language), "lat": middle[0], "lon": middle[1]}
                for code in countries
                if (middle := _middle(code, box)) is not None
            ]
        },
        "mark": {"type": "text", "style": "country-label"},
        "encoding": {
            "longitude": {"field": "lon", "type": "quantitative"},
            "latitude": {"field": "lat", "type": "quantitative"},
            "text": {"field": "name", "type": "nominal"},
        },
    }
    return {**spec, "layer": [*spec.get("layer", []), layer]}


def _middle(code: str, box: Box) -> tuple[float, float] | None:
    """Return where the name of a country stands: the mean position (degrees) of its places in a box, None without."""
    west, south, east, north = box
    points = [
        (place.lat, place.lon)
        for place in places().children(code)
        if place.lat is not None and place.lon is not None and south <= place.lat <= north and west <= place.lon <= east
    ]
    if not points:
        return None
    return sum(lat for lat, _ in points) / len(points), sum(lon for _, lon in points) / len(points)


@functools.lru_cache(maxsize=2)
def _read(path: Path, changed: int) -> list[dict[str, Any]]:
    """Read the features of the file; `changed` makes a file that was written anew count as another one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadBoundaries(f"{BOUNDARY_FILE} is not JSON in UTF-8: {error}. Write it as GeoJSON.") from error
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list):
        raise BadBoundaries(
            f"{BOUNDARY_FILE} holds no feature collection. Write it as GeoJSON with a list of features."
        )
    for number, feature in enumerate(features, start=1):
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        shape = geometry.get("type") if isinstance(geometry, dict) else None
        if shape not in SHAPES:
            raise BadBoundaries(f"{BOUNDARY_FILE}: feature {number} is {shape!r}; it takes lines and areas.")
    return features
