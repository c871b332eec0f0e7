"""The store for several machines: everything in one PostgreSQL database, entries, leases, blobs and snapshots.

Serialisation: a transaction-level advisory lock on the branch, taken before its last row is looked at
(https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS). Durability: `synchronous_commit` is switched on for
the transaction where the server has it off.

A commit of which the answer never came (the connection was lost, the server died) may have been made or not. So the store asks:
under the branch's lock, which the lost transaction holds until it has ended either way, the row is there or it isn't.

Whoever listens is told of a row by the transaction that appends it, when it commits (`listening`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Final, Self, final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from errata.core.canonical import digest_of
from errata.core.errors import Held, LogError, Unsure
from errata.log.entry import FIRST, Row
from errata.log.processes import is_gone, leading, new_token
from errata.log.store import Lease, SnapshotKey, Tip, check_blob, check_follows, lease_gone, moment
from errata.log.stores._postgres import BLOBS, BRANCHES, ENTRIES, LEASES, SNAPSHOTS, WAIT_S, PostgresDatabase, lock_number, reason
from errata.log.stores.listening import CHANNEL, PostgresListening

_PAGE: Final = 1000
_PART_BYTES: Final = 8 * 1024**2
"""A snapshot is kept in parts: the server takes at most 1 GiB in one value, and a driver may write it in twice its size."""

_SYNC: Final = (
    "set_config('synchronous_commit',"
    " CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)"
)
_DURABLE: Final = sa.text(f"SELECT {_SYNC}")
"""Make this transaction's commit wait for the disk, where the server is set not to."""

_LOCK: Final = sa.text(f"SELECT set_config('lock_timeout', '{WAIT_S}s', true), {_SYNC}, pg_advisory_xact_lock(:number)")
"""Be the only writer of a branch until this transaction ends."""

_APPEND: Final = sa.text(
    "WITH moved AS ("
    " UPDATE errata.branches SET seq = :seq, hash = :hash"
    " WHERE name = :branch AND seq = :seq - 1 AND hash = :previous RETURNING seq"
    ") INSERT INTO errata.entries (branch, seq, kind, time, body, previous, hash)"
    " SELECT :branch, :seq, :kind, :time, :body, :previous, :hash FROM moved"
    f" RETURNING pg_notify('{CHANNEL}', branch || ' ' || seq)"
)
"""If the row follows the branch's tip, move that, add the row and tell of it: one statement, as each is a journey to the server."""

_ASK_AGAIN_S: Final = 15.0
"""How long a lost server is asked what became of a commit: a restart after a crash takes seconds."""


@final
class PostgresBlobs:
    """`Blobs` in a table."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def put(self, data: bytes) -> str:
        digest = digest_of(data)
        added = insert(BLOBS).values(digest=digest, data=data)
        with self._database.writing() as connection:
            connection.execute(_DURABLE)
            connection.execute(
                added.on_conflict_do_update(
                    index_elements=["digest"],
                    set_={"data": added.excluded.data},
                    where=BLOBS.c.data != added.excluded.data,  # a damaged copy is mended
                )
            )
        return digest

    def get(self, digest: str) -> bytes | None:
        with self._database.reading() as connection:
            data = connection.execute(sa.select(BLOBS.c.data).where(BLOBS.c.digest == digest)).scalar()
        return None if data is None else check_blob(digest, bytes(data))

    def size(self, digest: str) -> int | None:
        with self._database.reading() as connection:
            return connection.execute(sa.select(sa.func.length(BLOBS.c.data)).where(BLOBS.c.digest == digest)).scalar()

    def erase(self, digest: str) -> bool:
        with self._database.writing() as connection:
            connection.execute(_DURABLE)
            return connection.execute(sa.delete(BLOBS).where(BLOBS.c.digest == digest)).rowcount > 0


@final
class PostgresShelf:
    """`Shelf` in a table, each snapshot in parts."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def put(self, key: SnapshotKey, data: bytes) -> None:
        with self._database.writing() as connection:
            for part, start in enumerate(range(0, max(1, len(data)), _PART_BYTES)):
                values = _key_values(key) | {"part": part, "data": data[start : start + _PART_BYTES]}
                added = insert(SNAPSHOTS).values(values)
                connection.execute(
                    added.on_conflict_do_update(index_elements=SNAPSHOTS.primary_key.columns, set_={"data": added.excluded.data})
                )

    def get(self, key: SnapshotKey) -> bytes | None:
        wanted = sa.select(SNAPSHOTS.c.data).where(*_is_key(key)).order_by(SNAPSHOTS.c.part)
        with self._database.reading() as connection:
            parts = [bytes(data) for data in connection.execute(wanted).scalars()]
        return b"".join(parts) if parts else None

    def sizes(self, branch: str | None = None) -> Mapping[SnapshotKey, int]:
        key = (SNAPSHOTS.c.branch, SNAPSHOTS.c.seq, SNAPSHOTS.c.entry, SNAPSHOTS.c.digest)
        wanted = sa.select(*key, sa.func.sum(sa.func.octet_length(SNAPSHOTS.c.data))).group_by(*key)
        if branch is not None:
            wanted = wanted.where(SNAPSHOTS.c.branch == branch)
        with self._database.reading() as connection:
            found = {SnapshotKey(*names): int(size) for *names, size in connection.execute(wanted)}
        return dict(sorted(found.items()))

    def delete(self, key: SnapshotKey) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.delete(SNAPSHOTS).where(*_is_key(key)))


