"""Pin a partner: its card, the fingerprint that it told by another way, two persons of this node."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask, isolated, register_approval
from corridor.accounts.transactions import note, write
from corridor.base.errors import Refused
from corridor.exchange.models import CardVersion, LogTree, Partner
from corridor.exchange.rules import card as cards
from corridor.exchange.rules.canonical import b64, unb64
from corridor.exchange.rules.card import Card
from corridor.exchange.services import log
from corridor.exchange.services.partners.chains import current_card

PIN = "exchange.pin-partner"


class WrongFingerprint(Refused):
    """A card has another fingerprint than the one that was compared."""

    code = "wrong-fingerprint"


class CardUnfit(Refused):
    """A card cannot be pinned here: it is our own, already pinned, or from a demonstration."""

    code = "card-unfit"


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


def register_pinning() -> None:
    """Announce the step that two persons decide."""
    register_approval(PIN, permission="exchange.pin_partner", execute=pin, describe=_describe_pinning)


def _describe_pinning(arguments: dict[str, Any]) -> str:
    card = cards.read_card(unb64(arguments["document"]))
    return _("Pin %(name)s (%(node)s) as a partner, fingerprint %(fingerprint)s") % {
        "name": isolated(card.legal_entity),
        "node": card.id,
        "fingerprint": cards.fingerprint(card),
    }
