"""Quantiles of numbers over a public grid of values: exact for the coarsened values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corridor.base.members import Members
from corridor.pillars.research.rules.analyses.arms import read_arms
from corridor.pillars.research.rules.analyses.base import (
    Answer,
    Blocks,
    CannotCompute,
    Plan,
    Precision,
    Request,
    Result,
    counts_of,
)
from corridor.pillars.research.rules.analyses.time_tables import coarsest_edges, common_edges
from corridor.pillars.research.rules.disclosure import Exposure, Policy
from corridor.pillars.research.rules.protocol.document import VariableType
from corridor.pillars.research.rules.rows import FloatArray, Mask, Rows, SiteTable
from corridor.science.grouped_quantiles import grouped_quantile

__all__ = ["QUARTERS", "Quantiles"]

QUARTERS = (0.25, 0.5, 0.75)
MOST_BINS = 10_000


class Quantiles(Plan):
    """Quantiles of a number by arm, with limits and the bin that holds each; exact for the coarsened values.

    Options: ``variable`` (a number whose dictionary entry has ``least`` and ``most``), ``step`` of the grid from one to
    the other, ``by`` (a flag or a category, optional), ``shares`` whose quantiles are given (the quarters if left out).

    Three rounds: each site names the edges of the grid between which its counts may leave, then which of those of the
    site with the fewest, and then all count between the edges that they have in common. Within a bin persons are taken
    to be evenly spread. The quantile of the values themselves lies in the same bin.
    """

    kind = "quantiles"
    counts_alone = True
    precision = Precision.COARSENED

    def read(self, members: Members) -> None:
        """Take the options."""
        self.variable = members.text("variable")
        found = self.protocol.variable(self.variable)
        self.least, self.most = 0.0, 1.0
        if found is None or found.type not in (VariableType.NUMBER, VariableType.WHOLE):
            members.fault("variable", "expected a number of the dictionary")
        elif found.least is None or found.most is None or not found.least < found.most:
            members.fault("variable", "expected a number with least and most in the dictionary: the grid lies between")
        else:
            self.least, self.most = found.least, found.most
        self.step = members.number("step", least=1e-6, most=1e9, fallback=1.0)
        if (self.most - self.least) / self.step > MOST_BINS:
            members.fault("step", f"expected at most {MOST_BINS} steps between least and most of the variable")
        self.arms = read_arms(members, self.protocol, is_required=False)
        given = members.numbers("shares", least=0.01, most=0.99) if members.has("shares") else []
        self.shares = tuple(given) or QUARTERS

    @property
    def grid(self) -> FloatArray:
        """Return the edges of the protocol: one step below the least value, so that it is in the first bin, to most."""
        steps = np.ceil((self.most - self.least) / self.step)
        return self.least + self.step * np.arange(-1.0, steps + 1.0)

    def begin(self) -> Request:
        """Ask for the edges that each site may use."""
        return Request(1, "edges")

    def rows(self, table: SiteTable) -> Rows:
        """Return the rows with the number and an arm."""
        return self.select(table, variables=(self.variable, *self.arms.variables))

    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return the edges, or the counts between common edges."""
        sets: dict[str, Mask] = {"population": rows.selected, **self.arms.sets(rows)}
        cells = {label: rows.count(inside[rows.selected]) for label, inside in sets.items()}
        if request.step == "edges":
            smallest = policy.smallest_cell if policy.has("smallest-cell") else 1
            edges = self._own_edges(rows, smallest, among=request.parameters.get("among", ()))
            return Answer({"edges": edges.tolist()}, Exposure(row_sets=sets, cells=cells))
        edges = np.array(request.parameters["edges"])
        if not np.isin(edges, self.grid).all():
            raise CannotCompute("the sites name edges that are not on the grid of the protocol.")
        values, arms = rows.variable(self.variable), self.arms.of(rows)
        for begin, end in pairwise(edges):
            here = (values > begin) & (values <= end)
            for place, label in enumerate(self.arms.labels):
                sets[f"({begin:g}, {end:g}] {label}"] = rows.those(here & (arms == place))
        return Answer({"counts": self._counts(rows, edges).ravel().tolist()}, Exposure(row_sets=sets, cells=cells))

    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Request | Result:
        """Ask for counts between the common edges, then return the quantiles."""
        request, blocks = history[-1]
        number = len(history) + 1
        if len(history) == 1:
            return Request(number, "edges", {"among": coarsest_edges(blocks, begin=self.grid[0])})
        if request.step == "edges":
            edges = common_edges(blocks, begin=self.grid[0])
            if len(edges) < 3:
                raise CannotCompute(
                    "the sites have no bin of values in common in which each has enough persons of every arm. Merge"
                    " arms, or use a smaller step."
                )
            return Request(number, "counts", {"edges": edges})
        edges = list(request.parameters["edges"])
        shape = (len(edges) - 1, len(self.arms.labels))
        by_site = counts_of(blocks, "counts", size=shape[0] * shape[1])
        total = np.zeros(shape, dtype=np.int64)
        for counts in by_site.values():
            total += np.array([count or 0 for count in counts], dtype=np.int64).reshape(shape)
        values = {
            "variable": self.variable,
            "edges": edges,
            "arms": {
                label: self._described(edges, counts)
                for label, counts in zip(self.arms.labels, total.T, strict=True)
                if counts.any()
            },
            "n": {site: sum(count or 0 for count in counts) for site, counts in by_site.items()},
        }
        return Result(self.precision, values)

    def _described(self, edges: list[float], counts: NDArray[np.int64]) -> dict[str, Any]:
        quantiles = []
        for share in self.shares:
            found = grouped_quantile(edges, counts, share)
            quantiles.append(
                {"share": share, "value": found.value, "low": found.low, "high": found.high, "bin": list(found.bin)}
            )
        return {"n": int(counts.sum()), "counts": counts.tolist(), "quantiles": quantiles}

    def _counts(self, rows: Rows, edges: FloatArray) -> NDArray[np.int64]:
        """Return persons by bin and arm, shape (bins, arms)."""
        width = len(self.arms.labels)
        place = np.searchsorted(edges, rows.variable(self.variable), side="left") - 1
        # A sum of steps may end a rounding error below the greatest value.
        place = np.minimum(place, len(edges) - 2)
        counted = np.bincount(place * width + self.arms.of(rows), minlength=(len(edges) - 1) * width)
        return np.asarray(counted.reshape(-1, width))

    def _own_edges(self, rows: Rows, smallest: int, *, among: Sequence[float]) -> FloatArray:
        """Return the ends of the grid, and each edge before and after which every arm has `smallest` persons."""
        grid = np.array(among) if among else self.grid
        counts = self._counts(rows, grid)
        counts = counts[:, counts.any(axis=0)]
        below, total = np.cumsum(counts, axis=0), counts.sum(axis=0)
        kept, last = [0], np.zeros_like(total)
        for edge in range(1, len(grid) - 1):
            so_far = below[edge - 1]
            if (so_far - last >= smallest).all() and (total - so_far >= smallest).all():
                kept.append(edge)
                last = so_far
        return np.asarray(grid[[*kept, len(grid) - 1]])
