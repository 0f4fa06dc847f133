"""The table of attacks: gathered while they are played, printed at the end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.attack.playing import table_of
from tests.exchange.conftest import make_corridor, postgres, template

__all__ = ["attack_table", "make_corridor", "postgres", "template"]

_ROWS: list[tuple[str, str, str, str, str]] = []


@pytest.fixture
def attack_table() -> list[tuple[str, str, str, str, str]]:
    """Return the rows of the table so far, to be added to."""
    return _ROWS


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table, in the order in which the attacks were played."""
    if _ROWS:
        terminalreporter.write_sep("=", "what a hostile partner recovers")
        terminalreporter.write_line(table_of(_ROWS))
