"""The command ``corridor``: science on files at once, commands of the node through their one door, `cli.node`."""

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import NoReturn

import click

from corridor.base.errors import UserFault, WrongUsage

__all__ = ["corridor", "main"]

SCIENCE_COMMANDS = {
    "care": ("corridor.cli.care", "care", "Treatment protocols side by side, and follow-up care."),
    "detect": ("corridor.cli.detection", "detect", "Find unusual rises in a table of counts."),
    "evidence": ("corridor.cli.evidence", "evidence", "Check what a log proves, without a node."),
    "study": ("corridor.cli.study", "study", "Joint research: run a study on files, or between nodes."),
}
"""Commands that need no node: module, name in it, and the line that help shows without loading the module."""

NODE_COMMANDS: Mapping[str, str] = {
    "agreement": "Agreements: what may cross, signed by all parties.",
    "approve": "Give the second person's yes to REQUEST; without a number, list what waits.",
    "audit": "Show or export the audit trail, newest first.",
    "counters": "List how many persons' data crossed this year and the last, by country, with the limits...",
    "counts": "Write counts by place and period, with their completeness.",
    "crossings": "List what crossed or was refused, newest first.",
    "demo": "Play three nodes that signed two agreements, in acts.",
    "ingest": "Take a line list or counts in from FILE (CSV or Parquet).",
    "jobs": "Show background work: what runs, what waits, what failed and why.",
    "log": "Verify the tamper-evident log of this node, and prove what stands in it.",
    "node": "Make, run and upgrade a node.",
    "peer": "Partners: the nodes whose cards two persons here have pinned.",
    "share": "Send counts and alerts to the partners of an agreement.",
    "signals": "List signals, newest first, or work on one.",
    "token": "Print a token with which commands act in the name of NAME (CORRIDOR_TOKEN).",
    "user": "Appoint people and give them roles.",
}
"""What help shows of a node's commands without starting Django; `make check` compares it with the commands."""

_WITHOUT_DJANGO = "Commands of a node need the extra 'server': pip install 'health-corridor[server]'."


_FILE_FAULTS = frozenset(
    {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EROFS, errno.ENAMETOOLONG}
)
"""What the system says of a file that a person named, where no command has said it better."""


class NoServerExtra(WrongUsage):
    """A command of the node was called where the extra ``server`` is not installed."""

    code = "no-server-extra"


class _Corridor(click.Group):
    """A group that loads a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, those of the node only where they can run."""
        return sorted([*_science_commands(), *(NODE_COMMANDS if _has_django() else ())])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name, or None."""
        if cmd_name in _science_commands():
            module, name, _ = SCIENCE_COMMANDS[cmd_name]
            found: click.Command = getattr(import_module(module), name)
            return found
        if not _has_django():
            return None
        from corridor.cli import node

        return node.commands().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say how to get the commands of a node where they are not installed."""
        if args and args[0] not in _science_commands() and not _has_django() and not args[0].startswith("-"):
            raise NoServerExtra(f"there is no command {args[0]!r} here. {_WITHOUT_DJANGO}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List science commands, then those of the node."""
        with formatter.section("Commands on files"):
            formatter.write_dl([(name, SCIENCE_COMMANDS[name][2]) for name in _science_commands()])
        if _has_django():
            with formatter.section("Commands of a node"):
                formatter.write_dl(list(NODE_COMMANDS.items()))
        else:
            # Unwrapped: what is to be typed must be there to be copied.
            formatter.write(f"\n{_WITHOUT_DJANGO}\n")


@click.group(cls=_Corridor)
@click.version_option(version=None, package_name="health-corridor", prog_name="corridor")
def corridor() -> None:
    """Work with a health corridor: judge counts, run a node, prove what crossed."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 a fault of ours, else the code of the user's fault."""
    try:
        corridor.main(args=None if arguments is None else list(arguments), prog_name="corridor")
    except UserFault as fault:
        _fail(f"error [{fault.code}]: {fault}", fault.exit_code)
    except BrokenPipeError:
        # The reader of a pipe went away; Python must not complain about it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as fault:
        if fault.errno in {errno.ENOSPC, errno.EDQUOT}:
            where = f" ({fault.filename})" if fault.filename else ""
            _fail(f"error [disk-full]: nothing can be written any more{where}. Free space and repeat the command.", 3)
        if fault.filename is None or fault.errno not in _FILE_FAULTS:
            raise
        _fail(
            f"error [file-fault]: {fault.filename}: {fault.strerror}. Check the name, the folder and its permissions.",
            3,
        )
    sys.exit(0)


def _fail(text: str, code: int) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(code)


def _science_commands() -> list[str]:
    return [name for name, (module, _, _) in SCIENCE_COMMANDS.items() if find_spec(module) is not None]


def _has_django() -> bool:
    return find_spec("django") is not None
