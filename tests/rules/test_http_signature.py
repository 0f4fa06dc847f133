from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.base.errors import CorridorError
from corridor.exchange.rules.http_signature import (
    ClockTooFarOff,
    DigestMismatch,
    SignedMessage,
    UnsignedMessage,
    content_digest,
    sign_reply,
    sign_request,
    verify_reply,
    verify_request,
)
from corridor.exchange.rules.jws import BadSignature, UnknownKey
from corridor.exchange.rules.keys import SigningKey
from tests.rules.evidence_case import NOW

ASKING, ANSWERING = SigningKey.generate(), SigningKey.generate()
KEYS = {ASKING.kid: ASKING.public}
PEER = {ANSWERING.kid: ANSWERING.public}
NONCE = "bm9uY2Utbm9uY2Utbm9u"
REQUEST = {
    "method": "POST",
    "authority": "node.example.org:8443",
    "path": "/exchange/v1/envelopes",
    "query": "",
    "body": b'{"envelopes":[]}',
}
HEADERS = sign_request(**REQUEST, key=ASKING, nonce=NONCE, created_at=NOW)
ANSWER = b'{"replies":[]}'


def verified() -> SignedMessage:
    return verify_request(HEADERS, **REQUEST, keys=KEYS, now=NOW)


def reply_headers(request: SignedMessage | None = None) -> dict[str, str]:
    return sign_reply(status=200, body=ANSWER, request=request or verified(), key=ANSWERING, created_at=NOW)


def test_request_names_who_signed_it_and_when() -> None:
    message = verified()

    assert (message.kid, message.nonce, message.created_at) == (ASKING.kid, NONCE, NOW)


def test_signature_base_is_that_of_rfc_9421() -> None:
    parameters = HEADERS["Signature-Input"].removeprefix("hc=")
    base = (
        '"@method": POST\n'
        '"@authority": node.example.org:8443\n'
        '"@path": /exchange/v1/envelopes\n'
        '"@query": ?\n'
        f'"content-digest": {content_digest(REQUEST["body"])}\n'
        f'"@signature-params": {parameters}'
    )
    from corridor.exchange.rules.keys import verify

    assert parameters == (
        '("@method" "@authority" "@path" "@query" "content-digest");'
        f'created={int(NOW.timestamp())};keyid="{ASKING.kid}";nonce="{NONCE}";alg="ed25519";tag="health-corridor/1"'
    )
    assert verify(ASKING.public, verified().signature, base.encode())


def test_content_digest_is_that_of_rfc_9530() -> None:
    assert content_digest(b'{"hello": "world"}\n') == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


def test_header_names_come_in_any_case() -> None:
    assert verify_request({key.lower(): value for key, value in HEADERS.items()}, **REQUEST, keys=KEYS, now=NOW)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("method", "PUT"),
        ("authority", "other.example.org:8443"),
        ("path", "/exchange/v1/checkpoints"),
        ("query", "size=1"),
    ],
)
def test_request_to_somewhere_else_is_refused(member: str, value: str) -> None:
    with pytest.raises(BadSignature):
        verify_request(HEADERS, **REQUEST | {member: value}, keys=KEYS, now=NOW)


def test_other_body_is_refused_and_so_is_its_digest() -> None:
    with pytest.raises(DigestMismatch):
        verify_request(HEADERS, **REQUEST | {"body": b"{}"}, keys=KEYS, now=NOW)
    headers = HEADERS | {"Content-Digest": content_digest(b"{}")}
    with pytest.raises(BadSignature):
        verify_request(headers, **REQUEST | {"body": b"{}"}, keys=KEYS, now=NOW)


def test_key_that_is_not_pinned_is_unknown() -> None:
    with pytest.raises(UnknownKey):
        verify_request(HEADERS, **REQUEST, keys=PEER, now=NOW)


