"""Tables in files: CSV in any common encoding, plain or gzipped, and Parquet, read as text, written by ending."""

import codecs
import csv
import io
import itertools
import sys
import zlib
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import ClassVar

import polars as pl

from corridor.base.errors import InputFault, WrongUsage

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
    "write_table",
]

MAX_BYTES = 4 * 2**30
_CHUNK = 2**22
_SAMPLE = 2**17
_SEPARATORS = (",", ";", "\t", "|")
_LEGACY_ENCODINGS = ("gb18030", "cp1251", "cp1256", "koi8_r", "cp866", "cp1252")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NEUTRAL = "\u200c\u200d\u200e\u200f\xa0№«»—–،؟؛"
_OTHER_FORMATS = (
    (b"PK\x03\x04", "an Excel workbook or another zip archive", "save the sheet as CSV (UTF-8) and give that file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", "save the sheet as CSV (UTF-8) and give that file"),
    (b"%PDF", "a PDF document", "ask the sender for the table as CSV or Parquet"),
    (b"\x89PNG", "a picture", "ask the sender for the table as CSV or Parquet"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV or Parquet and give that file"),
)


class FileMissing(InputFault):
    """No file has the given name."""

    code: ClassVar[str] = "file-missing"


class NotAFile(InputFault):
    """A directory or a device was given where a file was expected."""

    code: ClassVar[str] = "not-a-file"


class EmptyFile(InputFault):
    """The file holds no table."""

    code: ClassVar[str] = "empty-file"


class NotATable(InputFault):
    """The file is neither text nor Parquet."""

    code: ClassVar[str] = "not-a-table"


class FileTooLarge(InputFault):
    """The file, unpacked, is larger than what is read at once."""

    code: ClassVar[str] = "file-too-large"


class WrongEncoding(InputFault):
    """The bytes are not text in the encoding that was named or guessed."""

    code: ClassVar[str] = "wrong-encoding"


class UnknownEncoding(WrongUsage):
    """The named encoding does not exist."""

    code: ClassVar[str] = "unknown-encoding"


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


def decode_text(data: bytes, *, encoding: str | None = None, name: str = "the file") -> bytes:
    """Return `data`, text in any common encoding, as UTF-8 without a byte order mark.

    Parameters
    ----------
    data : bytes
    encoding : str, optional
        The encoding; guessed without it, as `read_table` describes.
    name : str
        How error messages call the data.

    Raises
    ------
    EmptyFile, NotATable, WrongEncoding, UnknownEncoding
        What is wrong with the data, and what to do.
    """
    if not data.strip():
        raise EmptyFile(f"{name}: expected a table with a header row, found nothing in it. Export the file again.")
    for magic, what, remedy in _OTHER_FORMATS:
        if data.startswith(magic):
            raise NotATable(f"{name}: expected CSV or Parquet, found {what}; {remedy}.")
    if encoding is None:
        encoding = next((known for mark, known in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        _refuse_binary(data, name)
        if _is_utf8(data):
            return data
        encoding = _guess_encoding(data, name)
    return _recode(data, encoding, name)


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


def _refuse_binary(data: bytes, name: str) -> None:
    sample = data[:_SAMPLE]
    strange = sum(sample.count(byte) for byte in range(32) if byte not in (9, 10, 12, 13, 26, 27))
    if b"\0" in sample or strange > len(sample) / 200:
        raise NotATable(
            f"{name}: expected CSV or Parquet, found binary data. Give the table itself, as text or Parquet;"
            " text in UTF-16 without a byte order mark needs its encoding named."
        )


def _chunks(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for start in range(0, len(data), _CHUNK):
        yield view[start : start + _CHUNK]  # type: ignore[misc]  # decoders take any buffer; typeshed asks for bytes


def _is_utf8(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in _chunks(data):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _recode(data: bytes, encoding: str, name: str) -> bytes:
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError as fault:
        raise UnknownEncoding(
            f"encoding {encoding!r} is not known. Name one such as utf-8, gb18030, windows-1251 or windows-1256."
        ) from fault
    parts = []
    done = 0
    try:
        for chunk in _chunks(data):
            parts.append(decoder.decode(chunk).encode())
            done += len(chunk)
        parts.append(decoder.decode(b"", final=True).encode())
    except (UnicodeDecodeError, UnicodeEncodeError) as fault:
        place = done + fault.start
        row = data.count(b"\n", 0, place) + 1
        raise WrongEncoding(
            f"{name}: row {row} holds bytes that are not {encoding}. Name the right encoding"
            " (utf-8, gb18030, windows-1251, windows-1256, ...)."
        ) from fault
    return b"".join(parts).removeprefix(codecs.BOM_UTF8)


def _guess_encoding(data: bytes, name: str) -> str:
    """Return the most plausible legacy encoding, judged on the lines that hold more than ASCII."""
    # charset_normalizer takes 20 ms to import and is needed for legacy files alone.
    from charset_normalizer import from_bytes

    sample = b"\n".join(line for line in data[: 16 * _SAMPLE].splitlines() if not line.isascii())[:_SAMPLE]
    sample = sample[: sample.rfind(b"\n")] if b"\n" in sample[len(sample) // 2 :] else sample
    plausible = {}
    for encoding in _LEGACY_ENCODINGS:
        try:
            text = sample.decode(encoding)
        except UnicodeDecodeError:
            continue
        plausible[encoding] = _plausibility(text, encoding)
    if plausible:
        best = max(plausible, key=lambda encoding: plausible[encoding])
        if plausible[best] > 0.5:
            return best
    found = from_bytes(sample).best()
    if found is None:
        raise WrongEncoding(
            f"{name}: the encoding of the text was not recognised. Name it (gb18030, windows-1251, windows-1256, ...)."
        )
    return found.encoding


def _plausibility(text: str, encoding: str) -> float:
    """Return a score up to 1: the share of the non-ASCII characters that ordinary text in `encoding` would hold.

    What betrays the wrong encoding: small letters followed by capitals (KOI8-R taken for windows-1251 and the reverse),
    words of two alphabets, Arabic vowel signs, rare Chinese characters, several accented letters in a row.
    """
    strange = [c for c in text if c > "\x7f"]
    if not strange:
        return 0.0
    pairs = list(itertools.pairwise(text))
    if encoding == "gb18030":
        return sum(map(_is_common_chinese, strange)) / len(strange)
    if encoding == "cp1252":
        letters = sum(1 for c in strange if c in "äöüÄÖÜßéèêëàâáãåçñóòôõúùûíìîïæøœÉÈÀÁÇÑÓÍØÅ°–—’“”«»€§")
        bad = sum(1 for a, b in pairs if a > "\x7f" and b > "\x7f")
    else:
        bad = sum(1 for a, b in pairs if a.isascii() != b.isascii() and (a.isalpha() or a == "№") and b.isalpha())
        bad += sum(1 for a, b in pairs if b == "№" and a.isalpha())
        if encoding == "cp1256":
            letters = sum(1 for c in strange if "\u0620" <= c <= "\u064a" or "\u066e" <= c <= "\u06d5" or c in _NEUTRAL)
        else:
            letters = sum(1 for c in strange if "\u0410" <= c <= "\u044f" or c in "Ёё" or c in _NEUTRAL)
            bad += 2 * sum(1 for a, b in pairs if "\u0430" <= a <= "\u044f" and "\u0410" <= b <= "\u042f")
    return (letters - bad) / len(strange)


def _is_common_chinese(character: str) -> bool:
    try:
        code = character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return 0xA1 <= code[0] <= 0xA9 or 0xB0 <= code[0] <= 0xD7


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
