"""Signing keys, the strict rule by which a signature counts, and the suites of algorithms.

What counts as a signature (the policy)
---------------------------------------
RFC 8032 leaves room, and implementations differ in it. Here a signature (R, S) under A counts only if

1. A and R are canonical encodings (y < p, and no negative zero for x),
2. neither A nor R is a point of small order,
3. A lies in the subgroup of prime order (no component of small order),
4. S < L, and the equation without cofactor, S·B = R + k·A, holds.

Rules 1 to 3 for A are checked once per key by `check_point`; OpenSSL decides the rest, and the small order of R is
looked up in the list of all 14 encodings. From 3 and 4 it follows that R has no component of small order either. Of
the 914 edge cases of C2SP/CCTV each one that carries any flag (low_order_A, low_order_R, non_canonical_A,
non_canonical_R, low_order_component_A, low_order_component_R, low_order_residue, reencoded_k) is therefore refused,
and the one without a flag counts. A signature that counts here counts in every implementation known to us, so two
parties never differ about one.
"""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Self, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from corridor.base.errors import InputFault, Refused
from corridor.exchange.rules.canonical import b64, canonical
from corridor.exchange.rules.published_keys import PUBLISHED_KEYS

KEY_BYTES = 32
SIGNATURE_BYTES = 64

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_SQRT_MINUS_ONE = pow(2, (_P - 1) // 4, _P)

_SMALL_ORDER_Y = tuple(
    bytes.fromhex(encoding)
    for encoding in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)
SMALL_ORDER = frozenset(y for low in _SMALL_ORDER_Y for y in (low, low[:31] + bytes([low[31] | 0x80])))
"""All 14 encodings of the eight Ed25519 points of small order, canonical or not (each y with either sign of x)."""

_SMALL_ORDER_U = frozenset(
    bytes.fromhex(encoding)
    for encoding in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)


class WeakKey(Refused):
    """A public key is of small order, not canonical, not in the prime-order group, or published as a test key."""

    code = "weak-key"


class MalformedKey(InputFault):
    """Key material has the wrong length or form."""

    code = "malformed-key"


class UnknownSuite(Refused):
    """A card names a suite of algorithms that this version does not know."""

    code = "unknown-suite"


@dataclass(frozen=True, slots=True)
class Suite:
    """The algorithms that one name stands for. A card names one; nothing is negotiated."""

    name: str
    signature: str
    hash: str
    sealing: str


SUITES = MappingProxyType(
    {"hc1": Suite("hc1", "Ed25519", "SHA-256", "HPKE DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM")}
)
"""The suites that this version knows; a later one (ML-KEM-768+X25519, a state's own) is one more entry."""


def suite(name: str) -> Suite:
    """Return the suite called `name`.

    Raises
    ------
    UnknownSuite
        If this version does not know it.
    """
    if name not in SUITES:
        raise UnknownSuite(
            f"suite {name!r} is unknown here; known: {', '.join(SUITES)}. "
            "Upgrade this node, or ask the partner for another card."
        )
    return SUITES[name]


def _recover_x(y: int, sign: int) -> int | None:
    """Return the x of the point with this y and sign bit, or None where there is none (RFC 8032, section 5.1.3)."""
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _SQRT_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    return _P - x if x & 1 != sign else x


_Point: TypeAlias = tuple[int, int, int, int]


def _add(p: _Point, q: _Point) -> _Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _in_prime_order_group(x: int, y: int) -> bool:
    """Return whether L times the point is the neutral element."""
    total: _Point = (0, 1, 1, 0)
    point: _Point = (x, y, 1, x * y % _P)
    scalar = _L
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total[0] % _P == 0 and (total[1] - total[2]) % _P == 0


@lru_cache(maxsize=4096)
def check_point(public: bytes) -> None:
    """Raise unless `public` encodes a point that may serve as an Ed25519 key (rules 1 to 3 above).

    Raises
    ------
    MalformedKey
        If it is not 32 bytes.
    WeakKey
        If it is no point, not canonical, of small order, or has a component of small order.
    """
    if len(public) != KEY_BYTES:
        raise MalformedKey(f"an Ed25519 public key has {KEY_BYTES} bytes; {len(public)} came")
    number = int.from_bytes(public, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if public in SMALL_ORDER:
        raise WeakKey("the public key is a point of small order; make a new key")
    if y >= _P:
        raise WeakKey("the public key is not in canonical form; make a new key")
    x = _recover_x(y, sign)
    if x is None:
        raise WeakKey("the public key is no point of the curve; make a new key")
    if not _in_prime_order_group(x, y):
        raise WeakKey("the public key has a component of small order; make a new key")


def check_public(public: bytes) -> None:
    """Raise unless `public` may be pinned: a sound point, and not a key whose private half has been published.

    Raises
    ------
    MalformedKey, WeakKey
        As `check_point`, and `WeakKey` for a published test key.
    """
    check_point(public)
    if thumbprint(public) in PUBLISHED_KEYS:
        raise WeakKey("the public key is a published test key: its private half is known to everyone; make a new key")


def check_encryption(public: bytes) -> None:
    """Raise unless `public` may be pinned as an X25519 encryption key (canonical, not of small order).

    Raises
    ------
    MalformedKey, WeakKey
        If it has not 32 bytes; if it is not canonical or of small order.
    """
    if len(public) != KEY_BYTES:
        raise MalformedKey(f"an X25519 public key has {KEY_BYTES} bytes; {len(public)} came")
    if int.from_bytes(public, "little") >= _P or public in _SMALL_ORDER_U:
        raise WeakKey("the encryption key is not canonical or of small order; make a new key")


@lru_cache(maxsize=4096)
def thumbprint(public: bytes) -> str:
    """Return the name of an Ed25519 key: its JWK thumbprint (RFC 7638, RFC 8037), 43 characters."""
    return _thumbprint("Ed25519", public)


def encryption_thumbprint(public: bytes) -> str:
    """Return the name of an X25519 key: its JWK thumbprint, 43 characters."""
    return _thumbprint("X25519", public)


def _thumbprint(curve: str, public: bytes) -> str:
    return b64(hashlib.sha256(canonical({"crv": curve, "kty": "OKP", "x": b64(public)})).digest())


@lru_cache(maxsize=4096)
def _verifier(public: bytes) -> Ed25519PublicKey | None:
    try:
        check_point(public)
    except (MalformedKey, WeakKey):
        return None
    return Ed25519PublicKey.from_public_bytes(public)


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether `signature` counts as one by `public` over `message`, by the policy at the head of this module."""
    verifier = _verifier(public)
    if verifier is None or len(signature) != SIGNATURE_BYTES or signature[:32] in SMALL_ORDER:
        return False
    try:
        verifier.verify(signature, message)
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 private key. Its material never appears in a representation."""

    public: bytes
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> Self:
        """Return a new key from the operating system's randomness."""
        return cls._of(Ed25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, seed: bytes) -> Self:
        """Return the key whose 32 private bytes are `seed`.

        Raises
        ------
        MalformedKey
            If there are not 32 of them.
        """
        if len(seed) != KEY_BYTES:
            raise MalformedKey(f"a private key has {KEY_BYTES} bytes; {len(seed)} came")
        return cls._of(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def _of(cls, private: Ed25519PrivateKey) -> Self:
        return cls(public=private.public_key().public_bytes_raw(), _private=private)

    @property
    def kid(self) -> str:
        """The thumbprint of the public half."""
        return thumbprint(self.public)

    def private_bytes(self) -> bytes:
        """Return the 32 private bytes, for the key store alone."""
        return self._private.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of a signature over `message`."""
        return self._private.sign(message)


@dataclass(frozen=True, slots=True)
class SealingKey:
    """An X25519 private key, to which bodies are sealed. Its material never appears in a representation."""

    public: bytes
    private: X25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> Self:
        """Return a new key from the operating system's randomness."""
        return cls._of(X25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, seed: bytes) -> Self:
        """Return the key whose 32 private bytes are `seed`.

        Raises
        ------
        MalformedKey
            If there are not 32 of them.
        """
        if len(seed) != KEY_BYTES:
            raise MalformedKey(f"a private key has {KEY_BYTES} bytes; {len(seed)} came")
        return cls._of(X25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def _of(cls, private: X25519PrivateKey) -> Self:
        return cls(public=private.public_key().public_bytes_raw(), private=private)

    @property
    def kid(self) -> str:
        """The thumbprint of the public half."""
        return encryption_thumbprint(self.public)

    def private_bytes(self) -> bytes:
        """Return the 32 private bytes, for the key store alone."""
        return self.private.private_bytes_raw()


def sign_statement(data: bytes, *, kind: str, key: SigningKey) -> bytes:
    """Return a signature over `data` that counts for one kind of statement only.

    The kind is signed in front of the data, so that a signature given for one purpose cannot be shown as one for
    another.

    Parameters
    ----------
    data : bytes
    kind : str, such as ``health-corridor.card/1``
    key : SigningKey
    """
    return key.sign(kind.encode() + b"\n" + data)


def verify_statement(data: bytes, *, kind: str, public: bytes, signature: bytes) -> bool:
    """Return whether `signature` is one by `public` over `data` for this kind of statement."""
    return verify(public, signature, kind.encode() + b"\n" + data)
