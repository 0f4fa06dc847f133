"""Pin a partner: its card, the fingerprint that it told by another way, two persons of this node."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask, isolated, register_approval
from corridor.accounts.transactions import note, write
from corridor.base.errors import Refused
from corridor.exchange.models import CardVersion, LogTree, Partner, PeerCheckpoint, PeerLeaf
from corridor.exchange.rules import card as cards
from corridor.exchange.rules.canonical import b64, unb64
from corridor.exchange.rules.card import Card
from corridor.exchange.services import log
from corridor.exchange.services.partners.chains import chains, current_card
from corridor.exchange.services.partners.standing import PERMISSION, judge_partner, lock_partner

PIN = "exchange.pin-partner"
PIN_ANEW = "exchange.pin-partner-anew"


class WrongFingerprint(Refused):
    """A card has another fingerprint than the one that was compared."""

    code = "wrong-fingerprint"


class CardUnfit(Refused):
    """A card cannot be pinned here: it is our own, already pinned, or from a demonstration."""

    code = "card-unfit"


def ask_to_pin(document: bytes, *, fingerprint: str, actor: Actor, now: datetime, anew: str | None = None) -> Outcome:
    """Ask for a partner's card to be pinned; a second person allows it.

    Parameters
    ----------
    document : bytes
        The card file that the partner gave.
    fingerprint : str
        As the partner told it by another way: telephone, letter, in person.
    anew : str, optional
        The pinned partner that lost all its keys and whose new card this is.

    Raises
    ------
    WrongFingerprint, CardUnfit
    """
    arguments = {"document": b64(document), "fingerprint": fingerprint}
    if anew is None:
        _fit(document, fingerprint)
        return ask(PIN, arguments, actor=actor, now=now)
    _fit_anew(document, fingerprint, node_id=anew)
    return ask(PIN_ANEW, {**arguments, "node_id": anew}, actor=actor, now=now)


@write("exchange.pin_partner")
def pin(*, document: str, fingerprint: str, actor: Actor, first: Actor, now: datetime) -> Partner:
    """Pin the card file in `document` (base64url); from here on control messages pass with that node.

    Raises
    ------
    WrongFingerprint, CardUnfit
    """
    known = _fit(unb64(document), fingerprint)
    card = known[-1]
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
    _keep(known, chain_number=1, first=first, now=now)
    return partner


@write("exchange.pin_partner_anew", subject="node_id")
def pin_anew(*, document: str, fingerprint: str, node_id: str, actor: Actor, first: Actor, now: datetime) -> Partner:
    """Pin the new card of a partner that lost all its keys; the keys before count for nothing new.

    The chain before stays, with every envelope, receipt and id that came under it: what was taken is not taken again.
    The partner's logs begin anew too. What it signed of agreements ends with the keys: nothing crosses under them
    until an agreement is signed with the new ones.

    Raises
    ------
    WrongFingerprint, CardUnfit
    """
    partner = lock_partner(node_id)
    known = _fit_anew(unb64(document), fingerprint, node_id=node_id)
    card = known[-1]
    note(before=partner.fingerprint)
    partner.country, partner.name, partner.url = card.country, card.legal_entity, card.url
    partner.fingerprint = cards.fingerprint(card)
    partner.pinned_at, partner.pinned_by = now, f"{actor_name(first)}, {actor_name(actor)}"
    partner.epoch, partner.restore_epoch, partner.restore_notice = 1, None, b""
    partner.returning_epoch = None
    partner.failures, partner.circuit_open_until_at, partner.clock_offset_seconds = 0, None, None
    partner.save()
    PeerLeaf.objects.filter(checkpoint__node_id=node_id).update(is_former=True)
    PeerCheckpoint.objects.filter(node_id=node_id).update(is_former=True)
    _keep(known, chain_number=len(chains(node_id)) + 1, first=first, now=now)
    judge_partner(node_id)
    return partner


def _keep(known: tuple[Card, ...], *, chain_number: int, first: Actor, now: datetime) -> None:
    """Store the cards of a pinned chain and log them."""
    card = known[-1]
    note(node=card.id, first=actor_name(first), fingerprint=cards.fingerprint(card))
    CardVersion.objects.bulk_create(
        CardVersion(node_id=card.id, chain=chain_number, serial=each.serial, signed=each.signed, recorded_at=now)
        for each in known
    )
    log.append(
        log.lock_tree(LogTree.Kind.PARTNER, subject=card.id, now=now),
        [
            log.record("own_card", now=now, card=current_card(log.own_node().node_id).hash),
            *(
                log.record("card", now=now, node=card.id, card=each.hash, serial=each.serial, chain=chain_number)
                for each in known
            ),
        ],
    )


def _fit(document: bytes, fingerprint: str) -> tuple[Card, ...]:
    known = _compared(document, fingerprint)
    card = known[-1]
    if Partner.objects.filter(node_id=card.id).exists():
        raise CardUnfit(
            f"{card.id} is pinned already. A new card with the same fingerprint arrives by itself, or as a file: "
            "`corridor peer take CARD`. Only if the partner lost all its keys is it pinned anew: "
            "`corridor peer add CARD --fingerprint … --anew`"
        )
    return known


def _fit_anew(document: bytes, fingerprint: str, *, node_id: str) -> tuple[Card, ...]:
    known = _compared(document, fingerprint)
    if known[-1].id != node_id:
        raise CardUnfit(f"this is the card of {known[-1].id}, not of {node_id}")
    before = [each[0].origin for each in chains(node_id)]
    if known[-1].origin == before[-1]:
        raise CardUnfit(
            f"{node_id} is pinned with this very fingerprint; its new card needs no pinning: `corridor peer take CARD`"
        )
    lost = {key for each in chains(node_id) for card in each for key in card.keys.all}
    if known[-1].origin in before or any(card.keys.all & lost for card in known):
        raise CardUnfit(
            f"a key on this card of {node_id} was pinned before. Keys of a partner that is pinned anew never count "
            "again; it makes four new ones"
        )
    return known


def _compared(document: bytes, fingerprint: str) -> tuple[Card, ...]:
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
    return known


def register_pinning() -> None:
    """Announce the steps that two persons decide."""
    register_approval(PIN, permission=PERMISSION, execute=pin, describe=_describe_pinning)
    register_approval(PIN_ANEW, permission=PERMISSION, execute=pin_anew, describe=_describe_pinning_anew)


def _describe_pinning(arguments: dict[str, Any]) -> str:
    return _("Pin %(name)s (%(node)s) as a partner, fingerprint %(fingerprint)s") % _named(arguments)


def _describe_pinning_anew(arguments: dict[str, Any]) -> str:
    return _(
        "Pin %(name)s (%(node)s) anew, since it lost all its keys: fingerprint %(fingerprint)s. "
        "Agreements with it have to be signed anew."
    ) % _named(arguments)


def _named(arguments: dict[str, Any]) -> dict[str, str]:
    card = cards.read_card(unb64(arguments["document"]))
    return {"name": isolated(card.legal_entity), "node": card.id, "fingerprint": cards.fingerprint(card)}
