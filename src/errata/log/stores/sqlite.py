"""The default store: one SQLite file for the entries and leases, and a folder each for blobs and snapshots beside it.

Serialisation: `BEGIN IMMEDIATE` takes the one write lock before the branch's last row is looked at
(https://www.sqlite.org/lang_transaction.html). How a row gets to the disk before `append` returns is told in `_sqlite`.

`entries` has its primary key as its only b-tree (WITHOUT ROWID), so there is one copy of each column to check, and the last page
of a long branch is found without a scan. `branches` notes the last entry of each, in the same transaction.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self, final

from errata.core.errors import Held, LogError, Tampered
from errata.log.entry import Row
from errata.log.files import FileBlobs, FileShelf
from errata.log.processes import is_gone, leading, new_token
from errata.log.store import Lease, Tip, check_follows, lease_gone, moment
from errata.log.stores._sqlite import FAILURES, SqliteFile, code

_PAGE: Final = 1000
_ENDLESS: Final = 2**63 - 1
_TYPES: Final = (bytes, int, bytes, bytes, bytes, bytes, bytes)
_UNREADABLE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@final
class SqliteLeases:
    """`Leases` in a table. The clock is the machine's: all who can open the file with its write-ahead log are on it."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def take(self, branch: str, holder: str, *, seconds: float, url: str = "") -> Lease:
        token = new_token()
        with self._file.lock, self._file.sentences("write to"):
            self._file.migrate()
            with self._file.transaction():
                self._check_free(branch)
                until = time.time() + seconds
                named = (branch, holder, token, until, url)
                self._file.db.execute(
                    "INSERT OR REPLACE INTO leases (branch, holder, token, until, url) VALUES (?, ?, ?, ?, ?)", named
                )
        return Lease(branch, holder, token, moment(until), url)

    def renew(self, lease: Lease, *, seconds: float) -> Lease:
        with self._file.lock, self._file.sentences("write to"), self._file.transaction():
            until = time.time() + seconds
            named = (until, lease.branch, lease.token)
            if not self._file.db.execute("UPDATE leases SET until = ? WHERE branch = ? AND token = ?", named).rowcount:
                self._check_free(lease.branch)
                raise lease_gone(lease.branch)
        return Lease(lease.branch, lease.holder, lease.token, moment(until), lease.url)

    def release(self, lease: Lease) -> None:
        with self._file.lock, self._file.sentences("write to"):
            self._file.db.execute("DELETE FROM leases WHERE branch = ? AND token = ?", (lease.branch, lease.token))

    def _check_free(self, branch: str) -> None:
        found = self._file.db.execute("SELECT holder, until, token, url FROM leases WHERE branch = ?", (branch,)).fetchone()
        if found is not None and found[1] > time.time() and not is_gone(token := _text(found[2])):
            raise Held(branch, _text(found[0]), moment(found[1]), leading(_text(found[3]), token))


@final
class SqliteStore:
    """`Store` in `path`, `path.blobs/` and `path.snapshots/`.

    Threads may share it; a forked process must open its own.

    Args:
        path: the database file; made where it isn't there.
        create: False to refuse a file that isn't there, and to leave the layout of one that is (for commands that only read).

    Raises:
        LogError: a folder, a missing parent, not an errata store, a store of a later version, or a file that can't be read.
    """

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        path = Path(path)
        self._file = SqliteFile(path, create=create)
        self.leases = SqliteLeases(self._file)
        self.blobs = FileBlobs(path.with_name(path.name + ".blobs"))
        self.shelf = FileShelf(path.with_name(path.name + ".snapshots"))

    @contextmanager
    def turn(self, branch: str) -> Iterator[None]:
        with self._file.lock:  # a thread's turn keeps the others from this connection too
            with self._file.sentences("append to"):
                self._file.begin()
            try:
                yield
            finally:
                self._file.give_up()

    def append(self, row: Row) -> None:
        values = (row.branch, row.seq, row.kind, row.time, row.body.decode(), row.previous, row.hash)
        file = self._file
        with file.lock, file.sentences("append to"):
            with file.transaction():  # the turn's, where there is one: this ends it
                check_follows(self._tip(row.branch), row)
                file.db.execute(
                    "INSERT INTO branches VALUES (?, ?, ?) "
                    "ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
                    (row.branch, row.seq, row.hash),
                )
                file.db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            file.flush()

    def rows(self, branch: str, start: int = 1, stop: int | None = None) -> Iterator[Row]:
        # In pages, each under the lock: no cursor stays open while the caller works, so an append may come between.
        seq, size = start, _PAGE
        while stop is None or seq < stop:
            try:
                page = self._page(branch, seq, _ENDLESS if stop is None else stop, size)
            except FAILURES as error:
                if code(error) not in _UNREADABLE:
                    raise self._file.sentence("read", error) from error
                if size == 1:
                    raise Tampered(seq, "its bytes in the database can't be read") from error
                size = 1  # find which row it is
                continue
            yield from page
            if not page:
                return
            seq = page[-1].seq + 1

    def branches(self) -> Mapping[str, Tip]:
        with self._file.lock, self._file.sentences("read"):
            found = self._file.db.execute("SELECT name, seq, hash FROM branches ORDER BY name").fetchall()
        return {_text(name): _tip(rest) for name, *rest in found}

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _page(self, branch: str, start: int, stop: int, size: int) -> list[Row]:
        with self._file.lock:
            found = self._file.db.execute(
                "SELECT branch, seq, kind, time, body, previous, hash FROM entries "
                "WHERE branch = ? AND seq >= ? AND seq < ? ORDER BY seq LIMIT ?",
                (branch, start, stop, size),
            ).fetchall()
        return [_row(values, start + index) for index, values in enumerate(found)]

    def _tip(self, branch: str) -> Tip | None:
        found = self._file.db.execute("SELECT seq, hash FROM branches WHERE name = ?", (branch,)).fetchone()
        return None if found is None else _tip(found)


def _row(values: Sequence[Any], expected: int) -> Row:
    if tuple(map(type, values)) != _TYPES:  # a damaged file can hold other types than the table's
        raise Tampered(expected, "a column in the database is of the wrong type")
    branch, seq, kind, time_, body, previous, hash_ = values
    return Row(seq, _text(branch), _text(kind), _text(time_), body, _text(previous), _text(hash_))


def _tip(values: Sequence[object]) -> Tip:
    match values:
        case [int(seq), bytes(hash_)]:
            return Tip(seq, _text(hash_))
        case _:
            raise LogError("The store's list of branches is damaged. Restore the store from a copy.")


def _text(value: bytes) -> str:
    """The text; bytes that aren't UTF-8 become marks, which no hash fits."""
    return str(value, "utf-8", "replace")
