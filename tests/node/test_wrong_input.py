"""Wrong input to every command: it says what was expected, what came and what to do, without a traceback."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Home

DRIVER = Path(__file__).with_name("wrong_input.py")
USAGE = "usage"
"""The code of a fault that click itself finds; it shows the usage."""


@dataclass(frozen=True)
class Case:
    """A command line, in whose name it runs, and what it must say.

    Attributes
    ----------
    code : str
        Code of the error, `USAGE`, or empty where nothing is wrong.
    says : str
        A part of the text: what came, or what to do.
    before : str
        What the driver does first.
    """

    line: str
    exit_code: int
    code: str
    says: str
    token: str = "counter"
    before: str = ""

    @property
    def arguments(self) -> list[str]:
        return [part.replace("_", " ") if part.startswith("'") else part for part in self.line.split(" ")]


LIST = "--kind line-list --source Lahore"
PIN = "--fingerprint {fingerprint}"
CASES = [
    # a line list or counts
    Case(f"ingest folder {LIST}", 3, "not-a-file", "Name one of the files in it"),
    Case(f"ingest nowhere.csv {LIST}", 3, "file-missing", "Check the name"),
    Case(f"ingest empty.csv {LIST}", 3, "empty-file", "Export the file again"),
    Case(f"ingest binary.csv {LIST}", 3, "not-a-table", "found binary data"),
    Case(f"ingest book.xlsx {LIST}", 3, "not-a-table", "save the sheet as CSV"),
    Case(f"ingest columns.csv {LIST}", 3, "column-missing", "--column place=HEADING"),
    Case(f"ingest future.csv {LIST}", 3, "nothing-kept", "nothing was changed"),
    Case(f"ingest good.csv {LIST} --as-of 2199-01-01", 2, "bad-option", "lies in the future"),
    Case(f"ingest good.csv {LIST} --map words.txt", 3, "mapping-fault", "ingest-a-file.md"),
    Case(f"ingest good.csv {LIST} --map folder", 2, "bad-option", "Is a directory"),
    Case(f"ingest good.csv {LIST} --column shoe=size", 3, "mapping-fault", "known are"),
    Case(f"ingest good.csv {LIST} --column place=Ort", 3, "column-missing", "It has: case_id"),
    Case(f"ingest good.csv {LIST} --encoding klingon", 2, "unknown-encoding", "Name one such as utf-8"),
    Case(f"ingest good.csv {LIST} --rejects folder", 3, "unwritable-file", "Add a file name"),
    Case(f"ingest good.csv {LIST} --rejects /nowhere/x.csv", 3, "unwritable-file", "Make it first"),
    Case("ingest good.csv --kind line-list --source ", 2, "bad-option", "say where the file comes from"),
    Case("ingest good.csv --source Lahore", 2, USAGE, "--kind"),
    Case(f"ingest good.csv {LIST}", 4, "not-permitted", "Ask an administrator", token="auditor"),
    Case(f"ingest good.csv {LIST}", 0, "", ""),
    # tokens
    Case("signals", 2, "no-token", "set CORRIDOR_TOKEN", token=""),
    Case("signals", 4, "token-refused", "Make a new one with `corridor token NAME`", token="nobody"),
    Case("signals", 4, "token-refused", "does not know the token", token="not-a-token"),
    Case("token nobody --password-stdin", 4, "wrong-password", "the name or the password"),
    # counts, signals, sharing
    Case("counts --disease vapours --weeks 2026-W01..2026-W02", 2, "unknown-name", "'vapours'"),
    Case("counts --disease measles --weeks 2026", 3, "impossible-week", "came '2026'"),
    Case("counts --disease measles --weeks 2026-W09..2026-W02", 3, "impossible-week", "swap the ends"),
    Case(
        "counts --disease measles --weeks 2026-W01..2026-W02 --known-at soon", 2, "bad-option", "--known-at is a date"
    ),
    Case("counts --disease measles --weeks 2026-W01..2026-W02 --out folder", 3, "unwritable-file", "Add a file name"),
    Case("signals --place Atlantis", 2, "unknown-name", "'Atlantis'"),
    Case("signals move 99 verified --note x", 2, "no-such-signal", "`corridor signals` lists"),
    Case("signals detect --disease measles --method magic", 2, "unknown-method", "expected one of"),
    Case("share counts --agreement ffffff --weeks 2026-W01..2026-W02", 2, "no-channel", "`corridor agreement show`"),
    Case("share alert 99 --agreement ffffff", 2, "no-channel", "`corridor agreement show`"),
    # partners
    Case(f"peer add nowhere.card {PIN}", 3, "unreadable-card", "give the card file", token="officer"),
    Case(f"peer add folder {PIN}", 3, "unreadable-card", "Is a directory", token="officer"),
    Case(f"peer add empty.csv {PIN}", 3, "unreadable-card", "`corridor node card`", token="officer"),
    Case(f"peer add binary.csv {PIN}", 3, "unreadable-card", "Ask the partner", token="officer"),
    Case(f"peer add words.txt {PIN}", 3, "unreadable-card", "Ask the partner", token="officer"),
    Case("peer add far.card --fingerprint AB12", 3, "bad-fingerprint", "eight groups of four", token="officer"),
    Case("peer add far.card --fingerprint {own_fingerprint}", 4, "wrong-fingerprint", "Do not pin it", token="officer"),
    Case("peer add own.card --fingerprint {own_fingerprint}", 4, "card-unfit", "card of a partner", token="officer"),
    Case(f"peer add far.card {PIN}", 4, "not-permitted", "it takes the role officer"),
    Case("peer pause xx.nobody --reason x", 3, "no-such-partner", "`corridor peer list`", token="officer"),
    Case("peer pause cn.far --reason ", 2, USAGE, "it is empty", token="officer"),
    Case(f"peer add far.card {PIN}", 0, "", "", token="officer"),
    Case(f"peer add far.card {PIN}", 4, "card-unfit", "is pinned already", token="officer"),
    Case("peer resume cn.far", 3, "not-paused", "no paused partner", token="officer"),
    Case("peer take far.card", 3, "nothing-new", "pinned here already", token="officer"),
    Case("peer take own.card", 3, "no-such-partner", "no pinned partner", token="officer"),
    Case("peer take words.txt", 3, "unreadable-card", "`reinstate-keys`", token="officer"),
    Case("peer take far.card", 4, "not-permitted", "it takes the role officer"),
    Case(f"peer add far.card {PIN} --anew cn.far", 4, "card-unfit", "this very fingerprint", token="officer"),
    Case("peer use-url cn.far", 4, "card-unfit", "names no other address", token="officer"),
    Case("peer confirm-restore cn.far", 4, "nothing-to-confirm", "no restore", token="officer"),
    Case("peer close-dispute 77 --note x", 3, "no-such-dispute", "lists them", token="officer"),
    # a partner that is down: nothing fails, and the list says so
    Case("peer list", 0, "", "cannot be reached", token="officer", before="deliver"),
    # agreements
    Case("agreement draft folder", 3, "unreadable-source", "name a file in it", token="officer"),
    Case("agreement draft nowhere.toml", 3, "unreadable-source", "Check the name", token="officer"),
    Case("agreement draft empty.csv", 3, "unreadable-source", "is empty", token="officer"),
    Case("agreement draft binary.csv", 3, "unreadable-source", "binary data", token="officer"),
    Case("agreement draft words.txt", 3, "unreadable-source", "sign-an-agreement.md", token="officer"),
    Case("agreement draft half.toml", 3, "malformed-agreement", "/parties", token="officer"),
    Case("agreement draft half.toml --text xx=words.txt", 2, "wrong-text", "LANGUAGE=FILE", token="officer"),
    Case("agreement draft half.toml --text en=nowhere", 3, "unreadable-source", "Check the name", token="officer"),
    *(
        Case(f"agreement {act} ffffff", 3, "no-such-agreement", "`corridor agreement list`", token="officer")
        for act in ("show", "propose", "sign", "activate", "suspend", "resume", "terminate", "diff", "discard")
    ),
    # log, crossings, evidence
    Case("log prove 01a2", 3, "no-such-crossing", "`corridor crossings` lists", token="auditor"),
    Case("crossings retry 99", 3, "nothing-to-retry", "retried by itself", token="officer"),
    Case("evidence verify folder", 3, "not-readable", "name the evidence file in it"),
    Case("evidence verify nowhere", 3, "not-readable", "`corridor log prove"),
    Case("evidence verify empty.csv", 3, "not-readable", "get the evidence file again"),
    Case("evidence verify binary.csv", 3, "not-readable", "canonical JSON"),
    Case("evidence verify far.card", 3, "", "ALTERED"),
    Case("evidence verify far.card --trust cn.far", 2, "bad-trust", "NODE=FINGERPRINT"),
    # people, approvals, jobs, audit
    Case("user add second --role wizard", 2, "unknown-role", "choose one of", token="keeper"),
    Case("user add X! --role officer", 3, "bad-person-name", "it takes 2 to 64", token="keeper"),
    Case("user add officer --role officer", 3, "name-taken", "choose another name", token="keeper"),
    Case("user close nobody", 2, "no-such-person", "`corridor user list`", token="keeper"),
    Case("user add second --role officer", 4, "not-permitted", "administrator", token="officer"),
    Case("approve 99", 2, "no-such-request", "`corridor approve` without a number", token="officer"),
    Case("jobs --retry 99", 2, "no-such-job", "", token="keeper"),
    Case("audit --since yesterday", 2, "bad-date", "2026-01-31", token="auditor"),
    Case("audit --out folder", 2, USAGE, "is a directory", token="auditor"),
    Case("audit --out /nowhere/x", 3, "file-fault", "Check the name, the folder", token="auditor"),
    Case("audit --out /dev/full", 3, "disk-full", "Free space", token="auditor"),
    # the node
    Case("node backup /nowhere/x.tar", 3, "unwritable-backup", "make it, or name another"),
    Case("node backup good.csv", 2, "backup-exists", "name another file"),
    Case("node restore nowhere.tar", 2, USAGE, "does not exist"),
    Case("node restore folder", 2, USAGE, "is a directory"),
    Case("node restore empty.csv", 3, "unreadable-backup", "nothing was changed"),
    Case("node restore", 4, "not-recovering", "nothing to recover", token="officer"),
    Case("node rotate-key magic", 2, USAGE, "'transport'", token="keeper"),
    Case("node rotate-key log --recovery-key abc", 2, "wrong-recovery-key", "43 letters", token="keeper"),
    Case(
        "node rotate-key log --recovery-key @nowhere.key",
        3,
        "unreadable-recovery-key",
        "`corridor node init`",
        token="keeper",
    ),
    Case("node reinstate-keys --recovery-key abc", 2, "wrong-recovery-key", "43 letters", token="keeper"),
    Case(f"node rotate-key log --recovery-key {'A' * 43}", 2, "wrong-recovery-key", "not the one", token="keeper"),
    Case("node serve --port 70000", 2, USAGE, "70000"),
    Case("node init --id PK.NIH --name x --country PK --url http://127.0.0.1:1", 3, "bad-node", "such as pk.nih"),
    Case("node init --id pk.x --name x --country Pakistan --url http://127.0.0.1:1", 3, "bad-node", "such as PK"),
    Case("node init --id pk.x --name x --country PK --url http://example.org", 3, "bad-node", "Put a proxy"),
    Case(
        "node init --id pk.x --name x --country PK --url http://127.0.0.1:1 --administrator X!",
        3,
        "bad-person-name",
        "2 to 64",
    ),
    Case(
        "node init --id pk.x --name x --country PK --url http://127.0.0.1:1",
        2,
        "home-exists",
        "nothing there was changed",
    ),
    Case("demo --home good.csv --no-serve", 2, "not-a-demo-home", "name a folder"),
    # a full disk: nothing is half done, and the node goes on once there is room
    Case("ingest many.csv --kind line-list --source Karachi", 3, "disk-full", "Free space", before="fill-disk"),
    Case("ingest many.csv --kind line-list --source Karachi", 4, "import-under-way", "--restart", before="free-disk"),
    Case("ingest many.csv --kind line-list --source Karachi --restart", 0, "", "4000 were added"),
    Case("log verify", 0, "", "clean"),
    # detection on files
    Case("detect folder", 3, "not-a-file", "Name one of the files in it"),
    Case("detect empty.csv", 3, "empty-file", "Export the file again"),
    Case("detect binary.csv", 3, "not-a-table", "binary data"),
    Case("detect columns.csv", 3, "missing-column", "'observed'"),
    Case("detect counts.csv --method magic", 2, "unknown-method", "expected one of"),
    Case("detect counts.csv --option alpha", 2, "bad-option", "KEY=VALUE"),
    Case("detect counts.csv --from 2199-01-01", 2, "nothing-to-judge", "Name an earlier one"),
    Case("nonsense", 2, USAGE, "No such command"),
    Case("node nonsense", 2, USAGE, "No such command"),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, template_home: Path) -> list[dict[str, Any]]:
    """Return what each case ended with and said, from one process on the home of a new node of one person."""
    folder = tmp_path_factory.mktemp("wrong")
    home = folder / "home"
    shutil.copytree(template_home, home)
    shutil.copy2(template_home.with_name("home.secret"), folder / "home.secret")
    settings = home / "settings.toml"
    text, changed = re.subn(r"one_person = false", "one_person = true", settings.read_text(encoding="utf-8"))
    assert changed == 1
    settings.write_text(text, encoding="utf-8")
    here = Home(home, {"DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": "corridor.server.settings"})
    cases = [{"arguments": case.arguments, "token": case.token, "before": case.before} for case in CASES]
    work = folder / "files"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, str(DRIVER)],
        cwd=work,
        env=here.environ,
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return found


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda number: CASES[number].line.replace("/", "|"))
def test_every_command_says_what_is_wrong_and_what_to_do(number: int, results: list[dict[str, Any]]) -> None:
    case, result = CASES[number], results[number]
    said = result["out"] + result["err"]

    assert "Traceback" not in said, said[-2000:]
    assert result["code"] == case.exit_code, said
    assert case.says in said
    if case.code == USAGE:
        assert "Usage: corridor" in result["err"]
        assert "Error: " in result["err"]
    elif case.code:
        assert f"error [{case.code}]: " in result["err"]
    elif case.exit_code == 0:
        assert "error [" not in result["err"]


def test_a_command_without_a_home_names_both_ways_to_give_one(tmp_path: Path) -> None:
    nowhere = Home(tmp_path / "none", {"DATABASE_URL": "", "CORRIDOR_TOKEN": "x"})

    missing = nowhere.run("signals")
    assert missing.returncode == 2
    assert "there is no folder" in missing.stderr

    unnamed = nowhere.run("signals", CORRIDOR_HOME="")
    assert unnamed.returncode == 2
    assert "give --home DIR or set CORRIDOR_HOME" in unnamed.stderr

    (tmp_path / "none").mkdir()
    empty = nowhere.run("signals")
    assert "is not the home of a node" in empty.stderr


def test_a_lost_database_is_not_replaced_by_an_empty_one(sqlite_home: Home) -> None:
    database = sqlite_home.path / "corridor.db"
    database.rename(sqlite_home.path / "kept.db")

    for command in (("log", "verify"), ("node", "upgrade")):
        done = sqlite_home.run(*command)
        assert done.returncode == 2
        assert "error [database-unreachable]" in done.stderr
        assert "corridor node restore FILE" in done.stderr

    database.write_bytes(b"no database" * 1000)
    done = sqlite_home.run("log", "verify")
    assert done.returncode == 2
    assert "Move it away" in done.stderr


def test_a_backup_is_not_put_under_a_running_node(sqlite_home: Home, tmp_path: Path) -> None:
    backup = tmp_path / "b.tar"
    assert sqlite_home.run("node", "backup", str(backup)).returncode == 0
    running = sqlite_home.start("node", "work")
    try:
        assert running.stdout is not None
        running.stdout.readline()
        refused = sqlite_home.run("node", "restore", str(backup))
    finally:
        running.terminate()
        running.communicate(timeout=60)

    assert refused.returncode == 2
    assert "error [already-served]" in refused.stderr
    assert sqlite_home.run("node", "restore", str(backup)).returncode == 0


def test_a_home_that_could_not_be_finished_leaves_nothing_behind(tmp_path: Path) -> None:
    home = Home(tmp_path / "new", {"DATABASE_URL": "postgresql://127.0.0.1:1/none?connect_timeout=2"})

    done = home.run("node", "init", "--id", "pk.x", "--name", "X", "--country", "PK", "--url", "http://127.0.0.1:1")

    assert done.returncode == 2
    assert "error [database-unreachable]" in done.stderr
    assert list(tmp_path.iterdir()) == []
