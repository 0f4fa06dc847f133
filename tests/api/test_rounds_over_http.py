"""Whatever a partner, a stranger or nobody puts into a request: a described answer, never a fault of the server."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corridor.base.clock import utcnow
from corridor.exchange.api import MAX_BYTES, api
from corridor.exchange.models import Crossing, LogLeaf, UnauthenticatedCount
from corridor.exchange.rules.keys import SigningKey
from corridor.exchange.services import rounds
from tests.api.conftest import PATH, RECEIVER, SENDER, Door
from tests.budget import examples

EMPTY: dict[str, Any] = {"version": 1, "nonce": "n" * 20, "hello": False, "envelopes": [], "swaps": []}
QUICK = settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck), database=None)


def _round(**members: Any) -> bytes:
    return json.dumps(EMPTY | members).encode()


def _nested(depth: int) -> bytes:
    return (
        b'{"version":1,"nonce":"n","hello":false,"envelopes":'
        + b"[" * (depth - 1)
        + b"]" * (depth - 1)
        + b',"swaps":[]}'
    )


def _written(door: Door) -> tuple[int, int]:
    """Return how many crossings and leaves of the exchange the receiver holds."""
    with door.corridor[RECEIVER]:
        return Crossing.objects.count(), LogLeaf.objects.exclude(tree__kind="audit").count()


def _counted(door: Door) -> int:
    """Return how many unauthenticated requests the receiver has counted."""
    with door.corridor[RECEIVER]:
        return sum(UnauthenticatedCount.objects.values_list("count", flat=True))


def _effects(door: Door, *values: int) -> list[int]:
    """Return those of the effects at the receiver that have one of `values`."""
    return [value for _, value in door.corridor[RECEIVER].effects() if value in values]


def _check_described(response: Any) -> None:
    """Fail unless status and body are those of the description."""
    document = dict(api.get_openapi_schema(path_prefix="/exchange/v1"))
    described = document["paths"][PATH]["post"]["responses"]
    assert response.status_code in described, f"{response.status_code} is not described"
    schema = described[response.status_code]["content"]["application/json"]["schema"]
    jsonschema_rs.validator_for(schema).validate(json.loads(response.content))


def test_any_described_round_that_a_partner_signs_gets_a_described_answer(door: Door) -> None:
    document = dict(api.get_openapi_schema(path_prefix="/exchange/v1"))
    operation = schemathesis.openapi.from_dict(document)[PATH]["POST"]
    statuses = set()

    @QUICK
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        response = door.post(json.dumps(case.body).encode())
        statuses.add(response.status_code)
        _check_described(response)

    check()
    assert 200 in statuses


def test_any_change_of_a_real_round_that_a_partner_signs_gets_a_described_answer(door: Door) -> None:
    for value in range(10, 13):
        door.corridor[SENDER].send(value, to=RECEIVER, agreement=door.agreement)
    with door.corridor[SENDER]:
        prepared = rounds.prepare(RECEIVER, is_swap_due=True, now=utcnow())
        assert prepared is not None
        real = json.loads(prepared.round.to_bytes())
    junk = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.just([]), st.just({}))

    @QUICK
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        changed = json.loads(json.dumps(real))
        place: Any = changed
        while True:
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            key = data.draw(st.sampled_from(list(keys)))
            if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
                place = place[key]
                continue
            old = place[key]
            cut = st.just(old[: len(old) // 2] + "A" + old[len(old) // 2 + 1 :]) if isinstance(old, str) else junk
            place[key] = data.draw(st.one_of(junk, cut))
            break
        _check_described(door.post(json.dumps(changed).encode()))

    check()
    door.corridor[SENDER].deliver()
    _check_described(door.post(json.dumps(real).encode()))
    assert _effects(door, 10, 11, 12) == [10, 11, 12]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (_round(envelopes=[{"token": "a.b.c"}] * 101), "malformed-round"),
        (_round(swaps=[{"statement": "", "proof": []}] * 201), "malformed-round"),
        (_round(swaps=[{"statement": "", "proof": ["AA"] * 129}]), "malformed-round"),
        (_nested(17), "malformed-round"),
        (_nested(100_000), "malformed-round"),
        (_round()[:-1] + b',"hello":true}', "malformed-round"),
        (_round(envelopes=[{"token": "a", "ciphertext": "%"}]), "malformed-round"),
        (_round(other=1), "malformed-round"),
        (_round(version=2), "malformed-round"),
        (_round(version=True), "malformed-round"),
        (_round(version=1.0), "malformed-round"),
        (_round(nonce="x" * 101), "malformed-round"),
        (_round(nonce="\u202e"), "malformed-round"),
        (_round().replace(b'"n', b'"\xff'), "malformed-round"),
        (_round().replace(b"nnn", b"\\ud800"), "malformed-round"),
        (_round().replace(b": 1", b": NaN"), "malformed-round"),
        (_round().replace(b": 1", b": 1" + b"0" * 5_000), "malformed-round"),
        (b"\xef\xbb\xbf" + _round(), "malformed-round"),
        (b"", "malformed-round"),
        (b"\0", "malformed-round"),
        (b"[]", "malformed-round"),
    ],
    ids=[
        "101 envelopes",
        "201 swaps",
        "129 hashes",
        "depth 17",
        "depth 100000",
        "duplicate member",
        "no base64url",
        "unknown member",
        "version 2",
        "version true",
        "version 1.0",
        "long nonce",
        "bidirectional control",
        "no UTF-8",
        "lone surrogate",
        "NaN",
        "huge number",
        "byte order mark",
        "empty",
        "nul",
        "a list",
    ],
)
def test_what_is_no_round_is_said_to_be_none_and_leaves_nothing(door: Door, body: bytes, code: str) -> None:
    before = _written(door)
    response = door.post(body)
    _check_described(response)
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert _written(door) == before


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "identity, gzip", "zstd"])
def test_a_compressed_body_is_refused_although_it_is_signed(door: Door, encoding: str) -> None:
    body = gzip.compress(_round())
    response = door.post(body, door.sign(body) | {"Content-Encoding": encoding})
    _check_described(response)
    assert response.status_code == 415


def test_one_byte_more_than_4_mib_is_refused_and_4_mib_is_read(door: Door) -> None:
    largest = _round(nonce="").replace(
        b'"nonce": ""', b'"nonce": "' + b"n" * (MAX_BYTES - len(_round(nonce=""))) + b'"'
    )
    assert len(largest) == MAX_BYTES
    assert door.post(largest).status_code == 400
    response = door.post(largest + b" ")
    _check_described(response)
    assert response.status_code == 413


def test_a_length_that_lies_opens_nothing(door: Door) -> None:
    body = _round()
    for length in ("0", str(MAX_BYTES + 1), "-1", "x", ""):
        with door.corridor[RECEIVER]:
            response = Client().generic(
                "POST",
                PATH,
                body,
                content_type="application/json",
                headers=door.sign(body),
                CONTENT_LENGTH=length,
                **{"wsgi.input": io.BytesIO(body)},
            )
        _check_described(response)
        assert response.status_code in (401, 413)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_the_body_alone_is_read_whatever_type_it_claims(door: Door, content_type: str) -> None:
    response = door.post(_round(hello=True), content_type=content_type)
    _check_described(response)
    assert response.status_code == 200


def _unsigned(door: Door, body: bytes) -> dict[str, str]:
    del door, body
    return {}


def _by_a_stranger(door: Door, body: bytes) -> dict[str, str]:
    return door.sign(body, key=SigningKey.generate())


def _of_another_body(door: Door, body: bytes) -> dict[str, str]:
    return door.sign(body + b" ")


def _for_another_path(door: Door, body: bytes) -> dict[str, str]:
    return door.sign(body, path="/exchange/v1/card")


def _too_old(door: Door, body: bytes) -> dict[str, str]:
    return door.sign(body, created_at=utcnow() - timedelta(hours=3))


def _from_the_future(door: Door, body: bytes) -> dict[str, str]:
    return door.sign(body, created_at=utcnow() + timedelta(hours=3))


def _without_digest(door: Door, body: bytes) -> dict[str, str]:
    return {name: value for name, value in door.sign(body).items() if name != "Content-Digest"}


def _nonce_changed(door: Door, body: bytes) -> dict[str, str]:
    signed = door.sign(body)
    return signed | {"Signature-Input": signed["Signature-Input"].replace('nonce="nonce', 'nonce="other')}


def _garbage(door: Door, body: bytes) -> dict[str, str]:
    del door, body
    return {"Signature-Input": "hc=()", "Signature": "hc=::", "Content-Digest": "md5=::"}


@pytest.mark.parametrize(
    "headers",
    [
        _unsigned,
        _by_a_stranger,
        _of_another_body,
        _for_another_path,
        _too_old,
        _from_the_future,
        _without_digest,
        _nonce_changed,
        _garbage,
    ],
)
def test_whoever_is_not_a_partner_is_turned_away_and_only_counted(
    door: Door, headers: Callable[[Door, bytes], dict[str, str]]
) -> None:
    before, counted, body = _written(door), _counted(door), _round(hello=True)
    response = door.post(body, headers(door, body))
    _check_described(response)
    assert response.status_code == 401
    assert "Signature" not in response.headers
    assert _written(door) == before
    assert _counted(door) == counted + 1


def test_the_same_request_again_gets_the_same_receipts_and_no_second_effect(door: Door) -> None:
    door.corridor[SENDER].send(7, to=RECEIVER, agreement=door.agreement)
    with door.corridor[SENDER]:
        prepared = rounds.prepare(RECEIVER, is_swap_due=False, now=utcnow())
        assert prepared is not None
    body = prepared.round.to_bytes()
    headers = door.sign(body)
    first, again = door.post(body, headers), door.post(body, headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["replies"] == first.json()["replies"]
    assert _effects(door, 7) == [7]


@pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)
def test_a_request_signed_for_one_node_does_not_pass_at_another(make_corridor: Callable[..., Any]) -> None:
    three = make_corridor("cn.cdc", "pk.nih", "ru.gamma", now=utcnow() - timedelta(hours=1))
    body = _round(hello=True)
    headers = Door(three, "").sign(body)
    with three["ru.gamma"]:
        response = Client().post(PATH, data=body, content_type="application/json", headers=headers)
    assert response.status_code == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_envelopes_are_posted_and_nothing_else(door: Door, method: str) -> None:
    with door.corridor[RECEIVER]:
        assert Client().generic(method, PATH).status_code == 405


@pytest.mark.parametrize("path", ["/exchange/v1/card", "/exchange/v1/health", PATH])
@pytest.mark.django_db
def test_a_home_without_a_node_says_so(path: str) -> None:
    response = Client().post(path, b"{}", content_type="application/json") if path == PATH else Client().get(path)
    assert (response.status_code, response.json()["code"]) == (503, "no-node")
