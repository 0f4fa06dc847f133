"""Corrected rows: whether the same sums over former and over corrected rows give the values of a few persons away.

Frozen again after a correction, rows are of the same persons: no set of persons changed, and differencing of sets sees
nothing. But the sums over a set before, less those after, are the sum of what was corrected within that set.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from corridor.pillars.research.rules.disclosure.differencing import hides_in
from corridor.pillars.research.rules.rows import Mask, SiteTable, in_one_spelling

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


def tells_few_corrections(
    corrected: Iterable[Mask], *, former: Sequence[Mask], latter: Sequence[Mask], smallest: int
) -> bool:
    """Return whether sums over sets of the former and of the latter rows can be combined into few persons' corrections.

    Parameters
    ----------
    corrected : arrays of bool, shape (persons,)
        For each variable the persons whose value differs.
    former, latter : arrays of bool, shape (persons,)
        The sets over which sums of the former, and of the latter rows are known.
    smallest : int
        k: the corrections of 1 to k - 1 persons are protected.

    Notes
    -----
    A combination of latter sums less one of former sums over the same persons is the sum of their corrections. So each
    latter set is told twice, as it is and cut to those who were corrected, and each former set once: where a
    combination of them leaves nothing but few of the cut ones, it tells these. Sums of products change by those
    corrected in either variable; few of these are few in one of the variables.
    """
    distinct = {each.tobytes(): each for each in corrected}.values()
    return any(
        hides_in(
            [
                *(np.concatenate((told, np.zeros_like(told))) for told in former),
                *(np.concatenate((told, told & cut)) for told in latter),
            ],
            smallest=smallest,
        )
        for cut in distinct
    )


def _numbered(persons: Sequence[str]) -> tuple[int, NDArray[np.int64]]:
    """Return how many persons there are, and the number of each one's; spelt as the ledger tells them apart."""
    told = list(in_one_spelling(persons))
    numbers = {person: number for number, person in enumerate(dict.fromkeys(told))}
    return len(numbers), np.array([numbers[person] for person in told], dtype=np.int64)


def _sorted(owners: NDArray[np.int64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    order = np.lexsort((values, owners))
    return values[order], owners[order]
