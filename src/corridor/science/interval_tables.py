"""Follow-up counted by intervals of time: what a site can give away of its curves, and how tables of sites add up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corridor.science.survival_data import BadModel, BadSurvivalData, check_rows, codes_of, numbers

__all__ = [
    "IntervalTable",
    "check_edges",
    "coarsen",
    "combine_tables",
    "distinct_edges",
    "interval_of",
    "interval_table",
    "merge_intervals",
]

# Up to here whole-number edges are looked up in a list instead of searched.
_LONGEST_LIST = 1_000_000


@dataclass(frozen=True)
class IntervalTable:
    """Follow-up of one site, or of several, by interval and group.

    Interval k reaches from ``edges[k]`` (excluded) to ``edges[k + 1]``. Everything in it happens at its end: first the
    events, then the leaving of those censored. Whoever is followed beyond the last edge remains at risk there.

    Attributes
    ----------
    edges : array, shape (intervals + 1,), ascending
    groups : tuple of labels, (groups,)
    entered : array of int, shape (intervals, groups)
        Persons whose follow-up begins within the interval or at its start, at risk at its events.
    events : array of int, shape (causes, intervals, groups)
    censored : array of int, shape (intervals, groups)
    """

    edges: NDArray[np.float64]
    groups: tuple[Any, ...]
    entered: NDArray[np.int64]
    events: NDArray[np.int64]
    censored: NDArray[np.int64]

    @property
    def at_risk(self) -> NDArray[np.int64]:
        """Persons at risk at the events of each interval, shape (intervals, groups)."""
        left = self.events.sum(axis=0) + self.censored
        return np.asarray(np.cumsum(self.entered, axis=0) - np.cumsum(left, axis=0) + left)

    @property
    def remaining(self) -> NDArray[np.int64]:
        """Persons followed beyond the last edge, shape (groups,)."""
        return np.asarray((self.entered - self.events.sum(axis=0) - self.censored).sum(axis=0))

    @property
    def intervals(self) -> int:
        """Number of intervals."""
        return self.edges.size - 1

    def until(self, edge: float) -> "IntervalTable":
        """Return the table up to `edge`, one of its edges; whoever is followed longer remains at risk there."""
        places = np.flatnonzero(self.edges == edge)
        if not places.size or places[0] == 0:
            raise BadModel(f"{edge:g} is not among the edges after the first; cut a table at one of them.")
        last = int(places[0])
        return replace(
            self,
            edges=self.edges[: last + 1],
            entered=self.entered[:last],
            events=self.events[:, :last],
            censored=self.censored[:last],
        )

    def on_edges(self, edges: NDArray[np.float64]) -> "IntervalTable":
        """Return the table with intervals merged to those between `edges`, each of which is an edge of this table.

        The first edge must stay; later edges after the last of `edges` are cut off.
        """
        if not np.isin(edges, self.edges).all() or edges[0] != self.edges[0]:
            raise BadModel(
                "intervals can only be merged: each new edge must be one of the table's, the first the same."
            )
        table = self.until(float(edges[-1]))
        starts = np.searchsorted(table.edges, edges[:-1])
        return replace(
            table,
            edges=np.asarray(edges, np.float64),
            entered=np.add.reduceat(table.entered, starts, axis=0),
            events=np.add.reduceat(table.events, starts, axis=1),
            censored=np.add.reduceat(table.censored, starts, axis=0),
        )


def coarsen(times: ArrayLike, *, grid_days: float, down: bool = False) -> NDArray[np.float64]:
    """Return `times` rounded up to the next multiple of `grid_days`; 0 becomes the first one.

    Parameters
    ----------
    times : array, shape (rows,), days from 0
    grid_days : float, days above 0
    down : bool
        Round down instead: for the begin of follow-up, so that nobody's follow-up becomes empty.
    """
    if not grid_days > 0 or not np.isfinite(grid_days):
        raise BadModel(f"grid_days is {grid_days}; expected days above 0.")
    days = numbers(times, name="times")
    if (days < 0).any() and not down:
        raise BadSurvivalData("times lie before 0; count time from time zero of the protocol.")
    if down:
        return np.asarray(np.floor(days / grid_days) * grid_days)
    return np.asarray(np.maximum(np.ceil(days / grid_days), 1.0) * grid_days)


def distinct_edges(times: ArrayLike, *, entry: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return 0 and every distinct time: the edges on which a table loses nothing. Not for release."""
    parts = [np.zeros(1), np.unique(numbers(times, name="times"))]
    if entry is not None:
        parts.append(np.maximum(numbers(entry, name="entry"), 0.0))
    return np.unique(np.concatenate(parts))


