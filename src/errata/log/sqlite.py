"""The default store: one SQLite file for the entries, and a folder each for blobs and snapshots beside it.

Durability: write-ahead log with `synchronous=FULL`, so a row is on the disk before `append` returns
(https://www.sqlite.org/wal.html). Serialisation: `BEGIN IMMEDIATE` takes the one write lock before the branch's last row is looked
at (https://www.sqlite.org/lang_transaction.html).

`entries` has its primary key as its only b-tree (WITHOUT ROWID), so there is one copy of each column to check, and the last page
of a long branch is found without a scan. `branches` notes the last entry of each, in the same transaction.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self, final

from errata.core.errors import LogError, Tampered
from errata.log.entry import Row
from errata.log.files import FileBlobs, FileShelf
from errata.log.store import Tip, check_follows

SCHEMA: Final = 1
"""The layout of the tables; kept in the file's `user_version`. A later layout gets the next number and a migration."""

_APPLICATION: Final = 0x65727274
"""Marks the file as an errata store ("errt"), in its `application_id`."""

_TABLES: Final = (
    """CREATE TABLE branches (
        name TEXT PRIMARY KEY NOT NULL,
        seq  INTEGER NOT NULL,
        hash TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE entries (
        branch   TEXT NOT NULL,
        seq      INTEGER NOT NULL,
        kind     TEXT NOT NULL,
        time     TEXT NOT NULL,
        body     TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash     TEXT NOT NULL,
        PRIMARY KEY (branch, seq)
    ) STRICT, WITHOUT ROWID""",
)
_PAGE: Final = 1000
_ENDLESS: Final = 2**63 - 1
_WAIT_S: Final = 30.0
_FAILURES: Final = (sqlite3.Error, UnicodeDecodeError)
"""A damaged schema is quoted in SQLite's message, which then isn't UTF-8: the message itself fails to be read."""

