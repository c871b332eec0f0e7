"""A store that lives as long as the process: the in-memory twin of the SQLite store, for trials, benchmarks and tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import final

from errata.core.canonical import digest_of
from errata.log.entry import Row
from errata.log.store import SnapshotKey, Tip, check_blob, check_follows


@final
class MemoryBlobs:
    """`Blobs` in a dictionary."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        digest = digest_of(data)
        self._blobs[digest] = bytes(data)
        return digest

    def get(self, digest: str) -> bytes | None:
        data = self._blobs.get(digest)
        return None if data is None else check_blob(digest, data)

    def erase(self, digest: str) -> bool:
        return self._blobs.pop(digest, None) is not None


@final
class MemoryShelf:
    """`Shelf` in a dictionary."""

    def __init__(self) -> None:
        self._snapshots: dict[SnapshotKey, bytes] = {}

    def put(self, key: SnapshotKey, data: bytes) -> None:
        self._snapshots[key] = bytes(data)

    def get(self, key: SnapshotKey) -> bytes | None:
        return self._snapshots.get(key)

    def sizes(self) -> Mapping[SnapshotKey, int]:
        return {key: len(data) for key, data in sorted(self._snapshots.items())}

    def delete(self, key: SnapshotKey) -> None:
        self._snapshots.pop(key, None)


@final
class MemoryStore:
    """`Store` in lists. Nothing survives the process."""

    def __init__(self) -> None:
        self.blobs = MemoryBlobs()
        self.shelf = MemoryShelf()
        self._rows: dict[str, list[Row]] = {}
        self._lock = threading.Lock()

    def append(self, row: Row) -> None:
        with self._lock:
            rows = self._rows.get(row.branch, [])
            check_follows(Tip(rows[-1].seq, rows[-1].hash) if rows else None, row)
            self._rows.setdefault(row.branch, rows).append(row)

    def rows(self, branch: str, start: int = 1, stop: int | None = None) -> Iterator[Row]:
        with self._lock:
            rows = self._rows.get(branch, [])
            page = rows[max(start, 1) - 1 : None if stop is None else max(stop, 1) - 1]
        yield from page

    def branches(self) -> Mapping[str, Tip]:
        with self._lock:
            return {name: Tip(rows[-1].seq, rows[-1].hash) for name, rows in sorted(self._rows.items())}

    def close(self) -> None:
        """Nothing to let go of: the store can still be read."""
