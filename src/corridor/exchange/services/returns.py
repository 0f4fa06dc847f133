"""What is returned after a restore: a partner sends again what it had sent and gives back what it had received.

The node that came back cannot know what it had told: its figures wait (`release.owing`) until every partner that may
hold something has returned it, or two persons went on without that partner.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, Peer, actor_name
from corridor.accounts.approvals import Outcome, ask, isolated, register_approval
from corridor.accounts.transactions import note, write
from corridor.base.errors import CorridorError, Refused
from corridor.exchange import registry
from corridor.exchange.messages import Message, RestoreNotice, ReturnComplete, ReturnedCrossing
from corridor.exchange.models import Crossing, LogTree, OutboxEntry, Partner, PeerCheckpoint
from corridor.exchange.rules import control
from corridor.exchange.rules.canonical import sha256_hex, unb64
from corridor.exchange.rules.envelope import Unpacked, unpack
from corridor.exchange.rules.jws import key_of
from corridor.exchange.rules.keys import thumbprint
from corridor.exchange.rules.reasons import Reason
from corridor.exchange.rules.reasons import Refused as RefusedEnvelope
from corridor.exchange.rules.receipt import Receipt, read_receipt
from corridor.exchange.services import counters, log, release, settling
from corridor.exchange.services.outbox import send_control
from corridor.exchange.services.partners import (
    chain,
    every_transport_key,
    lock_partner,
    log_keys_of,
    transport_keys,
)

FORGO = "exchange.forgo-returns"


class NothingOwed(Refused):
    """No return of the partner's is waited for."""

    code = "nothing-owed"


def expect_all() -> None:
    """Wait for every partner: a backup was put back, and each may hold what is not in it."""
    Partner.objects.update(owed=Partner.Owed.UNHEARD)


def expect_unheard(*, beyond: str) -> None:
    """Wait for `beyond`, which holds more than our log, and for all that have shown nothing since the start."""
    Partner.objects.filter(Q(confirmed_at=None) | Q(node_id=beyond)).update(owed=Partner.Owed.UNHEARD)


def heard(peer: str) -> None:
    """Wait no longer for a partner that showed, before a new epoch was opened, that our log extends all it holds.

    Whoever received an envelope of ours received with it a checkpoint that contains it, so it holds none that we lost.
    """
    Partner.objects.filter(node_id=peer, owed=Partner.Owed.UNHEARD).update(owed=Partner.Owed.NOTHING)


def expect_returns() -> list[str]:
    """Wait for the returns of all that hold more than the log from which the new epoch starts; return who they are."""
    Partner.objects.filter(owed=Partner.Owed.UNHEARD).update(owed=Partner.Owed.RETURNS)
    return release.owing()


def begin(partner: Partner, notice: RestoreNotice, *, actor: Actor, now: datetime) -> tuple[int, int]:
    """Send a partner again what it lost of ours, and return to it what it lost of its own.

    Returns
    -------
    (int, int)
        How many envelopes are sent again, and how many are returned.
    """
    sizes = _restored_sizes(notice, partner.node_id)
    # Its own come first: what we sent may answer a proposal of its own. What is too early of these comes again later.
    lost = _lost_by(partner.node_id, notice, sizes=sizes)
    returned = _return_theirs(lost, partner.node_id, actor=actor, now=now)
    again = _send_again(notice, partner.node_id, sizes=sizes, now=now)
    # No end is told where something was deleted here that the partner had sent: that cannot be returned any more.
    partner.returning_epoch = None if lost.filter(token=b"").exists() else notice.epoch
    partner.save(update_fields=["returning_epoch"])
    tell_if_complete(partner, actor=actor, now=now)
    return again, returned


def tell_if_complete(partner: Partner, *, actor: Actor, now: datetime) -> None:
    """Tell a partner to which envelopes are returned, once each of them has its receipt, that this was all."""
    if partner.returning_epoch is None or _returned_to(partner.node_id).exists():
        return
    send_control(ReturnComplete(epoch=partner.returning_epoch), to=partner.node_id, actor=actor, now=now)
    partner.returning_epoch = None
    partner.save(update_fields=["returning_epoch"])


