"""What a reader who believes every figure can work out about the withheld ones: a system of linear equations.

The cases of a component are cut into atoms, the finest pieces that its figures tell apart: leaf place by stretch of
days by combination of strata. Each figure is a sum of atoms. A shown figure fixes its sum; a figure withheld as below
5 says that its sum is 1 to 4; one withheld as a complement says that its sum is 5 or more; a bound says what something
else, such as an alert, told of the sum. All atoms are whole numbers from 0. A withheld figure is narrowed if its sum
cannot be 1, or cannot be k - 1. Where two persons let a partner narrow it further, what they conceded is kept instead.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from itertools import groupby, pairwise, product
from math import prod

import numpy as np

from corridor.base.disclosure.cells import Cell, read_mark, stratum_labels
from corridor.base.disclosure.overlap import Figure, lies_in

REST = "*"
# Above this many variables the condition that cases are whole numbers is dropped: the answer then is that of the
# linear programme alone.
MOST_INTEGERS = 2_000
MOST_ATOMS = 200_000
NODES = 5_000
# A component that was revised more often is remembered from its first and from its latest moments.
MOST_MEMORIES = 12


@dataclass(frozen=True, slots=True)
class Statement:
    """A cell and the moment of its release; moments count up from 0, all cells of one batch share one.

    `conceded` holds the ranges that two persons let a partner narrow the figure to, after it was withheld.
    """

    moment: int
    cell: Cell
    conceded: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """Whether the known parts of a figure are taken for all its parts."""

    strata_are_all: bool
    places_are_all: bool


READINGS = (
    (Reading(True, True),),
    (Reading(True, False), Reading(False, True)),
    (Reading(False, False),),
)
"""From the reading that tells a reader most to the one that tells least; those that stand together tell differently."""


class Memory(Enum):
    """What a reader makes of a figure that was revised."""

    NONE = "only what stands counts"
    PARTS_EXPLAIN = "where a part was revised too, that explains the whole, and the rest is unchanged"
    EACH_CHANGED = "the rest, of which nothing is told, may have changed too"


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A withheld figure of which a reader learns more than that it is 1 to `limit` - 1."""

    cell: Cell
    limit: int
    lower: int | None
    upper: int | None


class TooManyAtoms(Exception):
    """The component is too large to be judged; nothing of it is released."""


def atoms_of(figures: Sequence[Figure], reading: Reading) -> dict[Figure, frozenset[int]]:
    """Return the atoms of each figure of one component, as numbers."""
    places = {figure[1] for figure in figures}
    leaves = sorted(place for place in places if not any(lies_in(other, place) for other in places - {place}))
    if not reading.places_are_all:
        leaves += sorted(f"{place}-{REST}" for place in places.difference(leaves))
    bounds = sorted({day for figure in figures for day in figure[2:4]})
    stretches = list(pairwise(bounds))
    values = _values([figure[4] for figure in figures], reading)
    if len(leaves) * len(stretches) * prod(len(known) for known in values.values()) > MOST_ATOMS:
        raise TooManyAtoms
    combinations = [frozenset(zip(values, chosen, strict=True)) for chosen in product(*values.values())]
    numbers = {
        atom: number for number, atom in enumerate(product(range(len(leaves)), range(len(stretches)), combinations))
    }
    return {
        figure: frozenset(
            numbers[atom]
            for atom in product(
                [number for number, leaf in enumerate(leaves) if lies_in(leaf, figure[1])],
                _inside(stretches, figure[2], figure[3]),
                [parts for parts in combinations if stratum_labels(figure[4]) <= parts],
            )
        )
        for figure in figures
    }


def _inside(stretches: list[tuple[date, date]], start: date, end: date) -> list[int]:
    return [number for number, (first, last) in enumerate(stretches) if start <= first and last <= end]


