"""What detection takes: counts over time, checked once and in one place."""

from collections.abc import Sequence
from datetime import date
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corridor.base.errors import InputFault, WrongUsage

__all__ = ["BadCounts", "BadDates", "BadOption", "Dates", "TooFewWeeks", "UnknownMethod"]

Dates = Sequence[date] | Sequence[str] | Sequence[np.datetime64] | NDArray[np.datetime64]


class TooFewWeeks(InputFault):
    """The series is too short for the method and its options."""

    code: ClassVar[str] = "too-few-weeks"


class BadCounts(InputFault):
    """Counts, or what goes with them, are no whole numbers from zero or have the wrong shape."""

    code: ClassVar[str] = "bad-counts"


class BadDates(InputFault):
    """Dates are missing, not in order or have gaps."""

    code: ClassVar[str] = "bad-dates"


class BadOption(WrongUsage):
    """An option of a method has an impossible value."""

    code: ClassVar[str] = "bad-option"


class UnknownMethod(WrongUsage):
    """No method of detection has the given name."""

    code: ClassVar[str] = "unknown-method"


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Return `values` contiguous and writable: each other kind of array would have its kernel compiled once more."""
    return np.require(values, requirements=["C", "W"])


def counts_by_epoch(counts: ArrayLike) -> NDArray[np.float64]:
    """Return `counts`, shape (time,) or (time, series), as a contiguous float array of shape (time, series).

    Raises
    ------
    BadCounts
        If a count is negative, infinite or not whole. The message names epoch and series by index.
    """
    table = _plain(np.asarray(counts, dtype=np.float64))
    if table.ndim == 1:
        table = table[:, np.newaxis]
    if table.ndim != 2 or table.shape[0] == 0:
        raise BadCounts(f"counts have shape {table.shape}; expected (time,) or (time, series) with at least one epoch.")
    # Compiled code takes a second to load; whoever only imports the module does not pay for it.
    from corridor.science._checks import are_counts

    if not are_counts(table):
        _refuse_counts(table)
    return table


def _refuse_counts(table: NDArray[np.float64]) -> None:
    wrong = ~np.isnan(table) & ((table < 0) | ~np.isfinite(table) | (table != np.floor(table)))
    epoch, series = np.argwhere(wrong)[0]
    raise BadCounts(
        f"count {table[epoch, series]:g} at epoch {epoch}, series {series}; expected whole numbers from 0, NaN for a"
        " missing count. Correct it, or leave it missing."
    )


def counts_by_series(counts: ArrayLike) -> NDArray[np.float64]:
    """Return `counts` as `counts_by_epoch` does, but of shape (series, time)."""
    return _plain(counts_by_epoch(counts).T)


def like_counts(values: ArrayLike | None, *, shape: tuple[int, int], name: str) -> NDArray[np.float64] | None:
    """Return `values` (one, per series, or per epoch and series) spread to `shape` (series, time), or None.

    Raises
    ------
    BadCounts
        If the shape fits neither.
    """
    if values is None:
        return None
    given = np.asarray(values, dtype=np.float64)
    series, epochs = shape
    if given.ndim == 2 and given.shape == (epochs, series):
        return _plain(given.T)
    if given.ndim == 1 and given.shape == (epochs,) and series == 1:
        return _plain(given[np.newaxis, :])
    if given.ndim <= 1 and given.size in (1, series):
        return _plain(np.broadcast_to(given.reshape(-1, 1), shape))
    raise BadCounts(f"{name} has shape {given.shape}; expected ({series},) or ({epochs}, {series}).")


def mask_like_counts(values: ArrayLike | None, *, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask `values`, per epoch or per epoch and series, spread to (series, time); (series, 0) without one.

    Raises
    ------
    BadCounts
        If the shape does not fit.
    """
    if values is None:
        return np.zeros((shape[0], 0), np.bool_)
    given = np.asarray(values, dtype=np.bool_)
    series, epochs = shape
    if given.shape == (epochs,):
        given = given[:, np.newaxis]
    if given.shape not in {(epochs, series), (epochs, 1)}:
        raise BadCounts(f"exclude has shape {given.shape}; expected ({epochs},) or ({epochs}, {series}).")
    return _plain(np.broadcast_to(given.T, shape))


def days_of(dates: Dates | None, *, epochs: int) -> NDArray[np.datetime64] | None:
    """Return `dates` as days, checked to be as many as epochs and in order, or None for an undated series.

    Raises
    ------
    BadDates
        If they are not.
    """
    if dates is None:
        return None
    try:
        days = np.asarray(dates, dtype="datetime64[D]")
    except ValueError as fault:
        raise BadDates(f"dates cannot be read as days ({fault}); expected ISO dates such as 2024-01-29.") from fault
    if days.shape != (epochs,):
        raise BadDates(f"{days.size} dates for {epochs} epochs; expected the first day of each epoch.")
    if np.isnat(days).any() or (days[1:] <= days[:-1]).any():
        raise BadDates("dates must be complete and ascend, oldest first. Sort them and fill the gaps with NaN counts.")
    return days


def epochs_to_judge(evaluate: int | ArrayLike | None, *, epochs: int) -> NDArray[np.int64]:
    """Return the indices of the epochs to judge: the last one by default; negative indices count from the end.

    Raises
    ------
    BadOption
        If an index lies outside the series.
    """
    chosen = np.atleast_1d(np.asarray([epochs - 1] if evaluate is None else evaluate, dtype=np.int64))
    chosen = np.where(chosen < 0, chosen + epochs, chosen)
    if chosen.ndim != 1 or ((chosen < 0) | (chosen >= epochs)).any():
        raise BadOption(f"evaluate names an epoch outside 0 to {epochs - 1}. Name indices of epochs of the series.")
    return chosen


def require(claim: bool, text: str) -> None:
    """Raise `BadOption` with `text` unless `claim` holds."""
    if not claim:
        raise BadOption(text)
