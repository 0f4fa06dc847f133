"""The compiled check of counts: one pass, no copies."""
# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of compiled functions; annotations would promise what nothing checks)

import math

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, error_model="numpy")
def are_counts(table):
    """Return whether every cell is a whole number from zero or NaN."""
    sound = True
    for epoch in range(table.shape[0]):
        row = table[epoch]
        for series in range(row.size):
            cell = row[series]
            sound &= (cell != cell) | ((cell >= 0.0) & (cell < math.inf) & (np.floor(cell) == cell))
    return sound