_UNREADABLE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@final
class SqliteStore:
    """`Store` in `path`, `path.blobs/` and `path.snapshots/`.

    Threads may share it; a forked process must open its own.

    Args:
        path: the database file; made where it isn't there.
        create: False to refuse a file that isn't there (for commands that only read).

    Raises:
        LogError: a folder, a missing parent, not an errata store, a store of a later version, or a file that can't be read.
    """

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        _check_place(self._path, create)
        with self._sentences("open"):
            self._db = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            with self._sentences("open"):
                self._db.text_factory = bytes  # a tampered text may not be UTF-8; the body is wanted as bytes anyway
                self._make_or_check()
        except BaseException:
            self._db.close()
            raise
        self.blobs = FileBlobs(self._path.with_name(self._path.name + ".blobs"))
        self.shelf = FileShelf(self._path.with_name(self._path.name + ".snapshots"))

    def append(self, row: Row) -> None:
        values = (row.branch, row.seq, row.kind, row.time, row.body.decode(), row.previous, row.hash)
        with self._lock, self._sentences("append to"), self._transaction():
            check_follows(self._tip(row.branch), row)
            self._db.execute(
                "INSERT INTO branches VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
                (row.branch, row.seq, row.hash),
            )
            self._db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def rows(self, branch: str, start: int = 1, stop: int | None = None) -> Iterator[Row]:
        # In pages, each under the lock: no cursor stays open while the caller works, so an append may come between.
        seq, size = start, _PAGE
        while stop is None or seq < stop:
            try:
                page = self._page(branch, seq, _ENDLESS if stop is None else stop, size)
            except _FAILURES as error:
                if _code(error) not in _UNREADABLE:
                    raise self._sentence("read", error) from error
                if size == 1:
                    raise Tampered(seq, "its bytes in the database can't be read") from error
                size = 1  # find which row it is
                continue
            yield from page
            if not page:
                return
            seq = page[-1].seq + 1

    def branches(self) -> Mapping[str, Tip]:
        with self._lock, self._sentences("read"):
            found = self._db.execute("SELECT name, seq, hash FROM branches ORDER BY name").fetchall()
        return {_text(name): _tip(rest) for name, *rest in found}

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _page(self, branch: str, start: int, stop: int, size: int) -> list[Row]:
        with self._lock:
            found = self._db.execute(
                "SELECT branch, seq, kind, time, body, previous, hash FROM entries "
                "WHERE branch = ? AND seq >= ? AND seq < ? ORDER BY seq LIMIT ?",
                (branch, start, stop, size),
            ).fetchall()
        return [_row(values, start + index) for index, values in enumerate(found)]

    def _tip(self, branch: str) -> Tip | None:
        found = self._db.execute("SELECT seq, hash FROM branches WHERE name = ?", (branch,)).fetchone()
        return None if found is None else _tip(found)

    def _make_or_check(self) -> None:
        """Lay out an empty file, or make sure that what is there is ours, before anything is changed in it."""
        if self._is_empty():
            self._db.execute("PRAGMA journal_mode = WAL")
            with self._transaction():
                if self._is_empty():  # another process may have been quicker
                    for table in _TABLES:
                        self._db.execute(table)
                    self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                    self._db.execute(f"PRAGMA user_version = {SCHEMA}")
        if self._pragma("application_id") != _APPLICATION:
            raise LogError(f"{self._path} is a database, but not an errata store. Name another file with --store.")
        schema = self._pragma("user_version")
        if schema > SCHEMA:
            raise LogError(
                f"{self._path} was written by a later errata (layout {schema}; this one reads up to {SCHEMA}). "
                "Upgrade errata to open it."
            )
        self._db.execute("PRAGMA synchronous = FULL")

    def _is_empty(self) -> bool:
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return tables == (0,) and self._pragma("application_id") == 0

    def _pragma(self, name: str) -> int:
        (value,) = self._db.execute(f"PRAGMA {name}").fetchone()
        return int(value)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite has rolled some failures back itself
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _sentences(self, verb: str) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            raise self._sentence(verb, error) from error

    def _sentence(self, verb: str, error: Exception) -> LogError:
        advice = {
            sqlite3.SQLITE_NOTADB: "It isn't an errata store; name another file with --store.",
            sqlite3.SQLITE_CORRUPT: "The file is damaged; restore it from a copy.",
            sqlite3.SQLITE_BUSY: f"Another process has held it for {_WAIT_S:.0f} s; wait for it, or stop it.",
            sqlite3.SQLITE_FULL: "The disk is full; free some space and retry.",
            sqlite3.SQLITE_READONLY: "It may only be read; check its permissions.",
        }.get(_code(error), "Check the disk and the file's permissions.")
        return LogError(f"Can't {verb} the store {self._path}: {error}. Nothing was changed. {advice}")


def _check_place(path: Path, create: bool) -> None:
    if path.is_dir():
        raise LogError(f"The store {path} is a folder. Name a file, such as {path / 'errata.db'}.")
    if not path.parent.is_dir():
        raise LogError(f"The store {path} can't be made: there is no folder {path.parent}. Make it first.")
    if not create and not path.exists():
        raise LogError(f"There is no store at {path}. Check the path, or make one by adding an edit.")


def _row(values: Sequence[object], expected: int) -> Row:
    match values:
        case [bytes(branch), int(seq), bytes(kind), bytes(time), bytes(body), bytes(previous), bytes(hash_)]:
            return Row(seq, _text(branch), _text(kind), _text(time), body, _text(previous), _text(hash_))
        case _:  # a damaged file can hold other types than the table's
            raise Tampered(expected, "a column in the database is of the wrong type")


def _tip(values: Sequence[object]) -> Tip:
    match values:
        case [int(seq), bytes(hash_)]:
            return Tip(seq, _text(hash_))
        case _:
            raise LogError("The store's list of branches is damaged. Restore the store from a copy.")


def _code(error: Exception) -> int:
    """SQLite's primary result code; 0 where Python's module itself raised (such as for a closed connection)."""
    if not isinstance(error, sqlite3.Error):
        return sqlite3.SQLITE_CORRUPT
    try:
        return error.sqlite_errorcode & 0xFF
    except AttributeError:
        return 0


def _text(value: bytes) -> str:
    """The text; bytes that aren't UTF-8 become marks, which no hash fits."""
    return value.decode(errors="replace")
