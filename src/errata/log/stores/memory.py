"""A store that lives as long as the process: the in-memory twin of the SQLite store, for trials, benchmarks and tests."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import final

from errata.core.canonical import digest_of
from errata.core.errors import Held
from errata.log.entry import Row
from errata.log.store import Lease, SnapshotKey, Tip, check_blob, check_follows, lease_gone, moment


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

    def size(self, digest: str) -> int | None:
        data = self._blobs.get(digest)
        return None if data is None else len(data)

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

    def sizes(self, branch: str | None = None) -> Mapping[SnapshotKey, int]:
        return {key: len(data) for key, data in sorted(self._snapshots.items()) if branch in (None, key.branch)}

    def delete(self, key: SnapshotKey) -> None:
        self._snapshots.pop(key, None)


@final
class MemoryLeases:
    """`Leases` in a dictionary: branch -> the lease, and when it ends on this machine's clock."""

    def __init__(self) -> None:
        self._leases: dict[str, tuple[Lease, float]] = {}
        self._lock = threading.Lock()

    def take(self, branch: str, holder: str, *, seconds: float, url: str = "") -> Lease:
        with self._lock:
            self._check_free(branch)
            return self._note(branch, holder, secrets.token_hex(16), seconds, url)

    def renew(self, lease: Lease, *, seconds: float) -> Lease:
        with self._lock:
            held = self._leases.get(lease.branch)
            if held is None or held[0].token != lease.token:
                self._check_free(lease.branch)
                raise lease_gone(lease.branch)
            return self._note(lease.branch, lease.holder, lease.token, seconds, lease.url)

    def release(self, lease: Lease) -> None:
        with self._lock:
            held = self._leases.get(lease.branch)
            if held is not None and held[0].token == lease.token:
                del self._leases[lease.branch]

    def _check_free(self, branch: str) -> None:
        held = self._leases.get(branch)
        if held is not None and held[1] > time.time():
            raise Held(branch, held[0].holder, held[0].until, held[0].url)

    def _note(self, branch: str, holder: str, token: str, seconds: float, url: str) -> Lease:
        until = time.time() + seconds
        lease = Lease(branch, holder, token, moment(until), url)
        self._leases[branch] = (lease, until)
        return lease


@final
class MemoryStore:
    """`Store` in lists. Nothing survives the process."""

    def __init__(self) -> None:
        self.blobs = MemoryBlobs()
        self.shelf = MemoryShelf()
        self.leases = MemoryLeases()
        self._rows: dict[str, list[Row]] = {}
        self._lock = threading.RLock()

    @contextmanager
    def turn(self, branch: str) -> Iterator[None]:
        with self._lock:
            yield

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
