"""Counts of a table: small cells are withheld, and so are enough others that none comes back by subtraction."""

from collections.abc import Sequence

__all__ = ["suppress_counts"]


def suppress_counts(counts: Sequence[int], *, smallest: int) -> list[int | None]:
    """Return the counts of the parts of a known total, with None for those that are withheld.

    Parameters
    ----------
    counts : persons in each part
    smallest : int
        k: parts of 1 to k - 1 persons are withheld. Where the withheld parts together have less than k persons, or
        there is only one of them, the smallest of the others is withheld too: the total less the shown parts would
        give it away.

    Notes
    -----
    Source: complementary suppression, Hundepool et al. 2012, Statistical Disclosure Control, section 4.4.
    """
    withheld = {index for index, count in enumerate(counts) if 0 < count < smallest}
    while withheld and (len(withheld) == 1 or sum(counts[index] for index in withheld) < smallest):
        others = [index for index in range(len(counts)) if index not in withheld and counts[index] > 0]
        if not others:
            break
        withheld.add(min(others, key=lambda index: (counts[index], index)))
    if withheld and len(withheld) == 1:
        return [None] * len(counts)
    return [None if index in withheld else count for index, count in enumerate(counts)]
