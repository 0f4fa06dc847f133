"""Every run of the manifest by ``corridor detect``, beside R; ``python -m tests.golden.reproduce`` prints the count."""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from click.testing import CliRunner

from corridor.cli.detection import detect

FOLDER = Path(__file__).parent / "surveillance"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "golden" / "surveillance"
TOLERANCE = 1e-8

_RULES = {"delta": "delta", "nbPlugin": "nb-plugin", "muan": "muan"}


@dataclass(frozen=True)
class Comparison:
    """One run beside R's: rows compared, the largest relative difference, and rows that deviate."""

    rows: int
    largest: float
    deviations: tuple[str, ...]


def runs() -> list[dict[str, Any]]:
    """Return the runs of the manifest."""
    return list(json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))["runs"])


def counts_file(dataset: str) -> Path | None:
    """Return the counts of a data set: committed ones, or those beside the clone; None where they are absent."""
    for path in (FOLDER / f"{dataset}_counts.csv.gz", SHARED / f"{dataset}_counts.csv"):
        if path.exists():
            return path
    return None


def arguments_of(run: dict[str, Any]) -> list[str]:
    """Return the arguments of ``corridor detect`` that mean the same as R's control list."""
    control = run["control"]
    if run["fun"] == "earsC":
        method = f"ears-{control['method'].lower()}"
        options = {"alpha": control["alpha"], "baseline": control["baseline"], "min_sigma": control.get("minSigma", 0)}
    elif run["fun"] == "farringtonFlexible":
        method = "farrington-flexible"
        half_window = control.get("w", 3)
        min_cases, min_cases_weeks = control.get("limit54", [5, 4])
        options = {
            "years_back": control["b"],
            "half_window": half_window,
            "periods": control.get("noPeriods", 1),
            "past_weeks_excluded": control.get("pastWeeksNotIncluded", half_window),
            "reweight": control.get("reweight", True),
            "weights_threshold": control.get("weightsThreshold", 2.58),
            "alpha": control.get("alpha", 0.05),
            "trend": control.get("trend", True),
            "trend_p": control.get("pThresholdTrend", 0.05),
            "min_cases": min_cases,
            "min_cases_weeks": min_cases_weeks,
            "power": control.get("powertrans", "2/3"),
            "threshold": _RULES[control.get("thresholdMethod", "delta")],
        }
    else:
        method = "farrington"
        options = {
            "years_back": control["b"],
            "half_window": control["w"],
            "alpha": control["alpha"],
            "power": control["powertrans"],
            "trend": control.get("trend", True),
        }
    first, last = run["range"]
    if last != run["n_epochs"]:
        raise ValueError(f"{run['dataset']} {run['setting']} ends before the series does")
    arguments = ["--method", method, "--frequency", str(run["freq"]), "--last", str(last - first + 1)]
    for name, value in options.items():
        arguments += ["--option", f"{name}={value}"]
    if control.get("populationOffset"):
        arguments += ["--offset", "population"]
    return arguments


def expected_of(run: dict[str, Any]) -> pl.DataFrame:
    """Return R's outputs of a run, as text."""
    table = pl.read_csv(FOLDER / f"{run['dataset']}.csv.gz", infer_schema=False)
    return table.filter(pl.col("run") == run["setting"])


def compare(run: dict[str, Any], counts: Path, folder: Path) -> Comparison:
    """Judge the counts by the command and compare with R's outputs."""
    out = folder / "alarms.parquet"
    done = CliRunner().invoke(detect, [str(counts), *arguments_of(run), "--out", str(out)], catch_exceptions=False)
    if done.exit_code != 0:
        raise RuntimeError(done.output)
    ours = pl.read_parquet(out).with_columns(pl.col("t").cast(pl.String))
    theirs = expected_of(run)
    both = theirs.join(ours, on=["region", "t"], how="inner", suffix="_ours", maintain_order="left")
    if both.height != theirs.height:
        raise RuntimeError(f"{theirs.height} rows in R's output, {both.height} of them in ours")
    return _compared(run, both)


def _compared(run: dict[str, Any], both: pl.DataFrame) -> Comparison:
    deviations = []
    largest = 0.0
    alarm = both["alarm"].cast(pl.Int8)
    for at in (alarm.ne_missing(both["alarm_ours"])).arg_true().to_list():
        deviations.append(f"{both['region'][at]} {both['t'][at]}: alarm {both['alarm_ours'][at]}, R {alarm[at]}")
    limited = both["upperbound"].is_not_null()
    for at in (limited != both["upperbound_ours"].is_not_null()).arg_true().to_list():
        deviations.append(
            f"{both['region'][at]} {both['t'][at]}: limit {both['upperbound_ours'][at]}, R's is not there"
        )
    for name in ("expected", "upperbound", "phi", "pvalue", "score", "trend", "cdf_at_observed"):
        theirs = both.filter(limited)[name].cast(pl.Float64).to_numpy()
        if run["fun"] == "earsC" and name != "upperbound":
            continue
        if np.isnan(theirs.astype(float)).all():
            continue
        column = both.filter(limited)["pvalue_ours" if name == "cdf_at_observed" else f"{name}_ours"]
        mine = column.cast(pl.Float64).to_numpy()
        mine = 1 - mine if name == "cdf_at_observed" else mine
        difference = np.abs(mine - theirs)
        # A score of zero is the difference of two equal numbers: only its absolute size means something.
        floor = TOLERANCE if name == "score" else 0.0
        relative = difference / np.maximum(np.abs(theirs), 1e-300)
        largest = max(largest, float(np.max(relative[difference > floor], initial=0.0)))
        for at in np.flatnonzero(~((relative <= TOLERANCE) | (difference <= floor))):
            deviations.append(f"{name}: {mine[at]!r}, R {theirs[at]!r}")
    return Comparison(both.height, largest, tuple(deviations))


def main() -> int:
    """Print one line a run, and the number of runs and rows that agree."""
    count, rows, failed, absent = 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for run in runs():
            counts = counts_file(run["dataset"])
            if counts is None:
                absent += 1
                continue
            found = compare(run, counts, Path(folder))
            count += 1
            rows += found.rows
            failed += bool(found.deviations)
            verdict = "agrees" if not found.deviations else "DEVIATES " + "; ".join(found.deviations[:3])
            name = f"{run['dataset']:22s} {run['setting']:24s}"
            sys.stdout.write(f"{name} {found.rows:6d} rows  {found.largest:.1e}  {verdict}\n")
    sys.stdout.write(f"{count} runs, {rows} rows compared; {failed} runs deviate; {absent} lack their counts here\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
