"""Differencing: what the ledger takes to judge one more answer once it holds many that nothing has in common."""

import time
from typing import Any

import numpy as np

from corridor.pillars.research.rules.disclosure import Differences

SETS, PERSONS, SMALLEST = 400, 1_500, 5


def rows() -> list[dict[str, Any]]:
    """Return CPU seconds: of a process that reads the ledger and judges, and of each further answer."""
    random = np.random.default_rng(20130306)
    sets = [random.random(PERSONS) < 0.4 for _ in range(SETS + 1)]
    begun = time.process_time()
    ledger = Differences(sets[:-1])
    read = time.process_time() - begun
    if ledger.would_reveal(sets[-1:], smallest=SMALLEST):
        raise RuntimeError("random sets of many persons were told to give a few away")
    judged = time.process_time() - begun - read
    return [
        {
            "what": f"differencing: {SETS} random sets of {PERSONS:,} persons read, one more judged (k = {SMALLEST})",
            "ours": f"{read:.3g} s + {judged:.3g} s of CPU",
            "peer": "not measured",
        }
    ]
