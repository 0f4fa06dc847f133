"""Open a dispute where a partner's statements do not agree, which halts exchange; close it by two persons."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask, register_approval
from corridor.accounts.transactions import note, write
from corridor.base.errors import InputFault
from corridor.exchange.models import Dispute, LogTree
from corridor.exchange.rules import control
from corridor.exchange.rules.keys import thumbprint
from corridor.exchange.services import log
from corridor.exchange.services.partners import chain, lock_partner

CLOSE = "exchange.close-dispute"


class NoSuchDispute(InputFault):
    """No open dispute has that number."""

    code = "no-such-dispute"


def open_dispute(
    peer: str,
    exhibit: control.Exhibit | None,
    *,
    origin: str,
    agreement_hash: str,
    now: datetime,
    finding: str = "",
) -> Dispute:
    """Open a dispute with a partner, proved if the exhibit proves it; it halts exchange under that agreement.

    Parameters
    ----------
    exhibit : Exhibit or None
        None where nothing is at hand that others could judge.
    agreement_hash : str
        First version of the agreement; empty halts exchange under every agreement with the partner.
    """
    kind, stored = Dispute.Kind.UNPROVEN, b""
    if exhibit is not None:
        cards = chain(peer)
        verdict = control.judge(
            exhibit,
            node=peer,
            log_keys=[card.keys.log for card in cards],
            transport_keys={thumbprint(card.keys.transport): card.keys.transport for card in cards},
        )
        stored, finding = control.exhibit_bytes(exhibit), verdict.finding
        if isinstance(verdict, control.Proof):
            kind = Dispute.Kind(verdict.kind.value)
    partner = lock_partner(peer)
    dispute, created = Dispute.objects.get_or_create(
        partner=partner,
        origin=origin,
        kind=kind,
        closed_at=None,
        defaults={
            "agreement_hash": agreement_hash,
            "detail": {"finding": finding},
            "evidence": stored,
            "opened_at": now,
        },
    )
    if created:
        log.append(
            log.lock_tree(LogTree.Kind.PARTNER, subject=peer, now=now),
            [log.record("dispute", now=now, node=peer, origin=origin, dispute=kind.value, finding=finding)],
        )
    return dispute


def ask_to_close(number: int, *, closing_note: str, actor: Actor, now: datetime) -> Outcome:
    """Ask that an open dispute be closed; a second person allows it.

    Raises
    ------
    NoSuchDispute
    """
    _open(number)
    return ask(CLOSE, {"number": number, "closing_note": closing_note}, actor=actor, now=now)


@write("exchange.close_dispute", subject="number")
def close(*, number: int, closing_note: str, actor: Actor, first: Actor, now: datetime) -> None:
    """Close a dispute with what was found; it stays in the log.

    Raises
    ------
    NoSuchDispute
    """
    dispute = _open(number)
    dispute.closed_at, dispute.closed_by = now, f"{actor_name(first)}, {actor_name(actor)}"
    dispute.closing_note = closing_note
    dispute.save(update_fields=["closed_at", "closed_by", "closing_note"])
    log.append(
        log.lock_tree(LogTree.Kind.PARTNER, subject=dispute.partner.node_id, now=now),
        [log.record("dispute_closed", now=now, node=dispute.partner.node_id, origin=dispute.origin)],
    )
    note(first=actor_name(first))


def _open(number: int) -> Dispute:
    dispute = Dispute.objects.select_related("partner").filter(pk=number, closed_at=None).first()
    if dispute is None:
        raise NoSuchDispute(f"no open dispute has the number {number}; the page of partners lists them")
    return dispute


def register_approvals() -> None:
    """Announce what two persons decide about disputes."""
    register_approval(CLOSE, permission="exchange.close_dispute", execute=close, describe=_describe)


def _describe(arguments: dict[str, Any]) -> str:
    return _("Close dispute %(number)d: %(note)s") % {
        "number": arguments["number"],
        "note": arguments["closing_note"],
    }
