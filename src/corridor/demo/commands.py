"""The command that plays the demonstration."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import click

from corridor.base.clock import utcnow
from corridor.demo import cast
from corridor.demo.acts import ACTS, Story
from corridor.demo.real import REAL_ACTS, RealStory, read_layout
from corridor.demo.stage import Stage, stage

FOLDER = Path(".demo")


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
    started = time.monotonic()
    files = read_layout(data) if data is not None else ()
    monday = cast.last_monday(utcnow().date())
    with stage(home.absolute(), cast.NODES, simulated=not files) as it:
        acts = REAL_ACTS if files else ACTS
        story = RealStory(it=it, monday=monday, say=_say, files=files)
        for number, (title, act) in enumerate(acts, start=1):
            _play(f"{number}/{len(acts)}", title, act, story)
        click.echo(f"\n{len(acts)} acts played and checked in {time.monotonic() - started:.0f} s.")
        if not no_serve:
            _serve(story, it)


def _play(number: str, title: str, act: Callable[[Story], None], story: Story) -> None:
    click.secho(f"\n{number}  {title}", bold=True)
    began = time.monotonic()
    act(story)
    click.echo(f"      {time.monotonic() - began:.1f} s")


def _say(text: str) -> None:
    click.echo(f"      {text}")


def _serve(story: Story, it: Stage) -> None:
    click.echo("\nSign in with a one-time password; each may be used once:\n")
    for part in cast.NODES:
        click.echo(f"{part.name}: {it.urls[part.country]}/")
        for name, password in story.passwords[part.country].items():
            click.echo(f"    {name:16} {password}")
    board = it.urls[cast.PAKISTAN.country] + "/"
    click.echo(f"\nOpening {board}   (Ctrl-C stops the three nodes)")
    click.launch(board)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        click.echo("\nStopping.")


COMMANDS: tuple[click.Command, ...] = (demo,)
