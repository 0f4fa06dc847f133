"""``corridor detect``: alarms from a counts table, without a server."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from corridor.base.errors import WrongUsage
from corridor.cli.progress import progress

if TYPE_CHECKING:
    from corridor.science.alarms import Alarms
    from corridor.science.tables import Counts

__all__ = ["detect"]

_YES, _NO = frozenset({"yes", "true", "1", "on"}), frozenset({"no", "false", "0", "off"})


class BadOptionValue(WrongUsage):
    """An option of a method is not written KEY=VALUE, or its value is of the wrong kind."""

    code = "bad-option"


class NothingToJudge(WrongUsage):
    """``--last`` or ``--from`` leaves no epoch."""

    code = "nothing-to-judge"


_EXAMPLE = """\b
Example:
  corridor detect counts.csv --option alpha=0.005 --last 26 --out alarms.csv
"""


@click.command("detect", epilog=_EXAMPLE)
@click.argument("counts", type=click.Path(path_type=str, allow_dash=True))
@click.option(
    "--method",
    default="farrington-flexible",
    show_default=True,
    help="farrington-flexible, farrington, ears-c1, ears-c2 or ears-c3.",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the method, such as years_back=4; may be repeated. An unknown KEY lists them all.",
)
@click.option(
    "--frequency",
    type=click.IntRange(min=1),
    help="Epochs a year: 12 for months, 52 for weeks. Told by the dates; 52 where there are none.",
)
@click.option(
    "--last", type=click.IntRange(min=1), metavar="N", help="Judge the last N epochs (default: the last one)."
)
@click.option("--from", "since", metavar="DATE", help="Judge every epoch from DATE (or week, or t) on.")
@click.option(
    "--offset", metavar="COLUMN", help="Judge rates: a column such as population or offset (reporting sites)."
)
@click.option(
    "--exclude", metavar="COLUMN", help="A column with 1 in epochs of known outbreaks, which the baseline leaves out."
)
@click.option("--strict", is_flag=True, help="Stop at a series that is too short, instead of taking a simpler method.")
@click.option("--encoding", help="Encoding of a CSV file, if it is not recognised.")
@click.option(
    "--out", default="-", metavar="ALARMS", help="Where to write the alarms: .csv, .csv.gz, .parquet, or - (default)."
)
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON; needs --out FILE.")
def detect(
    counts: str,
    *,
    method: str,
    options: tuple[str, ...],
    frequency: int | None,
    last: int | None,
    since: str | None,
    offset: str | None,
    exclude: str | None,
    strict: bool,
    encoding: str | None,
    out: str,
    as_json: bool,
) -> None:
    """Find unusual rises in COUNTS, a table of counts by week (or day, or month) and region.

    COUNTS is CSV (also .gz) or Parquet, or - for standard input, with the columns date or week or t, region (optional)
    and observed (empty = missing). A series too short for the method is judged by a simpler one, which is named.
    """
    if as_json and out == "-":
        raise WrongUsage("--json prints its summary where the alarms would go; name a file with --out as well.")
    if last is not None and since is not None:
        raise WrongUsage("--last and --from both say where to begin; give one of them.")
    # numpy and polars take a second to load; help and other commands do without.
    from corridor.base.textfiles import write_table
    from corridor.science import detection
    from corridor.science.tables import alarms_table, read_counts

    settings = _settings(method, options)
    table = read_counts(counts, encoding=encoding, columns=[column for column in (offset, exclude) if column])
    with progress("judging") as tell:
        alarms = detection.detect(
            table.observed,
            method=method,
            dates=table.dates,
            frequency=frequency or _frequency_of(table),
            population=table.columns[offset] if offset else None,
            exclude=table.columns[exclude] > 0 if exclude else None,
            evaluate=_evaluated(table, last, since),
            fallback=not strict,
            progress=tell,
            **settings,
        )
    write_table(alarms_table(table, alarms), out if out == "-" else Path(out))
    summary = _summary(table, alarms, out)
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(_in_words(summary)), err=True)


def _settings(method: str, options: Iterable[str]) -> dict[str, Any]:
    """Return ``KEY=VALUE`` texts as options of the method, each of the kind of its default."""
    from corridor.science.detection import options_of

    known = options_of(method)
    settings = {}
    for text in options:
        key, equals, value = text.partition("=")
        name = key.strip().replace("-", "_")
        if not equals:
            raise BadOptionValue(f"--option {text!r}: expected KEY=VALUE, such as alpha=0.005.")
        if name not in known:
            raise BadOptionValue(f"--option {text!r}: method {method} has no option {name!r}; it has {_listed(known)}.")
        settings[name] = _converted(name, value.strip(), known[name])
    return settings


def _listed(known: Mapping[str, Any]) -> str:
    return ", ".join(name if default is None else f"{name}={default}" for name, default in sorted(known.items()))


def _converted(name: str, text: str, default: object) -> object:
    try:
        if isinstance(default, bool):
            if text.lower() not in _YES | _NO:
                raise ValueError(text)
            return text.lower() in _YES
        if isinstance(default, int) and not name.startswith("min_cases"):
            return int(text)
        if isinstance(default, str):
            return text
        return int(text) if name == "min_cases_weeks" else float(text)
    except ValueError as fault:
        kind = (
            "yes or no" if isinstance(default, bool) else "a whole number" if isinstance(default, int) else "a number"
        )
        raise BadOptionValue(f"--option {name}={text!r}: expected {kind}, such as {default}.") from fault


def _frequency_of(table: "Counts") -> int:
    """Return 12 for a table of months, 52 for any other."""
    if table.dates is None or table.dates.size < 2:
        return 52
    shortest = min((table.dates[1:] - table.dates[:-1]).astype(int).tolist())
    return 12 if 28 <= shortest <= 31 else 52


def _evaluated(table: "Counts", last: int | None, since: str | None) -> list[int]:
    epochs = len(table.labels)
    if since is None:
        return list(range(max(0, epochs - (last or 1)), epochs))
    begin = _beginning(table, since)
    if begin >= epochs:
        raise NothingToJudge(f"--from {since}: the last epoch is {table.labels[-1]}. Name an earlier one.")
    return list(range(begin, epochs))


def _beginning(table: "Counts", since: str) -> int:
    """Return the index of the first epoch at or after `since`."""
    import numpy as np

    from corridor.base.epiweek import ImpossibleWeek, Week

    if table.dates is None:
        if not since.isdigit():
            raise NothingToJudge(f"--from {since}: the table has no dates; give the number t of an epoch.")
        return next((at for at, label in enumerate(table.labels) if int(label) >= int(since)), len(table.labels))
    try:
        day = Week.parse(since).start if "W" in since.upper() else date.fromisoformat(since)
    except (ImpossibleWeek, ValueError) as fault:
        raise NothingToJudge(
            f"--from {since}: expected a date such as 2024-01-29 or a week such as 2024-W05."
        ) from fault
    return int(np.searchsorted(table.dates, np.datetime64(day, "D")))


def _summary(table: "Counts", alarms: "Alarms", out: str) -> dict[str, Any]:
    simpler = alarms.fallback
    return {
        "method": alarms.method,
        "series": len(table.regions),
        "epochs": len(table.labels),
        "evaluated": int(alarms.evaluated.size),
        "first": table.labels[int(alarms.evaluated[0])],
        "last": table.labels[int(alarms.evaluated[-1])],
        "judged": int(alarms.judged.sum()),
        "not_judged": int((~alarms.judged).sum()),
        "alarms": int(alarms.alarm.sum()),
        "simpler": [
            {"region": table.regions[series], "method": simpler.get(series, alarms.method), "note": str(note)}
            for series, note in sorted(alarms.notes.items())
        ],
        "out": out,
    }


def _in_words(summary: Mapping[str, Any]) -> Iterable[str]:
    yield (
        f"{summary['method']}: {summary['judged']} counts of {summary['series']} series judged,"
        f" {summary['first']} to {summary['last']}; alarms: {summary['alarms']}"
        + (f"; {summary['not_judged']} not judged" if summary["not_judged"] else "")
    )
    shown = summary["simpler"][:10]
    for entry in shown:
        yield f"  {entry['region'] or 'the series'}: {entry['note']}"
    if len(summary["simpler"]) > len(shown):
        yield f"  and {len(summary['simpler']) - len(shown)} more series; column 'method' of the alarms names them"
