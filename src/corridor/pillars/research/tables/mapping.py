"""How the columns of a site's own table become the variables of a protocol, as a TOML file says it."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from corridor.base.errors import InputFault
from corridor.base.members import Members

__all__ = [
    "ColumnMissing",
    "Cut",
    "FirstEvent",
    "Scale",
    "SiteMapping",
    "SiteMappingFault",
    "load_site_mapping",
    "site_mapping_text",
]

_LARGE = 1e12


class SiteMappingFault(InputFault):
    """The mapping is no TOML, or names what does not exist."""

    code: ClassVar[str] = "mapping-fault"


class ColumnMissing(InputFault):
    """The table has no column for a variable of the protocol."""

    code: ClassVar[str] = "column-missing"


@dataclass(frozen=True)
class Scale:
    """A linear change of unit: the protocol's value is ``value * times + plus``."""

    times: float = 1.0
    plus: float = 0.0


@dataclass(frozen=True)
class Cut:
    """A category made of a number: up to the first bound the first code, and so on; above the last bound the last."""

    column: str
    bounds: tuple[float, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True)
class FirstEvent:
    """Time and flag of the first of several events, each with a flag and a time of its own.

    The time is that of the first flag that is set, in the order given; without any it is the last one's.
    """

    time: str
    event: str
    of: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SiteMapping:
    """Where each variable comes from.

    Attributes
    ----------
    columns : variable to the heading of its column; a variable that is not named is looked up by its own name
    codes : variable to {text in the file: code of the protocol}
    scales : variable to the change of its unit
    cuts : variable (a category) to how it is made of a number
    first_events : times and flags made of several events
    constants : variable to the text that stands for it in every row
    day_first : 03/04/2024 is 3 April
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    scales: Mapping[str, Scale] = field(default_factory=dict)
    cuts: Mapping[str, Cut] = field(default_factory=dict)
    first_events: tuple[FirstEvent, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    day_first: bool = True

    def heading(self, variable: str, *, headings: Iterable[str]) -> str:
        """Return the heading of the column that holds a variable.

        Raises
        ------
        ColumnMissing
        """
        named = self.columns.get(variable, variable)
        known = list(headings)
        if named in known:
            return named
        raise ColumnMissing(
            f"no column {named!r} for the variable {variable}. The table has: {', '.join(known)}."
            f' Name it under [columns] of the mapping: {variable} = "HEADING".'
        )


def load_site_mapping(text: str, *, variables: Iterable[str]) -> SiteMapping:
    """Return the mapping in a TOML text.

    Parameters
    ----------
    text : str
        Tables ``[columns]``, ``[codes.VARIABLE]``, ``[scale.VARIABLE]``, ``[cut.VARIABLE]``, ``[[first_event]]``,
        ``[constants]`` and the option ``day_first``, each optional.
    variables : names of the protocol's variables

    Raises
    ------
    SiteMappingFault
        With every fault.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise SiteMappingFault(f"the mapping is not TOML: {fault}.") from None
    known = set(variables)
    root = Members.of(document)
    mapping = SiteMapping(
        columns=_texts(root, "columns", known),
        codes={name: _texts(item, "", None) for name, item in _named(root, "codes", known)},
        scales={name: _scale(item) for name, item in _named(root, "scale", known)},
        cuts={name: _cut(item) for name, item in _named(root, "cut", known)},
        first_events=tuple(_first_event(item, known) for item in root.items("first_event", absent_allowed=True)),
        constants=_texts(root, "constants", known),
        day_first=root.flag("day_first") if root.has("day_first") else True,
    )
    root.done()
    if root.faults:
        listed = "; ".join(f"{each.pointer or '/'}: {each.text}" for each in root.faults)
        raise SiteMappingFault(f"the mapping has {len(root.faults)} fault(s): {listed}.")
    return mapping


def site_mapping_text(mapping: SiteMapping) -> str:
    """Return a mapping as TOML: what `load_site_mapping` reads back as the same mapping."""
    parts = [] if mapping.day_first else [["day_first = false"]]
    parts += [_written("columns", mapping.columns), _written("constants", mapping.constants)]
    parts += [_written(f"codes.{_quoted(name)}", codes) for name, codes in mapping.codes.items()]
    parts += [
        [f"[scale.{_quoted(name)}]", f"times = {scale.times!r}", f"plus = {scale.plus!r}"]
        for name, scale in mapping.scales.items()
    ]
    parts += [
        [
            f"[cut.{_quoted(name)}]",
            f"column = {_quoted(cut.column)}",
            f"bounds = [{', '.join(map(repr, cut.bounds))}]",
            f"codes = [{', '.join(map(_quoted, cut.codes))}]",
        ]
        for name, cut in mapping.cuts.items()
    ]
    parts += [
        [
            "[[first_event]]",
            f"time = {_quoted(event.time)}",
            f"event = {_quoted(event.event)}",
            "of = [",
            *(f"  {{ flag = {_quoted(flag)}, days = {_quoted(days)} }}," for flag, days in event.of),
            "]",
        ]
        for event in mapping.first_events
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n" if any(parts) else ""


def _written(table: str, texts: Mapping[str, str]) -> list[str]:
    return [f"[{table}]", *(f"{_quoted(name)} = {_quoted(text)}" for name, text in texts.items())] if texts else []


def _quoted(text: str) -> str:
    # A string of JSON is one of TOML but for the one control character that JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _named(root: Members, key: str, known: set[str]) -> list[tuple[str, Members]]:
    if not root.has(key):
        return []
    table = root.members(key)
    found = []
    for name in table.names():
        if name not in known:
            table.fault(name, "expected the name of a variable of the protocol")
        found.append((name, table.members(name)))
    return found


def _texts(root: Members, key: str, known: set[str] | None) -> dict[str, str]:
    if key and not root.has(key):
        return {}
    table = root.members(key) if key else root
    found = {}
    for name in table.names():
        if known is not None and name not in known:
            table.fault(name, "expected the name of a variable of the protocol")
        found[name] = table.text(name) if table.is_text(name) else str(table.number(name, least=-_LARGE, most=_LARGE))
    return found


def _scale(item: Members) -> Scale:
    scale = Scale(
        times=item.number("times", least=-_LARGE, most=_LARGE, fallback=1.0) if item.has("times") else 1.0,
        plus=item.number("plus", least=-_LARGE, most=_LARGE) if item.has("plus") else 0.0,
    )
    item.done()
    return scale


def _cut(item: Members) -> Cut:
    bounds = tuple(item.numbers("bounds", least=-_LARGE, most=_LARGE))
    codes = tuple(item.strings("codes", at_least=2))
    if list(bounds) != sorted(set(bounds)):
        item.fault("bounds", "expected rising numbers")
    if len(codes) != len(bounds) + 1:
        item.fault("codes", f"expected one code more than bounds: {len(bounds) + 1}")
    cut = Cut(item.text("column"), bounds, codes)
    item.done()
    return cut


def _first_event(item: Members, known: set[str]) -> FirstEvent:
    of = []
    for each in item.items("of", at_least=1):
        of.append((each.text("flag"), each.text("days")))
        each.done()
    made = FirstEvent(item.text("time"), item.text("event"), tuple(of))
    for key, name in (("time", made.time), ("event", made.event)):
        if name and name not in known:
            item.fault(key, "expected the name of a variable of the protocol")
    item.done()
    return made
