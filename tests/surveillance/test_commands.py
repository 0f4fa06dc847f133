"""The commands of surveillance, as a person types them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from corridor.accounts.actors import System
from corridor.accounts.models import Person
from corridor.accounts.services import add_person
from corridor.accounts.tokens import issue_token
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.pillars.surveillance.commands import COMMANDS
from tests.surveillance.cases import case


@pytest.fixture
def token(database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Act as an epidemiologist, in an empty folder."""
    now = utcnow()
    person: Person = add_person("amina", roles=["epidemiologist"], actor=System("tests"), now=now)
    secret = issue_token(person, name="tests", actor=person, now=now)
    monkeypatch.setenv("CORRIDOR_TOKEN", secret)
    folder = tmp_path / "files"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return secret


def run(*arguments: str) -> Result:
    return CliRunner().invoke(click.Group(commands=list(COMMANDS)), arguments)


def written(name: str, rows: list[dict[str, object]]) -> str:
    with Path(name).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return name


def test_a_file_is_previewed_taken_in_and_counted(token: str) -> None:
    file = written("cases.csv", [*map(case, range(40)), case(41, place="Atlantis")])
    ingest = ("ingest", file, "--kind", "line-list", "--source", "Lahore")

    preview = run(*ingest, "--dry-run")
    assert "40 would be added" in preview.stdout
    assert "row 42, place: unknown-place (row left out)" in preview.stdout

    taken = run(*ingest, "--rejects", "rejects.csv", "--json")
    assert json.loads(taken.stdout)["added"] == 40
    assert Path("rejects.csv").read_text(encoding="utf-8").splitlines()[1].startswith("42,place,unknown-place")

    assert "nothing changed" in run(*ingest).stdout

    counts = run("counts", "--disease", "Корь", "--weeks", "2026-W01..2026-W10", "--out", "counts.csv")
    assert counts.exit_code == 0
    with Path("counts.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert sum(int(row["observed"]) for row in rows) == 40
    assert rows[0]["week"] == "2026-W02"

    assert "measles: run 1" in run("signals", "detect").stdout
    assert run("signals", "--disease", "cholera").stdout.strip() == "0 signals"


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (("ingest", "nowhere.csv", "--kind", "counts", "--source", "x"), "file-missing", 3),
        (("ingest", ".", "--kind", "counts", "--source", "x"), "not-a-file", 3),
        (("ingest", "empty.csv", "--kind", "counts", "--source", "x"), "empty-file", 3),
        (("ingest", "binary.csv", "--kind", "counts", "--source", "x"), "not-a-table", 3),
        (("ingest", "other.csv", "--kind", "counts", "--source", "x"), "column-missing", 3),
        (("ingest", "other.csv", "--kind", "counts", "--source", "x", "--column", "disease"), "bad-option", 2),
        (("ingest", "other.csv", "--kind", "counts", "--source", "x", "--column", "shoe=a"), "mapping-fault", 3),
        (("ingest", "other.csv", "--kind", "counts", "--source", "x", "--as-of", "2999-01-01"), "bad-option", 2),
        (("ingest", "other.csv", "--kind", "counts", "--source", "x", "--map", "none.toml"), "bad-option", 2),
        (("counts", "--disease", "vapours", "--weeks", "2026-W01"), "unknown-name", 2),
        (("counts", "--disease", "measles", "--weeks", "2026-W60"), "impossible-week", 3),
        (("signals", "move", "7", "verified", "--note", "x"), "no-such-signal", 2),
    ],
)
def test_every_fault_has_its_code(token: str, arguments: tuple[str, ...], code: str, exit_code: int) -> None:
    Path("empty.csv").write_bytes(b"")
    Path("binary.csv").write_bytes(bytes(range(256)) * 20)
    Path("other.csv").write_text("a,b\n1,2\n", encoding="ascii")
    result = run(*arguments)

    assert isinstance(result.exception, UserFault), result.output
    assert (result.exception.code, result.exception.exit_code) == (code, exit_code)


def test_without_a_token_nobody_ingests(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORRIDOR_TOKEN")
    result = run("ingest", written("cases.csv", [case(1)]), "--kind", "line-list", "--source", "x")

    assert isinstance(result.exception, UserFault)
    assert result.exception.code == "no-token"


@pytest.mark.parametrize("command", [*COMMANDS], ids=lambda command: command.name)
def test_every_command_has_help_with_an_example(command: click.Command) -> None:
    parts = [command, *(command.commands.values() if isinstance(command, click.Group) else ())]

    for part in parts:
        if part.name != "share":
            assert "Example: corridor " in (part.help or ""), part.name
