"""Compiled order of rows: a stable radix sort, which whole-day times pass through in two or three rounds."""
# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of compiled functions; annotations would promise what nothing checks)

import numba
import numpy as np

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")

_DIGIT = 11
_BUCKETS = 1 << _DIGIT


@compiled
def sorted_by(keys, order):
    """Return `order` (indices of rows) sorted by `keys` (uint64 of each row); equal keys keep their order.

    A digit in which all keys agree costs nothing.
    """
    differing = np.uint64(0)
    for row in range(keys.size):
        differing |= keys[row] ^ keys[0]
    mask = np.uint64(_BUCKETS - 1)
    shift = np.uint64(0)
    while shift < np.uint64(64):
        if (differing >> shift) & mask:
            starts = np.zeros(_BUCKETS + 1, np.int64)
            for row in range(keys.size):
                starts[np.int64((keys[row] >> shift) & mask) + 1] += 1
            for bucket in range(_BUCKETS):
                starts[bucket + 1] += starts[bucket]
            after = np.empty_like(order)
            for place in range(order.size):
                row = order[place]
                after[starts[np.int64((keys[row] >> shift) & mask)]] = row
                starts[np.int64((keys[row] >> shift) & mask)] += 1
            order = after
        shift += np.uint64(_DIGIT)
    return order
