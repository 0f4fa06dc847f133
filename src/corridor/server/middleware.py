"""What every answer of a node carries, and how a fault of the visitor is shown."""

from collections.abc import Callable
from typing import TypeAlias

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from corridor.base.errors import Refused, UserFault

GetResponse: TypeAlias = Callable[[HttpRequest], HttpResponseBase]

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
PERMISSIONS_POLICY = "camera=(), microphone=(), geolocation=(), interest-cohort=()"


def security_headers(get_response: GetResponse) -> GetResponse:
    """Add the content security policy and its companions to every answer."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("X-Frame-Options", "DENY")
        # A page is the view of one signed-in person: no cache on the way may keep it. Static files set their own.
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return answer


class FaultPages:
    """Show a `UserFault` that a view raised as a page that says how to mend it, never as a crash."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on; faults come in through `process_exception`."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the page for a fault of the visitor; leave every other exception alone."""
        if not isinstance(error, UserFault):
            return None
        status = 403 if isinstance(error, Refused) else 400
        return render(request, "fault.html", {"code": error.code, "text": str(error)}, status=status)
