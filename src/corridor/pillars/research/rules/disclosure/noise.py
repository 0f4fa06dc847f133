"""Keyed noise on counts: the same persons always bear the same noise, so that asking again averages nothing away."""

import hashlib
import hmac
import math
from collections.abc import Iterable

__all__ = ["noisy_count"]

_BITS = 53


def noisy_count(count: int, persons: Iterable[str], *, scale: float, key: bytes, smallest: int) -> int:
    """Return a count with whole-number noise that depends on nothing but the persons and the site's key.

    Parameters
    ----------
    count : int
        As it may be shown; zero stays zero, since it names nobody.
    persons : pseudonyms of those counted
    scale : float
        Of the noise, in persons; its standard deviation is about 1.4 times as much. 0 adds none.
    key : bytes
        The site's secret. Noise of a seed that can be guessed can be taken off again.
    smallest : int
        No noisy count falls below it: it would look like one that had to be withheld.

    Notes
    -----
    Two-sided geometric noise: Ghosh, Roughgarden and Sundararajan 2012, SIAM Journal on Computing 41:1673.
    """
    if scale <= 0 or count == 0:
        return count
    told = hashlib.sha256()
    for person in sorted(persons):
        told.update(hashlib.sha256(person.strip().casefold().encode()).digest())
    drawn = hmac.digest(key, b"noise of a count\n" + told.digest(), "sha256")
    up, down = (_geometric(drawn[start : start + 8], scale) for start in (0, 8))
    return max(count + up - down, smallest)


def _geometric(drawn: bytes, scale: float) -> int:
    """Return a geometric number with ratio exp(-1/scale) by inversion of a uniform one in (0, 1]."""
    uniform = ((int.from_bytes(drawn, "big") >> (64 - _BITS)) + 1) / 2**_BITS
    return math.floor(-math.log(uniform) * scale)
