"""Pages for signing in and for one's own password, sessions and tokens."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as open_session
from django.contrib.auth import logout as close_session
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from corridor.accounts import queries, services, sessions, tokens
from corridor.accounts.access import (
    PersonRequest,
    before_password_change,
    page,
    public,
    remember_reauthentication,
)
from corridor.accounts.forms import LoginForm, PasswordAgainForm, PasswordForm
from corridor.accounts.login import LockedOut, WrongPassword, client_address, record_login, sign_in
from corridor.accounts.models import Person
from corridor.accounts.texts import fault_text
from corridor.base.clock import utcnow

_BACKEND = "corridor.accounts.login.PasswordBackend"


@public
@never_cache
@sensitive_post_parameters("password")
def login(request: HttpRequest) -> HttpResponse:
    """Sign in."""
    if request.method not in {"GET", "HEAD", "POST"}:
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    form = LoginForm(request.POST or None)
    if form.is_valid():
        address, now = client_address(request), utcnow()
        try:
            person = sign_in(
                form.cleaned_data["username"], password=form.cleaned_data["password"], address=address, now=now
            )
        except (WrongPassword, LockedOut) as fault:
            form.add_error(None, fault_text(fault))
        else:
            return _signed_in(request, person, address=address)
    status = 200 if not form.errors else 403
    return render(request, "accounts/login.html", {"form": form, "next": request.GET.get("next", "")}, status=status)


def _signed_in(request: HttpRequest, person: Person, *, address: str) -> HttpResponse:
    open_session(request, person, backend=_BACKEND)
    sessions.begin(request.session, address=address, browser=request.headers.get("User-Agent", ""), now=utcnow())
    remember_reauthentication(request)
    record_login(address=address, actor=person, now=utcnow())
    response = redirect(_next(request))
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        person.language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


@page(methods=("POST",))
@before_password_change
def logout(request: PersonRequest) -> HttpResponse:
    """Sign out."""
    close_session(request)
    return redirect("accounts:login")


@page(methods=("GET", "POST"))
@never_cache
@sensitive_post_parameters("password")
def reauthenticate(request: PersonRequest) -> HttpResponse:
    """Ask for the password again, and go back to what needed it."""
    form = PasswordAgainForm(request.POST or None)
    if form.is_valid():
        try:
            sign_in(
                request.user.username,
                password=form.cleaned_data["password"],
                address=client_address(request),
                now=utcnow(),
            )
        except (WrongPassword, LockedOut) as fault:
            form.add_error(None, fault_text(fault))
        else:
            remember_reauthentication(request)
            return redirect(_next(request))
    return render(request, "accounts/reauthenticate.html", {"form": form, "next": request.GET.get("next", "")})


@page(methods=("GET", "POST"))
@before_password_change
@never_cache
@sensitive_post_parameters()
def password(request: PersonRequest) -> HttpResponse:
    """Change one's own password."""
    form = PasswordForm(request.POST or None)
    if form.is_valid():
        current, now = form.cleaned_data["current"], utcnow()
        try:
            # Counted like a login, so that nobody who found an open session tries passwords here.
            sign_in(request.user.username, password=current, address=client_address(request), now=now)
            services.change_password(
                form.cleaned_data["new"],
                current=current,
                actor=request.user,
                now=now,
                keep_session=request.session.session_key,
            )
        except WrongPassword:
            form.add_error("current", _("The present password is wrong."))
        except LockedOut as fault:
            form.add_error(None, fault_text(fault))
        except services.WeakPassword:
            form.add_error("new", _("This password is too easy to guess, or it is the present one. Choose another."))
        else:
            update_session_auth_hash(request, request.user)
            messages.success(request, _("Your password is changed. Your other sessions have ended."))
            return redirect(_next(request))
    context = {"form": form, "next": request.GET.get("next", ""), "forced": request.user.must_change_password}
    return render(request, "accounts/password.html", context)


@page()
def own_sessions(request: PersonRequest) -> HttpResponse:
    """Show where one is signed in, and one's tokens."""
    now = utcnow()
    context = {
        "sessions": queries.own_sessions(actor=request.user, now=now),
        "tokens": queries.own_tokens(actor=request.user, now=now),
        "this_session": request.session.session_key,
    }
    return render(request, "accounts/sessions.html", context)


@page(methods=("POST",))
def end_session(request: PersonRequest) -> HttpResponse:
    """End one of one's own sessions."""
    services.end_session(request.POST.get("session", ""), actor=request.user, now=utcnow())
    return redirect("accounts:sessions")


@page(methods=("POST",))
def revoke_token(request: PersonRequest, token_id: int) -> HttpResponse:
    """Revoke one of one's own tokens."""
    tokens.revoke_token(token_id, actor=request.user, now=utcnow())
    return redirect("accounts:sessions")


def _next(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else settings.LOGIN_REDIRECT_URL
