"""Rows of one table as a frame: what holds now, or what held at an earlier moment."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
from django.db import connection, models
from django.db.models import Q

from corridor.base.reference import diseases
from corridor.pillars.surveillance.models import Import

__all__ = ["Parameter", "Visible", "chosen", "fetch", "fetch_visible", "visible", "with_rows"]

Schema = Mapping[str, Any]
Parameter = str | int | list[str]


class Visible:
    """Which versions hold: those entered by a complete import and not replaced by one, as known at a moment.

    `hidden` are the imports that are not complete, or were completed later than the moment. They are few now, so naming
    them is cheaper than naming those that count.
    """

    def __init__(self, hidden: Sequence[int]) -> None:
        self.hidden = tuple(hidden)

    @property
    def conditions(self) -> list[str]:
        """The condition as SQL over ``entered_in_id`` and ``replaced_in_id``: parts that exclude each other.

        Each part alone can use an index; joined by OR they cannot.
        """
        if not self.hidden:
            return ["replaced_in_id IS NULL"]
        numbers = ", ".join(str(int(number)) for number in self.hidden)
        return [
            f"replaced_in_id IS NULL AND entered_in_id NOT IN ({numbers})",
            f"replaced_in_id IN ({numbers}) AND entered_in_id NOT IN ({numbers})",
        ]

    @property
    def q(self) -> Q:
        """The same condition for the ORM."""
        if not self.hidden:
            return Q(replaced_in=None)
        return ~Q(entered_in__in=self.hidden) & (Q(replaced_in=None) | Q(replaced_in__in=self.hidden))


def visible(*, known_at: datetime | None = None) -> Visible:
    """Return which versions hold now, or held at `known_at`."""
    open_imports = Q(status=Import.Status.RUNNING)
    if known_at is not None:
        open_imports |= Q(status=Import.Status.COMPLETE, completed_at__gt=known_at)
    return Visible(list(Import.objects.filter(open_imports).order_by().values_list("pk", flat=True)))


def chosen(column: str, texts: Sequence[str]) -> tuple[str, list[Parameter]]:
    """Return the condition that `column` is one of `texts`, and its parameter."""
    if connection.vendor == "sqlite":
        # The column is a name of ours; the texts are one parameter.
        return f"{column} IN (SELECT value FROM json_each(%s))", [json.dumps(list(texts))]  # noqa: S608  # as said above
    return f"{column} = ANY(%s)", [list(texts)]


def with_rows(tables: Sequence[tuple[type[models.Model], str]]) -> list[str]:
    """Return the codes of the diseases of which one of `tables` has a row that meets its condition, sorted.

    One look into an index for each disease that there is; a DISTINCT would read every row.

    Parameters
    ----------
    tables : models with a field ``disease``, each with a condition as SQL without parameters
    """
    known = [each.code for each in diseases()]
    is_sqlite = connection.vendor == "sqlite"
    listed = "json_each(%s) AS known" if is_sqlite else "unnest(%s::text[]) AS known(value)"
    found = " OR ".join(
        f"EXISTS (SELECT 1 FROM {connection.ops.quote_name(model._meta.db_table)}"  # noqa: S608  # own names
        f" WHERE disease = known.value AND {condition})"
        for model, condition in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT known.value FROM {listed} WHERE {found}", [json.dumps(known) if is_sqlite else known])  # noqa: S608  # own names
        return sorted(code for (code,) in cursor.fetchall())


def fetch_visible(
    model: type[models.Model],
    schema: Schema,
    *,
    versions: Visible,
    where: str,
    parameters: Sequence[Parameter],
    columns: Mapping[str, str] | None = None,
    group_by: str = "",
) -> pl.DataFrame:
    """Return what `fetch` returns, of the versions that hold; aggregates may come in two parts, to be added up."""
    parts = [
        fetch(
            model, schema, where=f"{condition} AND {where}", parameters=parameters, columns=columns, group_by=group_by
        )
        for condition in versions.conditions
    ]
    return pl.concat(parts)


def fetch(
    model: type[models.Model],
    schema: Schema,
    *,
    where: str,
    parameters: Sequence[Parameter],
    columns: Mapping[str, str] | None = None,
    group_by: str = "",
) -> pl.DataFrame:
    """Return columns of the rows of a table that `where` picks.

    Parameters
    ----------
    model : the table
    schema : column of the result to its polars type
    where : SQL with ``%s`` for each of `parameters`
    columns : column of the result to its SQL expression; the column of that name without
    group_by : SQL, for expressions that aggregate
    """
    named = dict(columns or {})
    selected = ", ".join(_selected(named.get(name, name), dtype) for name, dtype in schema.items())
    table = connection.ops.quote_name(model._meta.db_table)
    statement = f"SELECT {selected} FROM {table} WHERE {where}"  # noqa: S608  # own names; values are parameters
    if group_by:
        statement += f" GROUP BY {group_by}"
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows = cursor.fetchall()
    texts = {name: pl.String if dtype.is_temporal() else dtype for name, dtype in schema.items()}
    frame = pl.DataFrame(rows, schema=texts, orient="row")
    return frame.with_columns(_temporal(name, dtype) for name, dtype in schema.items() if dtype.is_temporal())


def _temporal(name: str, dtype: Any) -> pl.Expr:
    if dtype == pl.Date:
        return pl.col(name).str.to_date("%Y-%m-%d")
    # SQLite holds "2026-06-01 08:00:00.5" in UTC, PostgreSQL writes "2026-06-01 08:00:00.5+00" in the session's UTC.
    moment = pl.col(name).str.head(26).str.replace(r"[+-]\d\d(:?\d\d)?$", "")
    return moment.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us").dt.replace_time_zone("UTC")


def _selected(expression: str, dtype: Any) -> str:
    # Dates and moments come as text from both databases, and polars reads a column of them at once.
    return f"CAST({expression} AS TEXT)" if dtype.is_temporal() else expression