def _values(strata: Sequence[str], reading: Reading) -> dict[str, list[str]]:
    """Return the known values of each dimension of the strata, and the rest of them where there may be one."""
    values: dict[str, set[str]] = {}
    for stratum in strata:
        for dimension, value in stratum_labels(stratum):
            values.setdefault(dimension, set()).add(value)
    rest = [] if reading.strata_are_all else [REST]
    return {dimension: sorted(known) + rest for dimension, known in sorted(values.items())}


def said_range(cell: Cell, *, default_limit: int) -> tuple[float, float]:
    """Return the least and the greatest number of cases that a cell leaves open."""
    if cell.value is not None:
        return cell.value, cell.value
    mark = read_mark(cell.withheld, default=default_limit)
    return mark.least, mark.most


def with_versions(statements: Sequence[Statement], *, default_limit: int) -> list[int]:
    """Return for each statement, in order of moment, how often its figure was revised before or by it.

    Only what cannot both be true is a revision. A figure that was shown as 9 and is then withheld as a complement is
    still taken for 9, and one withheld as a complement that is then shown was the same all along.
    """
    versions: list[int] = []
    held: dict[Figure, tuple[int, float, float]] = {}
    for statement in statements:
        lower, upper = said_range(statement.cell, default_limit=default_limit)
        version, least, greatest = held.get(statement.cell.figure, (0, lower, upper))
        both = max(least, lower), min(greatest, upper)
        if both[0] > both[1]:
            version, both = version + 1, (lower, upper)
        held[statement.cell.figure] = (version, *both)
        versions.append(version)
    return versions


def standing(statements: Sequence[Statement], *, default_limit: int) -> list[Statement]:
    """Return, of each figure, what was said since its last revision."""
    versions = with_versions(statements, default_limit=default_limit)
    newest = {statement.cell.figure: version for statement, version in zip(statements, versions, strict=True)}
    return [
        statement
        for statement, version in zip(statements, versions, strict=True)
        if version == newest[statement.cell.figure]
    ]


def _states(statements: Sequence[Statement], *, default_limit: int) -> list[list[Statement]]:
    """Return the ways to read what stands: all that was said since a figure's last revision, or its last word alone.

    A bound is no word on the figure itself. Beside the last word each one stands that agrees with it, however old: a
    reader who was told "more than three" and then "less than five" does not ask what came between.
    """
    all_said = standing(statements, default_limit=default_limit)
    words = {statement.cell.figure: statement for statement in all_said if not is_bound(statement.cell)}

    def stands_last(statement: Statement) -> bool:
        word = words.get(statement.cell.figure)
        if not is_bound(statement.cell):
            return statement is word
        if word is None:
            return statement in all_said
        (least, most), (lower, upper) = (
            said_range(each.cell, default_limit=default_limit) for each in (statement, word)
        )
        return max(least, lower) <= min(most, upper)

    last_words = [statement for statement in statements if stands_last(statement)]
    return [all_said] if last_words == all_said else [all_said, last_words]


def is_bound(cell: Cell) -> bool:
    """Say whether a cell only bounds its figure."""
    return cell.value is None and read_mark(cell.withheld, default=1).kind == "bound"


