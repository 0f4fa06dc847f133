"""What nodes say of logs to each other, signed, and what of it proves that a log lied.

A *checkpoint statement* is what a node says of logs at one moment: the newest checkpoint of its own log, the one of
that log that the other side had shown (quoted), and the newest one that it holds of the other's. It is signed with
the transport key, so it can be kept and shown to others.

Four exhibits prove that a node's log contradicts itself (`judge` returns a `Proof`); whatever else does not agree is
a `Dispute`, which halts exchange and calls people, and accuses nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from corridor.base.errors import CorridorError
from corridor.exchange.rules.canonical import (
    NotBase64url,
    NotCanonical,
    NotUtc,
    b64,
    canonical,
    parse_canonical,
    unb64,
    utc_text,
    utc_time,
)
from corridor.exchange.rules.envelope import is_node_id
from corridor.exchange.rules.jws import Malformed, read_token, sign_token
from corridor.exchange.rules.keys import SigningKey
from corridor.exchange.rules.note import Checkpoint, NoteUnsigned, read_checkpoint
from corridor.exchange.rules.receipt import read_receipt
from corridor.exchange.rules.tree import verify_inclusion

STATEMENT_TYPE = "hc-checkpoint-statement+jws"
"""The ``typ`` of a checkpoint statement's protected header."""

EXHIBIT = "health-corridor.exhibit/1"

_CHECKPOINTS = ("given", "quoted", "held")
_MAX_PATH = 64


@dataclass(frozen=True, slots=True)
class CheckpointStatement:
    """What one node said of logs to another.

    Attributes
    ----------
    node, to : str
        Who says it to whom.
    at : datetime
        The author's clock.
    nonce : str
        Of the request that is answered, or of the author's own.
    given : bytes or None
        The newest signed checkpoint of one of the author's logs.
    quoted : bytes or None
        The checkpoint of that log that the other side had shown.
    held : bytes or None
        The newest checkpoint of the other's log that the author holds.
    signed : bytes
        The token, to be kept.
    """

    node: str
    to: str
    at: datetime
    nonce: str
    given: bytes | None
    quoted: bytes | None
    held: bytes | None
    signed: bytes = field(repr=False)


def make_checkpoint_statement(
    *,
    node: str,
    to: str,
    at: datetime,
    nonce: str,
    key: SigningKey,
    given: bytes | None = None,
    quoted: bytes | None = None,
    held: bytes | None = None,
) -> bytes:
    """Return a signed checkpoint statement.

    Parameters
    ----------
    node, to, at, nonce, given, quoted, held
        As in `CheckpointStatement`; checkpoints are signed notes.
    key : SigningKey
        The author's transport key.
    """
    notes = {"given": given, "quoted": quoted, "held": held}
    payload = {
        "node": node,
        "to": to,
        "at": utc_text(at),
        "nonce": nonce,
        **{name: None if notes[name] is None else b64(notes[name] or b"") for name in _CHECKPOINTS},
    }
    _read_statement(payload, b"")
    return sign_token(canonical(payload), typ=STATEMENT_TYPE, key=key)


def read_checkpoint_statement(token: bytes, *, keys: Mapping[str, bytes]) -> CheckpointStatement:
    """Return a verified checkpoint statement; the checkpoints inside are not judged yet.

    Parameters
    ----------
    token : bytes
    keys : mapping from thumbprint to public key
        The author's transport keys.

    Raises
    ------
    Malformed, ForeignType, UnknownKey, BadSignature
        As `jws.read_token`, and `Malformed` if the payload is not exactly that of such a statement.
    """
    signed = read_token(token, typ=STATEMENT_TYPE, keys=keys)
    try:
        return _read_statement(parse_canonical(signed.payload), token)
    except NotCanonical as fault:
        raise Malformed(f"the payload of a checkpoint statement is canonical JSON; {fault}") from fault


