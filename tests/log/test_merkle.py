"""A Merkle proof holds for its own leaf, place and heads, and for nothing else."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from errata.log.merkle import EMPTY, Head, Tree, consistent, included, leaf_hash

LARGEST = 70


def grown(size: int) -> Tree:
    tree = Tree()
    for number in range(size):
        tree.add(leaf_hash(f"leaf {number}".encode()))
    return tree


TREE = grown(LARGEST)
HEADS = [Head(size, TREE.root(size)) for size in range(LARGEST + 1)]


@given(st.data())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_spoilt_proof_is_refused(data):
    size = data.draw(st.integers(2, LARGEST))
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    audit, growth = TREE.path(index, size), TREE.consistency(first, size)
    assert not included(TREE.leaf(index), index, HEADS[size], spoilt(data, audit))
    assert not consistent(HEADS[first], HEADS[size], spoilt(data, growth))
    assert not included(leaf_hash(b"another"), index, HEADS[size], audit)
    assert not included(TREE.leaf(index), index, Head(size, flipped(data, HEADS[size].root)), audit)
    assert not consistent(Head(first, flipped(data, HEADS[first].root)), HEADS[size], growth)
    assert not consistent(HEADS[first], Head(size, flipped(data, HEADS[size].root)), growth)


@given(st.integers(2, LARGEST), st.data())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_proof_holds_at_its_own_place_only(size, data):
    index, other = data.draw(st.lists(st.integers(-1, size + 1), min_size=2, max_size=2, unique=True))
    if 0 <= index < size:
        assert not included(TREE.leaf(index), other, HEADS[size], TREE.path(index, size))
    first, second = sorted((data.draw(st.integers(1, size)), size))
    if first < second:
        assert not consistent(HEADS[second], HEADS[first], TREE.consistency(first, second))
        assert not consistent(HEADS[0], HEADS[second], TREE.consistency(first, second))


def test_a_head_that_claims_more_leaves_than_its_root_is_over_is_refused():
    for size in range(1, LARGEST + 1):
        claimed = Head(4 * size, HEADS[size].root)
        assert not any(included(TREE.leaf(index), index, claimed, TREE.path(index, size)) for index in range(size))
        assert not any(consistent(HEADS[first], claimed, TREE.consistency(first, size)) for first in range(1, size + 1))


def test_an_inner_node_cannot_be_passed_off_as_a_leaf():
    assert leaf_hash(TREE.leaf(0) + TREE.leaf(1)) != TREE.root(2)


def test_a_tree_knows_every_tree_that_it_has_grown_from():
    assert [TREE.root(size) for size in range(LARGEST + 1)] == [grown(size).root() for size in range(LARGEST + 1)]
    assert Tree().root() == EMPTY


def test_a_proof_in_a_large_tree_is_short():
    tree = grown(100_000)
    head = Head(tree.size, tree.root())
    for index in (0, 65_535, 65_536, 99_999):
        path = tree.path(index, tree.size)
        assert len(path) <= 17
        assert included(tree.leaf(index), index, head, path)
    growth = tree.consistency(77_777, tree.size)
    assert len(growth) <= 18
    assert consistent(Head(77_777, tree.root(77_777)), head, growth)


def spoilt(data: st.DataObject, proof: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The proof with one hash changed, lost, doubled or added, or with two of them changed about."""
    ways = ["added"] + (["changed", "lost", "doubled"] if proof else []) + (["swapped"] if len(proof) > 1 else [])
    way, place = data.draw(st.sampled_from(ways)), data.draw(st.integers(0, max(0, len(proof) - 1)))
    hashes = list(proof)
    if way == "changed":
        hashes[place] = flipped(data, hashes[place])
    elif way == "lost":
        del hashes[place]
    elif way == "doubled":
        hashes.insert(place, hashes[place])
    elif way == "added":
        hashes.insert(data.draw(st.integers(0, len(hashes))), sha256(b"added").digest())
    else:
        other = (place + 1) % len(hashes)
        hashes[place], hashes[other] = hashes[other], hashes[place]
    return tuple(hashes)


def flipped(data: st.DataObject, value: bytes) -> bytes:
    bit = data.draw(st.integers(0, 8 * len(value) - 1))
    return (int.from_bytes(value) ^ 1 << bit).to_bytes(len(value))
