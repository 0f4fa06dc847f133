"""The pages and files of the shell: language switch, components page, pictures, tables and downloads of charts."""

import gzip
from dataclasses import replace

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from corridor.accounts.access import PersonRequest, page, public
from corridor.accounts.models import Person
from corridor.accounts.roles import permissions_of
from corridor.base.clock import utcnow
from corridor.web import chart_render, chart_store, charts, exports, gallery, navigation, services
from corridor.web.chart_store import ChartRecord, NoSuchChart
from corridor.web.chart_theme import THEMES
from corridor.web.formats import LANGUAGE_NAMES

ROWS_PER_PAGE = 100


@public
def home(request: HttpRequest) -> HttpResponse:
    """Go to the page that a person's day begins with: the board, or what else their roles open."""
    person = request.user
    if not isinstance(person, Person):
        return redirect(settings.LOGIN_URL)
    if person.must_change_password:
        return redirect("accounts:password")
    permissions = permissions_of(person)
    groups, links = navigation.groups(permissions), navigation.personal(permissions)
    boards = [group.url for group in groups if group.name == "surveillance"]
    others = [*(link.url for link in links), *(group.url for group in groups)]
    return redirect((boards + others)[0])


@public
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Remember the language of the pages: in a cookie, and for a signed-in person in the account."""
    language = request.POST.get("language", "")
    back = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        back = "/"
    response = HttpResponseRedirect(back)
    if language in LANGUAGE_NAMES:
        if isinstance(request.user, Person) and request.user.language != language:
            services.choose_language(language, actor=request.user, now=utcnow())
        remember_language(response, language)
    return response


def remember_language(response: HttpResponse, language: str) -> None:
    """Set the cookie of the language on a response."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


@public
def chart_library(request: HttpRequest, version: str) -> HttpResponse:
    """Send the JavaScript of interactive charts; the address changes with its version, so browsers keep it for good."""
    if version != chart_render.library_version():
        raise Http404
    return _compressed(request, chart_library_bytes(), "text/javascript", cache="public, max-age=31536000, immutable")


@page()
def chart_picture(request: PersonRequest, digest: str, theme: str, width: str, form: str) -> HttpResponse:
    """Send a picture of a chart, or its definition for the browser, to whom its page is open."""
    if theme not in THEMES or width not in chart_render.WIDTHS or form not in charts.TYPES:
        raise Http404
    record = _kept(digest, request)
    drawn = charts.picture(record, digest, theme=theme, width=width, form=form)
    # The address names the content: what it shows never changes, and only this person's browser may keep it.
    response = _compressed(request, drawn.data, drawn.media_type, cache="private, max-age=86400, immutable")
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response


@page()
def chart_csv(request: PersonRequest, digest: str) -> HttpResponse:
    """Send the figures of a chart as CSV."""
    record = _kept(digest, request)
    return exports.csv_response(record.table, name=record.title, simulated=bool(record.watermark))


@page()
def chart_table(request: PersonRequest, digest: str) -> HttpResponse:
    """Show all figures of a chart, sorted and paged on the server."""
    record = _kept(digest, request)
    columns = [replace(column, sortable=True) for column in record.table.columns]
    ordered = replace(record.table, columns=columns).ordered(request.GET.get("sort", ""))
    shown = Paginator(ordered.rows, ROWS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "record": record,
        "digest": digest,
        "content": replace(ordered, rows=list(shown.object_list)),
        "page": shown,
    }
    return render(request, "web/chart_table.html", context)


def _kept(digest: str, request: PersonRequest) -> ChartRecord:
    """Return a kept chart, if its page is open to this person."""
    try:
        return charts.readable_chart(digest, actor=request.user)
    except NoSuchChart as error:
        raise Http404 from error


def chart_library_bytes() -> bytes:
    """Return the library of interactive charts, bundled once per version and kept."""
    name = f"{chart_render.library_version()}.js"
    kept = chart_store.shared_file(name)
    if kept is None:
        kept = chart_render.interactive_library().encode()
        chart_store.keep_shared_file(name, kept)
    return kept


def _compressed(request: HttpRequest, data: bytes, media_type: str, *, cache: str) -> HttpResponse:
    """Answer with gzip where the browser takes it; these bytes hold no secret of the session to leak by their size."""
    response = HttpResponse(content_type=media_type, headers={"Cache-Control": cache, "Vary": "Accept-Encoding"})
    if media_type != "image/png" and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.content = gzip.compress(data, 6, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
    else:
        response.content = data
    return response


@page()
def components(request: HttpRequest) -> HttpResponse:
    """Show every component in every state on one page."""
    return render(request, "web/components.html", gallery.samples(request, now=utcnow()))
