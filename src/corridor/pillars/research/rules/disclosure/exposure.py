"""What would leave a site with one answer, told so that disclosure control can judge it without knowing the method."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from corridor.pillars.research.rules.rows import FloatArray, IntArray, Mask

_ROWS_AT_ONCE = 16_384
"""So many rows of a product stay in the processor's cache."""
_FEW_ROWS = 1000
"""Of so many rows values are counted; of more, it is enough to know whether one is that of more than half."""

__all__ = [
    "Design",
    "Exposure",
    "Likelihood",
    "RiskTable",
    "Share",
    "TimeTable",
    "shares_of_products",
    "shares_of_sums",
]


@dataclass(frozen=True)
class Share:
    """The largest part that one person has in a released sum.

    Attributes
    ----------
    is_fitted : bool
        Whether the rows are weighted by fitted hazards: these rightly lean on those at high risk, and a wider bound
        holds.
    """

    label: str
    largest: float
    is_fitted: bool = False


@dataclass(frozen=True)
class Design:
    """A model matrix whose sums leave.

    What follows from the matrix is worked out once: rounds of one fit show the same design.

    Attributes
    ----------
    names : tuple of str
    matrix : array, shape (rows, columns)
    parameters : int
        How many numbers are fitted; the columns unless the model adds an intercept.
    events : int or None
        Events of the model, where it has events.
    places : array of int, shape (rows,), or None
        The place of each row's person; None where every row is of another person.
    """

    names: tuple[str, ...]
    matrix: FloatArray
    parameters: int
    events: int | None = None
    places: IntArray | None = None

    @cached_property
    def persons(self) -> int:
        """Return how many persons the rows are about."""
        return len(self.matrix) if self.places is None else int(np.unique(self.places).size)

    @cached_property
    def minorities(self) -> tuple[int, ...]:
        """Return for each column how few persons it tells from all others; where these are hundreds, half of them.

        These are those who do not have the commonest value alone, or those who have the rarer one of two values.
        """
        return tuple(_minority(column, self.places, persons=self.persons) for column in self.matrix.T)

    @cached_property
    def overlaps(self) -> tuple[tuple[str, int], ...]:
        """Return for each pair of 0/1 columns its name and the persons of the least combination that any has."""
        flags = [place for place, column in enumerate(self.matrix.T) if np.isin(column, (0.0, 1.0)).all()]
        found = []
        for first, second in combinations(flags, 2):
            codes = 2 * self.matrix[:, first].astype(int) + self.matrix[:, second].astype(int)
            _, cells = _persons_by_code(codes, self.places)
            found.append((f"{self.names[first]} x {self.names[second]}", min(cells.tolist(), default=0)))
        return tuple(found)

    @cached_property
    def column_leverage(self) -> FloatArray:
        """Return for each column the largest leverage of a person in a model of it and an intercept, less 1/n.

        The leverage of several rows is the trace of their block of the hat matrix, which no eigenvalue exceeds.
        """
        shares = np.zeros(self.matrix.shape[1])
        if len(self.matrix):
            square = (self.matrix - self.matrix.mean(axis=0)) ** 2
            total = square.sum(axis=0)
            np.divide(by_person(square, self.places).max(axis=0), total, out=shares, where=total > 0)
        return shares

    @cached_property
    def largest_leverage(self) -> float:
        """Return the largest leverage of a person in the model of all columns together."""
        if len(self.matrix) < 2 or not self.matrix.shape[1]:
            return 0.0
        centred = self.matrix - self.matrix.mean(axis=0)
        scale = np.sqrt(np.einsum("ij,ij->j", centred, centred))
        used = centred[:, scale > 0] / scale[scale > 0]
        values, vectors = np.linalg.eigh(used.T @ used)
        kept = values > 1e-10 * max(values.max(initial=0.0), 1e-300)
        rotated = used @ (vectors[:, kept] / np.sqrt(values[kept]))
        return float(by_person(np.einsum("ij,ij->i", rotated, rotated), self.places).max(initial=0.0))

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """Return a hash of each column that its unit, origin and sign do not change."""
        return tuple(_digest_of_column(column) for column in self.matrix.T)


@dataclass(frozen=True)
class Likelihood:
    """The site's own log-likelihood at the coefficients that are asked for, and at zero."""

    model: str
    at_coefficients: float
    at_zero: float
    parameters: int


