"""Detection over more series than one machine judges in time: slices of series on the workers of a Dask cluster."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from corridor.science.alarms import Alarms
from corridor.science.detection import detect, join_series

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["detect_on_cluster"]

BY_SERIES = ("population", "exclude")


def detect_on_cluster(counts: ArrayLike, *, client: "Client", series_a_task: int = 1000, **arguments: Any) -> Alarms:
    """Return what `detect` returns, judged on the workers of a Dask cluster.

    Parameters
    ----------
    counts : array, shape (time, series), cases per epoch
        As for `detect`.
    client : distributed.Client
        A connection to the cluster: a laptop's cores, Slurm or Kubernetes.
    series_a_task : int
        How many series one task judges.
    arguments
        Further arguments of `detect`, without `progress`.

    Raises
    ------
    BadOption, BadCounts, BadDates, UnknownMethod, TooFewWeeks
        As `detect` raises them, from the first slice that is at fault.
    """
    table = np.atleast_2d(np.asarray(counts, np.float64).T).T
    tasks = []
    for begin in range(0, max(1, table.shape[1]), series_a_task):
        part = slice(begin, begin + series_a_task)
        mine = {name: np.asarray(arguments[name])[:, part] for name in BY_SERIES if arguments.get(name) is not None}
        tasks.append(client.submit(detect, table[:, part], **{**arguments, **mine}, pure=False))
    parts: list[Alarms] = client.gather(tasks)  # type: ignore[no-untyped-call]  # distributed declares no types
    return join_series(parts)
