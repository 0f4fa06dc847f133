"""Detection on a cluster gives what detection in one process gives."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from corridor import science
from corridor.base.streams import stream

distributed = pytest.importorskip("distributed", reason="needs the extra cluster")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            host="127.0.0.1", protocol="tcp", processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as made,
    ):
        yield made


def test_slices_of_series_on_workers_equal_one_call(client: Any) -> None:
    random = stream(11, "cluster")
    counts = random.poisson(6.0, size=(330, 7)).astype(float)
    counts[:250, 3] = np.nan  # one series is too short for the method asked for
    population = np.full(counts.shape, 1000.0)

    together = science.detect(counts, evaluate=[328, 329], population=population)
    apart = science.detect_on_cluster(
        counts, client=client, series_a_task=3, evaluate=[328, 329], population=population
    )

    np.testing.assert_array_equal(apart.alarm, together.alarm)
    np.testing.assert_array_equal(apart.upperbound, together.upperbound)
    assert apart.notes == together.notes
    assert [[apart.methods[used] for used in row] for row in apart.used] == [
        [together.methods[used] for used in row] for row in together.used
    ]


def test_a_fault_of_the_input_reaches_the_caller_as_itself(client: Any) -> None:
    with pytest.raises(science.UnknownMethod):
        science.detect_on_cluster(np.ones((20, 2)), client=client, method="nothing")
