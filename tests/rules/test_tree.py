import base64
import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.exchange.rules import tree
from tests.reference import merkle
from tests.shared import shared

LEAVES = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


def hashes_of(leaves: list[bytes]) -> list[bytes]:
    return [tree.leaf_hash(leaf) for leaf in leaves]


@given(LEAVES)
def test_root_and_frontier_equal_the_recursive_definition(leaves: list[bytes]) -> None:
    frontier = tree.Frontier()
    for leaf in hashes_of(leaves):
        frontier.append(leaf)

    assert tree.root(hashes_of(leaves)) == frontier.root == merkle.tree_hash(leaves)
    assert tree.Frontier.of(hashes_of(leaves)).serialise() == frontier.serialise()


def test_empty_tree_has_the_root_of_rfc_6962() -> None:
    assert tree.root([]) == tree.Frontier().root == merkle.tree_hash([])


@given(LEAVES, st.data())
def test_inclusion_proof_equals_the_recursive_definition_and_verifies(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))

    proof = tree.inclusion_proof(hashes_of(leaves), index, len(leaves))

    assert proof == merkle.audit_path(index, leaves)
    root = merkle.tree_hash(leaves)
    assert tree.verify_inclusion(tree.leaf_hash(leaves[index]), index=index, size=len(leaves), proof=proof, root=root)


@given(LEAVES, st.data())
def test_consistency_proof_equals_the_recursive_definition_and_verifies(
    leaves: list[bytes], data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, len(leaves)))

    proof = tree.consistency_proof(hashes_of(leaves), old, len(leaves))

    assert proof == merkle.consistency(old, leaves)
    assert tree.verify_consistency(
        old=old,
        old_root=merkle.tree_hash(leaves[:old]),
        new=len(leaves),
        new_root=merkle.tree_hash(leaves),
        proof=proof,
    )


@given(LEAVES, st.data())
def test_tree_with_one_edited_leaf_is_never_consistent_with_what_was_signed(
    leaves: list[bytes], data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, len(leaves)))
    edited = data.draw(st.integers(0, old - 1))
    forged = [*leaves[:edited], leaves[edited] + b"!", *leaves[edited + 1 :]]

    proof = tree.consistency_proof(hashes_of(forged), old, len(leaves))

    assert not tree.verify_consistency(
        old=old,
        old_root=merkle.tree_hash(leaves[:old]),
        new=len(leaves),
        new_root=merkle.tree_hash(forged),
        proof=proof,
    )


@given(LEAVES, st.data())
def test_leaf_is_never_shown_at_another_index(leaves: list[bytes], data: st.DataObject) -> None:
    distinct = [bytes([number]) for number, _ in enumerate(leaves)]
    index = data.draw(st.integers(0, len(leaves) - 1))
    other = data.draw(st.integers(0, len(leaves) - 1).filter(lambda place: place != index)) if len(leaves) > 1 else 1

    proof = tree.inclusion_proof(hashes_of(distinct), index, len(distinct))

    assert not tree.verify_inclusion(
        tree.leaf_hash(distinct[index]),
        index=other,
        size=len(distinct),
        proof=proof,
        root=merkle.tree_hash(distinct),
    )


@given(LEAVES)
def test_frontier_survives_being_stored_between_any_two_leaves(leaves: list[bytes]) -> None:
    stored = b""
    for leaf in hashes_of(leaves):
        frontier = tree.Frontier.parse(stored)
        frontier.append(leaf)
        stored = frontier.serialise()

    assert tree.Frontier.parse(stored).root == merkle.tree_hash(leaves)


