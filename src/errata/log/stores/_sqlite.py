"""One SQLite file: opened, laid out or brought up to date, written in transactions, its failures said as sentences.

Durability. The file has a write-ahead log, and a row must be on the disk before `append` returns. With `synchronous=FULL` SQLite
flushes that log while it holds the one write lock, so that writers queue up for the disk. Here SQLite runs with
`synchronous=NORMAL`, under which a crash never damages the file (https://www.sqlite.org/pragma.html#pragma_synchronous), and the
writer flushes the write-ahead log itself, once its commit has let go of the lock and before it tells anybody: the flushes of
several writers overlap. One flush covers every row before it, so what is acknowledged is on the disk, with all that it follows.
Where there can be no write-ahead log (some network folders), SQLite is left to flush by itself.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, final

from errata.core.errors import LogError, Unsure

SCHEMA: Final = 3
"""The layout of the tables; kept in the file's `user_version`. A later layout gets the next number and a migration."""

_APPLICATION: Final = 0x65727274
"""Marks the file as an errata store ("errt"), in its `application_id`."""

_FIRST_TABLES: Final = (
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
_LEASES: Final = """CREATE TABLE leases (
    branch TEXT PRIMARY KEY NOT NULL,
    holder TEXT NOT NULL,
    token  TEXT NOT NULL,
    until  REAL NOT NULL
) STRICT, WITHOUT ROWID"""

_URLS: Final = "ALTER TABLE leases ADD COLUMN url TEXT NOT NULL DEFAULT ''"

_MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (_FIRST_TABLES, (_LEASES,), (_URLS,))
"""What makes layout 1 of an empty file, layout 2 of layout 1, and so on."""

_WAIT_S: Final = 30.0
FAILURES: Final = (sqlite3.Error, UnicodeDecodeError)
"""A damaged schema is quoted in SQLite's message, which then isn't UTF-8: the message itself fails to be read."""

_CLOSED_TO_US: Final = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})

_flush_data = os.fdatasync if sys.platform == "linux" else os.fsync


