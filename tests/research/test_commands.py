"""The commands of studies, as people at the two sites type them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from corridor.accounts import tokens
from corridor.accounts.actors import System
from corridor.accounts.commands import approve
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.jobs.services import enqueue
from corridor.pillars.research.commands import COMMANDS
from corridor.pillars.research.models import Release
from corridor.pillars.research.tasks import ADVANCE
from tests.exchange.nodes import Corridor
from tests.research.studies import GOLDEN, SITES, StudyCorridor, breast_protocol, protocol_text

Run = Callable[..., Result]


@pytest.fixture
def study(make_corridor: Callable[..., Corridor]) -> StudyCorridor:
    return StudyCorridor(make_corridor(*SITES.values(), now=utcnow()), *breast_protocol())


@pytest.fixture
def run(study: StudyCorridor, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command in the name of a person of a site."""

    def call(*arguments: str, by: str = "ren", at: str = "nl", made_ago: timedelta = timedelta(0)) -> Result:
        with study.nodes[at] as node:
            person = node.person(by)
            token = tokens.issue_token(person, name="tests", actor=person, now=utcnow() - made_ago)
            monkeypatch.setenv("CORRIDOR_TOKEN", token)
            return CliRunner().invoke(click.Group(commands=[*COMMANDS, approve]), arguments)

    return call


def fault_of(result: Result) -> str:
    assert isinstance(result.exception, UserFault), result.output
    return result.exception.code


def signed(run: Run, protocol: str) -> None:
    for site in SITES:
        asked = run("study", "sign", protocol, by="stew", at=site)
        number = re.search(r"Request (\d+)", asked.output)
        assert number, asked.output
        run("approve", number[1], by="ard", at=site)


def test_a_study_goes_from_its_protocol_to_the_result_by_commands(
    study: StudyCorridor, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "study.toml"
    file.write_text(protocol_text(), encoding="utf-8")

    proposed = run("study", "propose", str(file), "--agreement", study.agreement[:8])
    assert study.protocol.hash in proposed.output, proposed.exception
    study.corridor.settle()
    signed(run, study.protocol.hash[:12])
    study.corridor.settle()
    for site in SITES:
        told = json.loads(
            run(
                "study", "data", "breast-hormone", str(GOLDEN / f"site_{site}.csv"), "--json", by="stew", at=site
            ).output
        )
        assert told["report"]["kept"] == told["report"]["rows"] > 600
        assert "Signed" in run("study", "sign-data", told["snapshot"][:12], by="stew", at=site).output
    study.corridor.settle()
    assert "asked for" in run("study", "request", "breast-hormone", "baseline-numbers").output
    study.settle()

    for site in SITES:
        shown: dict[str, Any] = json.loads(
            run("study", "result", "breast-hormone", "baseline-numbers", "--json", at=site).output
        )
        assert shown["state"] == "done"
        assert shown["rows_crossed"] == 0
        assert shown["numbers_crossed"] == sum(each["numbers"] for each in shown["crossed"]) > 0
        assert {each["site"] for each in shown["crossed"]} == set(SITES)
    assert "0 rows and" in run("study", "result", "breast-hormone", "baseline-numbers").output
    assert "baseline-numbers: done" in run("study", "show", "breast-hormone").output
    assert "locked" in run("study", "list").output


def test_a_dry_run_prints_the_report_and_freezes_nothing(study: StudyCorridor, run: Run) -> None:
    study.propose()

    told = run("study", "data", "breast-hormone", str(GOLDEN / "site_nl.csv"), "--dry-run", by="stew")

    assert "grade from grade" in told.output
    assert json.loads(run("study", "show", "breast-hormone", "--json").output)["snapshots"] == []


def test_a_pause_holds_a_run_until_the_site_resumes(study: StudyCorridor, run: Run) -> None:
    study.ready()
    run("study", "pause", "breast-hormone", "--reason", "Codes are checked.", by="stew", at="de")
    study.settle()
    run("study", "request", "breast-hormone", "baseline-numbers")
    study.settle()
    assert "waits for de" in run("study", "show", "breast-hormone").output

    run("study", "resume", "breast-hormone", "--reason", "Checked.", by="stew", at="de")
    study.settle()
    with study.nodes["de"]:
        enqueue(ADVANCE, arguments={}, actor=System("tests"), now=study.nodes["de"].now)
    study.settle()

    assert "baseline-numbers: done" in run("study", "show", "breast-hormone").output


def test_by_hand_an_answer_leaves_when_two_persons_said_so(study: StudyCorridor, run: Run) -> None:
    study.ready()
    run("study", "by-hand", "breast-hormone", "on", by="stew", at="de")
    asked = run("study", "request", "breast-hormone", "baseline-categories").output
    found = re.search(r"Run (\S+) of", asked)
    assert found, asked
    study.settle()
    before = json.loads(run("study", "result", "breast-hormone", "baseline-categories", "--json").output)
    assert {each["site"] for each in before["crossed"]} == {"nl"}

    request = re.search(r"Request (\d+)", run("study", "release", found[1][:13], "1", by="stew", at="de").output)
    assert request
    run("approve", request[1], by="ard", at="de")
    study.settle()

    assert "baseline-categories: done" in run("study", "result", "breast-hormone", "baseline-categories").output


def test_to_let_answers_leave_unseen_takes_two_persons(study: StudyCorridor, run: Run) -> None:
    study.ready()
    run("study", "by-hand", "breast-hormone", "on", by="stew")

    request = re.search(r"Request (\d+)", run("study", "by-hand", "breast-hormone", "off", by="stew").output)
    assert request
    assert json.loads(run("study", "show", "breast-hormone", "--json").output)["by_hand"] is True
    run("approve", request[1], by="ard")
    assert json.loads(run("study", "show", "breast-hormone", "--json").output)["by_hand"] is False


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("study", "show", "nothing"), "no-such-study"),
        (("study", "sign", "ffff"), "no-such-study"),
        (("study", "sign-data", "ffff"), "no-such-snapshot"),
        (("study", "request", "breast-hormone", "nothing"), "no-such-analysis"),
        (("study", "result", "breast-hormone", "primary"), "no-such-run"),
        (("study", "release", "ffff", "1"), "no-such-run"),
    ],
)
def test_what_is_not_there_is_named(study: StudyCorridor, run: Run, arguments: tuple[str, ...], code: str) -> None:
    study.ready()

    assert fault_of(run(*arguments, by="stew" if "sign" in arguments[1] else "ren")) == code


