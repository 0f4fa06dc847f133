"""The random histories of ``tests/exchange/test_machine.py`` on PostgreSQL, where two transactions may run at once."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, run_state_machine_as_test

from tests.budget import examples
from tests.exchange.nodes import Corridor
from tests.exchange.postgres import Databases
from tests.exchange.test_machine import History

SERVER: dict[str, Databases] = {}


class HistoryOnPostgres(History):
    """One corridor of which each node has a database of its own on one PostgreSQL server."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.corridor = Corridor(Path(self.folder.name) / "corridor", self.ids, database=SERVER["postgresql"])
        self.agreement = self.corridor.sign()
        self.value = 100
        self.suspended: set[str] = set()
        self.sent: dict[str, tuple[str, str]] = {}


@pytest.mark.postgres
def test_random_histories_keep_the_invariants_on_postgresql(postgres: Databases, django_db_blocker: Any) -> None:
    SERVER["postgresql"] = postgres
    with django_db_blocker.unblock():
        run_state_machine_as_test(
            HistoryOnPostgres,
            settings=settings(
                max_examples=examples(2), stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
