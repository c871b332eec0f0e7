"""The Merkle tree of RFC 6962 over a log: one hash for any number of leaves, and short proofs that need no leaf but one.

Definitions, from https://www.rfc-editor.org/rfc/rfc6962#section-2.1, for leaves d(0) ... d(n-1) and k the largest power of two
smaller than n:

    MTH({})     = SHA-256()
    MTH({d(0)}) = SHA-256(0x00 || d(0))
    MTH(D[n])   = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n]))

The two prefixes keep a leaf from being passed off as an inner node. An audit path (2.1.1) shows that a leaf is in a tree; a
consistency proof (2.1.2) shows that a tree is the beginning of a larger one. Both are checked with the iterative algorithms of
https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.2 and 2.1.4.2, which see hashes only.

A path alone doesn't fix the size of its tree: whoever checks one must know size and root from the same head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, NamedTuple, final

HASH_BYTES: Final = 32

EMPTY: Final = sha256().digest()
"""The root of the tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


@final
@dataclass
class Tree:
    """The leaves' hashes and those of every complete subtree above them: appending costs two hashes, a root or a proof log n.

    A tree also knows every smaller tree that it has grown from, so heads of the past and proofs between them need no second one.
    """

    _levels: list[list[bytes]] = field(default_factory=lambda: [[]])
    """`_levels[k][i]`: the hash of leaves i * 2^k up to (i + 1) * 2^k."""

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self._levels[0])

    def add(self, leaf: bytes) -> None:
        """Put one more leaf, by its hash, at the end."""
        self._levels[0].append(leaf)
        level = 0
        while len(self._levels[level]) % 2 == 0:  # a pair is complete: so is the subtree above it
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(node_hash(*self._levels[level][-2:]))
            level += 1

    def leaf(self, index: int) -> bytes:
        """The hash of a leaf."""
        return self._levels[0][index]

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` leaves; over all of them for None."""
        size = self.size if size is None else size
        assert 0 <= size <= self.size, f"a tree of {self.size} leaves has no root over {size}"
        return self._over(0, size) if size else EMPTY

    def path(self, index: int, size: int) -> tuple[bytes, ...]:
        """The audit path of leaf `index` in the tree over the first `size` leaves: PATH(index, D[size]), lowest first."""
        assert 0 <= index < size <= self.size, f"leaf {index} isn't in a tree over {size} of {self.size} leaves"
        return tuple(self._path(index, 0, size))

    def consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        """PROOF(first, D[second]): that the first `first` leaves are the beginning of the first `second`."""
        assert 0 < first <= second <= self.size, f"no proof from {first} to {second} in a tree of {self.size} leaves"
        return tuple(self._subproof(first, 0, second, known=True))

    def _over(self, start: int, stop: int) -> bytes:
        """MTH(D[start:stop]) for the ranges that the recursion of the RFC meets: they begin at a multiple of their width's k."""
        width = stop - start
        if width.bit_count() == 1:
            level = width.bit_length() - 1
            return self._levels[level][start >> level]
        middle = start + _split(width)
        return node_hash(self._over(start, middle), self._over(middle, stop))

    def _path(self, index: int, start: int, stop: int) -> Iterator[bytes]:
        if stop - start == 1:
            return
        middle = start + _split(stop - start)
        if index < middle:
            yield from self._path(index, start, middle)
            yield self._over(middle, stop)
        else:
            yield from self._path(index, middle, stop)
            yield self._over(start, middle)

    def _subproof(self, first: int, start: int, stop: int, *, known: bool) -> Iterator[bytes]:
        """SUBPROOF(first - start, D[start:stop], known); `known`: whether the verifier has the hash of this range already."""
        if first == stop:
            if not known:
                yield self._over(start, stop)
            return
        middle = start + _split(stop - start)
        if first <= middle:
            yield from self._subproof(first, start, middle, known=known)
            yield self._over(middle, stop)
        else:
            yield from self._subproof(first, middle, stop, known=False)
            yield self._over(start, middle)


class Head(NamedTuple):
    """What a proof is about: how many leaves, and the root over them."""

    size: int
    root: bytes


def included(leaf: bytes, index: int, head: Head, path: Sequence[bytes]) -> bool:
    """Whether the path leads from the leaf's hash at this index to the head's root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < head.size:
        return False
    node, last, found = index, head.size - 1, leaf
    for beside in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(beside, found)
            while not node & 1 and node:  # levels at which this node has no sibling
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, beside)
        node, last = node >> 1, last >> 1
    return last == 0 and found == head.root


def consistent(first: Head, second: Head, path: Sequence[bytes]) -> bool:
    """Whether the path shows that the first head's leaves are the beginning of the second's (RFC 9162, 2.1.4.2)."""
    if not 0 < first.size <= second.size:
        return False
    if first.size == second.size:
        return not path and first.root == second.root
    if first.size.bit_count() == 1:  # the old tree is a subtree of the new one: its root is where the path begins
        path = (first.root, *path)
    if not path:
        return False
    node, last = first.size - 1, second.size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for beside in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(beside, old), node_hash(beside, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, beside)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first.root and new == second.root


def _split(width: int) -> int:
    """k: the largest power of two smaller than the width."""
    return 1 << (width - 1).bit_length() - 1
