"""The compiled heart of the Farrington methods: one quasi-Poisson fit per series and epoch.

The design is a season factor and at most one time covariate, so the weighted least squares of each step are solved by
centring time within each season level: exact, and stable where a level holds zeros only and its weight dies away.
"""
# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of compiled functions; annotations would promise what nothing checks)

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from corridor.science._tails import LARGEST_MEAN, deviance_part, normal_upper_tail, upper_quantile, upper_tail

DELTA, NB_PLUGIN, MUAN = 0, 1, 2
STEPS = 25
TOLERANCE = 1e-8
# The link function of R holds fitted means above the machine's epsilon.
LOWEST_MEAN = 2.220446049250313e-16
# From here on y log y loses so many digits that the deviance is summed in the slower form.
LARGE_COUNT = 1e3

# Sums may be taken in another order and multiplications joined with additions; nothing else is relaxed.
compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})


class Options(NamedTuple):
    """Options of a method, as numbers."""

    classic: bool
    paper: bool
    late_origin: bool
    reweight: bool
    weights_threshold: float
    alpha: float
    z: float
    power: int
    rule: int
    trend: bool
    years_back: int
    min_cases: float
    min_cases_weeks: int


class Plan(NamedTuple):
    """Baselines of the judged epochs, and the critical value of the trend test by degrees of freedom."""

    epochs: NDArray[np.int64]
    first: NDArray[np.int64]
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    times: NDArray[np.float64]
    season: NDArray[np.int64]
    levels: int
    critical_t: NDArray[np.float64]


class Results(NamedTuple):
    """Arrays that the kernel fills."""

    expected: NDArray[np.float64]
    upperbound: NDArray[np.float64]
    alarm: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    score: NDArray[np.float64]
    pvalue: NDArray[np.float64]
    trend: NDArray[np.float64]
    phi: NDArray[np.float64]


class _Baseline(NamedTuple):
    """The observed baseline of one epoch: counts, what follows from counts alone, and covariates."""

    y: NDArray[np.float64]
    y_two_thirds: NDArray[np.float64]
    log_start: NDArray[np.float64]
    y_log_y: NDArray[np.float64]
    time: NDArray[np.float64]
    offset: NDArray[np.float64]
    label: NDArray[np.int64]


class _Fit(NamedTuple):
    """State of one fit: per epoch, per season level, and `result`: slope, sum of squares of time, phi, dispersion."""

    prior: NDArray[np.float64]
    eta: NDArray[np.float64]
    mu: NDArray[np.float64]
    weight: NDArray[np.float64]
    working: NDArray[np.float64]
    level_weight: NDArray[np.float64]
    level_time: NDArray[np.float64]
    level_effect: NDArray[np.float64]
    result: NDArray[np.float64]


@compiled
def _deviance(quick, base, fit):
    """Return the Poisson deviance with prior weights."""
    total = 0.0
    y, prior, eta, mu, y_log_y = base.y, fit.prior, fit.eta, fit.mu, base.y_log_y
    if quick:
        for i in range(y.size):
            total += prior[i] * (y_log_y[i] - y[i] * eta[i] - y[i] + mu[i])
    else:
        for i in range(y.size):
            total += prior[i] * (deviance_part(y[i], mu[i]) if y[i] > 0.0 else mu[i])
    return 2.0 * total


@compiled
def _solve(with_trend, base, fit):
    """Solve one step's weighted least squares; return whether the slope could be told."""
    y, time, label, offset = base.y, base.time, base.label, base.offset
    weight, working = fit.weight, fit.working
    level_weight, level_time, effect = fit.level_weight, fit.level_time, fit.level_effect
    level_weight[:] = 0.0
    level_time[:] = 0.0
    effect[:] = 0.0
    for i in range(y.size):
        m = fit.mu[i]
        j = label[i]
        weight[i] = fit.prior[i] * m
        # Weight times working response, without a division.
        working[i] = fit.prior[i] * (m * (fit.eta[i] - offset[i]) + (y[i] - m))
        level_weight[j] += weight[i]
        level_time[j] += weight[i] * time[i]
        effect[j] += working[i]
    for j in range(effect.size):
        if level_weight[j] > 0.0:
            level_time[j] /= level_weight[j]
            effect[j] /= level_weight[j]
    slope = 0.0
    squares = 0.0
    if with_trend:
        products = 0.0
        for i in range(y.size):
            j = label[i]
            centred = time[i] - level_time[j]
            squares += weight[i] * centred * centred
            products += centred * (working[i] - weight[i] * effect[j])
        if not squares > 0.0:
            return False
        slope = products / squares
        for j in range(effect.size):
            effect[j] -= slope * level_time[j]
    fit.result[0] = slope
    fit.result[1] = squares
    return True


