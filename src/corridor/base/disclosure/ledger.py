"""The suppression ledger: what partners were told, and whether the next figure would give a withheld one away."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from corridor.base.disclosure.cells import Cell, read_mark, stratum_labels
from corridor.base.disclosure.feasible import Statement, TooManyAtoms, is_bound, narrowed, said_range
from corridor.base.disclosure.overlap import Figure, FigureIndex, components

__all__ = ["Breach", "Ledger", "Scope"]

DEFAULT_LIMIT = 5


@dataclass(frozen=True, slots=True)
class Breach:
    """A withheld figure that the release would narrow. It holds bounds of it: keep it on the sender's side.

    Parameters
    ----------
    cell : Cell
        The withheld figure.
    limit : int
        It must keep its whole range, 1 to `limit` - 1.
    lower, upper : int or None, cases
        What a reader could work out, where it was computed.
    reason : str
        ``narrowed``; ``contradiction`` if the new figures and those that stand cannot all be true (send the revisions
        together); ``too-large`` if the linked figures are too many to judge.
    """

    cell: Cell
    limit: int
    lower: int | None
    upper: int | None
    reason: Literal["narrowed", "contradiction", "too-large"]

    @property
    def is_known(self) -> bool:
        """Whether it is known what a partner could work out: the two bounds were computed."""
        return self.reason == "narrowed" and self.lower is not None and self.upper is not None


@dataclass(frozen=True, slots=True)
class Scope:
    """Where figures may lie that share cases with a release: a narrow key for a database query.

    Select the cells of `disease` whose place is `country` or begins with ``country-``, whose period starts before
    `end` and ends after `start`.
    """

    disease: str
    country: str
    start: date
    end: date


class Ledger:
    """Figures that partners know, in the order of their release.

    Parameters
    ----------
    batches : iterable of iterables of Cell
        What was released, oldest first; cells that left together (one envelope) form one batch.
    default_limit : int
        Limit of a withheld cell that names no rule.

    Notes
    -----
    One ledger holds what went to every partner under every agreement, since partners talk to each other.
    """

    def __init__(self, batches: Iterable[Iterable[Cell]] = (), *, default_limit: int = DEFAULT_LIMIT) -> None:
        self._default_limit = default_limit
        self._index = FigureIndex()
        self._history: dict[Figure, list[Statement]] = {}
        self._small: set[Figure] = set()
        self._conceded: dict[Figure, list[tuple[int, tuple[int, int]]]] = {}
        self._moment = 0
        for batch in batches:
            self.add(batch)

    @property
    def cells(self) -> list[Cell]:
        """The latest cell of every figure."""
        return [statements[-1].cell for statements in self._history.values()]

    def knows(self, cell: Cell) -> bool:
        """Say whether this very cell is the last that was told of its figure."""
        told = self._last(cell)
        return told is not None and _same(told.cell, cell)

    def add(self, cells: Iterable[Cell]) -> None:
        """Record a release, whether or not it was checked; a cell repeated while nothing changed tells nothing."""
        told: list[Cell] = []
        for cell in cells:
            mark = read_mark(cell.withheld, default=self._default_limit)
            if cell.value is None and mark.kind == "conceded":
                kept = (self._moment, (int(mark.least), int(mark.most)))
                self._conceded.setdefault(cell.figure, []).append(kept)
            else:
                told.append(cell)
        for cell in self._news(told):
            self._history.setdefault(cell.figure, []).append(Statement(self._moment, cell))
            self._index.add(cell.figure)
            if self._is_small(cell):
                self._small.add(cell.figure)
        self._moment += 1

    def check(self, cells: Iterable[Cell]) -> list[Breach]:
        """Return the withheld figures that this release would narrow; an empty list means that it may go.

        Parameters
        ----------
        cells : iterable of Cell
            All figures of one envelope, shown and withheld: they are judged together.
        """
        return self._breaches(cells, by_any_reader=False)

    def deductions(self, cells: Iterable[Cell]) -> list[Breach]:
        """Return all that any of the readers could work out of withheld figures after this release, nothing twice.

        `check` stops at the first reader who learns something; this is for the two persons who answer for a release
        by hand. One figure may stand here with several ranges, one for each way to read.
        """
        return list(dict.fromkeys(self._breaches(cells, by_any_reader=True)))

    def _breaches(self, cells: Iterable[Cell], *, by_any_reader: bool) -> list[Breach]:
        news = {cell.figure: cell for cell in self._news(cells)}
        small = {figure for figure, cell in news.items() if self._is_small(cell)}
        if not small and not self._small:
            return []
        breaches: list[Breach] = []
        for component in components(news, (self._index, FigureIndex(news))):
            # Without a figure that is itself too small there is nothing to give away.
            is_at_risk = any(figure in small or figure in self._small for figure in component)
            if is_at_risk and (len(component) > 1 or self._says_more(news[component[0]])):
                breaches += self._judge(component, news, by_any_reader=by_any_reader)
        return breaches

    def releasable(self, cells: Iterable[Cell]) -> tuple[list[Cell], list[Cell]]:
        """Part a release into the cells that may go together now, and those that wait.

        Withheld cells come first, for a gap tells as much; then totals before strata, parts of a country before the
        whole, short periods before long ones: where figures cannot all go, the later ones wait. What waits is offered
        again with the next release.
        """
        offered = list(cells)
        if not self.check(offered):
            return offered, []
        going: list[Cell] = []
        waiting: list[Cell] = []
        for group in self._linked(offered):
            go, wait = self._part(group)
            going += go
            waiting += wait
        return going, waiting

    @staticmethod
    def relevant(cells: Iterable[Cell], fetch: Callable[[Scope], Iterable[Iterable[Cell]]]) -> "Ledger":
        """Return a ledger of all that may bear on a release, read by few narrow queries.

        Parameters
        ----------
        cells : iterable of Cell
            The release.
        fetch : callable of Scope to batches of Cell, oldest first
            Reads the stored cells of a scope. It is called again with a longer period as long as what came reaches
            beyond the period asked for (a month meets weeks, a week meets months).
        """
        widest: dict[tuple[str, str], tuple[date, date]] = {}
        for cell in cells:
            key = (cell.disease, cell.place.partition("-")[0])
            start, end = widest.get(key, (cell.period_start, cell.period_end))
            widest[key] = (min(start, cell.period_start), max(end, cell.period_end))
        ledger = Ledger()
        for (disease, country), (start, end) in sorted(widest.items()):
            for batch in _closure(Scope(disease, country, start, end), fetch):
                ledger.add(batch)
        return ledger

    def _news(self, cells: Iterable[Cell]) -> list[Cell]:
        """Return the cells that tell something: new ones, changed ones, and those said again after a part changed.

        To say again that a total stands, when a part of it was revised, is to say that it holds of the new parts.
        """
        last = {cell.figure: self._told(cell) for cell in cells}
        changed = [cell for cell in last.values() if not self.knows(cell)]
        fresh = FigureIndex(cell.figure for cell in changed)
        again = [cell for cell in last.values() if cell.figure not in fresh and self._is_overtaken(cell, fresh)]
        return [*changed, *again]

    def _told(self, cell: Cell) -> Cell:
        """Return the cell that is known already where this one withholds by a wider rule what was withheld before.

        That happens when two agreements withhold one figure by different rules: the wider one tells nothing. But a
        bound that is idle beside what is known may outlive it, and is kept.
        """
        known = self._last(cell)
        if known is None or is_bound(cell) or cell.value is not None or known.cell.value is not None:
            return cell
        said = self._range(known.cell)
        offered = self._range(cell)
        return known.cell if offered[0] <= said[0] and said[1] <= offered[1] else cell

    def _last(self, cell: Cell) -> Statement | None:
        """Return what was last said of the figure of a cell; a bound is no word on it, but another bound's match."""
        said = self._history.get(cell.figure, ())
        return next((each for each in reversed(said) if is_bound(cell) or not is_bound(each.cell)), None)

    def _says_more(self, cell: Cell) -> bool:
        """Say whether a cell that stands alone narrows what was withheld of its own figure, instead of revising it."""
        known = self._history.get(cell.figure)
        if known is None or known[-1].cell.value is not None:
            return False
        said, offered = self._range(known[-1].cell), self._range(cell)
        return max(said[0], offered[0]) <= min(said[1], offered[1])

    def _is_small(self, cell: Cell) -> bool:
        return cell.value is None and read_mark(cell.withheld, default=self._default_limit).is_small

    def _range(self, cell: Cell) -> tuple[float, float]:
        return said_range(cell, default_limit=self._default_limit)

    def _is_overtaken(self, cell: Cell, fresh: FigureIndex) -> bool:
        known = self._last(cell)
        return known is not None and (
            any(True for _ in fresh.sharing(cell.figure))
            or any(self._history[other][-1].moment > known.moment for other in self._index.sharing(cell.figure))
        )

    def _judge(self, component: list[Figure], news: dict[Figure, Cell], *, by_any_reader: bool) -> list[Breach]:
        statements = [
            replace(statement, conceded=self._conceded_since(statement))
            for figure in component
            for statement in self._history.get(figure, ())
        ]
        statements += [Statement(self._moment, news[figure]) for figure in component if figure in news]
        statements.sort(key=lambda statement: statement.moment)
        first = next(statement.cell for statement in statements if statement.cell.value is None)
        try:
            found = narrowed(statements, default_limit=self._default_limit, by_any_reader=by_any_reader)
        except TooManyAtoms:
            return [Breach(first, self._default_limit, None, None, "too-large")]
        if found is None:
            return [Breach(first, self._default_limit, None, None, "contradiction")]
        return [Breach(each.cell, each.limit, each.lower, each.upper, "narrowed") for each in found]

    def _conceded_since(self, statement: Statement) -> tuple[tuple[int, int], ...]:
        """Return what was conceded of a figure once it was withheld; a figure withheld anew is protected as a whole."""
        known = self._conceded.get(statement.cell.figure, ())
        return tuple(dict.fromkeys(kept for moment, kept in known if moment >= statement.moment))

    def _linked(self, cells: Sequence[Cell]) -> list[list[Cell]]:
        by_figure = {cell.figure: cell for cell in cells}
        groups = components(by_figure, (self._index, FigureIndex(by_figure)))
        return [[by_figure[figure] for figure in group if figure in by_figure] for group in groups]

    def _part(self, group: list[Cell]) -> tuple[list[Cell], list[Cell]]:
        if not self.check(group):
            return group, []
        going: list[Cell] = []
        waiting: list[Cell] = []
        for cell in sorted(group, key=_by_worth):
            (waiting if self.check([*going, cell]) else going).append(cell)
        return going, waiting


def _same(one: Cell, other: Cell) -> bool:
    return (one.value, one.withheld) == (other.value, other.withheld)


def _by_worth(cell: Cell) -> tuple[bool, int, int, int]:
    days = (cell.period_end - cell.period_start).days
    return (cell.value is not None, len(stratum_labels(cell.stratum)), -cell.place.count("-"), days)


def _closure(scope: Scope, fetch: Callable[[Scope], Iterable[Iterable[Cell]]]) -> list[list[Cell]]:
    while True:
        batches = [list(batch) for batch in fetch(scope)]
        starts = [cell.period_start for batch in batches for cell in batch]
        ends = [cell.period_end for batch in batches for cell in batch]
        wider = Scope(scope.disease, scope.country, min([scope.start, *starts]), max([scope.end, *ends]))
        if wider == scope:
            return batches
        scope = wider
