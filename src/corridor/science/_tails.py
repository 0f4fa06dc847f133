"""Compiled tails and quantiles of the Poisson and the negative binomial distribution, for any mean without an abort.

The negative binomial is written by its mean m and its variance phi m (phi > 1): size m / (phi - 1), success probability
1 / phi. Probabilities follow Loader (2000), "Fast and accurate computation of binomial probabilities"; tails follow the
continued fraction of the incomplete beta function and the series of the incomplete gamma function (DLMF 8.17.22 and
8.7.1).

numba's cache of a kernel does not notice a change in a function that it calls from another
module: after a change here, touch the kernels that call it, or remove ``__pycache__``.
"""
# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of compiled functions; annotations would promise what nothing checks)

import math

import numba
import numpy as np

LARGEST_MEAN = 1e12
_SMALLEST = 1e-300
_EXACT = 1e-16
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@compiled
def normal_upper_tail(x):
    """Return P(Z > x) of the standard normal distribution."""
    return 0.5 * math.erfc(x * 0.7071067811865476)


@compiled
def _stirling_error(n):
    """Return log(n!) less Stirling's approximation, for real n > 0."""
    if n < 16.0:
        return math.lgamma(n + 1.0) - (n + 0.5) * math.log(n) + n - _HALF_LOG_2PI
    m = 1.0 / (n * n)
    return (1 / 12 - m * (1 / 360 - m * (1 / 1260 - m * (1 / 1680 - m / 1188)))) / n


@compiled
def deviance_part(x, m):
    """Return x log(x / m) + m - x without cancellation where x is near m."""
    if abs(x - m) < 0.1 * (x + m):
        v = (x - m) / (x + m)
        total = (x - m) * v
        term = 2.0 * x * v
        k = 1
        while k < 1000:
            term *= v * v
            k += 2
            longer = total + term / k
            if longer == total:
                break
            total = longer
        return total
    return x * math.log(x / m) + m - x


@compiled
def probability(y, m, phi):
    """Return P(Y = y) for the mean `m` > 0 and the variance `phi` `m`; Poisson if phi is 1."""
    if phi <= 1.0:
        if y == 0.0:
            return math.exp(-m)
        return math.exp(-_stirling_error(y) - deviance_part(y, m)) / math.sqrt(2.0 * math.pi * y)
    size = m / (phi - 1.0)
    if y == 0.0:
        return math.exp(-size * math.log(phi))
    n = size + y
    p = 1.0 / phi
    q = (phi - 1.0) / phi
    exponent = (
        _stirling_error(n)
        - _stirling_error(size)
        - _stirling_error(y)
        - deviance_part(size, n * p)
        - deviance_part(y, n * q)
    )
    return size / n * math.exp(exponent) * math.sqrt(n / (2.0 * math.pi * size * y))


@compiled
def _beta_fraction(a, b, x):
    """Return the continued fraction of I_x(a, b), evaluated by Lentz's method; it is quick for x < (a+1)/(a+b+2)."""
    c = 1.0
    d = 1.0 - (a + b) * x / (a + 1.0)
    if abs(d) < _SMALLEST:
        d = _SMALLEST
    d = 1.0 / d
    value = d
    m = 1.0
    while m < 1e6:
        step = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        d = 1.0 + step * d
        if abs(d) < _SMALLEST:
            d = _SMALLEST
        c = 1.0 + step / c
        if abs(c) < _SMALLEST:
            c = _SMALLEST
        d = 1.0 / d
        value *= d * c
        step = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        d = 1.0 + step * d
        if abs(d) < _SMALLEST:
            d = _SMALLEST
        c = 1.0 + step / c
        if abs(c) < _SMALLEST:
            c = _SMALLEST
        d = 1.0 / d
        value *= d * c
        if abs(d * c - 1.0) < 3e-16:
            break
        m += 1.0
    return value


@compiled
def upper_tail(y, m, phi):
    """Return P(Y >= y) for the mean `m` > 0 and the variance `phi` `m`; Poisson if phi is 1."""
    if y <= 0.0:
        return 1.0
    if phi <= 1.0:
        if y > m:
            term = 1.0
            total = 1.0
            k = y
            while term > _EXACT * total:
                k += 1.0
                term *= m / k
                total += term
            return min(1.0, probability(y, m, phi) * total)
        term = 1.0
        total = 1.0
        k = y - 1.0
        while k > 0.0 and term > _EXACT * total:
            term *= k / m
            total += term
            k -= 1.0
        return max(0.0, 1.0 - probability(y - 1.0, m, phi) * total)
    size = m / (phi - 1.0)
    p = 1.0 / phi
    q = (phi - 1.0) / phi
    at_y = probability(y, m, phi)
    if q < (y + 1.0) / (y + size + 2.0):
        return min(1.0, at_y * _beta_fraction(y, size, q))
    return max(0.0, 1.0 - at_y * y / size * _beta_fraction(size, y, p))


@compiled
def _normal_guess(alpha_z, m, phi):
    sd = math.sqrt(phi * m)
    skew = (2.0 * phi - 1.0) / sd
    return max(0.0, math.floor(m + sd * (alpha_z + skew * (alpha_z * alpha_z - 1.0) / 6.0)))


@compiled
def upper_quantile(alpha, z, m, phi):
    """Return the smallest whole q with P(Y > q) <= `alpha`; `z` is the normal quantile at 1 - alpha.

    NaN if `m` is not finite, not positive or above `LARGEST_MEAN`.
    """
    if not (0.0 < m <= LARGEST_MEAN) or not phi < LARGEST_MEAN:
        return np.nan
    # R's own searches forgive 64 units of rounding at a tie; so do we.
    limit = alpha * (1.0 + 64 * 2.220446049250313e-16)
    at = _normal_guess(z, m, phi)
    above = upper_tail(at + 1.0, m, phi)
    here = probability(at, m, phi)
    odds = m if phi <= 1.0 else (phi - 1.0) / phi
    size = 0.0 if phi <= 1.0 else m / (phi - 1.0)
    for _ in range(30):
        if above > limit:
            at += 1.0
            here *= odds / at if phi <= 1.0 else odds * (size + at - 1.0) / at
            above -= here
            if above <= limit:
                return at
        else:
            if at == 0.0 or above + here > limit:
                return at
            above += here
            here *= at / odds if phi <= 1.0 else at / (odds * (size + at - 1.0))
            at -= 1.0
    return _bisected_quantile(limit, m, phi, at)


@compiled
def _bisected_quantile(limit, m, phi, at):
    low = at
    step = 1.0
    while low > 0.0 and upper_tail(low + 1.0, m, phi) <= limit:
        low = max(0.0, low - step)
        step *= 2.0
    if low == 0.0 and upper_tail(1.0, m, phi) <= limit:
        return 0.0
    high = max(at, low + 1.0)
    step = 1.0
    while upper_tail(high + 1.0, m, phi) > limit:
        low = high
        high += step
        step *= 2.0
    while high - low > 1.0:
        middle = math.floor(0.5 * (low + high))
        if upper_tail(middle + 1.0, m, phi) <= limit:
            high = middle
        else:
            low = middle
    return high
