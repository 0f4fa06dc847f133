"""The Merkle tree of RFC 6962: leaf and root hashes, a frontier that grows, proofs of inclusion and of consistency.

A tree of n leaves is a row of complete subtrees, largest first, one for each bit of n. Hash ``(level, index)`` is the
root of the complete subtree over the leaves ``index * 2**level`` to ``(index + 1) * 2**level - 1``; level 0 are the
leaf hashes. Whoever stores these hashes (`Frontier.append` names each as it becomes complete) makes any proof with a
number of reads that grows as log n squared.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from corridor.base.errors import InputFault

HASH_BYTES = 32

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""

Reader: TypeAlias = Callable[[int, int], bytes]
"""Returns the hash ``(level, index)`` of a complete subtree."""


class ProofFromNothing(InputFault):
    """A consistency proof from size 0 was asked for or shown; every tree extends the empty one."""

    code = "proof-from-nothing"


class OutsideTree(InputFault):
    """An index or size lies outside the tree."""

    code = "outside-tree"


class MalformedFrontier(InputFault):
    """Bytes are no serialised frontier."""

    code = "malformed-frontier"


@dataclass(frozen=True, slots=True)
class Node:
    """The root of a complete subtree."""

    level: int
    index: int
    hash: bytes


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf, SHA-256 of 0x00 and its data."""
    return hashlib.sha256(b"\0" + data).digest()


def parent_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an interior node, SHA-256 of 0x01 and its children."""
    return hashlib.sha256(b"\1" + left + right).digest()


def reader_of(hashes: Sequence[bytes]) -> Reader:
    """Return a reader over leaf hashes held in memory; it keeps the interior hashes that it has computed."""
    known: dict[tuple[int, int], bytes] = {}

    def read(level: int, index: int) -> bytes:
        if level == 0:
            return hashes[index]
        if (level, index) not in known:
            known[level, index] = parent_hash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))
        return known[level, index]

    return read


def _reader(source: Sequence[bytes] | Reader) -> Reader:
    return source if callable(source) else reader_of(source)


def _peaks(start: int, size: int) -> list[tuple[int, int]]:
    """Return the complete subtrees, left to right, that cover `size` leaves from `start`, a multiple of the first."""
    peaks = []
    while size:
        level = size.bit_length() - 1
        peaks.append((level, start >> level))
        start += 1 << level
        size -= 1 << level
    return peaks


def _range_root(read: Reader, start: int, size: int) -> bytes:
    """Return the root over `size` leaves from `start`."""
    return _fold([read(level, index) for level, index in _peaks(start, size)])


def _fold(peaks: Sequence[bytes]) -> bytes:
    """Return the root over complete subtrees given left to right."""
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = parent_hash(peak, root)
    return root


def root(hashes: Sequence[bytes] | Reader, size: int | None = None) -> bytes:
    """Return the root of a tree.

    Parameters
    ----------
    hashes : sequence of leaf hashes, or reader
    size : int, optional
        Number of leaves; needed with a reader, by default all of the sequence.

    Returns
    -------
    bytes, 32
    """
    if size is None:
        if callable(hashes):
            raise OutsideTree("give the size of a tree that is read through a reader")
        size = len(hashes)
    return _range_root(_reader(hashes), 0, size) if size else EMPTY_ROOT


class Frontier:
    """The roots of a tree's complete subtrees: all that is needed to append leaves and to know the root."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if size < 0 or size.bit_count() != len(peaks) or any(len(peak) != HASH_BYTES for peak in peaks):
            raise MalformedFrontier(
                f"a frontier of {size} leaves has one hash of {HASH_BYTES} bytes for each bit of it"
            )
        self._size = size
        self._peaks = list(peaks)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def root(self) -> bytes:
        """Root of the tree as it stands."""
        return _fold(self._peaks) if self._peaks else EMPTY_ROOT

    def append(self, leaf: bytes) -> list[Node]:
        """Add the hash of one leaf and return the subtrees that it completed, the leaf itself first.

        Parameters
        ----------
        leaf : bytes, 32
            As `leaf_hash` returns it.
        """
        if len(leaf) != HASH_BYTES:
            raise MalformedFrontier(f"a leaf hash has {HASH_BYTES} bytes; {len(leaf)} came")
        index, node = self._size, leaf
        completed = [Node(0, index, node)]
        while index & 1:
            node = parent_hash(self._peaks.pop(), node)
            index >>= 1
            completed.append(Node(completed[-1].level + 1, index, node))
        self._peaks.append(node)
        self._size += 1
        return completed

    def serialise(self) -> bytes:
        """Return the frontier as bytes: the size in 8 bytes, big end first, then its hashes from left to right."""
        return self._size.to_bytes(8, "big") + b"".join(self._peaks)

    @classmethod
    def parse(cls, data: bytes) -> "Frontier":
        """Return the frontier that `serialise` wrote; no bytes at all are the empty tree.

        Raises
        ------
        MalformedFrontier
            If the bytes are none.
        """
        if not data:
            return cls()
        if len(data) < 8 or (len(data) - 8) % HASH_BYTES:
            raise MalformedFrontier("a frontier is 8 bytes of size and 32 bytes for each complete subtree")
        peaks = [data[start : start + HASH_BYTES] for start in range(8, len(data), HASH_BYTES)]
        return cls(int.from_bytes(data[:8], "big"), peaks)

    @classmethod
    def of(cls, hashes: Sequence[bytes] | Reader, size: int | None = None) -> "Frontier":
        """Return the frontier of the tree over `hashes` (the first `size` of them)."""
        if size is None:
            if callable(hashes):
                raise OutsideTree("give the size of a tree that is read through a reader")
            size = len(hashes)
        read = _reader(hashes)
        return cls(size, [read(level, index) for level, index in _peaks(0, size)])

    def copy(self) -> "Frontier":
        """Return a frontier that grows apart from this one."""
        return type(self)(self._size, self._peaks)


