"""The node and its partners: founding, cards, pinning, rotation, revocation, addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask, isolated, register_approval
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import InputFault, Refused, WrongUsage
from corridor.exchange import keystore
from corridor.exchange.messages import CardAnnouncement, KeyRevocationNotice
from corridor.exchange.models import CardVersion, Crossing, KeyRevocation, LogTree, Node, Partner
from corridor.exchange.rules import card as cards
from corridor.exchange.rules.canonical import b64, parse_canonical, sha256_hex, unb64
from corridor.exchange.rules.card import Card, CardKeys
from corridor.exchange.rules.keys import SigningKey, thumbprint
from corridor.exchange.services import log

PIN = "exchange.pin-partner"
CHANGE_URL = "exchange.change-partner-url"


class AlreadyFounded(WrongUsage):
    """The home has a node already."""

    code = "already-founded"


class WrongFingerprint(Refused):
    """A card has another fingerprint than the one that was compared."""

    code = "wrong-fingerprint"


class CardUnfit(Refused):
    """A card cannot be pinned here: it is our own, already pinned, or from a demonstration."""

    code = "card-unfit"


class NoSuchPartner(InputFault):
    """No partner of that id is pinned."""

    code = "no-such-partner"


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


def log_keys(node_id: str) -> list[bytes]:
    """Return the log keys of a node that count now, latest first."""
    return [card.keys.log for card in reversed(valid_cards(node_id))]


def lock_partner(node_id: str) -> Partner:
    """Return a partner's row, locked until the transaction ends.

    Raises
    ------
    NoSuchPartner
    """
    partner = Partner.objects.select_for_update().filter(node_id=node_id).first()
    if partner is None:
        raise NoSuchPartner(f"{node_id} is no pinned partner. `corridor peer list` shows those that are.")
    return partner


def ask_to_pin(document: bytes, *, fingerprint: str, actor: Actor, now: datetime) -> Outcome:
    """Ask for a partner's card to be pinned; a second person allows it.

    Parameters
    ----------
    document : bytes
        The card file that the partner gave.
    fingerprint : str
        As the partner told it by another way: telephone, letter, in person.

    Raises
    ------
    WrongFingerprint, CardUnfit
    """
    _fit(document, fingerprint)
    return ask(PIN, {"document": b64(document), "fingerprint": fingerprint}, actor=actor, now=now)


@write("exchange.pin_partner")
def pin(*, document: str, fingerprint: str, actor: Actor, first: Actor, now: datetime) -> Partner:
    """Pin the card file in `document` (base64url); from here on control messages pass with that node.

    Raises
    ------
    WrongFingerprint, CardUnfit
    """
    known = _fit(unb64(document), fingerprint)
    card = known[-1]
    note(node=card.id, first=actor_name(first), fingerprint=cards.fingerprint(card))
    partner = Partner.objects.create(
        node_id=card.id,
        country=card.country,
        name=card.legal_entity,
        url=card.url,
        fingerprint=cards.fingerprint(card),
        pinned_at=now,
        pinned_by=f"{actor_name(first)}, {actor_name(actor)}",
        # A partner that was never met holds no checkpoint of ours, so there is none to wait for.
        confirmed_at=now,
    )
    CardVersion.objects.bulk_create(
        CardVersion(node_id=card.id, serial=each.serial, signed=each.signed, recorded_at=now) for each in known
    )
    log.append(
        log.lock_tree(LogTree.Kind.PARTNER, subject=card.id, now=now),
        [
            log.record("own_card", now=now, card=current_card(log.own_node().node_id).hash),
            *(log.record("card", now=now, node=card.id, card=each.hash, serial=each.serial) for each in known),
        ],
    )
    return partner


def _fit(document: bytes, fingerprint: str) -> tuple[Card, ...]:
    known = cards.read_chain(document.strip())
    card, own = known[-1], log.own_node()
    expected, came = cards.parse_fingerprint(fingerprint), cards.fingerprint(card)
    if expected != came:
        raise WrongFingerprint(
            f"the card of {card.id} has fingerprint {came}, the one given is {expected}. "
            "Do not pin it: ask the partner again, by telephone, for the fingerprint and for the card."
        )
    if card.id == own.node_id:
        raise CardUnfit(f"{card.id} is this node itself; add the card of a partner")
    if card.demo != own.simulated:
        raise CardUnfit(
            f"{card.id} is {'a demonstration' if card.demo else 'a real'} node and this one is not; the two never mix"
        )
    if Partner.objects.filter(node_id=card.id).exists():
        raise CardUnfit(
            f"{card.id} is pinned already; a new card of it arrives by itself and needs its old and its recovery key"
        )
    return known


def own_chain() -> tuple[Card, ...]:
    """Return the cards of this node, first to latest."""
    return chain(log.own_node().node_id)


def own_card_file() -> bytes:
    """Return the file that a partner is given to pin this node."""
    return cards.card_file(own_chain())


def accept_card(announced: CardAnnouncement, *, from_node: str, now: datetime) -> None:
    """Take a partner's new card, if it succeeds the one that is pinned; another address waits for two persons.

    Raises
    ------
    BrokenChain, BadSignature, Malformed
        As `card.read_rotation`.
    """
    partner = lock_partner(from_node)
    document = unb64(announced.card)
    known = chain(from_node)
    if document in {card.signed for card in known}:
        return
    card = cards.read_rotation(document, known[-1])
    changed_url = card.url != partner.url
    CardVersion.objects.create(
        node_id=from_node, serial=card.serial, signed=card.signed, is_pending=changed_url, recorded_at=now
    )
    partner.name = card.legal_entity
    partner.save(update_fields=["name"])
    log.append(
        log.lock_tree(LogTree.Kind.PARTNER, subject=from_node, now=now),
        [log.record("card", now=now, node=from_node, card=card.hash, serial=card.serial, url_waits=changed_url)],
    )


def ask_to_change_url(node_id: str, *, actor: Actor, now: datetime) -> Outcome:
    """Ask that the address on a partner's latest card be used; a second person allows it.

    Raises
    ------
    CardUnfit
        If the card names the address that is in use.
    """
    card, partner = current_card(node_id), Partner.objects.filter(node_id=node_id).first()
    if partner is None or card.url == partner.url:
        raise CardUnfit(f"the latest card of {node_id} names no other address than the one in use")
    return ask(CHANGE_URL, {"node_id": node_id, "url": card.url}, actor=actor, now=now)


@write("exchange.change_partner_url", subject="node_id")
def change_url(*, node_id: str, url: str, actor: Actor, first: Actor, now: datetime) -> None:
    """Use the address on a partner's latest card from now on.

    Raises
    ------
    CardUnfit
        If the latest card names another address by now.
    """
    partner = lock_partner(node_id)
    if current_card(node_id).url != url:
        raise CardUnfit(f"the latest card of {node_id} names another address by now; ask again")
    note(first=actor_name(first), second=actor_name(actor))
    partner.url = url
    partner.save(update_fields=["url"])
    CardVersion.objects.filter(node_id=node_id).update(is_pending=False)
    log.append(
        log.lock_tree(LogTree.Kind.PARTNER, subject=node_id, now=now),
        [log.record("partner_url", now=now, node=node_id, url=url)],
    )


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
    _judge_partner(node_id)
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


def _judge_partner(node_id: str) -> None:
    """Mark a partner as revoked if its latest card is, and as pinned again once it is reinstated or succeeded."""
    is_valid = chain(node_id)[-1] in valid_cards(node_id)
    wanted = Partner.State.PINNED if is_valid else Partner.State.REVOKED
    Partner.objects.filter(node_id=node_id).exclude(state=Partner.State.PAUSED).update(state=wanted)


@write("exchange.pause_partner", subject="node_id")
def pause(node_id: str, *, reason: str, actor: Actor, now: datetime) -> None:
    """Stop all exchange with a partner until `resume`; what waits stays queued."""
    require(actor, "exchange.pin_partner")
    partner = lock_partner(node_id)
    partner.state, partner.state_reason = Partner.State.PAUSED, reason[:500]
    partner.save(update_fields=["state", "state_reason"])
    log.append(
        log.lock_tree(LogTree.Kind.PARTNER, subject=node_id, now=now), [log.record("paused", now=now, node=node_id)]
    )


@write("exchange.resume_partner", subject="node_id")
def resume(node_id: str, *, actor: Actor, now: datetime) -> None:
    """Lift a pause."""
    require(actor, "exchange.pin_partner")
    partner = lock_partner(node_id)
    if partner.state == Partner.State.PAUSED:
        partner.state, partner.state_reason = Partner.State.PINNED, ""
        partner.save(update_fields=["state", "state_reason"])
        _judge_partner(node_id)
        log.append(
            log.lock_tree(LogTree.Kind.PARTNER, subject=node_id, now=now),
            [log.record("resumed", now=now, node=node_id)],
        )


def keys_of(node_id: str) -> CardKeys:
    """Return the keys on the card of a node that is in use now."""
    return current_card(node_id).keys


def register_approvals() -> None:
    """Announce what two persons decide about partners."""
    register_approval(PIN, permission="exchange.pin_partner", execute=pin, describe=_describe_pinning)
    register_approval(CHANGE_URL, permission="exchange.pin_partner", execute=change_url, describe=_describe_url)


def _describe_pinning(arguments: dict[str, Any]) -> str:
    card = cards.read_card(unb64(arguments["document"]))
    return _("Pin %(name)s (%(node)s) as a partner, fingerprint %(fingerprint)s") % {
        "name": isolated(card.legal_entity),
        "node": card.id,
        "fingerprint": cards.fingerprint(card),
    }


def _describe_url(arguments: dict[str, Any]) -> str:
    return _("Reach %(node)s at the address %(url)s from now on") % {
        "node": arguments["node_id"],
        "url": arguments["url"],
    }


def owners_of_transport_keys() -> dict[str, tuple[str, bytes]]:
    """Return, by thumbprint, the pinned partner and the public key of every transport key that counts now."""
    owners: dict[str, tuple[str, bytes]] = {}
    for node_id in Partner.objects.exclude(state=Partner.State.REVOKED).values_list("node_id", flat=True):
        owners |= {kid: (node_id, public) for kid, public in transport_keys(node_id).items()}
    return owners


def pinned_ids() -> list[str]:
    """Return the partners with which anything is exchanged."""
    return list(Partner.objects.filter(state=Partner.State.PINNED).values_list("node_id", flat=True))


def callable_now(*, now: datetime) -> list[str]:
    """Return the partners that may be called now: pinned, and their circuit closed."""
    free = Q(circuit_open_until_at__isnull=True) | Q(circuit_open_until_at__lte=now)
    return list(Partner.objects.filter(free, state=Partner.State.PINNED).values_list("node_id", flat=True))


def is_confirmed(node_id: str) -> bool:
    """Return whether the partner has shown, since this node started, what it holds."""
    return Partner.objects.filter(node_id=node_id, confirmed_at__isnull=False).exists()


def is_swap_due(node_id: str, *, every: timedelta, now: datetime) -> bool:
    """Return whether checkpoints were last swapped with the partner longer than `every` ago, or never."""
    return Partner.objects.filter(Q(swapped_at__isnull=True) | Q(swapped_at__lte=now - every), node_id=node_id).exists()


def failures(node_id: str) -> int:
    """Return how many attempts to reach the partner failed in a row."""
    return Partner.objects.filter(node_id=node_id).values_list("failures", flat=True).first() or 0


def url_of(node_id: str) -> str:
    """Return the address at which a partner is called: the one that two persons of this node agreed to."""
    return Partner.objects.values_list("url", flat=True).get(node_id=node_id)


def transport_public_keys(node_id: str) -> list[bytes]:
    """Return the public transport keys of a partner that count now."""
    return list(transport_keys(node_id).values())


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


def own_fingerprint() -> str:
    """Return the fingerprint of this node's card, which stays through rotations."""
    return cards.fingerprint(own_chain()[-1])
