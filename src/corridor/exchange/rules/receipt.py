"""The receipt: the receiver's signed answer to one envelope, which names the envelope's place in its log."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from corridor.exchange.rules.canonical import (
    NotBase64url,
    NotCanonical,
    NotUtc,
    canonical,
    is_hash,
    parse_canonical,
    sha256_hex,
    unb64,
    utc_text,
    utc_time,
)
from corridor.exchange.rules.jws import Malformed, read_token, sign_token
from corridor.exchange.rules.keys import SigningKey
from corridor.exchange.rules.note import origin_node

RECEIPT_TYPE = "hc-receipt+jws"
"""The ``typ`` of a receipt's protected header."""

_MEMBERS = frozenset({"envelope", "agreement", "outcome", "reason", "origin", "epoch", "index", "leaf_hash", "at"})
_REASON = re.compile(r"[a-z][a-z0-9_-]{0,59}\Z")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receiver says of one envelope.

    Attributes
    ----------
    envelope_hash : str
        SHA-256 of the token as it was sent.
    agreement : str
        Hash of the agreement's version, or empty.
    outcome : {"accepted", "refused"}
    reason : str
        The code of the reason if refused, else empty.
    epoch : int
        Of the receiver's log: 1, and one more after each restore.
    index : int
        Of the leaf in that log.
    leaf_hash : bytes, 32
        Of that leaf.
    origin : str
        Which log; it names the receiver.
    at : datetime
        The receiver's clock at commit.
    signed : bytes
        The token as it came.
    """

    envelope_hash: str
    agreement: str
    outcome: Literal["accepted", "refused"]
    reason: str
    epoch: int
    index: int
    leaf_hash: bytes
    origin: str
    at: datetime
    signed: bytes = field(repr=False)

    @property
    def node(self) -> str:
        """Id of the receiver, who signed."""
        return origin_node(self.origin)

    @property
    def hash(self) -> str:
        """SHA-256 of the signed token, which names this receipt."""
        return sha256_hex(self.signed)


def make_receipt(
    *,
    envelope_hash: str,
    agreement: str,
    outcome: str,
    reason: str,
    epoch: int,
    index: int,
    leaf_hash: bytes,
    origin: str,
    at: datetime,
    key: SigningKey,
) -> bytes:
    """Return a receipt signed with the receiver's transport key; store these bytes and send them again on a repeat.

    Parameters
    ----------
    envelope_hash, agreement, outcome, reason, epoch, index, leaf_hash, origin, at
        As in `Receipt`.
    key : SigningKey
        The receiver's transport key.

    Raises
    ------
    Malformed
        If a member has the wrong form.
    """
    payload: dict[str, Any] = {
        "envelope": envelope_hash,
        "agreement": agreement,
        "outcome": outcome,
        "reason": str(reason),
        "origin": origin,
        "epoch": epoch,
        "index": index,
        "leaf_hash": leaf_hash.hex(),
        "at": utc_text(at),
    }
    _check(payload)
    return sign_token(canonical(payload), typ=RECEIPT_TYPE, key=key)


def read_receipt(token: bytes, *, keys: Mapping[str, bytes]) -> Receipt:
    """Return a verified receipt.

    Parameters
    ----------
    token : bytes
    keys : mapping from thumbprint to public key
        The transport keys pinned for the receiver.

    Raises
    ------
    Malformed, ForeignType, UnknownKey, BadSignature
        As `jws.read_token`, and `Malformed` if the payload is not exactly that of a receipt.
    """
    signed = read_token(token, typ=RECEIPT_TYPE, keys=keys)
    try:
        return _read(parse_canonical(signed.payload), token)
    except NotCanonical as fault:
        raise Malformed(f"the payload of a receipt is canonical JSON; {fault}") from fault


def place_of(token: bytes) -> tuple[str, int]:
    """Return origin and index that a receipt of one's own names, without verifying it again.

    Raises
    ------
    Malformed
        If it is no receipt.
    """
    try:
        payload = json.loads(unb64(token.split(b".")[1].decode()))
        return str(payload["origin"]), int(payload["index"])
    except (NotBase64url, IndexError, KeyError, TypeError, ValueError) as fault:
        raise Malformed("expected a receipt") from fault


def _check(payload: Any) -> None:
    """Raise unless `payload` has exactly the members of a receipt, each in its form; the time is read by `_read`."""
    if not isinstance(payload, dict) or payload.keys() != _MEMBERS:
        raise Malformed("the payload must have exactly the members of a receipt")
    if not is_hash(payload["envelope"]) or not is_hash(payload["leaf_hash"]):
        raise Malformed("receipt members 'envelope' and 'leaf_hash': expected 64 hexadecimal digits")
    if payload["agreement"] != "" and not is_hash(payload["agreement"]):
        raise Malformed("receipt member 'agreement': expected a SHA-256, or nothing")
    outcome, reason, origin = payload["outcome"], payload["reason"], payload["origin"]
    if outcome not in ("accepted", "refused"):
        raise Malformed("receipt member 'outcome': expected accepted or refused")
    if not isinstance(reason, str) or not (_REASON.match(reason) if outcome == "refused" else reason == ""):
        raise Malformed("receipt member 'reason': expected a code if refused, else nothing")
    for member, least in (("epoch", 1), ("index", 0)):
        if type(payload[member]) is not int or payload[member] < least:
            raise Malformed(f"receipt member {member!r}: expected a whole number from {least}")
    if not isinstance(origin, str) or not origin_node(origin):
        raise Malformed("receipt member 'origin': expected the origin of a log")


def _read(payload: Any, token: bytes) -> Receipt:
    _check(payload)
    try:
        at = utc_time(payload["at"])
    except NotUtc as fault:
        raise Malformed("receipt member 'at': expected a UTC time with microseconds and Z") from fault
    return Receipt(
        envelope_hash=payload["envelope"],
        agreement=payload["agreement"],
        outcome=payload["outcome"],
        reason=payload["reason"],
        epoch=payload["epoch"],
        index=payload["index"],
        leaf_hash=bytes.fromhex(payload["leaf_hash"]),
        origin=payload["origin"],
        at=at,
        signed=token,
    )
