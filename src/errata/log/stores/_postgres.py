"""One PostgreSQL database: connected to, laid out or brought up to date, its failures said as sentences.

Everything is in the schema `errata`, so the database may be shared with others. Alembic's migrations lay it out; they run at the
first opening, under an advisory lock, in one transaction: two processes that open a new database at once make it once, and a
failure leaves it as it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from errata.core.canonical import digest_of
from errata.core.errors import LogError

LAYOUT: Final = "0002"
"""The newest migration: what this version reads and writes."""

NAMESPACE: Final = "errata"
METADATA: Final = sa.MetaData(schema=NAMESPACE)

_TEXT: Final = sa.Text(collation="C")

BRANCHES: Final = sa.Table(
    "branches",
    METADATA,
    sa.Column("name", _TEXT, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", _TEXT, nullable=False),
)
ENTRIES: Final = sa.Table(
    "entries",
    METADATA,
    sa.Column("branch", _TEXT, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", _TEXT, nullable=False),
    sa.Column("time", _TEXT, nullable=False),
    sa.Column("body", BYTEA, nullable=False),
    sa.Column("previous", _TEXT, nullable=False),
    sa.Column("hash", _TEXT, nullable=False),
)
BLOBS: Final = sa.Table(
    "blobs",
    METADATA,
    sa.Column("digest", _TEXT, primary_key=True),
    sa.Column("data", BYTEA, nullable=False),
)
SNAPSHOTS: Final = sa.Table(
    "snapshots",
    METADATA,
    sa.Column("branch", _TEXT, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("entry", _TEXT, primary_key=True),
    sa.Column("digest", _TEXT, primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("data", BYTEA, nullable=False),
)
LEASES: Final = sa.Table(
    "leases",
    METADATA,
    sa.Column("branch", _TEXT, primary_key=True),
    sa.Column("holder", _TEXT, nullable=False),
    sa.Column("token", _TEXT, nullable=False),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    sa.Column("url", _TEXT, nullable=False, server_default=""),
)

WAIT_S: Final = 30
"""How long a writer waits for another's transaction to end."""

_RESTED_S: Final = 5.0
"""A connection that wasn't used for so long is asked whether it's still there before it's used again."""

_CONNECTION: Final = {
    "connect_timeout": 10,
    "tcp_user_timeout": 30_000,  # ms: a network that swallows packets is found out
    "client_encoding": "utf8",
    "application_name": "errata",
}
"""Unless the URL says otherwise."""

_ADVICE: Final = (  # the beginning of an SQLSTATE -> what to do; the first that fits
    ("53100", "The server's disk is full; free some space there and retry."),
    ("25006", "The server takes no writes: it's a standby, or set to read only. Give the URL of the primary."),
    ("42501", "Give the user the right to make and use the schema 'errata' in this database."),
    ("55P03", f"Another process has held the branch for {WAIT_S} s; wait for it, or stop it."),
    ("XX00", "The database is damaged; restore it from a copy."),
)
_CHECK: Final = "Check that the server runs, that the database is there (createdb makes one), and that the user may use it."
"""Why a connection failed comes without an SQLSTATE: https://www.psycopg.org/psycopg3/docs/api/errors.html"""


