"""The template tags that every page uses: ``{% load corridor_web %}``."""

from collections.abc import Iterable
from datetime import datetime

from django import template
from django.http import QueryDict
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import ngettext as _n

from corridor.base.clock import utcnow
from corridor.web import cells, formats, shell
from corridor.web.charts import ChartFrame, picture_url
from corridor.web.tables import Column, Table

register = template.Library()

register.simple_tag(cells.badge)
register.simple_tag(cells.bdi)
register.simple_tag(cells.country)
register.simple_tag(cells.day)
register.simple_tag(cells.hash_tag, name="hash")
register.simple_tag(cells.missing)
register.simple_tag(cells.moment)
register.simple_tag(cells.number)
register.simple_tag(cells.percent)
register.simple_tag(cells.week)
register.simple_tag(cells.withheld)


@register.simple_tag(name="shell", takes_context=True)
def shell_tag(context: Context) -> shell.Shell:
    """Give the base template what the header and the strip show to this person."""
    return shell.for_request(getattr(context, "request", None) or context.get("request"))


@register.simple_tag
def since(moment: datetime | None, now: datetime | None = None) -> SafeString:
    """Write how long ago something was (“3 minutes ago”), with the exact time on hover and for machines."""
    if moment is None:
        return format_html("<span>{}</span>", gettext("never"))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        formats.moment_text(moment, language=cells.language()),
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


@register.simple_tag
def table_rows(content: Table, in_place: object = False) -> SafeString:
    """Write the rows of a table, for the component that writes its heading."""
    return cells.rows_html(content, in_place=bool(in_place))


@register.simple_tag(takes_context=True)
def chart(context: Context, frame: ChartFrame) -> SafeString:
    """Write a chart frame made by ``web.charts.frame`` or ``web.maps.frame``."""
    request = getattr(context, "request", None)
    return SafeString(render_to_string(frame.template_name, {"frame": frame}, request))


@register.simple_tag
def chart_url(frame: ChartFrame, theme: str, width: str, form: str = "svg") -> str:
    """Return the address of a picture of a chart."""
    return picture_url(frame.digest, theme=theme, width=width, form=form)


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
