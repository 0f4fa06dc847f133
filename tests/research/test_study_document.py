"""The commands of the page docs/how-to/run-a-study.md run as they stand there, between two sites."""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from corridor.accounts import tokens
from corridor.accounts.commands import approve
from corridor.base.clock import utcnow
from corridor.cli import study as local
from corridor.pillars.research import queries
from corridor.pillars.research.commands import study as of_node
from tests.exchange.nodes import Corridor
from tests.research.studies import GOLDEN, SITES, StudyCorridor, breast_protocol, protocol_text, study_channel
from tests.test_documents import blocks_of

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "run-a-study.md"
STUDY = "breast-hormone"
AGREEMENT, PROTOCOL, SNAPSHOT, RUN, ENTRY = "3f9a", "9be1c0", "51c2e0", "5f0c2a11", "8d21f0c4"
"""Hashes and ids that the page shows as examples; each stands for the one of this test."""


def commands_of(page: str) -> list[list[str]]:
    """Return the words of each command of the page after ``corridor study``."""
    lines = [line for block in blocks_of(page) if block.language == "sh" for line in block.body.splitlines()]
    found = [shlex.split(line) for line in lines]
    assert page.count("\ncorridor study ") == len(found), "a command stands in a block that nothing runs"
    assert all(words[:2] == ["corridor", "study"] for words in found)
    return [words[2:] for words in found]


class Reader:
    """Somebody who does what the page says, at both sites."""

    def __init__(self, study: StudyCorridor, monkeypatch: pytest.MonkeyPatch) -> None:
        self.study = study
        self.monkeypatch = monkeypatch
        self.shown = {AGREEMENT: study.agreement[:8], PROTOCOL: study.protocol.hash[:12]}

    def type(self, words: list[str], *, by: str, at: str) -> Result:
        """Run a command in the name of a person of a site, with what the page's examples stand for."""
        named = [self.shown.get(word, word) for word in words]
        with self.study.nodes[at] as node:
            person = node.person(by)
            self.monkeypatch.setenv(
                "CORRIDOR_TOKEN", tokens.issue_token(person, name="tests", actor=person, now=utcnow())
            )
            # What works on files needs no home; the rest are the commands of the node that is active here.
            group = local.study if words[0] == "run" else approve if words[0] == "approve" else of_node
            result = CliRunner().invoke(group, named[1:] if group is approve else named)
        assert result.exception is None, f"{words}: {result.output} {result.exception!r}"
        return result

    def allow(self, told: Result, *, at: str) -> None:
        """Let the second person say yes to the request that a command names."""
        request = re.search(r"Request (\d+)", told.output)
        assert request, told.output
        self.type(["approve", request[1]], by="ard", at=at)

    def do(self, words: list[str]) -> None:
        """Do what a command of the page is for, at the sites at which it is typed."""
        name = words[0]
        if name in ("run", "propose", "show", "request", "result", "ledger", "bring", "symposium", "mark"):
            told = self.type(words, by="ren", at="nl")
            if name == "result":
                assert "primary: done" in told.output
            if name == "symposium":
                self.shown[ENTRY] = told.output.split()[0]
        elif name in ("sign", "data", "sign-data"):
            for site in SITES:
                told = self.type(words, by="stew", at=site)
                if name == "sign":
                    self.allow(told, at=site)
                with self.study.nodes[site] as node:
                    frozen = queries.snapshots(STUDY, actor=node.person("stew"))
                self.shown[SNAPSHOT] = frozen[0].hash[:12] if frozen else SNAPSHOT
        elif name == "release":
            self.shown[RUN] = self.study.request("baseline-categories")[:13]
            self.study.settle()
            self.allow(self.type(words, by="stew", at="nl"), at="nl")
            self.study.settle()
            with self.study.nodes["nl"] as node:
                newest = queries.find_study(STUDY, actor=node.person("ren")).runs[0]
            assert newest.state == "done"
        else:
            self.type(words, by="stew", at="de" if name == "leave" else "nl")
        self.study.settle()


def with_other_words(path: Path, *, rows: str) -> pl.DataFrame:
    """Write a cohort as the mapping of the page expects it, as a file and into a database."""
    table = pl.read_csv(GOLDEN / rows, infer_schema=False).rename({"hormon": "tamoxifen"})
    table = table.with_columns(
        pl.col("grade").replace({"3": "G3"}), (pl.col("age_years").cast(pl.Int64) * 12).cast(pl.String)
    )
    table.write_csv(path / "cohort.csv")
    with sqlite3.connect(path / "registry.db") as database:
        database.execute(f"CREATE TABLE cohort ({', '.join(table.columns)})")
        marks = ", ".join("?" for _ in table.columns)
        database.executemany(f"INSERT INTO cohort VALUES ({marks})", table.iter_rows())
    database.close()
    (path / "cohort.sql").write_text("SELECT * FROM cohort ORDER BY patient_id\n", encoding="utf-8")
    return table


def test_every_command_of_the_page_does_what_the_page_says(
    make_corridor: Callable[..., Corridor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (mapping,) = [block.body for block in blocks_of(text) if block.language == "toml"]
    (tmp_path / "columns.toml").write_text(mapping, encoding="utf-8")
    (tmp_path / "breast-hormone.toml").write_text(protocol_text(), encoding="utf-8")
    with_other_words(tmp_path, rows="site_nl.csv")
    for site in SITES:
        (tmp_path / f"site_{site}.csv").write_bytes((GOLDEN / f"site_{site}.csv").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGISTRY_URL", f"sqlite:///{tmp_path}/registry.db")
    corridor = make_corridor(*SITES.values(), now=utcnow())
    reader = Reader(StudyCorridor(corridor, *breast_protocol()), monkeypatch)
    corridor.sign(channels=[study_channel(list(corridor.ids), message="research.symposium/1", data_class="public")])
    commands = commands_of(text)
    final = [words for words in commands if words[0] in ("leave", "close")]

    # Who leaves or closes does not come back: these two are tried when everything else is done.
    for words in [words for words in commands if words not in final] + final:
        reader.do(words)

    assert (tmp_path / "rehearsed.json").is_file()
    with reader.study.nodes["nl"] as node:
        view = queries.find_study(STUDY, actor=node.person("ren"))
    assert {site.id: site.standing for site in view.sites} == {"nl": "closed", "de": "left"}
