"""One node as a signer: its verified cards from first to latest, and which of its keys were revoked when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from corridor.exchange.rules.canonical import parse_canonical
from corridor.exchange.rules.card import (
    REVOCATION,
    Card,
    Revocation,
    chain_of,
    fingerprint,
    read_reinstatement,
    read_revocation,
)
from corridor.exchange.rules.evidence_file import NodeHistory
from corridor.exchange.rules.jws import Malformed
from corridor.exchange.rules.keys import thumbprint


@dataclass(frozen=True, slots=True)
class Signer:
    """The verified cards of one node, and which of its keys were revoked when."""

    node: str
    cards: tuple[Card, ...]
    revoked: Mapping[str, Revocation]

    @classmethod
    def of(cls, node: str, history: NodeHistory) -> "Signer":
        """Return the signer whose history holds.

        Raises
        ------
        Malformed, BrokenChain, BadSignature, WeakKey
            If a card or revocation does not hold, or is of another node.
        """
        cards = chain_of(history.cards)
        if cards[0].id != node:
            raise Malformed(f"the cards of {node} are those of another node")
        return cls(node=node, cards=cards, revoked=_revocations(cards, history.revocations))

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the chain."""
        return fingerprint(self.cards[0])

    @property
    def transport(self) -> dict[str, bytes]:
        """Every transport key it has had, by thumbprint."""
        return {thumbprint(card.keys.transport): card.keys.transport for card in self.cards}

    @property
    def log(self) -> list[bytes]:
        """Every log key it has had."""
        return [card.keys.log for card in self.cards]

    @property
    def agreement(self) -> list[bytes]:
        """Every agreement key it has had."""
        return [card.keys.agreement for card in self.cards]

    def revocation_of(self, public: bytes) -> Revocation | None:
        """Return the earliest standing revocation of a card with this key."""
        hit = [
            self.revoked[card.hash]
            for card in self.cards
            if card.hash in self.revoked and public in (card.keys.transport, card.keys.agreement, card.keys.log)
        ]
        return min(hit, key=lambda revocation: revocation.at, default=None)


def _revocations(cards: Sequence[Card], documents: Sequence[bytes]) -> dict[str, Revocation]:
    """Return the standing revocation by card hash, after revocations and reinstatements in their order."""
    by_hash = {card.hash: card for card in cards}
    made: dict[str, Revocation] = {}
    standing: dict[str, Revocation] = {}
    for document in documents:
        value = parse_canonical(document)
        statement = value.get("statement") if isinstance(value, dict) else None
        if not isinstance(statement, dict) or statement.get("card") not in by_hash:
            raise Malformed("a revocation in this file is about no card in it")
        card = by_hash[statement["card"]]
        if statement.get("schema") == REVOCATION:
            revocation = read_revocation(document, card)
            made[revocation.hash] = standing[card.hash] = revocation
            continue
        lifted = made.get(str(statement.get("revocation")))
        if lifted is None:
            raise Malformed("a reinstatement in this file lifts no revocation in it")
        read_reinstatement(document, revocation=lifted, card=card)
        # A reinstatement with a later card leaves the keys of the revoked one revoked.
        if lifted.card == card.hash:
            standing.pop(card.hash, None)
    return standing
