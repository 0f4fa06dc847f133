"""The processes of a node: one server a home, restarts, clean stops, and refusals that say what to do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from corridor.server import homes, supervisor
from tests.conftest import Home


def wait_for(claim: Callable[[], bool], *, seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if claim():
            return
        time.sleep(0.1)
    raise AssertionError("what the test waits for did not happen")


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def test_second_server_on_one_home_is_refused_and_names_the_first(sqlite_home: Home) -> None:
    first = sqlite_home.start("node", "work")
    try:
        assert first.stdout is not None
        assert "pk.test runs delivery" in first.stdout.readline()

        second = sqlite_home.run("node", "work")
        assert second.returncode == 2
        assert "error [already-served]" in second.stderr
        assert str(first.pid) in second.stderr
        upgrade = sqlite_home.run("node", "upgrade")
        assert "error [already-served]" in upgrade.stderr
    finally:
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)
    assert first.returncode == 0
    assert sqlite_home.run("node", "upgrade").returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="looks for children in /proc")
def test_dead_child_is_started_again_and_children_end_with_a_killed_supervisor(sqlite_home: Home) -> None:
    node = sqlite_home.start("node", "serve", "--only", "jobs")
    try:
        wait_for(lambda: len(children(node.pid)) == 1)
        before = children(node.pid)[0]
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: bool(children(node.pid)) and children(node.pid)[0] != before)
        after = children(node.pid)[0]
    finally:
        node.kill()
        node.communicate()
    wait_for(
        lambda: not Path(f"/proc/{after}").exists() or "State:\tZ" in Path(f"/proc/{after}/status").read_text("ascii")
    )


def test_port_that_is_taken_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(supervisor.PortTaken, match=str(other.getsockname()[1])):
            supervisor.check_port("127.0.0.1", other.getsockname()[1])


def test_port_zero_takes_a_free_one() -> None:
    assert supervisor.check_port("127.0.0.1", 0) > 0


def test_child_that_keeps_dying_is_started_with_longer_and_longer_pauses() -> None:
    child = supervisor.Child("unlucky", [sys.executable, "-c", "raise SystemExit(3)"])
    pauses = []
    now = 0.0
    for _ in range(4):
        child.start(now)
        assert child.process is not None
        child.process.wait(60)
        child.look_after(now)
        pauses.append(child.start_after - now)

    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_child_that_does_not_stop_is_ended_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    child = supervisor.Child("deaf", [sys.executable, "-c", deaf])
    child.process = subprocess.Popen(child.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process = child.process
    assert process.stdout is not None
    assert process.stdout.readline() == b"deaf\n"

    child.stop()
    child.wait(time.monotonic() + 0.3)
    process.stdout.close()

    assert process.returncode == -signal.SIGKILL


def test_supervisor_starts_its_children_and_stops_them_when_told(tmp_path: Path) -> None:
    child = supervisor.Child("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"])
    watched = supervisor.Supervisor([child])
    seen = []

    def ready() -> None:
        seen.append(child.process)
        threading.Timer(0.2, watched.stop_event.set).start()

    watched.run(ready=ready)

    assert seen[0] is not None
    assert seen[0].returncode == -signal.SIGTERM


def test_folder_that_is_no_home_is_named(tmp_path: Path) -> None:
    with pytest.raises(homes.NoHome, match="corridor node init"):
        homes.check(None)
    with pytest.raises(homes.NoHome, match="there is no folder"):
        homes.check(tmp_path / "absent")
    with pytest.raises(homes.NoHome, match="not the home of a node"):
        homes.check(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"node_id": "NIH"}, "--id"),
        ({"node_id": "cn.cdc"}, "begins with pk."),
        ({"country": "pk"}, "--country"),
        ({"country": "ZZ"}, "--country"),
        ({"name": " "}, "--name"),
        ({"url": "127.0.0.1:8001"}, "--url"),
        ({"url": "http://node.example.org"}, "TLS"),
        ({"url": "https://node.example.org/health"}, "no path"),
        ({"url": "http://127.0.0.1:99999"}, "--url"),
    ],
)
def test_identity_that_cannot_be_used_is_refused_with_an_example(wrong: dict[str, str], names: str) -> None:
    given = {"node_id": "pk.nih", "name": "Institute", "country": "PK", "url": "http://127.0.0.1:8001"}

    homes.check_identity(**given)
    with pytest.raises(homes.BadNode, match=names):
        homes.check_identity(**(given | wrong))


def test_home_is_made_private_and_never_over_another(tmp_path: Path) -> None:
    home, secret = tmp_path / "home", tmp_path / "home.secret"
    homes.make(home, values={"id": "pk.nih"}, secret_file=secret)

    assert home.stat().st_mode & 0o777 == 0o700
    assert secret.stat().st_mode & 0o777 == 0o600
    with pytest.raises(homes.HomeExists):
        homes.make(home, values={}, secret_file=secret)
    with pytest.raises(homes.BadNode, match="inside the home"):
        homes.make(tmp_path / "other", values={}, secret_file=tmp_path / "other" / "secret")


def test_commands_say_what_is_missing(sqlite_home: Home, tmp_path: Path) -> None:
    def complaint(*arguments: str, **environ: str) -> str:
        done = sqlite_home.run(*arguments, **environ)
        assert done.returncode in {2, 4}
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "error [no-token]" in complaint("user", "list")
    assert "error [token-refused]" in complaint("user", "list", CORRIDOR_TOKEN="hc1_wrong")
    assert "error [no-home]" in complaint("user", "list", "--home", str(tmp_path / "absent"))
    assert "error [home-exists]" in complaint(
        "node", "init", "--id", "pk.b", "--name", "B", "--country", "PK", "--url", "http://127.0.0.1:8001"
    )


def test_database_that_lacks_steps_is_refused_until_it_is_upgraded(sqlite_home: Home) -> None:
    forget = "DELETE FROM django_migrations WHERE app = 'jobs'"
    forgotten = sqlite_home.python(f'from django.db import connection; connection.cursor().execute("{forget}")')
    forgotten.communicate()

    refused = sqlite_home.run("node", "serve", "--only", "jobs")
    assert refused.returncode == 2
    assert "corridor node upgrade" in refused.stderr


def test_home_made_on_postgresql_refuses_to_run_without_its_address(home: Home, database_url: str) -> None:
    if not database_url:
        wrong = home.run("node", "serve", "--only", "jobs", DATABASE_URL="postgresql://127.0.0.1:9/none")
        assert "error [database-unreachable]" in wrong.stderr
        return
    wrong = home.run("node", "serve", "--only", "jobs", DATABASE_URL="")
    assert wrong.returncode == 2
    assert "set DATABASE_URL" in wrong.stderr


def test_newcomers_path_from_init_to_an_audit_entry(home: Home) -> None:
    database = {"DATABASE_URL": home.environ["DATABASE_URL"]}
    made = Home(home.path.with_name("second"), database)
    if database["DATABASE_URL"]:
        from tests.postgres import new_database

        made.environ["DATABASE_URL"] = new_database()
    init = made.run("node", "init", "--id", "pk.b", "--name", "B", "--country", "PK", "--url", "http://127.0.0.1:8998")
    password = init.stdout.split("one-time password: ")[1].split()[0]

    token = made.run("token", "admin", "--password-stdin", stdin=f"{password}\nwalnut-river-slate-07\n")
    administrator = {"CORRIDOR_TOKEN": token.stdout.strip()}
    added = made.run("user", "add", "asma", "--role", "auditor", **administrator)
    given = added.stdout.split("one-time password: ")[1].split()[0]
    auditor = made.run("token", "asma", "--password-stdin", stdin=f"{given}\nquiet-meadow-lamp-33\n")

    trail = made.run("audit", CORRIDOR_TOKEN=auditor.stdout.strip())
    assert trail.returncode == 0, trail.stderr
    assert "accounts.add_person" in trail.stdout
    assert "asma" in trail.stdout
    refused = made.run("audit", **administrator)
    assert refused.returncode == 4
    assert "error [not-permitted]" in refused.stderr
