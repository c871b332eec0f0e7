"""A store in which something happens when a test says so: the process dies, the disk is full, another writer is quicker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from errata.log import MemoryStore, Row, Shelf


def _nothing(*seen: object) -> None:
    return None


@dataclass
class Eventful:
    """`inner`, with something done before a row is appended and before snapshots are looked at."""

    inner: MemoryStore
    appending: Callable[[Row], None] = _nothing
    looking: Callable[[], None] = _nothing

    @property
    def blobs(self):
        return self.inner.blobs

    @property
    def leases(self):
        return self.inner.leases

    @property
    def shelf(self) -> Shelf:
        self.looking()
        return self.inner.shelf

    def turn(self, branch: str):
        return self.inner.turn(branch)

    def append(self, row: Row) -> None:
        self.appending(row)
        self.inner.append(row)

    def rows(self, branch: str, start: int = 1, stop: int | None = None):
        return self.inner.rows(branch, start, stop)

    def branches(self):
        return self.inner.branches()

    def close(self) -> None:
        self.inner.close()
