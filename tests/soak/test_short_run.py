"""Short form of ``make soak``: real processes killed at random, and proof that the reader is not blind."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.soak import reader

ROOT = Path(__file__).parents[2]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CORRIDOR_", "DJANGO_", "DATABASE_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "tests.soak", *arguments],
        cwd=ROOT,
        env=kept | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_real_processes_killed_at_random_lose_and_double_nothing(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = {"--kills": 6, "--acknowledged": 200, "--seconds": 120, "--times": 0, "--waiting": 0}
    asked = [text for name, number in numbers.items() for text in (name, str(number))]
    done = _run("--database", database, *asked, "--cut-leases")
    with capsys.disabled():
        sys.stdout.write(
            "\n" + "\n".join(line for line in done.stdout.splitlines() if line.startswith(database)) + "\n"
        )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert "lost         0" in lines
    assert "doubled      0" in lines
    assert "planted early acknowledgement caught: yes" in lines


def _books(node: str, **members: object) -> reader.Books:
    empty = {"sent": {}, "received": [], "effects": Counter(), "trees": {}, "held": [], "log_keys": [], "waiting": 0}
    return reader.Books(node=node, **(empty | members))  # type: ignore[arg-type]


LEAF = b"s" * 32 + b'{"envelope":"t","id":"e"}'
TREE = reader.Tree("o", [LEAF], [hashlib.sha256(b"\0" + LEAF).digest()], True, 1, 0, b"")
SENT = _books("a", sent={"e": ("queued", b"", "t", 1, 0)}, trees={1: TREE})
TAKEN = _books("b", received=[("e", b"r", "t", 1, 0)], effects=Counter({"e": 1}), trees={1: TREE})


def test_reader_finds_nothing_where_nothing_is_wrong() -> None:
    assert reader.compare(SENT, TAKEN, committed=["e"]).is_whole


def test_reader_counts_an_effect_that_happened_twice() -> None:
    twice = dataclasses.replace(TAKEN, effects=Counter({"e": 2}))
    assert reader.compare(SENT, twice).doubled == 1


def test_reader_finds_what_vanished_after_the_senders_commit() -> None:
    assert "gone after the sender's commit" in str(reader.compare(SENT, TAKEN, committed=["e", "f"]).faults)


def test_reader_finds_an_effect_without_an_inbox_row() -> None:
    assert "without an inbox row" in str(reader.compare(SENT, dataclasses.replace(TAKEN, received=[])).faults)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"leaves": [LEAF[:-1] + b" "]}, "not what its hash says"),
        ({"size": 2}, "not contiguous"),
        ({"leaves": [], "leaf_hashes": []}, "not contiguous"),
    ],
    ids=["edited", "truncated", "emptied"],
)
def test_reader_finds_a_log_that_was_tampered_with(members: dict[str, object], said: str) -> None:
    tree = dataclasses.replace(TREE, **members)  # type: ignore[arg-type]
    assert said in str(reader.compare(SENT, dataclasses.replace(TAKEN, trees={1: tree})).faults)


def test_reader_finds_a_root_that_the_partner_holds_otherwise() -> None:
    other = dataclasses.replace(SENT, held=[("o", 1, b"\1" * 32)])
    assert "another root" in str(reader.compare(other, TAKEN).faults)
