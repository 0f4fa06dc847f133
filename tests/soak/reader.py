"""The independent reader: plain SQL over two databases, RFC 6962 from ``tests.reference``, no code of corridor."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.reference import merkle

SCHEMA = "test.figure/1"
_CHECKPOINTS_COMPARED = 25
_SALT_BYTES = 32


@dataclass(frozen=True)
class Tree:
    """One log tree as it lies in the database."""

    origin: str
    leaves: list[bytes]
    leaf_hashes: list[bytes]
    is_contiguous: bool
    size: int
    signed_size: int
    checkpoint: bytes


@dataclass(frozen=True)
class Books:
    """What one node's database holds.

    Attributes
    ----------
    sent : envelope id to (status, receipt, token hash, tree, leaf index)
    received : list of (envelope id, receipt, token hash, tree, leaf index) of what was accepted
    effects : how often each envelope took effect
    trees : by primary key
    held : (origin, size, root) of checkpoints of others
    """

    node: str
    sent: dict[str, tuple[str, bytes, str, int, int]]
    received: list[tuple[str, bytes, str, int, int]]
    effects: Counter[str]
    trees: dict[int, Tree]
    held: list[tuple[str, int, bytes]]
    log_keys: list[bytes]
    waiting: int


@dataclass
class Findings:
    """What the comparison came to; `lost` and `doubled` are zero and `faults` is empty where all invariants held."""

    acknowledged: int = 0
    effects: int = 0
    lost: int = 0
    doubled: int = 0
    waiting: int = 0
    leaves: int = 0
    roots: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found wrong."""
        return not (self.lost or self.doubled or self.faults)


def rows(where: str, statement: str) -> list[tuple[Any, ...]]:
    """Return what `statement` reads from an SQLite file or, for ``postgresql://…``, from PostgreSQL."""
    if where.startswith("postgres"):
        import psycopg

        with psycopg.connect(where) as connection:
            return list(connection.execute(statement).fetchall())
    plain = sqlite3.connect(where, timeout=30)
    try:
        return list(plain.execute(statement))
    finally:
        plain.close()


def read(where: str, *, to: str = "") -> Books:
    """Return the books of the node whose database is at `where`; of what it sent only what went `to`, if given."""
    ((node,),) = rows(where, "SELECT node_id FROM exchange_node")
    of_figures = f"FROM exchange_crossing WHERE schema = '{SCHEMA}' AND direction"
    only = f" AND to_node = '{to}'" if to else ""
    columns = "envelope_id, status, receipt, token_hash, tree_id, leaf_index"
    sent = rows(where, f"SELECT {columns} {of_figures} = 'out'{only}")
    received = rows(
        where,
        f"SELECT envelope_id, receipt, token_hash, tree_id, leaf_index {of_figures} = 'in' AND status = 'accepted'",
    )
    cards = rows(where, f"SELECT signed FROM exchange_cardversion WHERE node_id = '{node}'")
    ((waiting,),) = rows(where, "SELECT count(*) FROM exchange_outboxentry")
    return Books(
        node=node,
        sent={row[0]: (row[1], bytes(row[2]), *row[3:]) for row in sent},
        received=[(row[0], bytes(row[1]), *row[2:]) for row in received],
        effects=Counter(row[0] for row in rows(where, "SELECT envelope_id FROM test_effect")),
        trees=dict(_trees(where)),
        held=[
            (origin, size, bytes(root))
            for origin, size, root in rows(
                where, "SELECT origin, size, root FROM exchange_peercheckpoint ORDER BY size"
            )
        ],
        log_keys=[_unpadded(json.loads(bytes(signed))["card"]["keys"]["log"]) for (signed,) in cards],
        waiting=waiting,
    )


def _trees(where: str) -> Iterable[tuple[int, Tree]]:
    heads = rows(where, "SELECT id, origin, size, signed_size, checkpoint FROM exchange_logtree")
    for key, origin, size, signed_size, checkpoint in heads:
        leaves = rows(
            where,
            f'SELECT "index", leaf_hash, salt, record FROM exchange_logleaf WHERE tree_id = {key} ORDER BY "index"',
        )
        yield (
            key,
            Tree(
                origin=origin,
                leaves=[bytes(salt) + bytes(record) for _, _, salt, record in leaves],
                leaf_hashes=[bytes(leaf_hash) for _, leaf_hash, _, _ in leaves],
                is_contiguous=[index for index, *_ in leaves] == list(range(len(leaves))),
                size=size,
                signed_size=signed_size,
                checkpoint=bytes(checkpoint),
            ),
        )


def compare(sender: Books, receiver: Books, *, committed: Iterable[str] = ()) -> Findings:
    """Compare the books of both nodes.

    Parameters
    ----------
    sender, receiver : Books
    committed : ids of envelopes
        Those of which the sending process said, after its commit, that they are queued.
    """
    found = Findings(waiting=sender.waiting, effects=receiver.effects.total())
    _compare_envelopes(found, sender, receiver, set(committed))
    for books, other in ((sender, receiver), (receiver, sender)):
        _check_logs(found, books, other)
    for envelope_id, (_, _, token_hash, tree, index) in sender.sent.items():
        _check_leaf(found, sender, envelope_id, token_hash, tree, index)
    for envelope_id, _, token_hash, tree, index in receiver.received:
        _check_leaf(found, receiver, envelope_id, token_hash, tree, index)
    return found


