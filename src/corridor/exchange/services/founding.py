"""The first steps of the exchange at a new node: keys, card and log."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.conf import settings

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.transactions import note, write
from corridor.base.errors import WrongUsage
from corridor.exchange import keystore
from corridor.exchange.models import CardVersion, Node
from corridor.exchange.rules import card as cards
from corridor.exchange.rules.canonical import b64
from corridor.exchange.rules.card import Card
from corridor.exchange.rules.keys import SigningKey


class AlreadyFounded(WrongUsage):
    """The home has a node already."""

    code = "already-founded"


@write("exchange.found_node", subject="node_id")
def found_node(
    *,
    node_id: str,
    legal_entity: str,
    names: dict[str, str],
    country: str,
    url: str,
    home: Path,
    is_simulated: bool,
    actor: Actor,
    now: datetime,
) -> tuple[Card, SigningKey]:
    """Make this node: keys in `home`, the first card; return the card and the recovery key, which is kept nowhere.

    Raises
    ------
    AlreadyFounded
        If the database holds a node.
    keystore.KeysExist
        If the home holds keys.
    """
    if Node.objects.exists():
        raise AlreadyFounded("this home already has a node. Choose another folder for a new one.")
    keys, recovery = keystore.create(home)
    card = cards.make_card(
        id=node_id,
        legal_entity=legal_entity,
        names=names,
        country=country,
        url=url,
        keys=keys,
        recovery=recovery.public,
        issued_at=now,
        demo=is_simulated,
    )
    Node.objects.create(
        id=1,
        node_id=node_id,
        country=country,
        name=legal_entity,
        url=url,
        fingerprint=cards.fingerprint(card),
        simulated=is_simulated,
        state_since_at=now,
        founded_at=now,
    )
    CardVersion.objects.create(node_id=node_id, serial=1, signed=card.signed, recorded_at=now)
    note(actor=actor_name(actor), fingerprint=cards.fingerprint(card))
    return card, recovery


def found_from_settings(home: Path, *, actor: Actor, now: datetime) -> str:
    """Make keys, card and log of the node that the settings describe; return its recovery key, to be shown once.

    Raises
    ------
    AlreadyFounded, keystore.KeysExist
    """
    given = settings.CORRIDOR
    _, recovery = found_node(
        node_id=given["id"],
        legal_entity=given["name"] or given["id"],
        names={"en": given["name"] or given["id"]},
        country=given["country"],
        url=given["url"],
        home=home,
        is_simulated=bool(given["simulated"]),
        actor=actor,
        now=now,
    )
    return b64(recovery.private_bytes())
