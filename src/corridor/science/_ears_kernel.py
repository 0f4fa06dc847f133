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
    mean[:] = 0.0
    sd[:] = 0.0
    # Rows as arrays of their own let the compiler work on several series at a time.
    for i in range(end - baseline, end):
        row = counts[i, low:high]
        for s in range(row.size):
            mean[s] += row[s]
    for s in range(mean.size):
        mean[s] /= baseline
    for i in range(end - baseline, end):
        row = counts[i, low:high]
        for s in range(row.size):
            excess = row[s] - mean[s]
            sd[s] += excess * excess
    for s in range(sd.size):
        spread = np.sqrt(sd[s] / (baseline - 1))
        sd[s] = min_sigma if spread < min_sigma else spread


@compiled
def _carried_excess(counts, low, high, k, baseline, min_sigma, mean, sd, carried):
    """Write how far the two epochs before `k` exceeded what C2 expected, for C3."""
    carried[:] = 0.0
    for j in range(k - 2, k):
        _windows(counts, low, high, j - 2, baseline, min_sigma, mean, sd)
        row = counts[j, low:high]
        for s in range(row.size):
            excess = (row[s] - mean[s]) / sd[s] - 1.0
            # A missing excess (no spread, no change) stays missing, as in R.
            carried[s] += 0.0 if excess <= 0.0 else excess


@compiled
def judge(counts, epochs, method, baseline, min_sigma, z, expected, upperbound, alarm, judged):
    """Judge each of `epochs` in each column of `counts` by C1, C2 or C3; results go into the last four arrays."""
    gap = 0 if method == 1 else 2
    room = np.empty((3, min(ABREAST, counts.shape[1])))
    for low in range(0, counts.shape[1], ABREAST):
        high = min(low + ABREAST, counts.shape[1])
        mean, sd, carried = room[0, : high - low], room[1, : high - low], room[2, : high - low]
        for e in range(epochs.size):
            k = epochs[e]
            now = counts[k, low:high]
            limit, base = upperbound[e, low:high], expected[e, low:high]
            raised, sure = alarm[e, low:high], judged[e, low:high]
            if method == 3:
                _carried_excess(counts, low, high, k, baseline, min_sigma, mean, sd, carried)
            _windows(counts, low, high, k - gap, baseline, min_sigma, mean, sd)
            if method == 3:
                for s in range(now.size):
                    top = now[s] + sd[s] * (z - carried[s])
                    limit[s] = 0.0 if top < 0.0 else top
            else:
                for s in range(now.size):
                    limit[s] = mean[s] + z * sd[s]
            base[:] = mean
            for s in range(now.size):
                raised[s] = now[s] > limit[s]
                sure[s] = (now[s] == now[s]) & (limit[s] == limit[s])