@compiled
def _update_means(with_offset, base, fit):
    """Set linear predictor and mean from the solved coefficients."""
    eta, mu, label, effect = fit.eta, fit.mu, base.label, fit.level_effect
    slope = fit.result[0]
    if with_offset:
        for i in range(eta.size):
            eta[i] = effect[label[i]] + slope * base.time[i] + base.offset[i]
            mu[i] = max(math.exp(eta[i]), LOWEST_MEAN)
        return
    # From one epoch to the next of the same block the mean grows by the same factor: few exponentials are needed.
    growth = math.exp(slope)
    time = base.time
    block = -1
    at = 0.0
    mean = 0.0
    for i in range(eta.size):
        eta[i] = effect[label[i]] + slope * time[i]
        mean = mean * growth if label[i] == block and time[i] - at == 1.0 else math.exp(eta[i])
        block = label[i]
        at = time[i]
        mu[i] = max(mean, LOWEST_MEAN)


@compiled
def _iterate(with_trend, with_offset, quick, base, fit):
    """Fit by iteratively reweighted least squares; return whether it converged.

    `fit` keeps the means as updated last and the weights as used in the last step: where a level holds zeros only, its
    coefficient runs away and every figure depends on just this.
    """
    for i in range(base.y.size):
        fit.mu[i] = base.y[i] + 0.1
        fit.eta[i] = base.log_start[i]
    deviance = _deviance(quick, base, fit)
    for _ in range(STEPS):
        if not _solve(with_trend, base, fit):
            return False
        _update_means(with_offset, base, fit)
        before = deviance
        deviance = _deviance(quick, base, fit)
        if not math.isfinite(deviance):
            return False
        if abs(deviance - before) / (abs(deviance) + 0.1) < TOLERANCE:
            return True
    return False


@compiled
def _dispersion(df, y, mu, weight):
    total = 0.0
    for i in range(y.size):
        residual = (y[i] - mu[i]) / mu[i]
        total += weight[i] * residual * residual
    return total / df


@compiled
def _hold_down(with_trend, threshold, base, fit):
    """Give past outbreaks prior weights that hold them down; return whether there were any."""
    total = 0.0
    found = False
    phi = fit.result[2]
    y, mu, prior = base.y, fit.mu, fit.prior
    for i in range(y.size):
        prior[i] = 1.0
        if y[i] > mu[i]:
            j = base.label[i]
            leverage = fit.weight[i] / fit.level_weight[j]
            if with_trend:
                leverage += fit.weight[i] * (base.time[i] - fit.level_time[j]) ** 2 / fit.result[1]
            # An epoch that determines its own mean (leverage 1) has no residual to judge.
            if 1.0 - leverage > 1e-10:
                distance = base.y_two_thirds[i] / math.sqrt(np.cbrt(mu[i])) - math.sqrt(mu[i])
                s = 1.5 * distance / math.sqrt(phi * (1.0 - leverage))
                if s > threshold:
                    prior[i] = 1.0 / (s * s)
                    found = True
        total += prior[i]
    if found:
        for i in range(y.size):
            prior[i] *= y.size / total
    return found


@compiled
def _degrees_of_freedom(with_trend, base, fit):
    fit.level_weight[:] = 0.0
    for i in range(base.y.size):
        fit.level_weight[base.label[i]] = 1.0
    return base.y.size - int(fit.level_weight.sum()) - (1 if with_trend else 0)


