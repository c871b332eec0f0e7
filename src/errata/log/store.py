"""Where a log is kept: rows that can only be added, bytes named by their digest, snapshots that may be thrown away, and leases.

A store knows rows, not edits: it compares numbers and hashes and never looks into a body. Four small protocols, because four
things are promised: a row is for ever, a blob may be erased (a person's right), a snapshot is a cache, a lease ends by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol, runtime_checkable

from errata.core.canonical import digest_of
from errata.core.errors import BadInput, Conflict, LogError, quoted
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


@dataclass(frozen=True)
class Lease:
    """The right to write to a branch until it ends, is released, or is renewed."""

    branch: str
    holder: str
    """Who has it, in words for whoever must wait."""

    token: str
    """Tells it from every other lease, whoever the holder is; of which process it is says `errata.log.processes`."""

    until: str
    """ISO 8601, UTC, by the store's clock: when it ends unless it is renewed."""

    url: str = ""
    """Where its holder takes what others would write (`errata serve`); "": nowhere."""


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

    def size(self, digest: str) -> int | None:
        """How many bytes are there under this name, without reading them; None where none are."""
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

    def sizes(self, branch: str | None = None) -> Mapping[SnapshotKey, int]:
        """Every snapshot there, or every one of a branch, with its size in bytes, sorted by key."""
        ...

    def delete(self, key: SnapshotKey) -> None:
        """Remove it; nothing happens where it isn't there."""
        ...


class Leases(Protocol):
    """One writer to a branch, many readers. It spares a second writer work in vain; what keeps the chain whole is `Store.append`.

    Contract: of two that take a branch at once, one gets `Held`. Time is the store's. A lease that ended may be taken by anyone,
    and may still be renewed until somebody has. One of a process of this machine that runs no more may be taken at once.
    """

    def take(self, branch: str, holder: str, *, seconds: float, url: str = "") -> Lease:
        """The lease of the branch. `url`: see `Lease`.

        Raises:
            Held: somebody has it; its `url` is that of the lease, if it leads to the holder from here (`processes.leading`).
            LogError: it can't be written down.
        """
        ...

    def renew(self, lease: Lease, *, seconds: float) -> Lease:
        """The same lease, lasting `seconds` from now.

        Raises:
            Held: it had ended and somebody else took the branch.
            LogError: it can't be written down, or is there no more.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Let go of the branch; nothing happens where the lease was lost."""
        ...


class Store(Protocol):
    """Rows, blobs, snapshots and leases in one place.

    Contract: `append` is atomic, durable before it returns, and serialised: of two writers that follow the same row, one gets
    `Conflict`. Rows come back as they went in. Safe to share among threads; open one for each process (never across a fork).
    """

    @property
    def blobs(self) -> Blobs: ...

    @property
    def shelf(self) -> Shelf: ...

    @property
    def leases(self) -> Leases: ...

    def turn(self, branch: str) -> AbstractContextManager[None]:
        """Be the only one who appends to the branch for the length of a `with` block, up to the first `append` in it.

        What is read in the block holds until then, so a writer need not decide anew because another was quicker. Keep it short:
        others wait. Only one turn at a time in a thread.

        Raises:
            LogError: others have had their turn for too long, or the store can't be written.
        """
        ...

    def append(self, row: Row) -> None:
        """Add the row after the last one of its branch: the commit point.

        Raises:
            Conflict: the row doesn't follow the branch's last row (its number is not the next, or `previous` is not its hash).
            LogError: the row can't be written; nothing was.
            Unsure: the store was lost meanwhile and can't be asked whether it has the row.
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


class Listening(Protocol):
    """Somebody who is told when a row was appended."""

    @property
    def works(self) -> bool:
        """Whether an append would be heard now. Where it wouldn't (the server is away, or can't tell), look at the store."""
        ...

    def stop(self) -> None:
        """Be told no more."""
        ...


@runtime_checkable
class Tells(Protocol):
    """A store that tells whoever listens when a row was appended, whichever process did it."""

    def listen(self, heard: Callable[[], None]) -> Listening:
        """Be told.

        Args:
            heard: called from a thread of its own once a row may be there that wasn't: after an append, and each time the
                connection was made anew. It must not wait.
        """
        ...


def check_branch(name: str) -> str:
    """The name, if it can be one.

    Raises:
        BadInput: it can't.
    """
    if not _BRANCH.fullmatch(name):
        raise BadInput(
            f"{quoted(name)} can't name a branch. Use up to 64 letters, digits, '.', '_' or '-', starting with a letter or digit."
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


def moment(seconds: float) -> str:
    """A time as it's shown: ISO 8601, UTC, whole seconds (`seconds` since 1970)."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def lease_gone(branch: str) -> LogError:
    """What is said to a holder whose lease isn't there any more, with nobody else in its place."""
    return LogError(
        f"The lease of branch {branch!r} ended and is gone: another writer was there meanwhile. Nothing was changed. "
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
