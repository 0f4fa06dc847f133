"""A release by hand: which of the figures that the ledger protects two persons may answer for, and which never."""

from __future__ import annotations

from collections.abc import Iterable

from corridor.base.disclosure import Breach, Cell, conceded

__all__ = ["concessions", "unanswered"]


def concessions(breaches: Iterable[Breach]) -> list[Cell]:
    """Return how the ledger writes down that two persons let a partner work this out; what is not known is left out."""
    return [
        Cell(*breach.cell.figure, withheld=conceded(breach.lower, breach.upper))
        for breach in breaches
        if breach.is_known and breach.lower is not None and breach.upper is not None
    ]


def unanswered(breaches: Iterable[Breach], *, offered: Iterable[Cell], agreed: Iterable[Cell]) -> list[Breach]:
    """Return the withheld figures at risk that no two persons answer for, or can.

    Parameters
    ----------
    breaches : iterable of Breach
        What every reader could work out after the release (`Ledger.deductions`).
    offered : iterable of Cell
        The figures of the release.
    agreed : iterable of Cell
        What the two persons agreed to, as `concessions` writes it: figure by figure the very range that they were
        shown. One that has changed since is not agreed to.

    Notes
    -----
    Two persons answer for a figure that may cross by itself and would narrow another one. They cannot let the
    withheld figure itself be shown, and not what nobody can tell them: figures that contradict each other, or that
    are too many to judge.
    """
    shown = {cell.figure for cell in offered if cell.value is not None}
    answered = {(cell.figure, cell.withheld) for cell in agreed}
    return [
        breach
        for breach in breaches
        if breach.cell.figure in shown
        or not any((cell.figure, cell.withheld) in answered for cell in concessions([breach]))
    ]