@compiled
def _two_stages(with_trend, with_offset, quick, options, base, fit):
    """Fit, hold down past outbreaks, fit again; return the degrees of freedom, 0 if no fit was possible."""
    df = _degrees_of_freedom(with_trend, base, fit)
    fit.prior[:] = 1.0
    if df <= 0 or not _iterate(with_trend, with_offset, quick, base, fit):
        return 0
    spread = _dispersion(df, base.y, fit.mu, fit.weight)
    fit.result[2] = max(1.0, spread)
    if options.reweight:
        # Without an outbreak to hold down the second fit would repeat the first.
        if _hold_down(with_trend, options.weights_threshold, base, fit):
            _iterate(with_trend, with_offset, quick, base, fit)
            spread = _dispersion(df, base.y, fit.mu, fit.weight)
            fit.result[2] = max(1.0, spread)
        if not options.classic:
            # R overwrites the working weights by the prior weights before it takes standard errors.
            spread = _dispersion(df, base.y, fit.mu, fit.prior)
    fit.result[3] = fit.result[2] if options.paper else spread
    return df if math.isfinite(fit.result[2]) and math.isfinite(fit.result[0]) else 0


@compiled
def _keeps_trend(df, log_mean, highest, critical_t, options, fit):
    """Decide whether the trend stays: enough years, significant, not beyond the baseline's highest count."""
    error = math.sqrt(fit.result[3] / fit.result[1])
    significant = abs(fit.result[0]) / error > critical_t[df]
    return options.years_back >= 3 and significant and math.exp(log_mean) <= highest


@compiled
def _gather(series, kinds, log_people, left_out, rows, labels, times, room, label):
    """Copy the observed epochs of a baseline into `room`; return how many, and the time of the first one observed."""
    n = 0
    origin = np.nan
    for r in range(rows.size):
        i = rows[r]
        if np.isnan(series[i]):
            continue
        if np.isnan(origin):
            origin = times[r]
        if left_out.size and left_out[i]:
            continue
        offset = log_people[i] if log_people.size else 0.0
        if not math.isfinite(offset):
            continue
        room[0, n] = series[i]
        room[1, n] = kinds[0, i]
        room[2, n] = kinds[1, i]
        room[3, n] = kinds[2, i]
        room[4, n] = times[r]
        room[5, n] = offset
        label[n] = labels[r]
        n += 1
    return n, origin


@compiled
def _conclude(e, s, k, series, log_mean, variance, kept, options, fit, results):
    """Write limit, p value, score and alarm of one judgement."""
    phi = fit.result[2]
    error = math.sqrt((phi if options.classic else fit.result[3]) * variance)
    mean = max(math.exp(log_mean), LOWEST_MEAN)
    now = series[k]
    # A missing count among the latest takes nothing away from cases that were seen; R gives no limit then.
    cases = np.nansum(series[max(0, k - options.min_cases_weeks + 1) : k + 1])
    if options.rule == DELTA:
        limit, tail = _delta_limit(now, mean, error, phi, options)
        base = mean
    else:
        planned = mean if options.rule == NB_PLUGIN else math.exp(log_mean + options.z * error)
        limit, tail = _count_limit(now, planned, phi, options)
        # R takes the logarithm of the mean here.
        base = mean if options.paper else log_mean
    score = (now - base) / (limit - base)
    results.phi[e, s] = phi
    results.trend[e, s] = 1.0 if kept else 0.0
    results.pvalue[e, s] = tail
    results.score[e, s] = score
    results.judged[e, s] = not np.isnan(now)
    if cases >= options.min_cases:
        results.expected[e, s] = mean
        results.upperbound[e, s] = limit
        results.alarm[e, s] = score > 1.0 and now != 0.0
    elif options.classic and not options.paper:
        # R's classic method gives the expected count and a limit of 0 where too few cases came.
        results.expected[e, s] = mean
        results.upperbound[e, s] = 0.0


