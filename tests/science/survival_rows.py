"""Random rows for tests of survival analysis: ties, weights, delayed entry, strata, tiny sites."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st


@dataclass(frozen=True)
class Rows:
    """Rows of one site, and the options that go with them."""

    times: np.ndarray
    events: np.ndarray
    covariates: np.ndarray
    options: dict[str, Any]

    @property
    def given(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what is passed by place."""
        return self.times, self.events, self.covariates

    def part(self, chosen: np.ndarray) -> "Rows":
        """Return some of the rows, or all in another order."""
        options = {
            name: value[chosen] if isinstance(value, np.ndarray) else value for name, value in self.options.items()
        }
        return Rows(self.times[chosen], self.events[chosen], self.covariates[chosen], options)


@st.composite
def drawn_rows(draw, *, width: int | None = None, least: int = 2, most: int = 40, whole_times: bool | None = None):
    """Draw the rows of one site with at least one event."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(least, most))
    columns = width or draw(st.integers(1, 4))
    covariates = random.normal(size=(count, columns))
    if draw(st.booleans()):
        covariates[:, 0] = (covariates[:, 0] > 0.3) * 1.0
    if draw(st.booleans()):
        covariates += 50.0
    times = random.exponential(6.0, count) + 0.1
    if draw(st.booleans()) if whole_times is None else whole_times:
        times = np.ceil(times)
    events = (random.random(count) < draw(st.sampled_from([0.2, 0.7, 1.0]))).astype(int)
    events[random.integers(count)] = 1
    options: dict[str, Any] = {"ties": draw(st.sampled_from(["efron", "breslow"]))}
    if draw(st.booleans()):
        options["weights"] = random.uniform(0.2, 4.0, count)
    if draw(st.booleans()):
        early = times - random.exponential(3.0, count)
        options["entry"] = np.where(random.random(count) < 0.5, np.floor(early), early) - 0.5
        if draw(st.booleans()):
            options["entry"] = np.minimum(np.maximum(np.ceil(options["entry"]), 0.0), times - 0.5)
    if draw(st.booleans()):
        options["strata"] = random.integers(0, 3, count)
    return Rows(times, events, covariates, options)
