"""Revocations and reinstatements of cards, of partners and of this node: verified, stored, logged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from corridor.exchange.messages import KeyRevocationNotice
from corridor.exchange.models import HeldByPeer, KeyRevocation, LogTree, Partner
from corridor.exchange.rules import card as cards
from corridor.exchange.rules.canonical import NotCanonical, parse_canonical, sha256_hex, unb64
from corridor.exchange.rules.card import Card
from corridor.exchange.rules.jws import Malformed
from corridor.exchange.services import log
from corridor.exchange.services.partners.chains import chain, chains
from corridor.exchange.services.partners.standing import judge_partner, lock_partner


@dataclass(frozen=True, slots=True)
class KeyStatement:
    """A verified revocation, or the reinstatement after one, and whether it is recorded here already.

    Attributes
    ----------
    node, card : str
        Node id, and hash of the card whose keys it is about.
    signed : bytes
    lifts : int or None
        For a reinstatement the row of the revocation that it lifts.
    is_known : bool
    """

    node: str
    card: str
    signed: bytes
    lifts: int | None
    is_known: bool


def accept_revocation(notice: KeyRevocationNotice, *, from_node: str, now: datetime) -> None:
    """Take a partner's revocation of one of its cards, or the reinstatement after one; a repeat changes nothing.

    Raises
    ------
    BrokenChain, BadSignature, Malformed
        If it does not hold.
    """
    lock_partner(from_node)
    record_revocation(unb64(notice.revocation), node_id=from_node, now=now)


def record_revocation(document: bytes, *, node_id: str, now: datetime) -> None:
    """Store a revocation or reinstatement of a card of `node_id`, once it is verified, and log it; a repeat does not.

    Raises
    ------
    BrokenChain, BadSignature, Malformed
    """
    statement = read_key_statement(document, node_id=node_id)
    if statement.is_known:
        return
    own = log.own_node().node_id
    if statement.lifts is not None:
        rows = KeyRevocation.objects.filter(pk=statement.lifts)
        rows.update(reinstatement=document, reinstated_at=now)
    else:
        KeyRevocation.objects.create(node_id=node_id, card_hash=statement.card, signed=document, recorded_at=now)
        if node_id == own:
            _freeze_held(statement.card)
    judge_partner(node_id)
    for each in Partner.objects.values_list("node_id", flat=True) if node_id == own else (node_id,):
        log.append(
            log.lock_tree(LogTree.Kind.PARTNER, subject=each, now=now),
            [log.record("revocation", now=now, node=node_id, card=statement.card, statement=sha256_hex(document))],
        )


def read_key_statement(document: bytes, *, node_id: str) -> KeyStatement:
    """Return a verified revocation or reinstatement of a card of `node_id`.

    Raises
    ------
    BrokenChain
        If it is about a card or a revocation that is not known here.
    BadSignature, Malformed
        If it is signed by a key that may not say it, or has the wrong form.
    """
    members = _members(document)
    if members.get("schema") == cards.REINSTATEMENT:
        return _read_reinstatement(document, members, node_id=node_id)
    card = _card_by_hash(node_id, members.get("card"))
    cards.read_revocation(document, card)
    rows = KeyRevocation.objects.filter(node_id=node_id, card_hash=card.hash)
    # The same statement again says nothing new; after a reinstatement another one does.
    known = any(row.reinstated_at is None or bytes(row.signed) == document for row in rows)
    return KeyStatement(node_id, card.hash, document, lifts=None, is_known=known)


def _members(document: bytes) -> dict[str, Any]:
    try:
        value = parse_canonical(document)
    except NotCanonical as fault:
        raise Malformed(f"a statement about keys is a canonical JSON document; {fault}") from fault
    members = value.get("statement") if isinstance(value, dict) else None
    if not isinstance(members, dict):
        raise Malformed("a statement about keys has exactly the members statement and signatures")
    return members


def _read_reinstatement(document: bytes, members: dict[str, Any], *, node_id: str) -> KeyStatement:
    card = _card_by_hash(node_id, members.get("card"))
    if card.recovery != chain(node_id)[-1].recovery:
        raise cards.BrokenChain("the reinstatement is of a card whose recovery key was replaced since")
    for row in KeyRevocation.objects.filter(node_id=node_id, card_hash=card.hash):
        if sha256_hex(bytes(row.signed)) != members.get("revocation"):
            continue
        revocation = cards.read_revocation(bytes(row.signed), card)
        cards.read_reinstatement(document, revocation=revocation, card=card)
        return KeyStatement(
            node_id,
            card.hash,
            document,
            lifts=row.pk,
            is_known=row.reinstated_at is not None,
        )
    raise cards.BrokenChain(
        "the reinstatement names no revocation of that card that is known here; take the file of the revocation first"
    )


def _card_by_hash(node_id: str, card_hash: object) -> Card:
    for card in chain(node_id):
        if card.hash == card_hash:
            return card
    if any(card.hash == card_hash for each in chains(node_id) for card in each):
        raise cards.BrokenChain(f"the statement is about a card that {node_id} had before it was pinned anew")
    raise cards.BrokenChain("the statement is about a card that is not pinned here; take the file with that card first")


def _freeze_held(card_hash: str) -> None:
    """Keep what partners hold at this moment: later it shows that something signed was there before the revocation."""
    # Of a card that was reinstated and is revoked again, the revocation that stands is the later one.
    HeldByPeer.every.filter(frozen_by=card_hash).delete()
    HeldByPeer.every.bulk_create(
        HeldByPeer(
            node_id=row.node_id,
            origin=row.origin,
            size=row.size,
            signed=row.signed,
            statement=row.statement,
            told_at=row.told_at,
            frozen_by=card_hash,
        )
        for row in HeldByPeer.objects.all()
    )
