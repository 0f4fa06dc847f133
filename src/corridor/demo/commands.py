"""The command that plays the demonstration."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click

from corridor.base.clock import utcnow
from corridor.demo import cast
from corridor.demo.acts import ACTS, Story
from corridor.demo.display import Display
from corridor.demo.joint_care import care_together
from corridor.demo.joint_study import study_together
from corridor.demo.real import REAL_ACTS, DataFile, RealStory, read_layout
from corridor.demo.stage import ActFailed, NodeDidNotStart, Stage, stage, start_jobs

FOLDER = Path(".demo")
STORY = (
    *ACTS,
    ("A study over two nodes", study_together),
    ("Two protocols side by side, and who is due at home", care_together),
)


@click.command("demo")
@click.option("--no-serve", is_flag=True, help="Check every act and end, in place of opening the board.")
@click.option(
    "--home", type=click.Path(path_type=Path), default=FOLDER, show_default=True, help="Folder for the three homes."
)
@click.option(
    "--data", type=click.Path(path_type=Path), help="Folder with real files of counts, in place of simulated ones."
)
def demo(*, no_serve: bool, home: Path, data: Path | None) -> None:
    """Play three nodes that signed two agreements, in acts.

    Three nodes on this machine (Pakistan, China, Russia) exchange simulated figures, or those of the files in --data,
    which a mapping file lays out. Each act checks the databases of both sides.

    Example: corridor demo --no-serve
    """
    files = read_layout(data) if data is not None else ()
    try:
        with _ended_by_signals():
            _play(home.absolute(), files, is_served=not no_serve)
    except (ActFailed, NodeDidNotStart) as fault:
        # Faults of ours, said in a sentence all the same: a traceback of the conductor would tell nobody more.
        click.echo(f"error [{fault.code}]: {fault}\nWhat the nodes said: {home.absolute()}/*.log", err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        click.echo("\nStopped; no process of the demonstration is left.", err=True)
        raise SystemExit(130) from None


def _play(folder: Path, files: tuple[DataFile, ...], *, is_served: bool) -> None:
    started, display = time.monotonic(), Display()
    click.echo(f"Three nodes are made and started in {folder} ...")
    with stage(folder, cast.NODES, simulated=not files) as it:
        acts = REAL_ACTS if files else STORY
        monday = cast.last_monday(utcnow().date())
        story = RealStory(it=it, monday=monday, say=display.say, progress=display.progress, files=files)
        for number, (title, act) in enumerate(acts, start=1):
            with display.act(f"{number}/{len(acts)}", title):
                act(story)
        click.echo(f"\n{len(acts)} acts played and checked in {time.monotonic() - started:.0f} s.")
        if is_served:
            _serve(story, it)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End as Ctrl-C does when the terminal is closed or the process is told to end: the nodes are stopped too."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    # SIGINT too: a shell that starts this in the background has it ignored.
    previous = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _serve(story: Story, it: Stage) -> None:
    click.echo("\nSign in with a one-time password; each may be used once:\n")
    for part in cast.NODES:
        click.echo(f"{part.name}: {it.urls[part.country]}/")
        for name, password in story.passwords[part.country].items():
            click.echo(f"    {name:16} {password}")
    board = it.urls[cast.PAKISTAN.country] + "/"
    click.echo(f"\nOpening {board}   (Ctrl-C stops the three nodes)")
    start_jobs(it, cast.NODES)
    click.launch(board)
    while True:
        time.sleep(3600)


COMMANDS: tuple[click.Command, ...] = (demo,)
