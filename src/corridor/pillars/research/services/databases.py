"""Read a site's table from its own PostgreSQL or SQLite by a query that the steward wrote; nothing is ever written.

The connection is named, never stored: ``env:NAME`` is an environment variable of the process that reads, ``file:PATH``
a file outside the node's home. Either holds a URL such as ``postgresql://reader@host/registry`` or ``sqlite:///PATH``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

import polars as pl

from corridor.base.errors import InputFault
from corridor.exchange import keystore

__all__ = ["ConnectionUnfit", "QueryFault", "read_database"]

_MOST_ROWS = 5_000_000
_SECONDS = 600
_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


class ConnectionUnfit(InputFault):
    """The connection is not named as it should be, or the database cannot be reached."""

    code: ClassVar[str] = "connection-unfit"


class QueryFault(InputFault):
    """The query does not run, does more than read, or gives no table."""

    code: ClassVar[str] = "query-fault"


def read_database(connection: str, query: str) -> pl.DataFrame:
    """Return what a query gives, every column as text, empty values as null.

    Parameters
    ----------
    connection : str
        ``env:NAME`` or ``file:PATH``, which holds the URL of the database.
    query : str
        One statement that reads.

    Raises
    ------
    ConnectionUnfit, QueryFault
        Without a word of the driver: it may quote the URL, or a row.
    """
    url = _url(connection)
    scheme = urlsplit(url).scheme
    if scheme in ("postgresql", "postgres"):
        headings, rows = _from_postgresql(url, query, connection)
    elif scheme == "sqlite":
        headings, rows = _from_sqlite(url, query, connection)
    else:
        raise ConnectionUnfit(f"{connection}: expected a URL that begins with postgresql:// or sqlite:///.")
    if len(set(headings)) != len(headings):
        raise QueryFault("the query gives two columns of one name; name each with AS.")
    if len(rows) > _MOST_ROWS:
        raise QueryFault(f"the query gives more than {_MOST_ROWS:,} rows; narrow it down.")
    columns = zip(*rows, strict=True) if rows else [()] * len(headings)
    return pl.DataFrame(
        {name: [_text(value) for value in column] for name, column in zip(headings, columns, strict=True)},
        schema=dict.fromkeys(headings, pl.String),
    )


def _url(connection: str) -> str:
    kind, _, name = connection.partition(":")
    if kind == "env" and name:
        url = os.environ.get(name, "")
        if not url:
            raise ConnectionUnfit(
                f"{connection}: the environment has no variable {name}; set it to the database's URL."
            )
        return url.strip()
    if kind == "file" and name:
        path = Path(name).resolve()
        if path.is_relative_to(keystore.home().resolve()):
            raise ConnectionUnfit(
                f"{connection}: the file lies in the node's home, and so in its backups; move it out."
            )
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ConnectionUnfit(f"{connection}: the file cannot be read as text.") from None
    raise ConnectionUnfit(
        "the connection is named by env:NAME, an environment variable, or by file:PATH, a file outside the home. Its"
        " URL itself is not given here, since what is typed is kept."
    )


def _from_sqlite(url: str, query: str, connection: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    path = Path(unquote(urlsplit(url).path.removeprefix("/")))
    path = path if path.is_absolute() else Path("/") / path
    try:
        database = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    except sqlite3.Error:
        raise ConnectionUnfit(f"{connection}: no SQLite database can be opened there.") from None
    with closing(database):
        database.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY)
        try:
            cursor = database.execute(query)
            rows = cursor.fetchmany(_MOST_ROWS + 1)
        except sqlite3.Error as fault:
            raise _query_fault(fault.sqlite_errorname if hasattr(fault, "sqlite_errorname") else "") from None
        return _headings(cursor.description), rows


def _from_postgresql(url: str, query: str, connection: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    import psycopg

    try:
        database = psycopg.connect(url, connect_timeout=10)
    except psycopg.Error:
        raise ConnectionUnfit(f"{connection}: no PostgreSQL answers there, or it does not let this user in.") from None
    with closing(database):
        database.read_only = True
        try:
            database.execute(f"SET statement_timeout = '{_SECONDS}s'")
            # A cursor on the server is declared for a query, so that nothing but a query can run.
            with database.cursor(name="site_table") as cursor:
                cursor.execute(query.strip().rstrip(";").encode())
                rows = cursor.fetchmany(_MOST_ROWS + 1)
                return _headings(cursor.description), rows
        except psycopg.Error as fault:
            raise _query_fault(fault.sqlstate or "") from None


def _headings(description: Iterable[Sequence[Any]] | None) -> list[str]:
    if description is None:
        raise QueryFault("the query gives no table; it should be one SELECT.")
    return [str(column[0]) for column in description]


def _query_fault(code: str) -> QueryFault:
    return QueryFault(
        f"the database does not run the query ({code or 'no code'}). It should be one SELECT on what this user may"
        " read; nothing is written, and several statements are not run."
    )


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, date | datetime):
        return value.isoformat()
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
