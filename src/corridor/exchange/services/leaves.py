"""Show with each receipt that the log contains its leaf, and hold what a partner shows against what it said before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from corridor.exchange.models import LogTree, PeerCheckpoint, PeerLeaf
from corridor.exchange.rules import control, tree
from corridor.exchange.rules.control import ShownLeaf
from corridor.exchange.rules.note import Checkpoint
from corridor.exchange.rules.receipt import Receipt, place_of
from corridor.exchange.services import bulk
from corridor.exchange.services.disputes import open_dispute
from corridor.exchange.services.inbox import InclusionPath, Reply
from corridor.exchange.services.swaps import Swap, parts_of

_HASH = 32


def show(replies: Sequence[Reply], *, beside: Iterable[Swap]) -> list[Reply]:
    """Return `replies`, each receipt with the leaf at its place and the path to the checkpoint that goes with them.

    Parameters
    ----------
    replies : sequence of Reply
    beside : iterable of Swap
        Made in this transaction, of this node's trees. A receipt of another tree, or of an earlier epoch, stays as
        it is.
    """
    trees = {swap.own.checkpoint.origin: swap.own for swap in beside if swap.own is not None}
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, reply in enumerate(replies):
        origin, index = place_of(reply.receipt) if reply.receipt else ("", 0)
        if origin in trees and index < trees[origin].checkpoint.size:
            places[origin].append((number, index))
    shown = list(replies)
    for origin, of_tree in places.items():
        own = trees[origin]
        paths = tree.inclusion_proofs(own.read, [index for _, index in of_tree], own.checkpoint.size)
        for (number, index), path in zip(of_tree, paths, strict=True):
            leaf = InclusionPath(own.read(0, index), tuple(path))
            shown[number] = Reply("receipt", replies[number].receipt, leaf=leaf)
    return shown


def take(
    peer: str,
    receipts: Sequence[tuple[Receipt, InclusionPath | None]],
    *,
    given: Mapping[str, Checkpoint],
    now: datetime,
) -> None:
    """Check and keep what `peer` showed with its receipts; what contradicts its own signatures becomes a dispute.

    Parameters
    ----------
    receipts : sequence of (Receipt, InclusionPath or None)
        Verified receipts, each with the leaf that came beside it.
    given : mapping of origin to Checkpoint
        The checkpoints that came in the same answer.
    """
    shown = [
        (receipt, ShownLeaf(leaf.leaf_hash, receipt.index, leaf.path, given[receipt.origin].signed))
        for receipt, leaf in receipts
        if leaf is not None and receipt.origin in given and receipt.index < given[receipt.origin].size
    ]
    if not shown:
        return
    places = {(receipt.origin, receipt.index) for receipt, _ in shown}
    rows = PeerLeaf.objects.filter(
        origin__in={origin for origin, _ in places}, index__in={index for _, index in places}
    )
    held = {(row.origin, row.index): row for row in rows.select_related("checkpoint").order_by("pk")}
    fresh: dict[tuple[str, int], tuple[str, int, bytes, bytes, int]] = {}
    numbers = _checkpoint_ids(given.values())
    for receipt, leaf in shown:
        place, checkpoint = (receipt.origin, receipt.index), given[receipt.origin]
        if not _judge(peer, receipt, leaf, checkpoint, held.get(place), now=now):
            continue
        if place not in held and checkpoint.origin in numbers:
            fresh[place] = (*place, leaf.leaf_hash, b"".join(leaf.path), numbers[checkpoint.origin])
    bulk.insert(PeerLeaf, ("origin", "index", "leaf_hash", "path", "checkpoint"), fresh.values())


def _checkpoint_ids(given: Iterable[Checkpoint]) -> dict[str, int]:
    """Return, by origin, the row of each checkpoint that was kept."""
    found = {}
    for checkpoint in given:
        rows = PeerCheckpoint.objects.filter(origin=checkpoint.origin, size=checkpoint.size, root=checkpoint.root)
        number = rows.values_list("pk", flat=True).first()
        if number is not None:
            found[checkpoint.origin] = number
    return found


def _judge(
    peer: str, receipt: Receipt, leaf: ShownLeaf, checkpoint: Checkpoint, before: PeerLeaf | None, *, now: datetime
) -> bool:
    """Return whether the leaf is as the partner's receipt and its earlier word say; open a dispute if it is not."""
    exhibit: control.Exhibit | None = None
    finding = ""
    if not tree.verify_inclusion(
        leaf.leaf_hash, index=leaf.index, size=checkpoint.size, proof=leaf.path, root=checkpoint.root
    ):
        finding = f"the path that came with the receipt of leaf {leaf.index} does not lead to the checkpoint beside it"
    elif leaf.leaf_hash != receipt.leaf_hash:
        exhibit = control.ReceiptAgainstLog(receipt.signed, leaf)
    elif before is not None and bytes(before.leaf_hash) != leaf.leaf_hash:
        exhibit = control.TwoLeaves(shown_leaf(before), leaf)
    else:
        return True
    kind, subject, _ = parts_of(receipt.origin)
    open_dispute(
        peer,
        exhibit,
        origin=receipt.origin,
        agreement_hash=subject if kind == LogTree.Kind.AGREEMENT else "",
        now=now,
        finding=finding,
    )
    return False


def shown_leaf(row: PeerLeaf) -> ShownLeaf:
    """Return a kept leaf with its path and checkpoint."""
    path = bytes(row.path)
    return ShownLeaf(
        leaf_hash=bytes(row.leaf_hash),
        index=row.index,
        path=tuple(path[start : start + _HASH] for start in range(0, len(path), _HASH)),
        checkpoint=bytes(row.checkpoint.signed),
    )


def of_receipt(receipt: Receipt) -> ShownLeaf | None:
    """Return the leaf that a receipt names as the partner's log showed it; None where it showed none."""
    row = (
        PeerLeaf.every.filter(origin=receipt.origin, index=receipt.index, leaf_hash=receipt.leaf_hash)
        .select_related("checkpoint")
        .first()
    )
    return None if row is None else shown_leaf(row)
