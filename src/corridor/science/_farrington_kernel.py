"""The compiled heart of the Farrington methods: one quasi-Poisson fit per series and epoch.

The design is a season factor and at most one time covariate, so the weighted least squares of each step are solved by
centring time within each season level: exact, and stable where a level holds zeros only and its weight dies away.
"""

import math

import numba
import numpy as np

from corridor.science._tails import LARGEST_MEAN, normal_upper_tail, upper_quantile, upper_tail

DELTA, NB_PLUGIN, MUAN = 0, 1, 2
STEPS = 25
TOLERANCE = 1e-8
# The link function of R holds fitted means above the machine's epsilon.
LOWEST_MEAN = 2.220446049250313e-16
# From here on y log y loses so many digits that the deviance is summed in the slower form.
LARGE_COUNT = 1e4

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@compiled
def _irls(n, levels, with_trend, quick, flat, y, start, ylogy, label, t, offset, v, eta, mu, w, wz, s0, tbar, a, out):  # type: ignore[no-untyped-def]  # compiled
    """Fit by iteratively reweighted least squares; return whether it converged.

    Leaves `mu` (updated), `w` (as used in the last step), level sums `s0` and weighted mean times `tbar` of `w`, level
    coefficients `a`, and in `out` the time coefficient, the centred sum of squares of time, and log of the mean is
    in `eta`.
    """
    deviance = 0.0
    for i in range(n):
        mu[i] = y[i] + 0.1
        eta[i] = start[i]
        part = ylogy[i] - y[i] * eta[i] + 0.1 if quick else _unit_deviance(y[i], mu[i])
        deviance += v[i] * part
    deviance *= 2.0
    for _ in range(STEPS):
        for j in range(levels):
            s0[j] = 0.0
            tbar[j] = 0.0
            a[j] = 0.0
        for i in range(n):
            m = mu[i]
            j = label[i]
            weight = v[i] * m
            working = v[i] * (m * (eta[i] - offset[i]) + (y[i] - m))
            w[i] = weight
            wz[i] = working
            s0[j] += weight
            tbar[j] += weight * t[i]
            a[j] += working
        for j in range(levels):
            if s0[j] > 0.0:
                tbar[j] /= s0[j]
                a[j] /= s0[j]
        beta = 0.0
        sxx = 0.0
        if with_trend:
            sxz = 0.0
            for i in range(n):
                j = label[i]
                d = t[i] - tbar[j]
                sxx += w[i] * d * d
                sxz += d * (wz[i] - w[i] * a[j])
            if not sxx > 0.0:
                return False
            beta = sxz / sxx
            for j in range(levels):
                a[j] -= beta * tbar[j]
        out[0] = beta
        out[1] = sxx
        before = deviance
        deviance = 0.0
        if flat and not with_trend:
            # Without time and offset the mean is that of the level: one exponential for each.
            for j in range(levels):
                wz[j] = max(math.exp(a[j]), LOWEST_MEAN)
            for i in range(n):
                eta[i] = a[label[i]]
                mu[i] = wz[label[i]]
        else:
            for i in range(n):
                eta[i] = a[label[i]] + beta * t[i] + offset[i]
                mu[i] = max(math.exp(eta[i]), LOWEST_MEAN)
        if quick:
            for i in range(n):
                deviance += v[i] * (ylogy[i] - y[i] * eta[i] - y[i] + mu[i])
        else:
            for i in range(n):
                deviance += v[i] * _unit_deviance(y[i], mu[i])
        deviance *= 2.0
        if not math.isfinite(deviance):
            return False
        if abs(deviance - before) / (abs(deviance) + 0.1) < TOLERANCE:
            return True
    return False


@compiled
def _unit_deviance(y, m):  # type: ignore[no-untyped-def]  # compiled
    if y == 0.0:
        return m
    return y * math.log(y / m) - (y - m)


@compiled
def _dispersion(n, df, y, mu, w):  # type: ignore[no-untyped-def]  # compiled
    total = 0.0
    for i in range(n):
        residual = (y[i] - mu[i]) / mu[i]
        total += w[i] * residual * residual
    return total / df


