"""A slow, obvious second way to coarsen the rows of a site for a model of one 0/1 column, and to fit it over sites.

Nothing here is shared with `corridor`. With one column, sums over rows may be told of 30 rows or more (ten rounds of
three numbers), none or five or more of them with 1, and none or five or more with 0.
"""

import math
from itertools import pairwise

import numpy as np

from tests.reference.survival import cox_block


def enough(flags):
    """Return whether sums over these rows may be told."""
    ones = sum(flags)
    return len(flags) >= 30 and not 0 < ones < 5 and not 0 < len(flags) - ones < 5


def own_edges(times, events, flags, offered):
    """Return the edges among `offered` that a site may use: each as early as it can be, one after the other."""
    edges = [offered[0]]
    for end in offered[1:]:
        tried = [*edges, end]
        ends, died = moved(times, events, flags, tried)
        with_event = [flag for flag, t, d in zip(flags, ends, died, strict=True) if d and t == end]
        left = [flag for flag, t in zip(flags, ends, strict=True) if t > end]
        later = sum(1 for t, d in zip(times, events, strict=True) if d and t > end)
        if enough(with_event) and enough(left) and later >= 5:
            edges = tried
    return edges


def moved(times, events, flags, edges):
    """Return the edge at which each row leaves (a day after the last for those who stay), and whether by the event."""
    ends, died = [edges[-1] + 1] * len(times), [0] * len(times)
    waiting = []
    for begin, end in pairwise(edges):
        for row, time in enumerate(times):
            if begin < time <= end and events[row]:
                ends[row], died[row] = end, 1
            elif begin < time <= end:
                waiting.append(row)
        if enough([flags[row] for row in waiting]):
            for row in waiting:
                ends[row] = end
            waiting = []
    return ends, died


def agreed_edges(sites, grid):
    """Return the edges that all sites can use: each leaves out what it cannot, until none does."""
    last = max(math.ceil(max(times) / grid) for times, _, _ in sites)
    offered = [step * grid for step in range(last + 1)]
    own = [own_edges(*site, [edge for edge in offered if edge - grid < max(site[0])]) for site in sites]
    fewest = min(own, key=len)
    own = [own_edges(*site, fewest) for site in sites]
    while True:
        common = sorted(set(own[0]).intersection(*own[1:]))
        again = [own_edges(*site, common) for site in sites]
        if all(each == common for each in again):
            return common
        own = again


def fit(times, events, flags, *, ties):
    """Return the coefficient of one column and its standard error by Newton's method, one tied event at a time."""
    times, events = np.array(times, float), np.array(events, int)
    column, coef = np.array(flags, float)[:, None], 0.0
    for _ in range(12):
        _, gradient, information = cox_block(times, events, column, np.array([coef]), ties=ties)
        coef += gradient[0] / information[0, 0]
    return coef, 1 / math.sqrt(information[0, 0])


def spread_values(edges, counts):
    """Return the values of grouped persons: those of a bin evenly over it, up to its upper edge."""
    values = []
    for begin, end, count in zip(edges[:-1], edges[1:], counts, strict=True):
        values += [begin + (end - begin) * place / count for place in range(1, count + 1)]
    return values


def quantile(values, share):
    """Return definition 4 of Hyndman and Fan: linear between the ordered values at shares 1/n, 2/n, …, 1."""
    ordered = sorted(values)
    place = share * len(ordered)
    below = math.floor(place + 1e-12)
    if below < 1:
        return None
    upper = ordered[min(below, len(ordered) - 1)]
    return ordered[below - 1] + (place - below) * (upper - ordered[below - 1])
