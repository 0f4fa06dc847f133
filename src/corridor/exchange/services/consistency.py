"""Join what peers signed: pass checkpoints on to third parties, and demand the proofs that did not come by themselves.

A checkpoint that is joined to no other, late or smaller or passed on by a third party, may belong to another view of
the log. Its author is asked once for the proof from the smaller to the larger one, whatever the order in which they
came. A proof that does not hold, or none within a day, opens a dispute.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from corridor.accounts.actors import Actor
from corridor.accounts.transactions import note, write
from corridor.exchange.messages import CheckpointForward, ConsistencyDemand, ConsistencyProofNotice
from corridor.exchange.models import Agreement, Crossing, Dispute, LogTree, Partner, PeerCheckpoint
from corridor.exchange.rules import control, tree
from corridor.exchange.rules.canonical import b64, unb64
from corridor.exchange.rules.note import Checkpoint
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.exchange.services import agreements, checkpoints, log
from corridor.exchange.services.disputes import open_dispute
from corridor.exchange.services.outbox import DELIVERY, send_control
from corridor.exchange.services.partners import log_keys_of
from corridor.exchange.services.swaps import is_shared, keep, parts_of, shared_trees

MAX_DEMANDS = 20
"""How many proofs a peer is asked for at a time."""
ANSWER_WITHIN = timedelta(hours=24)
_MAX_PROOF = 128


def accept_forward(forward: CheckpointForward, *, from_node: str, now: datetime) -> None:
    """Take a checkpoint of a third party of the same agreement: two different views of one size are a proof."""
    own = log.own_node().node_id
    kind, subject, _ = parts_of(forward.origin)
    third = Partner.objects.filter(node_id=forward.node).first()
    if third is None or forward.node in (own, from_node) or not is_shared(kind, subject, {own, forward.node}):
        raise Refused(Reason.UNKNOWN_SUBJECT)
    checkpoint = control.read_checkpoint_by(
        unb64(forward.checkpoint), log_keys=log_keys_of(forward.node), node=forward.node
    )
    if checkpoint.origin != forward.origin:
        raise Refused(Reason.MALFORMED)
    take_passed_on(forward.node, checkpoint, agreement_hash=subject, from_node=from_node, now=now)


def take_passed_on(node: str, checkpoint: Checkpoint, *, agreement_hash: str, from_node: str, now: datetime) -> None:
    """Keep a checkpoint of `node` that another party passed on; one of another root and the same size is a proof."""
    other = (
        PeerCheckpoint.objects.filter(origin=checkpoint.origin, size=checkpoint.size)
        .exclude(root=checkpoint.root)
        .first()
    )
    keep(node, checkpoint, is_proved=False, received_from=from_node, now=now)
    if other is not None:
        exhibit = control.TwoCheckpoints(bytes(other.signed), checkpoint.signed)
        open_dispute(node, exhibit, origin=checkpoint.origin, agreement_hash=agreement_hash, now=now)


def accept_proof(proof: ConsistencyProofNotice, *, from_node: str, now: datetime) -> None:
    """Take a proof that joins two checkpoints of the sender that are held; a proof that does not hold is a dispute."""
    rows = PeerCheckpoint.objects.filter(node_id=from_node, origin=proof.origin)
    smaller, larger = rows.filter(size=proof.from_size), rows.filter(size=proof.size)
    pairs = [(old, new) for old in smaller for new in larger if old.is_proved or new.is_proved]
    if not pairs or proof.from_size >= proof.size:
        raise Refused(Reason.UNKNOWN_SUBJECT)
    path = [unb64(text) for text in proof.proof[:_MAX_PROOF]]
    for old, new in pairs:
        if tree.verify_consistency(
            old=old.size, old_root=bytes(old.root), new=new.size, new_root=bytes(new.root), proof=path
        ):
            PeerCheckpoint.objects.filter(pk__in=(old.pk, new.pk)).update(is_proved=True)
            continue
        finding = f"the proof, sent on demand, that {new.size} leaves extend {old.size} does not hold"
        _dispute(from_node, proof.origin, finding=finding, now=now)


def _dispute(peer: str, origin: str, *, finding: str, now: datetime) -> None:
    kind, subject, _ = parts_of(origin)
    agreement_hash = subject if kind == LogTree.Kind.AGREEMENT else ""
    open_dispute(peer, None, origin=origin, agreement_hash=agreement_hash, now=now, finding=finding)


def demands(peer: str, *, now: datetime) -> list[ConsistencyDemand]:
    """Return what `peer` is to prove, each asked once: checkpoints of its present epoch that are joined to no other."""
    epoch = Partner.objects.values_list("epoch", flat=True).get(node_id=peer)
    loose = PeerCheckpoint.objects.filter(node_id=peer, epoch=epoch, is_proved=False, demanded_at=None, size__gt=0)
    found = []
    for row in loose.order_by("received_at", "pk")[:MAX_DEMANDS]:
        anchor = PeerCheckpoint.objects.filter(origin=row.origin, is_proved=True).order_by("size").last()
        if anchor is None or anchor.size == row.size:
            continue
        small, large = sorted((row.size, anchor.size))
        found.append(ConsistencyDemand(origin=row.origin, from_size=small, size=large))
        PeerCheckpoint.objects.filter(pk=row.pk).update(demanded_at=now)
    return found


def answer_demand(demand: ConsistencyDemand, *, from_node: str, now: datetime) -> None:
    """Send the proof that a peer asks for, of a log that it shares with this node."""
    own = log.own_node().node_id
    head = LogTree.objects.filter(origin=demand.origin).exclude(kind=LogTree.Kind.AUDIT).first()
    is_theirs = head is not None and (
        head.subject == from_node
        if head.kind == LogTree.Kind.PARTNER
        else is_shared(head.kind, head.subject, {own, from_node})
    )
    if head is None or not is_theirs or not 0 < demand.from_size < demand.size <= head.signed_size:
        raise Refused(Reason.UNKNOWN_SUBJECT)
    path = tree.consistency_proof(checkpoints.reader_of(head), demand.from_size, demand.size)
    notice = ConsistencyProofNotice(
        origin=demand.origin,
        from_size=demand.from_size,
        size=demand.size,
        proof=tuple(b64(each) for each in path),
    )
    send_control(notice, to=from_node, actor=DELIVERY, now=now)


@write("exchange.judge_demands")
def judge_demands(*, actor: Actor, now: datetime) -> int:
    """Open a dispute where a proof was demanded and refused, or not sent within a day; return how many were opened."""
    del actor
    opened = 0
    for row in PeerCheckpoint.objects.filter(is_proved=False, demanded_at__isnull=False).order_by("pk"):
        epoch = Partner.objects.filter(node_id=row.node_id).values_list("epoch", flat=True).first()
        if row.epoch != epoch or row.demanded_at is None or not _is_owed(row, demanded_at=row.demanded_at, now=now):
            continue
        finding = f"no proof came, although demanded, that joins the checkpoint of {row.size} leaves to the others"
        _dispute(row.node_id, row.origin, finding=finding, now=now)
        opened += 1
    note(disputes=opened)
    return opened


def _is_owed(row: PeerCheckpoint, *, demanded_at: datetime, now: datetime) -> bool:
    """Return whether the peer had its day to answer, or refused, and no dispute told of it yet."""
    told = Dispute.objects.filter(partner__node_id=row.node_id, origin=row.origin, opened_at__gte=demanded_at)
    asked = Crossing.objects.filter(
        direction=Crossing.Direction.OUT,
        to_node=row.node_id,
        schema=ConsistencyDemand.schema_id(),
        recorded_at=demanded_at,
    )
    refused = asked.filter(status=Crossing.Status.REFUSED)
    silent = asked.filter(status=Crossing.Status.ACCEPTED, settled_at__lte=now - ANSWER_WITHIN)
    return not told.exists() and (refused.exists() or silent.exists())


def forwards(peer: str) -> list[CheckpointForward]:
    """Return, for each agreement shared with a third node, the third's newest checkpoint, which `peer` may lack."""
    own = log.own_node().node_id
    found = []
    for kind, subject in shared_trees(peer):
        if kind != LogTree.Kind.AGREEMENT:
            continue
        row = Agreement.objects.filter(first_version=subject).order_by("recorded_at").last()
        if row is None:
            continue
        for third in sorted(agreements.document_of(row).nodes - {own, peer}):
            newest = (
                PeerCheckpoint.objects.filter(
                    node_id=third, origin__contains=f"/agreement/{subject}/", received_from=third
                )
                .order_by("epoch", "size")
                .last()
            )
            if newest is not None:
                found.append(CheckpointForward(node=third, origin=newest.origin, checkpoint=b64(bytes(newest.signed))))
    return found
