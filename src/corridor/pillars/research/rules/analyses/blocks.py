"""How symmetric matrices stand in blocks: the upper triangle, row by row."""

from collections.abc import Sequence

import numpy as np

from corridor.pillars.research.rules.rows import FloatArray

__all__ = ["flat", "square"]


def flat(matrix: FloatArray) -> list[float]:
    """Return the upper triangle of a symmetric matrix, shape (p, p), row by row: p(p+1)/2 numbers."""
    return [float(each) for each in matrix[np.triu_indices(len(matrix))]]


def square(triangle: Sequence[float] | FloatArray, width: int) -> FloatArray:
    """Return the symmetric matrix, shape (width, width), whose upper triangle `flat` gave."""
    matrix = np.zeros((width, width))
    matrix[np.triu_indices(width)] = triangle
    return matrix + np.triu(matrix, 1).T
