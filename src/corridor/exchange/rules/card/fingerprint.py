"""The fingerprint of a chain of cards: the hash of the first card's keys and recovery key, as people compare it."""

import hashlib
import re

from corridor.base.errors import InputFault
from corridor.exchange.rules.canonical import b64, canonical
from corridor.exchange.rules.card.document import Card, CardKeys, key_texts

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_FINGERPRINT_BYTES = 20


class BadFingerprint(InputFault):
    """A text is no fingerprint."""

    code = "bad-fingerprint"


def origin_of(keys: CardKeys, recovery: bytes) -> str:
    """Return the 40 hexadecimal digits of the fingerprint of a first card's keys."""
    document = {**key_texts(keys), "recovery": b64(recovery), "schema": "health-corridor.fingerprint/1"}
    return hashlib.sha256(canonical(document)).digest()[:_FINGERPRINT_BYTES].hex()


def fingerprint(card: Card) -> str:
    """Return the fingerprint of a card's chain: eight groups of four characters, constant across rotations."""
    return show_fingerprint(card.origin)


def show_fingerprint(origin: str) -> str:
    """Return 40 hexadecimal digits of a fingerprint in the form that people compare, ``AB12-CD34-…``."""
    number = int(origin, 16)
    letters = "".join(_CROCKFORD[number >> shift & 31] for shift in range(_FINGERPRINT_BYTES * 8 - 5, -1, -5))
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def parse_fingerprint(text: str) -> str:
    """Return a fingerprint in its one form, whatever its case, blanks and dashes; O reads as 0, I and L as 1.

    Raises
    ------
    BadFingerprint
        If it has not 32 characters of the alphabet.
    """
    letters = re.sub(r"[\s\-\u2010-\u2015]", "", text).upper().translate(str.maketrans("OIL", "011"))
    if len(letters) != _FINGERPRINT_BYTES * 8 // 5 or set(letters) - set(_CROCKFORD):
        raise BadFingerprint(
            f"a fingerprint is eight groups of four letters and digits, such as AB12-CD34-…; {text[:60]!r} is none. "
            "Copy it from the partner's card page."
        )
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
