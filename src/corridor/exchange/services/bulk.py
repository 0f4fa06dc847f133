"""Many rows in one statement: the ORM costs more per row than the signature check that each row answers for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection, models


@lru_cache(maxsize=32)
def _statement(model: type[models.Model], names: tuple[str, ...], vendor: str) -> str:
    del vendor  # part of the cache key: quoting differs between databases
    quote = connection.ops.quote_name
    columns = ", ".join(quote(_column(model, name)) for name in names)
    places = ", ".join(["%s"] * len(names))
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608  # names are ours


def _column(model: type[models.Model], name: str) -> str:
    field = model._meta.get_field(name)
    if not isinstance(field, models.Field) or field.column is None:
        raise TypeError(f"{model.__name__}.{name} is no column")
    return field.column


def insert(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert `rows` into the table of `model` with one prepared statement.

    Parameters
    ----------
    model : Django model
    names : sequence of str
        Field names, in the order of each row. Fields that are not named need a default in the database or be nullable.
    rows : iterable of sequences
        Values as the database takes them; moments by `moment`.
    """
    batch = list(rows)
    if batch:
        with connection.cursor() as cursor:
            cursor.executemany(_statement(model, tuple(names), connection.vendor), batch)


def moment(at: datetime | None) -> Any:
    """Return an aware time as the connected database stores it."""
    return connection.ops.adapt_datetimefield_value(at)


def update(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Update rows of `model` by primary key with one prepared statement.

    Parameters
    ----------
    model : Django model
    names : sequence of str
        Field names to set.
    rows : iterable of sequences
        The values of `names` in order, then the primary key.
    """
    batch = list(rows)
    if batch:
        quote = connection.ops.quote_name
        settings = ", ".join(f"{quote(_column(model, name))} = %s" for name in names)
        statement = f"UPDATE {quote(model._meta.db_table)} SET {settings} WHERE {quote(_column(model, 'id'))} = %s"  # noqa: S608  # names are ours
        with connection.cursor() as cursor:
            cursor.executemany(statement, batch)
