"""Places: countries and their first administrative level by ISO 3166 code, with names in four languages.

Names are neutral and boundaries indicative: a code, a name or a parent here says nothing on the status of a
territory. Codes are those of ISO 3166; where another country's files list a place among their own, ``reported_by``
lets those files find it without moving it.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from corridor.base.errors import InputFault
from corridor.base.reference.borders import Borders
from corridor.base.reference.names import LANGUAGES, NameIndex, name_in

__all__ = ["COLUMNS", "Place", "PlaceFileFault", "PlaceLevel", "PlaceResolver", "Places", "read_places"]

PlaceLevel = Literal["country", "admin1", "admin2"]
LEVELS: tuple[PlaceLevel, ...] = ("country", "admin1", "admin2")

REQUIRED = ("code", "level", "name_en", "source", "source_on")
COLUMNS = (
    "code", "level", "parent", "name_en", "name_zh_hans", "name_ru", "name_ur", "aliases", "reported_by", "lat", "lon",
    "population", "population_year", "population_source", "neighbours", "source", "source_on",
)  # fmt: skip
"""Columns of a file of places; `REQUIRED` must be filled, the others may be absent or empty. Lists part by ``|``."""

SHOWN_FAULTS = 10


class PlaceFileFault(InputFault):
    """A file of places that cannot be read; the text lists row, column and what is expected."""

    code = "place-file-fault"


@dataclass(frozen=True, slots=True)
class Place:
    """A country, a first or a second administrative unit.

    Parameters
    ----------
    code : str
        ISO 3166-1 alpha-2 (``PK``), ISO 3166-2 (``PK-SD``), or the parent's code and an own ending (``PK-SD-KHI``).
    level : "country", "admin1" or "admin2"
    parent : str or None
        Code of the unit that holds it; None for a country.
    names : dict of language key (``en``, ``zh-hans``, ``ru``, ``ur``) to name
        English is always there.
    aliases : tuple of str
        Other spellings that files use.
    lat, lon : float or None, degrees WGS 84
        Of the seat of administration: a point to draw at, not a centre of population.
    population : int or None
        None where no dated source was read; then no rate is shown.
    population_year : int or None
    population_source : str
    source, source_on
        Where code and names come from, and when they were read.
    reported_by : tuple of str
        Codes of countries whose files list this place too.
    neighbours : tuple of str
        Codes of places of other countries that adjoin this one.
    """

    code: str
    level: PlaceLevel
    parent: str | None
    names: dict[str, str] = field(compare=False)
    aliases: tuple[str, ...] = ()
    lat: float | None = None
    lon: float | None = None
    population: int | None = None
    population_year: int | None = None
    population_source: str = ""
    source: str = ""
    source_on: date | None = None
    reported_by: tuple[str, ...] = ()
    neighbours: tuple[str, ...] = ()

    def name(self, language: str = "en") -> str:
        """Return the name in a language, or in English where it has none."""
        return name_in(self.names, language)


class PlaceResolver(dict[str, Place | None]):
    """A memory of resolved texts, for columns with many rows and few different names: ``resolver[text]``."""

    def __init__(self, places: "Places", *, within: str | None, level: PlaceLevel | None) -> None:
        super().__init__()
        self._places, self._within, self._level = places, within, level

    def __missing__(self, text: str) -> Place | None:
        found = self._places.resolve(text, within=self._within, level=self._level)
        self[text] = found
        return found


class Places:
    """The known places, found by code or by name.

    Parameters
    ----------
    places : iterable of Place
        Parents before or after their children.
    borders : iterable of two codes each
        Places that adjoin across a border, besides those that the places themselves name.
    """

    def __init__(self, places: Iterable[Place] = (), *, borders: Iterable[tuple[str, str]] = ()) -> None:
        self._places: dict[str, Place] = {}
        self._borders = Borders(borders)
        self._children: dict[str, list[Place]] = {}
        self._index = NameIndex()
        self._add(list(places))

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places.values())

    def __len__(self) -> int:
        return len(self._places)

    def get(self, code: str) -> Place | None:
        """Return the place of a code, or None."""
        return self._places.get(code)

    def children(self, code: str) -> list[Place]:
        """Return the places whose parent is `code`, by code."""
        return sorted(self._children.get(code, []), key=lambda place: place.code)

    def country_of(self, code: str) -> str | None:
        """Return the code of the country that holds a place, or None if the place is not known."""
        return self._lineage(code)[-1] if code in self._places else None

    def adjoin(self, one: str, other: str) -> bool:
        """Say whether two places lie in different countries, on either side of a common border.

        A district adjoins what its province adjoins. Where nothing is recorded of the places along a border, all places
        of the two countries count as adjoining.
        """
        return self._borders.adjoin(self._lineage(one), self._lineage(other))

    def _lineage(self, code: str) -> list[str]:
        """Return a place and what holds it, its country last; a code that is not known goes by its first part."""
        place = self._places.get(code)
        if place is None:
            country = code.partition("-")[0]
            return [code] if code == country else [code, country]
        lineage = [place.code]
        while place is not None and place.parent is not None:
            lineage.append(place.parent)
            place = self._places.get(place.parent)
        return lineage

    def resolve(self, text: str, *, within: str | None = None, level: PlaceLevel | None = None) -> Place | None:
        """Return the one place that a text names, in any script, by name, alias or code; None if none or several do.

        Parameters
        ----------
        text : str
        within : str, optional
            Code of a place: only it, what it holds, and what its files report are looked at.
        level : "country", "admin1" or "admin2", optional

        See Also
        --------
        candidates : why there was no single answer.
        """
        for codes in (self._index.exact(text), self._index.loose(text)):
            found = self._in_scope(codes, within, level)
            if found:
                return found[0] if len(found) == 1 else None
        return None

    def candidates(self, text: str, *, within: str | None = None, level: PlaceLevel | None = None) -> list[Place]:
        """Return the places that a text may mean, for a person to choose: all of that name, else near spellings."""
        for codes in (self._index.exact(text), self._index.loose(text)):
            found = self._in_scope(codes, within, level)
            if found:
                return found
        near = self._index.near(text)
        inside = {place.code: place for place in self._in_scope(frozenset(near), within, level)}
        return [inside[code] for code in near if code in inside]

    def resolver(self, *, within: str | None = None, level: PlaceLevel | None = None) -> PlaceResolver:
        """Return a dict-like lookup that resolves each different text once."""
        return PlaceResolver(self, within=within, level=level)

    def load(self, file: Path) -> int:
        """Add the places of a CSV file with the columns `COLUMNS`, and return how many.

        Raises
        ------
        PlaceFileFault
            If the file cannot be read, a row is at fault, a code is known already or a parent is not; nothing is
            added then.
        """
        added = read_places(file)
        self._check(added, file.name)
        self._add(added)
        return len(added)

    def _check(self, added: list[Place], file: str) -> None:
        known = self._places.keys() | {place.code for place in added}
        faults = [f"code {place.code} is known already" for place in added if place.code in self._places]
        faults += [
            f"parent {place.parent} of {place.code} is not known; load its file first or add its row"
            for place in added
            if place.parent is not None and place.parent not in known
        ]
        faults += [
            f"neighbour {code} of {place.code} is not known; load its file first or add its row"
            for place in added
            for code in place.neighbours
            if code not in known
        ]
        _raise_faults(file, faults)

    def _add(self, added: list[Place]) -> None:
        for place in added:
            self._places[place.code] = place
            if place.parent is not None:
                self._children.setdefault(place.parent, []).append(place)
            self._index.add(place.code, [place.code, *place.names.values(), *place.aliases])
            self._borders.add((place.code, code) for code in place.neighbours)

    def _in_scope(self, codes: frozenset[str], within: str | None, level: PlaceLevel | None) -> list[Place]:
        found = [self._places[code] for code in sorted(codes)]
        return [
            place
            for place in found
            if (level is None or place.level == level) and (within is None or self._holds(within, place))
        ]

    def _holds(self, within: str, place: Place) -> bool:
        return within in place.reported_by or within in self._lineage(place.code)


def read_places(file: Path | Traversable) -> list[Place]:
    """Read a CSV file of places (UTF-8, columns `COLUMNS`).

    Raises
    ------
    PlaceFileFault
        With up to ten faults, each naming row and column.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise PlaceFileFault(f"{file.name}: a CSV file in UTF-8 is expected; {type(fault).__name__}") from fault
    rows = csv.DictReader(io.StringIO(text))
    missing = [column for column in REQUIRED if column not in (rows.fieldnames or ())]
    if missing:
        raise PlaceFileFault(
            f"{file.name}: column {missing[0]} is missing; the first row names the columns, of which"
            f" {', '.join(REQUIRED)} are required"
        )
    places: list[Place] = []
    faults: list[str] = []
    seen: set[str] = set()
    for number, row in enumerate(rows, start=2):
        reader = _Row(number, row)
        place = reader.place()
        if place.code in seen:
            reader.fault("code", f"{place.code} stands in an earlier row too")
        seen.add(place.code)
        faults += reader.faults
        places.append(place)
    if not places:
        faults.append("the file holds no row")
    _raise_faults(file.name, faults)
    return places


