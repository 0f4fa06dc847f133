"""Quantiles from counts by bins of a public grid, with limits and the bin in which the quantile of the values lies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from corridor.science.interval_tables import check_edges
from corridor.science.survival_data import BadModel

__all__ = ["GroupedQuantile", "grouped_quantile"]


@dataclass(frozen=True)
class GroupedQuantile:
    """A quantile of grouped values.

    Attributes
    ----------
    value : float
        Within `bin`.
    low, high : float or None
        Limits; None where a limit of the share lies beyond 0 or 1.
    bin : (float, float)
        The bin, its lower edge excluded, that holds the smallest value up to which the share of values lies: the shift
        by grouping is no larger than the bin is wide.
    """

    value: float
    low: float | None
    high: float | None
    bin: tuple[float, float]


def grouped_quantile(edges: ArrayLike, counts: ArrayLike, share: float, *, confidence: float = 0.95) -> GroupedQuantile:
    """Return the value below which a share of the persons lies, the persons of a bin evenly spread over it.

    Parameters
    ----------
    edges : array, shape (bins + 1,), ascending
    counts : array of int, shape (bins,)
        Persons with a value above the lower edge of a bin and up to the upper one.
    share : float, above 0 and below 1

    Raises
    ------
    BadModel
        If an argument is at fault, or nobody is counted.

    Notes
    -----
    The cumulated share of persons is interpolated linearly between edges. Where the n persons of a bin of width w that
    begins at a are put at a + w/n, a + 2w/n, …, a + w, and no bin is empty, that is definition 4 of Hyndman and Fan
    1996, The American Statistician 50:361. Limits: those of the share, p ± z √(p(1 − p)/n), carried over by the same
    interpolation; Woodruff 1952, J Am Stat Assoc 47:635.
    """
    bounds = check_edges(edges)
    persons = np.asarray(counts, dtype=np.int64)
    if persons.shape != (bounds.size - 1,) or (persons < 0).any() or not persons.any():
        raise BadModel("counts must be whole numbers from 0, one for each bin between edges, not all of them 0.")
    if not 0.0 < share < 1.0:
        raise BadModel(f"share is {share}; expected a number between 0 and 1.")
    total = int(persons.sum())
    half = float(special.ndtri(0.5 + confidence / 2)) * np.sqrt(share * (1.0 - share) / total)
    place = _bin_of(persons, share)
    return GroupedQuantile(
        value=_value_at(bounds, persons, share),
        low=_value_at(bounds, persons, share - half) if share - half > 0 else None,
        high=_value_at(bounds, persons, share + half) if share + half < 1 else None,
        bin=(float(bounds[place]), float(bounds[place + 1])),
    )


def _bin_of(persons: NDArray[np.int64], share: float) -> int:
    """Return the first bin up to whose end at least the share of persons lies."""
    reached = np.cumsum(persons) >= share * persons.sum() * (1.0 - 1e-12)
    return int(np.argmax(reached))


def _value_at(bounds: NDArray[np.float64], persons: NDArray[np.int64], share: float) -> float:
    place = _bin_of(persons, share)
    before = int(persons[:place].sum())
    part = min(max((share * persons.sum() - before) / persons[place], 0.0), 1.0)
    return float(bounds[place] + part * (bounds[place + 1] - bounds[place]))
