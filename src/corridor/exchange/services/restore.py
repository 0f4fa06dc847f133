"""Come back from a backup: sign nothing, find out, let two persons open a new epoch; welcome partners back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.approvals import Outcome, ask, register_approval
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import CorridorError, Refused
from corridor.exchange import registry
from corridor.exchange.messages import RestoreNotice, ReturnedCrossing
from corridor.exchange.models import (
    Crossing,
    ExportCounter,
    LogTree,
    Node,
    OutboxEntry,
    Partner,
    PeerCheckpoint,
)
from corridor.exchange.rules import control
from corridor.exchange.rules.canonical import b64, sha256_hex, unb64
from corridor.exchange.rules.envelope import Unpacked, unpack
from corridor.exchange.rules.reasons import Reason
from corridor.exchange.rules.reasons import Refused as RefusedEnvelope
from corridor.exchange.rules.receipt import Receipt, read_receipt
from corridor.exchange.services import log, release
from corridor.exchange.services.outbox import own_transport_keys, send_control
from corridor.exchange.services.partners import lock_partner, transport_keys
from corridor.exchange.services.swaps import BeyondOurLog, log_keys_of

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
                "epoch": node.epoch,
                "signed": fault.checkpoint.signed,
                "received_from": fault.from_node,
                "received_at": now,
            },
        )
        if node.state == Node.State.RUNNING:
            node.state, node.state_reason, node.state_since_at = Node.State.RECOVERING, str(fault), now
            node.save(update_fields=["state", "state_reason", "state_since_at"])


def ask_to_open_epoch(*, actor: Actor, now: datetime) -> Outcome:
    """Ask that the node go on from its backup in a new epoch; a second person allows it.

    Raises
    ------
    NotRecovering
    """
    node = log.own_node()
    if node.state != Node.State.RECOVERING:
        raise NotRecovering("no partner showed a checkpoint beyond this node's log; there is nothing to recover from")
    return ask(OPEN_EPOCH, {"epoch": node.epoch + 1}, actor=actor, now=now)


@write("exchange.open_epoch")
def open_epoch(*, epoch: int, actor: Actor, first: Actor, now: datetime) -> None:
    """Open a new epoch: each tree begins anew with a leaf that names the restored and the lost checkpoint.

    Counters and budgets cannot be rebuilt from what partners return, so they are closed for the year.

    Raises
    ------
    NotRecovering
        If the node is not recovering, or the epoch was opened already.
    """
    node = Node.objects.select_for_update().get()
    if node.state != Node.State.RECOVERING or epoch != node.epoch + 1:
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
    ExportCounter.objects.update(is_closed=True)
    notice = RestoreNotice(epoch=epoch, origins=tuple(origins), restored=tuple(restored), lost=tuple(lost))
    for partner in Partner.objects.all():
        # What this node would now sign again may be with the partner already: its own list of what it holds decides.
        OutboxEntry.objects.filter(to_node=partner.node_id, is_undeliverable=False).update(due_at=now)
        send_control(notice, to=partner.node_id, actor=actor, now=now)
    Partner.objects.update(confirmed_at=now)
    note(epoch=epoch, trees=len(old), first=actor_name(first))


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
    again = _send_again(notice, node_id, now=now)
    returned = _return_theirs(notice, node_id, actor=actor, now=now)
    note(again=again, returned=returned, epoch=partner.epoch)
    return again + returned


def _restored_sizes(notice: RestoreNotice, node_id: str) -> dict[str, int]:
    """Return, per origin of the partner's old epoch, up to which size its log came back."""
    sizes = {}
    for origin, signed in zip(notice.origins, notice.restored, strict=True):
        try:
            sizes[origin] = control.read_checkpoint_by(unb64(signed), log_keys=log_keys_of(node_id), node=node_id).size
        except CorridorError:
            sizes[origin] = 0
    return sizes


def _send_again(notice: RestoreNotice, node_id: str, *, now: datetime) -> int:
    """Queue again what the partner had receipted beyond what it has; it takes effect there once, under its old id."""
    sizes, keys = _restored_sizes(notice, node_id), transport_keys(node_id)
    again = []
    rows = Crossing.objects.filter(direction=Crossing.Direction.OUT, to_node=node_id).exclude(receipt=b"")
    for crossing in rows.iterator():
        receipt = read_receipt(bytes(crossing.receipt), keys=keys)
        if receipt.index >= sizes.get(receipt.origin, 0) and receipt.epoch < notice.epoch:
            again.append(crossing)
    for crossing in again:
        crossing.lost_receipt, crossing.receipt = crossing.receipt, b""
        crossing.status, crossing.settled_at = Crossing.Status.QUEUED, None
        crossing.save(update_fields=["lost_receipt", "receipt", "status", "settled_at"])
        OutboxEntry.objects.create(crossing=crossing, to_node=node_id, queued_at=now, due_at=now)
    return len(again)


