"""Compiled pair counts of concordance: two walks along time with a tree of counts by rank of the score."""
# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of compiled functions; annotations would promise what nothing checks)

import numba
import numpy as np

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@compiled
def _add(tree, rank):
    place = rank + 1
    while place < tree.size:
        tree[place] += 1
        place += place & -place


@compiled
def _below(tree, rank):
    """Return how many of those in the tree have a rank below `rank`."""
    total = 0
    place = rank
    while place > 0:
        total += tree[place]
        place -= place & -place
    return total


@compiled
def _after_events(order, events, first, last):
    """Return the first place from `first` to `last` without the event, `last` if there is none."""
    while first < last and events[order[first]] > 0:
        first += 1
    return first


@compiled
def _equal_pairs(ranks):
    """Return how many pairs of sorted ranks are equal."""
    total = 0
    run = 0
    for i in range(1, ranks.size):
        run = run + 1 if ranks[i] == ranks[i - 1] else 0
        total += run
    return total


@compiled
def pair_counts(order, times, events, ranks, levels, won, pairs):
    """Count comparable pairs of one stratum; set for each row its wins (ties in score half) and its pairs.

    `order` sorts by time, earliest first, of equal times those with the event first. Returns concordant, discordant,
    tied in score, tied in time, tied in both.
    """
    count = order.size
    totals = np.zeros(5, np.int64)
    # From the end: each event beside all who live longer.
    tree = np.zeros(levels + 1, np.int64)
    inside = 0
    last = count
    while last > 0:
        first = last
        while first > 0 and times[order[first - 1]] == times[order[last - 1]]:
            first -= 1
        deaths = _after_events(order, events, first, last)
        for place in range(deaths, last):
            _add(tree, ranks[order[place]])
            inside += 1
        for place in range(first, deaths):
            row = order[place]
            lower = _below(tree, ranks[row])
            equal = _below(tree, ranks[row] + 1) - lower
            totals[0] += lower
            totals[1] += inside - lower - equal
            totals[2] += equal
            won[row] += lower + 0.5 * equal
            pairs[row] += inside
        totals[3] += (deaths - first) * (deaths - first - 1) // 2
        totals[4] += _equal_pairs(np.sort(ranks[order[first:deaths]]))
        for place in range(first, deaths):
            _add(tree, ranks[order[place]])
            inside += 1
        last = first
    totals[3] -= totals[4]
    # From the begin: each row beside all events before it.
    tree[:] = 0
    inside = 0
    first = 0
    while first < count:
        last = first
        while last < count and times[order[last]] == times[order[first]]:
            last += 1
        deaths = _after_events(order, events, first, last)
        for place in range(first, deaths):
            _take(tree, order[place], ranks, inside, won, pairs)
        for place in range(first, deaths):
            _add(tree, ranks[order[place]])
            inside += 1
        for place in range(deaths, last):
            _take(tree, order[place], ranks, inside, won, pairs)
        first = last
    return totals


@compiled
def _take(tree, row, ranks, inside, won, pairs):
    """Add to a row its pairs with the events in the tree: concordant where their score is higher."""
    lower = _below(tree, ranks[row])
    equal = _below(tree, ranks[row] + 1) - lower
    won[row] += inside - lower - 0.5 * equal
    pairs[row] += inside
