"""Come back from a backup: sign nothing, find out, let two persons open a new epoch; welcome partners back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask, register_approval
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import Refused
from corridor.exchange.messages import RestoreNotice
from corridor.exchange.models import (
    LogTree,
    Node,
    OutboxEntry,
    Partner,
    PeerCheckpoint,
)
from corridor.exchange.rules.canonical import b64
from corridor.exchange.rules.reasons import Reason
from corridor.exchange.rules.reasons import Refused as RefusedEnvelope
from corridor.exchange.services import counters, log, returns
from corridor.exchange.services.outbox import send_control
from corridor.exchange.services.partners import lock_partner
from corridor.exchange.services.swaps import BeyondOurLog, parts_of

OPEN_EPOCH = "exchange.open-epoch"


class NotRecovering(Refused):
    """The node did not come back from a backup, as far as its partners showed."""

    code = "not-recovering"


class NothingToConfirm(Refused):
    """The partner told of no restore that waits for a yes."""

    code = "nothing-to-confirm"


def start(*, now: datetime) -> None:
    """Ask every partner, when the processes start, to show what it holds before anything is exchanged with it."""
    with transaction.atomic():
        Partner.objects.update(confirmed_at=None)
        Node.objects.filter(verified_at__isnull=True).update(state_since_at=now)


def mark_put_back(*, now: datetime) -> None:
    """Begin anew after a backup was put back; no figure leaves before every partner has shown what it holds."""
    start(now=now)
    returns.expect_all()


def confirm_contact(peer: str, *, now: datetime) -> None:
    """Note that `peer` showed what it holds, and that our log extends it."""
    Partner.objects.filter(node_id=peer, confirmed_at__isnull=True).update(confirmed_at=now)


def begin(fault: BeyondOurLog, *, now: datetime) -> None:
    """Stop signing: a partner showed a checkpoint of ours beyond our log. It is kept, to be named in the new epoch."""
    with transaction.atomic():
        node = Node.objects.select_for_update().get()
        PeerCheckpoint.objects.get_or_create(
            origin=fault.checkpoint.origin,
            size=fault.checkpoint.size,
            root=fault.checkpoint.root,
            defaults={
                "node_id": node.node_id,
                "epoch": parts_of(fault.checkpoint.origin)[2],
                "signed": fault.checkpoint.signed,
                "received_from": fault.from_node,
                "received_at": now,
            },
        )
        if node.state == Node.State.RUNNING:
            node.state, node.state_reason, node.state_since_at = Node.State.RECOVERING, str(fault), now
            node.save(update_fields=["state", "state_reason", "state_since_at"])
        returns.expect_unheard(beyond=fault.from_node)


def ask_to_open_epoch(*, actor: Actor, now: datetime) -> Outcome:
    """Ask that the node go on from its backup in a new epoch; a second person allows it.

    Raises
    ------
    NotRecovering
    """
    node = log.own_node()
    if node.state != Node.State.RECOVERING:
        raise NotRecovering("no partner showed a checkpoint beyond this node's log; there is nothing to recover from")
    return ask(OPEN_EPOCH, {"epoch": _next_epoch(node)}, actor=actor, now=now)


def _next_epoch(node: Node) -> int:
    """Return the first epoch of which no partner has seen anything; a backup may be from before an earlier restore."""
    seen = PeerCheckpoint.objects.filter(node_id=node.node_id).aggregate(latest=Max("epoch"))["latest"] or 0
    return max(node.epoch, seen) + 1


@write("exchange.open_epoch")
def open_epoch(*, epoch: int, actor: Actor, first: Actor, now: datetime) -> None:
    """Open a new epoch: each tree begins anew with a leaf that names the restored and the lost checkpoint.

    Counters of persons whose data was sent are closed until partners have returned what they hold.

    Raises
    ------
    NotRecovering
        If the node is not recovering, or the epoch was opened already.
    """
    node = Node.objects.select_for_update().get()
    if node.state != Node.State.RECOVERING or epoch != _next_epoch(node):
        raise NotRecovering("the epoch was opened already, or this node is not recovering")
    old = list(LogTree.objects.filter(epoch=node.epoch).order_by("kind", "subject"))
    node.epoch, node.state, node.state_reason, node.state_since_at = epoch, Node.State.RUNNING, "", now
    node.save(update_fields=["epoch", "state", "state_reason", "state_since_at"])
    origins, restored, lost = [], [], []
    for head in old:
        gone = PeerCheckpoint.objects.filter(node_id=node.node_id, origin=head.origin).order_by("size").last()
        opening = log.record(
            "epoch",
            now=now,
            epoch=epoch,
            origin=head.origin,
            restored=_text(bytes(head.checkpoint)),
            lost=_text(bytes(gone.signed) if gone else b""),
            people=[actor_name(first), actor_name(actor)],
        )
        log.append(log.open_tree(head, epoch=epoch), [opening])
        if head.kind != LogTree.Kind.AUDIT:
            origins.append(head.origin)
            restored.append(b64(bytes(head.checkpoint)))
            lost.append(b64(bytes(gone.signed) if gone else b""))
    counters.close_sent()
    notice = RestoreNotice(epoch=epoch, origins=tuple(origins), restored=tuple(restored), lost=tuple(lost))
    for partner in Partner.objects.all():
        # What this node would now sign again may be with the partner already: its own list of what it holds decides.
        OutboxEntry.objects.filter(to_node=partner.node_id, is_undeliverable=False).update(due_at=now)
        send_control(notice, to=partner.node_id, actor=actor, now=now)
    owing = returns.expect_returns()
    Partner.objects.update(confirmed_at=now)
    note(epoch=epoch, trees=len(old), owing=owing, first=actor_name(first))


def _text(signed: bytes) -> str:
    return signed.decode() if signed else ""


def accept_notice(notice: RestoreNotice, *, from_node: str, now: datetime) -> None:
    """Keep a partner's notice that it came back in a new epoch; an officer of this node confirms it."""
    partner = lock_partner(from_node)
    if notice.epoch <= partner.epoch:
        raise RefusedEnvelope(Reason.UNKNOWN_SUBJECT)
    partner.restore_epoch, partner.restore_notice = notice.epoch, notice.to_bytes()
    partner.restore_told_at = now
    partner.save(update_fields=["restore_epoch", "restore_notice", "restore_told_at"])


