"""Revocations and reinstatements: which keys of a card no longer count, and which do again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from corridor.exchange.rules.canonical import b64, canonical, sha256_hex, utc_text
from corridor.exchange.rules.card.document import Card
from corridor.exchange.rules.card.members import check_signatures, parse, read_time
from corridor.exchange.rules.card.reading import BrokenChain
from corridor.exchange.rules.jws import BadSignature, Malformed
from corridor.exchange.rules.keys import SigningKey, sign_statement, thumbprint
from corridor.exchange.rules.versions import check_version

REVOCATION = "health-corridor.revocation/1"
REINSTATEMENT = "health-corridor.reinstatement/1"


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
    value = parse(document, "statement")
    if set(value) != {"statement", "signatures"} or not isinstance(value["statement"], dict):
        raise Malformed("a statement has exactly the members statement and signatures")
    statement, signatures = value["statement"], value["signatures"]
    check_version(statement.get("schema"), known=kind, what="a statement about a card")
    if statement.keys() != members | {"schema", "node", "at"} or statement["schema"] != kind:
        raise Malformed(f"the statement has not exactly the members of {kind}")
    if not isinstance(signatures, dict) or len(signatures) != 1:
        raise Malformed("a statement carries exactly one signature")
    signers = {thumbprint(public): public for public in keys}
    kid = next(iter(signatures))
    if kid not in signers:
        raise BadSignature("the statement is signed by a key that may not make it")
    needed = {kid: signers[kid]}
    check_signatures(canonical(statement), kind=kind, needed=needed, signatures=signatures)
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
        at=read_time(statement["at"], "at"),
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
        at=read_time(statement["at"], "at"),
        signed=document,
    )


def counting(cards: Sequence[Card], *, revoked: Collection[str]) -> tuple[Card, ...]:
    """Return the cards of a chain that count: those that share no key with a revoked one, whichever came first.

    Keys are revoked, not papers: whoever holds the online keys can make another card that names them.

    Parameters
    ----------
    cards : sequence of Card
        A verified chain.
    revoked : collection of str
        Hashes of the cards whose revocation stands.
    """
    lost = _lost(cards, revoked=revoked)
    return tuple(card for card in cards if not card.keys.all & lost)


def check_new_keys(successor: Card, cards: Sequence[Card], *, revoked: Collection[str]) -> None:
    """Raise unless a card that is to succeed a chain brings no key of a revoked card back.

    Parameters
    ----------
    successor : Card
    cards : sequence of Card
        The verified chain before it.
    revoked : collection of str
        Hashes of the cards in it whose revocation stands.

    Raises
    ------
    BrokenChain
    """
    if successor.keys.all & _lost(cards, revoked=revoked):
        raise BrokenChain(
            f"card {successor.serial} of {successor.id} brings back a key that was revoked. After a revocation all "
            "four keys are replaced (`corridor node rotate-key` without names), or the recovery key reinstates the "
            "old ones (`corridor node reinstate-keys`)."
        )


def _lost(cards: Sequence[Card], *, revoked: Collection[str]) -> frozenset[bytes]:
    return frozenset(key for card in cards if card.hash in revoked for key in card.keys.all)
