"""Give this node new keys: a card signed by its old agreement key and its recovery key, told to every partner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import WrongUsage
from corridor.exchange import keystore
from corridor.exchange.messages import CardAnnouncement, KeyRevocationNotice
from corridor.exchange.models import CardVersion, KeyRevocation, LogTree, Node, Partner
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


class RevokedKeyKept(WrongUsage):
    """A rotation after a revocation leaves a revoked key in its place."""

    code = "revoked-key-kept"


class NothingRevoked(WrongUsage):
    """There is no revocation that a reinstatement could lift."""

    code = "nothing-revoked"


class NoSuchCard(WrongUsage):
    """No card of that number can be revoked here."""

    code = "no-such-card"


@write("exchange.rotate_keys")
def rotate(
    *, names: Sequence[str], recovery: SigningKey, home: Path, actor: Actor, now: datetime, url: str | None = None
) -> Card:
    """Make new keys in the place of those called `names`, and send every partner the card that succeeds the old one.

    The announcement is signed with the old transport key, which partners still know. If the old keys are revoked it is
    signed with the new one, and partners learn of that from the card file.

    Raises
    ------
    NotPermitted
        If `actor` does not manage this node.
    RevokedKeyKept
        If the keys are revoked and not all four are replaced.
    """
    require(actor, "exchange.manage_node")
    current, old = partners.own_chain()[-1], keystore.own_keys()
    is_revoked = not partners.own_keys_count()
    if is_revoked and set(names) != set(keystore.NAMES):
        raise RevokedKeyKept(
            "the keys on this node's card are revoked, and none of them comes back on another card. Replace all four: "
            "name none. Or take the revocation back: `corridor node reinstate-keys`"
        )
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
    if is_revoked:
        _replace(fresh, home)
    for partner in Partner.objects.order_by("node_id"):
        log.append(
            log.lock_tree(LogTree.Kind.PARTNER, subject=partner.node_id, now=now),
            [log.record("own_card", now=now, card=successor.hash, serial=successor.serial)],
        )
        send_control(CardAnnouncement(card=b64(successor.signed)), to=partner.node_id, actor=actor, now=now)
    if not is_revoked:
        _replace(fresh, home)
    note(serial=successor.serial, keys=list(names))
    return successor


def _replace(fresh: Mapping[str, SigningKey | SealingKey], home: Path) -> None:
    for name, key in fresh.items():
        keystore.replace(home, name, key)


@write("exchange.revoke_keys")
def revoke(
    *, reason: str, recovery: SigningKey | None, actor: Actor, now: datetime, serial: int | None = None
) -> bytes:
    """State that the keys on a card of this node no longer count, and tell every partner; return the signed statement.

    Parameters
    ----------
    reason : str
        Shown to partners.
    recovery : SigningKey or None
        The recovery key; None signs with the agreement key, which revokes and cannot reinstate.
    serial : int, optional
        Which card, by its number; the latest one if not given. After a rotation the keys before it still count for
        what they signed, until their card is revoked.

    Raises
    ------
    NoSuchCard
        If there is none of that number, or it is not the latest one and shares keys with it, or the recovery key is
        not given.
    """
    require(actor, "exchange.manage_node")
    card = _card(serial, has_recovery=recovery is not None)
    statement = cards.make_revocation(card, key=recovery or keystore.own_keys().agreement, at=now, reason=reason)
    for partner in Partner.objects.order_by("node_id"):
        send_control(KeyRevocationNotice(revocation=b64(statement)), to=partner.node_id, actor=actor, now=now)
    partners.record_revocation(statement, node_id=card.id, now=now)
    return statement


def _card(serial: int | None, *, has_recovery: bool) -> Card:
    known = partners.own_chain()
    if serial is None or serial == len(known):
        return known[-1]
    if not 1 <= serial < len(known):
        raise NoSuchCard(f"this node has cards 1 to {len(known)}; there is no card {serial}")
    if known[serial - 1].keys.all & known[-1].keys.all:
        raise NoSuchCard(
            f"card {len(known)} still uses keys of card {serial}. Replace all four first (`corridor node rotate-key`), "
            "or revoke the latest card"
        )
    if not has_recovery:
        raise NoSuchCard(f"the agreement key of card {serial} is no longer here; an older card needs the recovery key")
    return known[serial - 1]


@write("exchange.reinstate_keys")
def reinstate(*, recovery: SigningKey, actor: Actor, now: datetime) -> bytes:
    """Take the revocation of this node's latest card back, and tell every partner; return the signed statement.

    A partner that knows of the revocation counts nothing that these keys sign, the notice included: it gets the
    statement as a file.

    Raises
    ------
    NotPermitted
    NothingRevoked
        If the keys on the latest card are not revoked.
    """
    require(actor, "exchange.manage_node")
    card = partners.own_chain()[-1]
    row = KeyRevocation.objects.filter(node_id=card.id, card_hash=card.hash, reinstated_at__isnull=True).first()
    if row is None:
        raise NothingRevoked(f"no revocation of card {card.serial}, the latest of this node, stands")
    revocation = cards.read_revocation(bytes(row.signed), card)
    statement = cards.make_reinstatement(revocation, card=card, recovery_key=recovery, at=now)
    partners.record_revocation(statement, node_id=card.id, now=now)
    for partner in Partner.objects.order_by("node_id"):
        send_control(KeyRevocationNotice(revocation=b64(statement)), to=partner.node_id, actor=actor, now=now)
    return statement
