"""Cells and the rules from how many cases a figure may cross."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import inf
from typing import ClassVar

from corridor.base.errors import InputFault

__all__ = [
    "Cell",
    "DisclosureRule",
    "ImpossibleCell",
    "below",
    "bound",
    "complement",
    "conceded",
    "place_level",
    "rule_for",
    "stratum_kind",
]

_MARK = re.compile(
    r"(?:withheld:)?(?:(?P<kind>below|complement)-(?P<limit>[1-9]\d{0,6})"
    r"|(?P<stated>bound|conceded)-(?P<least>\d{1,10})(?:-(?P<most>\d{1,10}))?)",
    re.ASCII,
)
_LEVELS = ("country", "admin1", "admin2")


class ImpossibleCell(InputFault):
    """A figure that cannot be: its period is empty, or it is withheld and shown at once."""

    code: ClassVar[str] = "impossible-cell"


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure about one disease, place, period and stratum: a number of cases, or the fact that it is withheld.

    Parameters
    ----------
    disease, place : str
        Codes of the reference data.
    period_start, period_end : date
        ``[start, end)``.
    stratum : str
        Empty for the place total, else kind and values, such as ``age-sex:0-4:f`` or ``sex:f``.
    value : int or None, cases
        None if the figure is withheld.
    withheld : str
        The rule by which it is withheld: ``below-5`` for a figure of 1 to 4, ``complement-5`` for a larger one that
        would give such a figure away. Empty for a figure that is shown; empty and without value counts as ``below``
        the ledger's own limit. Two marks never travel and stand in the ledger alone: ``bound-8`` (or ``bound-8-13``)
        for what something else said of the figure, as an alert does, and ``conceded-1-3`` for what two persons let a
        partner work out of a figure that was withheld.

    Raises
    ------
    ImpossibleCell
        If the period is empty, or a value comes with a rule that withholds it.
    """

    disease: str
    place: str
    period_start: date
    period_end: date
    stratum: str = ""
    value: int | None = None
    withheld: str = ""

    def __post_init__(self) -> None:
        if self.period_end <= self.period_start:
            raise ImpossibleCell(f"a period ends after it starts, came {self.period_start} to {self.period_end}")
        if self.withheld and self.value is not None:
            raise ImpossibleCell("a withheld figure has no value; leave out either value or rule")

    @property
    def figure(self) -> tuple[str, str, date, date, str]:
        """What the figure is about: two cells of one figure are revisions of each other."""
        return (self.disease, self.place, self.period_start, self.period_end, self.stratum)

    @property
    def status(self) -> str:
        """How the cell is written where there is one column for it: the value, or ``withheld:below-5``."""
        return str(self.value) if self.value is not None else f"withheld:{self.withheld.removeprefix('withheld:')}"


def below(limit: int) -> str:
    """Return the name of the rule that withholds 1 to `limit` - 1 cases."""
    return f"below-{limit}"


def complement(limit: int) -> str:
    """Return the name of the rule that withholds a figure of `limit` or more because it gives a smaller one away."""
    return f"complement-{limit}"


def bound(least: int, most: int | None = None) -> str:
    """Return the mark of a figure of which no number was told, but that it is at least `least` (and at most `most`)."""
    return f"bound-{least}" if most is None else f"bound-{least}-{most}"


def conceded(least: int, most: int) -> str:
    """Return the mark of a withheld figure that two persons let a partner narrow to `least` to `most`."""
    return f"conceded-{least}-{most}"


@dataclass(frozen=True, slots=True)
class Mark:
    """What the mark of a figure without a number says: from `least` to `most` cases.

    Attributes
    ----------
    kind : str
        ``below`` is the one that is protected: each of its values must stay possible.
    """

    kind: str
    least: float
    most: float

    @property
    def is_small(self) -> bool:
        """Whether the figure itself is below its limit, so that nothing more may be learnt of it."""
        return self.kind == "below"


@lru_cache(maxsize=1024)
def read_mark(mark: str, *, default: int) -> Mark:
    """Return what a mark says; what is not understood counts as withheld below `default`."""
    found = _MARK.fullmatch(mark)
    if found is None:
        return Mark("below", 1, default - 1)
    if found["stated"]:
        return Mark(found["stated"], int(found["least"]), int(found["most"]) if found["most"] else inf)
    limit = int(found["limit"])
    return Mark("below", 1, limit - 1) if found["kind"] == "below" else Mark("complement", limit, inf)


@dataclass(frozen=True, slots=True)
class DisclosureRule:
    """From how many cases a kind of figure crosses.

    Parameters
    ----------
    disease : str
        Code, or ``*`` for every disease without a rule of its own.
    place_level : "country", "admin1" or "admin2"
    stratum : str
        ``total``, or the kind of strata: ``age-sex``, ``sex`` …
    min_cell : int
        Smallest number of cases that crosses; 1 lets every figure cross. Zero cases always cross.
    """

    disease: str = "*"
    place_level: str = "admin1"
    stratum: str = "total"
    min_cell: int = 5


def rule_for(rules: Iterable[DisclosureRule], *, disease: str, place_level: str, stratum: str) -> DisclosureRule | None:
    """Return the rule of a disease, level and kind of strata, or None: what no rule opens does not cross.

    Parameters
    ----------
    stratum : str
        ``total`` or the kind of strata.

    Notes
    -----
    A rule that names the disease comes before one for all; of several alike, the strictest holds.
    """
    fitting = [
        rule
        for rule in rules
        if rule.disease in (disease, "*") and rule.place_level == place_level and rule.stratum == stratum
    ]
    own = [rule for rule in fitting if rule.disease == disease]
    return max(own or fitting, key=lambda rule: rule.min_cell, default=None)


def place_level(place: str) -> str:
    """Return the level of a code: ``PK`` country, ``PK-SD`` admin1, anything longer admin2."""
    return _LEVELS[min(place.count("-"), 2)]


def stratum_kind(stratum: str) -> str:
    """Return what rules call a stratum: ``total`` for the empty one, else the part before the first colon."""
    return stratum.partition(":")[0] or "total"


@lru_cache(maxsize=4096)
def stratum_labels(stratum: str) -> frozenset[tuple[str, str]]:
    """Return dimension and value of a stratum: ``age-sex:0-4:f`` is age 0-4 and sex f; the total has none."""
    kind, *values = stratum.split(":") if stratum else [""]
    dimensions = kind.split("-")
    if len(dimensions) != len(values):
        dimensions, values = ([kind], [":".join(values)]) if stratum else ([], [])
    return frozenset(zip(dimensions, values, strict=True))