def _returned_to(node_id: str) -> Any:
    return OutboxEntry.objects.filter(to_node=node_id, crossing__schema=ReturnedCrossing.schema_id())


def _restored_sizes(notice: RestoreNotice, node_id: str) -> dict[str, int]:
    """Return, per origin of the partner's old epoch, up to which size its log came back."""
    sizes = {}
    for origin, signed in zip(notice.origins, notice.restored, strict=True):
        try:
            sizes[origin] = control.read_checkpoint_by(unb64(signed), log_keys=log_keys_of(node_id), node=node_id).size
        except CorridorError:
            sizes[origin] = 0
    return sizes


def _send_again(notice: RestoreNotice, node_id: str, *, sizes: dict[str, int], now: datetime) -> int:
    """Queue again what the partner had receipted beyond what it has; it takes effect there once, under its old id."""
    # What was sent under a chain that was pinned before is not restored: nobody has the keys of it any more.
    keys = {thumbprint(card.keys.transport): card.keys.transport for card in chain(node_id)}
    again = []
    rows = Crossing.objects.filter(direction=Crossing.Direction.OUT, to_node=node_id).exclude(receipt=b"")
    # What was deleted here meanwhile can be neither sent again nor returned: its bytes are gone.
    rows = rows.exclude(token=b"")
    # In the order in which they went: a signature is of no use before the proposal.
    for crossing in rows.order_by("pk").iterator():
        if key_of(bytes(crossing.receipt)) not in keys:
            continue
        receipt = read_receipt(bytes(crossing.receipt), keys=keys)
        if receipt.index >= sizes.get(receipt.origin, 0) and receipt.epoch < notice.epoch:
            again.append(crossing)
    for crossing in again:
        crossing.lost_receipt, crossing.receipt = crossing.receipt, b""
        crossing.status, crossing.settled_at = Crossing.Status.QUEUED, None
        crossing.save(update_fields=["lost_receipt", "receipt", "status", "settled_at"])
        OutboxEntry.objects.create(crossing=crossing, to_node=node_id, queued_at=now, due_at=now)
    return len(again)


def _lost_by(node_id: str, notice: RestoreNotice, *, sizes: dict[str, int]) -> QuerySet[Crossing]:
    """Return the partner's own envelopes that came here with or after the first checkpoint that it lost."""
    beyond = [
        row.received_at
        for row in PeerCheckpoint.objects.filter(node_id=node_id, epoch__lt=notice.epoch)
        if row.size > sizes.get(row.origin, 0)
    ]
    rows = Crossing.objects.filter(direction=Crossing.Direction.IN, from_node=node_id)
    return (rows.filter(recorded_at__gte=min(beyond)) if beyond else rows.none()).exclude(reason=Reason.ID_REUSED)


def _return_theirs(lost: QuerySet[Crossing], node_id: str, *, actor: Actor, now: datetime) -> int:
    """Return what the partner lost of its own, each with our receipt; return how many that is."""
    count = 0
    for crossing in lost.exclude(token=b"").order_by("pk").iterator():
        returned = ReturnedCrossing(token=bytes(crossing.token).decode(), receipt=bytes(crossing.receipt).decode())
        send_control(returned, to=node_id, actor=actor, now=now)
        count += 1
    return count


def accept_returned(returned: ReturnedCrossing, *, from_node: str, now: datetime) -> None:
    """Take back an envelope of our own that we lost, with its receipt; one that is still here changes nothing."""
    own = log.own_node()
    unpacked = unpack(returned.token.encode(), keys=every_transport_key(own.node_id), sender=own.node_id)
    receipt = read_receipt(returned.receipt.encode(), keys=transport_keys(from_node))
    if receipt.envelope_hash != unpacked.token_hash or unpacked.header.to != from_node or receipt.node != from_node:
        raise RefusedEnvelope(Reason.MALFORMED)
    known = Crossing.objects.filter(
        direction=Crossing.Direction.OUT, envelope_id=unpacked.header.id, to_node=from_node
    ).first()
    if known is None:
        _insert_returned(returned.token.encode(), unpacked, receipt, now=now)
    elif known.token_hash == receipt.envelope_hash:
        settling.store([(known.pk, receipt)], to_node=from_node, now=now)


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
    registered = registry.registration(header.schema)
    message = None
    if registered is not None and unpacked.body is not None:
        message = registered.message.from_bytes(unpacked.body)
    if header.persons:
        counters.take_back(header, message)
    if registered is None or message is None:
        return
    # The partner saw these figures, also where it refused them, so the release ledger must know them again.
    release.record(message, header=header, crossing=crossing)
    if registered.returned is not None and crossing.status == Crossing.Status.ACCEPTED:
        _tell_pillar(registered.returned, message, unpacked, crossing, now=now)


