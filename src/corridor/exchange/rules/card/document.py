"""The card itself: its keys, its members, its document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from corridor.exchange.rules.canonical import b64, sha256_hex, utc_text
from corridor.exchange.rules.keys import SealingKey, SigningKey, thumbprint

CARD = "health-corridor.card/1"
KEY_NAMES = ("transport", "log", "agreement", "encryption")


@dataclass(frozen=True, slots=True)
class CardKeys:
    """The public keys of a card, 32 bytes each."""

    transport: bytes
    log: bytes
    agreement: bytes
    encryption: bytes

    @property
    def all(self) -> frozenset[bytes]:
        """The four of them."""
        return frozenset(getattr(self, name) for name in KEY_NAMES)


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """The private keys that a node holds online. The recovery key is not among them; it lies offline."""

    transport: SigningKey
    log: SigningKey
    agreement: SigningKey
    encryption: SealingKey

    @classmethod
    def generate(cls) -> "NodeKeys":
        """Return four new keys from the operating system's randomness."""
        return cls(SigningKey.generate(), SigningKey.generate(), SigningKey.generate(), SealingKey.generate())

    @property
    def public(self) -> CardKeys:
        """The public halves."""
        return CardKeys(
            transport=self.transport.public,
            log=self.log.public,
            agreement=self.agreement.public,
            encryption=self.encryption.public,
        )


@dataclass(frozen=True, slots=True)
class Card:
    """A verified card.

    Attributes
    ----------
    id : str
        Node id, such as ``pk.nih``.
    legal_entity : str
    names : mapping from language to text
    country : str
        ISO 3166-1 alpha-2.
    url : str
        Address of the node, without a path behind it.
    keys : CardKeys
    recovery : bytes
        Public half of the offline recovery key.
    suite : str
    issued_at : datetime
        The node's claim.
    serial : int
        1 for the first card, one more with each successor.
    previous : str or None
        SHA-256 of the card before, None for the first.
    origin : str
        The fingerprint's 20 bytes in hexadecimal digits.
    demo : bool
        Whether its keys belong to a demonstration; real nodes refuse such a card.
    signed : bytes
        The document, as signed and to be stored.
    """

    id: str
    legal_entity: str
    names: Mapping[str, str]
    country: str
    url: str
    keys: CardKeys
    recovery: bytes
    suite: str
    issued_at: datetime
    serial: int
    previous: str | None
    origin: str
    demo: bool
    signed: bytes = field(repr=False)

    @property
    def hash(self) -> str:
        """SHA-256 of the signed document, which names this card."""
        return sha256_hex(self.signed)

    @property
    def transport_keys(self) -> dict[str, bytes]:
        """The transport key under its thumbprint, as `envelope.unpack` takes it."""
        return {thumbprint(self.keys.transport): self.keys.transport}


def key_texts(keys: CardKeys) -> dict[str, str]:
    """Return the public keys by name, in base64url."""
    return {name: b64(getattr(keys, name)) for name in KEY_NAMES}


def members_of(
    *,
    id: str,  # noqa: A002 - as in make_card
    legal_entity: str,
    names: Mapping[str, str],
    country: str,
    url: str,
    keys: CardKeys,
    recovery: bytes,
    suite: str,
    issued_at: datetime,
    serial: int,
    previous: str | None,
    origin: str,
    demo: bool,
) -> dict[str, Any]:
    """Return the members of an unsigned card document."""
    return {
        "schema": CARD,
        "id": id,
        "legal_entity": legal_entity,
        "names": dict(names),
        "country": country,
        "url": url,
        "suite": suite,
        "keys": key_texts(keys),
        "recovery": b64(recovery),
        "issued_at": utc_text(issued_at),
        "serial": serial,
        "previous": previous,
        "fingerprint": origin,
        "demo": demo,
    }
