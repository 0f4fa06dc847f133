"""Documents run: every shell and Python block of README and docs is executed, and shows what it really prints.

The word after the language says who runs a block. ``runnable``: this test, all blocks of a document in one empty
folder, from top to bottom. ``server``: needs a running node; the journeys run it. ``machine``: changes the machine or
takes the whole repository (``make demo``, installing, a system service); continuous integration or an operator runs it.
A block of ``text output`` right after a runnable one is compared with what that block printed.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MARKS = {"runnable", "server", "machine"}
# Documents whose blocks need more than an empty folder, and the test that runs each of them.
RUN_ELSEWHERE = {
    "docs/how-to/read-evidence.md": "tests/rules/test_evidence_documents.py",
    "docs/how-to/run-a-study.md": "tests/research/test_study_document.py",
}

_BLOCK = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<body>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its marks, its text and the line on which it begins."""

    language: str
    marks: frozenset[str]
    body: str
    line: int


def blocks_of(text: str) -> list[Block]:
    """Return the fenced blocks of a document that name a language."""
    found = []
    for match in _BLOCK.finditer(text):
        language, *marks = match["info"].split()
        found.append(Block(language, frozenset(marks), match["body"], text.count("\n", 0, match.start()) + 1))
    return found


def run(document: str, folder: Path) -> int:
    """Run the runnable blocks of a document in `folder`; return how many there were."""
    shim = folder.parent / "bin"
    shim.mkdir()
    command = shim / "corridor"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from corridor.cli.main import main; main()" "$@"\n')
    command.chmod(0o755)
    environment = {
        "PATH": f"{shim}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONIOENCODING": "utf-8",
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
    }
    count = 0
    printed = ""
    for block in blocks_of(document):
        if block.language == "text" and "output" in block.marks:
            assert printed.strip() == block.body.strip(), f"line {block.line}: the document shows other output"
        if "runnable" not in block.marks:
            continue
        call = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
        done = subprocess.run(
            [*call, block.body], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"line {block.line}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        printed = done.stdout
        count += 1
    return count


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_document_says_who_runs_it(path: Path) -> None:
    elsewhere = RUN_ELSEWHERE.get(str(path.relative_to(ROOT)))
    if elsewhere is not None:
        assert path.name in (ROOT / elsewhere).read_text(encoding="utf-8")
        return
    unmarked = [
        f"line {block.line}: ```{block.language}"
        for block in blocks_of(path.read_text(encoding="utf-8"))
        if block.language in {"sh", "bash", "shell", "console", "python"} and not block.marks & MARKS
    ]

    assert unmarked == [], f"mark each block of commands with one of {', '.join(sorted(MARKS))}"


RUNNABLE = [
    path for path in DOCUMENTS if any("runnable" in b.marks for b in blocks_of(path.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_runs_and_prints_what_it_shows(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()

    assert run(path.read_text(encoding="utf-8"), folder) > 0


def test_a_document_that_shows_other_output_is_caught(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()

    with pytest.raises(AssertionError, match="line 4: the document shows other output"):
        run("```sh runnable\necho one\n```\n```text output\ntwo\n```\n", folder)


def test_a_document_whose_command_fails_is_caught(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()

    with pytest.raises(AssertionError, match="line 1: exit code 3"):
        run("```sh runnable\necho 'date,cases' | corridor detect -\n```\n", folder)
