"""The evidence file: its contents, its one spelling, its digest. What it proves is for `evidence.verify` to say.

The file is canonical JSON in which bytes stand as strict base64url, and it carries the digest of everything else in
it, so any changed byte shows. The digest protects from accidents; against a forger stand the signatures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from corridor.exchange.rules.canonical import (
    NotBase64url,
    NotCanonical,
    b64,
    canonical,
    parse_canonical,
    sha256_hex,
    unb64,
)
from corridor.exchange.rules.envelope import is_node_id
from corridor.exchange.rules.jws import Malformed

EVIDENCE = "health-corridor.evidence/1"

Kind: TypeAlias = Literal["envelope", "refusal", "receipt", "agreement"]
KINDS: tuple[Kind, ...] = ("envelope", "refusal", "receipt", "agreement")

MAX_FILE_BYTES = 32 * 1024 * 1024
_MAX_PATH = 64
_MAX_ITEMS = 1000


@dataclass(frozen=True, slots=True)
class LogProof:
    """One leaf of one node's log, opened, with the proof that a signed checkpoint contains it.

    Attributes
    ----------
    node : str
        Whose log.
    salt : bytes, 32
        Shown in evidence and nowhere else.
    record : bytes
        Canonical JSON; salt and record are the leaf's data.
    index : int
    path : tuple of bytes
        Audit path in the tree of the checkpoint's size, nearest sibling first.
    checkpoint : bytes
        The signed note.
    """

    node: str
    salt: bytes
    record: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class ReceiptProof:
    """The proof that the receiver's log contains the leaf that its receipt names, which stays closed.

    Attributes
    ----------
    path : tuple of bytes
        Audit path in the tree of the checkpoint's size, nearest sibling first.
    checkpoint : bytes
        The note that the receiver signed.
    """

    path: tuple[bytes, ...]
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class NodeHistory:
    """The cards of one node, first to latest, and its revocations and reinstatements as they followed one another."""

    cards: tuple[bytes, ...]
    revocations: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens the commitment of a sealed body: the 32 random bytes and the body itself."""

    r: bytes = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that an evidence file holds, unjudged.

    Attributes
    ----------
    kind : {"envelope", "refusal", "receipt", "agreement"}
        What the file is about. A refusal is an envelope that a receipt, or the sender's own log, says was refused.
    nodes : mapping from node id to NodeHistory
        Of every node whose signature stands in the file, and of no other.
    envelope, ciphertext, opening
        The envelope's token; for a sealed body what travelled beside it, and what opens it, where that is to be shown.
    receipt : bytes or None
    receipt_proof : ReceiptProof or None
        As the receiver's log showed it to the sender.
    agreement : bytes or None
        The canonical document.
    agreement_signatures : tuple of bytes
        Signed statements of parties by which they signed it.
    proofs : tuple of LogProof
    statements : tuple of bytes
        Checkpoint statements (`control`), which bound the time.
    """

    kind: Kind
    nodes: Mapping[str, NodeHistory]
    envelope: bytes | None = None
    ciphertext: bytes | None = None
    opening: Opening | None = None
    receipt: bytes | None = None
    receipt_proof: ReceiptProof | None = None
    agreement: bytes | None = None
    agreement_signatures: tuple[bytes, ...] = ()
    proofs: tuple[LogProof, ...] = ()
    statements: tuple[bytes, ...] = ()


def _optional(data: bytes | None) -> str | None:
    return None if data is None else b64(data)


def _texts(items: Sequence[bytes]) -> list[str]:
    return [b64(item) for item in items]


def build(contents: Contents) -> bytes:
    """Return an evidence file.

    Parameters
    ----------
    contents : Contents
        Bytes as they were sent and stored; nothing is signed here.

    Returns
    -------
    bytes, canonical JSON
    """
    opening, shown = contents.opening, contents.receipt_proof
    document: dict[str, Any] = {
        "schema": EVIDENCE,
        "kind": contents.kind,
        "nodes": {
            node: {"cards": _texts(history.cards), "revocations": _texts(history.revocations)}
            for node, history in contents.nodes.items()
        },
        "envelope": _optional(contents.envelope),
        "ciphertext": _optional(contents.ciphertext),
        "opening": None if opening is None else {"r": b64(opening.r), "body": b64(opening.body)},
        "receipt": _optional(contents.receipt),
        "receipt_proof": None if shown is None else {"path": _texts(shown.path), "checkpoint": b64(shown.checkpoint)},
        "agreement": _optional(contents.agreement),
        "agreement_signatures": _texts(contents.agreement_signatures),
        "proofs": [
            {
                "node": proof.node,
                "salt": b64(proof.salt),
                "record": b64(proof.record),
                "index": proof.index,
                "path": _texts(proof.path),
                "checkpoint": b64(proof.checkpoint),
            }
            for proof in contents.proofs
        ],
        "statements": _texts(contents.statements),
    }
    return canonical({**document, "digest": sha256_hex(canonical(document))})


_MEMBERS = frozenset(
    {
        "schema",
        "kind",
        "nodes",
        "envelope",
        "ciphertext",
        "opening",
        "receipt",
        "receipt_proof",
        "agreement",
        "agreement_signatures",
        "proofs",
        "statements",
        "digest",
    }
)


def read(data: bytes) -> Contents:
    """Return what an evidence file holds, once its form and its digest hold; no signature is judged yet.

    Raises
    ------
    Malformed
        If it is no evidence file, or a byte of it was changed.
    """
    if len(data) > MAX_FILE_BYTES:
        raise Malformed(f"an evidence file has at most {MAX_FILE_BYTES} bytes; {len(data)} came")
    try:
        document = parse_canonical(data)
    except NotCanonical as fault:
        raise Malformed(f"expected an evidence file, which is canonical JSON: {fault}") from fault
    if not isinstance(document, dict) or document.get("schema") != EVIDENCE:
        raise Malformed(f"expected an evidence file of {EVIDENCE}, as `corridor log prove` writes it")
    if document.keys() != _MEMBERS:
        raise Malformed("the file has not exactly the members of an evidence file")
    digest = document.pop("digest")
    if digest != sha256_hex(canonical(document)):
        raise Malformed("the digest of the file is not that of its contents: a byte was changed")
    if document["kind"] not in KINDS:
        raise Malformed(f"member 'kind': expected one of {', '.join(KINDS)}")
    opening = document["opening"]
    if opening is not None:
        _exactly(opening, {"r", "body"}, "opening")
        opening = Opening(r=_bytes(opening["r"], "opening"), body=_bytes(opening["body"], "opening"))
    return Contents(
        kind=document["kind"],
        nodes=_read_nodes(document["nodes"]),
        envelope=_maybe(document, "envelope"),
        ciphertext=_maybe(document, "ciphertext"),
        opening=opening,
        receipt=_maybe(document, "receipt"),
        receipt_proof=_read_receipt_proof(document["receipt_proof"]),
        agreement=_maybe(document, "agreement"),
        agreement_signatures=_list(document["agreement_signatures"], "agreement_signatures"),
        proofs=tuple(_read_proof(proof) for proof in _items(document["proofs"], "proofs")),
        statements=_list(document["statements"], "statements"),
    )


def _exactly(value: Any, members: set[str], name: str) -> None:
    if not isinstance(value, dict) or value.keys() != members:
        raise Malformed(f"member {name!r}: expected exactly {', '.join(sorted(members))}")


def _bytes(value: Any, name: str) -> bytes:
    try:
        return unb64(value)
    except NotBase64url as fault:
        raise Malformed(f"member {name!r}: expected strict base64url") from fault


def _maybe(document: Mapping[str, Any], name: str) -> bytes | None:
    return None if document[name] is None else _bytes(document[name], name)


def _items(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MAX_ITEMS:
        raise Malformed(f"member {name!r}: expected a list of at most {_MAX_ITEMS}")
    return value


def _list(value: Any, name: str) -> tuple[bytes, ...]:
    return tuple(_bytes(item, name) for item in _items(value, name))


def _read_nodes(value: Any) -> dict[str, NodeHistory]:
    if not isinstance(value, dict) or not value or len(value) > _MAX_ITEMS:
        raise Malformed("member 'nodes': expected at least one node with its cards")
    nodes = {}
    for node, history in value.items():
        if not is_node_id(node):
            raise Malformed("member 'nodes': expected node ids such as pk.nih")
        _exactly(history, {"cards", "revocations"}, "nodes")
        nodes[node] = NodeHistory(_list(history["cards"], "cards"), _list(history["revocations"], "revocations"))
    return nodes


def _read_receipt_proof(value: Any) -> ReceiptProof | None:
    if value is None:
        return None
    _exactly(value, {"path", "checkpoint"}, "receipt_proof")
    path = _list(value["path"], "receipt_proof")
    if len(path) > _MAX_PATH:
        raise Malformed(f"member 'receipt_proof': expected a path of at most {_MAX_PATH} hashes")
    return ReceiptProof(path, _bytes(value["checkpoint"], "receipt_proof"))


def _read_proof(value: Any) -> LogProof:
    _exactly(value, {"node", "salt", "record", "index", "path", "checkpoint"}, "proofs")
    if not is_node_id(value["node"]) or type(value["index"]) is not int or value["index"] < 0:
        raise Malformed("member 'proofs': expected a node id, and a whole number from 0 as index")
    path, salt = _list(value["path"], "path"), _bytes(value["salt"], "salt")
    if len(path) > _MAX_PATH or len(salt) != 32:
        raise Malformed(f"member 'proofs': expected a path of at most {_MAX_PATH} hashes, and a salt of 32 bytes")
    return LogProof(
        node=value["node"],
        salt=salt,
        record=_bytes(value["record"], "record"),
        index=value["index"],
        path=path,
        checkpoint=_bytes(value["checkpoint"], "checkpoint"),
    )
