"""Compare with other parties of an agreement what its third party showed: a log that differs between us convicts it.

Checkpoints are passed on by the hour (`consistency.forwards`), and two of one size with different roots are a proof.
Two views of different sizes are not: the proof that joins them is demanded, does not come, and a dispute opens that
proves nothing. Then the leaves that each of us was shown, and the receipts, are held side by side, place by place.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from corridor.base.errors import CorridorError
from corridor.exchange.messages import LeavesForward, ShownLeafPart
from corridor.exchange.models import Crossing, Dispute, LogTree, Partner, PeerLeaf
from corridor.exchange.rules import control, tree
from corridor.exchange.rules.canonical import NotBase64url, b64, unb64
from corridor.exchange.rules.control import ShownLeaf
from corridor.exchange.rules.note import Checkpoint
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.exchange.rules.receipt import place_of, read_receipt
from corridor.exchange.services import leaves, log
from corridor.exchange.services.consistency import take_passed_on
from corridor.exchange.services.disputes import open_dispute
from corridor.exchange.services.partners import log_keys_of, transport_keys
from corridor.exchange.services.swaps import is_shared, parts_of

MAX_LEAVES = 100
"""How many leaves are passed on about one dispute, the latest ones."""
_LATEST_RECEIPTS = 20_000


def forwards(peer: str) -> list[LeavesForward]:
    """Return what a third party, with whom a dispute is open, showed here of the log of an agreement with `peer`.

    It is passed on once about each dispute.
    """
    own = log.own_node().node_id
    found = []
    for dispute in Dispute.objects.filter(closed_at=None).exclude(agreement_hash="").select_related("partner"):
        third = dispute.partner.node_id
        if third == peer or not is_shared(LogTree.Kind.AGREEMENT, dispute.agreement_hash, {own, peer, third}):
            continue
        if _is_told(peer, dispute):
            continue
        rows = PeerLeaf.objects.filter(origin=dispute.origin).select_related("checkpoint").order_by("-index")
        parts = [_part(leaves.shown_leaf(row)) for row in rows[:MAX_LEAVES]]
        if parts:
            found.append(LeavesForward(node=third, origin=dispute.origin, leaves=tuple(parts)))
    return found


def _is_told(peer: str, dispute: Dispute) -> bool:
    told = Crossing.objects.filter(
        direction=Crossing.Direction.OUT,
        to_node=peer,
        schema=LeavesForward.schema_id(),
        recorded_at__gte=dispute.opened_at,
    )
    return told.exists()


def _part(shown: ShownLeaf) -> ShownLeafPart:
    return ShownLeafPart(
        index=shown.index,
        leaf_hash=b64(shown.leaf_hash),
        path=tuple(b64(sibling) for sibling in shown.path),
        checkpoint=b64(shown.checkpoint),
    )


def accept(forward: LeavesForward, *, from_node: str, now: datetime) -> None:
    """Hold the leaves that another party was shown against those, and the receipts, that came here from the same log.

    Raises
    ------
    Refused
        If the log is not that of a third party of an agreement with the sender, or a leaf does not stand in it.
    """
    own = log.own_node().node_id
    kind, subject, _ = parts_of(forward.origin)
    third = Partner.objects.filter(node_id=forward.node).first()
    nodes = {own, from_node, forward.node}
    if third is None or len(nodes) != 3 or not is_shared(kind, subject, nodes):
        raise Refused(Reason.UNKNOWN_SUBJECT)
    came = [_read(part, node=forward.node, origin=forward.origin) for part in forward.leaves]
    for _, checkpoint in came:
        take_passed_on(forward.node, checkpoint, agreement_hash=subject, from_node=from_node, now=now)
    for exhibit in _contradictions(forward.node, forward.origin, [shown for shown, _ in came]):
        open_dispute(forward.node, exhibit, origin=forward.origin, agreement_hash=subject, now=now)


def _read(part: ShownLeafPart, *, node: str, origin: str) -> tuple[ShownLeaf, Checkpoint]:
    try:
        shown = ShownLeaf(
            leaf_hash=unb64(part.leaf_hash),
            index=part.index,
            path=tuple(unb64(sibling) for sibling in part.path),
            checkpoint=unb64(part.checkpoint),
        )
        checkpoint = control.read_checkpoint_by(shown.checkpoint, log_keys=log_keys_of(node), node=node)
    except (NotBase64url, CorridorError) as fault:
        raise Refused(Reason.MALFORMED) from fault
    stands = tree.verify_inclusion(
        shown.leaf_hash, index=shown.index, size=checkpoint.size, proof=shown.path, root=checkpoint.root
    )
    if checkpoint.origin != origin or not stands:
        raise Refused(Reason.MALFORMED)
    return shown, checkpoint


def _contradictions(node: str, origin: str, came: Iterable[ShownLeaf]) -> list[control.Exhibit]:
    """Return what contradicts itself: a leaf or a receipt that we hold, and another leaf at the same place."""
    by_index = {shown.index: shown for shown in came}
    found: list[control.Exhibit] = []
    held = PeerLeaf.objects.filter(origin=origin, index__in=by_index).select_related("checkpoint")
    for row in held:
        other = by_index[row.index]
        if bytes(row.leaf_hash) != other.leaf_hash:
            found.append(control.TwoLeaves(leaves.shown_leaf(row), other))
    without = by_index.keys() - {row.index for row in held}
    return found + _against_receipts(node, origin, {index: by_index[index] for index in without})


def _against_receipts(node: str, origin: str, came: dict[int, ShownLeaf]) -> list[control.Exhibit]:
    """Return receipts that came without the proof of their leaf, and name another leaf than the log holds there."""
    if not came:
        return []
    keys = transport_keys(node)
    receipts = Crossing.objects.filter(direction=Crossing.Direction.OUT, to_node=node).exclude(receipt=b"")
    found: list[control.Exhibit] = []
    for signed in receipts.order_by("-pk").values_list("receipt", flat=True)[:_LATEST_RECEIPTS].iterator():
        place, index = place_of(bytes(signed))
        if place != origin or index not in came:
            continue
        if read_receipt(bytes(signed), keys=keys).leaf_hash != came[index].leaf_hash:
            found.append(control.ReceiptAgainstLog(bytes(signed), came[index]))
    return found
