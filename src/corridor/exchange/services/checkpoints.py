"""Sign checkpoints of the own log after reading back what they cover; read hashes for proofs; recompute everything."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from corridor.accounts.actors import Actor
from corridor.accounts.transactions import note as note_detail
from corridor.accounts.transactions import write
from corridor.base.errors import CorridorError
from corridor.exchange import keystore
from corridor.exchange.models import Crossing, LogLeaf, LogTile, LogTree, Node
from corridor.exchange.rules import note, tree
from corridor.exchange.rules.canonical import sha256_hex
from corridor.exchange.services import bulk, log
from corridor.exchange.services.crash import crash_point
from corridor.exchange.services.partners import log_keys_of

TILE_HEIGHT = 8
"""A tile is the root of 2**8 complete subtrees of the tile level below."""
TILE_LEAVES = 1 << TILE_HEIGHT

_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class TreeCheck:
    """What a full recomputation of one tree found.

    Attributes
    ----------
    origin : str
    size : int
        Leaves that were read.
    faults : tuple of str
        Empty where the tree is whole.
    """

    origin: str
    size: int
    faults: tuple[str, ...]


def reader_of(head: LogTree) -> tree.Reader:
    """Return a reader of the tree's hashes for proofs; it reads 256 rows at a time and remembers them."""
    known: dict[tuple[int, int], bytes] = {}

    def load(base: int, place: int) -> None:
        """Read the whole row of 256 hashes in which `place` lies."""
        first = place // TILE_LEAVES * TILE_LEAVES
        rows: Iterable[tuple[int, bytes | memoryview[int]]]
        if base == 0:
            leaves = LogLeaf.objects.filter(tree=head, index__gte=first, index__lt=first + TILE_LEAVES)
            rows = leaves.values_list("index", "leaf_hash")
        else:
            tiles = LogTile.objects.filter(
                tree=head, level=base // TILE_HEIGHT, index__gte=first, index__lt=first + TILE_LEAVES
            )
            rows = tiles.values_list("index", "node_hash")
        known.update({(base, index): bytes(hash_) for index, hash_ in rows})
        if (base, place) not in known:
            raise log.LogMismatch(f"{head.origin} lacks hash {place} of level {base}")

    def read(level: int, index: int) -> bytes:
        found = known.get((level, index))
        if found is not None:
            return found
        if level % TILE_HEIGHT == 0:
            load(level, index)
        else:
            known[level, index] = tree.parent_hash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))
        return known[level, index]

    return read


def sign(head: LogTree, *, now: datetime) -> note.Checkpoint:
    """Return the checkpoint of the tree as it stands, signed and stored in this transaction.

    The stored frontier must reproduce the root signed last, and is extended by leaves that are read back and hashed
    again.

    Parameters
    ----------
    head : LogTree
        Its locked head row.
    now : datetime

    Raises
    ------
    LogMismatch
        If the log does not reproduce what was signed, or a leaf is not what its hash says.
    NotSigning
        If this node signs nothing now.
    """
    node = log.signing_node()
    frontier = tree.Frontier.parse(bytes(head.frontier))
    _check_last(head, frontier, node)
    if head.size == head.signed_size and head.checkpoint:
        return note.Checkpoint(head.origin, head.size, frontier.root, bytes(head.checkpoint))
    tiles = list(_extend(head, frontier))
    if frontier.size != head.size:
        raise log.LogMismatch(
            f"{head.origin} holds {frontier.size} leaves that follow one another; its head says {head.size}"
        )
    bulk.insert(LogTile, ("tree", "level", "index", "node_hash"), tiles)
    head.checkpoint = note.sign_checkpoint(head.origin, head.size, frontier.root, keystore.own_keys().log, node.node_id)
    head.signed_size, head.frontier, head.checkpoint_at = head.size, frontier.serialise(), now
    crash_point("checkpoint-before-store")
    head.save(update_fields=["checkpoint", "signed_size", "frontier", "checkpoint_at"])
    return note.Checkpoint(head.origin, head.size, frontier.root, bytes(head.checkpoint))