@compiled
def _delta_limit(now, mean, error, phi, options):
    """Return the limit and the upper tail at `now` on the scale that makes counts nearly normal."""
    tau = phi + mean * error * error
    if options.power == 2:
        centre = np.cbrt(mean) ** 2
        sd = math.sqrt(4.0 / 9.0 * np.cbrt(mean) * tau)
        limit = max(0.0, centre + options.z * sd) ** 1.5
        return limit, normal_upper_tail((np.cbrt(now) ** 2 - centre) / sd)
    if options.power == 1:
        centre = math.sqrt(mean)
        sd = math.sqrt(tau / 4.0)
        return max(0.0, centre + options.z * sd) ** 2, normal_upper_tail((math.sqrt(now) - centre) / sd)
    sd = math.sqrt(mean * tau)
    return mean + options.z * sd, normal_upper_tail((now - mean) / sd)


@compiled
def _count_limit(now, mean, phi, options):
    """Return the limit and P(Y >= now) of the negative binomial (or Poisson) distribution."""
    if not 0.0 < mean <= LARGEST_MEAN:
        return np.nan, np.nan
    return upper_quantile(options.alpha, options.z, mean, phi), upper_tail(now, mean, phi)


@compiled
def _kinds_of(series, kinds):
    """Write what fits need of each count alone: y^(2/3), log(y + 0.1), y log y. Return the largest count."""
    largest = 0.0
    for i in range(series.size):
        y = series[i]
        kinds[0, i] = np.cbrt(y) ** 2
        kinds[1, i] = math.log(y + 0.1)
        kinds[2, i] = y * math.log(y) if y > 0.0 else 0.0
        if y > largest:
            largest = y
    return largest


@compiled
def judge(counts, log_people, left_out, plan, options, results):
    """Judge each epoch of `plan` in each row of `counts` and fill `results`.

    `log_people` and `left_out` have the shape of `counts`, or (series, 0) where there is no offset and no mask.
    """
    most = np.diff(plan.first).max() if plan.epochs.size else 0
    room = np.empty((11, most))
    labels = np.empty(most, np.int64)
    levels = np.empty((3, plan.levels))
    result = np.zeros(4)
    kinds = np.empty((3, counts.shape[1]))
    with_offset = log_people.shape[1] > 0
    for s in range(counts.shape[0]):
        series = counts[s]
        quick = _kinds_of(series, kinds) < LARGE_COUNT
        for e in range(plan.epochs.size):
            k = plan.epochs[e]
            begin, last = plan.first[e], plan.first[e + 1] - 1
            n, origin = _gather(
                series, kinds, log_people[s], left_out[s], plan.rows[begin:last], plan.labels[begin:last],
                plan.times[begin:last], room, labels,
            )  # fmt: skip
            if n == 0:
                continue
            base = _Baseline(
                room[0, :n], room[1, :n], room[2, :n], room[3, :n], room[4, :n], room[5, :n], labels[:n]
            )  # fmt: skip
            fit = _Fit(
                room[6, :n], room[7, :n], room[8, :n], room[9, :n], room[10, :n],
                levels[0], levels[1], levels[2], result,
            )  # fmt: skip
            level = plan.season[e]
            # R measures the time of prediction from the first observed epoch, that of the fit from the first epoch.
            time = plan.times[last] - (origin - plan.times[begin] if options.late_origin else 0.0)
            offset = log_people[s, k] if with_offset else 0.0
            kept = False
            df = 0
            if options.trend:
                df = _two_stages(True, with_offset, quick, options, base, fit)
                if df > 0:
                    log_mean = fit.level_effect[level] + result[0] * time + offset
                    kept = _keeps_trend(df, log_mean, base.y.max(), plan.critical_t, options, fit)
            if not kept:
                df = _two_stages(False, with_offset, quick, options, base, fit)
            if df == 0 or not fit.level_weight[level] > 0.0:
                continue
            log_mean = fit.level_effect[level] + result[0] * time + offset
            variance = 1.0 / fit.level_weight[level]
            if kept:
                variance += (time - fit.level_time[level]) ** 2 / result[1]
            _conclude(e, s, k, series, log_mean, variance, kept, options, fit, results)
