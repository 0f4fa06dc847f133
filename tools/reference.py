"""Write docs/reference from the code: commands, settings, messages. ``check`` fails where a page is out of date.

python tools/reference.py write
python tools/reference.py check
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "reference"
MADE = "<!-- Made from the code by `make reference`; do not edit. -->\n\n"


def main() -> int:
    """Write the pages, or compare them with the code."""
    mode = sys.argv[1] if len(sys.argv) > 1 else "check"
    if mode not in {"write", "check"}:
        sys.stderr.write(__doc__ or "")
        return 2
    _start_django()
    stale = [name for name, page in pages() if not _settle(PAGES / name, page, mode=mode)]
    for name in stale:
        sys.stderr.write(f"docs/reference/{name} is out of date; run `make reference` and commit it\n")
    return 1 if stale else 0


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page."""
    makers: dict[str, Callable[[], str]] = {
        "commands.md": commands_page,
        "settings.md": settings_page,
        "messages.md": messages_page,
    }
    for name, make in makers.items():
        yield name, MADE + make().rstrip() + "\n"


def commands_page() -> str:
    """Return every command with its help, as the command line itself prints it."""
    from corridor.cli.main import main as root

    parts = [
        (
            "# Commands\n\nExit codes: 0 done, 1 a fault of ours, 2 wrong usage, 3 the input is at fault, "
            "4 refused by an agreement or by disclosure control, 5 a partner cannot be reached.\n"
        )
    ]
    context = click.Context(root, info_name="corridor", max_content_width=100, terminal_width=100)
    for path, command, inner in _walk(root, context):
        if not command.hidden:
            parts.append(f"\n## `{path}`\n\n```text\n{command.get_help(inner)}\n```\n")
    return "".join(parts)


def settings_page() -> str:
    """Return the table of settings."""
    from corridor.server.env import SETTINGS

    lines = [
        "# Settings\n",
        "A setting comes from the environment, then from `HOME/settings.toml`, then from its default.\n",
        "| setting | environment | in the file | default | what it does |",
        "|---|---|---|---|---|",
    ]
    for setting in SETTINGS:
        default = "" if setting.default in (None, "", ()) else f"`{setting.default}`"
        variable = f"`{setting.variable}`" if setting.variable else ""
        lines.append(
            f"| `{setting.name}` ({setting.kind}) | {variable} | {'yes' if setting.in_file else 'no'} "
            f"| {default} | {setting.help} |"
        )
    return "\n".join(lines)


def messages_page() -> str:
    """Return every message type with its fields and their classes."""
    from corridor.exchange import registry
    from corridor.exchange.messages import Part

    lines = [
        "# Messages\n",
        (
            "Everything that can cross a border. Each field has a class; the class of a message is computed from the "
            "fields that hold something, at both gates.\n"
        ),
    ]
    parts: dict[str, type[Part]] = {}
    for schema in registry.schemas():
        message = registry.message_type(schema)
        if message is not None:
            lines.append(f"\n## `{schema}`\n\n{_first_line(message)}\n")
            lines += _fields(message, parts)
    lines.append("\n## Parts of messages\n")
    done: set[str] = set()
    while waiting := sorted(set(parts) - done):
        for name in waiting:
            done.add(name)
            lines.append(f"\n### {name}\n\n{_first_line(parts[name])}\n")
            lines += _fields(parts[name], parts)
    return "\n".join(lines)


def _fields(message: type, parts: dict[str, type]) -> list[str]:
    rows = ["| field | type | class |", "|---|---|---|"]
    for name, info in message.model_fields.items():  # type: ignore[attr-defined]  # pydantic classes only
        shown = _shown(info.annotation, parts).replace("|", "\\|")
        rows.append(f"| `{name}` | {shown} | {message.field_classes[name]} |")  # type: ignore[attr-defined]  # as above
    return [*rows, ""]


def _shown(annotation: object, parts: dict[str, type]) -> str:
    from typing import get_args

    from corridor.exchange.messages import Part

    inner = get_args(annotation)
    for candidate in (annotation, *inner):
        if isinstance(candidate, type) and issubclass(candidate, Part):
            parts[candidate.__name__] = candidate
    if isinstance(annotation, type) and not inner:
        return annotation.__name__
    text = str(annotation).replace("typing.", "").replace("<class '", "").replace("'>", "")
    return text.split("Annotated[")[0] + text.split("Annotated[")[1].split(",")[0] if "Annotated[" in text else text


def _first_line(thing: type) -> str:
    return (thing.__doc__ or "").strip().splitlines()[0]


def _walk(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                inner = click.Context(child, info_name=name, parent=context, max_content_width=100, terminal_width=100)
                yield from _walk(child, inner)


def _settle(path: Path, page: str, *, mode: str) -> bool:
    """Write the page, or return whether it is as the code says."""
    if mode == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
        return True
    return path.is_file() and path.read_text(encoding="utf-8") == page


def _start_django() -> None:
    import django

    os.environ.pop("CORRIDOR_HOME", None)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "corridor.server.settings")
    django.setup()


if __name__ == "__main__":
    raise SystemExit(main())