def narrowed(
    statements: Sequence[Statement], *, default_limit: int, by_any_reader: bool = False
) -> list[Narrowed] | None:
    """Return the withheld figures of one component of which a reader learns too much; None if the figures contradict.

    Parameters
    ----------
    statements : sequence of Statement
        Ordered by moment.
    default_limit : int
        Limit of a withheld figure that names no rule.
    by_any_reader : bool
        Whether to go on after the first reader who learns something, and return what each of them learns.

    Notes
    -----
    Two readers are tried. One takes together what stands of every figure, or its last word. The other remembers every
    statement, and takes what was not revised for unchanged, from the first moment or from a later one: from the first
    that contradicts, as it does when a withheld figure was revised in silence.
    """
    figures = sorted({statement.cell.figure for statement in statements})
    atoms = {reading: atoms_of(figures, reading) for together in READINGS for reading in together}
    tried: set[object] = set()

    def read(known: Sequence[Statement], reading: Reading, memory: Memory) -> list[Narrowed] | None:
        sums = _sums(known, atoms[reading], memory, default_limit=default_limit)
        same = (
            tuple((statement.cell, statement.conceded) for statement in known),
            tuple(frozenset(parts) for parts in sums),
        )
        if same in tried:
            return []
        system = _System(sums, known, default_limit=default_limit)
        if not system.is_feasible():
            return None
        tried.add(same)
        return system.narrowed()

    def judge(known: Sequence[Statement], memory: Memory) -> list[Narrowed] | None:
        for together in READINGS:
            found = [each for reading in together if (each := read(known, reading, memory)) is not None]
            if found:
                return [narrow for each in found for narrow in each]
        return None

    judged = [judge(state, Memory.NONE) for state in _states(statements, default_limit=default_limit)]
    if all(found is None for found in judged):
        return None
    found = _first(judged, every=by_any_reader)
    if (found and not by_any_reader) or len(figures) == len(statements):
        return found
    moments = sorted({statement.moment for statement in statements})
    remembered = (
        judge(known, memory)
        for memory in (Memory.PARTS_EXPLAIN, Memory.EACH_CHANGED)
        for first in (moments[0], *moments[1:-1][-MOST_MEMORIES:])
        for known in _remembered(statements, first, default_limit=default_limit)
    )
    return [*found, *_first(remembered, every=by_any_reader)]


def _first(judged: Iterable[list[Narrowed] | None], *, every: bool) -> list[Narrowed]:
    """Return what the first reader finds who finds something, or what every reader finds."""
    if every:
        return [narrow for found in judged for narrow in found or ()]
    return next((found for found in judged if found), [])


def _remembered(statements: Sequence[Statement], first: int, *, default_limit: int) -> list[list[Statement]]:
    """Return, for each way to read what stood at a moment, that as if it was said then, and what was said after."""
    before = [statement for statement in statements if statement.moment <= first]
    after = [statement for statement in statements if statement.moment > first]
    states = _states(before, default_limit=default_limit)
    return [[*(replace(statement, moment=first) for statement in state), *after] for state in states]


def _sums(
    known: Sequence[Statement], atoms: dict[Figure, frozenset[int]], memory: Memory, *, default_limit: int
) -> list[list[tuple[int, int]]]:
    """Return for each statement (ordered by moment) the atoms that it sums, each with its version.

    An atom gets a new version when a figure that holds it is revised, unless a smaller figure holds it too: what
    changed is looked for where the revision is finest.
    """
    if memory is Memory.NONE:
        return [[(atom, 0) for atom in atoms[statement.cell.figure]] for statement in known]
    parts = {figure: [other for other in atoms if atoms[other] < atoms[figure]] for figure in atoms}
    own = {figure: atoms[figure].difference(*(atoms[part] for part in parts[figure])) for figure in atoms}
    atom_version: dict[int, int] = {}
    figure_version: dict[Figure, int] = {}
    said_at: dict[Figure, int] = {}
    revised_at: dict[Figure, int] = {}
    sums: list[list[tuple[int, int]]] = []
    told = list(zip(known, with_versions(known, default_limit=default_limit), strict=True))
    for moment, together in groupby(told, key=lambda pair: pair[0].moment):
        group = list(together)
        cells = [statement.cell for statement, _ in group]
        batch = [(statement.cell.figure, version) for statement, version in group]
        revised = [figure for figure, version in batch if version > figure_version.get(figure, 0)]
        revised_at.update(dict.fromkeys(revised, moment))
        for figure in revised:
            explained = any(revised_at.get(part, -1) > said_at[figure] for part in parts[figure])
            if memory is Memory.EACH_CHANGED or not explained:
                for atom in own[figure]:
                    atom_version[atom] = atom_version.get(atom, 0) + 1
        figure_version.update(batch)
        # A complement or a bound does not say anew how many: the number before it is still what is known.
        numbers = [
            cell.figure
            for cell in cells
            if said_range(cell, default_limit=default_limit)[1] < np.inf and not is_bound(cell)
        ]
        said_at.update(dict.fromkeys([*numbers, *(figure for figure, _ in batch if figure not in said_at)], moment))
        sums += [[(atom, atom_version.get(atom, 0)) for atom in atoms[figure]] for figure, _ in batch]
    return sums


