"""A line list of a million rows into SQLite, beside the standard library doing no more than storing the text."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.tables import show

ROWS = 1_000_000
NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)


def rows(*, number: int = ROWS) -> list[dict[str, Any]]:
    """Return one row a way of taking the file in: what, ours, peer, ratio, at_least, aim.

    Each way runs in a process of its own on the same file. The peer reads the file with `csv` and stores every cell as
    text with `executemany`, keyed by case id; it checks nothing, resolves no name and counts nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cases.csv"
        write_line_list(file, number=number)
        found = {way: _measure(way, file) for way in ("corridor", "again", "peer")}
    peer = found["peer"]
    return [
        {
            "what": f"line list of {number:,} rows into SQLite{what}",
            "ours": f"{found[way]['seconds']:.1f} s, {found[way]['peak_mb'] / 1000:.2f} GB",
            "peer": f"{peer['seconds']:.1f} s, {peer['peak_mb'] / 1000:.2f} GB (csv and executemany, nothing checked)",
            "ratio": f"{found[way]['seconds'] / peer['seconds']:.2f} times the time",
            "at_least": at_least,
            "aim": aim,
        }
        for way, what, at_least, aim in (
            ("corridor", "", "20 s, 1.5 GB", "8 s"),
            ("again", ", the same rows again: nothing changes", "", ""),
        )
    ]


def write_line_list(file: Path, *, number: int) -> None:
    """Write a line list as a province's system exports it: names, not codes, five years, 50 places, ten diseases."""
    import numpy as np
    import polars as pl

    from corridor.base.reference import diseases, places

    random = np.random.default_rng(20260601)
    admin1 = [place.name("en") for place in places() if place.level == "admin1" and place.parent in ("CN", "PK")]
    known = [place for place in admin1 if places().resolve(place) is not None][:50]
    names = [disease.name("en") for disease in diseases()][:10]
    report = np.datetime64("2021-01-04") + random.integers(0, 1900, number).astype("timedelta64[D]")
    onset = report - random.integers(0, 12, number).astype("timedelta64[D]")
    age = random.integers(0, 90, number)
    pl.DataFrame(
        {
            "case_id": [f"EPI-{row:09d}" for row in random.permutation(number).tolist()],
            "disease": random.choice(names, number),
            "place": random.choice(known, number),
            "onset_on": onset.astype("datetime64[ms]"),
            "report_on": report.astype("datetime64[ms]"),
            "age_years": np.where(age < 88, age.astype(str), ""),
            "sex": random.choice(["F", "M", ""], number),
            "classification": random.choice(["suspected", "probable", "confirmed", "discarded"], number),
            "outcome": random.choice(["", "recovered", "died"], number),
        }
    ).with_columns(pl.col(pl.Datetime).dt.strftime("%d/%m/%Y")).write_csv(file)


def _measure(way: str, file: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "CORRIDOR_HOME": home, "DJANGO_SETTINGS_MODULE": "corridor.server.settings"}
        environment.pop("DATABASE_URL", None)
        command = [sys.executable, "-m", "bench.ingest", "--way", way, str(file), home]
        done = subprocess.run(
            command, cwd=Path(__file__).parents[1], env=environment, check=True, capture_output=True, text=True
        )
    return {name: float(value) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}


def _corridor(file: Path, *, again: bool) -> float:
    import django

    django.setup()
    from django.core.management import call_command

    from corridor.accounts.actors import System
    from corridor.pillars.surveillance import tasks
    from corridor.pillars.surveillance.tables import Mapping

    call_command("migrate", verbosity=0)
    seconds = 0.0
    for turn in range(2 if again else 1):
        started = time.perf_counter()
        read = tasks.read_file(file, name=f"{turn}.csv", kind="line-list", mapping=Mapping(), as_of=NOW)
        # Another file hash: otherwise the second turn ends before a row is compared.
        read = replace(read, hash=str(turn))
        taken = tasks.take_in(read, source="bench", as_of=NOW, actor=System("bench"), now=NOW)
        seconds = time.perf_counter() - started
        if taken.kept != taken.rows:
            raise SystemExit(f"only {taken.kept} of {taken.rows} rows were kept: {taken.reasons}")
    return seconds


def _peer(file: Path, home: Path) -> float:
    started = time.perf_counter()
    database = sqlite3.connect(home / "peer.db")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    with file.open(newline="", encoding="utf-8") as stream:
        reader = csv.reader(stream)
        columns = next(reader)
        marks = ", ".join("?" * len(columns))
        database.execute(f"CREATE TABLE cases ({', '.join(columns)}, UNIQUE (case_id))")
        database.executemany(f"INSERT INTO cases VALUES ({marks})", reader)
    database.commit()
    database.close()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=["corridor", "again", "peer"])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("home", nargs="?", type=Path)
    given = parser.parse_args()
    if given.way is None:
        show(rows(number=given.rows))
        return
    seconds = (
        _peer(given.file, given.home) if given.way == "peer" else _corridor(given.file, again=given.way == "again")
    )
    print(json.dumps({"seconds": round(seconds, 2), "peak_mb": round(_peak_mb())}))


def _peak_mb() -> float:
    """Return the peak memory of this process; `getrusage` would tell that of the parent that forked it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("/proc/self/status has no VmHWM; peak memory is measured on Linux alone")


if __name__ == "__main__":
    main()
