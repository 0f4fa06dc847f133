"""Who leaves the risk set in which interval of the public grid, for models with one risk set over all sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from corridor.pillars.research.rules.disclosure import (
    Design,
    Policy,
    RiskTable,
    Share,
    shares_of_products,
    shares_of_sums,
    stands_alone,
)
from corridor.pillars.research.rules.rows import Clock, FloatArray, IntArray, Mask, count_persons
from corridor.science.interval_tables import distinct_edges

__all__ = ["Followed", "Leaving"]


@dataclass(frozen=True)
class Leaving:
    """The interval at whose end each row leaves, and whether by the event.

    Attributes
    ----------
    edges : array, shape (intervals + 1,), days
    place : array of int, shape (rows,)
        The interval; the number of intervals for rows that remain after the last.
    events : array of 0 and 1, shape (rows,)
    """

    edges: FloatArray
    place: NDArray[np.int64]
    events: FloatArray

    @property
    def times(self) -> FloatArray:
        """Return the coarsened time of each row, shape (rows,): the edge where it leaves, or a day after the last."""
        return np.append(self.edges[1:], self.edges[-1] + 1.0)[self.place]

    @property
    def groups(self) -> dict[str, Mask]:
        """Return the rows that sums over neighbouring risk sets single out, by a label for reasons of a refusal."""
        found = {}
        for interval, (begin, end) in enumerate(pairwise(self.edges)):
            here, where = self.place == interval, f"({begin:g}, {end:g}]"
            found[f"{where} events"] = here & (self.events == 1)
            found[f"{where} censored"] = here & (self.events == 0)
        found[f"after {self.edges[-1]:g}"] = self.place == len(self.edges) - 1
        return {label: rows for label, rows in found.items() if rows.any()}


@dataclass(frozen=True)
class Followed:
    """Rows of a site whose columns are summed over those at risk.

    Attributes
    ----------
    clock : Clock
    matrix : array, shape (rows, columns)
    names : tuple of str
        Of the columns.
    places : array of int, shape (rows,), or None
        The place of each row's person; None where every row is of another person.
    """

    clock: Clock
    matrix: FloatArray
    names: tuple[str, ...]
    places: IntArray | None

    def leaving(self, edges: FloatArray, policy: Policy) -> Leaving:
        """Return when rows leave on `edges`: those with the event at the end of their interval, the censored later.

        Those censored wait until sums over all who wait may be told; who still waits at the last edge remains. Where
        the time grid is not guarded, nobody waits.
        """
        ends, died = np.searchsorted(edges, self.clock.times, side="left") - 1, self.clock.events == 1
        last = len(edges) - 1
        place = np.where(died & (ends < last), ends, last)
        waiting = np.zeros(len(ends), dtype=bool)
        for interval in range(last):
            waiting |= ~died & (ends == interval)
            if waiting.any() and self._may_leave(waiting, policy):
                place[waiting] = interval
                waiting = np.zeros(len(ends), dtype=bool)
        return Leaving(edges, place, np.where(place < last, self.clock.events, 0.0))

    def own_edges(self, policy: Policy, *, among: Sequence[float] = ()) -> FloatArray:
        """Return the edges on which this site's sums may leave; 0 alone where it can give no interval.

        Of the public grid, or of `among`: each as early as those with the event since the one before, and those who
        would remain after it, are enough for sums of their own; k of these still have the event. Without the guard,
        every day on which anybody leaves.
        """
        times, events = self.clock.times, self.clock.events == 1
        if not policy.has("time-grid"):
            return distinct_edges(times)
        grid = np.array(among) if among else np.arange(np.ceil(times.max() / policy.grid_days) + 1) * policy.grid_days
        kept, gone = [float(grid[0])], np.zeros(len(times), dtype=bool)
        waiting = gone.copy()
        for end in grid[1:]:
            here = (times > kept[-1]) & (times <= end)
            died, held = here & events, waiting | (here & ~events)
            later = count_persons(events & (times > end), self.places)
            if later < policy.smallest_cell or not self._may_leave(died, policy):
                continue
            told = self._may_leave(held, policy)
            leaving = died | held if told else died
            if self._may_leave(~(gone | leaving), policy):
                kept.append(float(end))
                gone |= leaving
                waiting = np.zeros_like(held) if told else held
        return np.array(kept)

    def told(self, leaving: Leaving) -> RiskTable:
        """Return what sums over those at risk tell, for disclosure control."""
        groups = {label: self._design(rows) for label, rows in leaving.groups.items()}
        later = (self.clock.events == 1) & (self.clock.times > leaving.edges[-1])
        return RiskTable(leaving.edges, groups, count_persons(later, self.places))

    def largest_shares(self, leaving: Leaving, hazards: FloatArray) -> tuple[Share, ...]:
        """Return the largest part of one person in the sums over each group, weighted by fitted hazards."""
        shares: tuple[Share, ...] = ()
        for label, rows in leaving.groups.items():
            places = None if self.places is None else self.places[rows]
            names = tuple(f"{name} {label}" for name in self.names)
            columns = np.column_stack([np.ones(int(rows.sum())), self.matrix[rows]])
            sums = shares_of_sums((f"hazards {label}", *names), hazards[rows, None] * columns, places)
            shares += tuple(replace(share, is_fitted=True) for share in sums)
            shares += shares_of_products(names, self.matrix[rows], hazards[rows], places, is_fitted=True)
        return shares

    def counted(self, leaving: Leaving) -> dict[str, Mask]:
        """Return the rows that the sums count: each group, those with 1 in a 0/1 column, those with 1 in two."""
        sets = {}
        flags = [place for place, column in enumerate(self.matrix.T) if np.isin(column, (0.0, 1.0)).all()]
        for label, group in leaving.groups.items():
            sets[label] = group
            for position, first in enumerate(flags):
                inside = group & (self.matrix[:, first] == 1)
                sets[f"{label} {self.names[first]}"] = inside
                for second in flags[position + 1 :]:
                    pair = f"{label} {self.names[first]} x {self.names[second]}"
                    sets[pair] = inside & (self.matrix[:, second] == 1)
        return sets

    def _may_leave(self, rows: Mask, policy: Policy) -> bool:
        return not policy.has("time-grid") or stands_alone(self._design(rows), policy)

    def _design(self, rows: Mask) -> Design:
        places = None if self.places is None else self.places[rows]
        return Design(self.names, self.matrix[rows], parameters=len(self.names), places=places)
