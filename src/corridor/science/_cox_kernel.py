"""The compiled heart of Cox regression: sums over risk sets in two passes over the rows.

Rows lie in groups, one for each distinct event time of a stratum, latest first: those who leave from this event time
until before the next one, the ones with the event last. Everything that a risk set adds to the information but for the
outer products of its means is gathered by one product at the end, through

    sum_t d_t S2(t) / S0(t) = X' diag(r_i (H(t_i) - H(entry_i))) X,

where H is the cumulative baseline hazard at the current coefficients.
"""
# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of compiled functions; annotations would promise what nothing checks)

import math

import numba
import numpy as np

# Sums may be taken in another order and multiplications joined with additions; nothing else is relaxed.
compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
# But where small sums remain when large ones are taken out again: there nothing is relaxed, and what rounding takes
# away is carried along (Knuth's two-sum), so that sums hold about 32 digits.
exact = numba.njit(cache=True, nogil=True, error_model="numpy")

_BLOCK = 512
LARGEST_PREDICTOR = 500.0


@compiled
def find_groups(order, times, events, strata):
    """Return per group: first row, row after the last, number of events, number of its stratum; rows by `order`.

    `order` sorts by stratum, then by time with the latest first, then events last. Rows after the last event time of
    a stratum are at risk at no event and belong to no group.
    """
    start = np.empty(order.size, np.int64)
    stop = np.empty(order.size, np.int64)
    deaths = np.empty(order.size, np.int64)
    stratum = np.empty(order.size, np.int64)
    groups = 0
    begun = 0
    for place in range(order.size):
        row = order[place]
        if place > 0 and strata[row] != strata[order[place - 1]]:
            begun = place
        if events[row] == 0:
            continue
        last = (
            place + 1 == order.size or strata[order[place + 1]] != strata[row] or times[order[place + 1]] != times[row]
        )
        if last:
            died = 1
            while place - died >= begun and events[order[place - died]] and times[order[place - died]] == times[row]:
                died += 1
            start[groups], stop[groups], deaths[groups], stratum[groups] = begun, place + 1, died, strata[row]
            groups += 1
            begun = place + 1
    return start[:groups].copy(), stop[:groups].copy(), deaths[:groups].copy(), stratum[:groups].copy()


@compiled
def gather(table, order, strata):
    """Return the covariates `table` (rows, p) as (p, rows) in `order`, centred within each stratum.

    The partial likelihood does not see a constant of a stratum; without it fewer digits cancel. A covariate that is
    constant in a stratum becomes exactly zero there.
    """
    rows, width = order.size, table.shape[1]
    columns = np.empty((width, rows))
    for place in range(rows):
        row = order[place]
        for j in range(width):
            columns[j, place] = table[row, j]
    begun = 0
    while begun < rows:
        ended = begun + 1
        while ended < rows and strata[order[ended]] == strata[order[begun]]:
            ended += 1
        for j in range(width):
            column = columns[j, begun:ended]
            first = column[0]
            total = 0.0
            varies = False
            for i in range(column.size):
                total += column[i] - first
                varies |= column[i] != first
            centre = first + total / column.size if varies else first
            for i in range(column.size):
                column[i] -= centre
        begun = ended
    return columns


@compiled
def leaving_groups(entry, order, start, stop, stratum, event_time):
    """Return for each row the first group of its stratum, at or after its own, at whose time it had not yet entered.

    The number of groups where there is none.
    """
    leaves = np.empty(order.size, np.int64)
    for group in range(start.size):
        end = group
        while end < start.size and stratum[end] == stratum[group]:
            end += 1
        for place in range(start[group], stop[group]):
            since = entry[order[place]]
            low, high = group, end
            while low < high:
                middle = (low + high) // 2
                if event_time[middle] <= since:
                    high = middle
                else:
                    low = middle + 1
            leaves[place] = low if low < end else start.size
    return leaves


@compiled
def _risk_scores(columns, weights, beta, begin, end, risk):
    """Set weight times exp(linear predictor) for rows from `begin` to `end`; return the largest |predictor|."""
    count = end - begin
    predictor = np.zeros(count)
    for j in range(columns.shape[0]):
        column = columns[j, begin:end]
        b = beta[j]
        for i in range(count):
            predictor[i] += b * column[i]
    largest = 0.0
    for i in range(count):
        largest = max(largest, abs(predictor[i]))
        risk[begin + i] = math.exp(predictor[i])
    if weights.size:
        for i in range(begin, end):
            risk[i] *= weights[i]
    return largest


@compiled
def _add_sums(columns, risk, begin, end, sums):
    """Add the sum of risk and of risk times each covariate over the rows from `begin` to `end` to `sums`."""
    scores = risk[begin:end]
    if scores.size == 1:
        r = scores[0]
        sums[0] += r
        for j in range(columns.shape[0]):
            sums[j + 1] += r * columns[j, begin]
        return
    total = 0.0
    for i in range(scores.size):
        total += scores[i]
    sums[0] += total
    for j in range(columns.shape[0]):
        column = columns[j, begin:end]
        total = 0.0
        for i in range(scores.size):
            total += scores[i] * column[i]
        sums[j + 1] += total


