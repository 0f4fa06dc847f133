"""The cards of a node, own or pinned: all of them, those that count now, the keys that they give."""

from __future__ import annotations

from functools import lru_cache

from corridor.base.errors import InputFault
from corridor.exchange import keystore
from corridor.exchange.messages import CardAnnouncement
from corridor.exchange.models import CardVersion, Crossing, KeyRevocation
from corridor.exchange.rules import card as cards
from corridor.exchange.rules.card import Card
from corridor.exchange.rules.keys import SigningKey, thumbprint
from corridor.exchange.services import log


class NoSuchPartner(InputFault):
    """No partner of that id is pinned."""

    code = "no-such-partner"


def chain(node_id: str) -> tuple[Card, ...]:
    """Return the verified cards of a node, first to latest, own or pinned.

    Raises
    ------
    NoSuchPartner
        If none is known.
    """
    documents = CardVersion.objects.filter(node_id=node_id).order_by("serial").values_list("signed", flat=True)
    found = tuple(bytes(document) for document in documents)
    if not found:
        raise NoSuchPartner(
            f"no card of {node_id} is pinned here. Add it with `corridor peer add CARD --fingerprint …`."
        )
    return _chain(found)


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


def valid_cards(node_id: str) -> tuple[Card, ...]:
    """Return the cards of a node whose keys count now, first to latest: those that are not revoked."""
    revoked = set(
        KeyRevocation.objects.filter(node_id=node_id, reinstated_at__isnull=True).values_list("card_hash", flat=True)
    )
    return tuple(card for card in chain(node_id) if card.hash not in revoked)


def transport_keys(node_id: str) -> dict[str, bytes]:
    """Return the transport keys by which a node may sign envelopes, receipts and requests, by thumbprint.

    A key that was rotated away still counts for what was signed before; one that was revoked does not.
    """
    return {thumbprint(card.keys.transport): card.keys.transport for card in valid_cards(node_id)}


def transport_public_keys(node_id: str) -> list[bytes]:
    """Return the public transport keys of a partner that count now."""
    return list(transport_keys(node_id).values())


def own_chain() -> tuple[Card, ...]:
    """Return the cards of this node, first to latest."""
    return chain(log.own_node().node_id)


def own_card_file() -> bytes:
    """Return the file that a partner is given to pin this node."""
    return cards.card_file(own_chain())


def own_fingerprint() -> str:
    """Return the fingerprint of this node's card, which stays through rotations."""
    return cards.fingerprint(own_chain()[-1])


def speaking_key(node_id: str) -> SigningKey:
    """Return the transport key by which a partner knows this node: the old one until it took the new card."""
    is_known = not Crossing.objects.filter(
        direction=Crossing.Direction.OUT,
        to_node=node_id,
        schema=CardAnnouncement.schema_id(),
        status=Crossing.Status.QUEUED,
    ).exists()
    old = None if is_known else keystore.previous_transport_key(keystore.home())
    return old or keystore.own_keys().transport
