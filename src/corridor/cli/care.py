"""``corridor care``: treatment protocols side by side, and follow-up care, on files without a server."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from corridor.base.differences import SidePair
    from corridor.pillars.research.rules.care import Treatment

__all__ = ["care"]


@click.group("care")
def care() -> None:
    """Treatment protocols side by side, and who is due for follow-up. Guidance as data, no medical advice."""


@care.command("reference")
@click.argument("name", required=False)
def reference(name: str | None) -> None:
    """Print the reference document NAME in TOML, to compare with or to start from; without NAME, list them.

    Each figure has its source and date. Guidance as data, no medical advice.
    """
    from corridor.pillars.research.reference import reference_names, reference_text

    click.echo("\n".join(reference_names()) if name is None else reference_text(name).rstrip())


_LEFT_WIDTH = 48

_COMPARE = """\b
Example:
  corridor care compare ours.toml theirs.toml --differing
"""


@care.command("compare", epilog=_COMPARE)
@click.argument("left", type=click.Path(path_type=Path))
@click.argument("right", type=click.Path(path_type=Path))
@click.option("--differing", is_flag=True, help="Only what differs.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(left: Path, right: Path, *, differing: bool, as_json: bool) -> None:
    """Lay two treatment protocols, LEFT and RIGHT in TOML, side by side; what differs is marked with *.

    Entries of the same id, and drugs of the same name, stand in one line wherever they stand in the files.
    """
    from corridor.base.textfiles import read_text
    from corridor.pillars.research.rules.care import compare_treatments, treatment_from_toml

    first, second = treatment_from_toml(read_text(left)), treatment_from_toml(read_text(right))
    pairs = [pair for pair in compare_treatments(first, second) if pair.differs or not differing]
    if as_json:
        click.echo(json.dumps(_as_json(first, second, pairs), ensure_ascii=False, indent=2))
        return
    click.echo("\n".join(_lines(first, second, pairs)))
    click.echo("Guidance as data, to compare and to plan by; no medical advice.", err=True)


def _as_json(first: "Treatment", second: "Treatment", pairs: "list[SidePair]") -> dict[str, Any]:
    return {
        "left": {"id": first.id, "version": first.version, "hash": first.hash},
        "right": {"id": second.id, "version": second.version, "hash": second.hash},
        "rows": [
            {"path": list(pair.path), "left": pair.left, "right": pair.right, "differs": pair.differs} for pair in pairs
        ],
    }


def _lines(first: "Treatment", second: "Treatment", pairs: "list[SidePair]") -> list[str]:
    rows = [("", "hash", first.hash[:16], second.hash[:16])]
    rows += [
        ("*" if pair.differs else "", " / ".join(pair.path), _word(pair.left), _word(pair.right)) for pair in pairs
    ]
    wide = [max(len(row[place]) for row in rows) for place in range(3)]
    return [
        f"{mark:1} {path:{wide[1]}}  {left:{min(wide[2], _LEFT_WIDTH)}} | {right}".rstrip()
        for mark, path, left, right in rows
    ]


def _word(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
