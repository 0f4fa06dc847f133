"""How each partner stands: pinned, paused or revoked, reachable, whose keys may call; and pausing it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask, register_approval
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import InputFault
from corridor.exchange.models import LogTree, Partner
from corridor.exchange.services import log
from corridor.exchange.services.partners.chains import NoSuchPartner, chain, transport_keys, valid_cards

RESUME = "exchange.resume-partner"
PERMISSION = "exchange.pin_partner"


class NotPaused(InputFault):
    """There is no pause to lift."""

    code = "not-paused"


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


@write("exchange.pause_partner", subject="node_id")
def pause(node_id: str, *, reason: str, actor: Actor, now: datetime) -> None:
    """Stop all exchange with a partner until `resume`; what waits stays queued."""
    require(actor, PERMISSION)
    partner = lock_partner(node_id)
    partner.state, partner.state_reason = Partner.State.PAUSED, reason[:500]
    partner.save(update_fields=["state", "state_reason"])
    log.append(
        log.lock_tree(LogTree.Kind.PARTNER, subject=node_id, now=now), [log.record("paused", now=now, node=node_id)]
    )


def ask_to_resume(node_id: str, *, actor: Actor, now: datetime) -> Outcome:
    """Ask that the pause of a partner be lifted; a second person allows it.

    Raises
    ------
    NotPaused
    """
    _check_paused(Partner.objects.filter(node_id=node_id).first(), node_id)
    return ask(RESUME, {"node_id": node_id}, actor=actor, now=now)


@write("exchange.resume_partner", subject="node_id")
def resume(*, node_id: str, actor: Actor, first: Actor, now: datetime) -> None:
    """Lift a pause. A partner whose keys are revoked stays revoked.

    Raises
    ------
    NotPaused
    """
    partner = lock_partner(node_id)
    _check_paused(partner, node_id)
    note(first=actor_name(first), second=actor_name(actor))
    partner.state, partner.state_reason = Partner.State.PINNED, ""
    partner.save(update_fields=["state", "state_reason"])
    judge_partner(node_id)
    log.append(
        log.lock_tree(LogTree.Kind.PARTNER, subject=node_id, now=now),
        [log.record("resumed", now=now, node=node_id)],
    )


def _check_paused(partner: Partner | None, node_id: str) -> None:
    if partner is None or partner.state != Partner.State.PAUSED:
        raise NotPaused(f"{node_id} is no paused partner. `corridor peer list` shows how each stands.")


def judge_partner(node_id: str) -> None:
    """Mark a partner as revoked if its latest card is, and as pinned again once it is reinstated or succeeded."""
    is_valid = chain(node_id)[-1] in valid_cards(node_id)
    wanted = Partner.State.PINNED if is_valid else Partner.State.REVOKED
    Partner.objects.filter(node_id=node_id).exclude(state=Partner.State.PAUSED).update(state=wanted)


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


def register_resuming() -> None:
    """Announce the step that two persons decide."""
    register_approval(RESUME, permission=PERMISSION, execute=resume, describe=_describe_resuming)


def _describe_resuming(arguments: dict[str, Any]) -> str:
    return _("Go on with exchange with %(node)s, which was paused") % {"node": arguments["node_id"]}