@final
class PostgresLeases:
    """`Leases` in a table, by the server's clock."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def take(self, branch: str, holder: str, *, seconds: float, url: str = "") -> Lease:
        token = new_token()
        noted = insert(LEASES).values(branch=branch, holder=holder, token=token, until=_from_now(seconds), url=url)
        names = ("holder", "token", "until", "url")
        taken = noted.on_conflict_do_update(
            index_elements=["branch"],
            set_={name: noted.excluded[name] for name in names},
            where=LEASES.c.until <= sa.func.clock_timestamp(),
        )
        while True:
            with self._database.writing() as connection:
                until = connection.execute(taken.returning(LEASES.c.until)).scalar()
                if until is not None:
                    return Lease(branch, holder, token, moment(until.timestamp()), url)
                self._check_free(connection, branch)  # and once more where it was released just now

    def renew(self, lease: Lease, *, seconds: float) -> Lease:
        renewed = sa.update(LEASES).where(*_is_lease(lease)).values(until=_from_now(seconds)).returning(LEASES.c.until)
        with self._database.writing() as connection:
            until = connection.execute(renewed).scalar()
            if until is None:
                self._check_free(connection, lease.branch)
                raise lease_gone(lease.branch)
        return Lease(lease.branch, lease.holder, lease.token, moment(until.timestamp()), lease.url)

    def release(self, lease: Lease) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.delete(LEASES).where(*_is_lease(lease)))

    def _check_free(self, connection: sa.Connection, branch: str) -> None:
        holds = (LEASES.c.branch == branch, LEASES.c.until > sa.func.clock_timestamp())
        wanted = sa.select(LEASES.c.holder, LEASES.c.until, LEASES.c.token, LEASES.c.url)
        found = connection.execute(wanted.where(*holds)).first()
        if found is not None and is_gone(found.token):
            connection.execute(sa.delete(LEASES).where(LEASES.c.branch == branch, LEASES.c.token == found.token))
        elif found is not None:
            raise Held(branch, found.holder, moment(found.until.timestamp()), leading(found.url, found.token))


def holds_store(url: str) -> bool:
    """Whether there is a store in the database; none is made.

    Raises:
        LogError: the server can't be reached or refuses.
    """
    database = PostgresDatabase(url)
    try:
        return database.layout() is not None
    finally:
        database.close()


@final
class PostgresStore:
    """`Store` in the schema `errata` of one database, which several machines may share.

    Threads may share it; a forked process must open its own.

    Args:
        url: `postgresql://USER@HOST:PORT/DATABASE`; what is left out is as `psql` takes it (PGHOST, PGPASSWORD, ~/.pgpass).
        create: False to refuse a database in which there is no store (for commands that only read).

    Raises:
        LogError: the server can't be reached or refuses the user, there is no such database, or its layout is a later one.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self._database = PostgresDatabase(url)
        self._turns = threading.local()
        try:
            self._database.lay_out(create=create)
        except BaseException:
            self._database.close()
            raise
        self.blobs = PostgresBlobs(self._database)
        self.shelf = PostgresShelf(self._database)
        self.leases = PostgresLeases(self._database)

    @contextmanager
    def turn(self, branch: str) -> Iterator[None]:
        with self._database.sentences("append to"), self._database.connect() as connection:
            # Each statement sees what was committed by then, whatever the server's default: the lock may be long in coming.
            connection.execution_options(isolation_level="READ COMMITTED").execute(_LOCK, _turn_of(branch))
            self._turns.connection = connection
            try:
                yield
            finally:
                del self._turns.connection

    def append(self, row: Row) -> None:
        mine = vars(self._turns).get("connection")  # of this thread's turn, which has the lock
        with nullcontext(mine) if mine is not None else self._database.connect() as connection:
            self._append(connection, row, locked=mine is not None)

    def _append(self, connection: sa.Connection, row: Row, *, locked: bool) -> None:
        try:
            if not locked:
                connection.execute(_LOCK, _turn_of(row.branch))
            _insert(connection, row)
        except SQLAlchemyError as error:
            raise self._database.sentence("append to", error) from error
        try:
            connection.commit()
        except SQLAlchemyError as error:
            self._settle(row, error)

    def rows(self, branch: str, start: int = 1, stop: int | None = None) -> Iterator[Row]:
        # In pages: no cursor stays open while the caller works.
        seq = start
        while stop is None or seq < stop:
            page = self._page(branch, seq, stop)
            yield from page
            if len(page) < _PAGE:
                return
            seq = page[-1].seq + 1

    def branches(self) -> Mapping[str, Tip]:
        with self._reading() as connection:
            found = connection.execute(sa.select(BRANCHES.c.name, BRANCHES.c.seq, BRANCHES.c.hash)).all()
        return {name: Tip(seq, hash_) for name, seq, hash_ in sorted(map(tuple, found))}

    def listen(self, heard: Callable[[], None]) -> PostgresListening:
        """See `Tells`."""
        return PostgresListening(self._database.apart, self._database.shown, heard)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """In this thread's turn, the turn's connection: those who wait for it may have taken all others."""
        mine = vars(self._turns).get("connection")
        if mine is None:
            with self._database.reading() as connection:
                yield connection
        else:
            with self._database.sentences("read"):
                yield mine

    def _page(self, branch: str, start: int, stop: int | None) -> list[Row]:
        columns = ENTRIES.c
        wanted = (columns.seq, columns.branch, columns.kind, columns.time, columns.body, columns.previous, columns.hash)
        limits = [columns.branch == branch, columns.seq >= start]
        if stop is not None:
            limits.append(columns.seq < stop)
        with self._reading() as connection:
            found = connection.execute(sa.select(*wanted).where(*limits).order_by(columns.seq).limit(_PAGE)).all()
        return [Row(seq, name, kind, at, bytes(body), previous, hash_) for seq, name, kind, at, body, previous, hash_ in found]

    def _settle(self, row: Row, error: SQLAlchemyError) -> None:
        """Find out whether a commit was made whose answer never came; return if it was.

        Raises:
            LogError: it wasn't; nothing was changed.
            Unsure: nobody can be asked.
        """
        deadline = time.monotonic() + _ASK_AGAIN_S
        wanted = sa.select(ENTRIES.c.hash).where(ENTRIES.c.branch == row.branch, ENTRIES.c.seq == row.seq)
        while True:
            try:
                with self._database.connect() as connection:
                    connection.execute(_LOCK, _turn_of(row.branch))  # the lost transaction holds it until it has ended
                    found = connection.execute(wanted).scalar()
                break
            except DBAPIError as again:
                if time.monotonic() > deadline:
                    raise Unsure(
                        f"The connection to {self._database.shown} was lost while entry {row.seq} of branch {row.branch!r} was "
                        f"committed ({reason(error)}), and can't be made again ({reason(again)}). The entry may be there or not. "
                        "Once the server runs, look at the end of the log before trying again."
                    ) from error
                time.sleep(0.2)
        if found != row.hash:
            raise self._database.sentence("append to", error) from error


