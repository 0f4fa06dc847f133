"""The one door from the command line to Django: the commands of every app of the node."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

WITHOUT_HOME = frozenset({("node", "init"), ("demo",)})
"""Commands that make the home that they work on."""
WITHOUT_MIGRATIONS = frozenset({("node", "upgrade"), ("node", "serve"), ("node", "work"), ("node", "restore")})
"""Commands that look after the state of the database themselves."""


STOPPED_WITH_ARGUMENT = {("node", "restore"): "source"}
"""Commands that replace what a running node works on, once this argument is given: the node must be stopped."""


def commands(arguments: Sequence[str] | None = None) -> dict[str, click.Command]:
    """Return every command of the node by name, each with ``--home``.

    Parameters
    ----------
    arguments : sequence of str
        The command line; ``--home`` is looked up in it before Django starts, since the settings lie in the home.
        Left out, that of this process.

    Raises
    ------
    BadSetting
        If the environment or ``settings.toml`` of the home cannot be used.
    """
    home = named_home(sys.argv[1:] if arguments is None else arguments)
    if home is not None:
        os.environ["CORRIDOR_HOME"] = home
    _start_django()
    found: dict[str, click.Command] = {}
    for command in _announced():
        _merge(found, command)
    for name, command in found.items():
        _prepare(command, path=(name,))
    return found


def named_home(arguments: Sequence[str]) -> str | None:
    """Return the folder that ``--home DIR`` or ``--home=DIR`` names, or None."""
    for position, argument in enumerate(arguments):
        if argument == "--":
            return None
        if argument == "--home" and position + 1 < len(arguments):
            return arguments[position + 1]
        if argument.startswith("--home="):
            return argument.removeprefix("--home=")
    return None


def _start_django() -> None:
    import django
    from django.apps import apps

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "corridor.server.settings")
    if not apps.ready:
        django.setup()


def _announced() -> Iterator[click.Command]:
    from django.apps import apps

    packages = [config.name for config in apps.get_app_configs() if config.name.startswith("corridor.")]
    for package in [*packages, "corridor.server", "corridor.demo"]:
        if find_spec(package) is not None and find_spec(f"{package}.commands") is not None:
            yield from import_module(f"{package}.commands").COMMANDS


def _merge(found: dict[str, click.Command], command: click.Command) -> None:
    name = command.name or ""
    known = found.get(name)
    if known is None:
        found[name] = command
    elif isinstance(known, click.Group) and isinstance(command, click.Group):
        for part in command.commands.values():
            _merge_into(known, part)
        known.help = known.help if len(known.help or "") >= len(command.help or "") else command.help
    elif known is not command:
        raise RuntimeError(f"two apps announce the command {name}")


def _merge_into(group: click.Group, part: click.Command) -> None:
    known = group.commands.get(part.name or "")
    if known is not None and known is not part:
        raise RuntimeError(f"two apps announce the command {group.name} {part.name}")
    group.add_command(part)


def _prepare(command: click.Command, *, path: tuple[str, ...]) -> None:
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            _prepare(part, path=(*path, name))
        if not command.invoke_without_command:
            return
    if any(parameter.name == "home" and not parameter.expose_value for parameter in command.params):
        return
    if not any("--home" in parameter.opts for parameter in command.params):
        command.params.append(_home_option())
    if command.callback is not None:
        command.callback = _checked(command.callback, path=path)


def _home_option() -> click.Option:
    return click.Option(
        ["--home"],
        type=click.Path(path_type=Path),
        envvar="CORRIDOR_HOME",
        expose_value=False,
        help="The node's home; CORRIDOR_HOME names it too.",
    )


def _checked(callback: Any, *, path: tuple[str, ...]) -> Any:
    """Return the callback behind the checks that every command of the node makes first."""

    @functools.wraps(callback)
    def checked(*args: Any, **kwargs: Any) -> Any:
        from django.conf import settings

        from corridor.server import homes

        with ExitStack() as stack:
            stack.enter_context(homes.database_faults())
            if path not in WITHOUT_HOME:
                home = homes.check(settings.CORRIDOR_HOME)
                if path in STOPPED_WITH_ARGUMENT and kwargs.get(STOPPED_WITH_ARGUMENT[path]) is not None:
                    stack.enter_context(homes.serving(home, homes.PARTS))
                if path not in WITHOUT_MIGRATIONS:
                    homes.check_database(expected=settings.CORRIDOR["database"])
            return callback(*args, **kwargs)

    return checked
