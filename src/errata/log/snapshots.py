"""States at some entries, so that a fold need not start at the beginning. A cache: whatever looks wrong is passed over.

Which to keep: reverting the last edit must be cheap, reverting an old one may take longer. So snapshots are kept dense near the
head and ever sparser towards the start, spaced evenly in the logarithm of their age, as many as the byte budget allows.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, final

from errata.core.canonical import digest_of
from errata.core.errors import LogError
from errata.core.records import EditId
from errata.log.edit_log import EditLog
from errata.log.entry import Entry
from errata.log.store import SnapshotKey

BUDGET_BYTES: Final = 2 * 1024**3
"""What the snapshots of one branch may take on the disk, unless said otherwise."""


_APART: Final = "+parts"
"""After a branch's name: where what its edits wrote stands on the shelf. No branch can be called so."""


@dataclass(frozen=True)
class Snapshot:
    """A state after entry `seq`, as bytes that were checked."""

    seq: int
    data: bytes = field(repr=False)
    edits: int
    """How many edits were in force then: the fold goes on with `log.in_force(skip=edits)`."""


@dataclass(frozen=True)
class Found:
    """The snapshot to start from, and what was passed over on the way to it."""

    snapshot: Snapshot | None
    skipped: tuple[str, ...] = ()
    """A sentence for each snapshot that looked wrong."""


@final
class Snapshots:
    """The snapshots of one branch.

    Args:
        log: the branch.
        budget_bytes: how much they may take together; 0 keeps none.
    """

    def __init__(self, log: EditLog, *, budget_bytes: int = BUDGET_BYTES) -> None:
        self._log = log
        self._shelf = log.store.shelf
        self._budget = budget_bytes

    def put(self, entry: Entry, data: bytes) -> bool:
        """Keep the state after this entry, and let go of those that no longer fit the budget.

        Returns:
            Whether it was kept: False where it alone is over the budget, so that the shelf stays as it was.

        Raises:
            LogError: it can't be written.
        """
        if len(data) > self._budget:
            return False
        key = SnapshotKey(entry.branch, entry.seq, entry.hash, digest_of(data))
        self._shelf.put(key, data)
        self._thin(key)
        return True

    def nearest(self, seq: int) -> Found:
        """The newest snapshot at or before entry `seq` that can be trusted: its entry is in the chain, its bytes are as written.

        Raises:
            Tampered: an entry up to the snapshot doesn't verify.
        """
        return self._newest(seq, then=None, since=0)

    def start(self, *, without: Collection[EditId] = ()) -> Found:
        """The snapshot from which to fold what is in force now.

        The newest one whose edits are the first of those in force: a snapshot taken while a since reverted edit was in force
        doesn't serve, because the fold of what remains isn't a continuation of it. Where an image was erased and its effect kept,
        the state that was pinned then is the oldest that serves, and it is no cache.

        Args:
            without: edits to be left out, as if they had been taken back.

        Raises:
            Tampered: as `nearest`.
            LogError: the pinned state is gone.
        """
        now = tuple(edit for edit in self._log.ids_in_force() if edit not in without)
        pin = self._log.pin
        found = self._newest(len(self._log), then=now, since=0 if pin is None else pin.seq)
        if found.snapshot is not None or pin is None:
            return found
        data = self._log.store.blobs.get(pin.digest)
        if data is None:
            raise LogError(
                f"The state that was kept when an image was erased (entry {pin.seq}) is gone, and the log can't be folded without "
                "it. Restore the store from a copy."
            )
        return Found(Snapshot(pin.seq, data, pin.edits), found.skipped)

    def clear(self) -> None:
        """Let go of all of them: the next fold takes longer, and leaves none of what they held."""
        for key in self._mine():
            self._shelf.delete(key)

    def sizes(self) -> Mapping[int, int]:
        """Number of the entry -> bytes, for every snapshot of the branch on the shelf."""
        return {key.seq: size for key, size in self._mine().items()}

    def _newest(self, seq: int, *, then: tuple[EditId, ...] | None, since: int) -> Found:
        """The newest that can be trusted, from `since` to `seq`; where `then` is given, its edits are the first of these."""
        skipped: list[str] = []
        for key in sorted(self._mine(), reverse=True):
            if not since <= key.seq <= min(seq, len(self._log)):
                continue
            if self._entry_hash(key.seq) != key.entry:
                skipped.append(f"The snapshot after entry {key.seq} is of another history; it was passed over.")
                continue
            held = self._log.ids_at(key.seq)
            if then is not None and held != then[: len(held)]:
                continue
            data, why = self._read(key)
            if data is not None:
                return Found(Snapshot(key.seq, data, len(held)), tuple(skipped))
            skipped.append(f"The snapshot after entry {key.seq} {why}; it was passed over.")
        return Found(None, tuple(skipped))

    def _read(self, key: SnapshotKey) -> tuple[bytes | None, str]:
        try:
            data = self._shelf.get(key)
        except LogError as error:
            return None, f"can't be read ({error})"
        if data is None:
            return None, "is gone"
        return (data, "") if digest_of(data) == key.digest else (None, "is damaged: its bytes don't have their digest")

    def _thin(self, newest: SnapshotKey) -> None:
        """Delete what doesn't fit: snapshots of entries that the chain doesn't have, doubles, and what `keep` leaves out."""
        mine = self._mine()
        by_seq = {key.seq: key for key in mine if self._entry_hash(key.seq) == key.entry} | {newest.seq: newest}
        kept = {by_seq[seq] for seq in keep({seq: mine[key] for seq, key in by_seq.items()}, self._budget)}
        for key in mine.keys() - kept:
            self._shelf.delete(key)

    def _mine(self) -> dict[SnapshotKey, int]:
        return dict(self._shelf.sizes(self._log.branch))

    def _entry_hash(self, seq: int) -> str | None:
        """The hash in the store, beyond the end of a view too; that it's right is for the fold to check."""
        return next((row.hash for row in self._log.store.rows(self._log.branch, seq, seq + 1)), None)


