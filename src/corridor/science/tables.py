"""Counts and alarms as tables: a file to arrays, and alarms back to a table with the keys of the input."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from corridor.base.epiweek import ImpossibleWeek, Week
from corridor.base.errors import InputFault
from corridor.base.textfiles import read_table
from corridor.science.alarms import Alarms

__all__ = ["BadCell", "Counts", "Gap", "MissingColumn", "RepeatedRow", "alarms_table", "counts_of", "read_counts"]

KEYS = ("date", "week", "t", "region")
_COUNT = r"^[0-9]+(?:\.0*)?$"


class MissingColumn(InputFault):
    """A table lacks a column."""

    code: ClassVar[str] = "missing-column"


class BadCell(InputFault):
    """A cell of a table holds what its column cannot hold."""

    code: ClassVar[str] = "bad-cell"


class RepeatedRow(InputFault):
    """Two rows give the count of the same epoch and region."""

    code: ClassVar[str] = "repeated-row"


class Gap(InputFault):
    """An epoch between the first and the last has no row."""

    code: ClassVar[str] = "gap"


@dataclass(frozen=True)
class Counts:
    """A counts table as arrays; time is axis 0, oldest first, regions are axis 1.

    Attributes
    ----------
    keys : polars.DataFrame
        The key columns of the input, row by row.
    epoch, series : arrays of int
        Where each row of the input lies in the arrays below.
    labels : tuple of str
        Name of each epoch: its date, or its number.
    dates : array of days, or None for an undated table
    regions : tuple of str
        Name of each series, in the order of the input; one empty name where there is no region column.
    observed : array, cases, NaN where missing
    columns : dict of arrays
        Further columns that were asked for (population, offset, a mask), NaN where missing.
    """

    keys: pl.DataFrame
    epoch: NDArray[np.int64]
    series: NDArray[np.int64]
    labels: tuple[str, ...]
    dates: NDArray[np.datetime64] | None
    regions: tuple[str, ...]
    observed: NDArray[np.float64]
    columns: dict[str, NDArray[np.float64]]


def read_counts(source: str | Path, *, encoding: str | None = None, columns: Sequence[str] = ()) -> Counts:
    """Return the counts table in `source` (path or ``-``); see `counts_of` and `base.textfiles.read_table`."""
    name = "standard input" if str(source) == "-" else str(source)
    return counts_of(read_table(source, encoding=encoding), name=name, columns=columns)


def counts_of(table: pl.DataFrame, *, name: str = "the table", columns: Sequence[str] = ()) -> Counts:
    """Return a counts table, given as text, as arrays.

    Parameters
    ----------
    table : polars.DataFrame of String columns
        ``date`` (ISO) or ``week`` (``2024-W05``), or else ``t`` (1, 2, ...); ``region`` (optional); ``observed``.
    name : str
        How error messages call the table.
    columns : names of further columns to read as numbers

    Raises
    ------
    MissingColumn, BadCell, RepeatedRow, Gap
        What is wrong, in which row and column, and what to do.
    """
    if table.height == 0:
        raise Gap(f"{name}: expected rows of counts below the header, found none. Export the table again.")
    for wanted in ("observed", *columns):
        if wanted not in table.columns:
            found = ", ".join(table.columns[:12])
            raise MissingColumn(
                f"{name}: expected a column {wanted!r}, found {found}. Name the column of counts 'observed'."
                if wanted == "observed"
                else f"{name}: expected a column {wanted!r}, found {found}. Add it, or do not ask for it."
            )
    key = _time_column(table, name)
    steps, days = _steps_of(table[key], key, name)
    regions, series = _regions_of(table, name)
    epoch, labels, dates = _grid(steps, days, name, key)
    shape = (len(labels), len(regions))
    _refuse_repeats(epoch, series, shape, table, key, name)
    _refuse_holes(epoch, series, shape, labels, regions, name)

    def spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
        grid = np.full(shape, np.nan)
        grid[epoch, series] = values
        return grid

    return Counts(
        keys=table.select(column for column in KEYS if column in table.columns),
        epoch=epoch,
        series=series,
        labels=labels,
        dates=dates,
        regions=regions,
        observed=spread(_whole_numbers(table["observed"], name)),
        columns={column: spread(_numbers(table[column], name)) for column in columns},
    )


def alarms_table(counts: Counts, alarms: Alarms) -> pl.DataFrame:
    """Return `alarms` as a table: the judged rows of the input in their order, and what was found.

    Columns: the keys of the input, observed, expected, upperbound, alarm (0/1), score, pvalue, trend (0/1), phi, and
    ``method``, the method that judged the row; null where the method gives none.
    """
    place = np.full(len(counts.labels), -1, np.int64)
    place[alarms.evaluated] = np.arange(alarms.evaluated.size)
    chosen = np.flatnonzero(place[counts.epoch] >= 0)
    at = (place[counts.epoch[chosen]], counts.series[chosen])
    observed = counts.observed[counts.epoch[chosen], counts.series[chosen]]

    def column(name: str, values: NDArray[np.float64], kind: type[pl.DataType] = pl.Float64) -> pl.Series:
        finite = pl.Series(name, values).fill_nan(None)
        return finite.cast(kind)

    alarm = np.where(alarms.judged[at], alarms.alarm[at].astype(np.float64), np.nan)
    found = [
        column("observed", observed, pl.Int64),
        column("expected", alarms.expected[at]),
        column("upperbound", alarms.upperbound[at]),
        column("alarm", alarm, pl.Int8),
        column("score", alarms.score[at]),
        column("pvalue", alarms.pvalue[at]),
        column("trend", alarms.trend[at], pl.Int8),
        column("phi", alarms.phi[at]),
        pl.Series("method", np.array(alarms.methods, dtype=object)[alarms.used[at]], dtype=pl.String).replace("", None),
    ]
    return counts.keys[chosen].with_columns(found)


def _row(index: int) -> int:
    """Return the row of a file, counted from its header, that is row `index` of its table."""
    return index + 2


def _first(wrong: pl.Series) -> int:
    return int(wrong.arg_true()[0])


def _time_column(table: pl.DataFrame, name: str) -> str:
    for key in ("date", "week", "t"):
        if key in table.columns and table[key].null_count() < table.height:
            empty = table[key].is_null()
            if empty.any():
                raise BadCell(
                    f"{name}: row {_row(_first(empty))}, column {key!r} is empty while others are filled. Fill it."
                )
            return key
    raise MissingColumn(
        f"{name}: expected a column 'date' (2024-01-29), 'week' (2024-W05) or 't' (1, 2, ...),"
        f" found {', '.join(table.columns[:12])}. Rename the column of time."
    )


def _steps_of(column: pl.Series, key: str, name: str) -> tuple[NDArray[np.int64], bool]:
    """Return the number of each row's epoch, and whether numbers are days since 1970."""
    written = column.str.strip_chars()
    if key == "date":
        days = written.str.to_date("%Y-%m-%d", strict=False)
        if days.null_count():
            at = _first(days.is_null())
            raise BadCell(
                f"{name}: row {_row(at)}, column 'date' holds {written[at][:40]!r};"
                " expected an ISO date such as 2024-01-29. Correct it."
            )
        return days.cast(pl.Int32).to_numpy().astype(np.int64), True
    if key == "week":
        starts: dict[str, int] = {}
        for text in written.unique(maintain_order=True).to_list():
            try:
                starts[text] = (Week.parse(text).start - date(1970, 1, 1)).days
            except ImpossibleWeek as fault:
                at = _first(written == text)
                raise BadCell(f"{name}: row {_row(at)}, column 'week': {fault}. Correct it.") from fault
        return written.replace_strict(starts, return_dtype=pl.Int64).to_numpy(), True
    numbers = written.cast(pl.Int64, strict=False)
    if numbers.null_count():
        at = _first(numbers.is_null())
        raise BadCell(
            f"{name}: row {_row(at)}, column 't' holds {written[at][:40]!r};"
            " expected whole numbers 1, 2, ... Correct it."
        )
    return numbers.to_numpy().astype(np.int64), False


