"""What a reviewer who trusted nobody tried against accounts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from corridor.accounts import approvals, login, services, tokens
from corridor.accounts.roles import NotPermitted, grant
from tests.node.test_login import PASSWORD

FRESH = "walnut-river-slate-07"


def test_a_changed_password_ends_the_tokens_too(officer: Any, now: datetime) -> None:
    secret = tokens.issue_token(officer, name="shell", actor=officer, now=now)

    services.change_password(FRESH, current=PASSWORD, actor=officer, now=now)

    with pytest.raises(tokens.TokenRefused, match="revoked"):
        tokens.person_of_token(secret, now=now)


def test_whoever_holds_a_session_cannot_try_passwords_on_the_page_that_changes_it(client: Client, officer: Any) -> None:
    client.post("/accounts/login", {"username": "officer", "password": PASSWORD})
    for _ in range(login.FAILURES_PER_ACCOUNT):
        client.post("/accounts/password", {"current": "wrong", "new": FRESH, "again": FRESH})

    client.post("/accounts/password", {"current": PASSWORD, "new": FRESH, "again": FRESH})

    officer.refresh_from_db()
    assert officer.check_password(PASSWORD)


def test_a_session_that_was_planted_before_the_login_opens_nothing(client: Client, officer: Any) -> None:
    from django.conf import settings

    client.get("/accounts/login")
    session = client.session
    session["planted"] = "yes"
    session.save()
    planted = session.session_key
    client.cookies[settings.SESSION_COOKIE_NAME] = planted

    client.post("/accounts/login", {"username": "officer", "password": PASSWORD})

    assert client.cookies[settings.SESSION_COOKIE_NAME].value != planted
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = planted
    assert thief.get("/accounts/sessions").status_code == 302


def test_every_form_of_a_person_needs_its_token(officer: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(officer)

    for address in ("/accounts/logout", "/accounts/password", "/accounts/sessions/end"):
        assert strict.post(address).status_code == 403, address


def test_a_first_yes_does_not_outlive_the_access_of_who_gave_it(
    officer: Any, second_officer: Any, administrator: Any, now: datetime
) -> None:
    grant("officer", "test.outlive")
    done: list[str] = []
    approvals.register_approval(
        "test.outlive", permission="test.outlive", execute=lambda **_: done.append("done"), describe=lambda _: "x"
    )
    asked = approvals.ask("test.outlive", {}, actor=officer, now=now)
    services.close_person(officer, actor=administrator, now=now)

    with pytest.raises(NotPermitted):
        approvals.approve(asked.request_id or 0, actor=second_officer, now=now + timedelta(minutes=1))
    assert done == []
    approvals._kinds.pop("test.outlive")
