"""Which figures speak of the same cases: the neighbourhood in which one may give another away."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from corridor.base.disclosure.cells import stratum_labels

Figure = tuple[str, str, date, date, str]
"""Disease, place, period start, period end, stratum: what a cell is about."""


def shares_cases(one: Figure, other: Figure) -> bool:
    """Say whether some case may count in both figures."""
    return (
        one[0] == other[0]
        and _nested(one[1], other[1])
        and one[2] < other[3]
        and other[2] < one[3]
        and _compatible(one[4], other[4])
    )


def lies_in(place: str, above: str) -> bool:
    """Say whether a place is another or a part of it, by their codes."""
    return place == above or place.startswith(f"{above}-")


def _nested(one: str, other: str) -> bool:
    return lies_in(one, other) or lies_in(other, one)


def _compatible(one: str, other: str) -> bool:
    if one == other or not one or not other:
        return True
    values = dict(stratum_labels(one))
    return all(values.get(dimension, value) == value for dimension, value in stratum_labels(other))


class _Timeline:
    """The figures of one disease and place, by start; answers which of them meet a period."""

    def __init__(self) -> None:
        self._figures: list[Figure] = []
        self._starts: list[date] = []
        self._longest = timedelta(0)
        self._is_sorted = True

    def add(self, figure: Figure) -> None:
        self._figures.append(figure)
        self._longest = max(self._longest, figure[3] - figure[2])
        self._is_sorted = False

    def meeting(self, start: date, end: date) -> Iterator[Figure]:
        if not self._is_sorted:
            self._figures.sort(key=lambda figure: figure[2])
            self._starts = [figure[2] for figure in self._figures]
            self._is_sorted = True
        earliest = start - min(self._longest, start - date.min)
        for place in range(bisect_left(self._starts, earliest), bisect_left(self._starts, end)):
            if self._figures[place][3] > start:
                yield self._figures[place]


class FigureIndex:
    """Figures, found by the cases that they share with another."""

    def __init__(self, figures: Iterable[Figure] = ()) -> None:
        self._timelines: dict[tuple[str, str], _Timeline] = {}
        self._below: dict[tuple[str, str], set[str]] = {}
        self._known: set[Figure] = set()
        for figure in figures:
            self.add(figure)

    def __contains__(self, figure: Figure) -> bool:
        return figure in self._known

    def add(self, figure: Figure) -> None:
        """Let the index know a figure; a second time changes nothing."""
        if figure in self._known:
            return
        self._known.add(figure)
        disease, place = figure[:2]
        timeline = self._timelines.get((disease, place))
        if timeline is None:
            timeline = self._timelines[disease, place] = _Timeline()
            for above in _above(place):
                self._below.setdefault((disease, above), set()).add(place)
        timeline.add(figure)

    def sharing(self, figure: Figure) -> Iterator[Figure]:
        """Yield the known figures that share cases with `figure`, itself included if it is known."""
        disease, place, start, end, _ = figure
        for other in (place, *_above(place), *self._below.get((disease, place), ())):
            timeline = self._timelines.get((disease, other))
            if timeline is not None:
                yield from (found for found in timeline.meeting(start, end) if shares_cases(figure, found))


def _above(place: str) -> list[str]:
    parts = place.split("-")
    return ["-".join(parts[:length]) for length in range(1, len(parts))]


def components(figures: Iterable[Figure], indexes: Iterable[FigureIndex]) -> list[list[Figure]]:
    """Return the sets of figures that are linked to `figures` through shared cases, each set in a stable order."""
    indexes = tuple(indexes)
    seen: set[Figure] = set()
    found: list[list[Figure]] = []
    for first in figures:
        if first in seen:
            continue
        seen.add(first)
        component, waiting = [first], [first]
        while waiting:
            figure = waiting.pop()
            for index in indexes:
                for other in index.sharing(figure):
                    if other not in seen:
                        seen.add(other)
                        component.append(other)
                        waiting.append(other)
        found.append(sorted(component))
    return found
