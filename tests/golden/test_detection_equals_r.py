"""Detection reproduces R's surveillance: alarms identical, figures within 1e-8 relative."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from corridor import science
from corridor.science.tables import read_counts
from tests.golden.reproduce import FOLDER, TOLERANCE, compare, counts_file, expected_of, runs
from tests.shared import shared


def _name(run: dict[str, Any]) -> str:
    return f"{run['dataset']}-{run['setting']}"


@pytest.mark.parametrize("run", runs(), ids=_name)
def test_command_reproduces_a_run_of_r(run, tmp_path: Path, record_property) -> None:
    counts = counts_file(run["dataset"]) or shared(f"golden/surveillance/{run['dataset']}_counts.csv")

    found = compare(run, counts, tmp_path)

    record_property("rows", found.rows)
    assert found.deviations == ()
    assert found.largest <= TOLERANCE


def test_manifest_names_every_weekly_run(record_property) -> None:
    chosen = runs()
    rows = sum(expected_of(run).height for run in chosen)

    print(f"{len(chosen)} runs, {rows} rows of R's output")

    record_property("runs", len(chosen))
    record_property("rows", rows)
    assert (len(chosen), rows) == (108, 82998)


def test_committed_outputs_are_those_of_r() -> None:
    folder = shared("golden/surveillance")
    for run in runs()[::10]:
        theirs = pl.read_csv(folder / f"{run['dataset']}__{run['setting']}.csv", infer_schema=False)
        ours = expected_of(run)
        assert ours["upperbound"].to_list() == theirs["upperbound"].to_list()
        assert ours["alarm"].to_list() == theirs["alarm"].to_list()


def test_a_changed_count_is_noticed_by_the_comparison(tmp_path: Path) -> None:
    run = next(run for run in runs() if run["dataset"] == "sim_open" and run["setting"] == "flex_nbplugin")
    table = pl.read_csv(FOLDER / "sim_open_counts.csv.gz", infer_schema=False)
    last = (pl.col("t") == "520") & (pl.col("region") == "sim01")
    altered = table.with_columns(pl.when(last).then(pl.lit("9999")).otherwise(pl.col("observed")).alias("observed"))
    altered.write_csv(tmp_path / "altered.csv")

    found = compare(run, tmp_path / "altered.csv", tmp_path)

    assert any(line.startswith("sim01 520: alarm") for line in found.deviations)


def test_strict_function_and_command_agree_on_the_simulated_series() -> None:
    counts = read_counts(FOLDER / "sim_open_counts.csv.gz")

    strict = science.farrington_flexible(counts.observed, dates=counts.dates, evaluate=np.arange(494, 520))

    run = next(run for run in runs() if run["dataset"] == "sim_open" and run["setting"] == "flex_nbplugin")
    limits = expected_of(run)["upperbound"].cast(pl.Float64).fill_null(np.nan).to_numpy().reshape(16, 26).T
    np.testing.assert_allclose(strict.upperbound, limits, rtol=TOLERANCE)
