"""Revocations and reinstatements of cards, of partners and of this node: verified, stored, logged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from corridor.exchange.messages import KeyRevocationNotice
from corridor.exchange.models import KeyRevocation, LogTree, Partner
from corridor.exchange.rules import card as cards
from corridor.exchange.rules.canonical import parse_canonical, sha256_hex, unb64
from corridor.exchange.rules.card import Card
from corridor.exchange.services import log
from corridor.exchange.services.partners.chains import chain
from corridor.exchange.services.partners.standing import judge_partner, lock_partner


def accept_revocation(notice: KeyRevocationNotice, *, from_node: str, now: datetime) -> None:
    """Take a partner's revocation of one of its cards, or the reinstatement after one.

    Raises
    ------
    BrokenChain, BadSignature, Malformed
        If it does not hold.
    """
    lock_partner(from_node)
    record_revocation(unb64(notice.revocation), node_id=from_node, now=now)


def record_revocation(document: bytes, *, node_id: str, now: datetime) -> None:
    """Store a verified revocation or reinstatement of a card of `node_id` and log it."""
    value = parse_canonical(document)
    statement = value.get("statement", {}) if isinstance(value, dict) else {}
    if isinstance(statement, dict) and "revocation" in statement:
        subject = _reinstate(document, str(statement["revocation"]), node_id=node_id, now=now)
    else:
        subject = _revoke(document, str(statement.get("card", "")), node_id=node_id, now=now)
    judge_partner(node_id)
    own = log.own_node().node_id
    for each in Partner.objects.values_list("node_id", flat=True) if node_id == own else (node_id,):
        log.append(
            log.lock_tree(LogTree.Kind.PARTNER, subject=each, now=now),
            [log.record("revocation", now=now, node=node_id, card=subject, statement=sha256_hex(document))],
        )


def _revoke(document: bytes, card_hash: str, *, node_id: str, now: datetime) -> str:
    card = _card_by_hash(node_id, card_hash)
    cards.read_revocation(document, card)
    rows = KeyRevocation.objects.filter(node_id=node_id, card_hash=card.hash)
    # The same statement again says nothing new; after a reinstatement another one does.
    if not any(row.reinstated_at is None or bytes(row.signed) == document for row in rows):
        KeyRevocation.objects.create(node_id=node_id, card_hash=card.hash, signed=document, recorded_at=now)
    return card.hash


def _reinstate(document: bytes, revocation_hash: str, *, node_id: str, now: datetime) -> str:
    for row in KeyRevocation.objects.filter(node_id=node_id, reinstated_at__isnull=True):
        if sha256_hex(bytes(row.signed)) != revocation_hash:
            continue
        revocation = cards.read_revocation(bytes(row.signed), _card_by_hash(node_id, row.card_hash))
        reinstated = _first_that_reads(document, revocation, chain(node_id))
        row.reinstatement, row.reinstated_at = document, now
        row.save(update_fields=["reinstatement", "reinstated_at"])
        return reinstated.card
    raise cards.BrokenChain("the reinstatement names no revocation that stands here")


def _first_that_reads(document: bytes, revocation: cards.Revocation, known: Sequence[Card]) -> cards.Reinstatement:
    named = parse_canonical(document)["statement"]["card"]
    for card in known:
        if card.hash == named:
            return cards.read_reinstatement(document, revocation=revocation, card=card)
    raise cards.BrokenChain("the reinstatement names a card that is not pinned here")


def _card_by_hash(node_id: str, card_hash: str) -> Card:
    for card in chain(node_id):
        if card.hash == card_hash:
            return card
    raise cards.BrokenChain("the statement is about a card that is not pinned here")