@dataclass(frozen=True)
class TimeTable:
    """Counts by interval of time and arm that leave, or that the choice of edges tells of.

    Attributes
    ----------
    edges : array, shape (intervals + 1,), days
    arms : tuple of str
        Those that have rows.
    events : array of int, shape (intervals, arms)
    others : array of int, shape (kinds, intervals, arms)
        Every other count: those censored, those who enter later than the first interval, those with a competing event.
    beyond : array of int, shape (kinds, arms)
        What the table leaves out: those with the event and those censored beyond the last edge, in this order, then
        those with a competing event and those who enter there. Whoever knows the totals of an arm has them by
        subtraction.
    """

    edges: FloatArray
    arms: tuple[str, ...]
    events: NDArray[np.int64]
    others: NDArray[np.int64]
    beyond: NDArray[np.int64]

    def unfit(self, smallest: int) -> tuple[str, ...]:
        """Return what may not leave where groups of 1 to `smallest` - 1 persons are protected.

        Each interval needs as many events in every arm; every other count is of none or of as many. As many events and
        censored lie beyond the last edge: an edge at which none is left would tell when the last one was.
        """
        few = (self.others > 0) & (self.others < smallest)
        wrong = (self.events < smallest) | few.any(axis=0)
        found = [f"({self.edges[at]:g}, {self.edges[at + 1]:g}] {self.arms[arm]}" for at, arm in np.argwhere(wrong)]
        few_others = (self.beyond[2:] > 0) & (self.beyond[2:] < smallest)
        left_few = np.vstack([self.beyond[:2] < smallest, few_others])
        last = [arm for arm, few_of in zip(self.arms, left_few.T, strict=True) if few_of.any()]
        return (*found, *(f"after {self.edges[-1]:g} {arm}" for arm in last))


@dataclass(frozen=True)
class RiskTable:
    """Sums of a model's columns, and of their products, over those at risk in each interval of time.

    Attributes
    ----------
    edges : array, shape (intervals + 1,), days
    groups : mapping of label to Design
        The rows that neighbouring sums single out by subtraction: those with the event in an interval, those who leave
        at its end without it, those who remain after the last. Of each a partner learns what a model of those rows
        alone would tell.
    events_after : int
        Events after the last edge: whoever knows the total of events has them by subtraction.
    """

    edges: FloatArray
    groups: Mapping[str, Design]
    events_after: int


@dataclass(frozen=True)
class Exposure:
    """Everything that one answer tells of the rows of a site.

    Attributes
    ----------
    row_sets : mapping of label to array of bool, shape (rows of the table,)
        Every selection of rows about which the answer holds a sum or a count.
    places : array of int, shape (rows of the table,), or None
        The place of each row's person, by which the persons of a selection are counted; None where every row is of
        another person.
    cells : mapping of label to int
        Counts of persons that stand in the answer or follow from it by subtraction within it.
    shares : tuple of Share
        For every sum in the answer, the largest part of one person.
    designs : tuple of Design
    weights : array or None
        Weights of the persons, where the answer is weighted.
    events_by_group : mapping of label to int
        Persons with an event in each arm and stratum of a test.
    likelihood : Likelihood or None
        Where coefficients were chosen from outside.
    time_table : TimeTable or None
        Where something by time leaves.
    risk_table : RiskTable or None
        Where sums over those at risk leave by time.
    """

    row_sets: Mapping[str, Mask] = field(default_factory=dict)
    places: IntArray | None = None
    cells: Mapping[str, int] = field(default_factory=dict)
    shares: tuple[Share, ...] = ()
    designs: tuple[Design, ...] = ()
    weights: FloatArray | None = None
    events_by_group: Mapping[str, int] = field(default_factory=dict)
    likelihood: Likelihood | None = None
    time_table: TimeTable | None = None
    risk_table: RiskTable | None = None


def by_person(parts: FloatArray, places: IntArray | None) -> FloatArray:
    """Return the parts of rows, shape (rows,) or (rows, sums), added up for each person."""
    if places is None:
        return parts
    _, of_row = np.unique(places, return_inverse=True)
    total = np.zeros((int(of_row.max(initial=-1)) + 1, *parts.shape[1:]))
    np.add.at(total, of_row, parts)
    return total


