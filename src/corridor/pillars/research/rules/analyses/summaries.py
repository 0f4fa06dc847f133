"""Counts of categories, and means and variances of numbers, by arm where the protocol names one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from corridor.base.members import Members
from corridor.pillars.research.rules.analyses.arms import codes_of_variable
from corridor.pillars.research.rules.analyses.base import (
    Answer,
    Blocks,
    CannotCompute,
    Caution,
    Plan,
    Request,
    Result,
    counts_of,
    numbers_of,
    sum_of,
)
from corridor.pillars.research.rules.disclosure import (
    Exposure,
    Policy,
    Share,
    noisy_count,
    shares_of_sums,
    suppress_counts,
)
from corridor.pillars.research.rules.protocol.document import Protocol, VariableType
from corridor.pillars.research.rules.rows import Mask, Rows, SiteTable, count_persons

__all__ = ["Counts", "Moments"]


class Counts(Plan):
    """How many patients bear each code of categories and flags, by site and together; exact.

    Options: ``variables`` (categories and flags). A site withholds cells below its rule and what would give them away;
    a total over sites is shown where no site withheld its part. Where the protocol chooses noise, every count bears it.
    """

    kind = "counts"
    counts_alone = True

    def read(self, members: Members) -> None:
        """Take ``variables``."""
        self.variables = _variables(members, self.protocol, VariableType.CATEGORY, VariableType.FLAG)

    def begin(self) -> Request:
        """Ask for the tables."""
        return Request(1, "tables")

    def rows(self, table: SiteTable) -> Rows:
        """Return the population; each table counts the rows that hold its variable."""
        return self.select(table)

    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return the counts of each variable, small cells withheld."""
        block: dict[str, list[int | None]] = {"n": [_noisy(len(rows), rows.selected, rows, policy)]}
        sets: dict[str, Mask] = {"population": rows.selected}
        cells: dict[str, int] = {"population": count_persons(rows.selected, rows.table.places)}
        for name in self.variables:
            values = rows.variable(name)
            codes = codes_of_variable(self.protocol, name)
            counts = [int((values == index).sum()) for index in range(len(codes))]
            counts.append(int(np.isnan(values).sum()))
            those = [_where(rows, name, place) for place in (*range(len(codes)), None)]
            shown: list[int | None] = list(counts)
            if policy.has("smallest-cell"):
                shown = _shown(counts, those, rows, policy)
            for index, (code, count) in enumerate(zip((*codes, "missing"), tuple(shown), strict=True)):
                if count:
                    cells[f"{name}={code}"] = count_persons(those[index], rows.table.places)
                    sets[f"{name}={code}"] = those[index]
                    shown[index] = _noisy(count, those[index], rows, policy)
            # The total less what is shown.
            rest = [inside for inside, count in zip(those, shown, strict=True) if count is None]
            cells[f"{name}: not shown"] = count_persons(np.logical_or.reduce(rest), rows.table.places) if rest else 0
            block[f"table:{name}"] = shown
        return Answer(block, Exposure(row_sets=sets, cells=cells))

    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Result:
        """Return the tables by site and, where no site withheld a cell, together."""
        _, blocks = history[0]
        rows = {site: int(n[0]) for site, n in numbers_of(blocks, "n", size=1).items()}
        values: dict[str, Any] = {"n": {**rows, "all": sum(rows.values())}, "variables": {}}
        withheld = False
        for name in self.variables:
            codes = [*codes_of_variable(self.protocol, name), "missing"]
            parts = counts_of(blocks, f"table:{name}", size=len(codes))
            together = [_sum(column) for column in zip(*parts.values(), strict=True)]
            values["variables"][name] = {"codes": codes, "sites": parts, "all": together}
            withheld = withheld or None in together
        warnings = [Caution.CELLS_WITHHELD] if withheld else []
        if self.protocol.disclosure.noise_scale > 0:
            warnings.append(Caution.NOISE_ADDED)
        return Result(self.precision, values, warnings=tuple(warnings))


