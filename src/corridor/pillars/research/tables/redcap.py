"""Exports of REDCap: one row for each event of a record becomes one row for each record."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from corridor.base.errors import InputFault
from corridor.base.tablecells import present

__all__ = ["NotOneRow", "join_events"]

RECORD, EVENT, REPEAT = "record_id", "redcap_event_name", "redcap_repeat_instance"


class NotOneRow(InputFault):
    """The export holds several rows of one record and event, so that no single row stands for the record."""

    code: ClassVar[str] = "not-one-row"


def join_events(frame: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each record of a longitudinal export of REDCap; any other table as it is.

    Parameters
    ----------
    frame : polars.DataFrame
        Every column as text. It is an export of REDCap if it has the columns ``record_id`` and ``redcap_event_name``.

    Returns
    -------
    polars.DataFrame
        ``record_id``, and for each field that is filled in any event a column ``field@event``. A field that only one
        event fills has a column of its own name besides. Checkboxes stay what REDCap makes of them: a column
        ``field___code`` for each choice, 1 where it is ticked. Rows keep the order in which records first appear.

    Raises
    ------
    NotOneRow
        If a record has two rows for one event, as repeating instruments and repeating events have.
    """
    if not {RECORD, EVENT} <= set(frame.columns):
        return frame
    rows = frame.with_columns(present(pl.col(RECORD)).alias(RECORD), present(pl.col(EVENT)).alias(EVENT))
    rows = rows.filter(pl.col(RECORD).is_not_null())
    repeated = rows.height - rows.select(RECORD, EVENT).unique().height
    if repeated:
        hint = " It has repeating instruments." if REPEAT in rows.columns else ""
        raise NotOneRow(
            f"{repeated} rows of the export repeat the event of a record.{hint} Export without what repeats, or make"
            " one row of each record before."
        )
    joined = rows.select(RECORD).unique(maintain_order=True)
    fields = [name for name in rows.columns if name not in (RECORD, EVENT)]
    filled: dict[str, list[str]] = {}
    for event in rows[EVENT].drop_nulls().unique(maintain_order=True).to_list():
        part = rows.filter(pl.col(EVENT) == event)
        kept = [name for name in fields if part.select(present(pl.col(name)).is_not_null().any()).item()]
        for name in kept:
            filled.setdefault(name, []).append(event)
        named = part.select(RECORD, *(pl.col(name).alias(f"{name}@{event}") for name in kept))
        joined = joined.join(named, on=RECORD, how="left", maintain_order="left")
    alone = [pl.col(f"{name}@{events[0]}").alias(name) for name, events in filled.items() if len(events) == 1]
    return joined.with_columns(alone)
