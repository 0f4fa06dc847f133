"""A site's patients as follow-up needs them, read from a table; due lists and adherence figures as tables."""

import io
from collections.abc import Iterable
from datetime import date
from typing import ClassVar

import polars as pl

from corridor.base.errors import InputFault
from corridor.base.tablecells import dates, present
from corridor.pillars.research.rules.care import (
    CODES,
    Adherence,
    Expectation,
    Patient,
    Schedule,
    kept_by_person,
    kept_names,
)

__all__ = [
    "PATIENT_COLUMNS",
    "FaultyPatients",
    "PatientColumnMissing",
    "adherence_rows",
    "adherence_table",
    "due_table",
    "pack_patients",
    "read_patients",
    "unpack_patients",
]

PATIENT_COLUMNS = ("person", "start_on", "risk_group", "died_on", "lost_on")
"""Columns of a table of patients besides those of the items; the last two may be left out."""
_FAULTS_SHOWN = 20
_DAY = "expected a date such as 2024-05-31 (or 31.05.2024, day first)"


class PatientColumnMissing(InputFault):
    """The table lacks a column that the schedule needs."""

    code: ClassVar[str] = "patient-column-missing"


class FaultyPatients(InputFault):
    """Rows of the table of patients cannot be used; each is named by row and column, never by its content."""

    code: ClassVar[str] = "faulty-patients"

    def __init__(self, faults: list[tuple[int, str, str]]) -> None:
        self.faults = sorted(faults)
        shown = [f"  row {row}, column {column!r}: {text}" for row, column, text in self.faults[:_FAULTS_SHOWN]]
        more = len(faults) - len(shown)
        rest = [f"  and {more} more"] if more > 0 else []
        listed = "\n".join(shown + rest)
        super().__init__(f"the table of patients has {len(faults)} fault(s); mend these and try again:\n{listed}")


def read_patients(frame: pl.DataFrame, *, schedule: Schedule) -> list[Patient]:
    """Return the patients of a table.

    Parameters
    ----------
    frame : polars.DataFrame
        Every column as text, as `base.textfiles.read_table` gives it: ``person`` (a pseudonym, each once),
        ``start_on``, ``risk_group``, a column for each item of the schedule with the dates on which it was done,
        separated by semicolons; ``died_on`` and ``lost_on`` where there are any. Other columns are not read.

    Raises
    ------
    PatientColumnMissing
    FaultyPatients
        If a cell cannot be used; all of them are listed.
    """
    items = schedule.item_codes
    for heading in ("person", "start_on", "risk_group", *items):
        if heading not in frame.columns:
            raise PatientColumnMissing(
                f"the table of patients has no column {heading!r}; expected person, start_on, risk_group and one for"
                f" each item: {', '.join(items)}. An item that was never done has an empty column."
            )
    faults: list[tuple[int, str, str]] = []
    persons, groups = _texts(frame, "person"), _texts(frame, "risk_group")
    starts, deaths, losses = (_days(frame, name, faults) for name in ("start_on", "died_on", "lost_on"))
    done = {item: _visits(frame, item, faults) for item in items}
    known = [group.code for group in schedule.groups]
    seen: set[str] = set()
    patients = []
    for index in range(frame.height):
        person, group, start_on, row = persons[index], groups[index], starts[index], index + 2
        if person is None or person in seen:
            faults.append((row, "person", "expected a pseudonym, each patient in one row"))
        if group not in known:
            faults.append((row, "risk_group", f"expected one of {', '.join(known)}"))
        if start_on is None:
            faults.append((row, "start_on", _DAY))
        for name, day in (("died_on", deaths[index]), ("lost_on", losses[index])):
            if day is not None and start_on is not None and day < start_on:
                faults.append((row, name, "expected a day not before start_on"))
        if person is not None and group is not None and start_on is not None:
            seen.add(person)
            visits = {item: done[item][index] for item in items}
            patients.append(Patient(person, start_on, group, deaths[index], losses[index], visits))
    if faults:
        raise FaultyPatients(list(dict.fromkeys(faults)))
    return patients


def pack_patients(frame: pl.DataFrame, *, schedule: Schedule) -> bytes:
    """Return the columns that the schedule needs as a Parquet file; what else the table holds is not kept."""
    needed = (*PATIENT_COLUMNS, *schedule.item_codes)
    buffer = io.BytesIO()
    frame.select([name for name in dict.fromkeys(needed) if name in frame.columns]).write_parquet(buffer)
    return buffer.getvalue()


