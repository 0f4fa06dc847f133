import base64
import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from corridor.exchange.rules.canonical import (
    MAX_INTEGER,
    NotBase64url,
    NotCanonical,
    NotUtc,
    b64,
    canonical,
    is_hash,
    parse_canonical,
    parse_strict,
    unb64,
    utc_text,
    utc_time,
)
from tests.shared import shared

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=BIDI), max_size=12)
SCALAR = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT
FLOAT = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not MAX_INTEGER < abs(x) < 1e21)
JSON = st.recursive(
    SCALAR | FLOAT, lambda each: st.lists(each, max_size=4) | st.dictionaries(TEXT, each, max_size=4), max_leaves=12
)


@given(JSON)
def test_own_writer_and_rfc8785_write_the_same_bytes(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.dictionaries(st.text(st.characters(min_codepoint=0xD000, exclude_categories=["Cs"]), max_size=3), SCALAR))
def test_members_are_sorted_by_utf16_beyond_the_basic_plane(value: dict[str, object]) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(JSON)
def test_what_was_written_reads_back_and_writes_the_same(value: object) -> None:
    written = canonical(value)

    assert canonical(parse_canonical(written)) == written


def test_vectors_of_rfc8785_agree() -> None:
    folder = shared("vectors/rfc8785-jcs/testdata")
    inputs = sorted((folder / "input").glob("*.json"))

    for path in inputs:
        value = json.loads(path.read_text(encoding="utf-8"))
        assert canonical(value) == (folder / "output" / path.name).read_bytes(), path.name
        spelled = bytes.fromhex((folder / "outhex" / path.with_suffix(".txt").name).read_text())
        assert canonical(value) == spelled, path.name
    assert len(inputs) == 6


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":-0}',
        b'{"a":9007199254740993}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e999}',
        b'{"a":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b"\xff",
        b"",
        b" {}",
        b"{}\n",
        b"[" * 100_000,
        b"1" * 5000,
    ],
)
def test_other_spellings_are_refused(data: bytes) -> None:
    with pytest.raises(NotCanonical):
        parse_canonical(data)


def test_lone_surrogate_is_refused_in_a_key_too() -> None:
    with pytest.raises(NotCanonical):
        canonical({"\ud800": 1})


@pytest.mark.parametrize("control", BIDI)
def test_bidirectional_control_is_refused_in_text_and_key(control: str) -> None:
    for value in ({"a": f"x{control}y"}, {f"x{control}": 1}, [[f"{control}"]]):
        with pytest.raises(NotCanonical, match="bidirectional"):
            canonical(value)
        with pytest.raises(NotCanonical, match="bidirectional"):
            parse_canonical(rfc8785.dumps(value))


def test_joiners_that_urdu_needs_are_kept() -> None:
    assert parse_canonical(canonical("می\u200cخواہم")) == "می\u200cخواہم"


def test_depth_of_sixteen_is_read_and_seventeen_is_refused() -> None:
    assert parse_canonical(b"[" * 16 + b"]" * 16)
    with pytest.raises(NotCanonical, match="deeper than 16"):
        parse_canonical(b"[" * 17 + b"]" * 17)


@pytest.mark.parametrize(
    "value", [MAX_INTEGER + 1, 2.0**53, -1e20, -MAX_INTEGER - 1, math.nan, math.inf, {1: 2}, b"bytes", {"a": {1}}]
)
def test_values_outside_of_json_are_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical(value)


def test_strict_reader_leaves_spacing_free_but_not_duplicates() -> None:
    assert parse_strict(b'{ "b": 1, "a": 2 }') == {"a": 2, "b": 1}
    with pytest.raises(NotCanonical, match="twice"):
        parse_strict(b'{"a":{"b":1,"b":2}}')


@given(st.binary(max_size=40))
def test_base64url_reads_back(data: bytes) -> None:
    assert unb64(b64(data)) == data
    assert b64(data) == base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@given(st.binary(min_size=1, max_size=6), st.data())
def test_each_other_spelling_of_base64url_is_refused(data: bytes, draw: st.DataObject) -> None:
    text = b64(data)
    place = draw.draw(st.integers(0, len(text) - 1))
    other = text[:place] + draw.draw(st.sampled_from("ABCXYZabcxyz0189-_+/=. \n\u00e9")) + text[place + 1 :]

    try:
        read = unb64(other)
    except NotBase64url:
        return
    assert (read == data) is (other == text)


@pytest.mark.parametrize("text", ["A", "AB", "AAB", "AA==", "A A", "AAAA\n", "AAA+", "AAA/", "ÄÄÄÄ"])
def test_loose_base64url_is_refused(text: str) -> None:
    with pytest.raises(NotBase64url):
        unb64(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_read_back(at: datetime) -> None:
    assert utc_time(utc_text(at)) == at


def test_time_of_another_zone_is_written_in_utc() -> None:
    karachi = timezone(timedelta(hours=5))
    assert utc_text(datetime(2026, 1, 1, 5, tzinfo=karachi)) == "2026-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01 00:00:00.000000Z",
        "2026-01-01T00:00:00.000000+",
        "2026-01-01T00:00:00.000000",
        "20260101T000000.000000Z",
        "2026-02-30T00:00:00.000000Z",
        "2026-01-01T00:00:00.000000+05:00Z",
        "",
        None,
        7,
    ],
)
def test_other_spellings_of_a_time_are_refused(text: object) -> None:
    with pytest.raises(NotUtc):
        utc_time(text)  # type: ignore[arg-type]


def test_naive_time_is_refused() -> None:
    with pytest.raises(NotUtc):
        utc_text(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(("text", "is_one"), [("a" * 64, True), ("A" * 64, False), ("a" * 63, False), (None, False)])
def test_only_lower_case_sha256_is_a_hash(text: object, is_one: bool) -> None:
    assert is_hash(text) is is_one
