"""``python -m corridor.science.warm``: compile the kernels once, so that nobody waits for it later.

The cache of a kernel does not notice a change in a module that it calls, so what was compiled before is thrown away.
"""

import sys
import time
from pathlib import Path

import numpy as np

__all__ = ["warm"]


def warm() -> float:
    """Compile every kernel anew; return the seconds that it took."""
    begun = time.monotonic()
    for stale in [*Path(__file__).parent.glob("__pycache__/*.nbi"), *Path(__file__).parent.glob("__pycache__/*.nbc")]:
        stale.unlink(missing_ok=True)
    # Loaded after the old cache is gone.
    from corridor.science.detection import METHODS, detect

    counts = np.tile(np.arange(52.0) % 7, (6, 1)).reshape(-1, 1)
    for method in METHODS:
        detect(counts, method=method)
    detect(counts, population=1000.0, exclude=np.zeros(counts.shape[0], np.bool_))
    return time.monotonic() - begun


if __name__ == "__main__":
    sys.stdout.write(f"detection compiled in {warm():.0f} s\n")
