"""Signed notes and checkpoints (C2SP): what a node says of its log, in bytes that others keep.

A note is a text, a blank line, and one line per signature: ``— name base64(key hash ‖ signature)``. Signatures by
keys that the reader does not know are kept and ignored, which is the place where witnesses will cosign. A
checkpoint's text is its origin, its size and its root.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from corridor.base.errors import InputFault, Refused
from corridor.exchange.rules.keys import SigningKey, verify

ED25519 = 0x01
"""Signature type of a plain Ed25519 note signature; 0x04, a witness's timestamped cosignature, comes later."""

MAX_NOTE_BYTES = 100_000
MAX_SIGNATURES = 100

_SCHEME = "health-corridor"
_ORIGIN = re.compile(r"[!-~]{1,300}\Z")
_SIGNATURE_LINE = re.compile(r"\u2014 (?P<name>[^\s+]+) (?P<blob>[A-Za-z0-9+/]+={0,2})\Z")
_SIZE = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")


class MalformedNote(InputFault):
    """Bytes are no signed note, or the note is no checkpoint."""

    code = "malformed-note"


class NoteUnsigned(Refused):
    """A note carries no signature, by a known key, that counts."""

    code = "note-unsigned"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note.

    Attributes
    ----------
    name : str
    key_hash : bytes, 4
    signature : bytes
    """

    name: str
    key_hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note that was opened.

    Attributes
    ----------
    text : str
        What is signed, with its last newline.
    verified : tuple of NoteSignature
        Those by known keys, each of which counts.
    unknown : tuple of NoteSignature
        Those by others, kept and not judged.
    """

    text: str
    verified: tuple[NoteSignature, ...]
    unknown: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A verified checkpoint of a log.

    Attributes
    ----------
    origin : str
        Name of the log: node, tree and epoch.
    size : int
        Number of leaves.
    root : bytes, 32
    signed : bytes
        The note as it came, which is what convicts a log that forks; keep it.
    unknown : tuple of NoteSignature
        Signatures by others, such as witnesses.
    """

    origin: str
    size: int
    root: bytes
    signed: bytes = field(repr=False)
    unknown: tuple[NoteSignature, ...] = ()


def log_origin(node: str, *, kind: str, subject: str, epoch: int) -> str:
    """Return the origin of one log: ``health-corridor/pk.nih/agreement/<hash>/1``.

    The epoch is part of it, so a log that is honestly restored, and starts a new epoch, contradicts no earlier
    checkpoint.

    Parameters
    ----------
    node : str
        Node id.
    kind, subject : str
        Which of its trees: ``agreement`` and its first version's hash, ``partner`` and its id, ``audit`` and nothing.
    epoch : int
        1, and one more after each restore.
    """
    origin = "/".join(part for part in (_SCHEME, node, kind, subject, str(epoch)) if part)
    if not _ORIGIN.match(origin) or "/" in node + kind + subject:
        raise MalformedNote("an origin is made of a node id, a tree and an epoch in printable ASCII")
    return origin


def origin_node(origin: str) -> str:
    """Return the node id in a log's origin, or nothing if the origin is none of ours."""
    parts = origin.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == _SCHEME else ""


