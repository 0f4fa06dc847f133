"""Nodes of ``tests.exchange`` and people who hold every role at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.exchange.conftest import corridor, make_corridor, postgres, template

__all__ = ["corridor", "make_corridor", "postgres", "template"]

ROLES = ("officer", "epidemiologist", "steward", "auditor", "administrator")


def signed_in(person: Any, **options: Any) -> Client:
    """Return a browser in which `person` gave the password just now."""
    client = Client(raise_request_exception=False, **options)
    client.force_login(person, backend="corridor.accounts.login.PasswordBackend")
    session = client.session
    session["reauthenticated_at"] = time.time()
    session.save()
    return client


@pytest.fixture
def everybody(appoint: Callable[..., Any]) -> Any:
    """Return a person with every role, whom nothing turns away but what these tests are about."""
    return appoint("everybody", *ROLES)
