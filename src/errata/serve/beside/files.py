"""A SQLite file beside a store that its owner alone can read. Each use opens it anew, so that any thread may."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, final

from errata.core.errors import LogError
from errata.serve.beside.kept import Kind

_WAIT_S: Final = 10.0
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS kept (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, branch TEXT NOT NULL, "
    "name TEXT NOT NULL, value BLOB NOT NULL, UNIQUE (kind, branch, name))"
)
_PUT: Final = (
    "INSERT INTO kept (kind, branch, name, value) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (kind, branch, name) DO UPDATE SET value = excluded.value"
)
_NAMED: Final = "kind = ? AND branch = ? AND name = ?"


@final
class SqliteFile:
    """A file with a table, made at the first write.

    Args:
        path: beside the store.
        what: what is in it, for sentences: "keys".
        table: the statement that makes the table.
    """

    def __init__(self, path: Path, *, what: str, table: str) -> None:
        self._path, self._what, self._table = path, what, table

    def there(self) -> bool:
        """Whether anything was ever written."""
        try:
            return self._path.stat().st_size > 0
        except FileNotFoundError:
            return False

    def write(self, statement: str, values: Sequence[object]) -> None:
        """Have the file and its table, and execute a statement.

        Raises:
            LogError: the file can't be made or used.
        """
        if not self._path.parent.is_dir():
            raise LogError(f"There is no folder {self._path.parent} for the {self._what}. Check the store's path.")
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise LogError(
                f"The {self._what} can't be kept in {self._path}: {error.strerror or error}. Check its permissions."
            ) from None
        with self._open() as db:
            db.execute(self._table)
            db.execute(statement, values)

    def remove(self, statement: str, values: Sequence[object]) -> bool:
        """Whether a statement that deletes found anything."""
        if not self.there():
            return False
        with self._open() as db:
            db.execute("PRAGMA secure_delete = ON")
            return db.execute(statement, values).rowcount > 0

    def read(self, question: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that answer a question; none where nothing was ever written."""
        if not self.there():
            return []
        with self._open() as db:
            return db.execute(question, values).fetchall()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction that is committed at the end of the block."""
        try:
            with closing(sqlite3.connect(self._path, timeout=_WAIT_S)) as db, db:
                yield db
        except sqlite3.Error as error:
            raise LogError(
                f"The {self._what} in {self._path} can't be used: {error}. Check its permissions, or restore it from a copy."
            ) from error


@final
class SqliteBeside:
    """`Beside` in a file."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, what="flags", table=_TABLE)

    def put(self, kind: Kind, branch: str, name: str, value: bytes) -> None:
        self._file.write(_PUT, (kind, branch, name, value))

    def get(self, kind: Kind, branch: str, name: str) -> bytes | None:
        rows = self._file.read(f"SELECT value FROM kept WHERE {_NAMED}", (kind, branch, name))
        return next((bytes(value) for (value,) in rows), None)

    def drop(self, kind: Kind, branch: str, name: str) -> bool:
        return self._file.remove(f"DELETE FROM kept WHERE {_NAMED}", (kind, branch, name))

    def all(self, kind: Kind, branch: str | None) -> list[tuple[str, str, bytes]]:
        chosen, values = ("", (kind,)) if branch is None else (" AND branch = ?", (kind, branch))
        return self._file.read(f"SELECT branch, name, value FROM kept WHERE kind = ?{chosen} ORDER BY number", values)

    def close(self) -> None:
        """Nothing is kept open."""