def _raise_faults(file: str, faults: list[str]) -> None:
    if faults:
        more = f"; and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
        raise PlaceFileFault(f"{file}: {'; '.join(faults[:SHOWN_FAULTS])}{more}")


class _Row:
    """One row on its way to a place; collects every fault instead of stopping at the first."""

    def __init__(self, number: int, row: dict[str, str | None]) -> None:
        self.number, self.row = number, row
        self.faults: list[str] = []

    def fault(self, column: str, text: str) -> None:
        self.faults.append(f"row {self.number}, column {column}: {text}")

    def text(self, column: str) -> str:
        value = (self.row.get(column) or "").strip()
        if not value and column in REQUIRED:
            self.fault(column, "is empty; every row needs it")
        return value

    def several(self, column: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.text(column).split("|") if part.strip())

    def level(self) -> PlaceLevel:
        text = self.text("level")
        for level in LEVELS:
            if text == level:
                return level
        self.fault("level", f"expected one of {', '.join(LEVELS)}, came {text[:40]!r}")
        return "country"

    def parent(self, code: str, level: PlaceLevel) -> str | None:
        parent = self.text("parent") or None
        if level == "country" and parent is not None:
            self.fault("parent", f"a country has none, came {parent[:40]!r}")
        if level != "country" and (parent is None or not code.startswith(f"{parent}-")):
            self.fault("parent", f"expected the code that {code[:40]!r} begins with, came {(parent or '')[:40]!r}")
        return parent

    def degrees(self, column: str, limit: float) -> float | None:
        text = self.text(column)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = limit + 1
        if not -limit <= value <= limit:
            self.fault(column, f"expected degrees within {-limit:g} to {limit:g}, came {text[:40]!r}")
        return value

    def whole(self, column: str) -> int | None:
        text = self.text(column)
        if not text:
            return None
        if not (text.isascii() and text.isdigit()):
            self.fault(column, f"expected a whole number, came {text[:40]!r}")
            return None
        return int(text)

    def day(self, column: str) -> date | None:
        text = self.text(column)
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            self.fault(column, f"expected a date like 2026-01-31, came {text[:40]!r}")
            return None

    def place(self) -> Place:
        code, level = self.text("code"), self.level()
        population, year = self.whole("population"), self.whole("population_year")
        population_source = self.text("population_source")
        if population is not None and (year is None or not population_source):
            self.fault("population", "a population needs population_year and population_source")
        names = {language: self.text(f"name_{language.replace('-', '_')}") for language in LANGUAGES}
        return Place(
            code=code,
            level=level,
            parent=self.parent(code, level),
            names={language: name for language, name in names.items() if name},
            aliases=self.several("aliases"),
            lat=self.degrees("lat", 90),
            lon=self.degrees("lon", 180),
            population=population,
            population_year=year,
            population_source=population_source,
            source=self.text("source"),
            source_on=self.day("source_on"),
            reported_by=self.several("reported_by"),
            neighbours=self.several("neighbours"),
        )
