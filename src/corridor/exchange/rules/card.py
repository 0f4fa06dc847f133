"""Cards: who a node is, by which keys it speaks, and how keys are rotated, revoked and reinstated.

A card is a canonical JSON document ``{"card": ..., "signatures": {thumbprint: signature}}``. What must sign it is
fixed, no more, no less:

- the first card: its own transport, log and agreement key (each key shows that it is held);
- a later card with the same keys (a new address, another name): the same three;
- a later card with other keys: the new three, the **agreement key of the card before** and the **recovery key**
  pinned with it; if the recovery key itself changes, the new recovery key as well.

So a thief of one key, or of all online keys, appoints no successor. The fingerprint is the hash of the first card's
keys and recovery key; later cards carry it and are believed only as links of a chain that starts there. A partner
pins it after comparing it by another way (telephone, letter, in person).

A revocation is signed by the current agreement key or by the recovery key, a reinstatement by the recovery key alone.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from corridor.base.errors import InputFault, Refused
from corridor.exchange.rules.canonical import (
    NotBase64url,
    NotCanonical,
    NotUtc,
    b64,
    canonical,
    is_hash,
    parse_canonical,
    sha256_hex,
    unb64,
    utc_text,
    utc_time,
)
from corridor.exchange.rules.envelope import is_node_id
from corridor.exchange.rules.jws import BadSignature, Malformed
from corridor.exchange.rules.keys import (
    MalformedKey,
    SealingKey,
    SigningKey,
    check_encryption,
    check_public,
    sign_statement,
    suite,
    thumbprint,
    verify_statement,
)

CARD = "health-corridor.card/1"
CARD_CHAIN = "health-corridor.card-chain/1"
REVOCATION = "health-corridor.revocation/1"
REINSTATEMENT = "health-corridor.reinstatement/1"

_CARD_MEMBERS = frozenset(
    {
        "schema",
        "id",
        "legal_entity",
        "names",
        "country",
        "url",
        "suite",
        "keys",
        "recovery",
        "issued_at",
        "serial",
        "previous",
        "fingerprint",
        "demo",
    }
)
_KEY_NAMES = ("transport", "log", "agreement", "encryption")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_FINGERPRINT_BYTES = 20
_COUNTRY = re.compile(r"[A-Z]{2}\Z")


class BadFingerprint(InputFault):
    """A text is no fingerprint."""

    code = "bad-fingerprint"


class BrokenChain(Refused):
    """A card is no successor of the card that is pinned."""

    code = "broken-chain"


@dataclass(frozen=True, slots=True)
class CardKeys:
    """The public keys of a card, 32 bytes each."""

    transport: bytes
    log: bytes
    agreement: bytes
    encryption: bytes


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


def _origin(keys: CardKeys, recovery: bytes) -> str:
    document = {**_key_texts(keys), "recovery": b64(recovery), "schema": "health-corridor.fingerprint/1"}
    return hashlib.sha256(canonical(document)).digest()[:_FINGERPRINT_BYTES].hex()


def _key_texts(keys: CardKeys) -> dict[str, str]:
    return {name: b64(getattr(keys, name)) for name in _KEY_NAMES}


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


def make_card(
    *,
    id: str,  # noqa: A002 - the member of the document is called so
    legal_entity: str,
    names: Mapping[str, str],
    country: str,
    url: str,
    keys: NodeKeys,
    recovery: bytes,
    issued_at: datetime,
    suite: str = "hc1",
    demo: bool = False,
) -> Card:
    """Return the first card of a node, signed by its own keys.

    Parameters
    ----------
    id, legal_entity, names, country, url, issued_at, suite, demo
        As in `Card`.
    keys : NodeKeys
    recovery : bytes, 32
        Public half of the recovery key; the private half is written down and kept offline.

    Raises
    ------
    Malformed
        If a member has the wrong form.
    """
    return _sign(
        _members(
            id=id,
            legal_entity=legal_entity,
            names=names,
            country=country,
            url=url,
            keys=keys.public,
            recovery=recovery,
            suite=suite,
            issued_at=issued_at,
            serial=1,
            previous=None,
            origin=_origin(keys.public, recovery),
            demo=demo,
        ),
        signers=(keys.transport, keys.log, keys.agreement),
        current=None,
    )


def rotate_card(
    current: Card,
    *,
    keys: NodeKeys,
    issued_at: datetime,
    previous_agreement_key: SigningKey | None = None,
    recovery_key: SigningKey | None = None,
    new_recovery_key: SigningKey | None = None,
    url: str | None = None,
    names: Mapping[str, str] | None = None,
    legal_entity: str | None = None,
) -> Card:
    """Return the successor of a card: other keys, another address, other names.

    Parameters
    ----------
    current : Card
        The card before.
    keys : NodeKeys
        Those of the new card (the same as before if only names or the address change).
    issued_at : datetime
    previous_agreement_key, recovery_key : SigningKey, optional
        Both are needed when a key changes: the agreement key of `current` and its recovery key.
    new_recovery_key : SigningKey, optional
        The recovery key from now on, if it changes too.
    url, names, legal_entity
        What changes, else as before.

    Raises
    ------
    BrokenChain
        If a signature that the rotation needs is missing.
    """
    recovery = new_recovery_key.public if new_recovery_key else current.recovery
    signers = [keys.transport, keys.log, keys.agreement]
    signers += [key for key in (previous_agreement_key, recovery_key, new_recovery_key) if key is not None]
    members = _members(
        id=current.id,
        legal_entity=legal_entity or current.legal_entity,
        names=names or current.names,
        country=current.country,
        url=url or current.url,
        keys=keys.public,
        recovery=recovery,
        suite=current.suite,
        issued_at=issued_at,
        serial=current.serial + 1,
        previous=current.hash,
        origin=current.origin,
        demo=current.demo,
    )
    return _sign(members, signers=signers, current=current)


def _members(
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
    return {
        "schema": CARD,
        "id": id,
        "legal_entity": legal_entity,
        "names": dict(names),
        "country": country,
        "url": url,
        "suite": suite,
        "keys": _key_texts(keys),
        "recovery": b64(recovery),
        "issued_at": utc_text(issued_at),
        "serial": serial,
        "previous": previous,
        "fingerprint": origin,
        "demo": demo,
    }


def _sign(members: dict[str, Any], *, signers: Sequence[SigningKey], current: Card | None) -> Card:
    unsigned = canonical(members)
    needed = _needed(_read_members(members, signed=b""), current)
    signatures = {key.kid: b64(sign_statement(unsigned, kind=CARD, key=key)) for key in signers if key.kid in needed}
    return _read(canonical({"card": members, "signatures": signatures}), current)


def _needed(card: Card, current: Card | None) -> dict[str, bytes]:
    """Return the keys that must have signed, by thumbprint."""
    publics = [card.keys.transport, card.keys.log, card.keys.agreement]
    if current is not None and (card.keys != current.keys or card.recovery != current.recovery):
        publics += [current.keys.agreement, current.recovery]
    if current is not None and card.recovery != current.recovery:
        publics.append(card.recovery)
    return {thumbprint(public): public for public in publics}


def read_card(document: bytes) -> Card:
    """Return the latest card of a verified card file: a first card, or a chain of cards that starts with one.

    Parameters
    ----------
    document : bytes
        As written by `card_file`.

    Returns
    -------
    Card
        It is consistent in itself. Whether it is the partner's is decided by comparing `fingerprint` over another way.

    Raises
    ------
    Malformed, WeakKey, UnknownSuite, BadSignature
        If a card has the wrong form, an unsound or published key, an unknown suite, or lacks a signature that counts.
    BrokenChain
        If a later card comes without the chain from the first one, or the chain does not hold.
    """
    return read_chain(document)[-1]


def read_chain(document: bytes) -> tuple[Card, ...]:
    """Return all cards of a card file, first to latest, each verified as the successor of the one before.

    Raises
    ------
    Malformed, WeakKey, UnknownSuite, BadSignature, BrokenChain
        As `read_card`.
    """
    value = _parse(document, "card")
    if "cards" not in value:
        return (_read(document, None),)
    if set(value) != {"schema", "cards"} or value["schema"] != CARD_CHAIN or not isinstance(value["cards"], list):
        raise Malformed("a card chain has exactly the members schema and cards")
    if len(value["cards"]) < 2:
        raise Malformed("a card chain has at least two cards; a single card stands alone")
    return chain_of([canonical(card) for card in value["cards"]])


def chain_of(documents: Sequence[bytes]) -> tuple[Card, ...]:
    """Return verified cards from their documents, first to latest.

    Raises
    ------
    Malformed, WeakKey, UnknownSuite, BadSignature, BrokenChain
        As `read_card`.
    """
    if not documents:
        raise Malformed("a card chain has at least one card")
    cards = [_read(documents[0], None)]
    for document in documents[1:]:
        cards.append(read_rotation(document, cards[-1]))
    return tuple(cards)


def card_file(cards: Sequence[Card]) -> bytes:
    """Return the file that a partner is given: the first card alone, or the whole chain from first to latest."""
    if len(cards) == 1:
        return cards[0].signed
    return canonical({"schema": CARD_CHAIN, "cards": [parse_canonical(card.signed) for card in cards]})


def read_rotation(document: bytes, current: Card) -> Card:
    """Return the card that succeeds `current`.

    Raises
    ------
    BrokenChain
        If it is not the next card of this node, or lacks the old or the recovery key's signature.
    Malformed, WeakKey, UnknownSuite, BadSignature
        As `read_card`.
    """
    return _read(document, current)


def _parse(document: bytes, what: str) -> dict[str, Any]:
    try:
        value = parse_canonical(document)
    except NotCanonical as fault:
        raise Malformed(f"a {what} is a canonical JSON document; {fault}") from fault
    if not isinstance(value, dict):
        raise Malformed(f"a {what} is a JSON object")
    return value


def _read(document: bytes, current: Card | None) -> Card:
    value = _parse(document, "card")
    if set(value) != {"card", "signatures"} or not isinstance(value["signatures"], dict):
        raise Malformed("a card document has exactly the members card and signatures")
    card = _read_members(value["card"], signed=document)
    _check_place(card, current)
    needed = _needed(card, current)
    missing = needed.keys() - value["signatures"].keys()
    if missing:
        raise BrokenChain(
            "the card lacks a signature that it needs: each of its own keys and, when a key changes, the agreement "
            "key before and the recovery key. Ask the partner for a card signed by them, or pin the node anew."
        )
    if value["signatures"].keys() - needed.keys():
        raise Malformed("the card carries a signature that nobody asked for")
    _check_signatures(canonical(value["card"]), kind=CARD, needed=needed, signatures=value["signatures"])
    return card


def _check_place(card: Card, current: Card | None) -> None:
    if current is None:
        if card.serial != 1 or card.previous is not None:
            raise BrokenChain(
                f"this is card {card.serial} of {card.id}; it is believed only with the chain from its first card"
            )
        if card.origin != _origin(card.keys, card.recovery):
            raise BrokenChain("the fingerprint inside the card is not that of its keys")
        return
    if (card.id, card.origin, card.suite, card.demo) != (current.id, current.origin, current.suite, current.demo):
        raise BrokenChain(f"the card is not of the node {current.id} as it was pinned")
    if card.serial != current.serial + 1 or card.previous != current.hash:
        raise BrokenChain(f"expected the successor of card {current.serial}; card {card.serial} of another chain came")
    if card.issued_at < current.issued_at:
        raise BrokenChain("the card claims to be older than the card that it succeeds")


def _check_signatures(
    unsigned: bytes, *, kind: str, needed: Mapping[str, bytes], signatures: Mapping[str, object]
) -> None:
    for kid, public in needed.items():
        if not verify_statement(unsigned, kind=kind, public=public, signature=_bytes(signatures[kid], "signature")):
            raise BadSignature(f"the signature of key {kid[:8]}… does not belong to this document")


def _bytes(text: object, member: str) -> bytes:
    try:
        return unb64(text)  # type: ignore[arg-type] # unb64 refuses what is no text
    except NotBase64url as fault:
        raise Malformed(f"member {member!r}: expected strict base64url") from fault


def _time(text: object, member: str) -> datetime:
    try:
        return utc_time(text)  # type: ignore[arg-type] # utc_time refuses what is no text
    except NotUtc as fault:
        raise Malformed(f"member {member!r}: expected a UTC time with microseconds and Z") from fault


def _read_members(value: Any, *, signed: bytes) -> Card:
    if not isinstance(value, dict) or value.keys() != _CARD_MEMBERS or value["schema"] != CARD:
        raise Malformed(f"a card has exactly the members of {CARD}")
    if not is_node_id(value["id"]):
        raise Malformed("member 'id': expected a node id, lower-case and dotted, country first, such as pk.nih")
    if not isinstance(value["country"], str) or not _COUNTRY.match(value["country"]):
        raise Malformed("member 'country': expected an ISO 3166-1 alpha-2 code such as PK")
    if value["id"][:2] != value["country"].lower():
        raise Malformed("a node id begins with the node's country")
    if not isinstance(value["legal_entity"], str) or not 0 < len(value["legal_entity"]) <= 500:
        raise Malformed("member 'legal_entity': expected a text of up to 500 characters")
    names = value["names"]
    if (
        not isinstance(names, dict)
        or not names
        or not all(isinstance(n, str) and 0 < len(n) <= 500 for n in names.values())
    ):
        raise Malformed("member 'names': expected at least one text by language")
    if type(value["serial"]) is not int or not 1 <= value["serial"] < 2**31:
        raise Malformed("member 'serial': expected a whole number from 1")
    if value["previous"] is not None and not is_hash(value["previous"]):
        raise Malformed("member 'previous': expected a SHA-256, or null in the first card")
    origin = value["fingerprint"]
    if not isinstance(origin, str) or not re.fullmatch(r"[0-9a-f]{40}", origin):
        raise Malformed("member 'fingerprint': expected 40 hexadecimal digits")
    if type(value["demo"]) is not bool:
        raise Malformed("member 'demo': expected true or false")
    if not isinstance(value["suite"], str):
        raise Malformed("member 'suite': expected a text")
    return Card(
        id=value["id"],
        legal_entity=value["legal_entity"],
        names=MappingProxyType(names),
        country=value["country"],
        url=_read_url(value["url"]),
        keys=_read_keys(value["keys"]),
        recovery=_read_recovery(value),
        suite=suite(value["suite"]).name,
        issued_at=_time(value["issued_at"], "issued_at"),
        serial=value["serial"],
        previous=value["previous"],
        origin=origin,
        demo=value["demo"],
        signed=signed,
    )


def _read_url(text: object) -> str:
    if not isinstance(text, str) or len(text) > 300 or not text.isascii() or re.search(r"[\x00-\x20\x7f\\]", text):
        raise Malformed("member 'url': expected an address in ASCII of up to 300 characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as fault:
        raise Malformed("member 'url': expected an address such as https://node.example.org") from fault
    sound = parts.scheme in {"http", "https"} and parts.hostname and not parts.username and not parts.password
    if not sound or parts.path not in {"", "/"} or parts.query or parts.fragment or port == 0:
        raise Malformed(
            "member 'url': expected scheme, host and port alone, such as https://node.example.org, without user or path"
        )
    return text


def _read_keys(value: Any) -> CardKeys:
    if not isinstance(value, dict) or value.keys() != set(_KEY_NAMES):
        raise Malformed("member 'keys': expected exactly transport, log, agreement and encryption")
    keys = CardKeys(**{name: _bytes(value[name], name) for name in _KEY_NAMES})
    try:
        for public in (keys.transport, keys.log, keys.agreement):
            check_public(public)
        check_encryption(keys.encryption)
    except MalformedKey as fault:
        raise Malformed(f"member 'keys': {fault}") from fault
    if len({keys.transport, keys.log, keys.agreement}) != 3:
        raise Malformed("member 'keys': transport, log and agreement must be three different keys")
    return keys


def _read_recovery(value: dict[str, Any]) -> bytes:
    recovery = _bytes(value["recovery"], "recovery")
    try:
        check_public(recovery)
    except MalformedKey as fault:
        raise Malformed(f"member 'recovery': {fault}") from fault
    if value["recovery"] in value["keys"].values():
        raise Malformed("member 'recovery': the recovery key must be none of the online keys")
    return recovery


@dataclass(frozen=True, slots=True)
class Revocation:
    """A verified statement that a card's keys no longer count.

    Attributes
    ----------
    node, card : str
        Node id, and hash of the card whose keys are revoked.
    at : datetime
        The author's claim; what holds is when a node learned of it.
    reason : str
    by_recovery : bool
        Whether the recovery key signed it, else the agreement key.
    signed : bytes
    """

    node: str
    card: str
    at: datetime
    reason: str
    by_recovery: bool
    signed: bytes = field(repr=False)

    @property
    def hash(self) -> str:
        """SHA-256 of the signed document, which names this revocation."""
        return sha256_hex(self.signed)


@dataclass(frozen=True, slots=True)
class Reinstatement:
    """A verified statement by the recovery key that a revocation is lifted, and which card counts from then on."""

    node: str
    revocation: str
    card: str
    at: datetime
    signed: bytes = field(repr=False)


def _statement(members: dict[str, Any], *, kind: str, key: SigningKey) -> bytes:
    signature = b64(sign_statement(canonical(members), kind=kind, key=key))
    return canonical({"statement": members, "signatures": {key.kid: signature}})


def _read_statement(
    document: bytes, *, kind: str, members: frozenset[str], keys: Sequence[bytes]
) -> tuple[dict[str, Any], bytes]:
    """Return the members of a statement and the one key that signed it."""
    value = _parse(document, "statement")
    if set(value) != {"statement", "signatures"} or not isinstance(value["statement"], dict):
        raise Malformed("a statement has exactly the members statement and signatures")
    statement, signatures = value["statement"], value["signatures"]
    if statement.keys() != members | {"schema", "node", "at"} or statement["schema"] != kind:
        raise Malformed(f"the statement has not exactly the members of {kind}")
    if not isinstance(signatures, dict) or len(signatures) != 1:
        raise Malformed("a statement carries exactly one signature")
    signers = {thumbprint(public): public for public in keys}
    kid = next(iter(signatures))
    if kid not in signers:
        raise BadSignature("the statement is signed by a key that may not make it")
    needed = {kid: signers[kid]}
    _check_signatures(canonical(statement), kind=kind, needed=needed, signatures=signatures)
    return statement, signers[kid]


def make_revocation(card: Card, *, key: SigningKey, at: datetime, reason: str) -> bytes:
    """Return the signed statement that the keys of `card` no longer count.

    Parameters
    ----------
    card : Card
    key : SigningKey
        The card's agreement key or its recovery key.
    at : datetime
    reason : str, shown to partners
    """
    members = {"schema": REVOCATION, "node": card.id, "card": card.hash, "at": utc_text(at), "reason": reason}
    return _statement(members, kind=REVOCATION, key=key)


def read_revocation(document: bytes, card: Card) -> Revocation:
    """Return the verified revocation of `card`.

    Raises
    ------
    Malformed, BadSignature
        If it has the wrong form, or neither the card's agreement key nor its recovery key signed it.
    BrokenChain
        If it revokes another card.
    """
    statement, signer = _read_statement(
        document, kind=REVOCATION, members=frozenset({"card", "reason"}), keys=(card.keys.agreement, card.recovery)
    )
    if statement["node"] != card.id or statement["card"] != card.hash:
        raise BrokenChain("the revocation is about another card")
    if not isinstance(statement["reason"], str) or len(statement["reason"]) > 1000:
        raise Malformed("member 'reason': expected a text of up to 1000 characters")
    return Revocation(
        node=card.id,
        card=card.hash,
        at=_time(statement["at"], "at"),
        reason=statement["reason"],
        by_recovery=signer == card.recovery,
        signed=document,
    )


def make_reinstatement(revocation: Revocation, *, card: Card, recovery_key: SigningKey, at: datetime) -> bytes:
    """Return the recovery key's statement that `revocation` is lifted and `card` counts from now on."""
    members = {
        "schema": REINSTATEMENT,
        "node": card.id,
        "revocation": revocation.hash,
        "card": card.hash,
        "at": utc_text(at),
    }
    return _statement(members, kind=REINSTATEMENT, key=recovery_key)


def read_reinstatement(document: bytes, *, revocation: Revocation, card: Card) -> Reinstatement:
    """Return the verified reinstatement after `revocation` with `card`.

    Parameters
    ----------
    document : bytes
    revocation : Revocation
    card : Card
        The revoked card, or its verified successor.

    Raises
    ------
    Malformed, BadSignature
        If it has the wrong form, or the recovery key did not sign it.
    BrokenChain
        If it is about another revocation or card.
    """
    statement, _ = _read_statement(
        document, kind=REINSTATEMENT, members=frozenset({"card", "revocation"}), keys=(card.recovery,)
    )
    if (statement["node"], statement["card"], statement["revocation"]) != (card.id, card.hash, revocation.hash):
        raise BrokenChain("the reinstatement is about another revocation or card")
    return Reinstatement(
        node=card.id,
        revocation=revocation.hash,
        card=card.hash,
        at=_time(statement["at"], "at"),
        signed=document,
    )
