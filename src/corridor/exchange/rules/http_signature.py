"""Signed requests and replies between nodes (RFC 9421), bound to each other by a nonce and the request's signature.

Only one form is written or read: label ``hc``, Ed25519, and a fixed list of components. A request covers method,
authority, path, query and the digest of its body (RFC 9530); a reply covers status, digest and the signature of the
request that it answers, so that it fits no other. Behind a proxy that ends TLS this alone says who is talking.

Source: RFC 9421, sections 2 and 3; RFC 9530. Our own few lines rather than a library, because the one that is kept
(http-message- signatures) leaves the body's digest to the caller, reads many forms where one is wanted, and is made
for the requests library.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from corridor.base.errors import InputFault, Refused
from corridor.exchange.rules.jws import BadSignature, UnknownKey
from corridor.exchange.rules.keys import SigningKey, verify

CLOCK_TOLERANCE = timedelta(hours=2)
"""How far two clocks may differ before a request is refused; a repeat inside it gets its stored receipt, no more."""

NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")

_REQUEST_COMPONENTS = '("@method" "@authority" "@path" "@query" "content-digest")'
_REPLY_COMPONENTS = '("@status" "content-digest" "signature";req)'
_PARAMETERS = re.compile(
    r'hc=(?P<input>(?P<components>\([^)]*\));created=(?P<created>[0-9]{1,11});keyid="(?P<kid>[A-Za-z0-9_-]{43})"'
    r';nonce="(?P<nonce>[A-Za-z0-9_-]{16,64})";alg="ed25519";tag="health-corridor/1")\Z'
)
_SIGNATURE = re.compile(r"hc=:(?P<signature>[A-Za-z0-9+/]{86}==):\Z")


class UnsignedMessage(InputFault):
    """A request or reply carries no signature of the one form that is read."""

    code = "unsigned-message"


class DigestMismatch(Refused):
    """The body is not the one whose digest was signed."""

    code = "digest-mismatch"


class ClockTooFarOff(Refused):
    """A request was signed too long ago, or in the future."""

    code = "clock-too-far-off"


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A verified request or reply.

    Attributes
    ----------
    kid : str
        Thumbprint of the transport key that signed.
    nonce : str
    created_at : datetime
        The signer's clock; its distance from the own one is shown to people.
    signature : bytes, 64
        To which the reply is bound.
    """

    kid: str
    nonce: str
    created_at: datetime
    signature: bytes = field(repr=False)


