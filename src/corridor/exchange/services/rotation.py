"""Give this node new keys: a card signed by its old agreement key and its recovery key, told to every partner."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import WrongUsage
from corridor.exchange import keystore
from corridor.exchange.messages import CardAnnouncement, KeyRevocationNotice
from corridor.exchange.models import CardVersion, LogTree, Node, Partner
from corridor.exchange.rules import card as cards
from corridor.exchange.rules.canonical import NotBase64url, b64, unb64
from corridor.exchange.rules.card import Card, NodeKeys
from corridor.exchange.rules.keys import MalformedKey, SealingKey, SigningKey
from corridor.exchange.services import log, partners
from corridor.exchange.services.outbox import send_control


class WrongRecoveryKey(WrongUsage):
    """A text is not the recovery key of this node."""

    code = "wrong-recovery-key"


def read_recovery_key(text: str) -> SigningKey:
    """Return the recovery key that was shown when the node was founded.

    Raises
    ------
    WrongRecoveryKey
        If the text is none, or another node's.
    """
    try:
        key = SigningKey.from_bytes(unb64(text.strip()))
    except (NotBase64url, MalformedKey):
        raise WrongRecoveryKey(
            "the recovery key has 43 letters, digits, - and _, as printed when the node was founded"
        ) from None
    if key.public != partners.own_chain()[-1].recovery:
        raise WrongRecoveryKey("this is a recovery key, but not the one on this node's card")
    return key


@write("exchange.rotate_keys")
def rotate(
    *, names: Sequence[str], recovery: SigningKey, home: Path, actor: Actor, now: datetime, url: str | None = None
) -> Card:
    """Make new keys in the place of those called `names`, and send every partner the card that succeeds the old one.

    The announcement is signed with the old transport key, which partners still know.

    Raises
    ------
    NotPermitted
        If `actor` does not manage this node.
    """
    require(actor, "exchange.manage_node")
    current, old = partners.own_chain()[-1], keystore.own_keys()
    fresh = {name: SealingKey.generate() if name == "encryption" else SigningKey.generate() for name in names}
    new = NodeKeys(**{name: fresh.get(name, getattr(old, name)) for name in keystore.NAMES})
    successor = cards.rotate_card(
        current,
        keys=new,
        issued_at=now,
        previous_agreement_key=old.agreement,
        recovery_key=recovery,
        url=url,
    )
    own = log.own_node().node_id
    CardVersion.objects.create(node_id=own, serial=successor.serial, signed=successor.signed, recorded_at=now)
    if url is not None:
        Node.objects.update(url=url)
    for partner in Partner.objects.order_by("node_id"):
        log.append(
            log.lock_tree(LogTree.Kind.PARTNER, subject=partner.node_id, now=now),
            [log.record("own_card", now=now, card=successor.hash, serial=successor.serial)],
        )
        send_control(CardAnnouncement(card=b64(successor.signed)), to=partner.node_id, actor=actor, now=now)
    for name, key in fresh.items():
        keystore.replace(home, name, key)
    note(serial=successor.serial, keys=list(names))
    return successor


@write("exchange.revoke_keys")
def revoke(*, reason: str, recovery: SigningKey | None, actor: Actor, now: datetime) -> bytes:
    """State that the keys on this node's card no longer count, and tell every partner; return the signed statement.

    Parameters
    ----------
    reason : str
        Shown to partners.
    recovery : SigningKey or None
        The recovery key; None signs with the agreement key, which revokes and cannot reinstate.
    """
    require(actor, "exchange.manage_node")
    card = partners.own_chain()[-1]
    statement = cards.make_revocation(card, key=recovery or keystore.own_keys().agreement, at=now, reason=reason)
    for partner in Partner.objects.order_by("node_id"):
        send_control(KeyRevocationNotice(revocation=b64(statement)), to=partner.node_id, actor=actor, now=now)
    partners.record_revocation(statement, node_id=card.id, now=now)
    return statement
