"""What a partner hands over as a file when its transport key is gone: a card, a revocation, a reinstatement.

Each is signed by keys that were pinned, so the way it came proves nothing and need not. What only halts takes one
person, as if the partner's node had sent it; what brings a revoked partner back takes two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask, isolated, register_approval
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import InputFault
from corridor.exchange.models import Partner
from corridor.exchange.rules import card as cards
from corridor.exchange.rules.canonical import NotCanonical, b64, parse_canonical, unb64
from corridor.exchange.rules.card import Card
from corridor.exchange.rules.jws import Malformed
from corridor.exchange.services.partners.chains import NoSuchPartner, chain, revoked_cards
from corridor.exchange.services.partners.revocations import read_key_statement, record_revocation
from corridor.exchange.services.partners.standing import PERMISSION, lock_partner
from corridor.exchange.services.partners.successors import read_successor, record_successor

BRING_BACK = "exchange.bring-partner-back"


class NothingNew(InputFault):
    """A file says what is known here already."""

    code = "nothing-new"


@dataclass(frozen=True, slots=True)
class _Handed:
    """A verified file of a pinned partner.

    Attributes
    ----------
    successors : tuple of Card
        The cards in it that are not known here.
    statement : bytes
        A revocation or reinstatement; empty for a file of cards.
    """

    node: str
    successors: tuple[Card, ...] = ()
    statement: bytes = b""
    brings_back: bool = False


def ask_to_take(document: bytes, *, actor: Actor, now: datetime) -> Outcome:
    """Take a partner's file; if it brings a revoked partner back, only after a second person allows it.

    Parameters
    ----------
    document : bytes
        The output of `corridor node card`, `revoke-keys` or `reinstate-keys` at the partner's node.

    Raises
    ------
    Malformed, BadSignature, BrokenChain
        If it is no such file, or does not follow from what is pinned.
    NoSuchPartner, NothingNew
    """
    require(actor, PERMISSION)
    handed = _read(document)
    if handed.brings_back:
        return ask(BRING_BACK, {"document": b64(document)}, actor=actor, now=now)
    return Outcome(done=True, request_id=None, result=_take(document, actor=actor, now=now))


@write("exchange.take_partner_file")
def _take(document: bytes, *, actor: Actor, now: datetime) -> str:
    """Record what a file says; return the partner's id."""
    del actor
    return _record(document, now=now)


@write("exchange.bring_partner_back")
def bring_back(*, document: str, actor: Actor, first: Actor, now: datetime) -> str:
    """Record the card or reinstatement in `document` (base64url), by which a revoked partner exchanges again."""
    note(first=actor_name(first), second=actor_name(actor))
    return _record(unb64(document), now=now)


def _record(document: bytes, *, now: datetime) -> str:
    lock_partner(_node_of(document))
    handed = _read(document)
    note(node=handed.node, cards=len(handed.successors))
    for card in handed.successors:
        record_successor(card, now=now)
    if handed.statement:
        record_revocation(handed.statement, node_id=handed.node, now=now)
    # What failed to reach the partner while it was away says nothing of now.
    Partner.objects.filter(node_id=handed.node).update(circuit_open_until_at=None)
    return handed.node


def _read(document: bytes) -> _Handed:
    node = _node_of(document)
    if not Partner.objects.filter(node_id=node).exists():
        raise NoSuchPartner(
            f"this is a file of {node}, which is no pinned partner. Pin its card first: `corridor peer add CARD "
            "--fingerprint …`"
        )
    known = chain(node)
    if "statement" in _parsed(document):
        statement = read_key_statement(document.strip(), node_id=node)
        if statement.is_known:
            raise NothingNew(f"what this file says of the keys of {node} is recorded here already")
        return _Handed(node, statement=statement.signed, brings_back=statement.lifts is not None)
    given = cards.read_chain(document.strip())
    if cards.fingerprint(given[0]) != cards.fingerprint(known[0]):
        raise cards.BrokenChain(
            f"this card of {node} has fingerprint {cards.fingerprint(given[0])}; {cards.fingerprint(known[0])} is "
            "pinned. Only if the partner lost all its keys is it pinned anew, by its new fingerprint: `corridor peer "
            "add CARD --fingerprint … --anew`"
        )
    if given[: len(known)] != known[: len(given)]:
        raise cards.BrokenChain(
            f"the cards of {node} in this file part from those that are pinned: one of the two was made by somebody "
            "who holds its keys. Pause the partner and telephone; if its keys were stolen, pin it anew."
        )
    if len(given) <= len(known):
        raise NothingNew(f"card {given[-1].serial} of {node} is pinned here already")
    successors = given[len(known) :]
    grown = known
    for card in successors:
        grown = (*grown, read_successor(card.signed, grown))
    return _Handed(node, successors=successors, brings_back=known[-1].hash in _not_counting(node, known))


def _not_counting(node: str, known: tuple[Card, ...]) -> set[str]:
    counting = cards.counting(known, revoked=revoked_cards(node))
    return {card.hash for card in known if card not in counting}


def _parsed(document: bytes) -> dict[str, Any]:
    try:
        value = parse_canonical(document.strip())
    except NotCanonical as fault:
        raise Malformed(f"a card, revocation or reinstatement is a canonical JSON document; {fault}") from fault
    if not isinstance(value, dict):
        raise Malformed("a card, revocation or reinstatement is a JSON object")
    return value


def _node_of(document: bytes) -> str:
    """Return the node that a file says it is of; what is signed in it is verified afterwards."""
    value = _parsed(document)
    statement = value.get("statement")
    node = statement.get("node") if isinstance(statement, dict) else None
    return str(node) if node is not None else cards.read_chain(document.strip())[-1].id


def register_bringing_back() -> None:
    """Announce the step that two persons decide."""
    register_approval(BRING_BACK, permission=PERMISSION, execute=bring_back, describe=_describe)


def _describe(arguments: dict[str, Any]) -> str:
    document = unb64(arguments["document"])
    node = _node_of(document)
    partner = Partner.objects.filter(node_id=node).first()
    named = {"name": isolated(partner.name if partner else node), "node": node}
    if "statement" in _parsed(document):
        return _("Take back the revocation of the keys of %(name)s (%(node)s), as its recovery key says") % named
    return _("Exchange again with %(name)s (%(node)s), by the new keys that its recovery key signed") % named