def _read_statement(payload: Any, token: bytes) -> CheckpointStatement:
    if not isinstance(payload, dict) or payload.keys() != {"node", "to", "at", "nonce", *_CHECKPOINTS}:
        raise Malformed(
            "the payload must have exactly the members of a checkpoint statement; if a newer node wrote it, upgrade "
            "this one"
        )
    if not is_node_id(payload["node"]) or not is_node_id(payload["to"]):
        raise Malformed("statement members 'node' and 'to': expected node ids")
    if not isinstance(payload["nonce"], str) or len(payload["nonce"]) > 100:
        raise Malformed("statement member 'nonce': expected a text of up to 100 characters")
    try:
        at = utc_time(payload["at"])
        notes = {name: None if payload[name] is None else unb64(payload[name]) for name in _CHECKPOINTS}
    except (NotUtc, NotBase64url) as fault:
        raise Malformed(f"a member of the checkpoint statement has the wrong form; {fault}") from fault
    return CheckpointStatement(
        node=payload["node"], to=payload["to"], at=at, nonce=payload["nonce"], signed=token, **notes
    )


@dataclass(frozen=True, slots=True)
class ShownLeaf:
    """A leaf with the proof that a signed checkpoint contains it.

    Attributes
    ----------
    leaf_hash : bytes, 32
    index : int
    path : tuple of bytes
        Audit path, nearest sibling first.
    checkpoint : bytes
        The signed note; its size is the tree's.
    """

    leaf_hash: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class TwoCheckpoints:
    """Two signed checkpoints of one log, of one size, with different roots."""

    first: bytes
    second: bytes


@dataclass(frozen=True, slots=True)
class TwoLeaves:
    """Two different leaves at one index of one log, each under a signed checkpoint."""

    first: ShownLeaf
    second: ShownLeaf


@dataclass(frozen=True, slots=True)
class ReceiptAgainstLog:
    """A receipt, and another leaf than it names at its index of its log."""

    receipt: bytes
    leaf: ShownLeaf


@dataclass(frozen=True, slots=True)
class ShrunkReply:
    """A signed statement that quotes a larger checkpoint of the author's log and gives a smaller one."""

    statement: bytes


Exhibit: TypeAlias = TwoCheckpoints | TwoLeaves | ReceiptAgainstLog | ShrunkReply


class ProofKind(StrEnum):
    """The four contradictions that a node cannot explain away."""

    FORKED_CHECKPOINT = "forked-checkpoint"
    FORKED_LEAF = "forked-leaf"
    RECEIPT_CONTRADICTED = "receipt-contradicted"
    SHRUNK_REPLY = "shrunk-reply"


@dataclass(frozen=True, slots=True)
class Proof:
    """A node's own signatures contradict each other.

    Attributes
    ----------
    kind : ProofKind
    node : str
        Whose.
    origin : str
        Which log.
    finding : str
        What contradicts what, for people.
    """

    kind: ProofKind
    node: str
    origin: str
    finding: str


@dataclass(frozen=True, slots=True)
class Dispute:
    """What was shown proves nothing against anybody; `finding` says why."""

    finding: str


@dataclass(frozen=True, slots=True)
class _Keys:
    node: str
    log: Sequence[bytes]
    transport: Mapping[str, bytes]

    def checkpoint(self, data: bytes) -> Checkpoint:
        return read_checkpoint_by(data, log_keys=self.log, node=self.node)

    def leaf(self, shown: ShownLeaf) -> Checkpoint | None:
        """Return the checkpoint that contains the leaf, or None if it does not."""
        checkpoint = self.checkpoint(shown.checkpoint)
        contained = verify_inclusion(
            shown.leaf_hash, index=shown.index, size=checkpoint.size, proof=shown.path, root=checkpoint.root
        )
        return checkpoint if contained else None


