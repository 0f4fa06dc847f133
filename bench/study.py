"""A joint study from request to report: over two nodes with five analyses, and one large Cox fit over three nodes.

Nodes run in one process, each with its own home and SQLite database with full sync; every round is computed, judged,
entered into the ledger, signed, sent, verified and logged. The wire is memory. Setting up (agreement, protocol, frozen
rows) is not measured.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import django
import numpy as np
import polars as pl

ANALYSES = ("baseline-categories", "baseline-numbers", "primary", "logrank", "curves")
ROWS = 1_000_000
COVARIATES = 10


def rows(*, number: int = ROWS) -> list[dict[str, Any]]:
    """Return what was measured, in seconds of wall and of CPU time of one process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "corridor.server.settings")
    django.setup()
    five = _measured(ANALYSES, members=None, files=None)
    with tempfile.TemporaryDirectory() as folder:
        large = _measured(("large",), members=_large, files=_cohort(Path(folder), number))
    return [
        {
            "what": "a study of five analyses on the two breast cancer sites, from request to result at both",
            "ours": f"{five[0]:.3g} s ({five[1]:.3g} s of CPU)",
            "peer": "not measured",
            "at_least": "30 s",
            "aim": "10 s",
        },
        {
            "what": f"Cox, Efron, {number:,} rows by {COVARIATES} across three nodes with exchange",
            "ours": f"{large[0]:.3g} s ({large[1]:.3g} s of CPU)",
            "peer": "not measured",
            "at_least": "15 s",
            "aim": "5 s",
        },
    ]


def _measured(
    analyses: tuple[str, ...], *, members: Callable[[dict[str, Any]], None] | None, files: Mapping[str, Path] | None
) -> tuple[float, float]:
    from tests.exchange.nodes import Corridor
    from tests.research.studies import StudyCorridor, breast_protocol

    document, protocol = breast_protocol(members)
    with tempfile.TemporaryDirectory() as folder:
        corridor = Corridor(Path(folder) / "corridor", [site.node for site in protocol.sites])
        study = StudyCorridor(corridor, document, protocol)
        study.ready(files)
        study.settle()
        wall, cpu = time.perf_counter(), time.process_time()
        runs = [study.request(analysis) for analysis in analyses]
        study.settle(passes=100)
        spent = time.perf_counter() - wall, time.process_time() - cpu
        ended = {(study.run(run, site).state, *study.run(run, site).reasons) for run in runs for site in study.nodes}
        corridor.close()
    if ended != {("done",)}:
        raise RuntimeError(f"not every run came to a result: {sorted(ended)}")
    return spent


def _large(members: dict[str, Any]) -> None:
    """Turn the example protocol into one of three sites and ten covariates."""
    members["sites"].append({**members["sites"][0], "id": "at", "node": "at.third", "country": "AT"})
    members["population"], members["exposure"] = [], "x0"
    names = [f"x{number}" for number in range(COVARIATES)]
    kept = ("patient_id", "hormon", "time_days", "event")
    members["variables"] = [each for each in members["variables"] if each["name"] in kept]
    members["variables"] += [
        {"name": name, "type": "number", "unit": "1", "least": -100, "most": 100, "label": {"en": name}}
        for name in names
    ]
    members["terms"] = [{"name": name, "variable": name} for name in names]
    members["analyses"] = [
        {"id": "large", "kind": "cox", "title": {"en": "Large"}, "endpoint": "rfs", "terms": names, "ties": "efron"}
    ]


def _cohort(folder: Path, number: int) -> dict[str, Path]:
    """Write a third of a simulated cohort for each site, and return the files."""
    random = np.random.default_rng(20130306)
    covariates = random.normal(size=(number, COVARIATES))
    times = np.ceil(random.exponential(1_500 * np.exp(-covariates @ np.linspace(-0.3, 0.3, COVARIATES))))
    limits = np.ceil(random.uniform(200, 3_000, number))
    frame = pl.DataFrame(
        {
            "patient_id": [f"P-{index}" for index in range(number)],
            "hormon": (np.arange(number) % 2).astype(int),
            "time_days": np.clip(np.minimum(times, limits), 1, 20_000).astype(int),
            "event": (times <= limits).astype(int),
            **{f"x{place}": covariates[:, place] for place in range(COVARIATES)},
        }
    )
    files = {}
    for place, site in enumerate(("nl", "de", "at")):
        files[site] = folder / f"{site}.parquet"
        frame[place::3].write_parquet(files[site])
    return files