@pytest.mark.parametrize("hours", [-3, 3])
def test_request_of_another_time_is_refused(hours: int) -> None:
    with pytest.raises(ClockTooFarOff, match="check both clocks"):
        verify_request(HEADERS, **REQUEST, keys=KEYS, now=NOW + timedelta(hours=hours))


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_that_differ_by_an_hour_still_talk(hours: int) -> None:
    assert verify_request(HEADERS, **REQUEST, keys=KEYS, now=NOW + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"@query" ', ""),
        ("ed25519", "hmac-sha256"),
        ("hc=", "sig1="),
        ("created=", "expires="),
        ('nonce="', 'nonce="!'),
        (";tag=", ";x=1;tag="),
    ],
)
def test_any_other_form_of_signature_is_not_read(old: str, new: str) -> None:
    headers = HEADERS | {"Signature-Input": HEADERS["Signature-Input"].replace(old, new)}

    with pytest.raises(UnsignedMessage):
        verify_request(headers, **REQUEST, keys=KEYS, now=NOW)


@pytest.mark.parametrize("name", ["Content-Digest", "Signature-Input", "Signature"])
def test_missing_and_doubled_fields_are_refused(name: str) -> None:
    with pytest.raises(UnsignedMessage):
        verify_request({key: value for key, value in HEADERS.items() if key != name}, **REQUEST, keys=KEYS, now=NOW)
    with pytest.raises(UnsignedMessage):
        verify_request(HEADERS | {name.upper(): HEADERS[name]}, **REQUEST, keys=KEYS, now=NOW)


def test_reply_answers_its_request() -> None:
    message = verify_reply(reply_headers(), status=200, body=ANSWER, request_headers=HEADERS, keys=PEER)

    assert (message.kid, message.nonce) == (ANSWERING.kid, NONCE)


def test_reply_to_another_request_with_the_same_nonce_is_refused() -> None:
    other = sign_request(**REQUEST | {"body": b"other"}, key=ASKING, nonce=NONCE, created_at=NOW)

    with pytest.raises(BadSignature):
        verify_reply(reply_headers(), status=200, body=ANSWER, request_headers=other, keys=PEER)


def test_reply_with_another_nonce_status_or_body_is_refused() -> None:
    other = sign_request(**REQUEST, key=ASKING, nonce="x" * 22, created_at=NOW)

    with pytest.raises(BadSignature, match="another request"):
        verify_reply(reply_headers(), status=200, body=ANSWER, request_headers=other, keys=PEER)
    with pytest.raises(BadSignature):
        verify_reply(reply_headers(), status=503, body=ANSWER, request_headers=HEADERS, keys=PEER)
    with pytest.raises(DigestMismatch):
        verify_reply(reply_headers(), status=200, body=b"{}", request_headers=HEADERS, keys=PEER)
    with pytest.raises(UnknownKey):
        verify_reply(reply_headers(), status=200, body=ANSWER, request_headers=HEADERS, keys=KEYS)
    with pytest.raises(UnsignedMessage):
        verify_reply(reply_headers(), status=200, body=ANSWER, request_headers=HEADERS | {"Signature": ""}, keys=PEER)


def test_request_shown_as_a_reply_is_not_read() -> None:
    with pytest.raises(UnsignedMessage):
        verify_reply(HEADERS, status=200, body=REQUEST["body"], request_headers=HEADERS, keys=KEYS)


def test_short_nonce_is_not_signed() -> None:
    with pytest.raises(UnsignedMessage, match="nonce"):
        sign_request(**REQUEST, key=ASKING, nonce="short", created_at=NOW)


@given(st.sampled_from(sorted(HEADERS)), st.text(max_size=200))
def test_any_fields_raise_nothing_but_typed_errors(name: str, value: str) -> None:
    with pytest.raises(CorridorError):
        verify_request(HEADERS | {name: value}, **REQUEST, keys=KEYS, now=NOW)


@given(st.sampled_from(sorted(HEADERS)), st.data())
def test_any_changed_character_is_refused(name: str, data: st.DataObject) -> None:
    value = HEADERS[name]
    place = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != value[place]))

    with pytest.raises(CorridorError):
        verify_request(HEADERS | {name: value[:place] + other + value[place + 1 :]}, **REQUEST, keys=KEYS, now=NOW)
