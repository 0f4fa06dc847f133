"""Databases, people and homes for every test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import postgres

pytest_plugins = ("tests.databases",)

hypothesis.settings.register_profile("dev", max_examples=30, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=200, derandomize=True, deadline=None)
hypothesis.settings.register_profile("nightly", max_examples=5000, deadline=None)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") == "true" else "dev")
)

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
"""A Monday morning: the `now` of tests that do not care which."""

ON_POSTGRES = os.environ.get("CORRIDOR_TEST_DATABASE", "sqlite") == "postgres"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Run on PostgreSQL where ``CORRIDOR_TEST_DATABASE=postgres`` asks for it; on SQLite in memory otherwise."""
    if not ON_POSTGRES:
        return
    from django.conf import settings
    from django.db import connections

    from corridor.server import env

    described = env.database(postgres.server_url(tmp_path_factory), None) | {"CONN_MAX_AGE": 0}
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    del connections["default"]
    settings.DATABASES["default"] = described
    connections.settings["default"] = connections.configure_settings({"default": described})["default"]
    connections.settings["default"]["TEST"]["NAME"] = f"test_corridor_{worker}"


@pytest.fixture(autouse=True)
def _own_language() -> Iterator[None]:
    """Leave no language active that a page of the test before was asked in."""
    yield
    if "django" in sys.modules:
        from django.utils import translation

        translation.deactivate()


@pytest.fixture(autouse=True)
def _quick_passwords(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hash passwords cheaply: argon2 is slow on purpose, and not what these tests are about."""
    if "django" not in sys.modules:
        yield
        return
    from django.test import override_settings

    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture
def now() -> datetime:
    """A fixed moment, aware, in UTC."""
    return NOW


@pytest.fixture
def appoint(db: None) -> Callable[..., Any]:
    """Return a function that appoints: ``appoint("anna", "officer", "steward")``; the password is ``corridor-test``."""
    from corridor.accounts.actors import System
    from corridor.accounts.services import add_person

    def make(username: str, *roles: str, **options: Any) -> Any:
        options = {"password": "corridor-test", "must_change_password": False, "now": NOW} | options
        return add_person(username, roles=roles, actor=options.pop("actor", System("test")), **options)

    return make


@pytest.fixture
def officer(appoint: Callable[..., Any]) -> Any:
    """Return a person who signs, pins and approves."""
    return appoint("officer", "officer")


@pytest.fixture
def second_officer(appoint: Callable[..., Any]) -> Any:
    """Return a second such person, for what needs two."""
    return appoint("second.officer", "officer")


@pytest.fixture
def epidemiologist(appoint: Callable[..., Any]) -> Any:
    """Return a person who loads data and works signals."""
    return appoint("epidemiologist", "epidemiologist")


@pytest.fixture
def steward(appoint: Callable[..., Any]) -> Any:
    """Return a person who looks after data and disclosure."""
    return appoint("steward", "steward")


@pytest.fixture
def auditor(appoint: Callable[..., Any]) -> Any:
    """Return a person who reads everything that crossed, and writes nothing."""
    return appoint("auditor", "auditor")


@pytest.fixture
def administrator(appoint: Callable[..., Any]) -> Any:
    """Return a person who looks after people, jobs and settings."""
    return appoint("administrator", "administrator")


class Home:
    """A real home on disk and the commands that work on it, as processes of their own."""

    def __init__(self, path: Path, environ: dict[str, str]) -> None:
        self.path = path
        self.environ = {**os.environ, **environ, "CORRIDOR_HOME": str(path), "PYTHONUNBUFFERED": "1"}

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of ``corridor …``."""
        return [sys.executable, "-c", "from corridor.cli.main import main; main()", *arguments]

    def run(self, *arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run ``corridor …`` to its end."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environ | environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``corridor …`` and return the process; whoever starts it ends it."""
        return subprocess.Popen(
            self.command(*arguments), env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def python(self, code: str) -> subprocess.Popen[str]:
        """Start Python with Django set up for this home."""
        prologue = "import django; django.setup()\n"
        return subprocess.Popen(
            [sys.executable, "-c", prologue + code],
            env=self.environ | {"DJANGO_SETTINGS_MODULE": "corridor.server.settings"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an empty string for the SQLite file of a home, then the address of a new PostgreSQL database."""
    return "" if request.param == "sqlite" else postgres.new_database(tmp_path_factory)


@pytest.fixture(scope="session")
def template_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home on SQLite, made once, to be copied."""
    return _made(tmp_path_factory.mktemp("template"), {"DATABASE_URL": ""}).path


@pytest.fixture
def sqlite_home(tmp_path: Path, template_home: Path) -> Home:
    """Return the home of a new node pk.test on SQLite."""
    copied = tmp_path / "home"
    shutil.copytree(template_home, copied)
    shutil.copy2(template_home.with_name("home.secret"), copied.with_name("home.secret"))
    return Home(copied, {"DATABASE_URL": ""})


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> Home:
    """Return the home of a new node pk.test; once on each kind of database."""
    if not database_url:
        copied: Home = request.getfixturevalue("sqlite_home")
        return copied
    return _made(tmp_path, {"DATABASE_URL": database_url})


def _made(tmp_path: Path, environ: dict[str, str]) -> Home:
    made = Home(tmp_path / "home", environ)
    done = made.run(
        "node",
        "init",
        "--id",
        "pk.test",
        "--name",
        "Test institute",
        "--country",
        "PK",
        "--url",
        "http://127.0.0.1:8999",
    )
    assert done.returncode == 0, done.stderr
    return made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly what did not run: a green line must not hide a browser that is missing."""
    skipped = [report for report in terminalreporter.stats.get("skipped", ()) if "/journeys/" in report.nodeid]
    if skipped:
        terminalreporter.section("browser journeys")
        terminalreporter.line(f"{len(skipped)} browser journeys were SKIPPED: no Chromium was found. CI fails on this.")
