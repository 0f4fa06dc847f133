"""Corrected rows: whether the same sums over former and over corrected rows give the values of a few persons away.

Frozen again after a correction, rows are of the same persons: no set of persons changed, and differencing of sets sees
nothing. But the sums over a set before, less those after, are the sum of what was corrected within that set.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from corridor.pillars.research.rules.disclosure.differencing import hides_in
from corridor.pillars.research.rules.rows import Mask, SiteTable

__all__ = ["corrected_rows", "tells_few_corrections"]


def corrected_rows(former: SiteTable, latter: SiteTable) -> dict[str, Mask]:
    """Return the rows of `latter` whose person is in both tables and has another value in `former`, by variable.

    Returns
    -------
    mapping of variable to array of bool, shape (rows of `latter`,)
        Variables of both tables of which some person's value differs; one that is missing in one table alone differs.
        Of a person with several rows all are told, whichever of them differ: their order says nothing.
    """
    persons, places = _numbered((*former.persons, *latter.persons))
    old, new = places[: len(former)], places[len(former) :]
    in_both = np.isin(np.arange(persons), old) & np.isin(np.arange(persons), new)
    other_number = np.bincount(old, minlength=persons) != np.bincount(new, minlength=persons)
    # Rows of persons with as many of them in both tables stand beside one another once each side is sorted.
    beside = in_both & ~other_number
    before, after = beside[old], beside[new]
    found = {}
    for name in sorted(former.columns.keys() & latter.columns.keys()):
        differing = in_both & other_number
        one, owners = _sorted(old[before], former.columns[name][before])
        other, _ = _sorted(new[after], latter.columns[name][after])
        differing[owners[~((one == other) | (np.isnan(one) & np.isnan(other)))]] = True
        if differing.any():
            found[name] = differing[new]
    return found


def tells_few_corrections(corrected: Iterable[Mask], released: Sequence[Mask], *, smallest: int) -> bool:
    """Return whether sums over `released` sets, asked again, can be combined into the correction of a few persons.

    Parameters
    ----------
    corrected : arrays of bool, shape (persons,)
        For each variable the persons whose value differs.
    released : arrays of bool, shape (persons,)
        The sets over which sums of the former rows left; none where nothing did.
    smallest : int
        k: the corrections of 1 to k - 1 persons are protected.

    Notes
    -----
    What a set's sum over one variable changes by is the sum of the corrections of those of it who were corrected. So
    this is differencing over the persons who were corrected, with the sets cut to them, and with all of them as a set,
    since the next analysis may be over everybody. Sums of products change by those corrected in either variable; a sum
    over few of these is one over few of those corrected in one of the variables.
    """
    distinct = {each.tobytes(): each for each in corrected}.values()
    return any(hides_in([each, *(each & one for one in released)], smallest=smallest) for each in distinct)


def _numbered(persons: Sequence[str]) -> tuple[int, NDArray[np.int64]]:
    """Return how many persons there are, and the number of each one's; spelt as the ledger tells them apart."""
    told = [person.strip().casefold() for person in persons]
    numbers = {person: number for number, person in enumerate(dict.fromkeys(told))}
    return len(numbers), np.array([numbers[person] for person in told], dtype=np.int64)


def _sorted(owners: NDArray[np.int64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    order = np.lexsort((values, owners))
    return values[order], owners[order]
