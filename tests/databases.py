"""A pytest plugin that says how many tests ran on which database: a green line must not hide a gap."""

from __future__ import annotations

import os
from collections import Counter

import pytest

PROPERTY = "database"
SQLITE, POSTGRES, NONE = "sqlite", "postgresql", "no database"
_PARAMETERS = ("make_corridor", "corridor", "database_url", "database")
_FIXTURES = ("db", "transactional_db", "django_db_setup", "make_corridor", "home", "sqlite_home")


def database_of(item: pytest.Item) -> str:
    """Return which database a test works on."""
    if item.get_closest_marker("postgres"):
        return POSTGRES
    given = getattr(getattr(item, "callspec", None), "params", {})
    if any(str(given.get(name, "")) == "sqlite" for name in _PARAMETERS):
        return SQLITE
    names = getattr(item, "fixturenames", ())
    if not item.get_closest_marker("django_db") and not any(name in names for name in _FIXTURES):
        return NONE
    is_asked_for = os.environ.get("CORRIDOR_TEST_DATABASE", SQLITE) == "postgres"
    return POSTGRES if is_asked_for and "sqlite_home" not in names else SQLITE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note on each test where it works; the note travels with its report, from the workers of xdist too."""
    for item in items:
        item.user_properties.append((PROPERTY, database_of(item)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print tests run and skipped per database."""
    ran, skipped = tally(terminalreporter.stats)
    terminalreporter.section("tests per database")
    for name in (SQLITE, POSTGRES, NONE):
        terminalreporter.line(f"{name:12} {ran[name]:5} run  {skipped[name]:4} skipped")


def tally(stats: dict[str, list[pytest.TestReport]]) -> tuple[Counter[str], Counter[str]]:
    """Return how many tests ran and how many were skipped, by database."""
    ran: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for outcome, counted in (("passed", ran), ("failed", ran), ("error", ran), ("skipped", skipped)):
        seen = {report.nodeid: report for report in stats.get(outcome, ()) if hasattr(report, "user_properties")}
        for report in seen.values():
            counted[dict(report.user_properties).get(PROPERTY, NONE)] += 1
    return ran, skipped