def read_checkpoint_by(data: bytes, *, log_keys: Sequence[bytes], node: str) -> Checkpoint:
    """Return a checkpoint signed by any of the log keys that a node has had.

    Raises
    ------
    MalformedNote, NoteUnsigned
        As `note.read_checkpoint`.
    """
    for public in log_keys:
        try:
            return read_checkpoint(data, public, node)
        except NoteUnsigned:
            continue
    raise NoteUnsigned(f"the checkpoint carries no signature by a log key of {node}")


def judge(
    exhibit: Exhibit, *, node: str, log_keys: Sequence[bytes], transport_keys: Mapping[str, bytes]
) -> Proof | Dispute:
    """Return whether an exhibit proves that the log of `node` contradicts itself.

    Parameters
    ----------
    exhibit : TwoCheckpoints, TwoLeaves, ReceiptAgainstLog or ShrunkReply
    node : str
        Node id.
    log_keys : sequence of bytes
        Every log key of the node's card chain.
    transport_keys : mapping from thumbprint to public key
        Every transport key of it.

    Returns
    -------
    Proof or Dispute
        A `Dispute` also where a signature does not count or a part has the wrong form: such an exhibit proves nothing.
    """
    keys = _Keys(node=node, log=log_keys, transport=transport_keys)
    try:
        if isinstance(exhibit, TwoCheckpoints):
            return _judge_checkpoints(exhibit, keys)
        if isinstance(exhibit, TwoLeaves):
            return _judge_leaves(exhibit, keys)
        if isinstance(exhibit, ReceiptAgainstLog):
            return _judge_receipt(exhibit, keys)
        return _judge_reply(exhibit, keys)
    except CorridorError as fault:
        return Dispute(f"the exhibit does not hold: {fault}")


def _judge_checkpoints(exhibit: TwoCheckpoints, keys: _Keys) -> Proof | Dispute:
    first, second = keys.checkpoint(exhibit.first), keys.checkpoint(exhibit.second)
    if first.origin != second.origin:
        return Dispute("the checkpoints are of different logs")
    if first.size != second.size:
        return Dispute(
            f"sizes {first.size} and {second.size} differ; a consistency proof is owed, none of them is a lie yet"
        )
    if first.root == second.root:
        return Dispute("the checkpoints agree")
    return Proof(
        ProofKind.FORKED_CHECKPOINT,
        node=keys.node,
        origin=first.origin,
        finding=f"two signed checkpoints of {first.size} leaves have different roots",
    )


def _judge_leaves(exhibit: TwoLeaves, keys: _Keys) -> Proof | Dispute:
    first, second = keys.leaf(exhibit.first), keys.leaf(exhibit.second)
    if first is None or second is None:
        return Dispute("a leaf is not contained in its checkpoint")
    if first.origin != second.origin or exhibit.first.index != exhibit.second.index:
        return Dispute("the leaves stand at different places")
    if exhibit.first.leaf_hash == exhibit.second.leaf_hash:
        return Dispute("the leaves agree")
    return Proof(
        ProofKind.FORKED_LEAF,
        node=keys.node,
        origin=first.origin,
        finding=f"leaf {exhibit.first.index} differs between the checkpoints of {first.size} and {second.size} leaves",
    )


def _judge_receipt(exhibit: ReceiptAgainstLog, keys: _Keys) -> Proof | Dispute:
    receipt = read_receipt(exhibit.receipt, keys=keys.transport)
    checkpoint = keys.leaf(exhibit.leaf)
    if checkpoint is None:
        return Dispute("the leaf is not contained in its checkpoint")
    if receipt.origin != checkpoint.origin or receipt.index != exhibit.leaf.index:
        return Dispute("receipt and leaf name different places")
    if receipt.leaf_hash == exhibit.leaf.leaf_hash:
        return Dispute("receipt and log agree")
    return Proof(
        ProofKind.RECEIPT_CONTRADICTED,
        node=keys.node,
        origin=receipt.origin,
        finding=f"the receipt names another leaf {receipt.index} than the checkpoint of {checkpoint.size} leaves holds",
    )


