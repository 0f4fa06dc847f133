"""People, files and both databases for the tests of surveillance."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.core.management import call_command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from corridor.accounts.actors import System
from corridor.accounts.models import Person
from corridor.accounts.services import add_person
from corridor.pillars.surveillance import tasks
from corridor.pillars.surveillance.tables import Mapping
from corridor.server import env
from tests import postgres

NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)


@contextmanager
def switched(settings: dict[str, Any]) -> Iterator[BaseDatabaseWrapper]:
    """Make `settings` Django's default database for a while."""
    whole = {**connections["default"].settings_dict, **settings}
    wrapper: BaseDatabaseWrapper = load_backend(whole["ENGINE"]).DatabaseWrapper(whole, "default")
    before = connections["default"]
    connections["default"] = wrapper
    try:
        yield wrapper
    finally:
        wrapper.close()
        connections["default"] = before


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Path:
    """Return the folder of a migrated SQLite database, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    with django_db_blocker.unblock(), switched(env.database(None, folder)):
        call_command("migrate", verbosity=0)
    return folder


@pytest.fixture(scope="session")
def migrated_url(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> str:
    """Return the address of a migrated PostgreSQL, to be emptied before each test."""
    url = postgres.new_database(tmp_path_factory)
    with django_db_blocker.unblock(), switched(env.database(url, None)):
        call_command("migrate", verbosity=0)
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: Any) -> Iterator[str]:
    """Switch Django to an empty database of each kind; no test transaction lies around what a service does."""
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("migrated"), tmp_path, dirs_exist_ok=True)
        settings = env.database(None, tmp_path)
    else:
        settings = env.database(request.getfixturevalue("migrated_url"), None)
    with django_db_blocker.unblock(), switched(settings):
        if request.param == "postgresql":
            call_command("flush", verbosity=0, interactive=False)
        yield request.param


@pytest.fixture
def epidemiologist(database: str) -> Person:
    """Return someone who may ingest, work on signals and share."""
    return add_person("amina", roles=["epidemiologist"], actor=System("tests"), now=NOW)


Ingest = Callable[..., tasks.Taken]


@pytest.fixture
def ingest(epidemiologist: Person) -> Ingest:
    """Return a function that takes rows in as a file would be."""

    def take(
        rows: list[dict[str, object]] | pl.DataFrame,
        *,
        kind: str = "line-list",
        source: str = "Lahore laboratory",
        as_of: datetime = NOW,
        now: datetime | None = None,
        mapping: Mapping | None = None,
        **options: Any,
    ) -> tasks.Taken:
        frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, infer_schema_length=None)
        data = frame.write_csv().encode()
        read = tasks.read_file(data, name="cases.csv", kind=kind, mapping=mapping or Mapping(), as_of=as_of)
        return tasks.take_in(read, source=source, as_of=as_of, actor=epidemiologist, now=now or as_of, **options)

    return take
