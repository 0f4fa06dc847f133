"""Named random streams: fixed by their names, independent of each other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.streams import stream

seeds = st.integers(0, 2**63)
names = st.lists(st.text(max_size=5), max_size=3)


@given(seed=seeds, one=names, other=names)
def test_streams_are_equal_if_and_only_if_their_names_are(seed, one, other):
    first = stream(seed, *one).integers(0, 2**62, 4).tolist()

    assert (first == stream(seed, *other).integers(0, 2**62, 4).tolist()) == (one == other)


@given(seed=st.integers(0, 2**40))
def test_another_seed_gives_other_numbers(seed):
    assert stream(seed, "a").random() != stream(seed + 1, "a").random()


def test_numbers_never_change_between_versions_and_platforms():
    assert stream(1, "a", "bc").integers(0, 1000, 5).tolist() == [874, 708, 437, 936, 739]


def test_streams_of_neighbouring_names_are_uncorrelated():
    a, b = stream(1, "PK-SD").normal(size=20_000), stream(1, "PK-PB").normal(size=20_000)

    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03