@final
class PostgresDatabase:
    """A pool of connections to one database, which threads may share."""

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.shown = f"postgresql://{parsed.host or ''}{f':{parsed.port}' if parsed.port else ''}/{parsed.database or ''}"
        """Where it is, without anything secret."""

        arguments = {name: value for name, value in _CONNECTION.items() if name not in parsed.query}
        self._closed = False
        self._arguments = arguments
        self._engine = sa.create_engine(parsed, connect_args=arguments, pool_size=4, max_overflow=16, hide_parameters=True)
        sa.event.listen(self._engine, "checkin", _note_rest)
        sa.event.listen(self._engine, "checkout", _check_rested)

    def close(self) -> None:
        self._closed = True
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection whose statements stand alone."""
        with self.sentences("read"), self.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def writing(self, verb: str = "write to") -> Iterator[sa.Connection]:
        """A connection in a transaction: the block as a whole, or nothing."""
        with self.sentences(verb), self.connect() as connection, connection.begin():
            yield connection

    def connect(self) -> sa.Connection:
        """A connection from the pool; SQLAlchemy's errors are the caller's.

        Raises:
            LogError: the store was closed.
        """
        if self._closed:
            raise LogError(f"The store {self.shown} is closed. Open it again.")
        return self._engine.connect()

    def apart(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that isn't the pool's, for whoever keeps it for long; each of its statements stands alone.

        Raises:
            psycopg.Error: the server can't be reached, or refuses.
        """
        words, named = self._engine.dialect.create_connect_args(self._engine.url)
        return psycopg.connect(*words, **{**named, **self._arguments, "autocommit": True})

    @contextmanager
    def sentences(self, verb: str) -> Iterator[None]:
        """The database's failures in the block as `LogError`."""
        try:
            yield
        except SQLAlchemyError as error:
            raise self.sentence(verb, error) from error

    def sentence(self, verb: str, error: SQLAlchemyError) -> LogError:
        state = _sqlstate(error)
        advice = next((said for begins, said in _ADVICE if state.startswith(begins)), _CHECK)
        return LogError(f"Can't {verb} the store {self.shown}: {reason(error)}. Nothing was changed. {advice}")

    def layout(self) -> str | None:
        """The layout that the database has; None where there is no store in it."""
        table = f"{NAMESPACE}.alembic_version"
        with self.sentences("open"), self.connect() as connection:
            if connection.execute(sa.select(sa.func.to_regclass(table))).scalar() is None:
                return None
            found: str | None = connection.execute(sa.text(f"SELECT max(version_num) FROM {table}")).scalar()
            return found

    def lay_out(self, *, create: bool) -> None:
        """Make sure that the layout is this version's: make it in a new database, refuse a later one.

        Raises:
            LogError: there is no store and none is to be made, the layout is a later one, or the database refuses.
        """
        found = self.layout()
        if found is not None and found > LAYOUT:
            raise LogError(
                f"{self.shown} was laid out by a later errata (layout {found}; this one reads up to {LAYOUT}). "
                "Upgrade errata to open it."
            )
        if found is None and not create:
            raise LogError(f"There is no store in {self.shown}. Check the URL, or make one by adding an edit.")
        if found != LAYOUT:
            with self.writing("lay out") as connection:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_number("layout"))))
                connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {NAMESPACE}"))
                _upgrade(connection)


def lock_number(name: str) -> int:
    """The number of the advisory lock of this name: 64 bits, signed."""
    return int.from_bytes(bytes.fromhex(digest_of(f"errata {name}".encode()))[:8], "big", signed=True)


def reason(error: SQLAlchemyError) -> str:
    """What the server or the driver said, in one line; never the statement or its values."""
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return " ".join(said.splitlines()[0].split()).rstrip(".") if said.strip() else type(error).__name__


def _note_rest(connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["resting since"] = time.monotonic()


def _check_rested(connection: DBAPIConnection, record: ConnectionPoolEntry, proxy: PoolProxiedConnection) -> None:
    """Ask a connection that rested for a while whether it's still there: the server may have been restarted."""
    if time.monotonic() - record.info.get("resting since", math.inf) < _RESTED_S:
        return
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        cursor.close()
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error  # the pool makes a new one


def _parsed(url: str) -> sa.URL:
    try:
        return sa.make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise LogError(
            "The store's URL can't be read. Write it as postgresql://USER@HOST:PORT/DATABASE, special characters as %XX."
        ) from None


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # 0.2 s, and needed once in the life of a database
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, LAYOUT)


def _sqlstate(error: SQLAlchemyError) -> str:
    if isinstance(error, DBAPIError) and isinstance(error.orig, psycopg.Error):
        return error.orig.sqlstate or ""
    return ""
