"""Canonical JSON (RFC 8785), strict base64url and UTC times: the only spellings that are ever signed.

A document that is known by its hash must have one spelling. Reading is therefore strict: the bytes must equal their
own re-serialisation, no member occurs twice, nothing is nested deeper than 16, whole numbers stay within what every
JSON reader holds exactly, and no text carries bidirectional control characters, which would show a reader something
else than was signed.
"""

import binascii
import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any, NoReturn

import rfc8785

from corridor.base.errors import InputFault

MAX_DEPTH = 16
"""Deepest nesting of objects and arrays that is read or written."""

MAX_INTEGER = 2**53 - 1
"""Largest whole number that every JSON reader holds exactly (RFC 8785, section 3.2.2.3)."""

_FIRST_EXPONENT = 1e21
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*\Z")
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


class NotCanonical(InputFault):
    """A document is not in the one spelling that may be signed."""

    code = "not-canonical"


class NotBase64url(InputFault):
    """A text is not strict base64url without padding."""

    code = "not-base64url"


class NotUtc(InputFault):
    """A time is not spelled ``YYYY-MM-DDTHH:MM:SS.ffffffZ``."""

    code = "not-utc"


def canonical(value: Any) -> bytes:
    """Return the one spelling of `value` in JSON (RFC 8785, UTF-8).

    Parameters
    ----------
    value : JSON value
        Objects with text keys, arrays, texts, finite numbers, booleans, None.

    Returns
    -------
    bytes

    Raises
    ------
    NotCanonical
        If `value` cannot be written, is nested deeper than 16, or carries a bidirectional control character.

    Notes
    -----
    Source: RFC 8785. Documents without fractions and with keys of the basic plane, which is nearly all of them, are
    written by the standard library, whose output is the same there and comes about twice as fast; a property test
    compares the two writers.
    """
    return _spell(value, is_plain=_check(value, 1))


# Made once: the functions of the module `json` make a new one at each call that names an option.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _spell(value: Any, *, is_plain: bool) -> bytes:
    """Return the one spelling of a value that was checked, by the standard library where it writes the same."""
    if is_plain:
        return _ENCODER.encode(value).encode()
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError) as fault:
        raise NotCanonical(f"a value cannot be written as canonical JSON: {fault}") from fault


def _check(value: Any, depth: int) -> bool:
    """Raise on what no signed document may hold; return whether the standard library writes it as RFC 8785 does."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        return _check_text(value)
    if isinstance(value, int | float):
        return _check_number(value)
    if depth > MAX_DEPTH:
        raise NotCanonical(f"a document is nested deeper than {MAX_DEPTH}")
    plain = True
    if isinstance(value, dict):
        for key, member in value.items():
            # Texts of ASCII are nearly everything that is ever signed, and nothing of theirs needs a closer look.
            if type(key) is not str or not key.isascii():
                plain &= _check_key(key)
            if type(member) is not str or not member.isascii():
                plain &= _check(member, depth + 1)
        return plain
    if isinstance(value, list | tuple):
        for member in value:
            plain &= _check(member, depth + 1)
        return plain
    raise NotCanonical(f"a value of type {type(value).__name__} has no place in JSON")


def _check_key(key: object) -> bool:
    if not isinstance(key, str):
        raise NotCanonical(f"a member has a key of type {type(key).__name__}; keys are texts")
    # Beyond the surrogates the order by code points, which the standard library sorts by, is no longer that of UTF-16.
    return _check_text(key) and (key.isascii() or max(key) < "\ud800")


def _check_number(value: float) -> bool:
    # A fraction's spelling has no exponent below 1e21, so a larger whole one would read back as an integer out of
    # range.
    if abs(value) > MAX_INTEGER and (isinstance(value, int) or abs(value) < _FIRST_EXPONENT):
        raise NotCanonical("a number lies beyond 2^53 - 1; write it as text")
    return isinstance(value, int)


def _check_text(text: str) -> bool:
    if text.isascii():
        return True
    if _BIDI.search(text):
        raise NotCanonical("a text carries a bidirectional control character; remove it")
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        raise NotCanonical("a text carries half of a surrogate pair") from fault
    return True


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotCanonical("an object names the same member twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise NotCanonical(f"{name} is no JSON number")


def parse_strict(data: bytes) -> Any:
    """Return the JSON value in `data`, refusing duplicate members, NaN, bidirectional controls and deep nesting.

    Unlike `parse_canonical` this leaves the spelling free; it reads what is signed as the bytes that were sent.

    Raises
    ------
    NotCanonical
        If `data` is no such JSON.
    """
    value, _ = _read(data)
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


def _read(data: bytes) -> tuple[Any, bool]:
    """Return the value in `data`, and whether the standard library writes it as RFC 8785 does."""
    try:
        value = _DECODER.decode(data.decode())
    except (ValueError, RecursionError) as fault:
        raise NotCanonical("bytes are no JSON in UTF-8") from fault
    return value, _check(value, 1)


def parse_canonical(data: bytes) -> Any:
    """Return the JSON value in `data`, whose bytes must be its one canonical spelling.

    Raises
    ------
    NotCanonical
        If the bytes are no JSON, or differ from their own re-serialisation.
    """
    value, is_plain = _read(data)
    if _spell(value, is_plain=is_plain) != data:
        raise NotCanonical("the bytes differ from their canonical form (RFC 8785): altered, or not written by a node")
    return value


def b64(data: bytes) -> str:
    """Return `data` in base64url without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """Return the bytes that `text` spells in strict base64url: no padding, no other alphabet, no stray bits at the end.

    Raises
    ------
    NotBase64url
        If `text` is not what `b64` writes.
    """
    if not isinstance(text, str) or not _BASE64URL.match(text):
        raise NotBase64url("expected base64url without padding; other characters came")
    try:
        data = binascii.a2b_base64(text.encode().translate(_FROM_URL) + b"=" * (-len(text) % 4))
    except binascii.Error as fault:
        raise NotBase64url("expected base64url; its length is impossible") from fault
    if len(text) % 4 and b64(data[len(data) // 3 * 3 :]) != text[len(text) // 4 * 4 :]:
        raise NotBase64url("expected base64url; its last character carries stray bits")
    return data


def sha256_hex(data: bytes) -> str:
    """Return SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def is_hash(text: object) -> bool:
    """Return whether `text` is a SHA-256 in 64 lower-case hexadecimal digits."""
    return isinstance(text, str) and len(text) == 64 and not text.strip("0123456789abcdef")


def utc_text(at: datetime) -> str:
    """Return an aware time as ``YYYY-MM-DDTHH:MM:SS.ffffffZ``.

    Raises
    ------
    NotUtc
        If `at` is naive.
    """
    if at.tzinfo is None:
        raise NotUtc("expected an aware time; a naive one came")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def utc_time(text: str) -> datetime:
    """Return the aware UTC time that `utc_text` spelled.

    Raises
    ------
    NotUtc
        If `text` is spelled in any other way.
    """
    if not isinstance(text, str):
        raise NotUtc("expected a time like 2026-11-23T07:00:00.000000Z")
    try:
        at = datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)
    except ValueError as fault:
        raise NotUtc("expected a time like 2026-11-23T07:00:00.000000Z") from fault
    if utc_text(at) != text:
        raise NotUtc("expected a time like 2026-11-23T07:00:00.000000Z")
    return at