def _insert(connection: sa.Connection, row: Row) -> None:
    """The row and the branch's new tip, in the transaction that the connection is in.

    Raises:
        Conflict: the row doesn't follow the branch's last one.
    """
    if row.seq == 1:
        first = insert(BRANCHES).values(name=row.branch, seq=0, hash=FIRST)
        connection.execute(first.on_conflict_do_nothing())  # rolled back with the rest if the row doesn't follow
    values = {"branch": row.branch, "seq": row.seq, "kind": row.kind, "time": row.time}
    values |= {"body": row.body, "previous": row.previous, "hash": row.hash}
    if connection.execute(_APPEND, values).rowcount != 1:
        found = connection.execute(sa.select(BRANCHES.c.seq, BRANCHES.c.hash).where(BRANCHES.c.name == row.branch)).first()
        check_follows(None if found is None else Tip(found.seq, found.hash), row)
        raise LogError(f"Entry {row.seq} of branch {row.branch!r} wasn't taken by the database. Look at its rules and triggers.")


def _turn_of(branch: str) -> dict[str, int]:
    return {"number": lock_number(f"branch {branch}")}


def _from_now(seconds: float) -> sa.ColumnElement[Any]:
    return sa.func.clock_timestamp() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _key_values(key: SnapshotKey) -> dict[str, Any]:
    return {"branch": key.branch, "seq": key.seq, "entry": key.entry, "digest": key.digest}


def _is_key(key: SnapshotKey) -> list[sa.ColumnElement[bool]]:
    return [SNAPSHOTS.c[name] == value for name, value in _key_values(key).items()]


def _is_lease(lease: Lease) -> list[sa.ColumnElement[bool]]:
    return [LEASES.c.branch == lease.branch, LEASES.c.token == lease.token]