def content_digest(body: bytes) -> str:
    """Return the value of the Content-Digest field (RFC 9530) for `body`."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def _parameters(components: str, *, created_at: datetime, kid: str, nonce: str) -> str:
    created = int(created_at.timestamp())
    return f'{components};created={created};keyid="{kid}";nonce="{nonce}";alg="ed25519";tag="health-corridor/1"'


def _base(lines: Mapping[str, str], parameters: str) -> bytes:
    """Return the signature base (RFC 9421, section 2.5)."""
    return "\n".join(
        [*(f"{name}: {value}" for name, value in lines.items()), f'"@signature-params": {parameters}']
    ).encode()


def _request_lines(*, method: str, authority: str, path: str, query: str, digest: str) -> dict[str, str]:
    return {
        '"@method"': method.upper(),
        '"@authority"': authority.lower(),
        '"@path"': path or "/",
        '"@query"': f"?{query}",
        '"content-digest"': digest,
    }


def _reply_lines(*, status: int, digest: str, request_signature: bytes) -> dict[str, str]:
    return {
        '"@status"': str(status),
        '"content-digest"': digest,
        '"signature";req': _signature_value(request_signature),
    }


def _signature_value(signature: bytes) -> str:
    return f"hc=:{base64.b64encode(signature).decode()}:"


def _headers(lines: Mapping[str, str], *, parameters: str, digest: str, key: SigningKey) -> dict[str, str]:
    return {
        "Content-Digest": digest,
        "Signature-Input": f"hc={parameters}",
        "Signature": _signature_value(key.sign(_base(lines, parameters))),
    }


def sign_request(
    *,
    method: str,
    authority: str,
    path: str,
    body: bytes,
    key: SigningKey,
    nonce: str,
    created_at: datetime,
    query: str = "",
) -> dict[str, str]:
    """Return the header fields that sign a request.

    Parameters
    ----------
    method : str
    authority : str
        Host and, unless it is the scheme's own, port of the partner's address as its card gives it.
    path : str
    body : bytes
        Empty for none.
    key : SigningKey
        The sender's transport key.
    nonce : str
        16 to 64 characters of base64url, new for each request.
    created_at : datetime, aware
    query : str
        Without its question mark.

    Returns
    -------
    dict with Content-Digest, Signature-Input and Signature
    """
    if not NONCE.match(nonce):
        raise UnsignedMessage("a nonce has 16 to 64 characters of base64url")
    digest = content_digest(body)
    lines = _request_lines(method=method, authority=authority, path=path, query=query, digest=digest)
    parameters = _parameters(_REQUEST_COMPONENTS, created_at=created_at, kid=key.kid, nonce=nonce)
    return _headers(lines, parameters=parameters, digest=digest, key=key)


def verify_request(
    headers: Mapping[str, str],
    *,
    method: str,
    authority: str,
    path: str,
    body: bytes,
    keys: Mapping[str, bytes],
    now: datetime,
    query: str = "",
    tolerance: timedelta = CLOCK_TOLERANCE,
) -> SignedMessage:
    """Return who signed a request, once its signature, digest and time hold.

    Parameters
    ----------
    headers : mapping of header fields, any case
    method, path, body, query
        As they came.
    authority : str
        Of this node's own card, not of the Host field, which a proxy may change.
    keys : mapping from thumbprint to public key
        The transport keys of all pinned partners.
    now : datetime, aware
    tolerance : timedelta
        Largest distance between the clocks.

    Raises
    ------
    UnsignedMessage, UnknownKey, BadSignature, DigestMismatch, ClockTooFarOff
        In this order of checking.
    """
    message, parameters = _read_fields(headers, components=_REQUEST_COMPONENTS, keys=keys)
    digest = _field(headers, "Content-Digest")
    lines = _request_lines(method=method, authority=authority, path=path, query=query, digest=digest)
    _check(message, lines=lines, parameters=parameters, keys=keys, digest=digest, body=body)
    if abs(now - message.created_at) > tolerance:
        raise ClockTooFarOff(
            f"the request was signed at {message.created_at:%Y-%m-%d %H:%M:%S} UTC, which is more than {tolerance} "
            "from this node's clock; check both clocks"
        )
    return message


def sign_reply(
    *, status: int, body: bytes, request: SignedMessage, key: SigningKey, created_at: datetime
) -> dict[str, str]:
    """Return the header fields that sign a reply and bind it to the request.

    Parameters
    ----------
    status : int
    body : bytes
    request : SignedMessage
        As `verify_request` returned it.
    key : SigningKey
        The answering node's transport key.
    created_at : datetime, aware
    """
    digest = content_digest(body)
    lines = _reply_lines(status=status, digest=digest, request_signature=request.signature)
    parameters = _parameters(_REPLY_COMPONENTS, created_at=created_at, kid=key.kid, nonce=request.nonce)
    return _headers(lines, parameters=parameters, digest=digest, key=key)


def verify_reply(
    headers: Mapping[str, str],
    *,
    status: int,
    body: bytes,
    request_headers: Mapping[str, str],
    keys: Mapping[str, bytes],
) -> SignedMessage:
    """Return who signed a reply, once it answers the request that was sent.

    Parameters
    ----------
    headers : mapping of header fields, any case
    status : int
    body : bytes
    request_headers : mapping
        The fields that `sign_request` returned for the request.
    keys : mapping from thumbprint to public key
        The transport keys of the partner that was asked.

    Raises
    ------
    UnsignedMessage, UnknownKey, BadSignature, DigestMismatch
        In this order of checking.
    """
    message, parameters = _read_fields(headers, components=_REPLY_COMPONENTS, keys=keys)
    sent = _SIGNATURE.match(_field(request_headers, "Signature"))
    asked = _PARAMETERS.match(_field(request_headers, "Signature-Input"))
    if sent is None or asked is None:
        raise UnsignedMessage("the request that was sent carries no signature")
    if message.nonce != asked["nonce"]:
        raise BadSignature("the reply carries the nonce of another request")
    digest = _field(headers, "Content-Digest")
    lines = _reply_lines(
        status=status, digest=digest, request_signature=base64.b64decode(sent["signature"], validate=True)
    )
    _check(message, lines=lines, parameters=parameters, keys=keys, digest=digest, body=body)
    return message


def _field(headers: Mapping[str, str], name: str) -> str:
    values = [value for key, value in headers.items() if key.lower() == name.lower()]
    if len(values) != 1:
        raise UnsignedMessage(f"expected the header field {name} once; it came {len(values)} times")
    return values[0]


def _read_fields(
    headers: Mapping[str, str], *, components: str, keys: Mapping[str, bytes]
) -> tuple[SignedMessage, str]:
    """Return what the fields say and the parameters as spelled, both unverified."""
    match = _PARAMETERS.match(_field(headers, "Signature-Input"))
    signature = _SIGNATURE.match(_field(headers, "Signature"))
    if match is None or signature is None or match["components"] != components:
        raise UnsignedMessage(
            "the signature fields have not the one form that nodes write; see RFC 9421 in the documents"
        )
    if match["kid"] not in keys:
        raise UnknownKey("the message is signed with a key that is not pinned for any partner")
    message = SignedMessage(
        kid=match["kid"],
        nonce=match["nonce"],
        created_at=datetime.fromtimestamp(int(match["created"]), UTC),
        signature=base64.b64decode(signature["signature"], validate=True),
    )
    return message, match["input"]


def _check(
    message: SignedMessage,
    *,
    lines: Mapping[str, str],
    parameters: str,
    keys: Mapping[str, bytes],
    digest: str,
    body: bytes,
) -> None:
    if not verify(keys[message.kid], message.signature, _base(lines, parameters)):
        raise BadSignature("the signature does not belong to this message")
    if digest != content_digest(body):
        raise DigestMismatch("the body is not the one whose digest was signed")
