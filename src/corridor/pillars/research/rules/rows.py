"""The rows of one site as analyses see them: a frozen table, the rows that an analysis takes, the columns it models."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from corridor.base.errors import InputFault
from corridor.pillars.research.rules.protocol.document import (
    Condition,
    Endpoint,
    Missing,
    Protocol,
    VariableType,
)

__all__ = [
    "Clock",
    "FloatArray",
    "IntArray",
    "Mask",
    "MissingValues",
    "Rows",
    "SiteTable",
    "count_persons",
    "in_one_spelling",
    "select_rows",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_PREPARED = 5
"""What a table keeps: the rows of four analyses as they prepared them, and the numbers of its persons."""

_Made = TypeVar("_Made")


class MissingValues(InputFault):
    """The protocol refuses rows without a value, and there are some."""

    code: ClassVar[str] = "missing-values"


@dataclass(frozen=True)
class SiteTable:
    """The frozen, harmonised rows of one site.

    Attributes
    ----------
    columns : mapping of variable to array of float, shape (rows,)
        Numbers as they are, flags 0 or 1, categories as the index of their code in the dictionary; NaN is missing.
    persons : tuple of str
        For each row the pseudonym of its patient; it stays here.
    site : str
        Whose rows they are, by the name in the protocol; empty until they are taken to an analysis.
    """

    columns: Mapping[str, FloatArray]
    persons: tuple[str, ...]
    site: str = ""
    _prepared: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict, init=False, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.persons)

    @cached_property
    def places(self) -> IntArray | None:
        """Return for each row the place of its person among all persons; None where every row is of another person."""
        if len(set(in_one_spelling(self.persons))) == len(self):
            return None
        places: dict[str, int] = {}
        of_row = (places.setdefault(name, len(places)) for name in in_one_spelling(self.persons))
        return np.fromiter(of_row, dtype=np.int64, count=len(self))

    def once(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """Return what `make` gives: made at the first call of a key, and kept with the table.

        The table never changes, so what follows from it alone does not either.
        """
        if key not in self._prepared:
            self.keep(key, make())
        made: _Made = self.kept(key)
        return made

    def keep(self, key: Hashable, made: object) -> None:
        """Keep something with the table; of `MOST_PREPARED` things the one longest unused goes first."""
        self._prepared[key] = made
        while len(self._prepared) > MOST_PREPARED:
            self._prepared.popitem(last=False)

    def kept(self, key: Hashable) -> Any:
        """Return what is kept under a key, or None."""
        if key in self._prepared:
            self._prepared.move_to_end(key)
        return self._prepared.get(key)


@dataclass(frozen=True)
class Clock:
    """Times of an endpoint for the selected rows: days to the end, events (0/1), days of entry, competing events."""

    times: FloatArray
    events: FloatArray
    entry: FloatArray | None = None
    competing: FloatArray | None = None


@dataclass(frozen=True)
class Rows:
    """The rows that one analysis takes at one site.

    Attributes
    ----------
    protocol : Protocol
    table : SiteTable
    selected : array of bool, shape (rows of the table,)
    lost : int
        Rows of the population that lack a needed value.
    """

    protocol: Protocol
    table: SiteTable
    selected: Mask
    lost: int = 0
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __len__(self) -> int:
        return int(self.selected.sum())

    @property
    def places(self) -> IntArray | None:
        """Return for each row the place of its person, shape (rows,); None where every row is of another person."""
        return None if self.table.places is None else self.table.places[self.selected]

    def count(self, chosen: Mask) -> int:
        """Return how many persons the chosen ones of the selected rows are about."""
        return count_persons(chosen, self.places)

    def variable(self, name: str) -> FloatArray:
        """Return a variable of the selected rows, shape (rows,)."""
        return self.table.columns[name][self.selected]

    def once(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """Return what `make` gives: made at the first call of a key, and kept as long as these rows.

        For what follows from the rows and the plan alone, not from what is asked: every round needs it again.
        """
        if key not in self._made:
            self._made[key] = make()
        made: _Made = self._made[key]
        return made

    def term(self, name: str) -> FloatArray:
        """Return a model column of the selected rows, shape (rows,)."""
        return self.once(("term", name), lambda: _term(name, self))

    def matrix(self, terms: Sequence[str]) -> FloatArray:
        """Return the model matrix, shape (rows, terms)."""
        if not terms:
            return np.empty((len(self), 0))
        return self.once(("matrix", *terms), lambda: np.column_stack([self.term(name) for name in terms]))

    def those(self, chosen: Mask) -> Mask:
        """Return which rows of the table are the chosen ones of the selected, shape (rows of the table,)."""
        inside = self.selected.copy()
        inside[self.selected] = chosen
        return inside

    def of_those(self, chosen: Mask) -> Rows:
        """Return the chosen ones of the selected rows."""
        return Rows(self.protocol, self.table, self.those(chosen), self.lost)

    def clock(self, endpoint: Endpoint) -> Clock:
        """Return the times of an endpoint, censored where the follow-up of the protocol ends."""
        return self.once(("clock", endpoint.name), lambda: self._clock(endpoint))

    def _clock(self, endpoint: Endpoint) -> Clock:
        times, events = self.variable(endpoint.time), self.variable(endpoint.event)
        competing = self.variable(endpoint.competing) if endpoint.competing else None
        if endpoint.follow_up_days:
            late = times > endpoint.follow_up_days
            times = np.minimum(times, float(endpoint.follow_up_days))
            events = np.where(late, 0.0, events)
            competing = None if competing is None else np.where(late, 0.0, competing)
        entry = self.variable(endpoint.entry) if endpoint.entry else None
        return Clock(times, events, entry, competing)


def in_one_spelling(persons: Iterable[str]) -> Iterator[str]:
    """Yield pseudonyms as they are told apart: spaces around them and the case of letters make no other person."""
    return map(str.casefold, map(str.strip, persons))


def count_persons(chosen: Mask, places: IntArray | None) -> int:
    """Return how many persons chosen rows are about.

    Parameters
    ----------
    chosen : array of bool, shape (rows,)
    places : array of int, shape (rows,), or None
        The place of each row's person; None where every row is of another person.
    """
    return int(chosen.sum()) if places is None else int(np.unique(places[chosen]).size)


def select_rows(
    protocol: Protocol,
    table: SiteTable,
    *,
    where: Sequence[Condition] = (),
    terms: Sequence[str] = (),
    variables: Sequence[str] = (),
    endpoint: Endpoint | None = None,
) -> Rows:
    """Return the rows of the population and subgroup that hold every value that is needed.

    Raises
    ------
    MissingValues
        If the protocol refuses missing values and rows of the population lack some.
    """
    inside = np.ones(len(table), dtype=bool)
    for condition in (*protocol.population, *where):
        inside &= _meets(condition, protocol, table)
    needed = set(variables)
    for name in terms:
        needed |= _variables_of(name, protocol)
    if endpoint is not None:
        needed |= {endpoint.time, endpoint.event, endpoint.entry, endpoint.competing} - {""}
    complete = inside.copy()
    for name in sorted(needed):
        complete &= ~np.isnan(table.columns[name])
    if endpoint is not None:
        complete &= _observed(table, endpoint)
    lost = int(inside.sum() - complete.sum())
    if lost and protocol.missing is Missing.REFUSE:
        raise MissingValues(
            f"the protocol refuses missing values, and rows of this site lack some of: {', '.join(sorted(needed))}."
            " Complete them, or amend the protocol to complete cases."
        )
    return Rows(protocol, table, complete, lost)


def _observed(table: SiteTable, endpoint: Endpoint) -> Mask:
    """Return which rows are under observation at all: a time above zero, and above the entry."""
    times = table.columns[endpoint.time]
    start = table.columns[endpoint.entry] if endpoint.entry else 0.0
    return np.asarray(np.nan_to_num(times, nan=-1.0) > start)


def _variables_of(term: str, protocol: Protocol) -> set[str]:
    found = protocol.term(term)
    if found is None:
        raise KeyError(term)
    if found.form == "product":
        return set().union(*(_variables_of(name, protocol) for name in found.factors))
    return {found.variable}


def _meets(condition: Condition, protocol: Protocol, table: SiteTable) -> Mask:
    values = table.columns[condition.variable]
    wanted = [_number(value, condition.variable, protocol) for value in condition.values]
    first = wanted[0]
    tests: dict[str, Callable[[], Any]] = {
        "is": lambda: values == first,
        "is_not": lambda: (values != first) & ~np.isnan(values),
        "one_of": lambda: np.isin(values, wanted),
        "above": lambda: values > first,
        "at_least": lambda: values >= first,
        "below": lambda: values < first,
        "at_most": lambda: values <= first,
    }
    return np.asarray(tests[condition.operator]())


def _number(value: str | float, variable: str, protocol: Protocol) -> float:
    found = protocol.variable(variable)
    if found is not None and found.type is VariableType.CATEGORY:
        return float(list(found.codes or ()).index(str(value)))
    return float(value)


def _term(name: str, rows: Rows) -> FloatArray:
    term = rows.protocol.term(name)
    if term is None:
        raise KeyError(name)
    if term.form == "product":
        first, second = term.factors
        return rows.term(first) * rows.term(second) / term.per
    values = rows.variable(term.variable)
    with np.errstate(divide="ignore", invalid="ignore"):
        forms: dict[str, Callable[[], FloatArray]] = {
            "value": lambda: values,
            "log1p": lambda: np.log1p(values),
            "log": lambda: np.log(values),
            "square": lambda: values * values,
            "is": lambda: (values == _number(term.argument or 0.0, term.variable, rows.protocol)).astype(float),
            "at_least": lambda: (values >= float(term.argument or 0.0)).astype(float),
        }
        return forms[term.form]() / term.per
