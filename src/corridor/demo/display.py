"""What somebody who watches the demonstration sees: titles, sentences, and in a terminal how far an act is."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

import click

MARGIN = "      "
BAR_WIDTH = 24
TICK_SECONDS = 0.2
TURNS = "|/-\\"


class Display:
    """Prints the story; the moving line is drawn in a terminal only, so that a log holds sentences alone."""

    def __init__(self, *, is_terminal: bool | None = None) -> None:
        self._is_terminal = sys.stdout.isatty() if is_terminal is None else is_terminal
        self._lock = threading.Lock()
        self._far = ""
        self._began = 0.0

    def say(self, text: str) -> None:
        """Print a sentence of the story."""
        with self._lock:
            self._wipe()
            click.echo(f"{MARGIN}{text}")

    def progress(self, done: int, of: int) -> None:
        """Show that `done` of `of` steps of the act are done."""
        filled = BAR_WIDTH * done // of
        self._far = f" [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done} of {of}"

    @contextlib.contextmanager
    def act(self, number: str, title: str) -> Iterator[None]:
        """Print the title of an act, show that something goes on, and say in the end how long it took."""
        click.secho(f"\n{number}  {title}", bold=True)
        self._far, self._began = "", time.monotonic()
        with self._moving():
            yield
        click.echo(f"{MARGIN}{time.monotonic() - self._began:.1f} s")

    @contextlib.contextmanager
    def _moving(self) -> Iterator[None]:
        if not self._is_terminal:
            yield
            return
        ended = threading.Event()
        mover = threading.Thread(target=self._move, args=(ended,), name="display", daemon=True)
        mover.start()
        try:
            yield
        finally:
            ended.set()
            mover.join()
            self._wipe()

    def _move(self, ended: threading.Event) -> None:
        turn = 0
        while not ended.wait(TICK_SECONDS):
            turn += 1
            with self._lock:
                seconds = time.monotonic() - self._began
                click.echo(f"\r{MARGIN}{TURNS[turn % len(TURNS)]} {seconds:3.0f} s{self._far}", nl=False)

    def _wipe(self) -> None:
        if self._is_terminal:
            click.echo("\r" + " " * (len(MARGIN) + BAR_WIDTH + 30) + "\r", nl=False)