def interval_table(
    times: ArrayLike,
    events: ArrayLike,
    *,
    edges: ArrayLike,
    entry: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    labels: Sequence[Any] | None = None,
    competing: int = 1,
) -> IntervalTable:
    """Return one site's follow-up by interval and group.

    Parameters
    ----------
    times : array, shape (rows,), above the first edge
        End of follow-up.
    events : array of int, shape (rows,)
        0 for censored, else the cause, from 1 to `competing`.
    edges : array, shape (intervals + 1,), ascending
        Agreed between sites, never taken from the data of one, but for `distinct_edges` at home.
    entry : array, shape (rows,), optional
        Begin of follow-up; those who enter within an interval count as at risk at its events.
    groups : labels, shape (rows,), optional
    labels : the labels of all groups, in the order of the table; those that occur, sorted, if not given
    competing : int, number of causes

    Raises
    ------
    BadSurvivalData, BadModel
        If an argument is at fault.
    """
    bounds = check_edges(edges)
    if competing < 1:
        raise BadModel(f"competing is {competing}; expected the number of causes, 1 or more.")
    rows = check_rows(times, events, entry=entry, causes=competing)
    count = rows.times.size
    codes, names = _group_codes(groups, labels, count)
    place = interval_of(rows.times, bounds, name="times")
    shape = (bounds.size - 1, len(names))
    # One count of all: 0 for censored, then the causes.
    cell = ((rows.events * (shape[0] + 1)) + place) * shape[1] + codes
    counted = np.bincount(cell, minlength=(competing + 1) * (shape[0] + 1) * shape[1])
    left = counted.reshape(competing + 1, shape[0] + 1, shape[1])[:, :-1]
    entered = np.zeros(shape, np.int64)
    if rows.entry is None:
        entered[0] = np.bincount(codes, minlength=shape[1])
    else:
        since = np.searchsorted(bounds, rows.entry, side="right") - 1
        since = np.maximum(since, 0)
        # Someone who comes after the last edge is not seen in the table.
        seen = since < shape[0]
        entered += np.bincount(since[seen] * shape[1] + codes[seen], minlength=shape[0] * shape[1]).reshape(shape)
    return IntervalTable(edges=bounds, groups=names, entered=entered, events=left[1:], censored=left[0])


def interval_of(times: NDArray[np.float64], edges: NDArray[np.float64], *, name: str) -> NDArray[np.int64]:
    """Return the interval in which each time lies; the number of intervals for those beyond the last edge.

    Raises
    ------
    BadSurvivalData
        If a time lies at or before the first edge.
    """
    early = times <= edges[0]
    if early.any():
        raise BadSurvivalData(
            f"{name}: {int(early.sum())} rows lie at or before the first edge, {edges[0]:g}."
            " Round times up to the grid (coarsen), or begin the edges earlier."
        )
    whole = edges[0] >= 0 and edges[-1] <= _LONGEST_LIST and (edges == np.floor(edges)).all()
    if not whole:
        return np.searchsorted(edges[1:], times, side="left").astype(np.int64)
    last = int(edges[-1])
    of_day = np.searchsorted(edges[1:], np.arange(last + 2), side="left")
    return np.asarray(of_day[np.minimum(np.ceil(times), last + 1).astype(np.int64)])


def check_edges(edges: ArrayLike) -> NDArray[np.float64]:
    """Return `edges` as floats, at least two, ascending; raise `BadModel` otherwise."""
    bounds = np.asarray(edges, dtype=np.float64)
    if bounds.ndim != 1 or bounds.size < 2 or not np.isfinite(bounds).all() or (np.diff(bounds) <= 0).any():
        raise BadModel("edges must be two or more ascending numbers, such as 0, 30, 60.")
    return bounds


def combine_tables(tables: Sequence[IntervalTable]) -> IntervalTable:
    """Return the sum of tables of sites, on the edges that all of them have.

    Where a site has merged intervals, those of the others are merged alike.

    Raises
    ------
    BadModel
        If groups or causes differ, or the tables share no interval.
    """
    if not tables:
        raise BadModel("no tables were given; expected one of each site.")
    first = tables[0]
    for table in tables[1:]:
        if table.groups != first.groups or table.events.shape[0] != first.events.shape[0]:
            raise BadModel("tables differ in groups or causes; give each the same `labels` and `competing`.")
    edges = reduce(np.intersect1d, [table.edges for table in tables])
    if edges.size < 2 or any(table.edges[0] != edges[0] for table in tables):
        raise BadModel("tables share no interval; agree on one grid that begins at the same time.")
    alike = [table.on_edges(edges) for table in tables]
    return IntervalTable(
        edges=edges,
        groups=first.groups,
        entered=np.asarray(sum(table.entered for table in alike)),
        events=np.asarray(sum(table.events for table in alike)),
        censored=np.asarray(sum(table.censored for table in alike)),
    )


def merge_intervals(table: IntervalTable, *, enough: Callable[[IntervalTable], bool]) -> IntervalTable:
    """Return the table with neighbouring intervals merged until each satisfies `enough`.

    Parameters
    ----------
    table : IntervalTable
    enough : function of a table with one interval
        Whether that interval may stand alone. The rest that is left at the end joins the interval before it.

    Returns
    -------
    IntervalTable
        With one interval, which may not satisfy `enough`, where no cut does.
    """
    kept = [0]
    for end in range(1, table.intervals + 1):
        if enough(_one_interval(table, kept[-1], end)):
            kept.append(end)
    if len(kept) == 1:
        kept.append(table.intervals)
    kept[-1] = table.intervals
    return table.on_edges(table.edges[kept])


def _one_interval(table: IntervalTable, begin: int, end: int) -> IntervalTable:
    """Return intervals from `begin` to `end` as one, in which those at risk at its start have entered."""
    entered = table.entered[begin:end].sum(axis=0) + (table.at_risk[begin] - table.entered[begin])
    return replace(
        table,
        edges=table.edges[[begin, end]],
        entered=entered[np.newaxis],
        events=table.events[:, begin:end].sum(axis=1, keepdims=True),
        censored=table.censored[begin:end].sum(axis=0, keepdims=True),
    )


def _group_codes(
    groups: ArrayLike | None, labels: Sequence[Any] | None, count: int
) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
    codes, found = codes_of(groups, rows=count, name="groups")
    if labels is None or groups is None:
        return codes, found
    names = tuple(labels)
    unknown = [label for label in found if label not in names]
    if unknown:
        raise BadSurvivalData(f"groups holds {len(unknown)} labels that are not among {', '.join(map(str, names))}.")
    return np.array([names.index(label) for label in found], np.int64)[codes], names
