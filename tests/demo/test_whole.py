"""The whole demonstration as a person starts it, how it ends early, and what goes wrong before it begins."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from corridor.demo import commands
from corridor.demo.cast import NODES
from corridor.demo.commands import STORY
from corridor.demo.display import Display
from corridor.demo.stage import ActFailed, NodeDidNotStart, Programs, stage

COMMAND = (sys.executable, "-c", "from corridor.cli.main import main; main()", "demo")

pytestmark = [pytest.mark.timeout(900)]


def processes_that_name(folder: Path) -> list[str]:
    """Return the command lines and environments of running processes in which a folder stands."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            spoken = (process / "cmdline").read_bytes() + b"\0" + (process / "environ").read_bytes()
        except OSError:
            continue
        if b"CORRIDOR_HOME=" + str(folder).encode() in spoken:
            found.append(process.name)
    return found


def test_every_act_holds_and_the_command_ends_with_0(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    run = subprocess.run(
        [*COMMAND, "--no-serve", "--home", str(folder)], capture_output=True, text=True, timeout=800, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    for number, (title, _) in enumerate(STORY, start=1):
        assert f"{number}/{len(STORY)}  {title}" in run.stdout
    assert f"{len(STORY)} acts played and checked" in run.stdout
    assert re.search(r"forest plot opened: http://127\.0\.0\.1:\d+/research/breast-hormone/results/", run.stdout)
    assert re.search(r"0 rows and [0-9,]+ numbers crossed:", run.stdout)
    assert (folder / "evidence" / "forest-plot.svg").read_text("utf-8").startswith("<svg")
    assert "None" not in run.stdout
    assert "\r" not in run.stdout, "what moves is for a terminal alone"
    assert processes_that_name(folder) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked up in /proc")
def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = subprocess.Popen(
        [*COMMAND, "--no-serve", "--home", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("1/"):
            break
    assert len(processes_that_name(folder)) >= 6, "servers and players run"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "no process of the demonstration is left" in said
    deadline = time.monotonic() + 10
    while processes_that_name(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_that_name(folder) == []


def refused(*arguments: str) -> str:
    """Return what the command says where it does not begin."""
    run = subprocess.run([*COMMAND, "--no-serve", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode != 0
    assert "Traceback" not in run.stderr
    return run.stderr


def test_a_folder_of_somebody_else_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert "error [not-a-demo-home]" in refused("--home", str(tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused("--home", str(tmp_path / "file" / "demo"))
    assert "error [not-a-demo-home]" in said
    assert "cannot be made" in said


def test_a_node_that_does_not_start_points_to_its_log(tmp_path: Path) -> None:
    code = (
        "import sys; from corridor.cli.main import main; "
        "sys.exit('no room on this machine') if 'serve' in sys.argv else main()"
    )
    folder = tmp_path / "demo"
    lame = Programs(corridor=(sys.executable, "-c", code))
    with (
        pytest.raises(NodeDidNotStart, match="no room on this machine") as caught,
        stage(folder, NODES[:1], programs=lame),
    ):
        pytest.fail("the stage must not open")
    assert str(folder / "pk.log") in str(caught.value)
    assert processes_that_name(folder) == []


def test_a_failed_act_is_one_line_and_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ActFailed("expected that the sky is green")

    monkeypatch.setattr(commands, "_play", fail)
    done = CliRunner().invoke(commands.demo, ["--no-serve", "--home", str(tmp_path)])
    assert done.exit_code == 1
    assert "error [act-failed]: expected that the sky is green" in done.output
    assert "Traceback" not in done.output


def test_the_moving_line_is_wiped_before_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(is_terminal=True)
    with display.act("1/1", "An act"):
        display.progress(1, 2)
        time.sleep(0.5)
        display.say("a sentence")
    out = capsys.readouterr().out
    assert "[############............] 1 of 2" in out
    assert "\r      a sentence\n" in out
