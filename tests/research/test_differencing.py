"""Differencing: both ways to search the span of released sets find the same, and tables by time are within reach."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from corridor.pillars.research.rules.disclosure.differencing import Differences, hides_in
from corridor.pillars.research.rules.disclosure.small_words import PRIME, folded
from corridor.pillars.research.rules.disclosure.spans import Span


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

    span = Span().with_sets(sets)
    parts = list(span._parts(np.ones(len(span.pivots), dtype=bool)))
    most, half = smallest - 1, smallest // 2

    assert hides_in(sets, smallest=smallest) == expected
    assert any(part._halves_meet(most, half) for part in parts) == expected
    assert any(part._row_sums_hold_few(most, most) for part in parts) == expected
    assert not any(part._reach_beyond(most) and part._halves_meet(most, half) for part in parts)


def test_few_sets_of_many_persons_are_seen_to_reach_beyond_few_and_a_difference_of_four_is_not_missed():
    random = np.random.default_rng(11)
    sets = [random.random(300) < 0.5 for _ in range(20)]
    (part,) = Span().with_sets(sets)._parts(np.ones(20, dtype=bool))
    assert part._reach_beyond(4)
    but_four = sets[0].copy()
    but_four[np.flatnonzero(but_four)[:4]] = False
    assert not hides_in(sets, smallest=5)
    assert hides_in([*sets, but_four], smallest=5)


def test_residues_are_those_of_division():
    numbers = np.array([0, 1, PRIME - 1, PRIME, PRIME + 1, 2 * PRIME, PRIME * PRIME, 2**62 - 1, 2**63 - 1])
    assert folded(numbers).tolist() == [int(each) % PRIME for each in numbers]


def leaving(days: np.ndarray, edges: list[int]) -> list[np.ndarray]:
    """Return who leaves within each interval."""
    return [(days > begin) & (days <= end) for begin, end in pairwise(edges)]


@pytest.mark.parametrize("smallest", [5, 10])
def test_tables_by_time_on_other_edges_give_away_who_leaves_between(smallest):
    random = np.random.default_rng(7)
    days = np.sort(random.integers(1, 3000, 1500))
    regular = list(range(0, 3001, 100))
    flags = [random.random(1500) < 0.5 for _ in range(8)]
    ledger = Differences([*flags, *leaving(days, regular)])
    # The first interval ends just before the last three persons of that of the first table.
    earlier = [0, int(days[days <= 100][-3]) - 1, *regular[2:]]

    assert not ledger.would_reveal(leaving(days, regular), smallest=smallest)
    assert not ledger.would_reveal([random.random(1500) < 0.3], smallest=smallest)
    assert not ledger.would_reveal(leaving(days, regular[::2]), smallest=smallest)
    assert ledger.would_reveal(leaving(days, earlier), smallest=smallest)
