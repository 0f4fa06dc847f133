"""Differencing: what the ledger takes to judge many answers that have nothing in common, one after another."""

import time
from typing import Any

import numpy as np

from corridor.pillars.research.rules.disclosure import Differences

SETS, PERSONS, SMALLEST = 400, 686, 5


def rows() -> list[dict[str, Any]]:
    """Return CPU seconds of as many answers, each judged beside all before it and then released."""
    random = np.random.default_rng(20130306)
    sets = [random.random(PERSONS) < 0.4 for _ in range(SETS)]
    ledger, begun = Differences(), time.process_time()
    for each in sets:
        if ledger.would_reveal([each], smallest=SMALLEST):
            raise RuntimeError("random sets of many persons were told to give a few away")
        ledger.add([each])
    spent = time.process_time() - begun
    return [
        {
            "what": f"differencing: {SETS} random sets of {PERSONS} persons, judged and released one after another",
            "ours": f"{spent:.3g} s of CPU",
            "peer": "not measured",
        }
    ]