@final
class PartShelf:
    """What each edit of a branch wrote, by itself, so that a state can be put together without the model. A cache as well.

    They stand on the store's shelf beside the snapshots, under a name that no branch can have; a part is the edit's whatever came
    before it, so it is found by the edit's id alone.

    Args:
        log: the branch.
    """

    def __init__(self, log: EditLog) -> None:
        self._shelf = log.store.shelf
        self._name = f"{log.branch}{_APART}"

    def put(self, edit: EditId, data: bytes) -> None:
        """Keep what an edit wrote.

        Raises:
            LogError: it can't be written.
        """
        self._shelf.put(SnapshotKey(self._name, 0, edit, digest_of(data)), data)

    def get(self, edits: Collection[EditId]) -> Mapping[EditId, bytes]:
        """What these edits wrote, of those of which it's there with the digest it was put under."""
        wanted, found = set(edits), dict[EditId, bytes]()
        for key in self._mine() if wanted else ():
            edit = EditId(key.entry)
            data = self._shelf.get(key) if edit in wanted and edit not in found else None
            if data is not None and digest_of(data) == key.digest:
                found[edit] = data
        return found

    def clear(self) -> None:
        """Let go of all of them."""
        for key in self._mine():
            self._shelf.delete(key)

    def _mine(self) -> tuple[SnapshotKey, ...]:
        return tuple(self._shelf.sizes(self._name))


def keep(sizes: Mapping[int, int], budget_bytes: int) -> frozenset[int]:
    """Which snapshots to keep: within the budget, the newest first of all, the others evenly spaced in the logarithm of their age.

    While they take too much, the one goes whose absence leaves the smallest gap: the gap of a snapshot is the ratio of the age of
    the next older one to that of the next newer one (ages plus one; the start of the log counts as a snapshot, for it is free).

    Args:
        sizes: number of the entry -> bytes.
        budget_bytes: what they may take together.
    """
    kept = sorted(sizes)
    total = sum(sizes.values())
    while kept and total > budget_bytes:
        newest = kept[-1]
        if len(kept) == 1:
            return frozenset()
        ages = [math.log1p(newest - seq) for seq in (0, *kept)]
        gaps = [(ages[index - 1] - ages[index + 1], kept[index - 1]) for index in range(1, len(kept))]
        _, gone = min(gaps)
        kept.remove(gone)
        total -= sizes[gone]
    return frozenset(kept)
