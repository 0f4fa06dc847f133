"""Every address of a node as a browser meets it: policy, cookies, forged forms, redirects, hosts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from corridor.server.middleware import CONTENT_SECURITY_POLICY
from tests.node.test_urls import STAND_INS, TABLE, addresses
from tests.security.conftest import signed_in

SIGNED_BY_PARTNERS = {"exchange:exchange-v1:envelopes"}
"""Carries no session: the request's signature says who sent it, so no other site can forge it."""

ELSEWHERE = (
    "https://example.org/",
    "//example.org/",
    "///example.org",
    "/\\example.org",
    "\\\\example.org",
    "https:example.org",
    "https:///example.org",
    "\thttps://example.org",
    "javascript:alert(1)",
    "data:text/html,x",
    "http://127.0.0.1@example.org/",
    "http://testserver:80@example.org/",
)
INLINE = re.compile(
    rb"<script(?![^>]*\ssrc=)(?![^>]*type=\"application/json\")|<style[\s>]|\sstyle=|\son[a-z]+=\"|javascript:|<base[\s>]",
    re.IGNORECASE,
)


def _url(name: str) -> str:
    converters = addresses()[name].pattern.converters
    kinds = {key: type(value).__name__.removesuffix("Converter").lower() for key, value in converters.items()}
    return reverse(name, kwargs={key: STAND_INS["str" if kind == "string" else kind] for key, kind in kinds.items()})


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_answer_carries_policy_and_companions(everybody: Any, name: str) -> None:
    answer = signed_in(everybody).get(_url(name))
    headers = answer.headers

    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "no-store" in headers["Cache-Control"] or "immutable" in headers["Cache-Control"]


@pytest.mark.parametrize("name", sorted(TABLE))
def test_no_page_holds_what_its_own_policy_would_stop(everybody: Any, name: str) -> None:
    answer = signed_in(everybody).get(_url(name))

    if answer.headers.get("Content-Type", "").startswith("text/html"):
        assert INLINE.findall(answer.getvalue()) == []


@pytest.mark.parametrize(
    ("path", "status"), [("/no/such/page", 404), ("/accounts/logout", 405), ("/accounts/people/999999", 404)]
)
def test_answers_of_fault_carry_the_policy_too(everybody: Any, path: str, status: int) -> None:
    answer = signed_in(everybody).get(path)

    assert (answer.status_code, answer.headers["Content-Security-Policy"]) == (status, CONTENT_SECURITY_POLICY)


def test_the_search_for_inline_code_finds_it() -> None:
    planted = (b"<script>x</script>", b'<p style="x">', b'<a onclick="x">', b'<a href="javascript:x">', b"<style>")
    assert all(INLINE.search(each) for each in planted)


def test_the_session_cookie_is_named_by_node_and_kept_from_scripts_and_other_sites(
    client: Client, officer: Any
) -> None:
    client.post("/accounts/login", {"username": "officer", "password": "corridor-test"})
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]

    assert re.fullmatch(r"(__Host-)?corridor_\w+_session", cookie.key)
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")


def test_every_cookie_is_named_by_node_and_kept_from_scripts(client: Client, officer: Any) -> None:
    client.post("/accounts/login", {"username": "officer", "password": "corridor-test"})
    signed = dict(client.cookies)
    client.post("/web/language", {"language": "ur"})

    assert len(client.cookies) == 2
    for cookie in (*signed.values(), *client.cookies.values()):
        assert cookie.key.startswith("corridor_"), cookie.key
        assert cookie["httponly"], cookie.key
        assert cookie["samesite"] in ("Lax", "Strict"), cookie.key


def test_signing_in_gives_another_session_key(officer: Any) -> None:
    client = Client()
    client.get("/accounts/login")
    planted = client.session
    planted["planted"] = True
    planted.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = before = planted.session_key

    client.post("/accounts/login", {"username": "officer", "password": "corridor-test"})

    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before


@pytest.mark.parametrize("name", sorted(set(TABLE) - SIGNED_BY_PARTNERS))
def test_a_form_without_its_token_is_refused_everywhere(everybody: Any, name: str) -> None:
    answer = signed_in(everybody, enforce_csrf_checks=True).post(_url(name))

    takes_forms = name in ("accounts:login", "web:language") or "POST" in getattr(
        addresses()[name].callback, "methods", ()
    )
    assert answer.status_code in ((403,) if takes_forms else (403, 405))


@pytest.mark.parametrize("origin", ["https://example.org", "null", "http://testserver.example.org"])
def test_a_form_from_another_origin_is_refused_although_it_carries_the_token(officer: Any, origin: str) -> None:
    client = signed_in(officer, enforce_csrf_checks=True)
    token = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', client.get("/accounts/sessions").content)
    assert token is not None
    form = {"csrfmiddlewaretoken": token.group(1).decode(), "language": "ru"}

    assert client.post("/web/language", form).status_code == 302
    assert client.post("/web/language", form, headers={"origin": origin}).status_code == 403


def _after_login(client: Client, to: str) -> Any:
    return client.post("/accounts/login", {"username": "officer", "password": "corridor-test", "next": to})


def _after_login_by_address(client: Client, to: str) -> Any:
    address = reverse("accounts:login", query={"next": to})
    return client.post(address, {"username": "officer", "password": "corridor-test"})


def _after_the_password_again(client: Client, to: str) -> Any:
    _after_login(client, "/")
    return client.post(reverse("accounts:reauthenticate", query={"next": to}), {"password": "corridor-test"})


def _after_the_language(client: Client, to: str) -> Any:
    return client.post("/web/language", {"language": "ru", "next": to})


@pytest.mark.parametrize("to", ELSEWHERE)
@pytest.mark.parametrize("way", [_after_login, _after_login_by_address, _after_the_password_again, _after_the_language])
def test_no_form_sends_the_visitor_to_another_site(
    client: Client, officer: Any, way: Callable[[Client, str], Any], to: str
) -> None:
    answer = way(client, to)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


@pytest.mark.parametrize("way", [_after_login, _after_login_by_address, _after_the_password_again, _after_the_language])
def test_every_form_goes_back_to_a_page_of_this_node(
    client: Client, officer: Any, way: Callable[[Client, str], Any]
) -> None:
    assert way(client, "/accounts/sessions").headers["Location"] == "/accounts/sessions"


@pytest.mark.parametrize("host", ["example.org", "testserver.example.org", "127.0.0.1.example.org", "example.org:80"])
@pytest.mark.django_db
def test_a_foreign_host_is_refused(host: str) -> None:
    answer = Client(raise_request_exception=False).get("/accounts/login", headers={"host": host})

    assert answer.status_code == 400


@pytest.mark.django_db
def test_a_forwarded_host_is_not_believed() -> None:
    answer = Client().get("/accounts/people", headers={"x-forwarded-host": "example.org"})

    assert "example.org" not in answer.headers["Location"]
