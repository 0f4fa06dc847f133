"""Compile the detection kernels once, so that the first detection of a fresh clone does not wait for the compiler."""

import numpy

from corridor import science


def main() -> None:
    """Run each method once on a small series; numba keeps what it compiled beside the source."""
    counts = numpy.random.default_rng(1).poisson(20, size=(6 * 52, 2)).astype(float)
    for method in ("farrington-flexible", "farrington", "ears-c1", "ears-c2", "ears-c3"):
        science.detect(counts, method=method)


if __name__ == "__main__":
    main()
