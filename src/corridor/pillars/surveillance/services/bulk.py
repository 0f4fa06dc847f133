"""Many rows at once: executemany on SQLite, COPY on PostgreSQL; always inside the caller's transaction."""

from typing import Any

import polars as pl
from django.db import connection, models

__all__ = ["CHUNK", "insert", "replace"]

CHUNK = 50_000
"""Rows written in one transaction, so that none holds the database longer than two seconds."""

_PARAMETERS = 999
"""Parameters of one statement that every SQLite takes."""


def insert(model: type[models.Model], frame: pl.DataFrame, **constants: int) -> None:
    """Insert the rows of `frame`, whose columns are named as in the database; `constants` are the same in each row."""
    if frame.is_empty():
        return
    if connection.vendor == "postgresql":
        frame = frame.with_columns(pl.lit(value).alias(name) for name, value in constants.items())
        constants = {}
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(name) for name in [*frame.columns, *constants])
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            text = frame.write_csv(include_header=False, null_value="\\N", quote_style="non_numeric")
            # Django hands COPY through to psycopg's own cursor.
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv, NULL '\\N')") as copy:
                copy.write(text)
            return
        # Written into the statement, a constant is not bound a million times.
        row = ", ".join([*["%s"] * frame.width, *(str(int(value)) for value in constants.values())])
        # Many rows a statement: stepping through one costs SQLite as much as writing a row.
        at_once = max(1, _PARAMETERS // frame.width)
        whole = frame.height - frame.height % at_once
        for part, rows in ((frame.head(whole), at_once), (frame.slice(whole), frame.height - whole)):
            if part.height:
                values = ", ".join([f"({row})"] * rows)
                statement = f"INSERT INTO {table} ({columns}) VALUES {values}"  # noqa: S608  # own names; values are parameters
                cursor.executemany(statement, _parameters(part, rows))


def _parameters(frame: pl.DataFrame, rows: int) -> list[list[Any]]:
    """Return the cells of `rows` rows at a time, row after row, dates as ISO text as Django writes them."""
    width = frame.width
    cells: list[Any] = [None] * (width * frame.height)
    for place, column in enumerate(frame.with_columns(pl.col(pl.Date).dt.to_string("%Y-%m-%d")).iter_columns()):
        cells[place::width] = column.to_list()
    return [cells[start : start + width * rows] for start in range(0, len(cells), width * rows)]


def replace(model: type[models.Model], ids: pl.Series, *, replaced_in: int) -> None:
    """Mark the versions `ids` of a table as replaced by an import."""
    if ids.len() == 0:
        return
    table = connection.ops.quote_name(model._meta.db_table)
    statement = f"UPDATE {table} SET replaced_in_id = %s WHERE id"  # noqa: S608  # as above
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"{statement} = ANY(%s)", [replaced_in, ids.to_list()])
        else:
            cursor.executemany(f"{statement} = %s", [(replaced_in, number) for number in ids])
