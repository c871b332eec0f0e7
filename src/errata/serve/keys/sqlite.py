"""Keys in a SQLite file of their own that its owner alone can read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast, final

from errata.serve.beside.files import SqliteFile
from errata.serve.keys.stored import Kept, Key, Role

_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS keys (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, "
    "role TEXT NOT NULL, branch TEXT NOT NULL, made TEXT NOT NULL, digest TEXT NOT NULL)"
)
_COLUMNS: Final = "id, name, role, branch, made, digest"


@final
class SqliteRecords:
    """`Records` in a file, made at the first `add`."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, what="keys", table=_TABLE)

    def find(self, id: str) -> Kept | None:
        return next((_kept(row) for row in self._file.read(f"SELECT {_COLUMNS} FROM keys WHERE id = ?", (id,))), None)

    def all(self) -> list[Kept]:
        return [_kept(row) for row in self._file.read(f"SELECT {_COLUMNS} FROM keys ORDER BY number")]

    def made(self) -> bool:
        return self._file.there()

    def add(self, kept: Kept) -> None:
        self._file.write(f"INSERT INTO keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", (*kept.key, kept.digest))

    def remove(self, id: str) -> bool:
        return self._file.remove("DELETE FROM keys WHERE id = ?", (id,))

    def close(self) -> None:
        """Nothing is kept open."""


def _kept(row: Sequence[str]) -> Kept:
    id, name, role, branch, made, digest = row
    return Kept(Key(id, name, cast("Role", role), branch, made), digest)