@exact
def _add_exactly(columns, risk, row, sign, sums, carry):
    """Add `sign` times what `_add_sums` adds for one row to `sums` and its `carry`."""
    for j in range(sums.size):
        value = sign * risk[row] * (1.0 if j == 0 else columns[j - 1, row])
        before = sums[j]
        after = before + value
        share = after - before
        lost = (before - (after - share)) + (value - share)
        rest = carry[j] + lost
        sums[j] = after + rest
        carry[j] = rest - (sums[j] - after)


@compiled
def _change_risk_set(columns, risk, delay, group, begin, end, sums, carry):
    """Let rows from `begin` to `end` join the sums of the risk set, and those leave that had not yet entered."""
    leaving, leaving_start = delay
    if leaving.size == 0:
        _add_sums(columns, risk, begin, end, sums)
        return
    for place in range(leaving_start[group], leaving_start[group + 1]):
        _add_exactly(columns, risk, leaving[place], -1.0, sums, carry)
    for row in range(begin, end):
        _add_exactly(columns, risk, row, 1.0, sums, carry)


@compiled
def _steps(efron, died, mean_weight, total, tied, out):
    """Set in `out` what one event time adds, summed over its tied events taken one after another.

    `out`: sum of log D; of 1/D; of (1-f)/D; of 1/D^2, f/D^2 and f^2/D^2, with D = S0 - f T0 and f = 0, 1/d, 2/d ...
    (Efron) or 0 (Breslow); all but the first times the mean weight of the events.
    """
    if not efron or died == 1:
        out[0] = died * math.log(total)
        out[1] = died * mean_weight / total
        out[2] = out[1]
        out[3] = out[1] / total
        out[4] = 0.0
        out[5] = 0.0
        return
    for k in range(6):
        out[k] = 0.0
    for m in range(died):
        f = m / died
        left = total - f * tied
        share = mean_weight / left
        out[0] += math.log(left)
        out[1] += share
        out[2] += share * (1.0 - f)
        share /= left
        out[3] += share
        out[4] += share * f
        out[5] += share * f * f


@compiled
def _add_outer(sums, tied, several, squares, mixed, tied_squares, outer):
    """Add to the lower triangle of `outer` the products of means, from their sums over tied events (`_steps`)."""
    for j in range(outer.shape[0]):
        first = squares * sums[j + 1] - mixed * tied[j + 1]
        for k in range(j + 1):
            outer[j, k] += first * sums[k + 1]
        if several:
            second = tied_squares * tied[j + 1] - mixed * sums[j + 1]
            for k in range(j + 1):
                outer[j, k] += second * tied[k + 1]


@compiled
def pass_risk_sets(columns, weights, groups, delay, beta, efron, scale, hazard, died_hazard, risk, outer, means):
    """First pass: set the hazards of each group and the outer products of means; return the log-likelihood's sum.

    `groups`: start, stop, deaths, stratum, mean weight of the events. `delay`: rows by the group in
    which they leave, and where each group's begin (empty without delayed entry). `scale` multiplies what each group
    adds. `means` (groups, 2, p), if not empty, receives the sums of hazard times mean, as `hazard` and `died_hazard`.
    """
    start, stop, deaths, stratum, mean_weight = groups
    width = columns.shape[0]
    sums = np.zeros(width + 1)
    carry = np.zeros(width + 1)
    tied = np.zeros(width + 1)
    out = np.zeros(6)
    loglik = 0.0
    largest = 0.0
    ready = 0
    for group in range(start.size):
        if group == 0 or stratum[group] != stratum[group - 1]:
            sums[:] = 0.0
            carry[:] = 0.0
        while ready < stop[group]:
            end = min(ready + _BLOCK, stop[-1])
            largest = max(largest, _risk_scores(columns, weights, beta, ready, end, risk))
            ready = end
        died = deaths[group]
        tied[:] = 0.0
        several = efron and died > 1
        if several or means.size:
            _add_sums(columns, risk, stop[group] - died, stop[group], tied)
        _change_risk_set(columns, risk, delay, group, start[group], stop[group], sums, carry)
        _steps(efron, died, mean_weight[group], sums[0], tied[0], out)
        by = scale[group]
        loglik -= by * mean_weight[group] * out[0]
        hazard[group] = by * out[1]
        died_hazard[group] = by * out[2]
        _add_outer(sums, tied, several, by * out[3], by * out[4], by * out[5], outer)
        if means.size:
            _set_means(efron, died, mean_weight[group], sums, tied, means[group])
    return loglik, largest


