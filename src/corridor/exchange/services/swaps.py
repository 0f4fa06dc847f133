"""Swap checkpoints with peers: keep what they signed, demand that large extends small, dispute where it does not."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from corridor.base.errors import CorridorError
from corridor.exchange import keystore
from corridor.exchange.models import Agreement, HeldByPeer, LogTree, OwnStatement, Partner, PeerCheckpoint
from corridor.exchange.rules import control, note, tree
from corridor.exchange.rules.control import CheckpointStatement
from corridor.exchange.rules.note import Checkpoint
from corridor.exchange.services import agreements, checkpoints, log
from corridor.exchange.services.disputes import open_dispute
from corridor.exchange.services.partners import lock_partner, log_keys_of, transport_keys

MAX_SWAPS = 200
_log = logging.getLogger(__name__)


class BeyondOurLog(CorridorError):
    """A peer holds a checkpoint of ours that our log does not reach: this node came back from a backup.

    Attributes
    ----------
    from_node : str
        Who holds it.
    checkpoint : Checkpoint
        What we had signed.
    """

    code = "beyond-our-log"

    def __init__(self, from_node: str, checkpoint: Checkpoint) -> None:
        self.from_node, self.checkpoint = from_node, checkpoint
        super().__init__(f"{from_node} holds a checkpoint of {checkpoint.origin} at {checkpoint.size} leaves")


@dataclass(frozen=True, slots=True)
class OwnTree:
    """A tree of this node's log as it was signed in this transaction, and a reader of its hashes for proofs."""

    checkpoint: Checkpoint
    read: tree.Reader


@dataclass(frozen=True, slots=True)
class Swap:
    """What travels for one tree: a checkpoint statement, and the proof from the quoted checkpoint to the given one.

    Attributes
    ----------
    own : OwnTree or None
        What the statement gives, for its author's own use; it does not travel a second time.
    """

    statement: bytes
    proof: tuple[bytes, ...] = ()
    own: OwnTree | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What the swaps of a peer were about.

    Attributes
    ----------
    trees : tuple of (kind, subject)
        As this node calls them.
    given : mapping of origin to Checkpoint
        The checkpoints of its own logs that the peer gave, its signature verified.
    """

    trees: tuple[tuple[str, str], ...] = ()
    given: Mapping[str, Checkpoint] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Given:
    """A checkpoint of a peer's tree as it came, with the proof beside it."""

    peer: str
    checkpoint: Checkpoint
    statement: CheckpointStatement
    proof: tuple[bytes, ...]
    agreement_hash: str


def shared_trees(peer: str) -> list[tuple[str, str]]:
    """Return kind and subject of every tree that this node shares with `peer`: their agreements' and the partner's."""
    own = log.own_node().node_id
    subjects = {
        row.first_version
        for row in Agreement.objects.exclude(state="draft")
        if {own, peer} <= agreements.document_of(row).nodes
    }
    return [(LogTree.Kind.AGREEMENT.value, subject) for subject in sorted(subjects)] + [
        (LogTree.Kind.PARTNER.value, peer)
    ]


def make(
    peer: str, trees: Iterable[tuple[str, str]], *, nonce: str, now: datetime, is_signing: bool = True
) -> list[Swap]:
    """Return the swaps for `trees`, with new checkpoints signed and stored in this transaction.

    Parameters
    ----------
    is_signing : bool
        False only tells which checkpoints of the peer are held, and signs no checkpoint: for a node that starts.
    """
    node, partner = log.own_node(), Partner.objects.get(node_id=peer)
    swaps = []
    for kind, subject in sorted(set(trees)):
        own, quoted, proof = _own_side(peer, kind, subject, now=now) if is_signing else (None, None, ())
        theirs = subject if kind == LogTree.Kind.AGREEMENT else node.node_id
        origin = note.log_origin(peer, kind=kind, subject=theirs, epoch=partner.epoch)
        # Who asks whether it is behind is shown the largest that it signed, joined to the others or not.
        rows = PeerCheckpoint.objects.filter(origin=origin, **({"is_proved": True} if is_signing else {}))
        held = rows.order_by("size").last()
        if own is None and held is None:
            continue
        statement = control.make_checkpoint_statement(
            node=node.node_id,
            to=peer,
            at=now,
            nonce=nonce,
            key=keystore.own_keys().transport,
            given=own.checkpoint.signed if own else None,
            quoted=quoted,
            held=bytes(held.signed) if held else None,
        )
        swaps.append(Swap(statement, proof, own))
    return swaps


