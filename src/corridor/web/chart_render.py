"""From a chart's definition to a picture: Vega-Lite to Vega, to SVG, to PNG, without a browser."""

import copy
import functools
import json
import threading
from pathlib import Path
from typing import Any, Literal, TypeAlias

import vl_convert
from django.conf import settings

from corridor.base.errors import CorridorError
from corridor.web.chart_theme import COLOURS, HATCH, Theme, config, number_locale, time_locale, watermark_style

Width: TypeAlias = Literal["narrow", "half", "full"]
WIDTHS: dict[Width, int] = {"narrow": 326, "half": 580, "full": 1180}
"""Pixels: a phone of 390, half of a wide page, the whole of it. Text keeps its size, the plot takes the rest."""

PNG_SCALE = 2.0
WATERMARK_SIZES: dict[Width, int] = {"narrow": 24, "half": 40, "full": 56}
"""Pixels; the longest of the four words, the Russian one, stays inside the plot."""

TALLEST_MAP = 0.8
"""A map on a phone is at most this high, as a share of its width; the empty sea above it helps nobody."""

ONE_AT_A_TIME = threading.Lock()
"""Who calls the library holds it. The library waits for a lock of its own while it holds the interpreter's, and runs
Python while it holds its own: two threads in it wait for each other for ever, and no other thread runs any more."""

COMPOSITE = ("hconcat", "vconcat", "concat", "facet", "repeat")


class ForeignData(CorridorError):
    """A chart's definition fetches data by address; definitions carry their data."""

    code = "foreign-data"


def to_vega(spec: dict[str, Any], *, theme: Theme, width: Width, language: str, watermark: str = "") -> dict[str, Any]:
    """Compile a Vega-Lite definition in the house's style.

    Parameters
    ----------
    spec : dict
        Vega-Lite with its data inside.
    theme, width, language : str
    watermark : str
        Word that stands across the picture; empty for none.

    Returns
    -------
    dict
        Vega, for `to_svg` or for the browser.

    Raises
    ------
    ForeignData
        If the definition names an address to fetch.
    """
    if address := _address_in(spec):
        raise ForeignData(f"a chart's definition names the address {address!r}; put the data into the definition")
    sized = copy.deepcopy(spec)
    sized.pop("config", None)
    if not any(key in sized for key in COMPOSITE):
        sized["width"] = WIDTHS[width]
        sized["autosize"] = {"type": "fit-x", "contains": "padding"}
    if "projection" in sized and isinstance(sized.get("height"), (int, float)):
        sized["height"] = min(sized["height"], round(TALLEST_MAP * WIDTHS[width]))
    size = WATERMARK_SIZES[width]
    look = config(theme, language=language, watermark_size=size)
    with ONE_AT_A_TIME:
        vega: dict[str, Any] = vl_convert.vegalite_to_vega(sized, config=look)
    if watermark and '"watermark"' not in json.dumps(spec):
        _add_watermark(vega, watermark, watermark_style(theme, language=language, size=size))
    return vega


def to_svg(vega: dict[str, Any], *, theme: Theme, language: str) -> str:
    """Draw compiled Vega as SVG; nothing is fetched."""
    register_fonts()
    quiet = {**vega, "config": {**vega.get("config", {}), "aria": False}}
    with ONE_AT_A_TIME:
        svg: str = vl_convert.vega_to_svg(
            quiet,
            allowed_base_urls=[],
            format_locale=number_locale(language),
            time_format_locale=time_locale(language),
        )
    return _hatched(svg, theme)


def to_png(svg: str) -> bytes:
    """Draw an SVG picture as PNG at twice its size, for reports."""
    register_fonts()
    with ONE_AT_A_TIME:
        png: bytes = vl_convert.svg_to_png(svg, scale=PNG_SCALE)
    return png


def interactive_library() -> str:
    """Return the JavaScript that draws a compiled chart in the browser, with an interpreter in place of ``eval``."""
    with ONE_AT_A_TIME:
        library: str = vl_convert.javascript_bundle(
            "window.corridorChart = function (element, chart) {"
            " return vegaEmbed(element, chart.definition, {mode: 'vega', renderer: 'canvas', ast: true, actions: false,"
            " defaultStyle: false, tooltip: {disableDefaultStyle: true, id: 'chart-tooltip'},"
            " formatLocale: chart.numbers, timeFormatLocale: chart.times}); };"
        )
    return library


def library_version() -> str:
    """Return a name for the present versions of Vega and its companions, for the address of the library."""
    with ONE_AT_A_TIME:
        return f"{vl_convert.get_vega_version()}-{vl_convert.get_vega_embed_version()}".replace(".", "-")


def register_fonts() -> None:
    """Let pictures use the typefaces of the folder that the settings name, besides those of the system."""
    folder = getattr(settings, "CORRIDOR_FONTS", None)
    if folder is not None:
        _register(str(folder))


@functools.cache
def _register(folder: str) -> None:
    if Path(folder).is_dir():
        with ONE_AT_A_TIME:
            vl_convert.register_font_directory(folder)


def _address_in(value: Any) -> str:
    """Return the first address that a definition would fetch, or nothing."""
    if isinstance(value, dict):
        url = value.get("url")
        if isinstance(url, str):
            return url
        children = [child for key, child in value.items() if key != "values"]
        return next(filter(None, map(_address_in, children)), "")
    if isinstance(value, list):
        return next(filter(None, map(_address_in, value)), "")
    return ""


def _add_watermark(vega: dict[str, Any], word: str, style: dict[str, Any]) -> None:
    """Put the word into the plot, or into each plot of a composite."""
    plots = [mark for mark in vega.get("marks", []) if mark.get("type") == "group"] if "layout" in vega else [vega]
    middle = {"x": {"field": {"group": "width"}, "mult": 0.5}, "y": {"field": {"group": "height"}, "mult": 0.35}}
    appearance = {key: {"value": value} for key, value in style.items() if key != "color"}
    for plot in plots:
        plot.setdefault("marks", []).append(
            {
                "type": "text",
                "name": "simulated",
                "interactive": False,
                "encode": {"update": {**middle, **appearance, "text": {"value": word}}},
            }
        )


def _hatched(svg: str, theme: Theme) -> str:
    """Replace the colour that stands for a hatching by a hatching."""
    if HATCH not in svg:
        return svg
    colour = COLOURS[theme]["accent"]
    pattern = (
        '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<path d="M0,0V5" stroke="{colour}" stroke-width="2.5"/></pattern></defs>'
    )
    head, sign, rest = svg.partition(">")
    return head + sign + pattern + rest.replace(f'fill="{HATCH}"', 'fill="url(#hatch)"')
