"""Two nodes, and a door through which signed requests reach one of them as they would over HTTP."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from corridor.base.clock import utcnow
from corridor.exchange import keystore
from corridor.exchange.rules import http_signature
from corridor.exchange.rules.keys import SigningKey
from tests.exchange.conftest import make_corridor, postgres, template
from tests.exchange.nodes import Corridor

__all__ = ["make_corridor", "postgres", "template"]

PATH = "/exchange/v1/envelopes"
SENDER, RECEIVER = "pk.nih", "cn.cdc"


@dataclass
class Door:
    """The receiver's API behind the whole of Django, and the sender's key to sign with.

    Attributes
    ----------
    corridor : Corridor
        Its clock is the real one, since the API asks no other.
    agreement : str
    """

    corridor: Corridor
    agreement: str
    numbers: Any = field(default_factory=itertools.count)

    def sign(
        self, body: bytes, *, key: SigningKey | None = None, path: str = PATH, created_at: datetime | None = None
    ) -> dict[str, str]:
        """Return the header fields that sign `body` as the sender does."""
        with self.corridor[SENDER]:
            own = keystore.own_keys().transport
        return http_signature.sign_request(
            method="POST",
            authority=urlsplit(self.corridor[RECEIVER].url).netloc,
            path=path,
            body=body,
            key=key or own,
            nonce=f"nonce-{next(self.numbers):018d}",
            created_at=created_at or utcnow(),
        )

    def post(
        self,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        path: str = PATH,
        content_type: str = "application/json",
    ) -> Any:
        """Return Django's response; an exception inside it is raised here."""
        with self.corridor[RECEIVER]:
            sent = self.sign(body) if headers is None else headers
            return Client().post(path, data=body, content_type=content_type, headers=dict(sent))


@pytest.fixture(scope="module")
def door(template: Path, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Door]:
    """Return the door of two nodes that signed an agreement, at the real time; one for all tests of a module."""
    with django_db_blocker.unblock():
        made = Corridor(tmp_path_factory.mktemp("api") / "nodes", template=template, now=utcnow() - timedelta(hours=1))
        agreement = made.sign()
        made.now = utcnow()
        yield Door(made, agreement)
        made.close()