def unpack_patients(data: bytes) -> pl.DataFrame:
    """Return the table that `pack_patients` packed."""
    return pl.read_parquet(io.BytesIO(data))


def adherence_rows(schedule: Schedule, expectations: Iterable[Expectation]) -> pl.DataFrame:
    """Return one row for each patient with how each item was kept, as the protocol of `adherence_study` names it.

    Every column is text: ``person``, ``risk_group`` and one for each item with one of `rules.care.CODES`; empty where
    the item is not of the patient's risk group.
    """
    names = kept_names(schedule)
    kept = kept_by_person(expectations)
    return pl.DataFrame(
        {
            "person": list(kept),
            "risk_group": [each.group for each in kept.values()],
            **{
                name: [CODES[each.items[item]][0] if item in each.items else None for each in kept.values()]
                for item, name in names.items()
            },
        },
        schema=dict.fromkeys(("person", "risk_group", *names.values()), pl.String),
    )


def due_table(expectations: Iterable[Expectation], *, on: date) -> pl.DataFrame:
    """Return a due list as a table for clinicians; it has pseudonyms and stays at the site."""
    rows = [
        (
            each.person,
            each.group,
            each.item.code,
            each.item.kind.value,
            each.item.title,
            each.standing.value,
            each.due_on,
            each.from_on,
            each.to_on,
            each.days_late(on),
            each.last_on,
        )
        for each in expectations
    ]
    return pl.DataFrame(
        rows,
        orient="row",
        schema={
            "person": pl.String,
            "risk_group": pl.String,
            "item": pl.String,
            "kind": pl.String,
            "title": pl.String,
            "standing": pl.String,
            "due_on": pl.Date,
            "from_on": pl.Date,
            "to_on": pl.Date,
            "days_late": pl.Int64,
            "last_on": pl.Date,
        },
    )


def adherence_table(figures: Iterable[Adherence]) -> pl.DataFrame:
    """Return adherence figures as a table without any patient; empty cells are withheld, for the reason named."""
    rows = [
        (
            each.group,
            each.item,
            each.persons,
            each.all_on_time,
            each.some_on_time,
            each.none_on_time,
            None if each.share_all_on_time is None else round(each.share_all_on_time, 4),
            each.withheld or None,
        )
        for each in figures
    ]
    return pl.DataFrame(
        rows,
        orient="row",
        schema={
            "risk_group": pl.String,
            "item": pl.String,
            "persons": pl.Int64,
            "all_on_time": pl.Int64,
            "some_on_time": pl.Int64,
            "none_on_time": pl.Int64,
            "share_all_on_time": pl.Float64,
            "withheld": pl.String,
        },
    )


def _texts(frame: pl.DataFrame, heading: str) -> list[str | None]:
    return frame.select(present(pl.col(heading))).to_series().to_list()


def _days(frame: pl.DataFrame, heading: str, faults: list[tuple[int, str, str]]) -> list[date | None]:
    """Return the dates of a column, None where it is empty or missing; note cells that are no date."""
    if heading not in frame.columns:
        return [None] * frame.height
    texts = pl.Series(heading, _texts(frame, heading), dtype=pl.String)
    days = dates(texts, day_first=True)
    faults.extend((index + 2, heading, _DAY) for index in (texts.is_not_null() & days.is_null()).arg_true().to_list())
    return days.to_list()


def _visits(frame: pl.DataFrame, heading: str, faults: list[tuple[int, str, str]]) -> list[tuple[date, ...]]:
    """Return the dates in each cell of a column, which semicolons separate; note cells with what is no date."""
    cells = [(text or "").split(";") for text in _texts(frame, heading)]
    parts = [(index, part.strip()) for index, cell in enumerate(cells) for part in cell if part.strip()]
    days = dates(pl.Series(heading, [part for _, part in parts], dtype=pl.String), day_first=True).to_list()
    found: list[list[date]] = [[] for _ in cells]
    for (index, _), day in zip(parts, days, strict=True):
        if day is None:
            faults.append((index + 2, heading, f"{_DAY}; several are separated by semicolons"))
        else:
            found[index].append(day)
    return [tuple(sorted(each)) for each in found]
