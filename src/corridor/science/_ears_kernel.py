"""The compiled heart of the EARS methods: means and standard deviations of short moving windows."""

import math

import numba

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@compiled
def _window(series, end, baseline, min_sigma):  # type: ignore[no-untyped-def]  # compiled
    """Return mean and standard deviation of the `baseline` epochs before `end`; a missing count makes both missing."""
    total = 0.0
    for i in range(end - baseline, end):
        total += series[i]
    mean = total / baseline
    squares = 0.0
    for i in range(end - baseline, end):
        squares += (series[i] - mean) ** 2
    sd = math.sqrt(squares / (baseline - 1))
    return mean, min_sigma if sd < min_sigma else sd


@compiled
def judge(counts, epochs, method, baseline, min_sigma, z, expected, upperbound, alarm, judged, score):  # type: ignore[no-untyped-def]  # compiled
    """Judge each of `epochs` in each row of `counts` by C1, C2 or C3; results are written into the last five arrays."""
    gap = 0 if method == 1 else 2
    for s in range(counts.shape[0]):
        series = counts[s]
        for e in range(epochs.size):
            k = epochs[e]
            now = series[k]
            mean, sd = _window(series, k - gap, baseline, min_sigma)
            limit = mean + z * sd
            if method == 3:
                before = 0.0
                for j in range(k - 2, k):
                    mean_j, sd_j = _window(series, j - gap, baseline, min_sigma)
                    excess = (series[j] - mean_j) / sd_j - 1.0
                    # A missing excess (no spread, no change) stays missing, as in R.
                    before += 0.0 if excess <= 0.0 else excess
                limit = now + sd * (z - before)
                if limit < 0.0:
                    limit = 0.0
            expected[e, s] = mean
            upperbound[e, s] = limit
            score[e, s] = (now - mean) / (limit - mean)
            alarm[e, s] = now > limit
            judged[e, s] = now == now and limit == limit