def remember_told(peer: str, swaps: Sequence[Swap], *, now: datetime) -> None:
    """Keep what this node told a peer of its logs and the peer has answered: evidence rests on it later."""
    OwnStatement.objects.bulk_create(
        [
            OwnStatement(
                node_id=peer,
                origin=swap.own.checkpoint.origin,
                size=swap.own.checkpoint.size,
                signed=swap.statement,
                told_at=now,
            )
            for swap in swaps
            if swap.own is not None
        ],
        # The first time that a size was told bounds as well as any later one, and the last one bounds closest.
        update_conflicts=True,
        unique_fields=["node_id", "origin", "size"],
        update_fields=["signed", "told_at"],
    )


def _own_side(
    peer: str, kind: str, subject: str, *, now: datetime
) -> tuple[OwnTree | None, bytes | None, tuple[bytes, ...]]:
    head = log.lock_tree(kind, subject=subject, now=now)
    if head.size == 0:
        return None, None, ()
    own = OwnTree(checkpoints.sign(head, now=now), checkpoints.reader_of(head))
    held = HeldByPeer.objects.filter(node_id=peer, origin=head.origin).first()
    if held is None:
        return own, None, ()
    proof: Sequence[bytes] = ()
    if 0 < held.size < head.size:
        proof = tree.consistency_proof(own.read, held.size, head.size)
    return own, bytes(held.signed), tuple(proof)


def take(peer: str, swaps: Sequence[Swap], *, now: datetime) -> Taken:
    """Take the swaps of an authenticated peer; return which trees they are about, and what it gave.

    Raises
    ------
    BeyondOurLog
        If the peer holds a checkpoint of ours that our log does not reproduce.
    """
    if not swaps:
        return Taken()
    own = log.own_node()
    keys = transport_keys(peer)
    trees: list[tuple[str, str]] = []
    given: dict[str, Checkpoint] = {}
    for swap in swaps[:MAX_SWAPS]:
        try:
            statement = control.read_checkpoint_statement(swap.statement, keys=keys)
        except CorridorError as fault:
            _log.warning("a checkpoint statement of %s cannot be read here: %s: %s", peer, fault.code, fault)
            continue
        if (statement.node, statement.to) != (peer, own.node_id):
            continue
        if statement.held is not None:
            _peer_holds(peer, statement.held, statement=statement.signed, now=now)
        if statement.given is not None:
            taken = _take_given(peer, statement, swap.proof, now=now)
            if taken is not None:
                trees.append(taken[0])
                given[taken[1].origin] = taken[1]
    return Taken(tuple(trees), given)


def _peer_holds(peer: str, signed: bytes, *, statement: bytes, now: datetime) -> None:
    node = log.own_node()
    try:
        checkpoint = control.read_checkpoint_by(signed, log_keys=log_keys_of(node.node_id), node=node.node_id)
    except CorridorError:
        return
    epoch = parts_of(checkpoint.origin)[2]
    if epoch > node.epoch:
        # The backup is from before an earlier restore: that epoch is lost as a whole.
        raise BeyondOurLog(peer, checkpoint)
    if epoch < node.epoch:
        return
    known = HeldByPeer.objects.filter(node_id=peer, origin=checkpoint.origin).first()
    if known is not None and bytes(known.signed) == signed:
        return
    head = LogTree.objects.filter(origin=checkpoint.origin).first()
    if head is None or head.signed_size < checkpoint.size or _root_at(head, checkpoint.size) != checkpoint.root:
        raise BeyondOurLog(peer, checkpoint)
    if known is None or known.size < checkpoint.size:
        HeldByPeer.objects.update_or_create(
            node_id=peer,
            origin=checkpoint.origin,
            defaults={"size": checkpoint.size, "signed": signed, "statement": statement, "told_at": now},
        )


def _root_at(head: LogTree, size: int) -> bytes:
    return tree.root(checkpoints.reader_of(head), size)


