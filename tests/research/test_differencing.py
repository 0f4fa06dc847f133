"""Differencing: both ways to search the span of released sets find the same, and tables by time are within reach."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from corridor.pillars.research.rules.disclosure import differencing
from corridor.pillars.research.rules.disclosure.differencing import Differences, hides_in


def reveals_by_trial(sets: list[np.ndarray], smallest: int) -> bool:
    """Return whether the indicator of any 1 to k - 1 persons depends on the sets, by trying each."""
    table = np.array(sets, dtype=float)
    rank = np.linalg.matrix_rank(table)
    for size in range(1, smallest):
        for chosen in combinations(range(table.shape[1]), size):
            indicator = np.zeros(table.shape[1])
            indicator[list(chosen)] = 1
            if np.linalg.matrix_rank(np.vstack([table, indicator])) == rank:
                return True
    return False


@pytest.mark.parametrize("smallest", [3, 4])
@pytest.mark.parametrize("number", range(30))
def test_both_searches_find_what_trying_every_group_finds(number, smallest):
    random = np.random.default_rng(number)
    drawn = [random.random(12) < 0.5 for _ in range(random.integers(2, 8))]
    sets = [np.ones(12, dtype=bool), *(each for each in drawn if each.sum() >= smallest)]
    expected = reveals_by_trial(sets, smallest)

    atoms = differencing._atoms(differencing._distinct(sets))

    assert hides_in(sets, smallest=smallest) == expected
    assert differencing._row_sums_find_small(atoms, smallest=smallest) == expected


def leaving(days: np.ndarray, edges: list[int]) -> list[np.ndarray]:
    """Return who leaves within each interval."""
    return [(days > begin) & (days <= end) for begin, end in pairwise(edges)]


@pytest.mark.parametrize("smallest", [5, 10])
def test_tables_by_time_on_other_edges_give_away_who_leaves_between(smallest):
    random = np.random.default_rng(7)
    days = np.sort(random.integers(1, 3000, 1500))
    regular = list(range(0, 3001, 100))
    flags = [random.random(1500) < 0.5 for _ in range(8)]
    ledger = Differences([*flags, *leaving(days, regular)], smallest=smallest)
    # The first interval ends just before the last three persons of that of the first table.
    earlier = [0, int(days[days <= 100][-3]) - 1, *regular[2:]]

    assert not ledger.would_reveal(leaving(days, regular))
    assert not ledger.would_reveal([random.random(1500) < 0.3])
    assert not ledger.would_reveal(leaving(days, regular[::2]))
    assert ledger.would_reveal(leaving(days, earlier))
