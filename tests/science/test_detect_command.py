"""``corridor detect`` reads what people have, and says what is wrong and how to mend it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from corridor.base.errors import UserFault
from corridor.cli import main as command_line
from corridor.cli.detection import detect

WEEKS = 52 * 6


def _table(*, regions=("north", "south"), weeks=WEEKS) -> pl.DataFrame:
    random = np.random.default_rng(3)
    days = pl.date_range(pl.date(2015, 1, 5), pl.date(2030, 1, 1), "1w", eager=True)[:weeks]
    return pl.concat(
        pl.DataFrame({"date": days, "region": region, "observed": random.poisson(8, weeks)}) for region in regions
    )


def _run(*arguments: object) -> tuple[int, str, str]:
    """Run the command as the shell would: exit code, standard output, standard error."""
    runner = CliRunner()
    with runner.isolation() as (out, err, _):
        try:
            command_line.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, out.getvalue().decode(), err.getvalue().decode()


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    path = tmp_path / "counts.csv"
    _table().write_csv(path)
    return path


def test_alarms_carry_the_keys_of_the_input_and_the_columns_of_the_contract(counts, tmp_path):
    code, out, err = _run("detect", counts, "--last", 4, "--out", tmp_path / "alarms.csv")

    alarms = pl.read_csv(tmp_path / "alarms.csv")
    assert code == 0
    assert out == ""
    assert "8 counts of 2 series judged, 2020-11-30 to 2020-12-21" in err
    assert alarms.columns == [
        "date", "region", "observed", "expected", "upperbound", "alarm", "score", "pvalue", "trend", "phi", "method",
    ]  # fmt: skip
    assert alarms["region"].to_list() == ["north"] * 4 + ["south"] * 4
    assert set(alarms["method"]) == {"farrington-flexible"}


@pytest.mark.parametrize("name", ["counts.csv", "counts.csv.gz", "counts.parquet"])
@pytest.mark.parametrize("key", ["date", "week", "t"])
def test_every_form_of_the_table_gives_the_same_alarms(tmp_path, name, key):
    from corridor.base.textfiles import write_table

    table = _table(regions=("north",))
    if key == "week":
        table = table.with_columns(week=pl.col("date").dt.strftime("%GW%V")).drop("date")
    if key == "t":
        table = table.with_columns(t=pl.int_range(1, pl.len() + 1)).drop("date")
    write_table(table, tmp_path / name)
    write_table(_table(regions=("north",)), tmp_path / "plain.csv")

    _run("detect", tmp_path / name, "--out", tmp_path / "one.csv", "--method", "ears-c2", "--last", 30)
    _run("detect", tmp_path / "plain.csv", "--out", tmp_path / "two.csv", "--method", "ears-c2", "--last", 30)

    one, two = pl.read_csv(tmp_path / "one.csv"), pl.read_csv(tmp_path / "two.csv")
    assert one.drop(key).equals(two.drop("date"))


def test_rows_in_any_order_give_the_same_alarms(counts, tmp_path):
    shuffled = _table().sample(fraction=1, shuffle=True, seed=1)
    shuffled.write_csv(tmp_path / "shuffled.csv")

    _run("detect", counts, "--last", 9, "--out", tmp_path / "one.csv")
    _run("detect", tmp_path / "shuffled.csv", "--last", 9, "--out", tmp_path / "two.csv")

    one, two = pl.read_csv(tmp_path / "one.csv"), pl.read_csv(tmp_path / "two.csv")
    assert two.sort("region", "date").equals(one.sort("region", "date"))


def test_standard_input_and_output_can_be_piped(counts):
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    code = "from corridor.cli.main import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", code, "detect", "-", "--method", "ears-c1", "--last", "2"],
        input=counts.read_bytes(), capture_output=True, check=True, env=environment,
    )  # fmt: skip

    assert done.stdout.decode().splitlines()[0].startswith("date,region,observed,expected,upperbound,alarm")
    assert len(done.stdout.decode().splitlines()) == 5


def test_json_summary_names_the_simpler_method(tmp_path):
    table = _table().filter((pl.col("region") == "north") | (pl.col("date") >= pl.date(2020, 1, 1)))
    table.write_csv(tmp_path / "counts.csv")

    code, out, _ = _run("detect", tmp_path / "counts.csv", "--out", tmp_path / "alarms.parquet", "--json")

    summary = json.loads(out)
    assert code == 0
    assert (summary["series"], summary["judged"], summary["not_judged"]) == (2, 2, 0)
    assert [(entry["region"], entry["method"]) for entry in summary["simpler"]] == [("south", "ears-c1")]
    assert pl.read_parquet(tmp_path / "alarms.parquet")["method"].to_list() == ["farrington-flexible", "ears-c1"]


def test_from_judges_every_epoch_since(counts, tmp_path):
    for since in ("2020-12-14", "2020-12-09", "2020-W51"):
        _run("detect", counts, "--from", since, "--out", tmp_path / "alarms.csv")
        assert sorted(set(pl.read_csv(tmp_path / "alarms.csv")["date"])) == ["2020-12-14", "2020-12-21"]


def test_months_are_told_by_their_dates(tmp_path):
    days = pl.date_range(pl.date(2014, 1, 1), pl.date(2020, 12, 1), "1mo", eager=True)
    counts = np.random.default_rng(5).poisson(30, days.len())
    pl.DataFrame({"date": days, "observed": counts}).write_csv(tmp_path / "months.csv")
    options = ["--option", "half_window=1", "--option", "periods=1", "--option", "past_weeks_excluded=2"]

    told = _run("detect", tmp_path / "months.csv", *options, "--out", tmp_path / "told.csv")
    _run("detect", tmp_path / "months.csv", *options, "--frequency", 12, "--out", tmp_path / "named.csv")

    assert told[0] == 0
    assert pl.read_csv(tmp_path / "told.csv")["method"].to_list() == ["farrington-flexible"]
    assert (tmp_path / "told.csv").read_text() == (tmp_path / "named.csv").read_text()


def test_an_excluded_outbreak_and_an_offset_are_columns(tmp_path):
    sick = _table(regions=("north",)).with_columns(
        outbreak=(pl.int_range(pl.len()) >= WEEKS - 54) & (pl.int_range(pl.len()) < WEEKS - 44), sites=pl.lit(10)
    )
    sick = sick.with_columns(pl.when("outbreak").then(400).otherwise("observed").alias("observed"))
    sick.with_columns(pl.col("outbreak").cast(pl.Int8)).write_csv(tmp_path / "sick.csv")
    limits = {}

    for name, more in {"plain": (), "excluded": ("--exclude", "outbreak"), "offset": ("--offset", "sites")}.items():
        _run("detect", tmp_path / "sick.csv", "--option", "reweight=no", "--out", tmp_path / "out.csv", *more)
        limits[name] = pl.read_csv(tmp_path / "out.csv")["upperbound"][0]

    assert limits["plain"] > 2 * limits["excluded"]
    assert limits["offset"] == limits["plain"]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", "empty-file", "found nothing"),
        ("date,observed\n", "gap", "expected rows of counts"),
        ("date,cases\n2024-01-01,3\n", "missing-column", "expected a column 'observed', found date, cases"),
        ("day,observed\n2024-01-01,3\n", "missing-column", "expected a column 'date'"),
        ("date,observed\n2024-01-01,3\n2024-01-01,4\n", "repeated-row", "rows 2 and 3"),
        ("date,observed\n2024-01-01,3\n2024-01-08,-4\n", "bad-cell", "row 3, column 'observed' holds '-4'"),
        ("date,observed\n2024-01-01,3\n2024-01-08,4.5\n", "bad-cell", "row 3, column 'observed' holds '4.5'"),
        ("date,observed\n2024-01-01,NA\n", "bad-cell", "nothing where the count is missing"),
        ("date,observed\n01/02/2024,3\n", "bad-cell", "row 2, column 'date' holds '01/02/2024'"),
        ("date,observed\n2024-01-01,3\n,4\n", "bad-cell", "row 3, column 'date' is empty"),
        ("week,observed\n2024-W05,3\n2024-W53,4\n", "bad-cell", "row 3, column 'week'"),
        ("t,observed\n1,3\nx,4\n", "bad-cell", "row 3, column 't' holds 'x'"),
        ("t,observed\n1,3\n2,3\n4,3\n", "gap", "goes from 2 to 4"),
        ("date,observed\n2024-01-01,3\n2024-01-08,4\n2024-01-22,4\n", "gap", "from 2024-01-08 to 2024-01-22"),
        ("t,region,observed\n1,a,1\n2,a,1\n3,a,1\n1,b,1\n3,b,1\n", "gap", "region 'b' has no row for 2"),
        ("t,region,observed\n1,a,1\n2,,1\n", "bad-cell", "column 'region' is empty"),
    ],
)
def test_a_faulty_table_is_named_by_row_and_column(tmp_path, text, code, said):
    (tmp_path / "counts.csv").write_text(text, encoding="utf-8")

    exit_code, out, err = _run("detect", tmp_path / "counts.csv")

    assert exit_code == 3
    assert out == ""
    assert err.startswith(f"error [{code}]: ")
    assert said in err
    assert "counts.csv" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--method", "farington"), "unknown-method", "expected one of farrington-flexible"),
        (("--option", "window=3"), "bad-option", "it has alpha=0.01"),
        (("--option", "alpha"), "bad-option", "expected KEY=VALUE"),
        (("--option", "alpha=small"), "bad-option", "expected a number"),
        (("--option", "years_back=2.5"), "bad-option", "expected a whole number"),
        (("--option", "trend=perhaps"), "bad-option", "expected yes or no"),
        (("--from", "someday"), "nothing-to-judge", "expected a date"),
        (("--from", "2031-01-01"), "nothing-to-judge", "the last epoch is 2020-12-21"),
        (("--json",), "wrong-usage", "--out"),
        (("--last", "1", "--from", "2020-01-01"), "wrong-usage", "give one of them"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_to_do(counts, arguments, code, said):
    exit_code, _, err = _run("detect", counts, *arguments)

    assert exit_code == 2
    assert err.startswith(f"error [{code}]: ")
    assert said in err


def test_strict_refuses_a_short_series_that_would_fall_back(tmp_path):
    _table(weeks=100).write_csv(tmp_path / "short.csv")

    assert _run("detect", tmp_path / "short.csv")[0] == 0
    exit_code, _, err = _run("detect", tmp_path / "short.csv", "--strict")
    assert exit_code == 3
    assert err.startswith("error [too-few-weeks]: ")


def test_options_reach_the_method(counts, tmp_path):
    for alpha in ("0.2", "0.0001"):
        _run("detect", counts, "--option", f"alpha={alpha}", "--option", "years-back=4", "--out", tmp_path / alpha)

    loose, tight = (pl.read_csv(tmp_path / alpha)["upperbound"].to_list() for alpha in ("0.2", "0.0001"))
    assert all(a < b for a, b in zip(loose, tight, strict=True))


def test_a_full_disk_is_told_in_one_line(monkeypatch, counts):
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device", "alarms.csv")

    monkeypatch.setattr("corridor.base.textfiles.write_table", full)

    exit_code, _, err = _run("detect", counts, "--out", "alarms.csv")

    assert exit_code == 3
    assert err.strip().splitlines()[-1].startswith("error [disk-full]: ")


def test_help_lists_the_options_and_an_example():
    done = CliRunner().invoke(detect, ["--help"])

    assert done.exit_code == 0
    assert "Example:" in done.output
    assert "--option KEY=VALUE" in done.output


def test_without_django_the_help_says_how_to_get_the_node(monkeypatch):
    monkeypatch.setattr(command_line, "_has_django", lambda: False)

    code, out, _ = _run("--help")
    assert code == 0
    assert "detect" in out
    assert "pip install 'health-corridor[server]'" in out

    code, _, err = _run("node", "serve")
    assert code == 2
    assert err.startswith("error [no-server-extra]: ")


def test_science_commands_start_no_django():
    code = (
        "import sys\nfrom corridor.cli.main import main\n"
        "try:\n    main(['detect', '--help'])\nexcept SystemExit:\n    pass\n"
        "print({'django', 'numba', 'polars', 'scipy'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "set()"


def test_help_lists_the_commands_of_a_node_and_starts_no_django():
    pytest.importorskip("django", reason="the extra 'server' is not installed")
    code = (
        "import sys\nfrom corridor.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print({'django', 'numba', 'polars', 'scipy'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "  agreement  " in done.stdout
    assert done.stdout.splitlines()[-1] == "set()"


def test_every_fault_of_science_has_a_code_of_its_own():
    from corridor.base import textfiles
    from corridor.science import series, tables

    faults = {
        value
        for module in (textfiles, series, tables)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, UserFault) and value.__module__ == module.__name__
    }

    assert len({fault.code for fault in faults}) == len(faults) >= 14
