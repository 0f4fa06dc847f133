"""Suppression of a table before it leaves: small cells first, then what would give them away."""

from collections.abc import Iterable
from dataclasses import replace

from corridor.base.disclosure.cells import (
    Cell,
    DisclosureRule,
    below,
    complement,
    place_level,
    rule_for,
    stratum_kind,
)
from corridor.base.disclosure.ledger import Ledger
from corridor.base.disclosure.overlap import shares_cases

__all__ = ["suppress"]


def suppress(cells: Iterable[Cell], rules: Iterable[DisclosureRule], *, ledger: Ledger | None = None) -> list[Cell]:
    """Return the cells that may be told, small ones and their complements withheld.

    Parameters
    ----------
    cells : iterable of Cell
        A table with its totals, true values.
    rules : iterable of DisclosureRule
        What no rule opens is left out of the result: that such a figure exists does not cross either.
    ledger : Ledger, optional
        What partners know already; without it the table is judged by itself.

    Returns
    -------
    list of Cell, in the order given
        Primary: a value of 1 to k - 1 is withheld as ``below-k``. Secondary: of the figures that share cases with one
        that could be worked out, the smallest is withheld as ``complement-k`` (k its own rule's), strata before totals,
        until nothing can be worked out.

    Notes
    -----
    What the ledger cannot mend here (older figures give the cell away) is left for `Ledger.releasable` to hold back.
    """
    rules = tuple(rules)
    table: list[Cell] = []
    limits: list[int] = []
    for cell in cells:
        level, kind = place_level(cell.place), stratum_kind(cell.stratum)
        rule = rule_for(rules, disease=cell.disease, place_level=level, stratum=kind)
        if rule is not None:
            table.append(_primary(cell, rule.min_cell))
            limits.append(rule.min_cell)
    known = ledger or Ledger()
    while breaches := known.check(table):
        chosen = _complement_of([breach.cell for breach in breaches], table, known)
        if chosen is None:
            break
        table[chosen] = replace(table[chosen], value=None, withheld=complement(limits[chosen]))
    return table


def _primary(cell: Cell, min_cell: int) -> Cell:
    if cell.value is not None and 0 < cell.value < min_cell:
        return replace(cell, value=None, withheld=below(min_cell))
    return cell


def _complement_of(at_risk: list[Cell], table: list[Cell], known: Ledger) -> int | None:
    """Return the number of the figure to withhold next, or None if none is left that could help.

    To withhold what partners were told already hides nothing.
    """
    linked = {cell.figure for cell in at_risk}
    grew = True
    while grew:
        more = {cell.figure for cell in table if any(shares_cases(cell.figure, figure) for figure in linked)}
        grew = not more <= linked
        linked |= more
    choices = [
        (-cell.stratum.count(":"), -cell.place.count("-"), cell.period_end - cell.period_start, cell.value, number)
        for number, cell in enumerate(table)
        if cell.figure in linked and cell.value is not None and cell.value > 0 and not known.knows(cell)
    ]
    return min(choices)[-1] if choices else None
