"""Survival analysis beside R's survival: CPU seconds of one site's work on the same 1,000,000 rows, one core."""

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
from corridor import science
from corridor.base.streams import stream

ROWS = 1_000_000
COVARIATES = 10
PEER = Path(__file__).parent / "peers" / "survival.R"
NAMES = [f"x{number}" for number in range(COVARIATES)]


def rows() -> list[dict[str, Any]]:
    """Return one row a figure: what, ours, peer, ratio, at_least, aim; a peer that is not installed is not measured."""
    times, events, covariates = _cohort()
    fits: list[science.CoxFit] = []

    def fit() -> None:
        fits.append(science.fit_cox([science.CoxRows(times, events, covariates)], names=NAMES))

    arm = (covariates[:, 0] > 0).astype(int)
    ours = {
        "cox": _seconds(fit),
        "curve": _seconds(lambda: _curve(times, events)),
        "logrank": _seconds(lambda: _logrank(times, events, arm)),
    }
    theirs = _peer(times, events, covariates)
    if theirs is not None:
        _require_equal(fits[-1].coef, theirs["coef"])
        _require_equal([_curve(times, events).at(365.0).value], [theirs["survival_365"]])
        _require_equal([_logrank(times, events, arm).test.statistic], [theirs["chisq"]])
    goals = {
        "cox": ("Cox, Efron, 1,000,000 rows by 10 covariates, whole fit with sorting", "as fast", "2 times"),
        "curve": ("Kaplan-Meier with limits, 1,000,000 rows, days", "1 s", "0.3 s"),
        "logrank": ("log-rank of two groups, 1,000,000 rows, days", "1 s", "0.3 s"),
    }
    return [
        {
            "what": what,
            "ours": f"{ours[name]:.3g} s",
            "peer": f"{theirs[name]:.3g} s (R survival, {_WHERE[name]})" if theirs else "not measured",
            "ratio": f"{theirs[name] / ours[name]:.1f} times" if theirs else "not measured",
            "at_least": at_least,
            "aim": aim,
        }
        for name, (what, at_least, aim) in goals.items()
    ]


_WHERE = {"cox": "coxph.fit alone", "curve": "survfit", "logrank": "survdiff"}


def _curve(times: np.ndarray, events: np.ndarray) -> science.SurvivalCurve:
    return science.kaplan_meier(science.interval_table(times, events, edges=science.distinct_edges(times)))


def _logrank(times: np.ndarray, events: np.ndarray, arm: np.ndarray) -> science.LogrankTest:
    return science.logrank_test([science.logrank_block(times, events, arm)])


def _cohort() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return whole-day times, about 45% events, and normal covariates."""
    random = stream(1, "bench", "survival")
    covariates = random.normal(size=(ROWS, COVARIATES))
    life = random.exponential(2000 * np.exp(-covariates @ np.linspace(0.3, -0.3, COVARIATES)))
    censoring = random.uniform(0, 3000, ROWS)
    return np.ceil(np.minimum(life, censoring)), (life <= censoring).astype(int), covariates


def _seconds(work: Callable[[], object]) -> float:
    """Return CPU seconds, the best of three, after a first call that loads compiled code."""
    work()
    return min(_once(work) for _ in range(3))


def _once(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _peer(times: np.ndarray, events: np.ndarray, covariates: np.ndarray) -> dict[str, Any] | None:
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "cohort.bin"
        np.column_stack([times, events, covariates]).T.astype("<f8").tofile(table)
        done = subprocess.run(
            [rscript, str(PEER), str(table), str(ROWS)], capture_output=True, text=True, check=False, timeout=600
        )
    if done.returncode != 0:
        sys.stderr.write(f"R without a working package survival: {done.stderr.strip()[-200:]}\n")
        return None
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _require_equal(ours: np.ndarray | list[float], theirs: list[float]) -> None:
    """Refuse to compare the speed of two things that do not agree."""
    if not np.allclose(ours, theirs, rtol=1e-6, atol=1e-9):
        raise RuntimeError(f"results differ: {ours}, R {theirs}")


if __name__ == "__main__":
    show(rows())
