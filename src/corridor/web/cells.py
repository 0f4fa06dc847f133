"""Values, cells and rows of tables as HTML.

A board has some five hundred cells; a template for each takes a tenth of a second, so these are written by hand.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext

from corridor.web import formats
from corridor.web.names import place_name
from corridor.web.tables import Cell, Column, Table


def language() -> str:
    """Return the language of the page being written."""
    return get_language() or "en"


def number(value: float | Decimal | None, decimals: int | None = None) -> SafeString:
    """Write a number in the page's language; a missing one as a dash that is read as “no data”."""
    if value is None:
        return missing()
    return _figure(formats.number_text(value, language=language(), decimals=decimals))


def percent(share: float | None, decimals: int = 0) -> SafeString:
    """Write a share between 0 and 1 as a percentage."""
    if share is None:
        return missing()
    return _figure(formats.percent_text(share, language=language(), decimals=decimals))


def missing() -> SafeString:
    """Write that there is no data, for the eye and for the ear."""
    return format_html(
        '<span class="state state-missing"><span aria-hidden="true">–</span><span class="hidden-text">{}</span></span>',
        gettext("no data"),
    )


def withheld(below: int | None = None, rule: str = "") -> SafeString:
    """Write a withheld figure as withheld, with the name of the rule, never as zero or as missing."""
    text = withheld_text(below)
    name = rule or gettext("withheld by agreement")
    return format_html(
        '<span class="state state-withheld" title="{0}"><bdi>{1}</bdi><span class="hidden-text"> ({0})</span></span>',
        name,
        text,
    )


def withheld_text(below: int | None = None) -> str:
    """Return what stands in place of a withheld figure."""
    return f"<\u00a0{formats.number_text(below, language=language())}" if below else gettext("withheld")


def country(code: str) -> SafeString:
    """Write the name of a country or a place, by code, in the page's language; an unknown code stands as it is."""
    return bdi(place_name(code, language=language()))


def bdi(text: object) -> SafeString:
    """Isolate text that came from elsewhere, so that its direction cannot disturb the page."""
    return format_html('<bdi dir="auto">{}</bdi>', text)


def hash_tag(value: str, length: int = 4) -> SafeString:
    """Write a hash or an id in short, with the whole of it on focus, on hover and when copied."""
    return format_html(
        '<span class="hash" tabindex="0" title="{0}" data-copy="{0}"><bdi dir="ltr" class="hash-short" '
        'aria-hidden="true">{1}</bdi><bdi dir="ltr" class="hash-full">{0}</bdi></span>',
        value,
        short_hash(value, length),
    )


def short_hash(value: str, length: int = 4) -> str:
    """Return the first and the last `length` characters of a long value."""
    return value if len(value) <= 2 * length + 3 else f"{value[:length]}…{value[-length:]}"


def week(value: object) -> SafeString:
    """Write an epidemiological week (“2026-W46”), left to right in every language."""
    return format_html('<bdi dir="ltr" class="week">{}</bdi>', value)


def day(value: date | None) -> SafeString:
    """Write a date in words, such as “9 November 2026”."""
    if value is None:
        return missing()
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), formats.day_text(value, language=language()))


def moment(value: datetime | None) -> SafeString:
    """Write a point in time in words, with its zone."""
    if value is None:
        return missing()
    return format_html(
        '<time datetime="{}"><bdi>{}</bdi></time>', value.isoformat(), formats.moment_text(value, language=language())
    )


def badge(text: object, tone: str = "plain") -> SafeString:
    """Write a badge: ``plain``, ``accent`` (yours to do), ``alarm`` (signals alone), ``solid`` (must not be missed)."""
    return format_html('<span class="badge badge-{}">{}</span>', tone, text)


def cell_html(column: Column, content: Cell) -> SafeString:
    """Write what stands in one cell, with its state in words."""
    if content.state == "withheld":
        return withheld(content.below, content.note)
    if content.state == "missing" or content.value is None:
        return missing()
    value = value_html(column, content)
    if content.url:
        value = format_html('<a href="{}">{}</a>', content.url, value)
    state = f" state state-{content.state}" if content.state else ""
    words = [_state_word(content.state), content.note]
    told = [format_html(' <span class="state-word">{}</span>', word) for word in words if word]
    return format_html('<span class="value{}">{}{}</span>', state, value, SafeString("".join(told)))


def value_html(column: Column, content: Cell) -> SafeString:
    """Write the value of a cell as its column asks."""
    if column.kind == "badge":
        return badge(content.value, content.tone)
    writer = _WRITERS.get(column.kind)
    if writer is not None:
        return writer(content.value)
    return bdi(content.value) if column.foreign else format_html("{}", content.value)


def plain_text(column: Column, content: Cell) -> str:
    """Return what stands in one cell, with its state, as text for paper."""
    if content.state == "withheld":
        return f"\u2066{withheld_text(content.below)}\u2069"
    if content.state == "missing" or content.value is None:
        return "–"
    writer = _PLAIN_WRITERS.get(column.kind)
    # Isolated as on the page: a name of another direction must not turn the line around.
    value = writer(content.value) if writer else f"\u2068{content.value}\u2069"
    told = [word for word in (_state_word(content.state), content.note) if word]
    return f"{value} ({', '.join(told)})" if told else value


def rows_html(table: Table, *, in_place: bool = False) -> SafeString:
    """Write the rows of a table; `in_place` adds to each cell what the browser sorts it by."""
    opened = [
        (
            format_html('<td role="cell" data-label="{}"', column.label),
            SafeString(' class="figure">' if column.numeric else ">"),
        )
        for column in table.columns
    ]
    written = []
    for row in table.cells():
        written.append('\n<tr role="row">')
        for (column, content), (begun, ended) in zip(row, opened, strict=True):
            order = format_html(' data-value="{}"', sort_value(content)) if in_place else ""
            written += (begun, order, ended, cell_html(column, content), "</td>")
        written.append("</tr>")
    return SafeString("".join(written))


def sort_value(content: Cell) -> str:
    """Return what the browser sorts a cell by; empty where no order is known."""
    if content.value is None or content.state in {"withheld", "missing"}:
        return ""
    return content.value.isoformat() if isinstance(content.value, date) else str(content.value)


def _figure(text: str) -> SafeString:
    return format_html('<bdi class="number">{}</bdi>', text)


def _state_word(state: str) -> str:
    if state == "incomplete":
        return gettext("not yet complete")
    if state == "simulated":
        return gettext("simulated")
    return gettext("above the limit") if state == "alarm" else ""


def _as_date(value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])


def _as_moment(value: object) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))


_WRITERS: Mapping[str, Callable[[Any], SafeString]] = {
    "number": number,
    "percent": percent,
    "day": lambda value: day(_as_date(value)),
    "moment": lambda value: moment(_as_moment(value)),
    "week": week,
    "country": lambda value: country(str(value)),
    "hash": lambda value: hash_tag(str(value)),
}
_PLAIN_WRITERS: Mapping[str, Callable[[Any], str]] = {
    "number": lambda value: formats.number_text(value, language=language()),
    "percent": lambda value: formats.percent_text(value, language=language()),
    "day": lambda value: formats.day_text(_as_date(value), language=language()),
    "moment": lambda value: formats.moment_text(_as_moment(value), language=language()),
    "country": lambda value: place_name(str(value), language=language()),
    "hash": lambda value: short_hash(str(value)),
}
