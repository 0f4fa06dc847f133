"""Whether sums over sets give away a few persons: every small subset tried, in exact fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

__all__ = ["small_subset_in_span"]


def small_subset_in_span(sets: Sequence[Sequence[bool]], *, smallest: int) -> bool:
    """Return whether the rational span of 0/1 vectors holds the indicator of 1 to `smallest` - 1 places."""
    if not sets:
        return False
    basis = _basis([[Fraction(int(value)) for value in each] for each in sets])
    places = range(len(sets[0]))
    for count in range(1, smallest):
        for subset in combinations(places, count):
            if _is_spanned([Fraction(int(place in subset)) for place in places], basis):
                return True
    return False


def _basis(vectors: list[list[Fraction]]) -> list[tuple[int, list[Fraction]]]:
    basis: list[tuple[int, list[Fraction]]] = []
    for vector in vectors:
        rest = _reduced(vector, basis)
        pivot = next((place for place, value in enumerate(rest) if value), None)
        if pivot is not None:
            basis.append((pivot, [value / rest[pivot] for value in rest]))
    return basis


def _reduced(vector: list[Fraction], basis: list[tuple[int, list[Fraction]]]) -> list[Fraction]:
    rest = list(vector)
    for pivot, row in basis:
        factor = rest[pivot]
        if factor:
            rest = [value - factor * other for value, other in zip(rest, row, strict=True)]
    return rest


def _is_spanned(vector: list[Fraction], basis: list[tuple[int, list[Fraction]]]) -> bool:
    return not any(_reduced(vector, basis))
