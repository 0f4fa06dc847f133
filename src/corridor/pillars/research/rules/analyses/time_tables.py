"""Times on the public grid: which edges a site may use, and what its table on common edges tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from corridor.pillars.research.rules.analyses.base import (
    Answer,
    Block,
    Blocks,
    CannotCompute,
    MalformedBlock,
    Request,
    counts_of,
)
from corridor.pillars.research.rules.disclosure import Exposure, Policy, TimeTable
from corridor.pillars.research.rules.rows import Clock, FloatArray, Mask, Rows
from corridor.science.interval_tables import IntervalTable, check_edges, distinct_edges, interval_table
from corridor.science.survival_data import BadModel

__all__ = [
    "Timed",
    "answer_on_time",
    "block_of_edges",
    "block_of_table",
    "coarsest_edges",
    "common_edges",
    "exposed",
    "first_on_time",
    "next_on_time",
    "own_edges",
    "rows_of_cells",
    "table_to_tell",
    "tables_by_site",
]

MOST_EDGES = 100_000


@dataclass(frozen=True)
class Timed:
    """Follow-up of a site's rows: the clock, and the arm of each row.

    Attributes
    ----------
    labels : tuple of str
        The arms.
    causes : int
        1, or 2 where the endpoint has a competing event.
    """

    clock: Clock
    arms: NDArray[np.int64]
    labels: tuple[str, ...]
    causes: int

    @property
    def kinds(self) -> FloatArray:
        """Return how follow-up ended: 0 for censored, 1 for the event, 2 for a competing one; shape (rows,)."""
        kinds = self.clock.events.copy()
        if self.clock.competing is not None:
            kinds[(kinds == 0) & (self.clock.competing == 1)] = 2
        return kinds

    def table(self, edges: FloatArray) -> IntervalTable:
        """Return persons entered, with each event and censored, by interval and arm."""
        return interval_table(
            self.clock.times,
            self.kinds,
            edges=edges,
            entry=self.clock.entry,
            groups=self.arms,
            labels=tuple(range(len(self.labels))),
            competing=self.causes,
        )


def answer_on_time(request: Request, timed: Timed, rows: Rows, policy: Policy, sets: Mapping[str, Mask]) -> Answer:
    """Return the edges that this site may use, or its counts on common edges.

    Parameters
    ----------
    sets : the selections of rows that both tell of: the population and its arms
    """
    told = dict(sets)
    if request.step == "edges":
        edges = own_edges(timed, policy, among=request.parameters.get("among", ()))
        block = block_of_edges(edges, policy)
    else:
        edges = np.array(request.parameters["edges"])
        block = block_of_table(table_to_tell(timed, edges, policy))
        if policy.has("time-grid"):
            cells = rows_of_cells(timed, edges, policy.smallest_cell)
            told |= {label: rows.those(cell) for label, cell in cells.items()}
    exposure = Exposure(
        row_sets=told,
        cells={label: rows.count(timed.arms == place) for place, label in enumerate(timed.labels)},
        time_table=exposed(timed, edges, policy),
    )
    return Answer(block, exposure)


def first_on_time(offered: Sequence[float], *, number: int) -> Request:
    """Return the request for the edges that each site may use: of those `offered`, or of the whole grid."""
    return Request(number, "edges", {"among": offered} if offered else {})


def next_on_time(rounds: Sequence[tuple[Request, Blocks]], *, number: int) -> Request | None:
    """Return what is asked after rounds about time: edges once more, then counts on those in common; then None.

    Parameters
    ----------
    rounds : those whose steps are ``edges`` and ``table``; one or more
    number : int
        Of the next round of the run.
    """
    request, blocks = rounds[-1]
    among = coarsest_edges(rounds[0][1])
    if among and len(rounds) == 1:
        return Request(number, "edges", {"among": among})
    if request.step == "edges":
        return Request(number, "table", {"edges": common_edges(blocks)})
    return None


def own_edges(timed: Timed, policy: Policy, *, among: Sequence[float] = ()) -> FloatArray:
    """Return the edges on which this site's table may leave; 0 alone where it can give no interval.

    Of the public grid, or of `among`: each as early as every arm has k events since the one before, and none after
    which fewer than k events and censored would be left out. Without the guard, every day on which anybody enters or
    leaves.
    """
    if not policy.has("time-grid"):
        return distinct_edges(timed.clock.times, entry=timed.clock.entry)
    last = max(np.ceil(timed.clock.times.max() / policy.grid_days), 1.0)
    grid = np.array(among) if among else np.arange(last + 1.0) * policy.grid_days
    table = timed.table(grid)
    kept = [0]
    for end in range(1, table.intervals + 1):
        merged = _with_late_censoring(table.on_edges(grid[[*kept, end]]), policy.smallest_cell)
        if not _told(merged, timed).unfit(policy.smallest_cell):
            kept.append(end)
    return np.asarray(grid[kept])


def table_to_tell(timed: Timed, edges: FloatArray, policy: Policy) -> IntervalTable:
    """Return a site's table on `edges`, with those censored counted at the first edge at which k of an arm are.

    Censoring is rarer than events early on, and commoner late: to hold intervals back until both have k would leave
    few. Those censored after the last such edge count as followed beyond the end. Without the guard, every day.
    """
    table = timed.table(edges)
    return _with_late_censoring(table, policy.smallest_cell) if policy.has("time-grid") else table


def rows_of_cells(timed: Timed, edges: FloatArray, smallest: int) -> dict[str, Mask]:
    """Return which rows each count of `table_to_tell` is about; rows are those of `timed`.

    Two tables on other edges, or of other rows, could be subtracted: disclosure control looks at all of them together.
    """
    ends = np.searchsorted(edges, timed.clock.times, side="left") - 1
    begins = None if timed.clock.entry is None else np.searchsorted(edges, timed.clock.entry, side="right") - 1
    kinds, found = timed.kinds, dict[str, Mask]()
    for arm, label in enumerate(timed.labels):
        waiting = np.zeros(len(ends), dtype=bool)
        for interval, (begin, end) in enumerate(pairwise(edges)):
            where = f"({begin:g}, {end:g}] {label}"
            here = (timed.arms == arm) & (ends == interval)
            for cause in range(1, timed.causes + 1):
                found[f"{where} event {cause}"] = here & (kinds == cause)
            waiting |= here & (kinds == 0)
            if waiting.sum() >= smallest:
                found[f"{where} censored"] = waiting
                waiting = np.zeros(len(ends), dtype=bool)
            if begins is not None and interval:
                found[f"{where} entered"] = (timed.arms == arm) & (begins == interval)
    return {label: rows for label, rows in found.items() if rows.any()}


def exposed(timed: Timed, edges: FloatArray, policy: Policy) -> TimeTable:
    """Return what a site's table on `edges` tells, for disclosure control."""
    if edges.size < 2:
        none = np.zeros((0, 0), dtype=np.int64)
        return TimeTable(edges=edges, arms=(), events=none, others=none[np.newaxis], beyond=none)
    return _told(table_to_tell(timed, edges, policy), timed)


