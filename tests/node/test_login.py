"""Signing in: limits, lockout, sessions, re-authentication, tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from corridor.accounts import access, login, services, tokens
from corridor.accounts.models import AuditEntry, LoginFailure, PersonSession
from corridor.accounts.roles import NotPermitted

PASSWORD = "corridor-test"


def fail(username: str, times: int, *, now: datetime, address: str = "192.0.2.1") -> None:
    for _ in range(times):
        with pytest.raises(login.WrongPassword):
            login.sign_in(username, password="wrong", address=address, now=now)


def test_right_password_opens(officer: Any, now: datetime) -> None:
    assert login.sign_in("officer", password=PASSWORD, address="192.0.2.1", now=now) == officer


def test_name_is_read_in_any_case(officer: Any, now: datetime) -> None:
    assert login.sign_in("Officer", password=PASSWORD, address="192.0.2.1", now=now) == officer


def test_fifth_failure_locks_the_account_even_for_the_right_password(officer: Any, now: datetime) -> None:
    fail("officer", login.FAILURES_PER_ACCOUNT, now=now)

    with pytest.raises(login.LockedOut):
        login.sign_in("officer", password=PASSWORD, address="198.51.100.7", now=now)


def test_account_is_open_again_after_fifteen_minutes(officer: Any, now: datetime) -> None:
    fail("officer", login.FAILURES_PER_ACCOUNT, now=now)

    assert login.sign_in("officer", password=PASSWORD, address="192.0.2.1", now=now + login.WINDOW) == officer


def test_success_forgives_earlier_failures(officer: Any, now: datetime) -> None:
    fail("officer", login.FAILURES_PER_ACCOUNT - 1, now=now)
    login.sign_in("officer", password=PASSWORD, address="192.0.2.1", now=now)

    fail("officer", login.FAILURES_PER_ACCOUNT - 1, now=now)

    assert login.sign_in("officer", password=PASSWORD, address="192.0.2.1", now=now) == officer


def test_address_that_tries_many_names_is_locked(officer: Any, now: datetime) -> None:
    for number in range(login.FAILURES_PER_ADDRESS):
        fail(f"name{number}", 1, now=now)

    with pytest.raises(login.LockedOut):
        login.sign_in("officer", password=PASSWORD, address="192.0.2.1", now=now)
    assert login.sign_in("officer", password=PASSWORD, address="198.51.100.7", now=now) == officer


@pytest.mark.django_db
def test_unknown_name_is_counted_and_answered_like_a_known_one(now: datetime) -> None:
    fail("nobody", login.FAILURES_PER_ACCOUNT, now=now)

    with pytest.raises(login.LockedOut):
        login.sign_in("nobody", password="any", address="192.0.2.1", now=now)


def test_failure_stands_in_the_audit_trail_without_the_password(officer: Any, now: datetime) -> None:
    fail("officer", 1, now=now)

    entry = AuditEntry.objects.get(action="accounts.login_failed")
    assert entry.subject == "officer"
    assert "wrong" not in str(entry.detail)


def test_closed_access_does_not_open(officer: Any, administrator: Any, now: datetime) -> None:
    services.close_person(officer, actor=administrator, now=now)

    with pytest.raises(login.WrongPassword):
        login.sign_in("officer", password=PASSWORD, address="192.0.2.1", now=now)


def test_page_signs_in_and_goes_back_to_where_the_visitor_was(client: Client, officer: Any) -> None:
    answer = client.post("/accounts/login", {"username": "officer", "password": PASSWORD, "next": "/accounts/sessions"})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/sessions")


@pytest.mark.parametrize("elsewhere", ["https://example.org/", "//example.org/", "javascript:alert(1)"])
def test_page_never_sends_the_visitor_to_another_site(client: Client, officer: Any, elsewhere: str) -> None:
    answer = client.post("/accounts/login", {"username": "officer", "password": PASSWORD, "next": elsewhere})

    assert answer.headers["Location"] == "/"


def test_page_says_the_same_for_wrong_name_and_wrong_password(client: Client, officer: Any) -> None:
    wrong_password = client.post("/accounts/login", {"username": "officer", "password": "wrong"})
    wrong_name = client.post("/accounts/login", {"username": "nobody", "password": "wrong"})

    sentence = "The name or the password is wrong."
    assert sentence in wrong_password.content.decode()
    assert sentence in wrong_name.content.decode()


def test_one_time_password_opens_nothing_but_its_own_change(client: Client, appoint: Any) -> None:
    appoint("fresh", "auditor", must_change_password=True)
    client.post("/accounts/login", {"username": "fresh", "password": PASSWORD})

    assert client.get("/accounts/audit").headers["Location"].startswith("/accounts/password?")
    changed = {"current": PASSWORD, "new": "walnut-river-slate-07", "again": "walnut-river-slate-07"}
    client.post("/accounts/password", changed)
    assert client.get("/accounts/audit").status_code == 200


def test_password_change_ends_other_sessions_and_keeps_this_one(officer: Any) -> None:
    here, there = Client(), Client()
    for browser in (here, there):
        browser.post("/accounts/login", {"username": "officer", "password": PASSWORD})

    here.post(
        "/accounts/password", {"current": PASSWORD, "new": "walnut-river-slate-07", "again": "walnut-river-slate-07"}
    )

    assert here.get("/accounts/sessions").status_code == 200
    assert there.get("/accounts/sessions").status_code == 302


def test_weak_password_is_refused(officer: Any, now: datetime) -> None:
    for weak in ("short", "password1234", PASSWORD):
        with pytest.raises(services.WeakPassword):
            services.change_password(weak, current=PASSWORD, actor=officer, now=now)


def test_person_ends_a_session_of_their_own_and_of_nobody_else(officer: Any, second_officer: Any) -> None:
    mine, hers = Client(), Client()
    mine.post("/accounts/login", {"username": "officer", "password": PASSWORD})
    hers.post("/accounts/login", {"username": "second.officer", "password": PASSWORD})
    key = PersonSession.objects.get(person_id=second_officer.pk).session_key

    mine.post("/accounts/sessions/end", {"session": key})
    assert hers.get("/accounts/sessions").status_code == 200
    hers.post("/accounts/sessions/end", {"session": key})
    assert hers.get("/accounts/sessions").status_code == 302


def test_closing_the_access_ends_the_session_at_once(officer: Any, administrator: Any, now: datetime) -> None:
    browser = Client()
    browser.post("/accounts/login", {"username": "officer", "password": PASSWORD})
    services.close_person(officer, actor=administrator, now=now)

    assert browser.get("/accounts/sessions").status_code == 302


def test_password_is_asked_again_after_ten_minutes(
    client: Client, administrator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post("/accounts/login", {"username": "administrator", "password": PASSWORD})
    assert client.get("/accounts/people").status_code == 200

    later = access.utcnow() + access.REAUTHENTICATION_LASTS
    monkeypatch.setattr(access, "utcnow", lambda: later)
    asked = client.get("/accounts/people")
    assert asked.headers["Location"] == "/accounts/again?next=%2Faccounts%2Fpeople"
    back = client.post(asked.headers["Location"], {"password": PASSWORD})
    assert back.headers["Location"] == "/accounts/people"
    assert client.get("/accounts/people").status_code == 200


def test_token_acts_until_it_expires_or_is_revoked(officer: Any, now: datetime) -> None:
    secret = tokens.issue_token(officer, name="shell", actor=officer, now=now, lasts=timedelta(days=1))
    assert tokens.person_of_token(secret, now=now) == officer

    with pytest.raises(tokens.TokenRefused, match="expired"):
        tokens.person_of_token(secret, now=now + timedelta(days=1))
    token = officer.tokens.get()
    assert secret not in (token.digest, token.name)
    tokens.revoke_token(token.pk, actor=officer, now=now)
    with pytest.raises(tokens.TokenRefused, match="revoked"):
        tokens.person_of_token(secret, now=now)


def test_nobody_makes_a_token_in_anothers_name(officer: Any, administrator: Any, now: datetime) -> None:
    with pytest.raises(NotPermitted):
        tokens.issue_token(officer, name="shell", actor=administrator, now=now)


def test_old_failures_are_swept_away(officer: Any, now: datetime) -> None:
    fail("officer", 2, now=now)
    fail("officer", 1, now=now + login.WINDOW)

    assert LoginFailure.objects.count() == 2
