"""The pages and files of the shell: language switch, components page, pictures, tables and downloads of charts."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from corridor.accounts.access import page, public
from corridor.accounts.models import Person
from corridor.base.clock import utcnow
from corridor.web import gallery, services
from corridor.web.formats import LANGUAGE_NAMES


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


@page()
def components(request: HttpRequest) -> HttpResponse:
    """Show every component in every state on one page."""
    return render(request, "web/components.html", gallery.samples(request, now=utcnow()))
