"""A progress bar for work longer than two seconds, on a terminal only."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

__all__ = ["progress"]

PATIENCE_SECONDS = 2.0


@contextmanager
def progress(label: str, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[Callable[[int, int], None]]:
    """Hand out a function that is told how much is done, of how much; it draws once the work takes long.

    Nothing is drawn where standard error is no terminal, so that logs and pipes stay clean.
    """
    begun = time.monotonic()
    shown = False

    def tell(done: int, of: int) -> None:
        nonlocal shown
        if not sys.stderr.isatty() or time.monotonic() - begun < patience_seconds:
            return
        shown = True
        share = done / max(1, of)
        filled = round(30 * share)
        click.echo(f"\r{label} [{'#' * filled}{'-' * (30 - filled)}] {share:4.0%}", nl=False, err=True)

    try:
        yield tell
    finally:
        if shown:
            click.echo(err=True)
