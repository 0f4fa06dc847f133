"""Detection beside R's surveillance: CPU seconds per series and week, one core, on the same simulated counts."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.tables import show
from corridor.base.streams import stream
from corridor.science.ears_methods import ears
from corridor.science.farrington_methods import farrington, farrington_flexible

WEEKS = 520
JUDGED = 26
SERIES = 500
PEER_SERIES = 20
PEER = Path(__file__).parent / "peers" / "detection.R"


def rows() -> list[dict[str, Any]]:
    """Return one row a figure: what, ours, peer, ratio, at_least, aim; a peer that is not installed is not measured."""
    counts = _counts()
    last = np.arange(WEEKS - JUDGED, WEEKS)
    all_weeks = np.arange(7, WEEKS)
    ours = {
        "flexible": _seconds(lambda part: farrington_flexible(part, evaluate=last), counts, last.size),
        "classic": _seconds(lambda part: farrington(part, evaluate=last), counts, last.size),
        "ears": _seconds(lambda part: ears(part, evaluate=all_weeks), counts, all_weeks.size),
    }
    theirs = _peer(counts[:, :PEER_SERIES])
    goals = {
        "flexible": ("farrington_flexible, improved settings, per series and week", 100, 300),
        "classic": ("farrington (1996), per series and week", None, None),
        "ears": ("EARS C1, per series and week", 100, 1000),
    }
    return [
        {
            "what": what,
            "ours": _time(ours[name]),
            "peer": f"{_time(theirs[name])} (R surveillance)" if theirs else "not measured",
            "ratio": f"{theirs[name] / ours[name]:,.0f} times" if theirs else "not measured",
            "at_least": f"{at_least} times" if at_least else "",
            "aim": f"{aim:,} times" if aim else "",
        }
        for name, (what, at_least, aim) in goals.items()
    ]


def _counts() -> np.ndarray:
    random = stream(1, "bench", "detection")
    mean = 10 ** random.uniform(-0.3, 2, SERIES) * np.exp(0.5 * np.cos(2 * np.pi * np.arange(WEEKS)[:, None] / 52))
    return random.negative_binomial(mean / 1.5, 1 / 2.5).astype(float)


def _seconds(work: Callable[[np.ndarray], object], counts: np.ndarray, epochs: int) -> float:
    """Return CPU seconds per series and epoch, the best of three, after a first call that loads compiled code."""
    work(counts[:, :2])
    best = min(_once(work, counts) for _ in range(3))
    return best / (counts.shape[1] * epochs)


def _once(work: Callable[[np.ndarray], object], counts: np.ndarray) -> float:
    begun = time.process_time()
    work(counts)
    return time.process_time() - begun


def _peer(counts: np.ndarray) -> dict[str, float] | None:
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "counts.csv"
        header = ",".join(f"s{number}" for number in range(counts.shape[1]))
        np.savetxt(table, counts, fmt="%d", delimiter=",", header=header, comments="")
        done = subprocess.run(
            [rscript, str(PEER), str(table)], capture_output=True, text=True, check=False, timeout=300
        )
    if done.returncode != 0:
        sys.stderr.write(f"R without a working package surveillance: {done.stderr.strip()[-200:]}\n")
        return None
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _time(seconds: float) -> str:
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


if __name__ == "__main__":
    show(rows())
