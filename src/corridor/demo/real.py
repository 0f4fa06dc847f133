"""The demonstration on real files: the same nodes and agreements, what the files hold in place of what is simulated."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl

from corridor.base.clock import utcnow
from corridor.base.errors import InputFault
from corridor.base.textfiles import read_table
from corridor.demo.acts import Story, check, delivered, sign_the_agreements
from corridor.demo.cast import NODES, PLAYED_WEEKS, NodePart

LAYOUT = "corridor-demo.toml"
MEMBERS = {"node", "path", "only", "columns", "constants", "options"}


class LayoutFault(InputFault):
    """The folder or its layout cannot be used."""

    code = "demo-layout"


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file of the folder and how it is read."""

    node: NodePart
    path: Path
    only: dict[str, str]
    mapping: dict[str, Any]


@dataclass
class RealStory(Story):
    """A story whose figures come from files.

    Attributes
    ----------
    files : what is taken in
    last_on : by country, the day after the last one of its files
    """

    files: tuple[DataFile, ...] = ()
    last_on: dict[str, date] = field(default_factory=dict)


def read_layout(folder: Path) -> tuple[DataFile, ...]:
    """Return the files that a folder's layout names, or those of the layout that ships with the package.

    Raises
    ------
    LayoutFault
        If the folder is not there, the layout is wrong, or a file is missing.
    """
    if not folder.is_dir():
        raise LayoutFault(f"--data expects a folder with files of counts; {folder} is none.")
    own = folder / LAYOUT
    text = (
        own.read_text("utf-8")
        if own.is_file()
        else resources.files("corridor.demo").joinpath("covid.toml").read_text("utf-8")
    )
    try:
        entries = tomllib.loads(text).get("file", [])
    except tomllib.TOMLDecodeError as fault:
        raise LayoutFault(f"{LAYOUT} is not TOML: {fault}") from fault
    if not entries:
        raise LayoutFault(f"{LAYOUT} names no file; each file needs a [[file]] with node, path and columns.")
    return tuple(_data_file(folder, entry, number) for number, entry in enumerate(entries, start=1))


def _data_file(folder: Path, entry: dict[str, Any], number: int) -> DataFile:
    parts = {part.country: part for part in NODES}
    if unknown := sorted(set(entry) - MEMBERS):
        raise LayoutFault(
            f"[[file]] {number} of the layout has {', '.join(unknown)}; known are {', '.join(sorted(MEMBERS))}."
        )
    if entry.get("node") not in parts:
        raise LayoutFault(
            f"[[file]] {number} of the layout needs node = one of {', '.join(parts)}, came {entry.get('node')!r}."
        )
    path = folder / str(entry.get("path", ""))
    if not path.is_file():
        raise LayoutFault(
            f"the layout expects {entry.get('path')} in {folder}, which is not there. Put the file there, or a {LAYOUT}"
            " beside your own files that says how they are laid out."
        )
    return DataFile(
        node=parts[entry["node"]],
        path=path,
        only={str(column): str(value) for column, value in entry.get("only", {}).items()},
        mapping={
            "columns": dict(entry.get("columns", {})),
            "constants": dict(entry.get("constants", {})),
            **entry.get("options", {}),
        },
    )


def load_the_files(story: RealStory) -> None:
    """Take the files in and say what was read, kept and rejected, and why."""
    kept_files = story.it.folder / "files"
    kept_files.mkdir(exist_ok=True)
    for file in story.files:
        frame = read_table(file.path)
        for column, value in file.only.items():
            if column not in frame.columns:
                raise LayoutFault(f"{file.path.name} has no column {column}; it has {', '.join(frame.columns)}.")
            frame = frame.filter(pl.col(column) == value)
        path = kept_files / f"{file.node.country.lower()}-{file.path.name.removesuffix('.gz')}"
        frame.write_csv(path)
        taken = story.it.player(file.node).do(
            "take_in",
            path=str(path),
            kind="counts",
            source=file.path.name,
            as_of=utcnow().isoformat(),
            options=file.mapping,
        )
        check(taken["rows"] == taken["kept"] + taken["rejected"], "every row is kept or rejected")
        check(taken["added"] > 0, f"figures of {file.path.name} are in the database of {file.node.id}")
        story.say(
            f"{file.node.country}: {taken['rows']:,} rows read, {taken['kept']:,} kept, {taken['rejected']:,} rejected"
            + "".join(f"; {reason}: {number:,}" for reason, number in sorted(taken["reasons"].items()))
        )
        figures = story.it.player(file.node).do("span")
        story.last_on[file.node.country] = date.fromisoformat(figures["end_on"])
        negative = figures["negative"]
        story.say(
            f"{file.node.country}: {figures['first_on']} to {figures['end_on']}, {negative:,} negative corrections kept"
        )


def judge_the_files(story: RealStory) -> None:
    """Judge the last eight weeks of each country's files week by week, and count what was signalled."""
    total = 0
    for part in {file.node.country: file.node for file in story.files}.values():
        end = story.last_on[part.country]
        for back in range(PLAYED_WEEKS - 1, -1, -1):
            story.it.player(part).do("detect", until=(end - timedelta(weeks=back)).isoformat())
        raised = story.it.player(part).do("signals")
        check(all(each["observed"] > (each["expected"] or 0) for each in raised), "a signal is above its expectation")
        places = len({each["place"] for each in raised})
        methods = ", ".join(sorted({each["method"] for each in raised}))
        story.say(f"{part.country}: {len(raised)} signals in {places} places by {methods or 'no method'}")
        total += len(raised)
    check(total, "the files give signals")


def share_the_files(story: RealStory) -> None:
    """Send the partners the weekly totals of the last eight weeks, and compare both sides."""
    countries = {file.node.country: file.node for file in story.files}
    for country, part in countries.items():
        end = story.last_on[country]
        shared = story.it.player(part).do(
            "share", first_on=(end - timedelta(weeks=PLAYED_WEEKS)).isoformat(), end_on=end.isoformat()
        )
        story.say(f"{country}: {shared['sent']:,} weekly figures sent, {shared['withheld']:,} of them as withheld")
    delivered(story)
    for part in countries.values():
        for other in countries.values():
            held = story.it.player(other).do("held", partner=part.id)
            own = {(row["place"], row["start_on"]): row["observed"] for row in story.it.player(part).do("weekly")}
            for row in held:
                check(
                    row["withheld"] or row["value"] == own[(row["place"], row["start_on"])],
                    f"{other.id} holds the figure that {part.id} counted",
                )
            if held:
                story.say(f"{other.country} holds {len(held):,} figures of {part.country}, equal to the sender's")


REAL_ACTS: tuple[tuple[str, Callable[[Any], None]], ...] = (
    ("Two agreements are signed", sign_the_agreements),
    ("The files are taken in", load_the_files),
    ("The last eight weeks are judged", judge_the_files),
    ("Weekly totals cross", share_the_files),
)