def _with_late_censoring(table: IntervalTable, k: int) -> IntervalTable:
    moved = np.zeros_like(table.censored)
    waiting = np.zeros(len(table.groups), dtype=np.int64)
    for interval, censored in enumerate(table.censored):
        waiting = waiting + censored
        told = waiting >= k
        moved[interval, told] = waiting[told]
        waiting[told] = 0
    return replace(table, censored=moved)


def _told(table: IntervalTable, timed: Timed) -> TimeTable:
    width = len(timed.labels)
    persons = np.bincount(timed.arms, minlength=width)
    here = persons > 0
    counted = (table.events[0], table.censored, *table.events[1:])
    ended = [np.bincount(timed.arms[timed.kinds == kind], minlength=width) for kind in (1, 0, 2)[: timed.causes + 1]]
    beyond = [all_of_kind - told.sum(axis=0) for all_of_kind, told in zip(ended, counted, strict=True)]
    beyond.append(persons - table.entered.sum(axis=0))
    later = table.entered.copy()
    later[0] = 0  # who is there from the begin is the arm itself
    others = np.stack([table.censored, later, *table.events[1:]])
    return TimeTable(
        edges=table.edges,
        arms=tuple(label for label, has_rows in zip(timed.labels, here, strict=True) if has_rows),
        events=table.events[0][:, here],
        others=others[:, :, here],
        beyond=np.stack(beyond)[:, here],
    )


