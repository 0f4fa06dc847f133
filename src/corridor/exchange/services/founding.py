"""The first steps of the exchange at a new node."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.conf import settings

from corridor.accounts.actors import Actor
from corridor.exchange.rules.canonical import b64
from corridor.exchange.services import partners


def found_node(home: Path, *, actor: Actor, now: datetime) -> str:
    """Make keys, card and log of the node that the settings describe; return its recovery key, to be shown once.

    Raises
    ------
    partners.AlreadyFounded, keystore.KeysExist
    """
    given = settings.CORRIDOR
    _, recovery = partners.found_node(
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
