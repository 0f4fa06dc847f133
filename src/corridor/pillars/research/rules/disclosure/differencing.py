"""Differencing: whether released sums, added and subtracted, single out a few persons.

Each release tells sums over a set of persons. Whoever has several of them can add and subtract: sums over every
combination of the sets are known. A release is refused if the linear span of the released sets would hold the
indicator of 1 to k - 1 persons.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from corridor.pillars.research.rules.rows import Mask

__all__ = ["Differences", "hides_in"]

_PRIME = (1 << 31) - 1
_MOST_SUBSETS = 2_000_000
"""How many combinations of small groups are tried; beyond, nothing can be shown to be safe, and it is refused."""
_MANY_SUBSETS = 20_000
"""How many are tried one by one before combinations of rows, many at a time, are the quicker way."""

_Residues = NDArray[np.int64]


@dataclass(frozen=True)
class _Atoms:
    """Persons whom no released set tells apart.

    Attributes
    ----------
    sizes : array of int, shape (atoms,)
    members : array of int (residues), shape (sets, atoms)
        1 where the set holds the atom.
    """

    sizes: NDArray[np.int64]
    members: _Residues


class Differences:
    """The sets released so far about the persons of one site, and whether one more gives a few of them away.

    Parameters
    ----------
    sets : arrays of bool, shape (persons,)
        Sets released before; all over the same persons, in the same order.
    smallest : int
        k.
    """

    def __init__(self, sets: Iterable[Mask], *, smallest: int) -> None:
        self._sets = [np.asarray(each, dtype=bool) for each in sets]
        self._smallest = smallest

    def would_reveal(self, offered: Iterable[Mask]) -> bool:
        """Return whether the span of everything released and `offered` holds an indicator of 1 to k - 1 persons.

        True as well where there are too many small groups to try them all: what cannot be shown to be safe waits.
        """
        known = {each.tobytes() for each in self._sets}
        news = [each for each in (np.asarray(each, dtype=bool) for each in offered) if each.tobytes() not in known]
        # Sets that were released before add nothing to what can be combined.
        return bool(news) and hides_in([*self._sets, *news], smallest=self._smallest)


def hides_in(sets: Sequence[Mask], *, smallest: int) -> bool:
    """Return whether sums over `sets` can be combined into a sum over 1 to `smallest` - 1 persons.

    Parameters
    ----------
    sets : arrays of bool, shape (persons,)
    smallest : int
        k.

    Notes
    -----
    Persons whom no set tells apart form an atom. In the reduced row echelon form of the sets (over a prime field) a
    0/1 vector lies in the span exactly if it equals the sum of the rows at whose pivots it is 1. A random weighting of
    the other columns turns that into a search for atoms whose hashes add up to zero; what is found is verified in
    full. Where there are many atoms, as tables by time have, the search goes over combinations of rows instead
    (`_row_sums_find_small`). The rational span and the span modulo a large prime differ only if the prime divides a
    minor of the 0/1 matrix.
    """
    distinct = _distinct(sets)
    if not distinct:
        return False
    atoms = _atoms(distinct)
    rows, pivots = _reduced(atoms.members)
    hashes = _hashes(rows, pivots, atoms.members.shape[1])
    small = [int(atom) for atom in np.flatnonzero(atoms.sizes < smallest)]
    tried = sum(_combinations(len(small), count) for count in range(smallest // 2 + 1))
    if tried > _MANY_SUBSETS:
        return _row_sums_find_small(atoms, smallest=smallest)
    return _finds_small(small, atoms.sizes, hashes, rows, pivots, most=smallest - 1)


def _distinct(sets: Sequence[Mask]) -> list[Mask]:
    seen: dict[bytes, Mask] = {}
    for each in sets:
        if each.any():
            seen.setdefault(np.packbits(each).tobytes(), each)
    return list(seen.values())


def _atoms(sets: Sequence[Mask]) -> _Atoms:
    table = np.stack(sets)
    packed = np.packbits(table, axis=0).T
    _, first, sizes = np.unique(packed, axis=0, return_index=True, return_counts=True)
    members = table[:, first].astype(np.int64)
    inside = members.any(axis=0)
    return _Atoms(sizes=sizes[inside].astype(np.int64), members=members[:, inside])


def _reduced(matrix: _Residues) -> tuple[_Residues, list[int]]:
    """Return the rows of the reduced row echelon form modulo the prime, and their pivot columns."""
    rows = matrix.copy() % _PRIME
    pivots: list[int] = []
    done = 0
    for column in range(rows.shape[1]):
        below = np.flatnonzero(rows[done:, column])
        if not below.size:
            continue
        chosen = done + int(below[0])
        rows[[done, chosen]] = rows[[chosen, done]]
        rows[done] = rows[done] * pow(int(rows[done, column]), -1, _PRIME) % _PRIME
        others = np.flatnonzero(rows[:, column])
        others = others[others != done]
        rows[others] = (rows[others] - rows[others, column][:, None] * rows[done]) % _PRIME
        pivots.append(column)
        done += 1
        if done == len(rows):
            break
    return rows[:done], pivots


def _hashes(rows: _Residues, pivots: list[int], atoms: int) -> list[int]:
    """Return a residue per atom; those of an indicator in the span add up to zero."""
    free = np.ones(atoms, dtype=bool)
    free[pivots] = False
    # Unpredictable weights are not needed: what is found is verified, and what is missed would need a hash collision
    # with zero, which no choice of sets can arrange without knowing these digits of the square root of two.
    random = np.random.Generator(np.random.PCG64(14142135623730950488))
    weights = random.integers(1, _PRIME, size=atoms, dtype=np.int64)
    hashes = [0] * atoms
    for column in np.flatnonzero(free):
        hashes[int(column)] = int(-weights[column] % _PRIME)
    for row, pivot in zip(rows, pivots, strict=True):
        total = 0
        for value, weight in zip(row[free].tolist(), weights[free].tolist(), strict=True):
            total += value * weight
        hashes[pivot] = total % _PRIME
    return hashes


def _finds_small(
    small: list[int], sizes: NDArray[np.int64], hashes: list[int], rows: _Residues, pivots: list[int], *, most: int
) -> bool:
    """Meet in the middle: halves of up to half of `most` atoms whose hashes cancel."""
    half = (most + 1) // 2
    if sum(_combinations(len(small), count) for count in range(half + 1)) > _MOST_SUBSETS:
        return True
    known: dict[int, list[tuple[int, ...]]] = {}
    for count in range(half + 1):
        for subset in combinations(small, count):
            if sum(int(sizes[atom]) for atom in subset) <= most:
                known.setdefault(sum(hashes[atom] for atom in subset) % _PRIME, []).append(subset)
    for residue, subsets in known.items():
        for other in known.get(-residue % _PRIME, []):
            for subset in subsets:
                together = set(subset) | set(other)
                if len(together) != len(subset) + len(other) or not together:
                    continue
                persons = sum(int(sizes[atom]) for atom in together)
                if persons <= most and _in_span(together, rows, pivots):
                    return True
    return False


def _row_sums_find_small(atoms: _Atoms, *, smallest: int) -> bool:
    """Search the span for an indicator of 1 to `smallest` - 1 persons by sums of few rows of several echelon forms.

    Such an indicator holds small atoms alone: eliminating the large ones first leaves the part of the span that it is
    in. It equals the sum of the rows at whose pivots it is 1. Of m echelon forms whose pivots have no atom in common,
    one has at most 1/m of its atoms among the pivots: sums of so many rows of each form are all that need be looked at.

    Notes
    -----
    The search for words of least weight of Brouwer and Zimmermann: Betten, Braun, Fripertinger, Kerber, Kohnert and
    Wassermann 2006, Error-Correcting Linear Codes, section 1.8.
    """
    order = np.argsort(atoms.sizes < smallest, kind="stable")
    large = int((atoms.sizes >= smallest).sum())
    rows, pivots = _reduced(atoms.members[:, order])
    rows = rows[np.array(pivots) >= large][:, large:]
    sizes, most = atoms.sizes[order][large:], smallest - 1
    rank, unused = len(rows), np.ones(sizes.size, dtype=bool)
    forms: list[_Residues] = []
    while rank:
        order = np.argsort(~unused, kind="stable")
        form, pivots = _reduced(rows[:, order])
        chosen = order[pivots]
        if not unused[chosen].all():
            break
        back = np.empty_like(form)
        back[:, order] = form
        forms.append(back)
        unused[chosen] = False
        if len(forms) > most or unused.sum() < rank:
            break
    if not forms:
        return False
    depth = max(1, most // len(forms))
    if sum(_combinations(rank, count) for count in range(1, depth + 1)) * len(forms) > _MOST_SUBSETS:
        return True
    return any(_sums_find_small(form, sizes, most=most, depth=depth) for form in forms)


def _sums_find_small(form: _Residues, sizes: NDArray[np.int64], *, most: int, depth: int) -> bool:
    """Tell whether a sum of 1 to `depth` rows is an indicator of at most `most` persons."""
    none = np.zeros((1, form.shape[1]), dtype=np.int64)
    waiting: list[tuple[_Residues, int, int]] = [(none, 0, 0)]
    while waiting:
        total, begin, count = waiting.pop()
        sums = (total + form[begin:]) % _PRIME
        fits = (sums <= 1).all(axis=1)
        if fits.any() and ((sums[fits] @ sizes) <= most).any():
            return True
        if count + 1 < depth:
            waiting.extend((sums[place : place + 1], begin + place + 1, count + 1) for place in range(len(sums) - 1))
    return False


def _combinations(items: int, count: int) -> int:
    total = 1
    for step in range(count):
        total = total * (items - step) // (step + 1)
    return total


def _in_span(atoms: set[int], rows: _Residues, pivots: list[int]) -> bool:
    wanted = np.zeros(rows.shape[1], dtype=np.int64)
    wanted[sorted(atoms)] = 1
    chosen = [index for index, pivot in enumerate(pivots) if pivot in atoms]
    made = rows[chosen].sum(axis=0) % _PRIME if chosen else np.zeros_like(wanted)
    return bool((made == wanted).all())