def shares_of_sums(names: tuple[str, ...], contributions: FloatArray, places: IntArray | None) -> tuple[Share, ...]:
    """Return for each column of `contributions` (rows, sums) the largest part of one person in its absolute sum.

    `places` are those of the rows' persons, or None where every row is of another person.
    """
    size = by_person(np.abs(contributions), places)
    total = size.sum(axis=0)
    largest = size.max(axis=0, initial=0.0)
    return tuple(
        Share(name, float(top / whole) if whole > 0 else 0.0)
        for name, top, whole in zip(names, largest, total, strict=True)
    )


def shares_of_products(
    names: tuple[str, ...],
    matrix: FloatArray,
    weights: FloatArray,
    places: IntArray | None,
    *,
    is_fitted: bool = False,
) -> tuple[Share, ...]:
    """Return for each entry (i, j) of the weighted cross products of `matrix` the largest part of one person.

    Parameters
    ----------
    matrix : array, shape (rows, columns)
        Centred at the weighted mean first: a shift of a column must not hide a row that stands out.
    weights : array, shape (rows,), not negative
    places : array of int, shape (rows,), or None
        The place of each row's person; None where every row is of another person.
    """
    if not len(matrix) or weights.sum() <= 0:
        return ()
    size = np.ascontiguousarray(np.abs(matrix - np.average(matrix, axis=0, weights=weights)).T)
    weighted = weights * size
    totals = weighted @ size.T
    largest = np.zeros_like(totals)
    if places is None:
        _find_largest_products(weighted, size, largest)
    else:
        for first in range(len(names)):
            largest[first] = by_person((weighted[first] * size).T, places).max(axis=0)
    return tuple(
        Share(
            f"{names[first]} x {names[second]}",
            float(largest[first, second] / totals[first, second]) if totals[first, second] > 0 else 0.0,
            is_fitted=is_fitted,
        )
        for first in range(len(names))
        for second in range(first, len(names))
    )


def _find_largest_products(weighted: FloatArray, size: FloatArray, largest: FloatArray) -> None:
    """Write the largest product of each pair of columns (i, j) over all rows, for j from i on; columns are axis 0."""
    width, count = size.shape
    product = np.empty(_ROWS_AT_ONCE)
    for begin in range(0, count, _ROWS_AT_ONCE):
        part = slice(begin, min(begin + _ROWS_AT_ONCE, count))
        out = product[: part.stop - begin]
        for first in range(width):
            for second in range(first, width):
                np.multiply(weighted[first, part], size[second, part], out=out)
                largest[first, second] = max(largest[first, second], out.max())


def _persons_by_code(codes: NDArray[np.int64], places: IntArray | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the codes that rows have, and how many persons have each."""
    if places is not None:
        width = int(codes.max(initial=0)) + 1
        codes = np.unique(places * width + codes) % width
    return np.unique(codes, return_counts=True)


def _commonest(column: FloatArray) -> int:
    """Return how many rows have the commonest value; of many rows half, where no value is that of more."""
    if len(column) <= _FEW_ROWS:
        return int(np.unique(column, return_counts=True)[1].max(initial=0))
    half = len(column) // 2
    # A value of more than half of the rows is the middle one: to find it takes no sorting.
    return max(half, int((column == np.partition(column, half)[half]).sum()))


def _minority(column: FloatArray, places: IntArray | None, *, persons: int) -> int:
    if places is None:
        return persons - _commonest(column)
    values, codes = np.unique(column, return_inverse=True)
    _, having = _persons_by_code(codes, places)
    # Of a person with several values none is the person's own: who has the commonest one alone is counted.
    several = np.flatnonzero(np.bincount(np.unique(places * len(values) + codes) // len(values)) > 1)
    alone = ~np.isin(places, several)
    _, alike = _persons_by_code(codes[alone], places[alone])
    others = persons - int(alike.max(initial=0))
    return min(others, int(having.min())) if len(values) == 2 else others


def _digest_of_column(column: FloatArray) -> str:
    spread = float(column.std())
    scaled = (column - column.mean()) / spread if spread > 0 else np.zeros_like(column)
    leading = scaled[np.flatnonzero(np.abs(scaled) > 1e-6)[:1]]
    sign = -1.0 if leading.size and leading[0] < 0 else 1.0
    return hashlib.sha256((np.round(sign * scaled, 5) + 0.0).tobytes()).hexdigest()