@final
class SqliteFile:
    """The connection to one file, which threads may share: each takes `lock` for as long as it uses `db`."""

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path = path
        self.lock = threading.RLock()
        self._wal: int | None = None
        self._flushes = False
        _check_place(path, create)
        with self.sentences("open"):
            self.db = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            with self.sentences("open"):
                self._read_without_writing(create)
                self.db.text_factory = bytes  # a tampered text may not be UTF-8; the body is wanted as bytes anyway
                self._make_or_check(create)
        except BaseException:
            self.db.close()
            raise

    def close(self) -> None:
        with self.lock:
            self.db.close()
            if self._wal is not None:
                os.close(self._wal)
                self._wal = None

    def flush(self) -> None:
        """Return once what was committed is on the disk.

        Raises:
            Unsure: the disk didn't say so; the commit can be read, but may not outlive a power cut.
        """
        if not self._flushes:
            return
        try:
            if self._wal is None:  # there since the first commit, and the same file until the last connection is closed
                self._wal = os.open(f"{self._path}-wal", os.O_RDWR)
            _flush_data(self._wal)
        except OSError as error:
            raise Unsure(
                f"The disk didn't confirm the last entry in {self._path}: {error.strerror or error}. It can be read now, but may "
                "not outlive a power cut. Check the disk, then look at the end of the log before trying again."
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything in the block or nothing, with the one write lock held from its start; ends a transaction that was begun."""
        if not self.db.in_transaction:
            self.begin()
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            self.give_up()
            raise

    def begin(self) -> None:
        """Take the one write lock; call it with `lock` held, as `give_up`."""
        self.db.execute("BEGIN IMMEDIATE")

    def give_up(self) -> None:
        """Undo what wasn't committed; nothing happens where everything was."""
        if self.db.in_transaction:  # SQLite has rolled some failures back itself
            self.db.execute("ROLLBACK")

    @contextmanager
    def sentences(self, verb: str) -> Iterator[None]:
        """SQLite's failures in the block as `LogError`."""
        try:
            yield
        except FAILURES as error:
            raise self.sentence(verb, error) from error

    def sentence(self, verb: str, error: Exception) -> LogError:
        advice = {
            sqlite3.SQLITE_NOTADB: "It isn't an errata store; name another file with --store.",
            sqlite3.SQLITE_CORRUPT: "The file is damaged; restore it from a copy.",
            sqlite3.SQLITE_BUSY: f"Another process has held it for {_WAIT_S:.0f} s; wait for it, or stop it.",
            sqlite3.SQLITE_FULL: "The disk is full; free some space and retry.",
            sqlite3.SQLITE_READONLY: "It may only be read; check its permissions.",
        }.get(code(error), "Check the disk and the file's permissions.")
        return LogError(f"Can't {verb} the store {self._path}: {error}. Nothing was changed. {advice}")

    def migrate(self) -> None:
        """Bring the tables to this version's layout. Readers get on with the older layout, so only writers call this."""
        if self._pragma("user_version") == SCHEMA:
            return
        with self.transaction():
            for tables in _MIGRATIONS[self._pragma("user_version") :]:  # another process may have been quicker
                for table in tables:
                    self.db.execute(table)
            self.db.execute(f"PRAGMA user_version = {SCHEMA}")

    def _read_without_writing(self, create: bool) -> None:
        """Reopen a file in a place that can't be written: SQLite makes files beside it even to read, unless told that it rests."""
        try:
            self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            if create or code(error) not in _CLOSED_TO_US or _left_over(self._path):
                raise
            self.db.close()
            uri = f"{self._path.absolute().as_uri()}?mode=ro&immutable=1"
            self.db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)

    def _make_or_check(self, create: bool) -> None:
        """Lay out an empty file, or make sure that what is there is ours, before anything is changed in it."""
        if self._is_empty():
            self.db.execute("PRAGMA journal_mode = WAL")
            with self.transaction():
                if self._is_empty():  # another process may have been quicker
                    for table in _FIRST_TABLES:
                        self.db.execute(table)
                    self.db.execute(f"PRAGMA application_id = {_APPLICATION}")
                    self.db.execute("PRAGMA user_version = 1")
        if self._pragma("application_id") != _APPLICATION:
            raise LogError(f"{self._path} is a database, but not an errata store. Name another file with --store.")
        schema = self._pragma("user_version")
        if schema > SCHEMA:
            raise LogError(
                f"{self._path} was written by a later errata (layout {schema}; this one reads up to {SCHEMA}). "
                "Upgrade errata to open it."
            )
        if create:
            self.migrate()
        self._flushes = self.db.execute("PRAGMA journal_mode").fetchone() == (b"wal",)
        self.db.execute(f"PRAGMA synchronous = {'NORMAL' if self._flushes else 'FULL'}")

    def _is_empty(self) -> bool:
        tables = self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return tables == (0,) and self._pragma("application_id") == 0

    def _pragma(self, name: str) -> int:
        (value,) = self.db.execute(f"PRAGMA {name}").fetchone()
        return int(value)


def code(error: Exception) -> int:
    """SQLite's primary result code; 0 where Python's module itself raised (such as for a closed connection)."""
    if not isinstance(error, sqlite3.Error):
        return sqlite3.SQLITE_CORRUPT
    try:
        return error.sqlite_errorcode & 0xFF
    except AttributeError:
        return 0


def _check_place(path: Path, create: bool) -> None:
    if path.is_dir():
        raise LogError(f"The store {path} is a folder. Name a file, such as {path / 'errata.db'}.")
    if not path.parent.is_dir():
        raise LogError(f"The store {path} can't be made: there is no folder {path.parent}. Make it first.")
    if not create and not path.exists():
        raise LogError(f"There is no store at {path}. Check the path, or make one by adding an edit.")


def _left_over(path: Path) -> bool:
    """Whether a write-ahead log holds entries that aren't in the file yet."""
    with suppress(OSError):
        return Path(f"{path}-wal").stat().st_size > 0
    return False