@compiled
def _set_means(efron, died, mean_weight, sums, tied, means):
    """Set for one event time: hazard times mean; the same for those with the event; mean over the tied events."""
    means[:] = 0.0
    for m in range(died):
        f = m / died if efron else 0.0
        left = sums[0] - f * tied[0]
        for j in range(means.shape[1]):
            mean = (sums[j + 1] - f * tied[j + 1]) / left
            means[0, j] += mean_weight / left * mean
            means[1, j] += mean_weight / left * mean * (1.0 - f)
            means[2, j] += mean / died


@exact
def accumulated(hazard, stratum):
    """Return hazard summed from the earliest event time of the stratum up to each group, and what rounding took away.

    Both have a last entry 0, for what lies before the first event of a stratum.
    """
    total = np.zeros(hazard.size + 1)
    rest = np.zeros(hazard.size + 1)
    for group in range(hazard.size - 1, -1, -1):
        earlier = next_group(stratum, group)
        before = total[earlier]
        after = before + hazard[group]
        share = after - before
        total[group] = after
        rest[group] = rest[earlier] + ((before - (after - share)) + (hazard[group] - share))
    return total, rest


@exact
def next_group(stratum, group):
    """Return the group of the next earlier event time in the stratum, the number of groups if there is none."""
    if group + 1 < stratum.size and stratum[group + 1] == stratum[group]:
        return group + 1
    return stratum.size


@exact
def between(total, rest, later, earlier):
    """Return what was accumulated from group `earlier` to group `later`."""
    return (total[later] - total[earlier]) + (rest[later] - rest[earlier])


@compiled
def set_exposure(weights, groups, leaves, scale, hazard, died_hazard, risk, residual):
    """Turn `risk` into expected events of each row, and set `residual`: its events (weighted, scaled) less those."""
    start, stop, deaths, stratum = groups[0], groups[1], groups[2], groups[3]
    total, rest = accumulated(hazard, stratum)
    for group in range(start.size):
        alive = stop[group] - deaths[group]
        earlier = next_group(stratum, group)
        if leaves.size:
            for row in range(start[group], alive):
                risk[row] *= between(total, rest, group, leaves[row])
            for row in range(alive, stop[group]):
                risk[row] *= between(total, rest, earlier, leaves[row]) + died_hazard[group]
        else:
            lived = total[group]
            at_death = total[earlier] + died_hazard[group]
            for row in range(start[group], alive):
                risk[row] *= lived
            for row in range(alive, stop[group]):
                risk[row] *= at_death
        for row in range(start[group], alive):
            residual[row] = -risk[row]
        for row in range(alive, stop[group]):
            residual[row] = (weights[row] if weights.size else 1.0) * scale[group] - risk[row]


@compiled
def pass_products(columns, expected, residual, gradient, information):
    """Second pass: add X' residual to `gradient`, and the lower triangle of X' diag(expected) X to `information`."""
    width, rows = columns.shape
    weighted = np.empty(_BLOCK)
    begin = 0
    while begin < rows:
        end = min(begin + _BLOCK, rows)
        events = residual[begin:end]
        weight = expected[begin:end]
        count = end - begin
        for j in range(width):
            column = columns[j, begin:end]
            total = 0.0
            for i in range(count):
                weighted[i] = weight[i] * column[i]
                total += events[i] * column[i]
            gradient[j] += total
            k = 0
            # Two products at a time load the weighted column once.
            while k < j:
                one = columns[k, begin:end]
                two = columns[k + 1, begin:end]
                first = 0.0
                second = 0.0
                for i in range(count):
                    first += weighted[i] * one[i]
                    second += weighted[i] * two[i]
                information[j, k] += first
                information[j, k + 1] += second
                k += 2
            if k == j:
                total = 0.0
                for i in range(count):
                    total += weighted[i] * column[i]
                information[j, j] += total
        begin = end


@compiled
def score_residuals(columns, weights, groups, leaves, hazard, died_hazard, means, risk, residuals):
    """Set `residuals` (rows, p): each row's weighted score residual."""
    start, stop, deaths, stratum = groups[0], groups[1], groups[2], groups[3]
    width = columns.shape[0]
    total, rest = accumulated(hazard, stratum)
    mean_total = np.empty((width, start.size + 1))
    mean_rest = np.empty((width, start.size + 1))
    for j in range(width):
        mean_total[j], mean_rest[j] = accumulated(means[:, 0, j].copy(), stratum)
    for group in range(start.size):
        alive = stop[group] - deaths[group]
        for row in range(start[group], stop[group]):
            died = row >= alive
            until = next_group(stratum, group) if died else group
            since = leaves[row] if leaves.size else start.size
            lived = between(total, rest, until, since) + (died_hazard[group] if died else 0.0)
            for j in range(width):
                mean = between(mean_total[j], mean_rest[j], until, since) + (means[group, 1, j] if died else 0.0)
                residuals[row, j] = -risk[row] * (columns[j, row] * lived - mean)
                if died:
                    weight = weights[row] if weights.size else 1.0
                    residuals[row, j] += weight * (columns[j, row] - means[group, 2, j])
