"""Read cards: each is verified as the successor of the one before, the first one by its own keys."""

from collections.abc import Sequence

from corridor.base.errors import Refused
from corridor.exchange.rules.canonical import canonical, parse_canonical
from corridor.exchange.rules.card.document import CARD, Card
from corridor.exchange.rules.card.fingerprint import origin_of
from corridor.exchange.rules.card.members import check_signatures, parse, read_members
from corridor.exchange.rules.jws import Malformed
from corridor.exchange.rules.keys import thumbprint

CARD_CHAIN = "health-corridor.card-chain/1"


class BrokenChain(Refused):
    """A card is no successor of the card that is pinned."""

    code = "broken-chain"


def needed_signers(card: Card, current: Card | None) -> dict[str, bytes]:
    """Return the public keys that must have signed a card, by thumbprint; `current` is the card before it."""
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
    value = parse(document, "card")
    if "cards" not in value:
        return (read_document(document, None),)
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
    cards = [read_document(documents[0], None)]
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
    return read_document(document, current)


def read_document(document: bytes, current: Card | None) -> Card:
    """Return the first card (`current` is None), or the card that succeeds `current`; errors as `read_card`."""
    value = parse(document, "card")
    if set(value) != {"card", "signatures"} or not isinstance(value["signatures"], dict):
        raise Malformed("a card document has exactly the members card and signatures")
    card = read_members(value["card"], signed=document)
    _check_place(card, current)
    needed = needed_signers(card, current)
    missing = needed.keys() - value["signatures"].keys()
    if missing:
        raise BrokenChain(
            "the card lacks a signature that it needs: each of its own keys and, when a key changes, the agreement "
            "key before and the recovery key. Ask the partner for a card signed by them, or pin the node anew."
        )
    if value["signatures"].keys() - needed.keys():
        raise Malformed("the card carries a signature that nobody asked for")
    check_signatures(canonical(value["card"]), kind=CARD, needed=needed, signatures=value["signatures"])
    return card


def _check_place(card: Card, current: Card | None) -> None:
    if current is None:
        if card.serial != 1 or card.previous is not None:
            raise BrokenChain(
                f"this is card {card.serial} of {card.id}; it is believed only with the chain from its first card"
            )
        if card.origin != origin_of(card.keys, card.recovery):
            raise BrokenChain("the fingerprint inside the card is not that of its keys")
        return
    if (card.id, card.origin, card.suite, card.demo) != (current.id, current.origin, current.suite, current.demo):
        raise BrokenChain(f"the card is not of the node {current.id} as it was pinned")
    if card.serial != current.serial + 1 or card.previous != current.hash:
        raise BrokenChain(f"expected the successor of card {current.serial}; card {card.serial} of another chain came")
    if card.issued_at < current.issued_at:
        raise BrokenChain("the card claims to be older than the card that it succeeds")