@compiled
def _weigh(n, with_trend, threshold, phi, y, y23, label, t, mu, w, s0, tbar, sxx, v):  # type: ignore[no-untyped-def]  # compiled
    """Write the weights that hold down past outbreaks into `v`; return whether any epoch is held down."""
    total = 0.0
    found = False
    for i in range(n):
        j = label[i]
        h = w[i] / s0[j]
        if with_trend:
            d = t[i] - tbar[j]
            h += w[i] * d * d / sxx
        v[i] = 1.0
        # An epoch that determines its own mean (leverage 1) has no residual to judge.
        if y[i] > mu[i] and 1.0 - h > 1e-10:
            root = math.sqrt(mu[i])
            s = 1.5 * (y23[i] / math.sqrt(np.cbrt(mu[i])) - root) / math.sqrt(phi * (1.0 - h))
            if s > threshold:
                v[i] = 1.0 / (s * s)
                found = True
        total += v[i]
    if found:
        for i in range(n):
            v[i] *= n / total
    return found


@compiled
def _two_stages(n, levels, with_trend, quick, flat, classic, paper, reweight, threshold, y, y23, start, ylogy, label, t, offset, v, eta, mu, w, wz, s0, tbar, a, out):  # type: ignore[no-untyped-def]  # compiled
    """Fit, hold down past outbreaks, fit again. `out` receives beta, sxx, phi and the dispersion of standard errors."""
    present = 0
    for j in range(levels):
        s0[j] = 0.0
    for i in range(n):
        v[i] = 1.0
        s0[label[i]] = 1.0
    for j in range(levels):
        if s0[j] > 0.0:
            present += 1
    df = n - present - (1 if with_trend else 0)
    if df <= 0:
        return False
    if not _irls(n, levels, with_trend, quick, flat, y, start, ylogy, label, t, offset, v, eta, mu, w, wz, s0, tbar, a, out):
        return False
    spread = _dispersion(n, df, y, mu, w)
    phi = max(1.0, spread)
    if reweight:
        if _weigh(n, with_trend, threshold, phi, y, y23, label, t, mu, w, s0, tbar, out[1], v):
            _irls(n, levels, with_trend, quick, flat, y, start, ylogy, label, t, offset, v, eta, mu, w, wz, s0, tbar, a, out)
            spread = _dispersion(n, df, y, mu, w)
            phi = max(1.0, spread)
        if not classic and not paper:
            spread = _dispersion(n, df, y, mu, v)
    out[2] = phi
    out[3] = phi if paper else spread
    return math.isfinite(phi) and math.isfinite(out[0])


