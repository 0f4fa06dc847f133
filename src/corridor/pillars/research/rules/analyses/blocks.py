"""How symmetric matrices stand in blocks: the upper triangle, row by row."""

from collections.abc import Sequence

import numpy as np

from corridor.pillars.research.rules.rows import FloatArray

__all__ = ["flat", "square"]


def flat(matrix: FloatArray) -> list[float]:
    """Return the upper triangle of a symmetric matrix, shape (p, p), row by row: p(p+1)/2 numbers.

    Of matrices one above the other, shape (n, p, p), one triangle after the other.
    """
    upper = np.triu_indices(matrix.shape[-1])
    return [float(each) for each in matrix[..., upper[0], upper[1]].ravel()]


def square(triangle: Sequence[float] | FloatArray, width: int) -> FloatArray:
    """Return the symmetric matrix, shape (width, width), whose upper triangle `flat` gave; of rows of them, (n, …)."""
    upper = np.triu_indices(width)
    numbers = np.asarray(triangle, dtype=float)
    matrix = np.zeros((*numbers.shape[:-1], width, width))
    matrix[..., upper[0], upper[1]] = numbers
    matrix[..., upper[1], upper[0]] = numbers
    return matrix