def _regions_of(table: pl.DataFrame, name: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    if "region" not in table.columns or table["region"].null_count() == table.height:
        return ("",), np.zeros(table.height, np.int64)
    column = table["region"]
    if column.null_count():
        at = _first(column.is_null())
        raise BadCell(f"{name}: row {_row(at)}, column 'region' is empty while others are filled. Fill it.")
    regions = column.unique(maintain_order=True).to_list()
    numbers = {region: number for number, region in enumerate(regions)}
    return tuple(regions), column.replace_strict(numbers, return_dtype=pl.Int64).to_numpy()


def _grid(
    steps: NDArray[np.int64], are_days: bool, name: str, key: str
) -> tuple[NDArray[np.int64], tuple[str, ...], NDArray[np.datetime64] | None]:
    """Return the epoch of each row, the name of each epoch and its date; refuse a table with an epoch left out."""
    epochs, epoch = np.unique(steps, return_inverse=True)
    if not are_days:
        _refuse_uneven(epochs, np.diff(epochs), [str(step) for step in epochs.tolist()], name, key)
        return epoch.astype(np.int64), tuple(str(step) for step in epochs.tolist()), None
    days = epochs.astype("datetime64[D]")
    labels = [str(day) for day in days]
    months = days.astype("datetime64[M]").astype(np.int64)
    of_month = (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64)
    monthly = days.size > 1 and (of_month == of_month[0]).all() and (np.diff(epochs) >= 28).all()
    _refuse_uneven(epochs, np.diff(months if monthly else epochs), labels, name, key)
    return epoch.astype(np.int64), tuple(labels), days


def _refuse_uneven(
    epochs: NDArray[np.int64], widths: NDArray[np.int64], labels: list[str], name: str, key: str
) -> None:
    if epochs.size < 2 or (widths == widths.min()).all():
        return
    at = int(np.argmax(widths != widths.min()))
    raise Gap(
        f"{name}: column {key!r} goes from {labels[at]} to {labels[at + 1]}, while epochs lie {widths.min()} apart"
        " elsewhere. Add the epochs in between, with 'observed' empty where the count is missing."
    )


def _refuse_repeats(
    epoch: NDArray[np.int64],
    series: NDArray[np.int64],
    shape: tuple[int, int],
    table: pl.DataFrame,
    key: str,
    name: str,
) -> None:
    cell = epoch * shape[1] + series
    order = np.argsort(cell, kind="stable")
    again = np.flatnonzero(cell[order][1:] == cell[order][:-1])
    if not again.size:
        return
    first, second = int(order[again[0]]), int(order[again[0] + 1])
    region = f", region {table['region'][first]!r}" if "region" in table.columns else ""
    raise RepeatedRow(
        f"{name}: rows {_row(first)} and {_row(second)} both give {key} {table[key][first]}{region}."
        " Keep one, or add them up; different diseases go into different files."
    )


def _refuse_holes(
    epoch: NDArray[np.int64],
    series: NDArray[np.int64],
    shape: tuple[int, int],
    labels: tuple[str, ...],
    regions: tuple[str, ...],
    name: str,
) -> None:
    """Refuse a region with rows before and after an epoch but none for it: whether zero or missing, nobody knows."""
    there = np.zeros(shape, np.bool_)
    there[epoch, series] = True
    begun = np.maximum.accumulate(there, axis=0)
    goes_on = np.maximum.accumulate(there[::-1], axis=0)[::-1]
    holes = np.argwhere(begun & goes_on & ~there)
    if holes.size:
        at, region = holes[0]
        raise Gap(
            f"{name}: region {regions[region]!r} has no row for {labels[at]}, though it has rows before and after."
            " Add it, with 'observed' 0 where no case was reported and empty where the count is missing."
        )


def _whole_numbers(column: pl.Series, name: str) -> NDArray[np.float64]:
    written = column.str.strip_chars()
    written = written.set(written == "", None)
    wrong = ~written.str.contains(_COUNT)
    if wrong.any():
        at = _first(wrong)
        raise BadCell(
            f"{name}: row {_row(at)}, column {column.name!r} holds {written[at][:40]!r};"
            " expected a whole number from 0, or nothing where the count is missing. Correct it."
        )
    return written.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _numbers(column: pl.Series, name: str) -> NDArray[np.float64]:
    written = column.str.strip_chars()
    written = written.set(written == "", None)
    numbers = written.cast(pl.Float64, strict=False)
    wrong = written.is_not_null() & (numbers.is_null() | ~numbers.is_finite() | (numbers < 0))
    if wrong.fill_null(True).any():
        at = _first(wrong.fill_null(True))
        raise BadCell(
            f"{name}: row {_row(at)}, column {column.name!r} holds {written[at][:40]!r};"
            " expected a number from 0, or nothing where it is missing. Correct it."
        )
    return numbers.fill_null(np.nan).to_numpy()