@given(LEAVES, st.data())
def test_proofs_from_stored_subtrees_read_few_of_them(leaves: list[bytes], data: st.DataObject) -> None:
    stored: dict[tuple[int, int], bytes] = {}
    frontier = tree.Frontier()
    for leaf in hashes_of(leaves):
        stored |= {(node.level, node.index): node.hash for node in frontier.append(leaf)}
    reads: list[tuple[int, int]] = []

    def read(level: int, index: int) -> bytes:
        reads.append((level, index))
        return stored[level, index]

    old = data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, len(leaves) - 1))

    assert tree.consistency_proof(read, old, len(leaves)) == merkle.consistency(old, leaves)
    assert tree.inclusion_proof(read, index, len(leaves)) == merkle.audit_path(index, leaves)
    assert tree.root(read, old) == merkle.tree_hash(leaves[:old])
    levels = len(leaves).bit_length()
    assert len(reads) <= 3 * levels * levels


@dataclass
class Vector:
    name: str
    members: dict


def vectors(kind: str) -> list[Vector]:
    folder = shared(f"vectors/rfc6962-merkle/testdata/{kind}")
    return [Vector(str(path), json.loads(path.read_text())) for path in sorted(folder.rglob("*.json"))]


def raw(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def test_inclusion_vectors_of_transparency_dev_agree() -> None:
    found = vectors("inclusion")

    for vector in found:
        members = vector.members
        holds = tree.verify_inclusion(
            raw(members["leafHash"]),
            index=members["leafIdx"],
            size=members["treeSize"],
            proof=[raw(node) for node in members["proof"] or []],
            root=raw(members["root"]),
        )
        assert holds is not members["wantErr"], vector.name
    assert len(found) == 98


def test_consistency_vectors_of_transparency_dev_agree_and_size_zero_is_an_error() -> None:
    found, from_nothing = vectors("consistency"), 0

    for vector in found:
        members = vector.members
        sizes_and_roots = {
            "old": members["size1"],
            "old_root": raw(members["root1"]),
            "new": members["size2"],
            "new_root": raw(members["root2"]),
            "proof": [raw(node) for node in members["proof"] or []],
        }
        if members["size1"] == 0:
            from_nothing += 1
            with pytest.raises(tree.ProofFromNothing):
                tree.verify_consistency(**sizes_and_roots)
            assert members["wantErr"], vector.name
        else:
            assert tree.verify_consistency(**sizes_and_roots) is not members["wantErr"], vector.name
    assert (len(found), from_nothing) == (98, 9)


def test_asking_for_a_proof_from_nothing_is_an_error() -> None:
    with pytest.raises(tree.ProofFromNothing):
        tree.consistency_proof(hashes_of([b"a"]), 0, 1)


@pytest.mark.parametrize(("index", "size"), [(1, 1), (-1, 1), (0, 0)])
def test_inclusion_outside_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(tree.OutsideTree):
        tree.inclusion_proof(hashes_of([b"a"]), index, size)


@pytest.mark.parametrize(("old", "new"), [(3, 2), (-1, 2)])
def test_consistency_backwards_is_refused(old: int, new: int) -> None:
    with pytest.raises(tree.OutsideTree):
        tree.consistency_proof(hashes_of([b"a", b"b", b"c"]), old, new)


@pytest.mark.parametrize("data", [b"\0", b"\0" * 7 + b"\1", b"\0" * 7 + b"\3" + b"x" * 32, b"x" * 9])
def test_bytes_that_are_no_frontier_are_refused(data: bytes) -> None:
    with pytest.raises(tree.MalformedFrontier):
        tree.Frontier.parse(data)


def test_leaf_hash_of_another_length_is_refused() -> None:
    with pytest.raises(tree.MalformedFrontier):
        tree.Frontier().append(b"short")


def test_reader_needs_a_size() -> None:
    with pytest.raises(tree.OutsideTree):
        tree.root(tree.reader_of([]))
    with pytest.raises(tree.OutsideTree):
        tree.Frontier.of(tree.reader_of([]))


def test_copy_of_a_frontier_grows_apart() -> None:
    frontier = tree.Frontier.of(hashes_of([b"a"]))
    copy = frontier.copy()

    copy.append(tree.leaf_hash(b"b"))

    assert (frontier.size, copy.size) == (1, 2)
    assert frontier.root == merkle.tree_hash([b"a"])