def _compare_envelopes(found: Findings, sender: Books, receiver: Books, committed: set[str]) -> None:
    acknowledged = {
        envelope_id: receipt
        for envelope_id, (status, receipt, *_) in sender.sent.items()
        if status == "accepted" or receipt
    }
    inbox = Counter(envelope_id for envelope_id, *_ in receiver.received)
    receipts = {envelope_id: receipt for envelope_id, receipt, *_ in receiver.received}
    found.acknowledged = len(acknowledged)
    found.lost = sum(not (receiver.effects[each] and inbox[each]) for each in acknowledged)
    found.doubled = sum(max(receiver.effects[each], inbox[each]) > 1 for each in inbox | receiver.effects)
    unlike = [each for each, receipt in acknowledged.items() if each in receipts and receipts[each] != receipt]
    complaints = {
        "acknowledged without a stored receipt": [each for each, receipt in acknowledged.items() if not receipt],
        "receipts that differ on both sides": unlike,
        "effects without an inbox row": [each for each in receiver.effects if not inbox[each]],
        "inbox rows without an effect": [each for each in inbox if not receiver.effects[each]],
        "effects of what was never sent": [each for each in receiver.effects if each not in sender.sent],
        "envelopes gone after the sender's commit": sorted(committed - set(sender.sent)),
    }
    found.faults += [f"{len(each)} {what}" for what, each in complaints.items() if each]
    for envelope_id, receipt in acknowledged.items():
        if receipt:
            _check_receipt(found, receiver, envelope_id, receipt)


def _check_receipt(found: Findings, receiver: Books, envelope_id: str, receipt: bytes) -> None:
    payload = json.loads(_unpadded(receipt.split(b".")[1].decode()))
    by_origin = {tree.origin: tree for tree in receiver.trees.values()}
    tree = by_origin.get(payload["origin"])
    named = tree.leaf_hashes[payload["index"]].hex() if tree and payload["index"] < len(tree.leaf_hashes) else ""
    # Where the receiver lost the envelope its leaf is lost too; that is counted as lost, not twice.
    if named != payload["leaf_hash"] and receiver.effects[envelope_id]:
        found.faults.append(f"the receipt of {envelope_id} names a leaf that the receiver's log does not hold")


def _check_leaf(found: Findings, books: Books, envelope_id: str, token_hash: str, tree: int, index: int) -> None:
    leaves = books.trees[tree].leaves
    try:
        record = json.loads(leaves[index][_SALT_BYTES:]) if index < len(leaves) else {}
    except ValueError:
        record = {}
    if (record.get("id"), record.get("envelope")) != (envelope_id, token_hash):
        found.faults.append(f"{books.node}: leaf {index} does not name the envelope {envelope_id}")


def _check_logs(found: Findings, books: Books, other: Books) -> None:
    for tree in books.trees.values():
        found.leaves += len(tree.leaves)
        if not tree.is_contiguous or len(tree.leaves) != tree.size:
            found.faults.append(f"{tree.origin}: {len(tree.leaves)} leaves, not contiguous up to {tree.size}")
        if [hashlib.sha256(b"\0" + leaf).digest() for leaf in tree.leaves] != tree.leaf_hashes:
            found.faults.append(f"{tree.origin}: a leaf is not what its hash says")
        if tree.checkpoint:
            _check_checkpoint(found, tree, books.log_keys)
        elsewhere = [(size, root) for origin, size, root in other.held if origin == tree.origin]
        step = max(1, len(elsewhere) // _CHECKPOINTS_COMPARED)
        for size, root in [*elsewhere[::step], *elsewhere[-1:]]:
            found.roots += 1
            if len(tree.leaves) < size or merkle.tree_hash(tree.leaves[:size]) != root:
                found.faults.append(f"{tree.origin}: the partner holds another root of {size} leaves")


def _check_checkpoint(found: Findings, tree: Tree, keys: list[bytes]) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    text, _, signatures = tree.checkpoint.decode().partition("\n\n")
    origin, size, root = text.splitlines()[:3]
    found.roots += 1
    signature = base64.b64decode(signatures.splitlines()[0].rsplit(" ", 1)[1])[4:]
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, f"{text}\n".encode())
            break
        except InvalidSignature:
            continue
    else:
        found.faults.append(f"{tree.origin}: no key of the node signed its checkpoint")
    expected = (tree.origin, tree.signed_size, merkle.tree_hash(tree.leaves[: tree.signed_size]))
    if (origin, int(size), base64.b64decode(root)) != expected:
        found.faults.append(f"{tree.origin}: the last checkpoint's root is not that of its {size} leaves")


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
