"""Bring a site's table into the words, codes and units of a protocol, and tell what that took."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from corridor.base.errors import InputFault
from corridor.base.tablecells import dates, numbers, present
from corridor.pillars.research.rules.protocol import Protocol, Variable, VariableType
from corridor.pillars.research.rules.rows import FloatArray, SiteTable
from corridor.pillars.research.tables.mapping import Cut, FirstEvent, SiteMapping, SiteMappingFault
from corridor.pillars.research.tables.redcap import join_events
from corridor.pillars.research.tables.report import HarmonisationReport, LogicalCheck, VariableReport

__all__ = ["Harmonised", "NothingUsable", "harmonise"]

_FLAGS = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "y", "是", "да", "ہاں"), 1.0),
    **dict.fromkeys(("0", "0.0", "false", "no", "n", "否", "нет", "نہیں"), 0.0),
}
_UNMAPPED_SHOWN = 10
_TEXT_SHOWN = 40
_ROWS_SHOWN = 10


class NothingUsable(InputFault):
    """No row of the table can be used."""

    code: ClassVar[str] = "nothing-usable"


@dataclass(frozen=True)
class Harmonised:
    """The rows in the protocol's words, and the report on them."""

    table: SiteTable
    report: HarmonisationReport


@dataclass(frozen=True)
class _Column:
    values: FloatArray
    report: VariableReport
    unused: NDArray[np.bool_] | None = None
    """Whether a cell holds something that could not be used; None where the variable comes of no single column."""


def harmonise(frame: pl.DataFrame, *, protocol: Protocol, mapping: SiteMapping) -> Harmonised:
    """Return the table's rows as variables of the protocol.

    Parameters
    ----------
    frame : polars.DataFrame
        Every column as text, as `base.textfiles.read_table` gives it. A longitudinal export of REDCap is brought to
        one row for each record first.

    Raises
    ------
    ColumnMissing
        If a variable has no column.
    SiteMappingFault
        If the mapping gives a code or a heading that does not exist.
    NothingUsable
        If no row has a pseudonym of its patient.
    NotOneRow
        If an export of REDCap repeats the event of a record.
    """
    as_it_came, frame = frame, join_events(frame)
    heading = mapping.heading(protocol.person.name, headings=frame.columns)
    persons = frame.select(present(pl.col(heading)).alias("person")).to_series()
    kept = frame.filter(persons.is_not_null())
    names = persons.drop_nulls().to_list()
    if not names:
        raise NothingUsable(
            f"no row has a value in {heading!r}, the pseudonym of the patient. Name its column under [columns]:"
            f' {protocol.person.name} = "HEADING".'
        )
    made = {name: column for event in mapping.first_events for name, column in _first_event(event, kept).items()}
    columns: dict[str, _Column] = {}
    for variable in protocol.variables:
        if variable.type is VariableType.PERSON:
            continue
        columns[variable.name] = made.get(variable.name) or _column(variable, kept, mapping)
    table = SiteTable({name: column.values for name, column in columns.items()}, tuple(names))
    # Row 1 is the heading. Records of REDCap are put together of several rows and have no row of their own.
    rows = np.arange(2, frame.height + 2) if frame is as_it_came else None
    unnamed = persons.is_null().to_numpy()
    person = VariableReport(protocol.person.name, heading, kept.height, frame.height - kept.height)
    report = HarmonisationReport(
        rows=frame.height,
        kept=kept.height,
        persons=len(set(names)),
        variables=(
            replace(person, first_rows=_first_rows(rows, unnamed)),
            *(
                replace(column.report, first_rows=_first_rows(None if rows is None else rows[~unnamed], column.unused))
                for column in columns.values()
            ),
        ),
        checks=tuple(_checks(protocol, table)),
    )
    return Harmonised(table, report)


def _column(variable: Variable, frame: pl.DataFrame, mapping: SiteMapping) -> _Column:
    if variable.name in mapping.constants:
        texts = pl.Series([mapping.constants[variable.name]] * frame.height, dtype=pl.String)
        return _read(variable, texts, mapping, source="constant")
    cut = mapping.cuts.get(variable.name)
    if cut is not None:
        return _cut_column(variable, cut, frame)
    heading = mapping.heading(variable.name, headings=frame.columns)
    return _read(variable, frame.select(present(pl.col(heading))).to_series(), mapping, source=heading)


