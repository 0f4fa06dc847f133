"""The envelope: what is said about a body, and the body, signed as the bytes that are sent.

The payload is a JSON object with exactly the members of `Header` and either ``body`` (the message's bytes as a JSON
text, from which the exact bytes come back) or, for a sealed body, ``sealed``: SHA-256 of the ciphertext, which
travels beside the token, an HMAC of the plaintext, and the key it is sealed to. The payload is never re-serialised,
so its spelling is free of any canonical form.
"""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from corridor.base.errors import Refused
from corridor.exchange.rules.canonical import NotUtc, is_hash, sha256_hex, unb64, utc_text, utc_time
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.jws import BadSignature, ForeignType, Malformed, UnknownKey, read_token, sign_token
from corridor.exchange.rules.keys import SigningKey

__all__ = [
    "ENVELOPE_TYPE",
    "BadSignature",
    "CiphertextMismatch",
    "ForeignType",
    "Header",
    "Malformed",
    "NotForMe",
    "Sealed",
    "SealedPart",
    "UnknownKey",
    "Unpacked",
    "check_ciphertext",
    "is_node_id",
    "is_sealed",
    "new_id",
    "pack",
    "unpack",
]

ENVELOPE_TYPE = "hc-envelope+jws"
"""The ``typ`` of an envelope's protected header."""

_NODE = re.compile(r"[a-z]{2}(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?){1,6}\Z")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,119}\Z")
_SCHEMA = re.compile(r"[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)+/[1-9][0-9]{0,3}\Z")
_KID = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_CLASSES = tuple(str(member) for member in DataClass)
_MEMBERS = frozenset(
    {"id", "from", "to", "agreement", "channel", "schema", "purpose", "class", "persons", "created_at"}
)


class NotForMe(Refused):
    """An envelope names another sender or recipient than the two that are talking."""

    code = "not-for-me"


class CiphertextMismatch(Refused):
    """The ciphertext beside an envelope is not the one that its sender signed."""

    code = "ciphertext-mismatch"


@dataclass(frozen=True, slots=True)
class Header:
    """What an envelope says about its body.

    Attributes
    ----------
    id : str
        UUIDv7, made by the sending node; with `from_` it is the identity of the envelope.
    from_, to : str
        Node ids.
    agreement : str
        SHA-256 of the agreement's version, or empty for a control message outside any agreement.
    channel : str
        The channel's id within that agreement, or empty for a control message.
    schema : str
        Message type and version, such as ``surveillance.period-counts/1``.
    purpose : str
        As the channel names it, or empty for a control message.
    data_class : DataClass
        Highest class of any field; both gates compute it again from the body.
    persons : int
        Number of persons concerned; both gates compute it again.
    created_at : datetime
        The sender's claim, aware; no proof of time.
    body_kind : {"plain", "sealed"}
        Whether the body stands in the payload, or travels encrypted beside it.
    """

    id: str
    from_: str
    to: str
    agreement: str
    channel: str
    schema: str
    purpose: str
    data_class: DataClass
    persons: int
    created_at: datetime
    body_kind: Literal["plain", "sealed"] = "plain"


@dataclass(frozen=True, slots=True)
class SealedPart:
    """What a signed payload says about a sealed body.

    Attributes
    ----------
    sha256 : str
        Of the ciphertext that travels beside the token.
    mac : str
        HMAC-SHA256(r, body) in hexadecimal digits, r being the first 32 bytes of the plaintext.
    enc_kid : str
        Thumbprint of the encryption key it is sealed to.
    """

    sha256: str
    mac: str
    enc_kid: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed body: the ciphertext that travels beside the envelope, and the part of the payload that binds it."""

    ciphertext: bytes
    mac: str
    enc_kid: str

    @property
    def part(self) -> SealedPart:
        """What the signed payload says about it."""
        return SealedPart(sha256=sha256_hex(self.ciphertext), mac=self.mac, enc_kid=self.enc_kid)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A verified envelope.

    Attributes
    ----------
    header : Header
    body : bytes or None
        The message's bytes; None for a sealed body.
    sealed : SealedPart or None
        For a sealed body what binds the ciphertext; else None.
    token_hash : str
        SHA-256 of the token as sent.
    kid : str
        Thumbprint of the sender's transport key.
    """

    header: Header
    body: bytes | None
    sealed: SealedPart | None
    token_hash: str
    kid: str


