"""Small linear systems in plain floats: the same bits on every processor and with every linear algebra library."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from corridor.base.errors import InputFault

__all__ = ["CollinearCovariates", "inverse", "solve"]

# Of a covariate scaled to unit information, this much must be its own.
SMALLEST_PIVOT = 1e-11


class CollinearCovariates(InputFault):
    """A covariate is constant at every event time, or follows from others."""

    code: ClassVar[str] = "collinear-covariates"

    def __init__(self, text: str, *, columns: tuple[int, ...]) -> None:
        super().__init__(text)
        self.columns = columns


def solve(information: NDArray[np.float64], right: NDArray[np.float64], *, names: Sequence[str]) -> NDArray[np.float64]:
    """Return x with ``information @ x = right``, by Cholesky's method in plain floats.

    Raises
    ------
    CollinearCovariates
        If `information` is singular; the message names the first covariate at fault.
    """
    factor, scale = _cholesky(information, names)
    return np.array(_back(factor, scale, [float(value) for value in right]))


def inverse(information: NDArray[np.float64], *, names: Sequence[str]) -> NDArray[np.float64]:
    """Return the inverse of `information`, symmetric; errors as `solve`."""
    factor, scale = _cholesky(information, names)
    width = len(scale)
    columns = [_back(factor, scale, [float(i == j) for i in range(width)]) for j in range(width)]
    found = np.array(columns)
    return np.asarray((found + found.T) / 2.0)


def _cholesky(information: NDArray[np.float64], names: Sequence[str]) -> tuple[list[list[float]], list[float]]:
    """Return the lower Cholesky factor of `information` scaled to a unit diagonal, and the scale."""
    width = information.shape[0]
    rows: list[list[float]] = information.tolist()
    scale = []
    for j in range(width):
        if not rows[j][j] > 0.0:
            raise CollinearCovariates(
                f"covariate {names[j]!r} does not vary among those at risk at any event. Leave it out.", columns=(j,)
            )
        scale.append(1.0 / math.sqrt(rows[j][j]))
    factor = [[0.0] * width for _ in range(width)]
    for j in range(width):
        for i in range(j, width):
            left = rows[i][j] * scale[i] * scale[j]
            for k in range(j):
                left -= factor[i][k] * factor[j][k]
            if i > j:
                factor[i][j] = left / factor[j][j]
            elif left > SMALLEST_PIVOT:
                factor[j][j] = math.sqrt(left)
            else:
                raise CollinearCovariates(
                    f"covariate {names[j]!r} is a linear combination of those before it ({', '.join(names[:j])})."
                    " Leave one of them out, or merge levels.",
                    columns=tuple(range(j + 1)),
                )
    return factor, scale


def _back(factor: list[list[float]], scale: list[float], right: list[float]) -> list[float]:
    width = len(scale)
    found = [right[i] * scale[i] for i in range(width)]
    for i in range(width):
        for k in range(i):
            found[i] -= factor[i][k] * found[k]
        found[i] /= factor[i][i]
    for i in range(width - 1, -1, -1):
        for k in range(i + 1, width):
            found[i] -= factor[k][i] * found[k]
        found[i] /= factor[i][i]
    return [found[i] * scale[i] for i in range(width)]
