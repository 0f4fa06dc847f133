"""What survival analysis takes: one row a person (or a spell of one), checked once and in one place."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from corridor.base.errors import InputFault, WrongUsage

__all__ = ["BadModel", "BadSurvivalData", "SurvivalRows", "check_rows", "codes_of", "numbers"]


class BadSurvivalData(InputFault):
    """Times, events, weights, strata or covariates are not what survival analysis takes."""

    code: ClassVar[str] = "bad-survival-data"


class BadModel(WrongUsage):
    """An option of a survival analysis has an impossible value, or blocks do not fit together."""

    code: ClassVar[str] = "bad-model"


@dataclass(frozen=True)
class SurvivalRows:
    """Checked rows of one site, in the order given.

    Attributes
    ----------
    times : array, shape (rows,), from 0
        When follow-up ends; any unit, the same everywhere.
    events : array of int, shape (rows,)
        0 where follow-up ended without the event, else the number of the cause, 1 where there is one cause.
    entry : array, shape (rows,), or None
        When follow-up begins (delayed entry); a row is at risk at `t` if entry < t <= time.
    """

    times: NDArray[np.float64]
    events: NDArray[np.int64]
    entry: NDArray[np.float64] | None


def check_rows(times: ArrayLike, events: ArrayLike, *, entry: ArrayLike | None = None, causes: int = 1) -> SurvivalRows:
    """Return times, events and entries as checked arrays.

    Raises
    ------
    BadSurvivalData
        Naming the argument and the number of rows at fault, never a value.
    """
    ends = numbers(times, name="times")
    kinds = np.asarray(events)
    if kinds.shape != ends.shape:
        raise BadSurvivalData(f"events has shape {kinds.shape}; expected {ends.shape}, one for each time.")
    if kinds.dtype != np.bool_:
        raw = numbers(kinds, name="events")
        wrong = ~((raw >= 0) & (raw <= causes) & (raw == np.floor(raw)))
        if wrong.any():
            expected = "0 or 1" if causes == 1 else f"whole numbers from 0 to {causes}"
            raise BadSurvivalData(f"events: {_count(wrong)} hold something else than {expected}. Correct them.")
        kinds = raw
    if (ends < 0).any():
        raise BadSurvivalData(f"times: {_count(ends < 0)} lie before 0. Count time from time zero of the protocol.")
    starts = None
    if entry is not None:
        starts = numbers(entry, name="entry", like=ends.size)
        late = ~(starts < ends)
        if late.any():
            raise BadSurvivalData(f"entry: {_count(late)} enter when follow-up has ended. Correct or leave them out.")
    # -0.0 and 0.0 are one time.
    return SurvivalRows(times=ends + 0.0, events=kinds.astype(np.int64), entry=starts)


def numbers(values: ArrayLike, *, name: str, like: int | None = None, positive: bool = False) -> NDArray[np.float64]:
    """Return `values` as floats of shape (rows,), all finite.

    Raises
    ------
    BadSurvivalData
        If they are no such numbers.
    """
    try:
        given: NDArray[Any] = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as fault:
        raise BadSurvivalData(f"{name} cannot be read as numbers. Give a column of numbers.") from fault
    if given.ndim != 1 or (like is not None and given.size != like):
        expected = "(rows,)" if like is None else f"({like},)"
        raise BadSurvivalData(f"{name} has shape {given.shape}; expected {expected}.")
    if not np.isfinite(given).all():
        wrong = ~np.isfinite(given)
        raise BadSurvivalData(f"{name}: {_count(wrong)} are missing or infinite. Leave these rows out, as planned.")
    if positive and (given <= 0).any():
        raise BadSurvivalData(f"{name}: {_count(given <= 0)} are not above 0. Leave these rows out.")
    return given


def codes_of(values: ArrayLike | None, *, rows: int, name: str) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
    """Return a code from 0 for each row, and the sorted labels that the codes stand for; one label without `values`."""
    if values is None:
        return np.zeros(rows, np.int64), ("",)
    given = np.asarray(values)
    if given.shape != (rows,):
        raise BadSurvivalData(f"{name} has shape {given.shape}; expected ({rows},), one label for each row.")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise BadSurvivalData(f"{name}: {_count(~np.isfinite(given))} are missing. Give each row a label.")
    try:
        labels, codes = np.unique(given, return_inverse=True)
    except TypeError as fault:
        raise BadSurvivalData(
            f"{name} mixes kinds of labels, or some are missing. Give each row one of a kind."
        ) from fault
    return codes.astype(np.int64), tuple(labels.tolist())


def _count(wrong: NDArray[np.bool_]) -> str:
    number = int(wrong.sum())
    return "1 row" if number == 1 else f"{number} rows"