def _read(variable: Variable, texts: pl.Series, mapping: SiteMapping, *, source: str) -> _Column:
    readers: Mapping[VariableType, Callable[[], tuple[FloatArray, VariableReport]]] = {
        VariableType.NUMBER: lambda: _numbers(variable, texts, mapping, source),
        VariableType.WHOLE: lambda: _numbers(variable, texts, mapping, source),
        VariableType.FLAG: lambda: _flags(variable, texts, mapping, source),
        VariableType.CATEGORY: lambda: _categories(variable, texts, mapping, source),
        VariableType.DATE: lambda: _days(variable, texts, mapping, source),
    }
    values, report = readers[variable.type]()
    return _Column(values, report, unused=texts.is_not_null().to_numpy() & np.isnan(values))


def _numbers(
    variable: Variable, texts: pl.Series, mapping: SiteMapping, source: str
) -> tuple[FloatArray, VariableReport]:
    values = numbers(texts).to_numpy().astype(float)
    unreadable = int(texts.is_not_null().sum() - np.isfinite(values).sum())
    scale = mapping.scales.get(variable.name)
    if scale is not None:
        values = values * scale.times + scale.plus
    if variable.type is VariableType.WHOLE:
        broken = np.isfinite(values) & (np.abs(values - np.round(values)) > 1e-9)
        unreadable += int(broken.sum())
        values = np.where(broken, np.nan, np.round(values))
    outside = np.zeros(len(values), dtype=bool)
    if variable.least is not None:
        outside |= values < variable.least
    if variable.most is not None:
        outside |= values > variable.most
    values = np.where(outside, np.nan, values)
    return values, _reported(variable, source, values, unreadable=unreadable, out_of_range=int(outside.sum()))


def _flags(
    variable: Variable, texts: pl.Series, mapping: SiteMapping, source: str
) -> tuple[FloatArray, VariableReport]:
    own = mapping.codes.get(variable.name, {})
    meanings = {**_FLAGS, **{text.strip().lower(): _FLAGS[code] for text, code in own.items() if code in _FLAGS}}
    return _coded(variable, texts, source, meanings)


def _categories(
    variable: Variable, texts: pl.Series, mapping: SiteMapping, source: str
) -> tuple[FloatArray, VariableReport]:
    codes = list(variable.codes or ())
    meanings = {code.lower(): float(index) for index, code in enumerate(codes)}
    for text, code in mapping.codes.get(variable.name, {}).items():
        if code not in codes:
            raise SiteMappingFault(
                f"the mapping gives {variable.name} the code {code!r}; the protocol has {', '.join(codes)}."
            )
        meanings[text.strip().lower()] = float(codes.index(code))
    return _coded(variable, texts, source, meanings)


def _coded(
    variable: Variable, texts: pl.Series, source: str, meanings: Mapping[str, float]
) -> tuple[FloatArray, VariableReport]:
    lowered = texts.str.to_lowercase()
    values = lowered.replace_strict(
        list(meanings), list(meanings.values()), default=None, return_dtype=pl.Float64
    ).to_numpy()
    lost = texts.filter(texts.is_not_null() & pl.Series(np.isnan(values)))
    counts = lost.value_counts(sort=True, name="rows").head(_UNMAPPED_SHOWN)
    unmapped = tuple((str(text)[:_TEXT_SHOWN], int(rows)) for text, rows in counts.iter_rows())
    return values, _reported(variable, source, values, unmapped=unmapped)


def _days(variable: Variable, texts: pl.Series, mapping: SiteMapping, source: str) -> tuple[FloatArray, VariableReport]:
    days = dates(texts, day_first=mapping.day_first).to_physical().cast(pl.Float64).to_numpy()
    unreadable = int(texts.is_not_null().sum() - np.isfinite(days).sum())
    return days, _reported(variable, source, days, unreadable=unreadable)


def _cut_column(variable: Variable, cut: Cut, frame: pl.DataFrame) -> _Column:
    codes = list(variable.codes or ())
    if cut.column not in frame.columns:
        raise SiteMappingFault(
            f"[cut.{variable.name}] names the column {cut.column!r}; the table has: {', '.join(frame.columns)}."
        )
    unknown = [code for code in cut.codes if code not in codes]
    if unknown:
        raise SiteMappingFault(
            f"[cut.{variable.name}] gives the code {unknown[0]!r}; the protocol has {', '.join(codes)}."
        )
    texts = frame.select(present(pl.col(cut.column))).to_series()
    amounts = numbers(texts).to_numpy().astype(float)
    places = np.searchsorted(np.array(cut.bounds), amounts, side="left")
    order = np.array([float(codes.index(code)) for code in cut.codes])
    values = np.where(np.isnan(amounts), np.nan, order[np.minimum(places, len(order) - 1)])
    unreadable = int(texts.is_not_null().sum() - np.isfinite(amounts).sum())
    report = _reported(variable, f"cut of {cut.column}", values, unreadable=unreadable)
    return _Column(values, report, unused=texts.is_not_null().to_numpy() & np.isnan(values))


