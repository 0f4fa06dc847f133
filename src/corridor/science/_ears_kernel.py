"""The compiled heart of the EARS methods: means and spreads of short moving windows, many series abreast."""
# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of compiled functions; annotations would promise what nothing checks)

import numba
import numpy as np

# So many series at a time stay in the nearest cache with their sums.
ABREAST = 512

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@compiled
def _windows(counts, low, high, end, baseline, min_sigma, mean, sd):
    """Write mean and standard deviation of the `baseline` epochs before `end`; a missing count makes both missing."""
    width = high - low
    for s in range(width):
        mean[s] = 0.0
        sd[s] = 0.0
    for i in range(end - baseline, end):
        for s in range(width):
            mean[s] += counts[i, low + s]
    for s in range(width):
        mean[s] /= baseline
    for i in range(end - baseline, end):
        for s in range(width):
            sd[s] += (counts[i, low + s] - mean[s]) ** 2
    for s in range(width):
        spread = np.sqrt(sd[s] / (baseline - 1))
        sd[s] = min_sigma if spread < min_sigma else spread


@compiled
def judge(counts, epochs, method, baseline, min_sigma, z, expected, upperbound, alarm, judged, score):
    """Judge each of `epochs` in each column of `counts` by C1, C2 or C3; results go into the last five arrays."""
    gap = 0 if method == 1 else 2
    room = np.empty((5, ABREAST))
    mean, sd, mean_before, sd_before, before = room
    for low in range(0, counts.shape[1], ABREAST):
        high = min(low + ABREAST, counts.shape[1])
        width = high - low
        for e in range(epochs.size):
            k = epochs[e]
            for s in range(width):
                before[s] = 0.0
            if method == 3:
                for j in range(k - 2, k):
                    _windows(counts, low, high, j - gap, baseline, min_sigma, mean_before, sd_before)
                    for s in range(width):
                        excess = (counts[j, low + s] - mean_before[s]) / sd_before[s] - 1.0
                        # A missing excess (no spread, no change) stays missing, as in R.
                        before[s] += 0.0 if excess <= 0.0 else excess
            _windows(counts, low, high, k - gap, baseline, min_sigma, mean, sd)
            for s in range(width):
                now = counts[k, low + s]
                limit = mean[s] + z * sd[s]
                if method == 3:
                    limit = now + sd[s] * (z - before[s])
                    limit = 0.0 if limit < 0.0 else limit
                expected[e, low + s] = mean[s]
                upperbound[e, low + s] = limit
                score[e, low + s] = (now - mean[s]) / (limit - mean[s])
                alarm[e, low + s] = now > limit
                judged[e, low + s] = now == now and limit == limit