def _check_last(head: LogTree, frontier: tree.Frontier, node: Node) -> None:
    if not head.checkpoint:
        if head.signed_size or frontier.size:
            raise log.LogMismatch(f"{head.origin} has a frontier but no checkpoint")
        return
    signed = _read_own(bytes(head.checkpoint), node_id=node.node_id)
    if (signed.origin, signed.size, signed.root) != (head.origin, head.signed_size, frontier.root):
        raise log.LogMismatch(f"the frontier of {head.origin} does not reproduce the root that was signed last")


def _read_own(checkpoint: bytes, *, node_id: str) -> note.Checkpoint:
    """Return an own checkpoint, signed by any log key that this node ever had."""
    for public in log_keys_of(node_id):
        try:
            return note.read_checkpoint(checkpoint, public, node_id)
        except note.NoteUnsigned:
            continue
    raise log.LogMismatch("the stored checkpoint carries no signature of this node")


def _extend(head: LogTree, frontier: tree.Frontier) -> Iterator[tuple[int, int, int, bytes]]:
    """Extend `frontier` by the stored leaves behind it and yield the tiles that become complete."""
    leaves = LogLeaf.objects.filter(tree=head, index__gte=frontier.size, index__lt=head.size).order_by("index")
    for index, leaf_hash, salt, record in leaves.values_list("index", "leaf_hash", "salt", "record").iterator(_CHUNK):
        if index != frontier.size:
            raise log.LogMismatch(f"leaf {frontier.size} of {head.origin} is missing")
        if tree.leaf_hash(bytes(salt) + bytes(record)) != bytes(leaf_hash):
            raise log.LogMismatch(f"leaf {index} of {head.origin} is not what its hash says")
        for completed in frontier.append(bytes(leaf_hash)):
            if completed.level and completed.level % TILE_HEIGHT == 0:
                yield head.pk, completed.level // TILE_HEIGHT, completed.index, completed.hash


