"""Search of a linear code for words of small weight: 0/1 vectors in a span that hold few persons.

Two ways, each exact, and which is taken depends on the numbers of rows and columns alone. What cannot be tried within
bounds is taken for found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

__all__ = ["PRIME", "Residues", "Words", "folded"]

PRIME = (1 << 31) - 1
_BITS = 31
_MOST_SUBSETS = 2_000_000
"""How many combinations are tried; beyond, nothing can be shown to be safe."""
_PAIRS_AT_ONCE = 1_000_000
_SPARE = 16
"""Columns more than the rank, among which a set of full rank is likely to be found."""

Residues = NDArray[np.int64]


def folded(numbers: Residues) -> Residues:
    """Return numbers from 0 to 2**63 - 1 modulo the prime, which is one less than a power of two."""
    low = (numbers & PRIME) + (numbers >> _BITS)
    low = (low & PRIME) + (low >> _BITS)
    low = (low & PRIME) + (low >> _BITS)
    low[low == PRIME] = 0
    return low


@dataclass(frozen=True)
class Words:
    """A span of vectors over classes of persons, in reduced row echelon form.

    Attributes
    ----------
    rows : array of int (residues), shape (rank, classes)
    pivots : array of int, shape (rank,)
    sizes : array of int, shape (classes,)
        Persons of each class.
    """

    rows: Residues
    pivots: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def hold_few(self, smallest: int) -> bool:
        """Return whether a 0/1 vector of the span holds 1 to `smallest` - 1 persons; True if it is too much to try."""
        most = smallest - 1
        if self._has_few(self.rows, most):
            return True
        classes = most // int(self.sizes.min())
        if (classes + 1) * len(self.rows) <= len(self.sizes) and self._reach_beyond(classes):
            return False
        half = (classes + 1) // 2
        if sum(comb(len(self.sizes), count) for count in range(half + 1)) <= _MOST_SUBSETS:
            return self._halves_meet(most, half)
        return self._row_sums_hold_few(most, classes)

    def _has_few(self, vectors: Residues, most: int) -> bool:
        fits = (vectors <= 1).all(axis=1)
        return bool(fits.any() and (vectors[fits] @ self.sizes <= most).any())

    def _reach_beyond(self, classes: int) -> bool:
        """Tell whether every word is seen to hold more classes than so many.

        A word that is not zero is not zero in any set of columns that has full rank: where there are more such sets,
        none with a column in common, than `classes`, no word is so small. False says nothing.
        """
        rank, unused = len(self.rows), np.ones(len(self.sizes), dtype=bool)
        unused[self.pivots] = False
        for _ in range(classes):
            columns = np.flatnonzero(unused)[: rank + rank // 4 + _SPARE]
            if len(columns) < rank:
                return False
            _, places = _reduced(self.rows[:, columns])
            if len(places) < rank:
                return False
            unused[columns[places]] = False
        return True

    def _halves_meet(self, most: int, half: int) -> bool:
        """Meet in the middle: two groups of up to `half` classes whose hashes cancel.

        A 0/1 vector is in the span exactly if it equals the sum of the rows at whose pivots it is 1. Random weights of
        the other columns turn that into hashes of classes that add up to zero; what is found is verified in full.
        """
        groups = list(self._groups(most, half))
        hashes = np.concatenate([each.hashes for each in groups], axis=1)
        keys, opposite = _joined(hashes), _joined((PRIME - hashes) % PRIME)
        order = np.argsort(keys, kind="stable")
        # Opposites of falling keys rise: looked up in that order, each lies near the one before.
        mirrored, rising = order[::-1], keys[order]
        begin = np.searchsorted(rising, opposite[mirrored], side="left")
        end = np.searchsorted(rising, opposite[mirrored], side="right")
        persons = np.concatenate([each.persons for each in groups])
        width = groups[-1].members.shape[1]
        members = np.concatenate([_widened(each.members, width) for each in groups])
        with_match = np.flatnonzero(end > begin)
        for first, second in _pairs(mirrored[with_match], begin[with_match], end[with_match]):
            second = order[second]
            together = persons[first] + persons[second]
            # The empty group is its own opposite.
            for place in np.flatnonzero((together > 0) & (together <= most)):
                one, two = (set(members[each].tolist()) - {-1} for each in (first[place], second[place]))
                if not one & two and self._is_word(one | two):
                    return True
        return False

    def _groups(self, most: int, half: int) -> Iterator[_Groups]:
        """Yield the groups of 0, 1, ... `half` classes that hold at most `most` persons."""
        of_class, count = self._hashes(), len(self.sizes)
        last = _Groups(np.zeros((1, 0), np.int32), np.zeros(1, np.int64), np.zeros((2, 1), np.int64))
        yield last
        for _ in range(half):
            newest = last.members[:, -1] if last.members.shape[1] else np.full(len(last.members), -1)
            more = count - 1 - newest
            source = np.repeat(np.arange(len(more)), more)
            added = np.arange(source.size) - np.repeat(np.cumsum(more) - more, more) + newest[source] + 1
            persons = last.persons[source] + self.sizes[added]
            kept = persons <= most
            source, added = source[kept], added[kept]
            last = _Groups(
                np.column_stack([last.members[source], added.astype(np.int32)]),
                persons[kept],
                (last.hashes[:, source] + of_class[:, added]) % PRIME,
            )
            yield last

    def _hashes(self) -> Residues:
        """Return two residues for each class, shape (2, classes); those of a word of the span add up to zero."""
        # Unpredictable weights are not needed: what is found is verified, and no word is missed, since words add up to
        # zero under any weights.
        random = np.random.Generator(np.random.PCG64(14142135623730950488))
        weights = random.integers(1, PRIME, size=(2, len(self.sizes)), dtype=np.int64)
        weights[:, self.pivots] = 0
        hashes = (PRIME - weights) % PRIME
        for which in range(2):
            hashes[which, self.pivots] = folded(self.rows * weights[which]).sum(axis=1) % PRIME
        return hashes

    def _is_word(self, classes: set[int]) -> bool:
        wanted = np.zeros(self.rows.shape[1], dtype=np.int64)
        wanted[sorted(classes)] = 1
        made = self.rows[wanted[self.pivots] == 1].sum(axis=0) % PRIME
        return bool((made == wanted).all())

    def _row_sums_hold_few(self, most: int, classes: int) -> bool:
        """Search sums of few rows of several echelon forms.

        A word equals the sum of the rows at whose pivots it is 1. Of m forms whose pivots have no class in common, one
        has at most 1/m of the word's classes among its pivots: sums of so many rows of each form are all that need be
        looked at, and of more forms than a word may have classes, none.

        Notes
        -----
        The search for words of least weight of Brouwer and Zimmermann: Betten, Braun, Fripertinger, Kerber, Kohnert and
        Wassermann 2006, Error-Correcting Linear Codes, chapter 1.
        """
        rank, unused = len(self.rows), np.ones(len(self.sizes), dtype=bool)
        forms, pivots = [self.rows], self.pivots
        unused[pivots] = False
        while len(forms) <= classes and unused.sum() >= rank:
            order = np.argsort(~unused, kind="stable")
            form, places = _reduced(forms[-1][:, order])
            pivots = order[places]
            if not unused[pivots].all():
                break
            back = np.empty_like(form)
            back[:, order] = form
            forms.append(back)
            unused[pivots] = False
        depth = classes // len(forms)
        if sum(comb(rank, count) for count in range(1, depth + 1)) * len(forms) > _MOST_SUBSETS:
            return True
        return any(self._sums_hold_few(form, most=most, depth=depth) for form in forms)

    def _sums_hold_few(self, form: Residues, *, most: int, depth: int) -> bool:
        """Tell whether a sum of 1 to `depth` rows is an indicator of at most `most` persons."""
        none = np.zeros((1, form.shape[1]), dtype=np.int64)
        waiting: list[tuple[Residues, int, int]] = [(none, 0, 0)] if depth else []
        while waiting:
            total, begin, count = waiting.pop()
            sums = (total + form[begin:]) % PRIME
            if self._has_few(sums, most):
                return True
            if count + 1 < depth:
                waiting.extend(
                    (sums[place : place + 1], begin + place + 1, count + 1) for place in range(len(sums) - 1)
                )
        return False


@dataclass(frozen=True)
class _Groups:
    """Groups of as many classes each: their members, how many persons they hold, their hashes of shape (2, groups)."""

    members: NDArray[np.int32]
    persons: NDArray[np.int64]
    hashes: Residues


def _joined(hashes: Residues) -> Residues:
    joined: Residues = (hashes[0] << _BITS) | hashes[1]
    return joined


def _widened(members: NDArray[np.int32], width: int) -> NDArray[np.int32]:
    wide = np.full((len(members), width), -1, dtype=np.int32)
    wide[:, : members.shape[1]] = members
    return wide


def _pairs(
    first: NDArray[np.int64], begin: NDArray[np.int64], end: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield each of `first` with every place from `begin` to `end`, many at a time."""
    counts = end - begin
    upto = np.cumsum(counts)
    at = 0
    while at < len(first):
        done = upto[at - 1] if at else 0
        stop = max(at + 1, int(np.searchsorted(upto, done + _PAIRS_AT_ONCE, side="right")))
        of = np.repeat(np.arange(at, stop), counts[at:stop])
        offset = np.arange(of.size) - np.repeat(upto[at:stop] - counts[at:stop] - done, counts[at:stop])
        yield first[of], begin[of] + offset
        at = stop


def _reduced(matrix: Residues) -> tuple[Residues, NDArray[np.int64]]:
    """Return the rows of the reduced row echelon form modulo the prime, and their pivot columns."""
    rows = matrix.copy()
    pivots: list[int] = []
    for column in range(rows.shape[1]):
        done = len(pivots)
        below = np.flatnonzero(rows[done:, column])
        if not below.size:
            continue
        chosen = done + int(below[0])
        rows[[done, chosen]] = rows[[chosen, done]]
        rows[done] = folded(rows[done] * pow(int(rows[done, column]), -1, PRIME))
        others = np.flatnonzero(rows[:, column])
        others = others[others != done]
        rows[others] = folded(rows[others] + (PRIME - rows[others, column])[:, None] * rows[done])
        pivots.append(column)
        if len(pivots) == len(rows):
            break
    return rows[: len(pivots)], np.array(pivots, dtype=np.int64)