class Moments(Plan):
    """Means, variances and, with a flag to compare by, standardised differences; exact.

    Options: ``variables`` (numbers, whole numbers, flags), ``by`` (a flag, optional).
    """

    kind = "moments"

    def read(self, members: Members) -> None:
        """Take ``variables`` and ``by``."""
        self.variables = _variables(members, self.protocol, VariableType.NUMBER, VariableType.WHOLE, VariableType.FLAG)
        self.by = members.optional("by", absent_allowed=True) or ""
        found = self.protocol.variable(self.by) if self.by else None
        if self.by and (found is None or found.type is not VariableType.FLAG):
            members.fault("by", "expected a flag of the dictionary")

    def begin(self) -> Request:
        """Ask for counts and sums; squares are about the mean of all sites, once it is known."""
        return Request(1, "sums")

    def rows(self, table: SiteTable) -> Rows:
        """Return the rows that hold every variable."""
        return self.select(table, variables=(*self.variables, *([self.by] if self.by else [])))

    def answer(self, request: Request, rows: Rows, policy: Policy) -> Answer:
        """Return sums, then sums of squares about the given means, for each arm."""
        block: dict[str, list[Any]] = {}
        sets: dict[str, Mask] = {}
        shares: list[Share] = []
        for arm, inside in self._arms(rows).items():
            labels = tuple(f"{name} ({arm})" for name in self.variables)
            places = None if rows.places is None else rows.places[inside]
            matrix = np.column_stack([rows.variable(name)[inside] for name in self.variables])
            if request.step == "squares":
                # The mean comes from all sites: one that is far off would make every row's part look the same.
                own = (matrix - matrix.mean(axis=0)) ** 2 if len(matrix) else matrix
                shares.extend(shares_of_sums(labels, own, places))
                matrix = (matrix - np.array(request.parameters[f"mean:{arm}"])) ** 2
            block[f"n:{arm}"] = [int(inside.sum())]
            block[f"sum:{arm}"] = matrix.sum(axis=0).tolist()
            sets[arm] = rows.those(inside)
            sets |= self._flag_sets(rows, arm, sets[arm])
            shares.extend(shares_of_sums(labels, matrix, places))
        cells = {label: count_persons(mask, rows.table.places) for label, mask in sets.items()}
        cells |= self._flag_cells(request, rows)
        return Answer(block, Exposure(row_sets=sets, cells=cells, shares=tuple(shares)))

    def proceed(self, history: Sequence[tuple[Request, Blocks]]) -> Request | Result:
        """Ask for squares about the pooled means, then return means, variances and differences."""
        _, sums = history[0]
        arms, width = ("0", "1") if self.by else ("all",), len(self.variables)
        total = {arm: float(sum_of(sums, f"n:{arm}", size=1)[0]) for arm in arms}
        empty = [arm for arm in arms if total[arm] < 2]
        if empty:
            raise CannotCompute(f"fewer than two rows with {self.by or 'any'} = {empty[0]} over all sites.")
        means = {arm: sum_of(sums, f"sum:{arm}", size=width) / total[arm] for arm in arms}
        if len(history) == 1:
            return Request(2, "squares", {f"mean:{arm}": mean.tolist() for arm, mean in means.items()})
        _, squares = history[1]
        spread = {arm: sum_of(squares, f"sum:{arm}", size=width) / (total[arm] - 1) for arm in arms}
        values: dict[str, Any] = {
            "variables": list(self.variables),
            "arms": {
                arm: {
                    "n": int(total[arm]),
                    "mean": means[arm].tolist(),
                    "variance": spread[arm].tolist(),
                    "sd": np.sqrt(spread[arm]).tolist(),
                    "sites": _site_means(sums, arm, width),
                }
                for arm in arms
            },
        }
        if self.by:
            pooled = np.sqrt((spread["1"] + spread["0"]) / 2)
            values["standardised_difference"] = [
                float(difference / each) if each > 0 else None
                for difference, each in zip(means["1"] - means["0"], pooled, strict=True)
            ]
        return Result(self.precision, values)

    def _arms(self, rows: Rows) -> dict[str, Mask]:
        if not self.by:
            return {"all": np.ones(len(rows), dtype=bool)}
        values = rows.variable(self.by)
        return {"0": values == 0, "1": values == 1}

    def _flag_sets(self, rows: Rows, arm: str, inside: Mask) -> dict[str, Mask]:
        """Return the rows that bear each flag in an arm: the sum of a flag counts them."""
        found: dict[str, Mask] = {}
        for name in self.variables:
            variable = self.protocol.variable(name)
            if variable is not None and variable.type is VariableType.FLAG:
                found[f"{name}=1 ({arm})"] = inside & (rows.table.columns[name] == 1)
        return found

    def _flag_cells(self, request: Request, rows: Rows) -> dict[str, int]:
        """Return the counts that sums of flags are, with their complements."""
        if request.step != "sums":
            return {}
        cells: dict[str, int] = {}
        for arm, inside in self._arms(rows).items():
            for name in self.variables:
                found = self.protocol.variable(name)
                if found is not None and found.type is VariableType.FLAG:
                    for code in (1, 0):
                        cells[f"{name}={code} ({arm})"] = rows.count(inside & (rows.variable(name) == code))
        return cells


def _variables(members: Members, protocol: Protocol, *types: VariableType) -> tuple[str, ...]:
    names = members.strings("variables", at_least=1)
    for index, name in enumerate(names):
        found = protocol.variable(name)
        if name and (found is None or found.type not in types):
            members.fault(f"variables/{index}", f"expected a variable of type {' or '.join(types)}")
    return tuple(names)


def _where(rows: Rows, name: str, index: int | None) -> Mask:
    values = rows.table.columns[name]
    return rows.selected & (np.isnan(values) if index is None else values == index)


def _shown(counts: Sequence[int], those: Sequence[Mask], rows: Rows, policy: Policy) -> list[int | None]:
    """Return the counts of rows, with None for those of too few persons and what must be withheld with them."""
    persons = [count_persons(inside, rows.table.places) for inside in those]
    told = suppress_counts(persons, smallest=policy.smallest_cell)
    return [None if of_persons is None else count for count, of_persons in zip(counts, told, strict=True)]


def _noisy(count: int, where: Mask, rows: Rows, policy: Policy) -> int:
    persons = (rows.table.persons[place] for place in np.flatnonzero(where))
    return noisy_count(count, persons, scale=policy.noise_scale, key=policy.noise_key, smallest=policy.smallest_cell)


def _sum(column: Sequence[int | None]) -> int | None:
    counts = [count for count in column if count is not None]
    return sum(counts) if len(counts) == len(column) else None


def _site_means(blocks: Blocks, arm: str, width: int) -> dict[str, Any]:
    rows = numbers_of(blocks, f"n:{arm}", size=1)
    sums = numbers_of(blocks, f"sum:{arm}", size=width)
    return {site: {"n": int(n[0]), "mean": (sums[site] / max(n[0], 1.0)).tolist()} for site, n in rows.items()}
