"""The chart frame: a definition in, a picture with its table and its download on the page out."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language, gettext

from corridor.accounts.models import Person
from corridor.accounts.roles import require
from corridor.web import chart_render, chart_store
from corridor.web.chart_render import Width
from corridor.web.chart_store import ChartRecord, NoSuchChart
from corridor.web.chart_theme import COLOURS, THEMES, Theme, number_locale, time_locale
from corridor.web.shell import is_simulated
from corridor.web.tables import Table

ROWS_ON_PAGE = 60
TYPES = {"svg": "image/svg+xml", "png": "image/png", "json": "application/json"}

__all__ = ["ROWS_ON_PAGE", "ChartFrame", "NoSuchChart", "Rendered", "frame", "picture", "prerender", "readable_chart"]


@dataclass(frozen=True)
class ChartFrame:
    """A chart as ``{% chart frame %}`` shows it.

    Attributes
    ----------
    digest : str
        Names the chart in addresses; it changes with the data, the language and the labels.
    title, description : str
        The description says in words what the chart shows; it stands in for the picture.
    table : Table
        The figures, at most `ROWS_ON_PAGE` of them; `row_count` says how many there are.
    span : str
        ``half`` or ``full`` width of the page.
    note : str
        What must be said about the chart, such as where the figures came from.
    """

    digest: str
    title: str
    description: str
    table: Table
    row_count: int
    simulated: bool
    span: Width = "half"
    note: str = ""
    template_name: str = field(default="web/components/chart.html")

    @property
    def has_more_rows(self) -> bool:
        """Whether the table on the page is cut."""
        return self.row_count > len(self.table.rows)

    @property
    def pixels(self) -> int:
        """Width of the picture on a wide page."""
        return chart_render.WIDTHS[self.span]

    @property
    def definition_url(self) -> str:
        """Where the browser fetches the interactive chart, with places for theme and width."""
        return picture_url(self.digest, theme="THEME", width="WIDTH", form="json")

    @property
    def library_url(self) -> str:
        """Where the browser fetches the library that draws it."""
        return reverse("web:chart-library", kwargs={"version": chart_render.library_version()})


@dataclass(frozen=True)
class Rendered:
    """A picture and its media type."""

    data: bytes
    media_type: str


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
) -> ChartFrame:
    """Keep a chart and return its frame for the page.

    Parameters
    ----------
    spec : dict
        Vega-Lite with its data inside and its labels translated.
    title : str
    description : str
        What the chart shows, in a sentence or two, for those who do not see it.
    table : Table
        The same figures as a table, newest first where they are a series.
    permission : str
        The permission of the page: pictures, table and download ask for it again.
    request : HttpRequest
    simulated : bool, optional
        Whether the figures are invented; by default what the node's settings say.
    span : str
        ``half`` or ``full`` width of the page.
    note : str
        A line under the picture.

    Returns
    -------
    ChartFrame
        For ``{% chart frame %}``.
    """
    marked = is_simulated() if simulated is None else simulated
    digest = chart_store.keep(
        ChartRecord(
            spec=spec,
            title=title,
            description=description,
            language=getattr(request, "LANGUAGE_CODE", None) or get_language() or "en",
            permission=permission,
            watermark=gettext("SIMULATED") if marked else "",
            table=table,
        )
    )
    return ChartFrame(
        digest=digest,
        title=title,
        description=description,
        table=table.head(ROWS_ON_PAGE),
        row_count=len(table.rows),
        simulated=marked,
        span=span,
        note=note,
    )


def readable_chart(digest: str, *, actor: Person) -> ChartRecord:
    """Return a kept chart to someone who may open the page that it belongs to.

    Raises
    ------
    NoSuchChart
        If it is not kept.
    NotPermitted
        If the person lacks the permission of its page.
    """
    record = chart_store.record(digest)
    require(actor, record.permission)
    return record


def picture(record: ChartRecord, digest: str, *, theme: Theme, width: Width, form: str) -> Rendered:
    """Return a picture of a chart, or its compiled definition, rendering it when it was not rendered yet.

    Parameters
    ----------
    record : ChartRecord
        As `readable_chart` gave it to someone who may see it.
    digest : str
        Of the record.
    theme, width : str
    form : ``svg``, ``png`` or ``json``
    """
    return Rendered(data=_rendering(record, digest, theme=theme, width=width, form=form), media_type=TYPES[form])


def prerender(digest: str) -> int:
    """Render the pictures that a page may ask for first, and return how many there are now."""
    record = chart_store.record(digest)
    widths: tuple[Width, ...] = ("narrow", "half", "full")
    variants = [(theme, width) for theme in THEMES for width in widths]
    for theme, width in variants:
        _rendering(record, digest, theme=theme, width=width, form="svg")
    return len(variants)


def picture_url(digest: str, *, theme: str, width: str, form: str) -> str:
    """Return the address of a picture."""
    return reverse("web:chart-picture", kwargs={"digest": digest, "theme": theme, "width": width, "form": form})


def _rendering(record: ChartRecord, digest: str, *, theme: Theme, width: Width, form: str) -> bytes:
    variant = f"{theme}.{width}.{form}"
    kept = chart_store.rendering(digest, variant)
    if kept is None:
        kept = _render(record, theme=theme, width=width, form=form)
        chart_store.keep_rendering(digest, variant, kept)
    return kept


def _render(record: ChartRecord, *, theme: Theme, width: Width, form: str) -> bytes:
    vega = chart_render.to_vega(
        record.spec, theme=theme, width=width, language=record.language, watermark=record.watermark
    )
    if form == "json":
        live = {
            "definition": vega,
            "numbers": number_locale(record.language),
            "times": time_locale(record.language),
        }
        return json.dumps(live, ensure_ascii=False, separators=(",", ":")).encode()
    if form == "png":  # a report may lie on any ground; the picture brings its own
        vega["background"] = COLOURS[theme]["paper"]
    svg = chart_render.to_svg(vega, theme=theme, language=record.language)
    return svg.encode() if form == "svg" else chart_render.to_png(svg)
