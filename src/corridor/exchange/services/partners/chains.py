"""The cards of a node, own or pinned: all of them, those that count now, the keys that they give."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

from corridor.base.errors import InputFault, Refused
from corridor.exchange import keystore
from corridor.exchange.messages import CardAnnouncement, KeyRevocationNotice
from corridor.exchange.models import CardVersion, Crossing, KeyRevocation, Partner
from corridor.exchange.rules import card as cards
from corridor.exchange.rules.card import Card
from corridor.exchange.rules.keys import SigningKey, thumbprint
from corridor.exchange.services import log


class NoSuchPartner(InputFault):
    """No partner of that id is pinned."""

    code = "no-such-partner"


class KeysRevoked(Refused):
    """The keys on this node's card are revoked; nothing is signed with them."""

    code = "keys-revoked"


def chain(node_id: str) -> tuple[Card, ...]:
    """Return the verified cards of a node, first to latest, own or pinned.

    Raises
    ------
    NoSuchPartner
        If none is known.
    """
    return chains(node_id)[-1]


def chains(node_id: str) -> list[tuple[Card, ...]]:
    """Return every chain of a node that was pinned, each verified; the last one counts, the others are evidence.

    Raises
    ------
    NoSuchPartner
        If none is known.
    """
    found: dict[int, list[bytes]] = defaultdict(list)
    rows = CardVersion.objects.filter(node_id=node_id).order_by("chain", "serial")
    for number, signed in rows.values_list("chain", "signed"):
        found[number].append(bytes(signed))
    if not found:
        raise NoSuchPartner(
            f"no card of {node_id} is pinned here. Add it with `corridor peer add CARD --fingerprint …`."
        )
    return [_chain(tuple(documents)) for documents in found.values()]


@lru_cache(maxsize=256)
def _chain(documents: tuple[bytes, ...]) -> tuple[Card, ...]:
    return cards.chain_of(documents)


def current_card(node_id: str) -> Card:
    """Return the card of a node that is in use now."""
    return chain(node_id)[-1]


def log_keys_of(node_id: str) -> list[bytes]:
    """Return every log key of a node's card chain, own or pinned, latest first.

    A revoked key's earlier word still binds its node.
    """
    return [card.keys.log for card in reversed(chain(node_id))]


def revoked_cards(node_id: str) -> frozenset[str]:
    """Return the hashes of a node's cards whose revocation stands."""
    rows = KeyRevocation.objects.filter(node_id=node_id, reinstated_at__isnull=True)
    return frozenset(rows.values_list("card_hash", flat=True))


def valid_cards(node_id: str) -> tuple[Card, ...]:
    """Return the cards of a node whose keys count now, first to latest: those with no key that is revoked."""
    return cards.counting(chain(node_id), revoked=revoked_cards(node_id))


def transport_keys(node_id: str) -> dict[str, bytes]:
    """Return the transport keys by which a node may sign envelopes, receipts and requests, by thumbprint.

    A key that was rotated away still counts for what was signed before; one that was revoked does not.
    """
    return {thumbprint(card.keys.transport): card.keys.transport for card in valid_cards(node_id)}


def every_transport_key(node_id: str) -> dict[str, bytes]:
    """Return every transport key that a node ever had, by thumbprint: for reading what was taken when it counted."""
    return {thumbprint(card.keys.transport): card.keys.transport for each in chains(node_id) for card in each}


def transport_public_keys(node_id: str) -> list[bytes]:
    """Return the public transport keys of a partner that count now."""
    return list(transport_keys(node_id).values())


def own_chain() -> tuple[Card, ...]:
    """Return the cards of this node, first to latest."""
    return chain(log.own_node().node_id)


def own_card_file() -> bytes:
    """Return the file that a partner is given to pin this node."""
    return cards.card_file(own_chain())


def own_keys_count() -> bool:
    """Return whether the keys on this node's latest card are not revoked."""
    own = log.own_node().node_id
    revoked = revoked_cards(own)
    # Nearly always nothing is revoked, and then no chain need be read.
    return not revoked or chain(own)[-1] in cards.counting(chain(own), revoked=revoked)


def check_own_keys() -> None:
    """Raise if the keys on this node's latest card are revoked.

    Raises
    ------
    KeysRevoked
    """
    if not own_keys_count():
        raise KeysRevoked(
            "the keys on this node's card are revoked, and partners count nothing that they sign. An administrator "
            "replaces all four (`corridor node rotate-key`) or takes the revocation back (`corridor node "
            "reinstate-keys`); both need the recovery key."
        )


def own_fingerprint() -> str:
    """Return the fingerprint of this node's card, which stays through rotations."""
    return cards.fingerprint(own_chain()[-1])


def speaking_key(node_id: str) -> SigningKey:
    """Return the transport key by which a partner knows this node: the old one until it took the new card.

    If the old one is revoked, the partner may know of that or not, and which it is cannot be told from here: while
    the notice of it is on its way, attempts take turns.
    """
    present = keystore.own_keys().transport
    if not _is_on_its_way(CardAnnouncement, node_id):
        return present
    old = keystore.previous_transport_key(keystore.home())
    if old is None or old.kid in transport_keys(log.own_node().node_id):
        return old or present
    failures = Partner.objects.filter(node_id=node_id).values_list("failures", flat=True).first() or 0
    return old if _is_on_its_way(KeyRevocationNotice, node_id) and failures % 2 == 0 else present


def _is_on_its_way(kind: type[CardAnnouncement | KeyRevocationNotice], node_id: str) -> bool:
    return Crossing.objects.filter(
        direction=Crossing.Direction.OUT,
        to_node=node_id,
        schema=kind.schema_id(),
        status=Crossing.Status.QUEUED,
    ).exists()
