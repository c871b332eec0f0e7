"""Keys in a schema of their own in the store's PostgreSQL database, so that every server on it knows the same."""

from __future__ import annotations

from typing import Final, cast, final

import sqlalchemy as sa

from errata.serve.beside.postgres import PostgresTable
from errata.serve.keys.stored import Kept, Key, Role

NAMESPACE: Final = "errata_access"

_TEXT: Final = sa.Text(collation="C")
_KEYS: Final = sa.Table(
    "keys",
    sa.MetaData(schema=NAMESPACE),
    sa.Column("number", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("id", _TEXT, nullable=False, unique=True),
    *(sa.Column(name, _TEXT, nullable=False) for name in ("name", "role", "branch", "made", "digest")),
)
_ALL: Final = sa.select(_KEYS.c.id, _KEYS.c.name, _KEYS.c.role, _KEYS.c.branch, _KEYS.c.made, _KEYS.c.digest)


@final
class PostgresRecords:
    """`Records` in a table, made at the first `add`."""

    def __init__(self, url: str) -> None:
        self._table = PostgresTable(url, _KEYS, verb="keep keys in")

    def find(self, id: str) -> Kept | None:
        return next((_kept(*row) for row in self._table.read(_ALL.where(_KEYS.c.id == id))), None)

    def all(self) -> list[Kept]:
        return [_kept(*row) for row in self._table.read(_ALL.order_by(_KEYS.c.number))]

    def made(self) -> bool:
        return self._table.there()

    def add(self, kept: Kept) -> None:
        with self._table.writing() as connection:
            connection.execute(sa.insert(_KEYS).values(**kept.key._asdict(), digest=kept.digest))

    def remove(self, id: str) -> bool:
        return self._table.remove(_KEYS.c.id == id)

    def close(self) -> None:
        self._table.close()


def _kept(id: str, name: str, role: str, branch: str, made: str, digest: str) -> Kept:
    return Kept(Key(id, name, cast("Role", role), branch, made), digest)
