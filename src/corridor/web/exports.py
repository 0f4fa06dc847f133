"""Downloads: every CSV of the node is written here, so that no spreadsheet runs what a partner or a file brought."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import quote

from django.http import HttpResponse
from django.utils.translation import gettext

from corridor.accounts.exports import quoted as quoted_text
from corridor.web.tables import Cell, Table, as_cell

BYTE_ORDER_MARK = "\ufeff"


def quoted(value: object) -> str:
    """Return a value as the text of a CSV cell that no spreadsheet takes for a formula.

    A text is quoted as in the audit trail's export. Numbers are numbers and stay as they are. None is an empty cell.
    """
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return quoted_text(str(value))


def csv_bytes(table: Table, *, simulated: str = "") -> bytes:
    """Return a table as CSV, in UTF-8 with a byte order mark.

    Parameters
    ----------
    table : Table
        A withheld cell is written as withheld (``<5``), a missing one as an empty cell; a column ``<key>_state``
        follows each column with such cells and says which it is.
    simulated : str
        The word for simulated figures: it becomes the first column's name and stands in every row, so that it stays
        with the figures when rows are copied.
    """
    stated = [_is_stated(table, index) for index in range(len(table.columns))]
    header = [simulated] if simulated else []
    for column, has_state in zip(table.columns, stated, strict=True):
        header += [column.key, f"{column.key}_state"] if has_state else [column.key]
    return rows_as_csv(header, (_csv_row(row, stated, simulated) for row in table.rows))


def rows_as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return plain rows as CSV, each cell through `quoted`."""
    stream = io.StringIO()
    stream.write(BYTE_ORDER_MARK)
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([quoted(name) for name in header])
    writer.writerows([quoted(value) for value in row] for row in rows)
    return stream.getvalue().encode()


def csv_response(table: Table, *, name: str, simulated: bool = False) -> HttpResponse:
    """Return a table as a download.

    Parameters
    ----------
    table : Table
    name : str
        Of the file, without ending.
    simulated : bool
        Whether the figures are invented; the download then says so in every row and in its name.
    """
    word = gettext("SIMULATED") if simulated else ""
    return download(csv_bytes(table, simulated=word), name=f"{word} {name}" if word else name)


def download(data: bytes, *, name: str) -> HttpResponse:
    """Return CSV bytes as an attachment under a safe file name."""
    return attachment(data, name=name, ending="csv", media_type="text/csv; charset=utf-8")


def attachment(data: bytes, *, name: str, ending: str, media_type: str) -> HttpResponse:
    """Return bytes as an attachment under a safe file name; `name` is without its ending."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "table"
    ascii_name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-") or "table"
    named = f"filename=\"{ascii_name}.{ending}\"; filename*=UTF-8''{quote(plain)}.{ending}"
    return HttpResponse(data, content_type=media_type, headers={"Content-Disposition": f"attachment; {named}"})


def _is_stated(table: Table, index: int) -> bool:
    return any(as_cell(row[index]).state for row in table.rows)


def _csv_row(row: Sequence[object], stated: Sequence[bool], simulated: str) -> list[object]:
    values: list[object] = [simulated] if simulated else []
    for value, has_state in zip(row, stated, strict=True):
        cell = as_cell(value)
        values.append(_csv_value(cell))
        if has_state:
            values.append(cell.state)
    return values


def _csv_value(cell: Cell) -> object:
    if cell.state == "withheld":
        return f"<{cell.below}" if cell.below else "withheld"
    return cell.value