def verify_tree(head: LogTree) -> TreeCheck:
    """Read every leaf of a tree and compare it with its hash, the signed root, the tiles and the crossings."""
    faults: list[str] = []
    frontier = tree.Frontier()
    signed_root: bytes | None = tree.EMPTY_ROOT if head.signed_size == 0 else None
    tiles: dict[tuple[int, int], bytes] = {}
    rows = LogLeaf.objects.filter(tree=head, index__lt=head.size).order_by("index")
    for index, leaf_hash, salt, record in rows.values_list("index", "leaf_hash", "salt", "record").iterator(_CHUNK):
        if index != frontier.size:
            faults.append(f"leaf {frontier.size} is missing")
            break
        if tree.leaf_hash(bytes(salt) + bytes(record)) != bytes(leaf_hash):
            faults.append(f"leaf {index} was edited")
        for completed in frontier.append(bytes(leaf_hash)):
            if completed.level and completed.level % TILE_HEIGHT == 0:
                tiles[completed.level // TILE_HEIGHT, completed.index] = completed.hash
        if frontier.size == head.signed_size:
            signed_root = frontier.root
    if frontier.size != head.size and not faults:
        faults.append(f"the head says {head.size} leaves, {frontier.size} are there")
    faults += _signature_faults(head, signed_root)
    signed_tiles = {
        place: hash_ for place, hash_ in tiles.items() if (place[1] + 1) << (TILE_HEIGHT * place[0]) <= head.signed_size
    }
    stored = {
        (level, index): bytes(hash_)
        for level, index, hash_ in LogTile.objects.filter(tree=head).values_list("level", "index", "node_hash")
    }
    if stored != signed_tiles and not faults:
        faults.append("stored subtree hashes differ from the leaves")
    faults += _crossing_faults(head)
    return TreeCheck(head.origin, frontier.size, tuple(faults))


def _signature_faults(head: LogTree, signed_root: bytes | None) -> list[str]:
    if not head.checkpoint:
        return ["the frontier is there, the checkpoint is not"] if head.signed_size else []
    try:
        signed = _read_own(bytes(head.checkpoint), node_id=log.own_node().node_id)
    except CorridorError as fault:
        return [str(fault)]
    if signed.origin != head.origin or signed.size != head.signed_size:
        return ["the stored checkpoint is of another tree or size"]
    if signed_root is None:
        return [f"fewer leaves are there than the {signed.size} that were signed"]
    return [] if signed.root == signed_root else [f"the root of {signed.size} leaves is not the one that was signed"]


def _crossing_faults(head: LogTree) -> list[str]:
    """Return crossings whose leaf does not name their envelope, or whose stored bytes are others."""
    faults = []
    rows = Crossing.objects.filter(tree=head, leaf_index__lt=head.size).order_by("leaf_index")
    records = LogLeaf.objects.filter(tree=head)
    for start in range(0, head.size, _CHUNK):
        end = start + _CHUNK
        named = dict(records.filter(index__gte=start, index__lt=end).values_list("index", "record"))
        chunk = rows.filter(leaf_index__gte=start, leaf_index__lt=end)
        for index, token_hash, token in chunk.values_list("leaf_index", "token_hash", "token"):
            if token_hash.encode() not in bytes(named.get(index, b"")):
                faults.append(f"the crossing at leaf {index} is not the envelope that the leaf names")
            elif token and sha256_hex(bytes(token)) != token_hash:
                faults.append(f"the stored envelope at leaf {index} was edited")
    return faults


def verify_log(*, actor: Actor, now: datetime) -> list[TreeCheck]:
    """Recompute every tree of this node from its leaves; stop signing on a mismatch, start again once all is whole.

    Returns
    -------
    list of TreeCheck, one per tree
    """
    checks = [verify_tree(head) for head in LogTree.objects.order_by("kind", "subject", "epoch")]
    faults = [f"{check.origin}: {fault}" for check in checks for fault in check.faults]
    _conclude(faults, actor=actor, now=now)
    return checks


@write("exchange.verify_log")
def _conclude(faults: list[str], *, actor: Actor, now: datetime) -> None:
    del actor
    node = log.own_node()
    note_detail(faults=len(faults))
    if faults:
        halt("; ".join(faults), now=now)
        return
    if node.state == Node.State.HALTED:
        node.state, node.state_reason, node.state_since_at = Node.State.RUNNING, "", now
    node.verified_at = now
    node.save(update_fields=["state", "state_reason", "state_since_at", "verified_at"])


def halt(reason: str, *, now: datetime) -> None:
    """Stop signing until a person has looked; exchange with every partner stops with it."""
    with transaction.atomic():
        Node.objects.exclude(state=Node.State.HALTED).update(
            state=Node.State.HALTED, state_reason=reason[:2000], state_since_at=now
        )


@write("exchange.write_audit_roots")
def write_audit_roots(*, actor: Actor, now: datetime) -> int:
    """Write the root of the audit trail's tree into every agreement's log, once a day; return how many logs got one."""
    del actor
    node = log.own_node()
    heads = LogTree.objects.filter(kind=LogTree.Kind.AGREEMENT, epoch=node.epoch)
    due = [head.subject for head in heads if head.audit_root_on != now.date()]
    if not due or node.state != Node.State.RUNNING:
        return 0
    trees = [log.lock_tree(LogTree.Kind.AGREEMENT, subject=subject, now=now) for subject in sorted(due)]
    audit = log.lock_tree(LogTree.Kind.AUDIT, subject="", now=now)
    root = b64encode(sign(audit, now=now).root).decode()
    for head in trees:
        log.append(head, [log.record("audit_root", now=now, root=root)])
        LogTree.objects.filter(pk=head.pk).update(audit_root_on=now.date())
    note_detail(trees=len(due))
    return len(due)