def _return_theirs(notice: RestoreNotice, node_id: str, *, actor: Actor, now: datetime) -> int:
    """Return the partner's own envelopes, with our receipts, that came after the last checkpoint it still has."""
    sizes = _restored_sizes(notice, node_id)
    since = [
        row.received_at
        for origin, size in sizes.items()
        for row in PeerCheckpoint.objects.filter(node_id=node_id, origin=origin, size__lte=size).order_by("size")[:1]
    ]
    rows = Crossing.objects.filter(direction=Crossing.Direction.IN, from_node=node_id).order_by("pk")
    if since and len(since) == len(sizes):
        rows = rows.filter(recorded_at__gte=min(since))
    count = 0
    for crossing in rows.exclude(reason=Reason.ID_REUSED).iterator():
        returned = ReturnedCrossing(token=bytes(crossing.token).decode(), receipt=bytes(crossing.receipt).decode())
        send_control(returned, to=node_id, actor=actor, now=now)
        count += 1
    return count


def accept_returned(returned: ReturnedCrossing, *, from_node: str, now: datetime) -> None:
    """Take back an envelope of our own that we lost, with its receipt; one that is still here changes nothing."""
    own = log.own_node()
    unpacked = unpack(returned.token.encode(), keys=own_transport_keys(own.node_id), sender=own.node_id)
    receipt = read_receipt(returned.receipt.encode(), keys=transport_keys(from_node))
    if receipt.envelope_hash != unpacked.token_hash or unpacked.header.to != from_node or receipt.node != from_node:
        raise RefusedEnvelope(Reason.MALFORMED)
    known = Crossing.objects.filter(
        direction=Crossing.Direction.OUT, envelope_id=unpacked.header.id, to_node=from_node
    ).first()
    if known is not None:
        _settle_known(known, receipt, now=now)
        return
    _insert_returned(returned.token.encode(), unpacked, receipt, now=now)


def _settle_known(known: Crossing, receipt: Receipt, *, now: datetime) -> None:
    if known.status != Crossing.Status.QUEUED or known.token_hash != receipt.envelope_hash:
        return
    known.status, known.reason = receipt.outcome, receipt.reason or ""
    known.receipt, known.settled_at = receipt.signed, now
    known.save(update_fields=["status", "reason", "receipt", "settled_at"])
    OutboxEntry.objects.filter(crossing=known).delete()


def _insert_returned(token: bytes, unpacked: Unpacked, receipt: Receipt, *, now: datetime) -> None:
    header = unpacked.header
    head = log.lock_tree(LogTree.Kind.PARTNER, subject=header.to, now=now)
    (leaf,) = log.append(
        head,
        [
            log.record(
                "returned", now=now, envelope=unpacked.token_hash, id=header.id, receipt=sha256_hex(receipt.signed)
            )
        ],
    )
    crossing = Crossing.objects.create(
        direction=Crossing.Direction.OUT,
        envelope_id=header.id,
        from_node=header.from_,
        to_node=header.to,
        agreement_hash=header.agreement,
        channel=header.channel,
        schema=header.schema,
        purpose=header.purpose,
        data_class=str(header.data_class),
        persons=header.persons,
        status=receipt.outcome,
        reason=receipt.reason or "",
        token_hash=unpacked.token_hash,
        token=token,
        receipt=receipt.signed,
        tree=head,
        leaf_index=leaf.index,
        created_at=header.created_at,
        recorded_at=now,
        settled_at=now,
        actor="returned by the partner",
    )
    kind = registry.message_type(header.schema)
    if kind is not None and unpacked.body is not None:
        # The partner holds these figures, so the release ledger must know them again.
        release.record(kind.from_bytes(unpacked.body), header=header, crossing=crossing)


def register_approvals() -> None:
    """Announce what two persons decide about a restore."""
    register_approval(OPEN_EPOCH, permission="exchange.restore", execute=open_epoch, describe=_describe_epoch)


def _describe_epoch(arguments: dict[str, Any]) -> str:
    return _("Go on from the backup in epoch %(epoch)d of the log; partners return what was lost") % {
        "epoch": arguments["epoch"]
    }
