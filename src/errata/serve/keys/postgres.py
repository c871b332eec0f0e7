"""Keys in a schema of their own in the store's PostgreSQL database, so that every server on it knows the same."""

from __future__ import annotations

from typing import Final, cast, final

import sqlalchemy as sa

from errata.log.stores._postgres import PostgresDatabase, lock_number
from errata.serve.keys.stored import Kept, Key, Role

NAMESPACE: Final = "errata_access"

_METADATA: Final = sa.MetaData(schema=NAMESPACE)
_TEXT: Final = sa.Text(collation="C")
_KEYS: Final = sa.Table(
    "keys",
    _METADATA,
    sa.Column("number", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("id", _TEXT, nullable=False, unique=True),
    *(sa.Column(name, _TEXT, nullable=False) for name in ("name", "role", "branch", "made", "digest")),
)
_ALL: Final = sa.select(_KEYS.c.id, _KEYS.c.name, _KEYS.c.role, _KEYS.c.branch, _KEYS.c.made, _KEYS.c.digest)


@final
class PostgresRecords:
    """`Records` in a table, made at the first `add`."""

    def __init__(self, url: str) -> None:
        self._database = PostgresDatabase(url)
        self._there = False

    def find(self, id: str) -> Kept | None:
        return next(iter(self._read(_ALL.where(_KEYS.c.id == id))), None)

    def all(self) -> list[Kept]:
        return self._read(_ALL.order_by(_KEYS.c.number))

    def made(self) -> bool:
        return self._is_there()

    def add(self, kept: Kept) -> None:
        with self._database.writing("keep keys in") as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_number("keys"))))
            connection.execute(sa.schema.CreateSchema(NAMESPACE, if_not_exists=True))
            _METADATA.create_all(connection)
            connection.execute(sa.insert(_KEYS).values(**kept.key._asdict(), digest=kept.digest))
        self._there = True

    def remove(self, id: str) -> bool:
        if not self._is_there():
            return False
        with self._database.writing("keep keys in") as connection:
            return connection.execute(sa.delete(_KEYS).where(_KEYS.c.id == id)).rowcount > 0

    def close(self) -> None:
        self._database.close()

    def _read(self, question: sa.Select[str, str, str, str, str, str]) -> list[Kept]:
        if not self._is_there():
            return []
        with self._database.reading() as connection:
            return [_kept(*row) for row in connection.execute(question)]

    def _is_there(self) -> bool:
        """Whether any key was ever made here; asked until it is so."""
        if not self._there:
            with self._database.reading() as connection:
                named = sa.select(sa.func.to_regclass(f"{NAMESPACE}.keys"))
                self._there = connection.execute(named).scalar() is not None
        return self._there


def _kept(id: str, name: str, role: str, branch: str, made: str, digest: str) -> Kept:
    return Kept(Key(id, name, cast("Role", role), branch, made), digest)
