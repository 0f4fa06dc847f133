"""Write docs/reference from the code. ``check`` fails where a page is out of date.

Commands, settings, messages, the API between nodes, the files that a node reads and writes, the analyses of studies.

python tools/reference.py write
python tools/reference.py check
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from string import Template
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "reference"
MADE = "<!-- Made from the code by `make reference`; do not edit. -->\n\n"


_PLAIN = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "date": "date",
    "datetime": "time",
    "AwareDatetime": "time with zone",
    "NoneType": "nothing",
}


def main() -> int:
    """Write the pages, or compare them with the code."""
    mode = sys.argv[1] if len(sys.argv) > 1 else "check"
    if mode not in {"write", "check"}:
        sys.stderr.write(__doc__ or "")
        return 2
    _start_django()
    _check_listing()
    stale = [name for name, page in pages() if not _settle(PAGES / name, page, mode=mode)]
    for name in stale:
        sys.stderr.write(f"docs/reference/{name} is out of date; run `make reference` and commit it\n")
    return 1 if stale else 0


def _check_listing() -> None:
    """Stop where `corridor --help`, which starts no Django, lists other commands of a node than there are."""
    from corridor.cli import node
    from corridor.cli.main import NODE_COMMANDS, SCIENCE_COMMANDS

    there = {
        name: command.get_short_help_str(90)
        for name, command in node.commands([]).items()
        if name not in SCIENCE_COMMANDS
    }
    differ = sorted(name for name in there.keys() | NODE_COMMANDS if there.get(name) != NODE_COMMANDS.get(name))
    if differ:
        lines = "".join(
            f"    {name!r}: {there[name]!r},\n" if name in there else f"    no {name!r}\n" for name in differ
        )
        sys.exit(f"NODE_COMMANDS in src/corridor/cli/main.py is out of date; it should say\n{lines}")


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page."""
    makers: dict[str, Callable[[], str]] = {
        "commands.md": commands_page,
        "settings.md": settings_page,
        "messages.md": messages_page,
        "http-api.md": api_page,
        "files.md": files_page,
        "analyses.md": analyses_page,
    }
    for name, make in makers.items():
        yield name, MADE + re.sub(r"\n{3,}", "\n\n", make()).rstrip() + "\n"


def commands_page() -> str:
    """Return every command with its help, as the command line itself prints it."""
    from corridor.cli.main import corridor as root

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


def api_page() -> str:
    """Return the API between nodes, from the description that the node itself gives."""
    from corridor.exchange.api import api

    described = api.get_openapi_schema(path_prefix="/exchange/v1/")
    lines = [
        "# The API between nodes\n",
        f"{described['info']['description']} A node gives this description itself, at `/exchange/v1/openapi.json`.\n",
        "People use the pages and the [commands](commands.md); nothing but partners' nodes needs this API.\n",
    ]
    for path, verbs in described["paths"].items():
        for verb, action in verbs.items():
            lines.append(f"\n## `{verb.upper()} {path}`\n\n{action['summary']}.\n")
            body = action.get("requestBody")
            if body:
                lines += ["Body:\n", *_schema(body["content"]["application/json"]["schema"], described)]
            lines += ["| status | means |", "|---|---|"]
            lines += [f"| {status} | {answer['description']} |" for status, answer in action["responses"].items()]
            for status, answer in action["responses"].items():
                schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
                if str(status) == "200" and _resolved(schema, described).get("properties"):
                    lines += ["\nAnswer:\n", *_schema(schema, described)]
    lines += ["\n## A refusal\n", *_schema(described["components"]["schemas"]["Problem"], described)]
    return "\n".join(lines)


def _resolved(schema: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return described["components"]["schemas"][reference.rsplit("/", 1)[-1]] if reference else schema


def _schema(schema: dict[str, Any], described: dict[str, Any]) -> list[str]:
    whole = _resolved(schema, described)
    needed = whole.get("required", ())
    lines = ["| member | type | needed |", "|---|---|---|"]
    for name, member in whole.get("properties", {}).items():
        kind = member.get("type") or _resolved(member, described).get("type") or f"`{member.get('const')}`"
        kind = f"list of {_resolved(member.get('items', {}), described).get('type', '')}" if kind == "array" else kind
        lines.append(f"| `{name}` | {kind} | {'yes' if name in needed else 'no'} |")
    return [*lines, ""]


def files_page() -> str:
    """Return the tables that commands read and write, with the columns that the code knows."""
    from corridor.base.reference.places import COLUMNS
    from corridor.pillars.surveillance.tables import CASE_FIELDS, COUNT_FIELDS, EFFECTS, REASONS, REJECT_SCHEMA
    from corridor.science.tables import KEYS

    def listed(names: Iterable[str]) -> str:
        return ", ".join(f"`{name}`" for name in names)

    template = Template(Path(__file__).with_name("files.md.template").read_text(encoding="utf-8"))
    return template.substitute(
        keys=listed(KEYS),
        case_fields=listed(CASE_FIELDS),
        count_fields=listed(COUNT_FIELDS),
        reject_columns=listed(REJECT_SCHEMA),
        effects=" or ".join(f"“{effect}”" for effect in EFFECTS),
        reasons="\n".join(f"| `{reason}` | {text} |" for reason, text in REASONS.items()),
        place_columns=listed(COLUMNS),
    )


def analyses_page() -> str:
    """Return every kind of analysis with its options, as its class describes it, and what is refused."""
    from corridor.pillars.research.rules.analyses import KINDS, REFUSED_KINDS, Caution

    lines = [
        "# Analyses that a protocol may name\n",
        "One entry of the plan is a table `[[analyses]]` of the protocol's TOML with `id`, `kind`, `title` by",
        "language, the options of its kind, and, for a subgroup, `where` with conditions as in `population`.",
        "What each gives away, and how, is explained in [Analyses of a joint study](../explanation/analyses.md).\n",
    ]
    for kind, plan in KINDS.items():
        told = (plan.__doc__ or "").partition("\n    Notes\n")[0]
        paragraphs = [" ".join(part.split()).replace("``", "`") for part in told.split("\n\n")]
        lines += [f"## `{kind}`\n", f"Class: {plan.precision}.\n", *(f"{part}\n" for part in paragraphs if part)]
    lines += ["## Refused\n", "| kind | why, and what to ask for instead |", "|---|---|"]
    lines += [f"| `{kind}` | {reason} |" for kind, reason in REFUSED_KINDS.items()]
    lines += ["\n## Cautions of a result\n", ", ".join(f"`{caution}`" for caution in Caution)]
    return "\n".join(lines)


def _fields(message: type, parts: dict[str, type]) -> list[str]:
    rows = ["| field | type | class |", "|---|---|---|"]
    for name, info in message.model_fields.items():  # type: ignore[attr-defined]  # pydantic classes only
        shown = _shown(info.annotation, parts)
        rows.append(f"| `{name}` | {shown} | {message.field_classes[name]} |")  # type: ignore[attr-defined]  # as above
    return [*rows, ""]


def _shown(annotation: object, parts: dict[str, type]) -> str:
    """Return a type as a reader of messages wants it: no modules, no bounds, parts by their name."""
    from typing import Annotated, Literal, get_args, get_origin

    from corridor.exchange.messages import Part

    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shown(inner[0], parts)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin is tuple:
        return f"list of {_shown(inner[0], parts)}"
    if inner:
        return " or ".join(_shown(each, parts) for each in inner)
    if isinstance(annotation, type):
        if issubclass(annotation, Part):
            parts[annotation.__name__] = annotation
            return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
        return _PLAIN.get(annotation.__name__, annotation.__name__)
    return str(annotation)


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