def inclusion_proof(hashes: Sequence[bytes] | Reader, index: int, size: int) -> list[bytes]:
    """Return the audit path of one leaf (RFC 6962, section 2.1.1), nearest sibling first.

    Parameters
    ----------
    hashes : sequence of leaf hashes, or reader
    index : int
        Of the leaf, from 0.
    size : int
        Of the tree in which it is proved.

    Raises
    ------
    OutsideTree
        Unless 0 <= index < size.
    """
    return inclusion_proofs(hashes, [index], size)[0]


def inclusion_proofs(hashes: Sequence[bytes] | Reader, indexes: Sequence[int], size: int) -> list[list[bytes]]:
    """Return the audit paths of several leaves of one tree; what neighbours share is computed once.

    Raises
    ------
    OutsideTree
        Unless 0 <= index < size for each.
    """
    read = _reader(hashes)
    roots: dict[tuple[int, int], bytes] = {}

    def range_root(start: int, length: int) -> bytes:
        if (start, length) not in roots:
            roots[start, length] = _range_root(read, start, length)
        return roots[start, length]

    return [_audit_path(range_root, index, size) for index in indexes]


def _audit_path(range_root: Callable[[int, int], bytes], index: int, size: int) -> list[bytes]:
    if not 0 <= index < size:
        raise OutsideTree(f"a tree of {size} leaves has no leaf {index}")
    path: list[bytes] = []
    start, length = 0, size
    while length > 1:
        half = 1 << (length - 1).bit_length() - 1
        if index - start < half:
            path.append(range_root(start + half, length - half))
            length = half
        else:
            path.append(range_root(start, half))
            start, length = start + half, length - half
    return path[::-1]


def consistency_proof(hashes: Sequence[bytes] | Reader, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of `new` leaves extends the tree of `old` leaves (RFC 6962, section 2.1.2).

    Parameters
    ----------
    hashes : sequence of leaf hashes, or reader
    old, new : int
        Sizes, 1 <= old <= new.

    Raises
    ------
    ProofFromNothing
        If `old` is 0.
    OutsideTree
        If `old` is larger than `new`, or negative.
    """
    if old == 0:
        raise ProofFromNothing("a consistency proof starts at size 1 or more")
    if not 0 < old <= new:
        raise OutsideTree(f"a tree of {new} leaves does not extend one of {old}")
    read = _reader(hashes)
    path: list[bytes] = []
    start, length, target, whole = 0, new, old, True
    while target != length:
        half = 1 << (length - 1).bit_length() - 1
        if target <= half:
            path.append(_range_root(read, start + half, length - half))
            length = half
        else:
            path.append(_range_root(read, start, half))
            start, length, target, whole = start + half, length - half, target - half, False
    if not whole:
        path.append(_range_root(read, start, target))
    return path[::-1]


def verify_inclusion(leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether `proof` shows that `leaf` is the hash of leaf `index` in the tree of `size` leaves with this root.

    Notes
    -----
    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size or any(len(sibling) != HASH_BYTES for sibling in (leaf, root, *proof)):
        return False
    place, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = parent_hash(sibling, node)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            node = parent_hash(node, sibling)
        place >>= 1
        last >>= 1
    return last == 0 and node == root


def verify_consistency(*, old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` shows that the tree of `new` leaves extends the tree of `old` leaves.

    Raises
    ------
    ProofFromNothing
        If `old` is 0.

    Notes
    -----
    Source: RFC 9162, section 2.1.4.2. An empty proof from size 0 is an error here, as in transparency-dev/merkle; a
    witness of C2SP would accept it.
    """
    if old == 0:
        raise ProofFromNothing("a consistency proof starts at size 1 or more")
    if not 0 < old <= new or any(len(node) != HASH_BYTES for node in proof):
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place >>= 1
        last >>= 1
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old_node, new_node = parent_hash(sibling, old_node), parent_hash(sibling, new_node)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            new_node = parent_hash(new_node, sibling)
        place >>= 1
        last >>= 1
    return last == 0 and old_node == old_root and new_node == new_root
