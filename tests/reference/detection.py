"""Slow, obvious second implementations of outbreak detection, one series and one epoch at a time.

Nothing here is shared with `corridor.science`: whole design matrices, least squares by numpy, distributions by scipy.
Each result says in `close_call` whether a decision (convergence, an outlier, the trend) hung on rounding, where two
right implementations may part.
"""

import itertools
import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from scipy import stats


@dataclass
class Judgement:
    """One judged count; None where the method gives nothing."""

    expected: float | None = None
    upperbound: float | None = None
    alarm: bool = False
    pvalue: float | None = None
    trend: bool | None = None
    phi: float | None = None
    mean: float | None = None
    close_call: bool = False


@dataclass
class _Fit:
    beta: np.ndarray
    mu: np.ndarray
    weights: np.ndarray
    covariance: np.ndarray
    leverage: np.ndarray
    converged: bool
    close_call: bool


def ears(series, k, *, method="c1", baseline=7, min_sigma=0.0, alpha=None):
    """Return the EARS limit at index k, and whether the count exceeds it."""
    z = stats.norm.ppf(1 - (alpha if alpha is not None else {"c1": 0.001, "c2": 0.001, "c3": 0.025}[method]))

    def window(end):
        part = np.array([series[i] for i in range(end - baseline, end)], float)
        return part.mean(), max(np.std(part, ddof=1), min_sigma)

    if method == "c1":
        mean, sd = window(k)
        limit = mean + z * sd
    elif method == "c2":
        mean, sd = window(k - 2)
        limit = mean + z * sd
    else:
        carried = 0.0
        for j in (k - 1, k - 2):
            mean, sd = window(j - 2)
            carried += np.maximum(0.0, (series[j] - mean) / np.float64(sd) - 1)
        _, sd = window(k - 2)
        limit = float(np.maximum(0.0, series[k] + sd * (z - carried)))
    return limit, bool(series[k] > limit)


def years_before(day, years, *, weekly=True):
    """Return the date so many calendar years earlier, on the weekday of `day` if the series is weekly."""
    try:
        earlier = day.replace(year=day.year - years)
    except ValueError:
        earlier = date(day.year - years, 3, 1)
    if not weekly:
        return earlier
    candidates = [earlier + timedelta(days=shift) for shift in range(-6, 7)]
    same = [other for other in candidates if other.weekday() == day.weekday()]
    # Of two at the same distance, R's rule takes the one in the same Sunday-to-Saturday week.
    return min(same, key=lambda other: (abs((other - earlier).days), _sunday(other) != _sunday(earlier)))


def _sunday(day):
    return day - timedelta(days=(day.weekday() + 1) % 7)


def _baseline(k, length, days, frequency, years_back, half_window, periods, excluded):
    """Return the baseline rows with their season labels 1..periods."""
    if days is None:
        references = [k - year * frequency for year in range(years_back + 1)]
    else:
        references = [k]
        for year in range(1, years_back + 1):
            references.append(days.index(years_before(days[k], year, weekly=frequency == 52)))
    label = {}
    for later, earlier in itertools.pairwise(references):
        between = list(range(earlier + half_window + 1, later - half_window))
        if periods > 1:
            size, longer = divmod(len(between), periods - 1)
            position = 0
            for block in range(1, periods):
                for _ in range(size + (1 if block <= longer else 0)):
                    label[between[position]] = block
                    position += 1
        for row in range(earlier - half_window, earlier + half_window + 1):
            label[row] = periods
    for row in range(k - half_window, k + 1):
        label[row] = periods
    return {row: label[row] for row in sorted(label) if row < k - excluded}


def _glm(design, y, offset, prior):
    """Fit a quasi-Poisson log-linear model by iteratively reweighted least squares."""
    mu = y + 0.1
    eta = np.log(mu)
    close = False

    def deviance(mean):
        ratio = np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / mean), 0.0)
        return 2 * float(np.sum(prior * (ratio - (y - mean))))

    before = deviance(mu)
    for _ in range(25):
        weights = prior * mu
        response = eta - offset + (y - mu) / mu
        root = np.sqrt(weights)[:, None]
        beta = np.linalg.lstsq(root * design, root[:, 0] * response, rcond=None)[0]
        with np.errstate(over="ignore"):
            eta = design @ beta + offset
            mu = np.maximum(np.exp(eta), np.finfo(float).eps)
        now = deviance(mu)
        if not math.isfinite(now):
            return None
        change = abs(now - before) / (abs(now) + 0.1)
        close |= abs(change - 1e-8) < 2e-9
        before = now
        if change < 1e-8:
            converged = True
            break
    else:
        converged = False
    q, r = np.linalg.qr(root * design)
    inverse = np.linalg.inv(r)
    return _Fit(beta, mu, weights, inverse @ inverse.T, np.sum(q * q, axis=1), converged, close)


def _two_stages(design, y, offset, reweight, threshold, classic):
    n, columns = design.shape
    if n <= columns:
        return None
    fit = _glm(design, y, offset, np.ones(n))
    if fit is None or not fit.converged:
        return None
    close = fit.close_call
    residual = (y - fit.mu) / fit.mu
    raw = float(np.sum(fit.weights * residual**2) / (n - columns))
    phi = max(1.0, raw)
    if reweight:
        with np.errstate(divide="ignore", invalid="ignore"):
            s = 1.5 * (y ** (2 / 3) * fit.mu ** (-1 / 6) - fit.mu**0.5) / np.sqrt(phi * (1 - fit.leverage))
        s = np.where(1 - fit.leverage > 1e-10, s, 0.0)
        close |= bool(np.any(np.abs(s - threshold) < 1e-6)) or bool(np.any(np.abs(1 - fit.leverage) < 1e-8))
        omega = np.where(s > threshold, 1 / np.where(s > threshold, s, 1) ** 2, 1.0)
        omega *= n / omega.sum()
        fit = _glm(design, y, offset, omega)
        if fit is None:
            return None
        close |= fit.close_call
        residual = (y - fit.mu) / fit.mu
        raw = float(np.sum(fit.weights * residual**2) / (n - columns))
        phi = max(1.0, raw)
        if not classic:
            raw = float(np.sum(omega * residual**2) / (n - columns))
    return fit, phi, raw, close


