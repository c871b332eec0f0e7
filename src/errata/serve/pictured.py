"""Which pictures the edits of a branch have: a store keeps those of all branches together."""

from __future__ import annotations

from typing import final

from errata.log import EditLog


@final
class Pictured:
    """The pictures of one branch, as far as its log was read."""

    def __init__(self) -> None:
        self._digests: set[str] = set()
        self._read = 0

    def has(self, log: EditLog, digest: str) -> bool:
        """Whether an entry holds an edit with it; entries are read once."""
        for entry in log.entries(self._read + 1):
            self._digests.update(entry.image_digests())
            self._read = entry.seq
        return digest in self._digests
