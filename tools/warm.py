"""Compile the kernels once, so that the first detection or Cox regression of a fresh clone need not wait."""

import numpy

from corridor import science


def main() -> None:
    """Run each method once on a small series; numba keeps what it compiled beside the source."""
    counts = numpy.random.default_rng(1).poisson(20, size=(6 * 52, 2)).astype(float)
    for method in ("farrington-flexible", "farrington", "ears-c1", "ears-c2", "ears-c3"):
        science.detect(counts, method=method)
    _survival(numpy.random.default_rng(2))


def _survival(random: numpy.random.Generator) -> None:
    """Fit a Cox regression with and without delayed entry, and count pairs."""
    entry = random.integers(0, 5, 60).astype(float)
    times = entry + random.integers(1, 9, 60)
    events = random.integers(0, 2, 60)
    covariates = random.normal(size=(60, 2))
    for given in (None, entry):
        rows = science.CoxRows(times, events, covariates, entry=given)
        science.fit_cox([rows], names=["a", "b"], robust=True)
    science.concordance_block(times, events, covariates[:, 0])


if __name__ == "__main__":
    main()
