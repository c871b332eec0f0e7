"""Keys in a SQLite file of their own that its owner alone can read. Each question opens it anew, so that any thread may ask."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, cast, final

from errata.core.errors import LogError
from errata.serve.keys.stored import Kept, Key, Role

_WAIT_S: Final = 10.0
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS keys (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, "
    "role TEXT NOT NULL, branch TEXT NOT NULL, made TEXT NOT NULL, digest TEXT NOT NULL)"
)
_COLUMNS: Final = "id, name, role, branch, made, digest"


@final
class SqliteRecords:
    """`Records` in a file, made at the first `add`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, id: str) -> Kept | None:
        return next(iter(self._read(f"SELECT {_COLUMNS} FROM keys WHERE id = ?", (id,))), None)

    def all(self) -> list[Kept]:
        return self._read(f"SELECT {_COLUMNS} FROM keys ORDER BY number")

    def made(self) -> bool:
        return self._there()

    def add(self, kept: Kept) -> None:
        if not self._path.parent.is_dir():
            raise LogError(f"There is no folder {self._path.parent} for the keys. Check the store's path.")
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise LogError(f"The keys can't be kept in {self._path}: {error.strerror or error}. Check its permissions.") from None
        with self._open() as db:
            db.execute(_TABLE)
            db.execute(f"INSERT INTO keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", (*kept.key, kept.digest))

    def remove(self, id: str) -> bool:
        if not self._there():
            return False
        with self._open() as db:
            return db.execute("DELETE FROM keys WHERE id = ?", (id,)).rowcount > 0

    def close(self) -> None:
        """Nothing is kept open."""

    def _read(self, question: str, values: Sequence[str] = ()) -> list[Kept]:
        if not self._there():
            return []
        with self._open() as db:
            return [_kept(row) for row in db.execute(question, values).fetchall()]

    def _there(self) -> bool:
        try:
            return self._path.stat().st_size > 0
        except FileNotFoundError:
            return False

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction that is committed at the end of the block."""
        try:
            with closing(sqlite3.connect(self._path, timeout=_WAIT_S)) as db, db:
                yield db
        except sqlite3.Error as error:
            raise LogError(
                f"The keys in {self._path} can't be used: {error}. Check its permissions, or restore it from a copy."
            ) from error


def _kept(row: Sequence[str]) -> Kept:
    id, name, role, branch, made, digest = row
    return Kept(Key(id, name, cast("Role", role), branch, made), digest)
