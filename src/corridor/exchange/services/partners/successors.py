"""Cards that succeed a pinned one, and the address on them, which two persons put in use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask, register_approval
from corridor.accounts.transactions import note, write
from corridor.exchange.messages import CardAnnouncement
from corridor.exchange.models import CardVersion, LogTree, Partner
from corridor.exchange.rules import card as cards
from corridor.exchange.rules.canonical import unb64
from corridor.exchange.rules.card import Card
from corridor.exchange.services import log
from corridor.exchange.services.partners.chains import chain, chains, current_card, revoked_cards
from corridor.exchange.services.partners.pinning import CardUnfit
from corridor.exchange.services.partners.standing import PERMISSION, judge_partner, lock_partner

CHANGE_URL = "exchange.change-partner-url"


def accept_card(announced: CardAnnouncement, *, from_node: str, now: datetime) -> None:
    """Take a partner's new card, if it succeeds the one that is pinned; another address waits for two persons.

    Raises
    ------
    BrokenChain, BadSignature, Malformed
        As `card.read_rotation`.
    """
    document = unb64(announced.card)
    known = chain(from_node)
    if document not in {card.signed for card in known}:
        record_successor(read_successor(document, known), now=now)


def read_successor(document: bytes, known: Sequence[Card]) -> Card:
    """Return the card that succeeds a chain known here and brings no revoked key back.

    Raises
    ------
    BrokenChain, BadSignature, Malformed
    """
    card = cards.read_rotation(document, known[-1])
    cards.check_new_keys(card, known, revoked=revoked_cards(card.id))
    return card


def record_successor(card: Card, *, now: datetime) -> None:
    """Store the verified successor of a partner's card and log it; if its keys count, so does the partner again."""
    partner = lock_partner(card.id)
    changed_url = card.url != partner.url
    CardVersion.objects.create(
        node_id=card.id,
        chain=len(chains(card.id)),
        serial=card.serial,
        signed=card.signed,
        is_pending=changed_url,
        recorded_at=now,
    )
    partner.name = card.legal_entity
    partner.save(update_fields=["name"])
    judge_partner(card.id)
    log.append(
        log.lock_tree(LogTree.Kind.PARTNER, subject=card.id, now=now),
        [log.record("card", now=now, node=card.id, card=card.hash, serial=card.serial, url_waits=changed_url)],
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


def register_change_of_url() -> None:
    """Announce the step that two persons decide."""
    register_approval(CHANGE_URL, permission=PERMISSION, execute=change_url, describe=_describe_url)


def _describe_url(arguments: dict[str, Any]) -> str:
    return _("Reach %(node)s at the address %(url)s from now on") % {
        "node": arguments["node_id"],
        "url": arguments["url"],
    }
