"""Where a log is kept: rows that can only be added, bytes named by their digest, and snapshots that may be thrown away.

A store knows rows, not edits: it compares numbers and hashes and never looks into a body. Three small protocols, because three
things are promised: a row is for ever, a blob may be erased (a person's right), a snapshot is a cache.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from errata.core.canonical import digest_of
from errata.core.errors import BadInput, Conflict, LogError
from errata.log.entry import FIRST, Row

_BRANCH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Tip:
    """The last entry of a branch, as the store noted it in the transaction that appended it."""

    seq: int
    hash: str


@dataclass(frozen=True, order=True)
class SnapshotKey:
    """Names a snapshot: the entry after which it was taken, and the digest of its bytes."""

    branch: str
    seq: int
    entry: str
    """The hash of entry `seq`: a snapshot of another history doesn't fit, whatever its number."""

    digest: str
    """SHA-256 of the snapshot's bytes."""


class Blobs(Protocol):
    """Bytes named by their SHA-256: images, pools.

    Contract: what `put` returned survives a crash; a half-written blob is never visible.
    """

    def put(self, data: bytes) -> str:
        """Keep the bytes and return their digest. Putting them again changes nothing, and mends a damaged copy."""
        ...

    def get(self, digest: str) -> bytes | None:
        """The bytes, or None where they aren't there (never put, or erased).

        Raises:
            LogError: the bytes that are there don't have this digest.
        """
        ...

    def erase(self, digest: str) -> bool:
        """Remove the bytes for good; False where they weren't there."""
        ...


class Shelf(Protocol):
    """Snapshots: a cache of bytes that can be made again from the log, so `get` may find nothing and nothing is lost.

    Contract: a half-written snapshot is never visible. The shelf doesn't check digests; `Snapshots` does.
    """

    def put(self, key: SnapshotKey, data: bytes) -> None: ...

    def get(self, key: SnapshotKey) -> bytes | None: ...

    def sizes(self) -> Mapping[SnapshotKey, int]:
        """Every snapshot there, with its size in bytes, sorted by key."""
        ...

    def delete(self, key: SnapshotKey) -> None:
        """Remove it; nothing happens where it isn't there."""
        ...


class Store(Protocol):
    """Rows, blobs and snapshots in one place.

    Contract: `append` is atomic, durable before it returns, and serialised: of two writers that follow the same row, one gets
    `Conflict`. Rows come back as they went in. Safe to share among threads; open one for each process (never across a fork).
    """

    @property
    def blobs(self) -> Blobs: ...

    @property
    def shelf(self) -> Shelf: ...

    def append(self, row: Row) -> None:
        """Add the row after the last one of its branch: the commit point.

        Raises:
            Conflict: the row doesn't follow the branch's last row (its number is not the next, or `previous` is not its hash).
            LogError: the row can't be written; nothing was.
        """
        ...

    def rows(self, branch: str, start: int = 1, stop: int | None = None) -> Iterator[Row]:
        """The rows of a branch with start <= seq < stop, in order; rows appended meanwhile may or may not be among them.

        Raises:
            Tampered: a row can't be read.
        """
        ...

    def branches(self) -> Mapping[str, Tip]:
        """Every branch that has an entry, by name, with its last one."""
        ...

    def close(self) -> None:
        """Let go of files and connections; the store can't be used afterwards."""
        ...


def check_branch(name: str) -> str:
    """The name, if it can be one.

    Raises:
        BadInput: it can't.
    """
    if not _BRANCH.fullmatch(name):
        raise BadInput(
            f"{name!r} can't name a branch. Use up to 64 letters, digits, '.', '_' or '-', starting with a letter or digit."
        )
    return name


def check_follows(tip: Tip | None, row: Row) -> None:
    """Raise `Conflict` unless the row comes right after the tip of its branch."""
    last = tip or Tip(0, FIRST)
    if row.seq != last.seq + 1 or row.previous != last.hash:
        raise Conflict(
            f"Entry {row.seq} of branch {row.branch!r} doesn't follow entry {last.seq}, its last one: another writer was first. "
            "Read the log again and decide anew."
        )


def check_blob(digest: str, data: bytes) -> bytes:
    """The bytes, if they have the digest.

    Raises:
        LogError: they don't.
    """
    if digest_of(data) != digest:
        raise LogError(f"The stored bytes {digest[:12]} aren't what was written. Restore the store from a copy, or put them again.")
    return data