def _judge_reply(exhibit: ShrunkReply, keys: _Keys) -> Proof | Dispute:
    statement = read_checkpoint_statement(exhibit.statement, keys=keys.transport)
    if statement.node != keys.node:
        return Dispute("the statement is of another node than the key that signed it")
    if statement.given is None or statement.quoted is None:
        return Dispute("the statement does not both quote and give a checkpoint")
    given, quoted = keys.checkpoint(statement.given), keys.checkpoint(statement.quoted)
    if given.origin != quoted.origin:
        return Dispute("the checkpoints are of different logs")
    if given.size >= quoted.size:
        return Dispute("the checkpoint given is not smaller than the one quoted")
    return Proof(
        ProofKind.SHRUNK_REPLY,
        node=keys.node,
        origin=given.origin,
        finding=f"one signed statement quotes {quoted.size} leaves and gives {given.size}",
    )


_KINDS: Mapping[str, tuple[type[Exhibit], Mapping[str, type]]] = {
    ProofKind.FORKED_CHECKPOINT: (TwoCheckpoints, {"first": bytes, "second": bytes}),
    ProofKind.FORKED_LEAF: (TwoLeaves, {"first": ShownLeaf, "second": ShownLeaf}),
    ProofKind.RECEIPT_CONTRADICTED: (ReceiptAgainstLog, {"receipt": bytes, "leaf": ShownLeaf}),
    ProofKind.SHRUNK_REPLY: (ShrunkReply, {"statement": bytes}),
}


def exhibit_bytes(exhibit: Exhibit) -> bytes:
    """Return an exhibit as canonical JSON, to be stored and shown to others."""
    kind = next(kind for kind, (shape, _) in _KINDS.items() if isinstance(exhibit, shape))
    parts = {name: _write_part(getattr(exhibit, name)) for name in _KINDS[kind][1]}
    return canonical({"schema": EXHIBIT, "kind": str(kind), **parts})


def _write_part(part: bytes | ShownLeaf) -> Any:
    if isinstance(part, bytes):
        return b64(part)
    return {
        "leaf_hash": b64(part.leaf_hash),
        "index": part.index,
        "path": [b64(sibling) for sibling in part.path],
        "checkpoint": b64(part.checkpoint),
    }


def read_exhibit(data: bytes) -> Exhibit:
    """Return the exhibit that `exhibit_bytes` wrote; `judge` says what it proves.

    Raises
    ------
    Malformed
        If the bytes are none.
    """
    try:
        value = parse_canonical(data)
    except NotCanonical as fault:
        raise Malformed(f"an exhibit is a canonical JSON document; {fault}") from fault
    if not isinstance(value, dict) or value.get("schema") != EXHIBIT or str(value.get("kind")) not in _KINDS:
        raise Malformed(f"expected an exhibit of {EXHIBIT}")
    shape, parts = _KINDS[str(value["kind"])]
    if value.keys() != {"schema", "kind", *parts}:
        raise Malformed("the exhibit has not exactly the members of its kind")
    return shape(**{name: _read_part(value[name], form) for name, form in parts.items()})


def _read_part(value: Any, form: type) -> Any:
    try:
        if form is bytes:
            return unb64(value)
        if not isinstance(value, dict) or value.keys() != {"leaf_hash", "index", "path", "checkpoint"}:
            raise Malformed("a shown leaf has exactly leaf_hash, index, path and checkpoint")
        if type(value["index"]) is not int or not isinstance(value["path"], list) or len(value["path"]) > _MAX_PATH:
            raise Malformed("a shown leaf has a whole number as index and a path of at most 64 hashes")
        return ShownLeaf(
            leaf_hash=unb64(value["leaf_hash"]),
            index=value["index"],
            path=tuple(unb64(sibling) for sibling in value["path"]),
            checkpoint=unb64(value["checkpoint"]),
        )
    except NotBase64url as fault:
        raise Malformed("a part of the exhibit is not strict base64url") from fault
