"""A joint study from request to report: over two nodes with five analyses, and one large Cox fit over three nodes.

Nodes run in one process, each with its own home and SQLite database with full sync; every round is computed, judged,
entered into the ledger, signed, sent, verified and logged. The wire is memory. Setting up (agreement, protocol, frozen
rows) is not measured. The peer has all rows in one place and exchanges nothing; both must find the same.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import django
import numpy as np
import polars as pl

PEER = Path(__file__).parent / "peers" / "study.R"
ANALYSES = ("baseline-categories", "baseline-numbers", "primary", "logrank", "curves")
ROWS = 1_000_000
COVARIATES = 10


def rows(*, number: int = ROWS) -> list[dict[str, Any]]:
    """Return what was measured, in seconds of wall and of CPU time of one process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "corridor.server.settings")
    django.setup()
    five, _ = _measured(ANALYSES, members=None, files=None)
    with tempfile.TemporaryDirectory() as folder:
        files = _cohort(Path(folder), number)
        large, (fit,) = _measured(("large",), members=_large, files=files)
        pooled = _pooled(files, Path(folder))
    if pooled is not None and not np.allclose(fit["coef"], pooled["coef"], rtol=1e-6, atol=1e-9):
        raise RuntimeError(f"results differ: {fit['coef']}, R {pooled['coef']}")
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
            "peer": f"{pooled['seconds']:.3g} s (R survival, coxph.fit, rows pooled)" if pooled else "not measured",
            "ratio": f"{pooled['seconds'] / large[0]:.2f} times" if pooled else "not measured",
            "at_least": "15 s",
            "aim": "5 s",
        },
    ]


def _measured(
    analyses: tuple[str, ...], *, members: Callable[[dict[str, Any]], None] | None, files: Mapping[str, Path] | None
) -> tuple[tuple[float, float], list[dict[str, Any]]]:
    """Return seconds of wall and of CPU time, and the values of each result."""
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
        results = [study.run(run).result for run in runs]
        corridor.close()
    if ended != {("done",)}:
        raise RuntimeError(f"not every run came to a result: {sorted(ended)}")
    return spent, [result["values"] for result in results if result is not None]


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


def _pooled(files: Mapping[str, Path], folder: Path) -> dict[str, Any] | None:
    """Return what R finds on the rows of all sites, stratified by site, and in how many seconds; None without R."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None
    frames = [pl.read_parquet(file).with_columns(site=pl.lit(place)) for place, file in enumerate(files.values())]
    wanted = ["time_days", "event", "site", *(f"x{place}" for place in range(COVARIATES))]
    rows = pl.concat(frames).select(wanted).to_numpy()
    table = folder / "pooled.bin"
    rows.T.astype("<f8").tofile(table)
    done = subprocess.run(
        [rscript, str(PEER), str(table), str(len(rows)), str(COVARIATES)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode != 0:
        sys.stderr.write(f"R without a working package survival: {done.stderr.strip()[-200:]}\n")
        return None
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
