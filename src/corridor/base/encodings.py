"""Text in any common encoding, told from binary data and recoded to UTF-8."""

import codecs
import itertools
from collections.abc import Iterator
from typing import ClassVar

from corridor.base.errors import InputFault, WrongUsage

__all__ = ["EmptyFile", "NotATable", "UnknownEncoding", "WrongEncoding", "decode_text"]

_CHUNK = 2**22
_SAMPLE = 2**17
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


class EmptyFile(InputFault):
    """The file holds no table."""

    code: ClassVar[str] = "empty-file"


class NotATable(InputFault):
    """The file is neither text nor Parquet."""

    code: ClassVar[str] = "not-a-table"


class WrongEncoding(InputFault):
    """The bytes are not text in the encoding that was named or guessed."""

    code: ClassVar[str] = "wrong-encoding"


class UnknownEncoding(WrongUsage):
    """The named encoding does not exist."""

    code: ClassVar[str] = "unknown-encoding"


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
