"""The one signed form that travels: JWS compact (RFC 7515) with Ed25519 (RFC 9864), one type per kind of object.

The protected header is exactly ``{"alg":"Ed25519","kid":<thumbprint>,"typ":<kind>}`` in canonical form, so no member
can be added, repeated or reordered. What is verified are the bytes that came, never a re-serialisation.

The `joserfc` library writes and reads the same tokens (the tests compare both ways) and is about as fast. It is not
used here because it takes more than may come: other members and spellings of the header, loose base64url, and
signatures that the stricter rule of `keys.verify` refuses.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from corridor.base.errors import InputFault, Refused
from corridor.exchange.rules.canonical import NotBase64url, NotCanonical, b64, canonical, parse_canonical, unb64
from corridor.exchange.rules.keys import SigningKey, verify

MAX_TOKEN_BYTES = 4 * 1024 * 1024
"""Longest token that is read, in bytes."""


class Malformed(InputFault):
    """Bytes do not have the form of the object that they claim to be."""

    code = "malformed"


class ForeignType(Refused):
    """A signed object of one kind is shown where another kind is expected."""

    code = "foreign-type"


class UnknownKey(Refused):
    """A signature names a key that is not pinned for this partner."""

    code = "unknown-key"


class BadSignature(Refused):
    """A signature does not belong to the bytes that it stands on."""

    code = "bad-signature"


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token whose signature has been verified.

    Attributes
    ----------
    payload : bytes
        Exactly as signed.
    kid : str
        Thumbprint of the key that signed.
    hash : str
        SHA-256 of the whole token, 64 hexadecimal digits: the token's name everywhere.
    """

    payload: bytes
    kid: str
    hash: str


@lru_cache(maxsize=4096)
def _header(*, typ: str, kid: str) -> str:
    return b64(canonical({"alg": "Ed25519", "kid": kid, "typ": typ}))


@lru_cache(maxsize=4096)
def _read_header(segment: str) -> tuple[str, str]:
    """Return typ and kid of a protected header."""
    try:
        header = parse_canonical(unb64(segment))
    except (NotBase64url, NotCanonical) as fault:
        raise Malformed("the protected header is not canonical JSON in base64url") from fault
    if not isinstance(header, dict) or set(header) != {"alg", "kid", "typ"}:
        raise Malformed("the protected header must have exactly the members alg, kid and typ")
    if header["alg"] != "Ed25519":
        raise Malformed("the protected header must name the algorithm Ed25519")
    if not isinstance(header["kid"], str) or not isinstance(header["typ"], str):
        raise Malformed("kid and typ of the protected header must be texts")
    return header["typ"], header["kid"]


def sign_token(payload: bytes, *, typ: str, key: SigningKey) -> bytes:
    """Return `payload` as a signed token of kind `typ`."""
    signing_input = f"{_header(typ=typ, kid=key.kid)}.{b64(payload)}".encode()
    return signing_input + b"." + b64(key.sign(signing_input)).encode()


def read_token(token: bytes, *, typ: str, keys: Mapping[str, bytes]) -> SignedToken:
    """Return the payload of a token of kind `typ` signed by one of `keys`.

    Parameters
    ----------
    token : bytes
    typ : str
        The kind that is expected.
    keys : mapping from thumbprint to public key
        Those pinned for the party that may sign here.

    Raises
    ------
    Malformed
        If the bytes are no such token, or longer than 4 MiB.
    ForeignType
        If it is a token of another kind.
    UnknownKey
        If the key that it names is not among `keys`.
    BadSignature
        If the signature does not count.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise Malformed(f"a token has at most {MAX_TOKEN_BYTES} bytes; {len(token)} came")
    parts = token.split(b".")
    if len(parts) != 3 or not token.isascii():
        raise Malformed("a token has three parts of base64url joined by points")
    header, body, tail = (part.decode() for part in parts)
    # A header of another length than ours can be nothing we wrote; this also keeps hostile headers out of the cache.
    if len(header) > 400:
        raise Malformed("the protected header is longer than any that a node writes")
    found, kid = _read_header(header)
    if found != typ:
        raise ForeignType(f"expected a signed object of kind {typ}; one of kind {found[:60]!r} came")
    if kid not in keys:
        raise UnknownKey("the token is signed with a key that is not pinned for this partner")
    try:
        payload, signature = unb64(body), unb64(tail)
    except NotBase64url as fault:
        raise Malformed("a part of the token is not strict base64url") from fault
    if not verify(keys[kid], signature, token[: -len(tail) - 1]):
        raise BadSignature("the signature does not belong to these bytes")
    return SignedToken(payload=payload, kid=kid, hash=hashlib.sha256(token).hexdigest())


def key_of(token: bytes) -> str:
    """Return the thumbprint that a token names as its key; whether that key signed it is for `read_token` to say.

    Raises
    ------
    Malformed
        If the token has no header of the one form.
    """
    return _read_header(token.partition(b".")[0].decode("ascii", "replace"))[1]
