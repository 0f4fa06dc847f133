"""Where the databases of the nodes under the long run lie, for Django, for their processes, and for the reader."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corridor.server import env
from tests import postgres
from tests.exchange.nodes import make_template, migrate, sqlite_wrapper, using, wrapper_of


@dataclass
class Databases:
    """The databases of the nodes of one folder, on SQLite or PostgreSQL.

    Attributes
    ----------
    kind : {"sqlite", "postgres"}
    urls : node id to address; empty for SQLite
    """

    kind: str
    folder: Path
    urls: dict[str, str] = field(default_factory=dict)

    def make(self, nodes: Sequence[str] = ("cn.cdc", "pk.nih")) -> Callable[[str, Path], Any] | None:
        """Make the databases of `nodes` and return what opens them; None for SQLite: the corridor makes its files."""
        if self.kind == "sqlite":
            return None
        for node_id in nodes:
            self.urls[node_id] = _new_postgres()
        return self.open

    def open(self, node_id: str, home: Path) -> Any:
        """Return a connection of Django to a node's database."""
        if self.kind == "sqlite":
            return sqlite_wrapper(home / env.DATABASE_FILE)
        return wrapper_of(env.database(self.urls[node_id], None) | {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False})

    def where(self, node_id: str) -> str:
        """Return where a node's database is, as the reader takes it."""
        home = self.folder / node_id.replace(".", "-")
        return self.urls.get(node_id) or str(home / env.DATABASE_FILE)

    def environment(self, node_id: str) -> dict[str, str]:
        """Return what a process of the node must be told of its database."""
        return {"DATABASE_URL": self.urls.get(node_id, "")}


_templates: dict[str, Any] = {}


def sqlite_template(folder: Path) -> Path:
    """Return a migrated SQLite database to copy, made once."""
    if "sqlite" not in _templates:
        _templates["sqlite"] = make_template(folder / "template.db")
    return Path(_templates["sqlite"])


def _new_postgres() -> str:
    """Return the address of a new database that is a copy of a migrated one."""
    import psycopg

    if "postgres" not in _templates:
        _templates["postgres"] = postgres.new_database()
        wrapper = wrapper_of(env.database(_templates["postgres"], None) | {"CONN_MAX_AGE": 0})
        with using(wrapper):
            migrate()
        wrapper.close()
    template = _templates["postgres"]
    server, _, query = template.partition("?")
    name = f"soak_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.server_url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {server.rsplit('/', 1)[1]}")
    return server.rsplit("/", 1)[0] + "/" + name + (f"?{query}" if query else "")