def block_of_edges(edges: FloatArray, policy: Policy) -> Block:
    """Return the block in which a site names the edges that it may use."""
    return {"edges" if policy.has("time-grid") else "days": edges.tolist()}


def coarsest_edges(blocks: Blocks, *, begin: float = 0.0) -> list[float]:
    """Return the edges of the site that has the fewest, for the others to choose among; none in a rehearsal."""
    lists = _edges_of(blocks, "edges", begin)
    return min(lists, key=len).tolist() if lists else []


def common_edges(blocks: Blocks, *, begin: float = 0.0) -> list[float]:
    """Return the edges that all sites may use; in a rehearsal, every day that any of them has.

    Raises
    ------
    CannotCompute
        If there is no interval between two of them.
    MalformedBlock
    """
    days = _edges_of(blocks, "days", begin)
    edges = reduce(np.union1d, days) if days else reduce(np.intersect1d, _edges_of(blocks, "edges", begin))
    if edges.size < 2:
        raise CannotCompute(
            "the sites have no interval of time in common in which each has enough events in every arm."
            " Merge arms, or use a wider grid."
        )
    return [float(edge) for edge in edges]


def _edges_of(blocks: Blocks, name: str, begin: float) -> list[FloatArray]:
    """Return the list `name` of every site; nothing if no site has it."""
    if not any(name in block for block in blocks.values()):
        return []
    lists = []
    for site, block in blocks.items():
        values = [float("nan") if value is None else value for value in block.get(name, ())]
        try:
            if not 1 < len(values) <= MOST_EDGES or values[0] != begin:
                raise BadModel(f"edges begin at {begin:g}, and there are two or more.")
            lists.append(check_edges(values))
        except BadModel:
            raise MalformedBlock(site, f"edges from {begin:g} on") from None
    return lists


def block_of_table(table: IntervalTable) -> Block:
    """Return the counts of a table, interval by interval and within it arm by arm."""
    return {
        "entered": table.entered.ravel().tolist(),
        "events": table.events.ravel().tolist(),
        "censored": table.censored.ravel().tolist(),
    }


def tables_by_site(
    blocks: Blocks, edges: Sequence[float], labels: tuple[str, ...], *, causes: int
) -> dict[str, IntervalTable]:
    """Return the table of each site.

    Raises
    ------
    MalformedBlock
    """
    shape = (len(edges) - 1, len(labels))
    size = shape[0] * shape[1]
    entered, events, censored = (
        counts_of(blocks, name, size=size * (causes if name == "events" else 1))
        for name in ("entered", "events", "censored")
    )
    tables = {}
    for site in blocks:
        counts = (*entered[site], *events[site], *censored[site])
        if None in counts:
            raise MalformedBlock(site, "a table without gaps")
        table = IntervalTable(
            edges=np.array(edges, dtype=float),
            groups=labels,
            entered=np.array(entered[site], dtype=np.int64).reshape(shape),
            events=np.array(events[site], dtype=np.int64).reshape(causes, *shape),
            censored=np.array(censored[site], dtype=np.int64).reshape(shape),
        )
        if (table.remaining < 0).any() or (table.at_risk < table.events.sum(axis=0)).any():
            raise MalformedBlock(site, "as many persons entering as leaving")
        tables[site] = table
    return tables