def _take_given(
    peer: str,
    statement: CheckpointStatement,
    proof: tuple[bytes, ...],
    *,
    now: datetime,
) -> tuple[tuple[str, str], Checkpoint] | None:
    partner, own = lock_partner(peer), log.own_node().node_id
    try:
        checkpoint = control.read_checkpoint_by(statement.given or b"", log_keys=log_keys_of(peer), node=peer)
    except CorridorError:
        return None
    kind, subject, epoch = parts_of(checkpoint.origin)
    place = (kind, subject if kind == LogTree.Kind.AGREEMENT else peer)
    is_ours = subject == own if kind == LogTree.Kind.PARTNER else is_shared(kind, subject, {own, peer})
    if not is_ours or epoch != partner.epoch:
        return None
    _judge(_Given(peer, checkpoint, statement, proof, subject if kind == LogTree.Kind.AGREEMENT else ""), now=now)
    return place, checkpoint


def is_shared(kind: str, subject: str, nodes: set[str]) -> bool:
    """Return whether `nodes` are parties of the agreement whose tree this is."""
    row = Agreement.objects.filter(first_version=subject).exclude(state="draft").first()
    return kind == LogTree.Kind.AGREEMENT and row is not None and nodes <= agreements.document_of(row).nodes


def parts_of(origin: str) -> tuple[str, str, int]:
    """Return kind, subject and epoch of a log's origin; empty and 0 where it is none."""
    parts = origin.split("/")
    if len(parts) != 5 or not parts[4].isdigit():
        return "", "", 0
    return parts[2], parts[3], int(parts[4])


def _judge(given: _Given, *, now: datetime) -> None:
    """Compare a checkpoint with what is held of that tree, and keep it."""
    checkpoint = given.checkpoint
    rows = PeerCheckpoint.objects.filter(origin=checkpoint.origin)
    other = rows.filter(size=checkpoint.size).exclude(root=checkpoint.root).first()
    if other is not None:
        keep(given.peer, checkpoint, is_proved=False, received_from=given.peer, now=now)
        exhibit = control.TwoCheckpoints(bytes(other.signed), checkpoint.signed)
        open_dispute(given.peer, exhibit, origin=checkpoint.origin, agreement_hash=given.agreement_hash, now=now)
        return
    quoted = _quoted(given)
    if quoted is not None and quoted.size > checkpoint.size:
        keep(given.peer, checkpoint, is_proved=False, received_from=given.peer, now=now)
        shrunk = control.ShrunkReply(given.statement.signed)
        open_dispute(given.peer, shrunk, origin=checkpoint.origin, agreement_hash=given.agreement_hash, now=now)
        return
    held = rows.filter(is_proved=True).order_by("size").last()
    if held is None or (checkpoint.size == held.size):
        keep(given.peer, checkpoint, is_proved=True, received_from=given.peer, now=now)
        return
    if checkpoint.size < held.size or quoted is None or quoted.size != held.size:
        # Late, or after another that is not joined to it: the proof is demanded (`consistency.demands`).
        keep(given.peer, checkpoint, is_proved=False, received_from=given.peer, now=now)
        return
    proved = quoted.root == bytes(held.root) and tree.verify_consistency(
        old=held.size, old_root=bytes(held.root), new=checkpoint.size, new_root=checkpoint.root, proof=given.proof
    )
    keep(given.peer, checkpoint, is_proved=proved, received_from=given.peer, now=now)
    if not proved:
        finding = f"the proof that {checkpoint.size} leaves extend the {held.size} that were shown before does not hold"
        open_dispute(
            given.peer, None, origin=checkpoint.origin, agreement_hash=given.agreement_hash, now=now, finding=finding
        )


def _quoted(given: _Given) -> Checkpoint | None:
    if given.statement.quoted is None:
        return None
    try:
        quoted = control.read_checkpoint_by(given.statement.quoted, log_keys=log_keys_of(given.peer), node=given.peer)
    except CorridorError:
        return None
    return quoted if quoted.origin == given.checkpoint.origin else None


def keep(node_id: str, checkpoint: Checkpoint, *, is_proved: bool, received_from: str, now: datetime) -> None:
    """Store a peer's checkpoint byte for byte; a proved one stays proved."""
    row, created = PeerCheckpoint.objects.get_or_create(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root,
        defaults={
            "node_id": node_id,
            "epoch": parts_of(checkpoint.origin)[2] or 1,
            "signed": checkpoint.signed,
            "received_from": received_from,
            "received_at": now,
            "is_proved": is_proved,
        },
    )
    if not created and is_proved and not row.is_proved:
        row.is_proved = True
        row.save(update_fields=["is_proved"])
