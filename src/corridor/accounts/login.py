"""Signing in: password check, rate limit and lockout per account and per address."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from corridor.accounts.actors import System
from corridor.accounts.models import LoginFailure, Person
from corridor.accounts.transactions import note, write
from corridor.base.errors import Refused

WINDOW = timedelta(minutes=15)
FAILURES_PER_ACCOUNT = 5
FAILURES_PER_ADDRESS = 30


class LockedOut(Refused):
    """Too many failed attempts for this account or from this address."""

    code = "locked-out"


class WrongPassword(Refused):
    """The name or the password is wrong; it is not said which."""

    code = "wrong-password"


class PasswordBackend(BaseBackend):
    """Check a name and a password; a closed person cannot sign in."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> Person | None:
        """Return the person, or None. A name that nobody has costs as much time as a wrong password."""
        person = Person.objects.filter(username__iexact=username or "").first()
        if person is None:
            Person().set_password(password or "")
            return None
        return person if person.check_password(password or "") and person.is_active else None

    def get_user(self, user_id: int) -> Person | None:
        """Return the person of a session, unless their access was closed meanwhile."""
        return Person.objects.filter(pk=user_id, is_active=True).first()


def sign_in(username: str, *, password: str, address: str, now: datetime) -> Person:
    """Return the person whose name and password these are, and count the failures.

    Raises
    ------
    LockedOut
        After 5 failures for the account, or 30 from the address, within 15 minutes; even the right password then waits.
    WrongPassword
        If name and password do not belong together, or the access is closed.
    """
    account_key, address_key = f"account:{username.lower()[:100]}", f"address:{address}"
    refuse_if_locked(account_key, address_key, now=now)
    person = PasswordBackend().authenticate(None, username=username, password=password)
    if person is None:
        _record_failure(username, account_key=account_key, address_key=address_key, actor=System("login"), now=now)
        raise WrongPassword("the name or the password is wrong")
    LoginFailure.objects.filter(key=account_key).delete()
    return person


def refuse_if_locked(account_key: str, address_key: str, *, now: datetime) -> None:
    """Do nothing while there is an attempt left.

    Raises
    ------
    LockedOut
        If there is none for this account or from this address.
    """
    for key, limit in ((account_key, FAILURES_PER_ACCOUNT), (address_key, FAILURES_PER_ADDRESS)):
        if LoginFailure.objects.filter(key=key, at__gt=now - WINDOW).count() >= limit:
            raise LockedOut("too many failed attempts; wait 15 minutes, or ask an administrator for a new password")


@write("accounts.login_failed", subject="username")
def _record_failure(username: str, *, account_key: str, address_key: str, actor: System, now: datetime) -> None:
    LoginFailure.objects.filter(at__lte=now - WINDOW).delete()
    LoginFailure.objects.bulk_create([LoginFailure(key=account_key, at=now), LoginFailure(key=address_key, at=now)])
    note(address=address_key.removeprefix("address:"))


@write("accounts.login", subject="actor")
def record_login(*, address: str, actor: Person, now: datetime) -> None:
    """Note in the audit trail that a person signed in, and from where."""
    note(address=address)


def client_address(request: HttpRequest) -> str:
    """Return the visitor's address; behind a proxy, the one that the proxy itself saw (the last of X-Forwarded-For)."""
    if settings.CORRIDOR["behind_proxy"]:
        forwarded = request.headers.get("X-Forwarded-For", "")
        if forwarded:
            return forwarded.rsplit(",", 1)[-1].strip()[:64]
    return str(request.META.get("REMOTE_ADDR", ""))[:64]
