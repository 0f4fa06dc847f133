"""The linear span of sets of persons over a prime field: kept reduced as sets are added, searched for a few persons.

A residue field stands for the rationals: both spans differ only if the prime divides a minor of the 0/1 matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from corridor.pillars.research.rules.disclosure.small_words import PRIME, Residues, Words, folded
from corridor.pillars.research.rules.rows import IntArray, Mask

__all__ = ["Selection", "Span", "persons_of"]

Selection = Mask | IntArray
"""A set of persons, as a mask, or how many rows of each person a selection holds; shape (persons,)."""


def persons_of(rows: Mask, numbers: IntArray) -> Selection:
    """Return the persons in a selection of rows by their numbers, or how many rows of each where some have more.

    Parameters
    ----------
    rows : array of bool, shape (rows of the table,)
    numbers : array of int, shape (rows of the table,)
        The number of each row's person.
    """
    counts = np.bincount(numbers[rows], minlength=int(numbers.max(initial=-1)) + 1)
    return counts if counts.max(initial=0) > 1 else counts > 0


@dataclass
class Span:
    """What can be combined of sets of persons.

    Where a person has several rows, the sum over a selection counts each: a set then holds a person as often as it has
    rows. Persons whom no set tells apart are one class, so that a vector has an entry for each class and not for each
    person. The sets stand in reduced row echelon form; to add one costs one step of elimination.

    Attributes
    ----------
    classes : array of int, shape (persons,)
        The class of each person; 0 for those who are in no set.
    sizes : array of int, shape (classes,)
    rows : array of int (residues), shape (rank, classes)
        Each with 1 at its own pivot, where all others have 0.
    pivots : array of int, shape (rank,)
    """

    classes: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    sizes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    rows: Residues = field(default_factory=lambda: np.zeros((0, 1), np.int64))
    pivots: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def with_sets(self, sets: Iterable[Selection]) -> Span:
        """Return the span with sets added; this one stays as it is."""
        made = replace(self)
        for each in sets:
            made._add(each)
        return made

    def _add(self, rows: Selection) -> None:
        vector = self._vector(rows)
        factors = vector[self.pivots]
        held = np.flatnonzero(factors)
        vector = (vector - folded(factors[held, None] * self.rows[held]).sum(axis=0)) % PRIME
        filled = np.flatnonzero(vector)
        if not filled.size:
            return
        # In a large class a pivot is of most use: what holds no large class is what is left of the others.
        pivot = int(filled[np.argmax(self.sizes[filled])])
        self.rows = np.vstack([self.rows, vector])
        self.pivots = np.append(self.pivots, pivot)
        self._move_pivot(len(self.pivots) - 1, pivot)

    def _vector(self, rows: Selection) -> Residues:
        """Return how many rows each person of a class has in a selection, after classes that it divides are parted."""
        missing = len(rows) - len(self.classes)
        self.classes = np.concatenate([self.classes, np.zeros(max(missing, 0), np.int32)])
        self.sizes = np.concatenate([self.sizes[:1] + max(missing, 0), self.sizes[1:]])
        rows = np.concatenate([rows, np.zeros(max(-missing, 0), rows.dtype)])
        for count in range(1, int(rows.max(initial=0)) + 1):
            self._part(rows >= count)
        vector = np.zeros(len(self.sizes), np.int64)
        vector[self.classes] = rows
        return vector

    def _part(self, inside: Mask) -> None:
        """Part the classes of which a set holds some persons and not all, and, in any case, those who are in no set."""
        held = np.bincount(self.classes[inside], minlength=len(self.sizes))
        is_parted = (held > 0) & (held < self.sizes)
        is_parted[0] = held[0] > 0
        parted = np.flatnonzero(is_parted)
        target = np.arange(len(self.sizes), dtype=np.int32)
        target[parted] = np.arange(len(self.sizes), len(self.sizes) + parted.size)
        self.classes[inside] = target[self.classes[inside]]
        self.sizes[parted] -= held[parted]
        self.sizes = np.concatenate([self.sizes, held[parted]])
        self.rows = np.concatenate([self.rows, self.rows[:, parted]], axis=1)

    def _move_pivot(self, row: int, column: int) -> None:
        """Make `column` the pivot of a row: 1 there, and 0 in that column of all others."""
        own = folded(self.rows[row] * pow(int(self.rows[row, column]), -1, PRIME))
        factors = self.rows[:, column].copy()
        factors[row] = 0
        others = np.flatnonzero(factors)
        self.rows[row] = own
        self.rows[others] = folded(self.rows[others] + (PRIME - factors[others])[:, None] * own)
        self.pivots[row] = column

    def holds_few(self, smallest: int) -> bool:
        """Return whether the indicator of 1 to `smallest` - 1 persons is in the span.

        True as well where there are too many groups to try them all.

        Notes
        -----
        Such an indicator holds no class of k or more. Rows whose pivots are such classes take no part in it, and once
        every row that can has its pivot there, the rest holds no large class at all. What remains falls into parts
        that have no class in common; each is searched by itself.
        """
        large = self.sizes >= smallest
        self.rows, self.pivots = self.rows.copy(), self.pivots.copy()
        for row in np.flatnonzero(~large[self.pivots]):
            filled = np.flatnonzero(large & (self.rows[row] != 0))
            if filled.size:
                self._move_pivot(int(row), int(filled[np.argmax(self.sizes[filled])]))
        return any(words.hold_few(smallest) for words in self._parts(~large[self.pivots]))

    def _parts(self, chosen: NDArray[np.bool_]) -> Iterator[Words]:
        rows, pivots = self.rows[chosen], self.pivots[chosen]
        count = len(rows)
        if not count:
            return
        at, column = np.nonzero(rows)
        links = coo_array(
            (np.ones(at.size, np.int8), (at, column + count)), shape=(count + rows.shape[1], count + rows.shape[1])
        )
        _, part_of = connected_components(links, directed=False)
        of_row, of_column = part_of[:count], part_of[count:]
        for part in dict.fromkeys(of_row.tolist()):
            columns = np.flatnonzero(of_column == part)
            mine = of_row == part
            yield Words(rows[mine][:, columns], np.searchsorted(columns, pivots[mine]), self.sizes[columns])
