"""Sealed bodies: HPKE to the receiving node, bound to the envelope, with a commitment that can be opened later.

Plaintext is 32 random bytes r followed by the body and its padding. The signed payload carries HMAC-SHA256(r, body):
whoever is shown r and the body can check it against the log, and once r is gone the log reveals nothing of the body.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from corridor.base.errors import Refused
from corridor.exchange.rules.canonical import canonical
from corridor.exchange.rules.envelope import Header, Sealed
from corridor.exchange.rules.keys import SealingKey, check_encryption, encryption_thumbprint

__all__ = ["SMALLEST_CIPHERTEXT", "CannotOpen", "Opened", "Sealed", "commitment", "open_sealed", "seal"]

SMALLEST_CIPHERTEXT = 256
"""Length in bytes of the shortest ciphertext; longer ones are powers of two."""

_R_BYTES = 32
_OVERHEAD = 32 + 16  # the encapsulated X25519 key, and the tag of AES-GCM
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class CannotOpen(Refused):
    """A ciphertext was sealed for another key or envelope, was altered, or hides another body than was committed to."""

    code = "cannot-open"


@dataclass(frozen=True, slots=True)
class Opened:
    """The body of a sealed envelope, and the 32 bytes r that open its commitment."""

    body: bytes = field(repr=False)
    r: bytes = field(repr=False)


def _info(header: Header, enc_kid: str) -> bytes:
    """Return what the ciphertext is bound to, so that it opens in no other envelope."""
    return canonical(
        {
            "id": header.id,
            "from": header.from_,
            "to": header.to,
            "agreement": header.agreement,
            "channel": header.channel,
            "schema": header.schema,
            "class": str(header.data_class),
            "enc_kid": enc_kid,
        }
    )


def commitment(body: bytes, *, r: bytes) -> str:
    """Return HMAC-SHA256(r, body) in hexadecimal digits."""
    return hmac.new(r, body, "sha256").hexdigest()


def _pad(plaintext: bytes) -> bytes:
    """Return the plaintext, 0x80 and zeros (ISO/IEC 7816-4), so that the ciphertext is a power of two long."""
    length = SMALLEST_CIPHERTEXT
    while length < len(plaintext) + 1 + _OVERHEAD:
        length *= 2
    return (plaintext + b"\x80").ljust(length - _OVERHEAD, b"\0")


def seal(
    body: bytes, *, header: Header, recipient_key: bytes, random: Callable[[int], bytes] = secrets.token_bytes
) -> Sealed:
    """Return `body` sealed to the recipient and bound to `header`.

    Parameters
    ----------
    body : bytes
    header : Header
        Of the envelope it will travel with.
    recipient_key : bytes, 32
        The X25519 encryption key of the recipient's card.
    random : callable from a number of bytes to that many random bytes
        For r; HPKE draws its own key from the operating system.

    Raises
    ------
    WeakKey, MalformedKey
        If the recipient's key is unsound.
    """
    check_encryption(recipient_key)
    r = random(_R_BYTES)
    enc_kid = encryption_thumbprint(recipient_key)
    ciphertext = _SUITE.encrypt(
        _pad(r + body), X25519PublicKey.from_public_bytes(recipient_key), info=_info(header, enc_kid)
    )
    return Sealed(ciphertext=ciphertext, mac=commitment(body, r=r), enc_kid=enc_kid)


def open_sealed(ciphertext: bytes, *, header: Header, mac: str, key: SealingKey) -> Opened:
    """Return the body that was sealed to `key` for the envelope with this header.

    Parameters
    ----------
    ciphertext : bytes
        As it travelled beside the envelope.
    header : Header
        Of the verified envelope.
    mac : str
        The commitment of its signed payload.
    key : SealingKey

    Raises
    ------
    CannotOpen
        If it was sealed for another key or envelope, was altered, or does not match the commitment.
    """
    if len(ciphertext) < SMALLEST_CIPHERTEXT or len(ciphertext) & (len(ciphertext) - 1):
        raise CannotOpen(
            f"a ciphertext is a power of two long, from {SMALLEST_CIPHERTEXT} bytes; {len(ciphertext)} came"
        )
    try:
        padded = _SUITE.decrypt(ciphertext, key.private, info=_info(header, key.kid))
    except (InvalidTag, ValueError) as fault:
        raise CannotOpen("the ciphertext was sealed for another key or envelope, or was altered") from fault
    plaintext, mark, _ = padded.rpartition(b"\x80")
    if not mark or len(plaintext) < _R_BYTES or _pad(plaintext) != padded:
        raise CannotOpen("the plaintext is not padded as a sealed body is")
    r, body = plaintext[:_R_BYTES], plaintext[_R_BYTES:]
    if not hmac.compare_digest(commitment(body, r=r), mac):
        raise CannotOpen("the body is not the one that its sender committed to")
    return Opened(body=body, r=r)
