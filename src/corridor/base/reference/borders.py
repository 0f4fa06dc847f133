"""Which places of different countries lie on either side of a common border.

A row says that two units adjoin as they are administered; it says nothing on where a boundary runs or whose it is.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources.abc import Traversable

__all__ = ["Border", "Borders", "read_borders"]


@dataclass(frozen=True, slots=True)
class Border:
    """Two places that adjoin across a border: two countries, or two first-level units of different countries.

    Parameters
    ----------
    place, neighbour : codes, in either order
    source, source_on : where it was read, and when
    """

    place: str
    neighbour: str
    source: str
    source_on: date


class Borders:
    """The known pairs of places that adjoin across a border.

    Parameters
    ----------
    pairs : iterable of two codes each
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._beside: dict[str, set[str]] = {}
        self._described: set[frozenset[str]] = set()
        self.add(pairs)

    def add(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Add pairs of codes; two places that adjoin make neighbours of their countries."""
        for one, other in pairs:
            countries = _country(one), _country(other)
            for here, there in ((one, other), (other, one), countries, countries[::-1]):
                self._beside.setdefault(here, set()).add(there)
            if "-" in one and "-" in other:
                self._described.add(frozenset(countries))

    def adjoin(self, one: Sequence[str], other: Sequence[str]) -> bool:
        """Say whether two places of different countries adjoin.

        Parameters
        ----------
        one, other : codes of a place and of what holds it, the place first, its country last

        Notes
        -----
        Between two countries of which no pair of places is recorded nobody knows which places adjoin: then all do, if
        the countries do. A country adjoins a place of another if some place of it does.
        """
        here, there = one[-1], other[-1]
        if here == there or there not in self._beside.get(here, ()):
            return False
        units, units_there = one[:-1], other[:-1]
        if frozenset((here, there)) not in self._described or not (units or units_there):
            return True
        if not units or not units_there:
            across = there if units else here
            return any(_country(code) == across for unit in units or units_there for code in self._beside.get(unit, ()))
        return any(code in self._beside.get(unit, ()) for unit in units for code in units_there)


def read_borders(file: Traversable) -> list[Border]:
    """Return the rows of a file of the package with the columns place, neighbour, source, source_on."""
    rows = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))
    return [Border(row["place"], row["neighbour"], row["source"], date.fromisoformat(row["source_on"])) for row in rows]


def _country(code: str) -> str:
    return code.partition("-")[0]