def key_hash(name: str, public: bytes) -> bytes:
    """Return the four bytes by which a signature line names its key."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([ED25519]) + public).digest()[:4]


def verifier_key(text: str) -> tuple[str, bytes]:
    """Return name and public key of a verifier key in the form ``name+hash+base64(type ‖ key)``.

    Raises
    ------
    MalformedNote
        If the text is none, names another type of signature, or its hash does not match.
    """
    parts = text.split("+", 2)
    if len(parts) != 3 or not parts[0] or re.search(r"\s", parts[0]):
        raise MalformedNote("a verifier key is name+hash+key")
    name, digest, blob = parts
    key = _unb64(blob)
    if len(key) != 33 or key[0] != ED25519:
        raise MalformedNote("a verifier key holds one type byte (1, Ed25519) and 32 bytes of key")
    if key_hash(name, key[1:]).hex() != digest:
        raise MalformedNote("the hash in a verifier key is not that of its name and key")
    return name, key[1:]


def _unb64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as fault:
        raise MalformedNote("a part of the note is not base64") from fault
    if base64.b64encode(data).decode() != text:
        raise MalformedNote("a part of the note is not strict base64")
    return data


def sign_note(text: str, *, key: SigningKey, name: str) -> bytes:
    """Return `text` as a signed note.

    Parameters
    ----------
    text : str
        Ends with a newline; no control characters but newlines.
    key : SigningKey
    name : str
        Of the key: no blanks, no plus sign.

    Raises
    ------
    MalformedNote
        If text or name have another form.
    """
    _check_text(text)
    if not name or re.search(r"[\s+]", name):
        raise MalformedNote("the name of a note's key has no blanks and no plus sign")
    blob = key_hash(name, key.public) + key.sign(text.encode())
    return f"{text}\n\u2014 {name} {base64.b64encode(blob).decode()}\n".encode()


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(character < " " and character != "\n" for character in text):
        raise MalformedNote("a note's text ends with a newline and holds no other control characters")


def open_note(data: bytes, *, keys: Mapping[str, bytes]) -> Note:
    """Return a note with at least one signature by a known key, all of which must count.

    Parameters
    ----------
    data : bytes
    keys : mapping from key name to Ed25519 public key

    Raises
    ------
    MalformedNote
        If the bytes are no note.
    NoteUnsigned
        If no known key signed it, or a known key's signature does not count.

    Notes
    -----
    Source: C2SP signed-note. As in Go's reader, the second signature by one key is not judged again.
    """
    text, signatures = _split(data)
    verified: dict[tuple[str, bytes], NoteSignature] = {}
    unknown: list[NoteSignature] = []
    for line in signatures:
        name_and_hash = (line.name, line.key_hash)
        public = keys.get(line.name)
        if public is None or key_hash(line.name, public) != line.key_hash:
            unknown.append(line)
        elif name_and_hash not in verified:
            if not verify(public, line.signature, text.encode()):
                raise NoteUnsigned(f"the signature of {line.name[:100]} does not belong to this note")
            verified[name_and_hash] = line
    if not verified:
        raise NoteUnsigned("the note carries no signature by a known key")
    return Note(text=text, verified=tuple(verified.values()), unknown=tuple(unknown))


def _split(data: bytes) -> tuple[str, list[NoteSignature]]:
    """Return text and signature lines of a note."""
    if len(data) > MAX_NOTE_BYTES:
        raise MalformedNote(f"a note has at most {MAX_NOTE_BYTES} bytes; {len(data)} came")
    try:
        whole = data.decode()
    except UnicodeDecodeError as fault:
        raise MalformedNote("a note is text in UTF-8") from fault
    _check_text(whole)
    head, blank, tail = whole.rpartition("\n\n")
    if not blank or not tail:
        raise MalformedNote("a note is a text, a blank line and its signatures")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise MalformedNote(f"a note has at most {MAX_SIGNATURES} signatures")
    return head + "\n", [_read_line(line) for line in lines]


def _read_line(line: str) -> NoteSignature:
    match = _SIGNATURE_LINE.match(line)
    if match is None:
        raise MalformedNote("a signature line is a dash, a name and base64")
    blob = _unb64(match["blob"])
    if len(blob) < 5:
        raise MalformedNote("a signature line holds four bytes of key hash and a signature")
    return NoteSignature(name=match["name"], key_hash=blob[:4], signature=blob[4:])


def checkpoint_text(origin: str, *, size: int, root: bytes) -> str:
    """Return the text of a checkpoint: origin, size in decimal digits, root in base64.

    Raises
    ------
    MalformedNote
        If one of them has the wrong form.
    """
    if not _ORIGIN.match(origin):
        raise MalformedNote("an origin is printable ASCII without blanks, at most 300 characters")
    if not 0 <= size < 2**63 or len(root) != 32:
        raise MalformedNote("a checkpoint has a size from 0 and a root of 32 bytes")
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def sign_checkpoint(origin: str, size: int, root: bytes, key: SigningKey, name: str) -> bytes:
    """Return a signed checkpoint of a log.

    Parameters
    ----------
    origin : str
        As `log_origin` returns it.
    size : int
        Number of leaves.
    root : bytes, 32
    key : SigningKey
        The node's log key.
    name : str
        The node's id.
    """
    return sign_note(checkpoint_text(origin, size=size, root=root), key=key, name=name)


def read_checkpoint(data: bytes, public: bytes, name: str) -> Checkpoint:
    """Return the checkpoint in a note signed by the log key of the node `name`.

    Parameters
    ----------
    data : bytes
    public : bytes, 32
        The log key of the node's card.
    name : str
        The node's id, which is also the name of its log key.

    Raises
    ------
    MalformedNote
        If the bytes are no note, or its text is no checkpoint of a log of that node.
    NoteUnsigned
        If that key did not sign it.
    """
    note = open_note(data, keys={name: public})
    lines = note.text.split("\n")
    if len(lines) != 4 or not _ORIGIN.match(lines[0]) or not _SIZE.match(lines[1]):
        raise MalformedNote("a checkpoint is exactly three lines: origin, size and root")
    if origin_node(lines[0]) != name:
        raise MalformedNote(f"the checkpoint is signed by {name}, but its origin is the log of another node")
    root = _unb64(lines[2])
    if len(root) != 32:
        raise MalformedNote("the root of a checkpoint has 32 bytes")
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root, signed=data, unknown=note.unknown)
