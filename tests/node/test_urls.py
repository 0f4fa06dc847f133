"""Every address with every role: who may open it, who is turned away, and who is sent to the login."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from corridor.accounts import access
from corridor.accounts.roles import roles

TABLE: dict[str, str | list[str]] = tomllib.loads(Path(__file__).with_name("url_roles.toml").read_text("utf-8"))["urls"]
ROLES = ("officer", "epidemiologist", "steward", "researcher", "clinician", "auditor", "administrator")
STAND_INS = {"int": 1, "str": "x", "slug": "x", "uuid": "00000000-0000-0000-0000-000000000000", "path": "x"}


def patterns(found: list[URLPattern | URLResolver], namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    for each in found:
        if isinstance(each, URLResolver):
            yield from patterns(each.url_patterns, namespace + (f"{each.namespace}:" if each.namespace else ""))
        else:
            yield namespace + (each.name or ""), each


def addresses() -> dict[str, URLPattern]:
    return dict(patterns(get_resolver().url_patterns))


def opened(client: Client, name: str) -> str:
    """Try an address with each method that it knows; return ``open``, ``refused`` or ``login``."""
    pattern = addresses()[name]
    converters = {
        key: type(value).__name__.removesuffix("Converter").lower() for key, value in pattern.pattern.converters.items()
    }
    kwargs = {key: STAND_INS["str" if kind == "string" else kind] for key, kind in converters.items()}
    url = reverse(name, kwargs=kwargs)
    answers = set()
    for method in sorted(set(getattr(pattern.callback, "methods", ("GET",))) & {"GET", "POST"}):
        answer = client.generic(method, url)
        if answer.status_code == 302 and answer.headers["Location"].startswith("/accounts/login?"):
            answers.add("login")
        else:
            answers.add("refused" if answer.status_code == 403 else "open")
    assert len(answers) == 1, f"{name} answers its methods differently: {answers}"
    return answers.pop()


def test_every_address_stands_in_the_table_and_nothing_else() -> None:
    assert set(TABLE) == set(addresses())


def test_every_role_is_walked() -> None:
    assert {role.name for role in roles()} == set(ROLES)


def test_table_names_known_roles_alone() -> None:
    for name, allowed in TABLE.items():
        assert allowed in ("anyone", "everyone") or set(allowed) <= set(ROLES), name


@pytest.mark.parametrize("name", sorted(TABLE))
def test_view_says_itself_who_may_open_it(name: str) -> None:
    permission = getattr(addresses()[name].callback, "permission", None)

    assert permission is not None, f"{name} carries neither page(...) nor public"
    assert (permission == access.PUBLIC) == (TABLE[name] == "anyone")


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(name for name, allowed in TABLE.items() if allowed != "anyone"))
def test_who_is_not_signed_in_is_sent_to_the_login(client: Client, name: str) -> None:
    assert opened(client, name) == "login"


@pytest.mark.parametrize("role", ROLES)
def test_role_opens_what_the_table_says_and_nothing_else(appoint: Any, role: str) -> None:
    person = appoint("walker", role)
    told = {}
    for name, allowed in TABLE.items():
        if allowed == "anyone":
            continue
        # What a page does on a node that was never founded is not asked here, only whether the door opens.
        client = Client(raise_request_exception=False)
        client.force_login(person)
        told[name] = opened(client, name)

    expected = {
        name: "open" if allowed == "everyone" or role in allowed else "refused"
        for name, allowed in TABLE.items()
        if allowed != "anyone"
    }
    assert told == expected
