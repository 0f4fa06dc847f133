"""Tables in files: CSV in any common encoding, plain or gzipped, and Parquet, read as text, written by ending."""

import csv
import io
import sys
import zlib
from datetime import time
from pathlib import Path
from typing import ClassVar

import polars as pl

from corridor.base.encodings import EmptyFile, NotATable, UnknownEncoding, WrongEncoding, decode_text
from corridor.base.errors import InputFault

__all__ = [
    "BrokenTable",
    "EmptyFile",
    "FileMissing",
    "FileTooLarge",
    "NotAFile",
    "NotATable",
    "UnknownEncoding",
    "UnwritableFile",
    "WrongEncoding",
    "decode_text",
    "read_table",
    "read_text",
    "write_table",
]

MAX_BYTES = 4 * 2**30
_CHUNK = 2**22
_SEPARATORS = (",", ";", "\t", "|")


class FileMissing(InputFault):
    """No file has the given name."""

    code: ClassVar[str] = "file-missing"


class NotAFile(InputFault):
    """A directory or a device was given where a file was expected."""

    code: ClassVar[str] = "not-a-file"


class FileTooLarge(InputFault):
    """The file, unpacked, is larger than what is read at once."""

    code: ClassVar[str] = "file-too-large"


class BrokenTable(InputFault):
    """The text is no table: rows of different length, a column named twice."""

    code: ClassVar[str] = "broken-table"


class UnwritableFile(InputFault):
    """The output cannot be written."""

    code: ClassVar[str] = "unwritable-file"


def read_table(source: str | Path | bytes, *, encoding: str | None = None, max_bytes: int = MAX_BYTES) -> pl.DataFrame:
    """Return the table in `source`, every column as text, empty cells as null.

    Parameters
    ----------
    source : path, ``-`` for standard input, or the bytes themselves
        CSV separated by comma, semicolon, tab or ``|``, plain or gzipped, or Parquet: the content decides, not the
        ending.
    encoding : str, optional
        Name of the text encoding. Without it: a byte order mark, else UTF-8, else the most plausible of GB 18030,
        windows-1251, windows-1256, KOI8-R, IBM 866 and windows-1252.
    max_bytes : int
        Largest size, unpacked, that is read.

    Returns
    -------
    polars.DataFrame, columns named as in the first row without surrounding blanks, all of type String
        Cells are kept to the character (``007`` stays ``007``); row i of the frame is row i + 2 of a file without
        line breaks in cells. Numbers of a Parquet file are written as shortest decimals, dates as ISO dates.

    Raises
    ------
    FileMissing, NotAFile, EmptyFile, NotATable, FileTooLarge, WrongEncoding, UnknownEncoding, BrokenTable
        What is wrong with the file, and what to do.
    """
    name = "the file" if isinstance(source, bytes) else "standard input" if str(source) == "-" else str(source)
    data = _unpacked(_bytes_of(source, name, max_bytes), name, max_bytes)
    if data[:4] == b"PAR1":
        return _read_parquet(data, name)
    return _read_csv(decode_text(data, encoding=encoding, name=name), name)


