"""Who may open which page: every view says so itself, and a test walks them all."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url

from corridor.accounts.models import Person
from corridor.accounts.roles import ACT, may
from corridor.base.clock import utcnow

P = ParamSpec("P")
V = TypeVar("V", bound=Callable[..., HttpResponseBase])

REAUTHENTICATION_LASTS = timedelta(minutes=10)
REAUTHENTICATED_AT = "reauthenticated_at"
PUBLIC = "public"


class PersonRequest(HttpRequest):
    """A request that came through `page`: its user is a signed-in person."""

    user: Person


View = Callable[Concatenate[Any, P], HttpResponseBase]


def public(view: V) -> V:
    """Mark a view that needs no signed-in person: the login, or the exchange's API, which goes by signatures."""
    cast("Any", view).permission = PUBLIC
    return view


def page(permission: str = ACT, *, methods: tuple[str, ...] = ("GET",)) -> Callable[[View[P]], View[P]]:
    """Let only signed-in people with `permission` open a view.

    Parameters
    ----------
    permission : str
        ``<app>.<verb>``; left out, everyone who is signed in may open the page.
    methods : tuple of str
        HEAD comes with GET. Any other method is answered 405.

    Notes
    -----
    Nobody signed in: to the login and back. No permission: 403. A password still to be changed: to that page first.
    """
    allowed = frozenset(methods) | ({"HEAD"} if "GET" in methods else frozenset())

    def declare(view: View[P]) -> View[P]:
        @functools.wraps(view)
        def guarded(request: Any, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.method not in allowed:
                return HttpResponseNotAllowed(sorted(allowed))
            person = request.user
            if not isinstance(person, Person):
                return to_page(request, settings.LOGIN_URL)
            # One page asks dozens of times what its reader may do; who asks within one request gets one answer.
            prefetch_related_objects([person], "roles")
            if not may(person, permission):
                raise PermissionDenied
            if person.must_change_password and not getattr(view, "before_password_change", False):
                return to_page(request, "accounts:password")
            return view(request, *args, **kwargs)

        marked = cast("Any", guarded)
        marked.permission = permission
        marked.methods = tuple(sorted(allowed))
        return guarded

    return declare


def before_password_change(view: V) -> V:
    """Mark a view that stays open while a one-time password waits to be replaced; stands below `page`."""
    cast("Any", view).before_password_change = True
    return view


def reauthenticated(view: View[P]) -> View[P]:
    """Ask for the password again when it was last given more than ten minutes ago; stands below `page`."""

    @functools.wraps(view)
    def guarded(request: Any, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if is_reauthenticated(request):
            return view(request, *args, **kwargs)
        return to_page(request, "accounts:reauthenticate")

    cast("Any", guarded).reauthenticated = True
    return guarded


def is_reauthenticated(request: HttpRequest) -> bool:
    """Tell whether the person gave the password within the last ten minutes."""
    given_at = request.session.get(REAUTHENTICATED_AT)
    return given_at is not None and 0 <= utcnow().timestamp() - given_at < REAUTHENTICATION_LASTS.total_seconds()


def remember_reauthentication(request: HttpRequest) -> None:
    """Note in the session that the password was given just now."""
    request.session[REAUTHENTICATED_AT] = utcnow().timestamp()


def to_page(request: HttpRequest, name: str) -> HttpResponse:
    """Send the visitor to the page `name` and, after it, back to where they were (to the page itself, after a POST)."""
    back = request.get_full_path() if request.method in {"GET", "HEAD"} else _referring_path(request)
    return HttpResponseRedirect(f"{resolve_url(name)}?{urlencode({'next': back})}")


def _referring_path(request: HttpRequest) -> str:
    origin = f"{request.scheme}://{request.get_host()}"
    referrer = request.headers.get("Referer", "")
    return referrer.removeprefix(origin) if referrer.startswith(origin + "/") else request.path
