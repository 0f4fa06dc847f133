"""Whether sums over sets give away a few persons: everything reduced anew at each question, every few persons tried."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

__all__ = ["few_persons_in_span"]

PRIME = (1 << 31) - 1


def few_persons_in_span(sets: Sequence[Sequence[bool]], *, smallest: int) -> bool:
    """Return whether the span of 0/1 vectors modulo a prime holds the indicator of 1 to `smallest` - 1 persons.

    Persons are neither put together nor left out, and nothing is remembered from one question to the next.
    """
    if not sets:
        return False
    basis = _basis([[int(value) for value in each] for each in sets])
    persons = range(len(sets[0]))
    for count in range(1, smallest):
        for few in combinations(persons, count):
            if _is_spanned([int(person in few) for person in persons], basis):
                return True
    return False


def _basis(vectors: list[list[int]]) -> dict[int, list[int]]:
    """Return independent vectors by the place of their first entry, which is 1."""
    basis: dict[int, list[int]] = {}
    for vector in vectors:
        rest = _rest(vector, basis)
        first = next((place for place, value in enumerate(rest) if value), None)
        if first is not None:
            inverse = pow(rest[first], -1, PRIME)
            basis[first] = [value * inverse % PRIME for value in rest]
    return basis


def _rest(vector: list[int], basis: dict[int, list[int]]) -> list[int]:
    rest = list(vector)
    for place in range(len(rest)):
        if rest[place] and place in basis:
            factor = rest[place]
            rest = [(value - factor * other) % PRIME for value, other in zip(rest, basis[place], strict=True)]
    return rest


def _is_spanned(vector: list[int], basis: dict[int, list[int]]) -> bool:
    return not any(_rest(vector, basis))