@pytest.mark.parametrize(
    ("arguments", "by"),
    [
        (("study", "sign", "HASH"), "stew"),
        (("study", "leave", "breast-hormone", "--reason", "Over."), "stew"),
        (("study", "close", "breast-hormone", "--reason", "Over."), "stew"),
    ],
)
def test_what_binds_the_site_takes_a_person_who_gave_the_password_just_now(
    study: StudyCorridor, run: Run, arguments: tuple[str, ...], by: str
) -> None:
    study.propose()
    given = [study.protocol.hash if each == "HASH" else each for each in arguments]

    assert fault_of(run(*given, by=by, made_ago=timedelta(minutes=11))) == "not-reauthenticated"
    assert run(*given, by=by).exception is None


def test_a_file_that_is_no_text_is_named(run: Run, study: StudyCorridor, tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_bytes(b"\xff\xfe\x00study")

    result = run("study", "propose", str(file), "--agreement", study.agreement[:8])

    assert "not UTF-8" in str(result.exception)


def test_the_ledger_is_shown_and_opened_again_by_commands_of_two_persons(study: StudyCorridor, run: Run) -> None:
    study.ready()
    run("study", "request", "breast-hormone", "baseline-numbers")
    study.settle()
    shown = run("study", "ledger", "breast-hormone", at="de").output
    assert "2 answers, limit 200" in shown
    assert "12 numbers to nl.rotterdam, limit 250000" in shown
    assert "The ledger is open." in shown
    assert fault_of(run("study", "reopen-ledger", "--reason", "None.", by="stew", at="de")) == "ledger-not-closed"

    with study.nodes["de"]:
        Release.objects.all().delete()
    assert "CLOSED: 2 answers" in run("study", "ledger", "breast-hormone", at="de").output
    assert run("study", "reopen-ledger", "--reason", " ", by="stew", at="de").exit_code == 2
    asked = run("study", "reopen-ledger", "--reason", "A disk failed.", by="stew", at="de")
    number = re.search(r"Request (\d+)", asked.output)
    assert number, asked.exception
    run("approve", number[1], by="ard", at="de")
    told = json.loads(run("study", "ledger", "breast-hormone", "--json", at="de").output)
    assert (told["closed"], told["answers"], told["partners"]) == (False, 2, [["nl.rotterdam", 12]])
