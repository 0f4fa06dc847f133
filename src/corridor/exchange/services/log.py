"""Append to the log, in one transaction with what it records, at indexes that come from a locked head row."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from corridor.accounts.models import AuditEntry
from corridor.base.errors import CorridorError
from corridor.exchange.models import LogLeaf, LogTree, Node
from corridor.exchange.rules import note, tree
from corridor.exchange.rules.canonical import canonical, sha256_hex, utc_text
from corridor.exchange.services import bulk
from corridor.exchange.services.crash import crash_point

SALT_BYTES = 32


class LogMismatch(CorridorError):
    """What the log holds does not reproduce what this node signed; it stops signing until a person has looked."""

    code = "log-mismatch"


class NotSigning(CorridorError):
    """The node signs nothing now: its log does not agree with itself, or it comes back from a backup."""

    code = "not-signing"


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where a record stands in the log, and its hash."""

    index: int
    leaf_hash: bytes


def own_node() -> Node:
    """Return this installation's own row.

    Raises
    ------
    NotSigning
        If the node was never founded.
    """
    node = Node.objects.first()
    if node is None:
        raise NotSigning("this home has no node yet. Run `corridor node init`.")
    return node


def signing_node() -> Node:
    """Return this installation's own row, if it may sign.

    Raises
    ------
    NotSigning
        While its log disagrees with itself, or it comes back from a backup.
    """
    node = own_node()
    if node.state == Node.State.HALTED:
        raise NotSigning(
            f"this node signs nothing: its log does not agree with itself ({node.state_reason}). "
            "Run `corridor log verify`."
        )
    if node.state == Node.State.RECOVERING:
        raise NotSigning(
            "this node signs nothing: partners hold checkpoints beyond its log, so it came back from a backup. "
            "Two persons open a new epoch with `corridor node restore`."
        )
    return node


def tree_of(first_version: str, *, partner: str) -> tuple[str, str]:
    """Return kind and subject of the tree for what passes with `partner`: the agreement's, else the partner's."""
    return (LogTree.Kind.AGREEMENT, first_version) if first_version else (LogTree.Kind.PARTNER, partner)


def lock_tree(kind: str, *, subject: str, now: datetime) -> LogTree:
    """Return the head row of a tree of the present epoch, locked until the transaction ends, made if need be.

    Locks are taken in one order everywhere (partner, agreement, trees by kind and subject, the audit trail's tree
    last).
    """
    # A new epoch opens every tree anew, so the latest one of a tree is that of the present epoch.
    heads = LogTree.objects.select_for_update().filter(kind=kind, subject=subject).order_by("-epoch")
    head = heads.first()
    if head is None:
        node = own_node()
        origin = note.log_origin(node.node_id, kind=kind, subject=subject, epoch=node.epoch)
        LogTree.objects.bulk_create(
            [LogTree(origin=origin, kind=kind, subject=subject, epoch=node.epoch)], ignore_conflicts=True
        )
        head = heads[:1].get()
    return head


def open_tree(before: LogTree, *, epoch: int) -> LogTree:
    """Make and return the tree that goes on in a new epoch where `before` ended."""
    origin = note.log_origin(own_node().node_id, kind=before.kind, subject=before.subject, epoch=epoch)
    return LogTree.objects.create(origin=origin, kind=before.kind, subject=before.subject, epoch=epoch)


def record(kind: str, *, now: datetime, **members: Any) -> bytes:
    """Return a log record: canonical JSON of its kind, its moment and `members`; hashes and ids, never a body."""
    return canonical({"kind": kind, "at": utc_text(now), **members})


def append(head: LogTree, records: Sequence[bytes]) -> list[Leaf]:
    """Append `records` to the tree whose locked head row is `head`, in order, and return where they stand.

    Raises
    ------
    LogMismatch
        If the head row moved although it was locked.
    """
    if not records:
        return []
    salts = [secrets.token_bytes(SALT_BYTES) for _ in records]
    leaves = [
        Leaf(head.size + offset, tree.leaf_hash(salt + record_))
        for offset, (salt, record_) in enumerate(zip(salts, records, strict=True))
    ]
    bulk.insert(
        LogLeaf,
        ("tree", "index", "leaf_hash", "salt", "record"),
        [
            (head.pk, leaf.index, leaf.leaf_hash, salt, record_)
            for leaf, salt, record_ in zip(leaves, salts, records, strict=True)
        ],
    )
    crash_point("append-before-head")
    moved = LogTree.objects.filter(pk=head.pk, size=head.size).update(size=head.size + len(records))
    if moved != 1:
        raise LogMismatch(f"the head of {head.origin} moved under its lock")
    head.size += len(records)
    return leaves


def append_audit(entry: AuditEntry) -> None:
    """Append the hash of a new entry of the audit trail to the private tree, in the transaction that made the entry."""
    if not Node.objects.exists():
        return
    content = canonical(
        {
            "at": utc_text(entry.at),
            "actor_kind": entry.actor_kind,
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "detail": json.dumps(entry.detail, sort_keys=True),
            "outcome": entry.outcome,
        }
    )
    head = lock_tree(LogTree.Kind.AUDIT, subject="", now=entry.at)
    append(head, [record("audit", now=entry.at, entry=entry.pk, sha256=sha256_hex(content))])
