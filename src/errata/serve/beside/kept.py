"""Named values, each of a kind and of a branch, that outlast the server."""

from __future__ import annotations

import threading
from typing import Literal, Protocol, final

Kind = Literal["flagged", "shown", "posted"]
"""Answers that people flagged, by their ids; the pictures of their questions, by digest; the last entry that a webhook took, by the
webhook."""


class Beside(Protocol):
    """Values beside a store. Threads and processes may share it; nothing is made before the first `put`."""

    def put(self, kind: Kind, branch: str, name: str, value: bytes) -> None:
        """Keep a value; one of this name gives way, and the new one has its place."""
        ...

    def get(self, kind: Kind, branch: str, name: str) -> bytes | None: ...

    def drop(self, kind: Kind, branch: str, name: str) -> bool:
        """Whether it was there."""
        ...

    def all(self, kind: Kind, branch: str | None) -> list[tuple[str, str, bytes]]:
        """Branch, name and value of each, the oldest first; None: of every branch."""
        ...

    def close(self) -> None: ...


@final
class InMemory:
    """`Beside` for as long as the process lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[tuple[Kind, str, str], bytes] = {}

    def put(self, kind: Kind, branch: str, name: str, value: bytes) -> None:
        with self._lock:
            self._held[kind, branch, name] = value

    def get(self, kind: Kind, branch: str, name: str) -> bytes | None:
        with self._lock:
            return self._held.get((kind, branch, name))

    def drop(self, kind: Kind, branch: str, name: str) -> bool:
        with self._lock:
            return self._held.pop((kind, branch, name), None) is not None

    def all(self, kind: Kind, branch: str | None) -> list[tuple[str, str, bytes]]:
        with self._lock:
            held = list(self._held.items())
        return [(of, name, value) for (what, of, name), value in held if what == kind and branch in (None, of)]

    def close(self) -> None:
        """Nothing is kept open."""
