"""The template tags that every page uses: ``{% load corridor_web %}``."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.http import QueryDict
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext
from django.utils.translation import ngettext as _n

from corridor.base.clock import utcnow
from corridor.web import formats, shell
from corridor.web.charts import ChartFrame, picture_url
from corridor.web.names import place_name
from corridor.web.tables import Cell, Column, Table, as_cell

register = template.Library()


def language() -> str:
    """Return the language of the page being written."""
    return get_language() or "en"


@register.simple_tag(name="shell", takes_context=True)
def shell_tag(context: Context) -> shell.Shell:
    """Give the base template what the header and the strip show to this person."""
    return shell.for_request(getattr(context, "request", None) or context.get("request"))


@register.simple_tag
def number(value: float | Decimal | None, decimals: int | None = None) -> str:
    """Write a number in the page's language; a missing one as a dash that is read as “no data”."""
    if value is None:
        return missing()
    text = formats.number_text(value, language=language(), decimals=decimals)
    return format_html('<bdi class="number">{}</bdi>', text)


@register.simple_tag
def percent(share: float | None, decimals: int = 0) -> str:
    """Write a share between 0 and 1 as a percentage."""
    if share is None:
        return missing()
    return format_html(
        '<bdi class="number">{}</bdi>', formats.percent_text(share, language=language(), decimals=decimals)
    )


@register.simple_tag
def missing() -> SafeString:
    """Write that there is no data, for the eye and for the ear."""
    return format_html(
        '<span class="state state-missing"><span aria-hidden="true">–</span><span class="hidden-text">{}</span></span>',
        gettext("no data"),
    )


@register.simple_tag
def withheld(below: int | None = None, rule: str = "") -> SafeString:
    """Write a withheld figure as withheld, with the name of the rule, never as zero or as missing."""
    text = f"<\u00a0{formats.number_text(below, language=language())}" if below else gettext("withheld")
    name = rule or gettext("withheld by agreement")
    return format_html(
        '<span class="state state-withheld" title="{0}"><bdi>{1}</bdi><span class="hidden-text"> ({0})</span></span>',
        name,
        text,
    )


@register.simple_tag
def country(code: str) -> SafeString:
    """Write the name of a country or a place, by code, in the page's language; an unknown code stands as it is."""
    return bdi(place_name(code, language=language()))


@register.simple_tag
def bdi(text: object) -> SafeString:
    """Isolate text that came from elsewhere, so that its direction cannot disturb the page."""
    return format_html('<bdi dir="auto">{}</bdi>', text)


@register.simple_tag(name="hash")
def hash_tag(value: str, length: int = 4) -> SafeString:
    """Write a hash or an id in short, with the whole of it on focus, on hover and when copied."""
    return SafeString(
        render_to_string(
            "web/components/hash.html", {"value": value, "length": length, "short": short_hash(value, length)}
        )
    )


def short_hash(value: str, length: int = 4) -> str:
    """Return the first and the last `length` characters of a long value."""
    return value if len(value) <= 2 * length + 3 else f"{value[:length]}…{value[-length:]}"


@register.simple_tag
def since(moment: datetime | None, now: datetime | None = None) -> SafeString:
    """Write how long ago something was (“3 minutes ago”), with the exact time on hover and for machines."""
    if moment is None:
        return format_html("<span>{}</span>", gettext("never"))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        formats.moment_text(moment, language=language()),
        since_text(moment, now=now or utcnow()),
    )


def since_text(moment: datetime, *, now: datetime) -> str:
    """Return how long before `now` a moment was, in the largest unit that fits; times ahead count as just now."""
    seconds = int((now - moment).total_seconds())
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 1:
        return gettext("just now")
    if hours < 1:
        return _n("%(count)d minute ago", "%(count)d minutes ago", minutes) % {"count": minutes}
    if days < 1:
        return _n("%(count)d hour ago", "%(count)d hours ago", hours) % {"count": hours}
    return _n("%(count)d day ago", "%(count)d days ago", days) % {"count": days}


@register.simple_tag
def week(value: object) -> SafeString:
    """Write an epidemiological week (“2026-W46”), left to right in every language."""
    return format_html('<bdi dir="ltr" class="week">{}</bdi>', value)


@register.simple_tag
def day(value: date | None) -> SafeString:
    """Write a date in words, such as “9 November 2026”."""
    if value is None:
        return missing()
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), formats.day_text(value, language=language()))


@register.simple_tag
def moment(value: datetime | None) -> SafeString:
    """Write a point in time in words, with its zone."""
    if value is None:
        return missing()
    return format_html(
        '<time datetime="{}"><bdi>{}</bdi></time>', value.isoformat(), formats.moment_text(value, language=language())
    )


@register.simple_tag
def badge(text: object, tone: str = "plain") -> SafeString:
    """Write a badge: ``plain``, ``accent`` (yours to do), ``alarm`` (signals alone), ``solid`` (must not be missed)."""
    return SafeString(render_to_string("web/components/badge.html", {"text": text, "tone": tone}))


@register.simple_tag
def cell(column: Column, value: object) -> SafeString:
    """Write one cell of a table with its state."""
    return SafeString(render_to_string("web/components/cell.html", {"column": column, "cell": as_cell(value)}))


