"""Nodes for the tests of the exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.exchange.nodes import Corridor, make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Path:
    """Return a migrated SQLite database to copy."""
    with django_db_blocker.unblock():
        return make_template(tmp_path_factory.mktemp("template") / "template.db")


@pytest.fixture
def make_corridor(tmp_path: Path, template: Path, django_db_blocker: Any) -> Iterator[Callable[..., Corridor]]:
    """Return a maker of corridors, which are closed when the test ends."""
    made: list[Corridor] = []

    def make(*ids: str, **options: Any) -> Corridor:
        folder = tmp_path / f"corridor-{len(made)}"
        corridor = Corridor(folder, ids or ("cn.cdc", "pk.nih"), template=template, **options)
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
