"""The commands of agreements, from a source file to a signed agreement, and what they say of faulty input."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from corridor.accounts import tokens
from corridor.accounts.commands import approve
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.exchange.commands.agreements import agreement
from corridor.exchange.rules.agreement import draft, read_agreement
from tests.exchange.nodes import Corridor

Run = Callable[..., Result]

SOURCE = """
purpose = "Joint surveillance"
benefit_sharing = "Findings are published together."
disputes = "By consultation."
start_at = 2026-05-01T00:00:00Z
end_at = 2028-05-01T00:00:00Z
parties = [
  { node = "pk.nih", country = "PK", legal_entity = "A", authority = "Ministry", mandate = "1" },
  { node = "cn.cdc", country = "CN", legal_entity = "B", authority = "Ministry", mandate = "2" },
]
legal_basis = [{ country = "PK", basis = "Act" }, { country = "CN", basis = "Act" }]
places = [{ base_map = "ISO 3166-2", codes = ["PK-*", "CN-*"] }]
[instrument]
title = { en = "Memorandum", ur = "یادداشت" }
date = 2026-04-01
reference = "M-1"
[[channels]]
id = "figures"
clause = "4.1"
from = ["pk.nih", "cn.cdc"]
to = ["pk.nih", "cn.cdc"]
message = "test.figure/1"
data_class = "aggregate"
purpose = "disease-surveillance"
place_level = "admin1"
disclosure = [{ disease = "*", stratum = "total", min_cell = 5 }]
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "memorandum.toml"
    path.write_text(SOURCE, encoding="utf-8")
    (tmp_path / "en.txt").write_text("The memorandum", encoding="utf-8")
    return path


@pytest.fixture
def run(corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command of pk.nih in the name of one of its officers."""
    node = corridor["pk.nih"]

    def call(*arguments: str, name: str = "first", command: click.Command = agreement) -> Result:
        with node:
            person = node.person(name)
            person.must_change_password = False
            person.save()
            secret = tokens.issue_token(person, name="test", actor=person, now=utcnow())
            monkeypatch.setenv("CORRIDOR_TOKEN", secret)
            return CliRunner().invoke(command, list(arguments), catch_exceptions=True)

    return call


def value(result: Result) -> Any:
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.output)


def test_a_source_file_becomes_a_signed_agreement(run: Run, source: Path) -> None:
    text = f"en={source.parent / 'en.txt'}"
    drafted = value(run("draft", str(source), "--text", text, "--json"))["agreement"]

    assert value(run("propose", drafted[:12], "--json"))["state"] == "proposed"
    first = run("sign", drafted[:12])
    assert "waiting for a second person, for 7 days: corridor approve" in first.output
    request = first.output.split()[-1]
    second = run(request, name="second", command=approve)
    assert second.exit_code == 0, second.output
    shown = value(run("show", drafted[:12], "--json"))
    assert shown["state"] == "signed-by-some"
    assert shown["signed"] == ["pk.nih"]
    described = run("show", drafted[:12]).output
    assert "clause 4.1" in described
    assert drafted in described


def test_an_amendment_is_drafted_from_what_changes_and_compared(run: Run, corridor: Corridor, tmp_path: Path) -> None:
    old = corridor.sign()
    changes = tmp_path / "changes.toml"
    changes.write_text("retention_days = 90\n", encoding="utf-8")

    new = value(run("amend", old[:12], str(changes), "--json"))["agreement"]

    (change,) = value(run("diff", new[:12], "--json"))
    assert (change["path"], change["old"], change["new"]) == (["retention_days"], 1825, 90)
    assert value(run("list", "--state", "draft", "--json"))[0]["supersedes"] == old
    assert run("discard", new[:12]).exit_code == 0
    assert value(run("list", "--state", "draft", "--json")) == []


def test_a_suspension_holds_at_once_and_a_resumption_waits_for_a_second_person(run: Run, corridor: Corridor) -> None:
    old = corridor.sign()

    assert value(run("suspend", old[:12], "--json"))["state"] == "suspended"
    assert value(run("resume", old[:12], "--json"))["done"] is False


def test_the_document_is_printed_byte_for_byte(run: Run, corridor: Corridor) -> None:
    from corridor.exchange.rules.agreement import agreement_hash

    signed = corridor.sign()

    assert agreement_hash(run("show", signed, "--document").stdout_bytes) == signed


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "folder"),
        (b"", "empty"),
        (b"\x00\x01\x02\xff\xfe", ""),
        (b"purpose = ", "no TOML"),
        (b'purpose = "x"', "/parties"),
    ],
)
def test_a_source_at_fault_is_refused_with_what_to_do(
    run: Run, tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "source.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)

    result = run("draft", str(path))

    assert isinstance(result.exception, UserFault)
    assert result.exception.exit_code == 3
    assert said in str(result.exception)


def test_an_unknown_hash_and_a_wrong_text_option_are_refused(run: Run, source: Path) -> None:
    unknown, text = run("show", "abcdef"), run("draft", str(source), "--text", "english.txt")

    assert isinstance(unknown.exception, UserFault)
    assert "corridor agreement list" in str(unknown.exception)
    assert isinstance(text.exception, UserFault)
    assert "LANGUAGE=FILE" in str(text.exception)


@pytest.mark.parametrize("name", sorted(agreement.commands))
def test_every_command_has_help_with_an_example(name: str) -> None:
    text = CliRunner().invoke(agreement, [name, "--help"]).output

    assert "Example: corridor agreement" in " ".join(text.split())


HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "sign-an-agreement.md"


def test_the_source_in_the_how_to_is_a_sound_agreement() -> None:
    source = re.search(r"```toml\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)

    assert source is not None
    drafted = read_agreement(draft(tomllib.loads(source[1]), texts={"en": b"text"}))
    assert [channel.clause for channel in drafted.channels] == ["4.1"]


def test_every_command_in_the_how_to_exists() -> None:
    named = set(re.findall(r"^corridor agreement (\w+)", HOW_TO.read_text(encoding="utf-8"), re.MULTILINE))

    assert named <= set(agreement.commands)
    assert {"draft", "propose", "sign", "suspend", "resume", "terminate", "amend", "diff"} <= named