@write("exchange.confirm_restore", subject="node_id")
def confirm_restore(node_id: str, *, actor: Actor, now: datetime) -> int:
    """Welcome a partner back: from now on its new epoch counts, and what it lost is returned to it.

    Returns
    -------
    int
        How many of our envelopes are sent again and how many of its own are returned, together.

    Raises
    ------
    NothingToConfirm
    """
    require(actor, "exchange.confirm_restore")
    partner = lock_partner(node_id)
    if partner.restore_epoch is None:
        raise NothingToConfirm(f"{node_id} told of no restore that waits for a yes")
    notice = RestoreNotice.from_bytes(bytes(partner.restore_notice))
    partner.epoch, partner.restore_epoch = partner.restore_epoch, None
    partner.save(update_fields=["epoch", "restore_epoch"])
    log.append(
        log.lock_tree(LogTree.Kind.PARTNER, subject=node_id, now=now),
        [log.record("partner_epoch", now=now, node=node_id, epoch=partner.epoch, by=actor_name(actor))],
    )
    again, returned = returns.begin(partner, notice, actor=actor, now=now)
    note(again=again, returned=returned, epoch=partner.epoch)
    return again + returned


def register_approvals() -> None:
    """Announce what two persons decide about a restore."""
    register_approval(OPEN_EPOCH, permission="exchange.restore", execute=open_epoch, describe=_describe_epoch)


def _describe_epoch(arguments: dict[str, Any]) -> str:
    return _("Go on from the backup in epoch %(epoch)d of the log; partners return what was lost") % {
        "epoch": arguments["epoch"]
    }
