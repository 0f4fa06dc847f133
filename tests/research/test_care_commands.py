"""The commands of care and of symposia, as people at the two sites type them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from corridor.accounts import tokens
from corridor.accounts.commands import approve
from corridor.base.clock import utcnow
from corridor.base.errors import UserFault
from corridor.cli.care import care as care_on_files
from corridor.pillars.research.commands import COMMANDS
from tests.exchange.nodes import Corridor
from tests.research.caring import DE, NL, CareCorridor, treatment_text
from tests.research.test_care_followed import SCHEDULE, TODAY, patients
from tests.research.test_care_shared import ours

Run = Callable[..., Result]


@pytest.fixture
def care(make_corridor: Callable[..., Corridor]) -> CareCorridor:
    return CareCorridor(make_corridor, now=utcnow())


@pytest.fixture
def run(care: CareCorridor, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command in the name of a person of a node."""

    def call(*arguments: str, by: str = "stew", at: str = NL, made_ago: timedelta = timedelta(0)) -> Result:
        with care[at] as node:
            person = node.person(by)
            token = tokens.issue_token(person, name="tests", actor=person, now=utcnow() - made_ago)
            monkeypatch.setenv("CORRIDOR_TOKEN", token)
            return CliRunner().invoke(click.Group(commands=[*COMMANDS, approve]), arguments)

    return call


def fault_of(result: Result) -> str:
    assert isinstance(result.exception, UserFault), result.output
    return result.exception.code


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def published(run: Run, file: str, **who: str) -> str:
    result = run("care", "publish", file, **who)
    found = re.search(r"Published .*: ([0-9a-f]{64})", result.output)
    assert found, result.exception
    return found[1]


def test_a_protocol_is_published_listed_taken_out_and_compared_on_files(
    care: CareCorridor, run: Run, tmp_path: Path
) -> None:
    theirs = published(run, written(tmp_path, "theirs.toml", treatment_text()), at=DE, by="clin")
    care.corridor.settle()
    own = written(tmp_path, "ours.toml", treatment_text(ours))
    mine = published(run, own)

    listed = {each["hash"]: each["node"] for each in json.loads(run("care", "list", "--json", by="ren").output)}
    assert listed == {theirs: DE, mine: NL}
    shown = written(tmp_path, "theirs.json", run("care", "show", theirs[:10], by="ren").output)
    compared = CliRunner().invoke(care_on_files, ["compare", own, shown, "--differing"])
    assert "paclitaxel / dose" in compared.output
    assert theirs[:16] in compared.output


def test_publishing_takes_a_token_of_the_last_ten_minutes_and_the_right_role(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path, "ours.toml", treatment_text())

    assert fault_of(run("care", "publish", file, made_ago=timedelta(minutes=11))) == "not-reauthenticated"
    assert fault_of(run("care", "publish", file, by="ren")) == "not-permitted"
    assert fault_of(run("care", "show", "feed")) == "no-such-care-document"
    assert "No document of care yet" in run("care", "list").output


def test_a_follow_up_schedule_leads_from_the_patients_to_the_list_and_to_a_frozen_study(
    care: CareCorridor, run: Run, tmp_path: Path
) -> None:
    plan = written(tmp_path, "plan.toml", SCHEDULE)
    hash_ = published(run, plan)
    assert fault_of(run("care", "worklist", hash_[:8], by="clin")) == "no-patients"
    patients().write_csv(tmp_path / "patients.csv")
    registered = run("care", "patients", str(tmp_path / "patients.csv"), "--schedule", hash_[:8])
    assert "Registered 60 patients." in registered.output, registered.exception

    out = tmp_path / "due.csv"
    listed = run("care", "worklist", hash_[:8], "--group", "low", "--overdue", "--out", str(out), by="clin")
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert {(row["risk_group"], row["standing"]) for row in rows} == {("low", "overdue")}
    assert f"overdue {len(rows)}, due 0, coming 0" in listed.stderr
    assert fault_of(run("care", "worklist", hash_[:8], by="ren")) == "not-permitted"

    sites = ["--site", "nl", NL, "NL", "Centre A", "--site", "de", DE, "DE", "Centre B"]
    named = ["--name", "follow-up", "--ends-on", "2035-12-31", "--authorship", "Both"]
    protocol = CliRunner().invoke(care_on_files, ["study", plan, *named, *sites])
    file = written(tmp_path, "study.toml", protocol.output)
    assert "Proposed follow-up" in run("study", "propose", file, "--agreement", care.agreement[:8], by="ren").output
    frozen = run("care", "freeze", "follow-up", "--schedule", hash_[:8], "--on", TODAY.isoformat())
    assert re.search(r"Frozen as [0-9a-f]{64}, 60 patients", frozen.output), frozen.exception


def test_a_protocol_on_adherence_is_not_made_of_a_treatment_protocol(tmp_path: Path) -> None:
    file = written(tmp_path, "treatment.toml", treatment_text())
    named = ["--name", "x", "--ends-on", "2035-12-31", "--authorship", "Both", "--site", "nl", NL, "NL", "A"]

    assert fault_of(CliRunner().invoke(care_on_files, ["study", file, *named])) == "malformed-schedule"


def test_a_symposium_is_brought_to_listed_and_marked(care: CareCorridor, run: Run, tmp_path: Path) -> None:
    plan = written(tmp_path, "plan.toml", SCHEDULE)
    sites = ["--site", "nl", NL, "NL", "Centre A", "--site", "de", DE, "DE", "Centre B"]
    named = ["--name", "follow-up", "--ends-on", "2035-12-31", "--authorship", "Both"]
    protocol = CliRunner().invoke(care_on_files, ["study", plan, *named, *sites]).output
    run("study", "propose", written(tmp_path, "s.toml", protocol), "--agreement", care.agreement[:8], by="ren")

    assert "Nothing yet." in run("study", "symposium", "follow-up", by="ren").output
    words = ["--kind", "decision", "--text", "One list of codes", "--owner", "Data office", "--year", "2026"]
    added = run("study", "bring", "follow-up", *words, by="ren")
    number = re.search(r"Added decision ([0-9a-f]{8})", added.output)
    assert number, added.exception
    assert fault_of(run("study", "bring", "follow-up", "--kind", "figure", "--text", "x")) == "entry-unfit"
    assert fault_of(run("study", "mark", "follow-up", "ffffffff", "done")) == "no-such-entry"
    assert "done." in run("study", "mark", "follow-up", number[1], "done", by="ren").output
    (entry,) = json.loads(run("study", "symposium", "follow-up", "--json", by="eye").output)["entries"]
    assert (entry["text"], entry["standing"], entry["node"]) == ("One list of codes", "done", NL)
    listed = run("study", "symposium", "follow-up", "--year", "2026", by="ren").output
    assert f"2026  decision  done  {NL}: One list of codes  (Data office)" in listed
