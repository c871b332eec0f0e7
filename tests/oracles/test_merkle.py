"""The Merkle tree against the definitions of RFC 6962 written out naively, and against the published roots and proofs."""

from __future__ import annotations

from hashlib import sha256

import pytest

from errata.log.merkle import EMPTY, Head, Tree, consistent, included, leaf_hash

LARGEST = 70

PUBLISHED_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
PUBLISHED_ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Of the tests that came with Certificate Transparency; the root over the first n leaves at place n."""


def mth(leaves: list[bytes]) -> bytes:
    """MTH, as section 2.1 says it."""
    if len(leaves) < 2:
        return sha256(b"\x00" + leaves[0]).digest() if leaves else sha256(b"").digest()
    k = split(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH, as section 2.1.1 says it."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    return [*path(m, leaves[:k]), mth(leaves[k:])] if m < k else [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], b: bool) -> list[bytes]:
    """SUBPROOF, as section 2.1.2 says it."""
    if m == len(leaves):
        return [] if b else [mth(leaves)]
    k = split(len(leaves))
    return [*subproof(m, leaves[:k], b), mth(leaves[k:])] if m <= k else [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def split(n: int) -> int:
    return max(2**power for power in range(n) if 2**power < n)


def grown(leaves: list[bytes]) -> Tree:
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf_hash(leaf))
    return tree


LEAVES = [f"leaf {number}".encode() for number in range(LARGEST)]
TREE = grown(LEAVES)
HEADS = [Head(size, TREE.root(size)) for size in range(LARGEST + 1)]


@pytest.mark.parametrize("size", range(len(PUBLISHED_ROOTS)))
def test_the_roots_are_the_published_ones(size):
    assert grown(PUBLISHED_LEAVES).root(size).hex() == PUBLISHED_ROOTS[size] == mth(PUBLISHED_LEAVES[:size]).hex()


def test_the_example_of_rfc_6962_has_the_paths_that_it_names():
    tree = grown([f"d{number}".encode() for number in range(7)])
    a, b, c, d, e, f, j = (tree.leaf(index) for index in range(7))
    g, h, i = (grown([f"d{x}".encode(), f"d{x + 1}".encode()]).root() for x in (0, 2, 4))
    k, l = tree.root(4), grown([b"d4", b"d5", b"d6"]).root()  # noqa: E741  the RFC's names
    assert tree.path(0, 7) == (b, h, l)
    assert tree.path(3, 7) == (c, g, l)
    assert tree.path(4, 7) == (f, j, k)
    assert tree.path(6, 7) == (i, k)
    assert tree.consistency(3, 7) == (c, d, g, l)
    assert tree.consistency(4, 7) == (l,)
    assert tree.consistency(6, 7) == (i, j, k)


def test_every_root_and_proof_up_to_70_leaves_is_the_naive_one_and_is_accepted():
    assert TREE.root(0) == EMPTY
    for size in range(1, LARGEST + 1):
        leaves = LEAVES[:size]
        assert TREE.root(size) == mth(leaves)
        for index in range(size):
            found = TREE.path(index, size)
            assert list(found) == path(index, leaves)
            assert included(TREE.leaf(index), index, HEADS[size], found)
        for first in range(1, size + 1):
            found = TREE.consistency(first, size)
            assert list(found) == subproof(first, leaves, True)
            assert consistent(HEADS[first], HEADS[size], found)