def farrington(  # noqa: C901  # one judgement from top to bottom, as the recipe tells it
    series, k, *, classic=False, days=None, frequency=52, years_back=5, half_window=3, periods=10, excluded=26,
    reweight=True, weights_threshold=2.58, alpha=0.01, trend=True, trend_p=1.0, min_cases=5, min_cases_weeks=4,
    power="2/3", threshold="nb-plugin", population=None,
):  # fmt: skip
    """Return the judgement of index k by the improved method, or by the classic one."""
    series = np.asarray(series, float)
    if classic:
        if days is None:
            windows = [k - year * frequency for year in range(1, years_back + 1)]
        else:
            windows = [days.index(years_before(days[k], year)) for year in range(1, years_back + 1)]
        rows = sorted(w + shift for w in windows for shift in range(-half_window, half_window + 1))
        labels = dict.fromkeys(rows, 1)
        periods = 1
    else:
        labels = _baseline(k, len(series), days, frequency, years_back, half_window, periods, excluded)
    begin = min(labels)
    rows = [row for row in labels if not np.isnan(series[row])]
    if not rows:
        return Judgement()
    y = series[rows]

    def time_of(row, origin):
        if days is None or classic:
            return float(row)
        return (days[row] - days[origin]).days / (days[1] - days[0]).days

    offsets = np.zeros(len(series)) if population is None else np.log(np.broadcast_to(population, len(series)))
    present = sorted({labels[row] for row in rows})
    if periods not in present:
        return Judgement()
    season = np.array([[1.0] + [float(labels[row] == level) for level in present[1:]] for row in rows])
    now = np.array([1.0] + [float(level == periods) for level in present[1:]])
    time = np.array([time_of(row, begin) for row in rows])
    time_now = time_of(k, rows[0])
    close = False
    kept = False
    result = None
    if trend:
        result = _two_stages(np.column_stack([season, time]), y, offsets[rows], reweight, weights_threshold, classic)
        if result is not None:
            fit, phi, raw, near = result
            close |= near
            df = len(rows) - season.shape[1] - 1
            t = fit.beta[-1] / math.sqrt(raw * fit.covariance[-1, -1]) if raw > 0 else math.inf
            p = 2 * stats.t.sf(abs(t), df)
            mean = math.exp(np.append(now, time_now) @ fit.beta + offsets[k])
            kept = years_back >= 3 and p < trend_p and mean <= y.max()
            if years_back >= 3:
                close |= abs(p - trend_p) < 1e-5 or abs(mean - y.max()) <= 1e-6 * (y.max() + 1e-12)
    if not kept:
        result = _two_stages(season, y, offsets[rows], reweight, weights_threshold, classic)
        close |= result is not None and result[3]
    if result is None:
        return Judgement(close_call=close)
    fit, phi, raw, _ = result
    x = np.append(now, time_now) if kept else now
    eta = float(x @ fit.beta + offsets[k])
    spread = phi if classic else raw
    se = math.sqrt(spread * float(x @ fit.covariance @ x))
    mean = max(math.exp(eta), np.finfo(float).eps)
    z = stats.norm.isf(alpha / 2 if classic else alpha)
    count = series[k]
    if threshold == "delta" or classic:
        tau = phi + mean * se**2
        exponent, sd = {
            "2/3": (2 / 3, math.sqrt(4 / 9 * mean ** (1 / 3) * tau)),
            "1/2": (1 / 2, math.sqrt(tau / 4)),
            "none": (1.0, math.sqrt(mean * tau)),
        }[power]
        limit = (mean**exponent + z * sd) ** (1 / exponent)
        pvalue = stats.norm.sf(count**exponent, mean**exponent, sd)
    else:
        planned = mean if threshold == "nb-plugin" else math.exp(min(700.0, eta + z * se))
        if planned > 1e8:
            return Judgement(phi=phi, trend=kept, mean=mean, close_call=True)
        law = stats.poisson(planned) if phi == 1.0 else stats.nbinom(planned / (phi - 1), 1 / phi)
        limit = _quantile(law, alpha, planned, phi)
        pvalue = law.sf(count - 1)
        close |= abs(law.sf(limit) / alpha - 1) < 1e-7 or abs(law.sf(limit - 1) / alpha - 1) < 1e-7
    enough = np.nansum(series[max(0, k - min_cases_weeks + 1) : k + 1]) >= min_cases
    close |= abs(count - limit) < 1e-7 * max(1.0, limit) and limit != math.floor(limit)
    judged = Judgement(phi=phi, trend=kept, pvalue=float(pvalue), mean=mean, close_call=close)
    if classic:
        judged.expected, judged.upperbound = mean, limit if enough else 0.0
        judged.alarm = bool(enough and count > limit)
    elif enough:
        judged.expected, judged.upperbound = mean, limit
        judged.alarm = bool(count > limit)
    return judged


def _quantile(law, alpha, mean, phi):
    """Return the smallest whole q with P(Y > q) <= alpha, by halving an interval that surely holds it."""
    low, high = -1, math.ceil(mean + 10 * math.sqrt(phi * mean) + 40 * phi + 10)
    while law.sf(high) > alpha:
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if law.sf(middle) <= alpha:
            high = middle
        else:
            low = middle
    return float(high)