@register.simple_tag
def value_text(column: Column, content: Cell) -> str:
    """Write the value of a cell as its column asks."""
    value: Any = content.value
    writers: dict[str, Callable[[], str]] = {
        "number": lambda: number(value),
        "percent": lambda: percent(value),
        "day": lambda: day(_as_date(value)),
        "moment": lambda: moment(_as_moment(value)),
        "week": lambda: week(value),
        "country": lambda: country(str(value)),
        "hash": lambda: hash_tag(str(value)),
        "badge": lambda: badge(value, content.tone),
    }
    if column.kind in writers:
        return writers[column.kind]()
    return bdi(value) if column.foreign else format_html("{}", value)


@register.simple_block_tag(takes_context=True)
def card(
    context: Context,
    content: str,
    title: str = "",
    note: str = "",
    tone: str = "",
    level: int = 2,
    url: str = "",
    name: str = "",
) -> str:
    """Frame a part of a page: ``{% card title=… note=… %}…{% endcard %}``."""
    return render_to_string(
        "web/components/card.html",
        {
            "title": title,
            "note": note,
            "body": content,
            "tone": tone,
            "level": level,
            "url": url,
            "name": name,
        },
    )


@register.simple_block_tag
def filter_bar(content: str, action: str = "", target: str = "") -> str:
    """Wrap the fields of a filter in a form that asks by address: ``{% filter_bar %}…{% endfilter_bar %}``."""
    return render_to_string("web/components/filter_bar.html", {"body": content, "action": action, "target": target})


@register.simple_tag(takes_context=True)
def table(context: Context, content: Table, page: object = None, in_place: object = False) -> SafeString:
    """Write a table: rows on a wide screen, a list of cards on a phone.

    `in_place` lets the browser sort the rows, where all of them are on the page; otherwise sortable headings ask the
    server.
    """
    request = getattr(context, "request", None)
    parts = {"table": content, "page": page, "headings": _headings(content, request), "in_place": bool(in_place)}
    return SafeString(render_to_string("web/components/table.html", parts, request))


@register.simple_tag(takes_context=True)
def chart(context: Context, frame: ChartFrame) -> SafeString:
    """Write a chart frame made by ``web.charts.frame`` or ``web.maps.frame``."""
    request = getattr(context, "request", None)
    return SafeString(render_to_string(frame.template_name, {"frame": frame}, request))


@register.simple_tag
def chart_url(frame: ChartFrame, theme: str, width: str, form: str = "svg") -> str:
    """Return the address of a picture of a chart."""
    return picture_url(frame.digest, theme=theme, width=width, form=form)


@register.filter
def sort_value(content: Cell) -> str:
    """Return what the browser sorts a cell by; empty where no order is known."""
    if content.value is None or content.state in {"withheld", "missing"}:
        return ""
    return content.value.isoformat() if isinstance(content.value, date) else str(content.value)


@register.simple_tag(takes_context=True)
def pager(context: Context, page: object, parameter: str = "page") -> SafeString:
    """Write the pager of a page of ``django.core.paginator``."""
    request = getattr(context, "request", None)
    return SafeString(render_to_string("web/components/pager.html", {"page": page, "parameter": parameter}, request))


@register.simple_tag(takes_context=True)
def querystring_with(context: Context, parameter: str, value: object) -> str:
    """Return the address of this page with one parameter changed; the filters stay."""
    request = getattr(context, "request", None) or context.get("request")
    query = request.GET.copy() if request is not None else QueryDict(mutable=True)
    query[parameter] = str(value)
    return f"?{query.urlencode()}"


@register.simple_tag
def timeline(moments: Iterable[object]) -> SafeString:
    """Write moments (`web.parts.Moment`) one under the other, in the order given."""
    return SafeString(render_to_string("web/components/timeline.html", {"moments": moments}))


@register.simple_tag
def facts(pairs: Iterable[tuple[str, object]]) -> SafeString:
    """Write names and values one under the other, as on the page of one thing."""
    return SafeString(render_to_string("web/components/facts.html", {"pairs": pairs}))


@register.simple_tag
def stat(label: str, value: object, note: str = "", url: str = "", tone: str = "") -> SafeString:
    """Write one figure that matters with what it is."""
    context = {"label": label, "value": value, "note": note, "url": url, "tone": tone}
    return SafeString(render_to_string("web/components/stat.html", context))


def _headings(content: Table, request: object) -> list[dict[str, object]]:
    return [
        {
            "column": column,
            "direction": {column.key: "ascending", f"-{column.key}": "descending"}.get(content.sort, ""),
            "url": _sort_url(content, column, request) if column.sortable else "",
        }
        for column in content.columns
    ]


def _sort_url(content: Table, column: Column, request: object) -> str:
    query = getattr(request, "GET", None)
    wanted = f"-{column.key}" if content.sort == column.key else column.key
    if query is None:
        return f"?{content.sort_parameter}={wanted}"
    changed = query.copy()
    changed[content.sort_parameter] = wanted
    changed.pop("page", None)
    return f"?{changed.urlencode()}"


def _as_date(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])


def _as_moment(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