def _first_event(event: FirstEvent, frame: pl.DataFrame) -> dict[str, _Column]:
    flags, times = [], []
    unreadable = 0
    for flag, days in event.of:
        for heading in (flag, days):
            if heading not in frame.columns:
                raise SiteMappingFault(
                    f"[[first_event]] names the column {heading!r}; the table has: {', '.join(frame.columns)}."
                )
        set_, unread = _coded_flags(frame, flag)
        texts = frame.select(present(pl.col(days))).to_series()
        length = numbers(texts).to_numpy().astype(float)
        unreadable += unread + int(texts.is_not_null().sum() - np.isfinite(length).sum())
        flags.append(set_)
        times.append(length)
    time = times[-1].copy()
    happened = np.zeros(frame.height)
    for set_, length in zip(reversed(flags), reversed(times), strict=True):
        time = np.where(set_ == 1, length, time)
        happened = np.maximum(happened, np.nan_to_num(set_))
    unknown = np.any([np.isnan(each) for each in flags], axis=0)
    happened = np.where(unknown & (happened == 0), np.nan, happened)
    source = "first of " + ", ".join(flag for flag, _ in event.of)
    return {
        name: _Column(values, _report(name, source, values, unreadable=unreadable))
        for name, values in ((event.time, time), (event.event, happened))
    }


def _first_rows(rows: NDArray[np.int64] | None, concerned: NDArray[np.bool_] | None) -> tuple[int, ...]:
    if rows is None or concerned is None:
        return ()
    return tuple(int(row) for row in rows[concerned][:_ROWS_SHOWN])


def _coded_flags(frame: pl.DataFrame, heading: str) -> tuple[FloatArray, int]:
    texts = frame.select(present(pl.col(heading))).to_series()
    values = (
        texts.str.to_lowercase()
        .replace_strict(list(_FLAGS), list(_FLAGS.values()), default=None, return_dtype=pl.Float64)
        .to_numpy()
    )
    return values, int(texts.is_not_null().sum() - np.isfinite(values).sum())


def _reported(
    variable: Variable,
    source: str,
    values: FloatArray,
    *,
    unreadable: int = 0,
    out_of_range: int = 0,
    unmapped: tuple[tuple[str, int], ...] = (),
) -> VariableReport:
    return _report(variable.name, source, values, unreadable=unreadable, out_of_range=out_of_range, unmapped=unmapped)


def _report(
    name: str,
    source: str,
    values: FloatArray,
    *,
    unreadable: int = 0,
    out_of_range: int = 0,
    unmapped: tuple[tuple[str, int], ...] = (),
) -> VariableReport:
    missing = int(np.isnan(values).sum())
    return VariableReport(name, source, len(values) - missing, missing, unreadable, out_of_range, unmapped)


def _checks(protocol: Protocol, table: SiteTable) -> list[LogicalCheck]:
    """Return the relations that must hold, with the number of rows in which they do not."""
    repeated = len(table.persons) - len(set(table.persons))
    checks = [LogicalCheck("person-repeated", (protocol.person.name,), repeated)]
    for endpoint in protocol.endpoints:
        times = table.columns[endpoint.time]
        checks.append(LogicalCheck("time-not-positive", (endpoint.time,), int((times <= 0).sum())))
        if endpoint.entry:
            late = int((table.columns[endpoint.entry] >= times).sum())
            checks.append(LogicalCheck("entry-after-end", (endpoint.entry, endpoint.time), late))
        if endpoint.competing:
            both = (table.columns[endpoint.event] == 1) & (table.columns[endpoint.competing] == 1)
            checks.append(LogicalCheck("two-first-events", (endpoint.event, endpoint.competing), int(both.sum())))
    for variable in protocol.variables:
        if variable.type is VariableType.PERSON:
            continue
        values = table.columns[variable.name]
        filled = values[~np.isnan(values)]
        if len(filled) and (filled == filled[0]).all():
            checks.append(LogicalCheck("constant", (variable.name,), len(filled)))
    return checks