class _System:
    """The equations of a list of statements over the atoms that they sum."""

    def __init__(
        self, sums: Sequence[Sequence[tuple[int, int]]], known: Sequence[Statement], *, default_limit: int
    ) -> None:
        # Imported here: it takes a second, and most processes never solve a system.
        from scipy.sparse import csr_array

        self._cells = [statement.cell for statement in known]
        members: dict[tuple[int, int], list[int]] = {}
        for row, parts in enumerate(sums):
            for atom in parts:
                members.setdefault(atom, []).append(row)
        # Atoms that the same figures hold are one variable: no figure tells them apart.
        columns = list(dict.fromkeys(tuple(rows) for rows in members.values()))
        rows = [row for column in columns for row in column]
        places = [number for number, column in enumerate(columns) for _ in column]
        self._matrix = csr_array((np.ones(len(rows)), (rows, places)), shape=(len(sums), len(columns)))
        self._protected: list[tuple[int, int, tuple[tuple[int, int], ...]]] = []
        for row, statement in enumerate(known):
            mark = read_mark(statement.cell.withheld, default=default_limit)
            if statement.cell.value is None and mark.is_small:
                whole = (int(mark.least), int(mark.most))
                self._protected.append((row, whole[1] + 1, (whole, *statement.conceded)))
        ranges = [said_range(cell, default_limit=default_limit) for cell in self._cells]
        self._lower, self._upper = np.array(ranges, dtype=float).T
        self._integrality = np.full(len(columns), 1 if len(columns) <= MOST_INTEGERS else 0)
        self._seen: list[np.ndarray] = []

    def is_feasible(self) -> bool:
        return self._solve(np.zeros(self._matrix.shape[1]), self._lower, self._upper) is not None

    def narrowed(self) -> list[Narrowed]:
        return [
            Narrowed(self._cells[row], limit, *self._interval(row))
            for row, limit, kept in self._protected
            if not any(self._can_be(row, least) and self._can_be(row, most) for least, most in kept)
        ]

    def _can_be(self, row: int, value: int) -> bool:
        if any(abs(sums[row] - value) < 1e-6 for sums in self._seen):
            return True
        lower, upper = self._lower.copy(), self._upper.copy()
        lower[row] = upper[row] = value
        return self._solve(np.zeros(self._matrix.shape[1]), lower, upper) is not None

    def _interval(self, row: int) -> tuple[int | None, int | None]:
        objective = self._matrix[[row], :].toarray().ravel()
        lowest, highest = (self._solve(sign * objective, self._lower, self._upper) for sign in (1, -1))
        return (
            None if lowest is None else int(np.ceil(lowest[row] - 1e-6)),
            None if highest is None else int(np.floor(highest[row] + 1e-6)),
        )

    def _solve(self, objective: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray | None:
        """Return the sums of a solution; None if there is none, or none was found within the limits (fail closed)."""
        # Imported here: it takes a second, and most processes never solve a system.
        from scipy.optimize import Bounds, LinearConstraint, milp

        found = milp(
            objective,
            integrality=self._integrality,
            bounds=Bounds(0, np.inf),
            constraints=LinearConstraint(self._matrix, lower, upper),
            options={"node_limit": NODES},
        )
        if found.x is None or found.status not in (0, 1):
            return None
        sums = np.asarray(self._matrix @ found.x)
        self._seen.append(sums)
        return sums
