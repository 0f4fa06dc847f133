"""Differencing: whether released sums, added and subtracted, single out a few persons.

Each release tells sums over a set of persons. Whoever has several of them can add and subtract: sums over every
combination of the sets are known. A release is refused if the linear span of the released sets would hold the
indicator of 1 to k - 1 persons.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from corridor.pillars.research.rules.disclosure.spans import Selection, Span

__all__ = ["Differences", "hides_in"]


class Differences:
    """The sets released so far about the persons of one site, and whether one more gives a few of them away.

    Parameters
    ----------
    sets : arrays of bool or int, shape (persons,)
        Sets released before, over the same persons in the same order, or how many rows of each person they hold; a
        longer one knows of more persons, who are in none of the shorter ones.
    """

    def __init__(self, sets: Iterable[Selection] = ()) -> None:
        self._span = Span()
        self._names: set[bytes] = set()
        self._tried: tuple[set[bytes], Span] = set(), self._span
        self.add(sets)

    def would_reveal(self, offered: Iterable[Selection], *, smallest: int) -> bool:
        """Return whether the span of everything released and `offered` holds an indicator of 1 to k - 1 persons.

        `smallest` is k.

        True as well where there are too many small groups to try them all: what cannot be shown to be safe waits.
        """
        news = self._unknown(offered)
        # Sets that were released before add nothing to what can be combined.
        if not news:
            return False
        span = self._span.with_sets(news.values())
        self._tried = set(news), span
        return span.holds_few(smallest)

    def add(self, sets: Iterable[Selection]) -> None:
        """Remember sets that are released."""
        news = self._unknown(sets)
        tried, span = self._tried
        self._span = span if tried == set(news) else self._span.with_sets(news.values())
        self._names |= set(news)

    def _unknown(self, sets: Iterable[Selection]) -> dict[bytes, Selection]:
        named = ((_name(each), each) for each in sets)
        return {name: each for name, each in named if name not in self._names}


def hides_in(sets: Sequence[Selection], *, smallest: int) -> bool:
    """Return whether sums over `sets` can be combined into a sum over 1 to `smallest` - 1 persons.

    Parameters
    ----------
    sets : arrays of bool or int, shape (persons,)
    smallest : int
        k.
    """
    return Differences().would_reveal(sets, smallest=smallest)


def _name(rows: Selection) -> bytes:
    several = np.flatnonzero(rows > 1) if rows.dtype != np.bool_ else np.zeros(0, np.int64)
    digest = hashlib.sha256(np.packbits(rows > 0).tobytes().rstrip(b"\0"))
    if several.size:
        digest.update(b"\n" + several.tobytes() + rows[several].astype(np.int64).tobytes())
    return digest.digest()