def _tell_pillar(
    handler: registry.Handler, message: Message, unpacked: Unpacked, crossing: Crossing, *, now: datetime
) -> None:
    header = unpacked.header
    received = registry.Received(
        message=message,
        header=header,
        envelope_id=header.id,
        from_node=header.from_,
        agreement=header.agreement,
        channel=None,
        token_hash=unpacked.token_hash,
        crossing_id=crossing.pk,
    )
    handler([received], actor=Peer(header.to), now=now)


def accept_complete(message: ReturnComplete, *, from_node: str, now: datetime) -> None:
    """Note that a partner returned everything; what could not be taken back still counts as owed.

    Raises
    ------
    Refused
        If it is about another epoch than the present one.
    """
    node = log.own_node()
    if message.epoch != node.epoch:
        raise RefusedEnvelope(Reason.UNKNOWN_SUBJECT)
    partner = lock_partner(from_node)
    failed = Crossing.objects.filter(
        direction=Crossing.Direction.IN,
        from_node=from_node,
        schema=ReturnedCrossing.schema_id(),
        status=Crossing.Status.REFUSED,
        tree__epoch=node.epoch,
    )
    if partner.owed != Partner.Owed.NOTHING and not failed.exists():
        _waits_no_longer(partner, Partner.Owed.NOTHING, actor=Peer(from_node), now=now)


def _waits_no_longer(partner: Partner, owed: Partner.Owed, *, actor: Actor, now: datetime) -> None:
    partner.owed = owed
    partner.save(update_fields=["owed"])
    if not release.owing():
        counters.open_rebuilt()
        registry.resume_after_returns(actor=actor, now=now)


def ask_to_forgo(node_id: str, *, reason: str, actor: Actor, now: datetime) -> Outcome:
    """Ask that figures leave again although a partner has not returned what it may hold; a second person allows it.

    Raises
    ------
    NothingOwed
    """
    if node_id not in release.owing():
        raise NothingOwed(f"nothing is waited for from {node_id}; `corridor peer list` shows who owes a return")
    return ask(FORGO, {"node_id": node_id, "reason": reason}, actor=actor, now=now)


@write("exchange.forgo_returns", subject="node_id")
def forgo(*, node_id: str, reason: str, actor: Actor, first: Actor, now: datetime) -> None:
    """Go on without what a partner may hold: figures leave again, counters of persons stay closed.

    Raises
    ------
    NothingOwed
    """
    partner = lock_partner(node_id)
    if partner.owed not in (Partner.Owed.UNHEARD, Partner.Owed.RETURNS):
        raise NothingOwed(f"nothing is waited for from {node_id} any more")
    _waits_no_longer(partner, Partner.Owed.FORGONE, actor=actor, now=now)
    log.append(
        log.lock_tree(LogTree.Kind.PARTNER, subject=node_id, now=now),
        [
            log.record(
                "returns_forgone",
                now=now,
                node=node_id,
                reason=reason,
                people=[actor_name(first), actor_name(actor)],
            )
        ],
    )
    note(reason=reason, first=actor_name(first))


def register_approvals() -> None:
    """Announce what two persons decide about returns."""
    register_approval(FORGO, permission="exchange.restore", execute=forgo, describe=_describe)


def _describe(arguments: dict[str, Any]) -> str:
    return _("Let figures leave again without what %(node)s may hold of ours: %(reason)s") % {
        "node": isolated(arguments["node_id"]),
        "reason": isolated(arguments["reason"]),
    }