def is_node_id(text: object) -> bool:
    """Return whether `text` is a node id: lower-case, dotted, country first, such as ``pk.nih``."""
    return isinstance(text, str) and _NODE.match(text) is not None


def new_id(now: datetime, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return a new envelope id.

    Parameters
    ----------
    now : datetime, aware
    random : callable from a number of bytes to that many random bytes

    Returns
    -------
    str, UUIDv7 (RFC 9562): milliseconds since 1970, then 74 random bits
    """
    milliseconds = int(now.timestamp() * 1000)
    tail = int.from_bytes(random(10), "big")
    number = milliseconds << 80 | 0x7 << 76 | (tail >> 62 & 0xFFF) << 64 | 0b10 << 62 | tail & (2**62 - 1)
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _fault(member: str, expected: str) -> Malformed:
    return Malformed(f"envelope member {member!r}: expected {expected}")


def _check(header: Header) -> Header:
    for member, text in (("from", header.from_), ("to", header.to)):
        if not is_node_id(text):
            raise _fault(member, "a node id such as pk.nih")
    if not isinstance(header.id, str) or not _ID.match(header.id):
        raise _fault("id", "a UUIDv7 in lower case")
    if header.agreement != "" and not is_hash(header.agreement):
        raise _fault("agreement", "a SHA-256 in 64 hexadecimal digits, or nothing")
    for member, text in (("channel", header.channel), ("purpose", header.purpose)):
        if not isinstance(text, str) or (text and not _NAME.match(text)):
            raise _fault(member, "a lower-case name, or nothing")
    if not isinstance(header.schema, str) or not _SCHEMA.match(header.schema):
        raise _fault("schema", "a message type such as surveillance.period-counts/1")
    if header.data_class not in _CLASSES:
        raise _fault("class", "one of " + ", ".join(sorted(_CLASSES)))
    if type(header.persons) is not int or not 0 <= header.persons < 2**53:
        raise _fault("persons", "a whole number from 0")
    return header


def pack(header: Header, body: bytes | Sealed, *, key: SigningKey, kid: str | None = None) -> bytes:
    """Return the envelope as the bytes that are sent and signed.

    Parameters
    ----------
    header : Header
    body : bytes or Sealed
        The message's bytes (UTF-8) for a plain body, or what `sealing.seal` returned for a sealed one.
    key : SigningKey
        The sender's transport key.
    kid : str, optional
        Thumbprint of that key as pinned; it must be the key's own.

    Returns
    -------
    bytes, a JWS in compact form

    Raises
    ------
    Malformed
        If a member of the header has the wrong form, the body is not UTF-8, or `kid` is another key's.
    """
    _check(header)
    if kid is not None and kid != key.kid:
        raise Malformed("kid names another key than the one that signs")
    payload: dict[str, Any] = {
        "id": header.id,
        "from": header.from_,
        "to": header.to,
        "agreement": header.agreement,
        "channel": header.channel,
        "schema": header.schema,
        "purpose": header.purpose,
        "class": str(header.data_class),
        "persons": header.persons,
        "created_at": utc_text(header.created_at),
    }
    if isinstance(body, Sealed) != (header.body_kind == "sealed"):
        raise Malformed(f"the header says body kind {header.body_kind!r}, but the body is of the other kind")
    if isinstance(body, Sealed):
        part = body.part
        payload["sealed"] = {"sha256": part.sha256, "mac": part.mac, "enc_kid": part.enc_kid}
    else:
        try:
            payload["body"] = body.decode()
        except UnicodeDecodeError as fault:
            raise Malformed("a plain body must be UTF-8; seal it to send other bytes") from fault
    return sign_token(
        json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode(), typ=ENVELOPE_TYPE, key=key
    )


def unpack(
    token: bytes, *, keys: Mapping[str, bytes], sender: str | None = None, recipient: str | None = None
) -> Unpacked:
    """Return what a verified envelope says.

    Parameters
    ----------
    token : bytes
    keys : mapping from thumbprint to public key
        The transport keys pinned for the sender.
    sender, recipient : str, optional
        Node ids that the envelope must name, where the caller knows them.

    Raises
    ------
    Malformed, ForeignType, UnknownKey, BadSignature
        As `jws.read_token`, and `Malformed` if the payload is not exactly that of an envelope.
    NotForMe
        If it names another sender or recipient.
    """
    signed = read_token(token, typ=ENVELOPE_TYPE, keys=keys)
    try:
        payload = _DECODER.decode(signed.payload.decode())
    except (ValueError, RecursionError) as fault:
        raise Malformed("the payload is no JSON object") from fault
    header, body, sealed = _read_payload(payload)
    if sender is not None and header.from_ != sender:
        raise NotForMe(f"the envelope names {header.from_} as its sender, but {sender} sent it")
    if recipient is not None and header.to != recipient:
        raise NotForMe(f"the envelope is addressed to {header.to}, not to {recipient}")
    return Unpacked(header=header, body=body, sealed=sealed, token_hash=signed.hash, kid=signed.kid)


def is_sealed(token: bytes) -> bool:
    """Return whether the body of a stored envelope travelled beside it; its signature was judged when it came."""
    return "sealed" in json.loads(unb64(token.split(b".")[1].decode()))


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("the payload names a member twice")
    return members


_DECODER = json.JSONDecoder(object_pairs_hook=_members)


def _read_payload(payload: Any) -> tuple[Header, bytes | None, SealedPart | None]:
    if not isinstance(payload, dict):
        raise Malformed("the payload is no JSON object")
    kind: Literal["plain", "sealed"] = "sealed" if "sealed" in payload else "plain"
    if payload.keys() != _MEMBERS | {"sealed" if kind == "sealed" else "body"}:
        raise Malformed("the payload must have exactly the members of an envelope")
    try:
        created_at = utc_time(payload["created_at"])
    except NotUtc as fault:
        raise _fault("created_at", "a UTC time with microseconds and Z") from fault
    if payload["class"] not in _CLASSES:
        raise _fault("class", "one of " + ", ".join(sorted(_CLASSES)))
    header = _check(
        Header(
            id=payload["id"],
            from_=payload["from"],
            to=payload["to"],
            agreement=payload["agreement"],
            channel=payload["channel"],
            schema=payload["schema"],
            purpose=payload["purpose"],
            data_class=DataClass(payload["class"]),
            persons=payload["persons"],
            created_at=created_at,
            body_kind=kind,
        )
    )
    if kind == "sealed":
        return header, None, _read_sealed(payload["sealed"])
    if not isinstance(payload["body"], str):
        raise _fault("body", "the message's bytes as a text")
    try:
        return header, payload["body"].encode(), None
    except UnicodeEncodeError as fault:
        raise _fault("body", "text without halves of surrogate pairs") from fault


def _read_sealed(part: Any) -> SealedPart:
    if not isinstance(part, dict) or part.keys() != {"sha256", "mac", "enc_kid"}:
        raise _fault("sealed", "exactly sha256, mac and enc_kid")
    if not is_hash(part["sha256"]) or not is_hash(part["mac"]):
        raise _fault("sealed", "64 hexadecimal digits for sha256 and mac")
    if not isinstance(part["enc_kid"], str) or not _KID.match(part["enc_kid"]):
        raise _fault("sealed", "a thumbprint for enc_kid")
    return SealedPart(sha256=part["sha256"], mac=part["mac"], enc_kid=part["enc_kid"])


def check_ciphertext(unpacked: Unpacked, ciphertext: bytes) -> None:
    """Raise unless `ciphertext` is the one that the envelope's sender signed.

    Raises
    ------
    CiphertextMismatch
        If it is another one, or the envelope carries a plain body.
    """
    if unpacked.sealed is None:
        raise CiphertextMismatch("a ciphertext came beside an envelope with a plain body")
    if sha256_hex(ciphertext) != unpacked.sealed.sha256:
        raise CiphertextMismatch("the ciphertext beside the envelope is not the one that its sender signed")