def read_text(path: Path) -> str:
    """Return the text of a small file, such as one in TOML.

    Raises
    ------
    InputFault
        If it is not UTF-8.
    OSError
        If it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputFault(f"{path} is not UTF-8 text. Save it as UTF-8.") from None


def write_table(frame: pl.DataFrame, target: str | Path) -> None:
    """Write `frame` by the ending of `target`: CSV, gzipped CSV (``.gz``) or Parquet (``.parquet``).

    ``-`` is standard output, as CSV. The file appears whole or not at all: it is written beside its place, then moved.

    Raises
    ------
    UnwritableFile
        If the folder is missing, the disk is full or writing is not permitted.
    """
    if str(target) == "-":
        sys.stdout.write(frame.write_csv())
        sys.stdout.flush()
        return
    path = Path(target)
    if path.is_dir():
        raise UnwritableFile(f"{path}: expected the name of a file to write, this is a directory. Add a file name.")
    if not path.parent.is_dir():
        raise UnwritableFile(f"{path}: the folder {path.parent} does not exist. Make it first, or name another.")
    draft = path.with_name(f".{path.name}.part")
    try:
        if path.suffix == ".parquet":
            frame.write_parquet(draft)
        elif path.suffix == ".gz":
            # A stamp of zero keeps the same table the same bytes.
            packer = zlib.compressobj(6, zlib.DEFLATED, 31)
            draft.write_bytes(packer.compress(frame.write_csv().encode()) + packer.flush())
        else:
            frame.write_csv(draft)
        draft.replace(path)
    except OSError as fault:
        draft.unlink(missing_ok=True)
        reason = fault.strerror or "the system refused"
        raise UnwritableFile(f"{path}: cannot be written ({reason}). Free space or choose another place.") from fault


def _bytes_of(source: str | Path | bytes, name: str, max_bytes: int) -> bytes:
    if isinstance(source, bytes):
        data = source
    elif str(source) == "-":
        data = sys.stdin.buffer.read(max_bytes + 1)
    else:
        path = Path(source)
        try:
            if path.is_dir():
                raise NotAFile(f"{name}: expected a file, this is a directory. Name one of the files in it.")
            if not path.exists():
                raise FileMissing(f"{name}: no such file. Check the name and the folder.")
            with path.open("rb") as stream:
                data = stream.read(max_bytes + 1)
        except OSError as fault:
            reason = fault.strerror or "the system refused"
            raise NotAFile(f"{name}: cannot be read ({reason}). Check its permissions.") from fault
    if len(data) > max_bytes:
        raise FileTooLarge(f"{name}: larger than {max_bytes} bytes. Split it.")
    return data


def _unpacked(data: bytes, name: str, max_bytes: int) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    parts: list[bytes] = []
    size = 0
    try:
        while data:
            unpacker = zlib.decompressobj(31)
            while not unpacker.eof:
                part = unpacker.decompress(data, _CHUNK)
                data = unpacker.unconsumed_tail
                size += len(part)
                if size > max_bytes:
                    raise FileTooLarge(f"{name}: unpacks to more than {max_bytes} bytes. Split it.")
                if not part and not data and not unpacker.eof:
                    raise NotATable(f"{name}: the gzip file ends too early; it was cut off. Copy it again.")
                parts.append(part)
            data = unpacker.unused_data.lstrip(b"\0")
    except zlib.error as fault:
        raise NotATable(f"{name}: the gzip file is damaged ({fault}). Copy it again.") from fault
    return b"".join(parts)


def _read_csv(data: bytes, name: str) -> pl.DataFrame:
    data = data.lstrip(b"\r\n")
    separator = _separator(data)
    columns = _header(data, separator, name)
    try:
        frame = pl.read_csv(
            io.BytesIO(data), separator=separator, has_header=False, skip_rows=0, new_columns=columns,
            infer_schema=False, truncate_ragged_lines=False,
        )  # fmt: skip
    except pl.exceptions.NoDataError as fault:
        raise EmptyFile(
            f"{name}: expected a table with a header row, found nothing in it. Export the file again."
        ) from fault
    except pl.exceptions.PolarsError as fault:
        raise _broken(data, separator, len(columns), name) from fault
    # The header was read as a row, so that polars neither renames nor guesses.
    return frame.slice(1)


def _separator(data: bytes) -> str:
    line = data.split(b"\n", 1)[0].decode()
    unquoted = "".join(line.split('"')[::2])
    return max(_SEPARATORS, key=unquoted.count)


def _header(data: bytes, separator: str, name: str) -> list[str]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    try:
        columns = [cell.strip() for cell in next(csv.reader(text, delimiter=separator))]
    except csv.Error as fault:
        raise BrokenTable(f"{name}: the header row cannot be read ({fault}). Export the file again.") from fault
    named = [column for column in columns if column]
    twice = sorted({column for column in named if named.count(column) > 1})
    if twice:
        raise BrokenTable(f"{name}: the header names column {twice[0]!r} more than once. Rename one of them.")
    if not named:
        raise BrokenTable(f"{name}: the first row names no column. Put the names of the columns there.")
    return [column or f"column {place}" for place, column in enumerate(columns, start=1)]


def _broken(data: bytes, separator: str, width: int, name: str) -> BrokenTable:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    rows = csv.reader(text, delimiter=separator)
    try:
        for number, row in enumerate(rows, start=1):
            if len(row) > width:
                return BrokenTable(
                    f"{name}: row {number} has {len(row)} cells, the header has {width}."
                    " Put cells that hold the separator in double quotes."
                )
    except csv.Error as fault:
        return BrokenTable(f"{name}: row {rows.line_num} cannot be read ({fault}). Export the file again.")
    return BrokenTable(f"{name}: a quoted cell is not closed, or text follows a closing quote. Export the file again.")


def _read_parquet(data: bytes, name: str) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as fault:
        raise NotATable(f"{name}: the Parquet file is damaged. Export it again.") from fault
    return frame.select(_as_text(column, name) for column in frame.iter_columns())


def _as_text(column: pl.Series, name: str) -> pl.Series:
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        raise BrokenTable(f"{name}: column {column.name!r} holds {column.dtype}, expected plain values. Leave it out.")
    if column.dtype.is_float():
        column = column.fill_nan(None)
        present = column.drop_nulls()
        # Whole numbers with gaps arrive as floats from other tools: 5.0 means 5.
        if (present.is_finite() & (present == present.round()) & (present.abs() < 2**53)).all():
            column = column.cast(pl.Int64)
    if isinstance(column.dtype, pl.Datetime):
        days_only = (column.dt.time().drop_nulls() == time()).all()
        return column.dt.strftime("%Y-%m-%d" if days_only else "%Y-%m-%dT%H:%M:%S%.f")
    text = column.cast(pl.String)
    return text.set(text == "", None) if column.dtype in (pl.String, pl.Categorical) else text