@compiled
def judge(
    counts, log_population, left_out, late_origin, epochs, first, rows, labels, times, season, critical_t, levels, trend, years_back,
    classic, paper, reweight, threshold, alpha, z, power, rule, min_cases, min_cases_weeks,
    expected, upperbound, alarm, judged, score, pvalue, kept_trend, dispersion,
):  # type: ignore[no-untyped-def]  # compiled
    """Judge each of `epochs` in each series; all results are written into the last eight arrays.

    Parameters
    ----------
    counts, log_population : arrays, shape (series, time); log_population is (0, 0) without offset
    left_out : array, shape (series, time) or (0, 0), epochs that the baseline leaves out
    late_origin : whether prediction measures time from the first observed baseline epoch, as R does for dated series
    epochs : the judged epochs; `first` : where each one's baseline begins in `rows`, `labels`, `times`
    season : season level at each judged epoch; the time of prediction is the last entry of `times` of each epoch
    critical_t : two-sided critical value of the trend test by degrees of freedom
    """
    most = 0
    for e in range(epochs.size):
        most = max(most, first[e + 1] - first[e])
    room = np.empty((10, most))
    y, y23, start, ylogy, t, offset, v, eta, mu, w = room
    # One cell a level at least: wz doubles as the room for level means.
    wz = np.empty(max(most, levels))
    label = np.empty(most, np.int64)
    s0 = np.empty(levels)
    tbar = np.empty(levels)
    a = np.empty(levels)
    out = np.zeros(4)
    with_offset = log_population.size > 0
    with_mask = left_out.size > 0
    length = counts.shape[1]
    count_start = np.empty(length)
    count_ylogy = np.empty(length)
    count_y23 = np.empty(length)
    for s in range(counts.shape[0]):
        series = counts[s]
        largest = 0.0
        for i in range(length):
            c = series[i]
            largest = max(largest, c) if c == c else largest
            count_start[i] = math.log(c + 0.1)
            count_ylogy[i] = c * math.log(c) if c > 0.0 else 0.0
            count_y23[i] = np.cbrt(c) ** 2
        quick = largest < LARGE_COUNT
        for e in range(epochs.size):
            k = epochs[e]
            n = 0
            origin = np.nan
            highest = 0.0
            last = first[e + 1] - 1
            for r in range(first[e], last):
                i = rows[r]
                c = series[i]
                if c != c:
                    continue
                if origin != origin:
                    origin = times[r]
                if with_mask and left_out[s, i]:
                    continue
                if with_offset:
                    offset[n] = log_population[s, i]
                    if not math.isfinite(offset[n]):
                        continue
                else:
                    offset[n] = 0.0
                y[n] = c
                y23[n] = count_y23[i]
                start[n] = count_start[i]
                ylogy[n] = count_ylogy[i]
                label[n] = labels[r]
                t[n] = times[r]
                highest = max(highest, c)
                n += 1
            if n == 0:
                continue
            time_at = times[last] - (origin - times[first[e]] if late_origin else 0.0)
            offset_at = log_population[s, k] if with_offset else 0.0
            level = season[e]
            keep = False
            if trend:
                keep = _two_stages(n, levels, True, quick, not with_offset, classic, paper, reweight, threshold, y, y23, start, ylogy, label, t, offset, v, eta, mu, w, wz, s0, tbar, a, out)
                if keep:
                    mean = math.exp(a[level] + out[0] * time_at + offset_at)
                    spread = out[3]
                    error = math.sqrt(spread / out[1])
                    df = n - 1
                    for j in range(levels):
                        if s0[j] > 0.0:
                            df -= 1
                    keep = years_back >= 3 and abs(out[0]) / error > critical_t[df] and mean <= highest
            fitted = keep
            if not keep:
                fitted = _two_stages(n, levels, False, quick, not with_offset, classic, paper, reweight, threshold, y, y23, start, ylogy, label, t, offset, v, eta, mu, w, wz, s0, tbar, a, out)
            if not fitted or not s0[level] > 0.0:
                continue
            log_mean = a[level] + out[0] * time_at + offset_at
            variance = 1.0 / s0[level]
            if keep:
                variance += (time_at - tbar[level]) ** 2 / out[1]
            phi = out[2]
            error = math.sqrt((phi if classic else out[3]) * variance)
            mean = max(math.exp(log_mean), LOWEST_MEAN)
            now = series[k]
            dispersion[e, s] = phi
            kept_trend[e, s] = 1.0 if keep else 0.0
            cases = 0.0
            for i in range(max(0, k - min_cases_weeks + 1), k + 1):
                cases += series[i]
            enough = cases >= min_cases
            judged[e, s] = now == now and cases == cases
            if rule == DELTA:
                limit, tail = _delta_limit(now, mean, error, phi, z, power)
                base = mean
            else:
                planned = mean if rule == NB_PLUGIN else math.exp(log_mean + z * error)
                limit, tail = _count_limit(now, planned, phi, alpha, z)
                base = mean if paper else log_mean
            pvalue[e, s] = tail
            score[e, s] = (now - base) / (limit - base)
            if classic and not paper:
                # R's classic method gives the expected count and a limit of 0 where too few cases came.
                expected[e, s] = mean
                upperbound[e, s] = 0.0
            if enough:
                expected[e, s] = mean
                upperbound[e, s] = limit
                # Where the score divides by a limit below its base, R asks the score, not the count.
                alarm[e, s] = score[e, s] > 1.0 and now != 0.0


@compiled
def _delta_limit(now, mean, error, phi, z, power):  # type: ignore[no-untyped-def]  # compiled
    """Return the limit and the upper tail at `now` on the scale that makes counts nearly normal."""
    tau = phi + mean * error * error
    if power == 2:
        centre = np.cbrt(mean) ** 2
        sd = math.sqrt(4.0 / 9.0 * np.cbrt(mean) * tau)
        limit = max(0.0, centre + z * sd) ** 1.5
        return limit, normal_upper_tail((np.cbrt(now) ** 2 - centre) / sd)
    if power == 1:
        centre = math.sqrt(mean)
        sd = math.sqrt(tau / 4.0)
        return max(0.0, centre + z * sd) ** 2, normal_upper_tail((math.sqrt(now) - centre) / sd)
    sd = math.sqrt(mean * tau)
    return mean + z * sd, normal_upper_tail((now - mean) / sd)


@compiled
def _count_limit(now, mean, phi, alpha, z):  # type: ignore[no-untyped-def]  # compiled
    """Return the limit and P(Y >= now) of the negative binomial (or Poisson) distribution."""
    if not 0.0 < mean <= LARGEST_MEAN:
        return np.nan, np.nan
    limit = upper_quantile(alpha, z, mean, phi)
    return limit, (upper_tail(now, mean, phi) if now == now else np.nan)
