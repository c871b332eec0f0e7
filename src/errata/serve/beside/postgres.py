"""Tables beside the log in the store's PostgreSQL database, each in a schema of its own: every server on it knows the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from errata.log.stores._postgres import PostgresDatabase, lock_number
from errata.serve.beside.kept import Kind

NAMESPACE: Final = "errata_served"

_TEXT: Final = sa.Text(collation="C")
_KEPT: Final = sa.Table(
    "kept",
    sa.MetaData(schema=NAMESPACE),
    sa.Column("number", sa.BigInteger, sa.Identity(), primary_key=True),
    *(sa.Column(name, _TEXT, nullable=False) for name in ("kind", "branch", "name")),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("kind", "branch", "name"),
)


@final
class PostgresTable:
    """A table in a schema of its own, both made at the first write.

    Args:
        url: the store's.
        table: with its schema.
        verb: what fails where a write does, for sentences: "keep keys in".
    """

    def __init__(self, url: str, table: sa.Table, *, verb: str) -> None:
        self._database, self._table, self._verb, self._made = PostgresDatabase(url), table, verb, False

    def there(self) -> bool:
        """Whether anything was ever written here; asked until it is so."""
        if not self._made:
            with self._database.reading() as connection:
                named = sa.select(sa.func.to_regclass(f"{self._table.schema}.{self._table.name}"))
                self._made = connection.execute(named).scalar() is not None
        return self._made

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction in which the table is there."""
        with self._database.writing(self._verb) as connection:
            if not self._made:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_number(self._table.name))))
                connection.execute(sa.schema.CreateSchema(str(self._table.schema), if_not_exists=True))
                self._table.metadata.create_all(connection)
            yield connection
        self._made = True

    def remove(self, *which: sa.ColumnElement[bool]) -> bool:
        """Whether there was such a row; it is gone."""
        if not self.there():
            return False
        with self._database.writing(self._verb) as connection:
            return connection.execute(sa.delete(self._table).where(*which)).rowcount > 0

    def read(self, question: sa.Select[*tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows that answer a question; none where nothing was ever written."""
        if not self.there():
            return []
        with self._database.reading() as connection:
            return [tuple(row) for row in connection.execute(question)]

    def close(self) -> None:
        self._database.close()


@final
class PostgresBeside:
    """`Beside` in a table."""

    def __init__(self, url: str) -> None:
        self._table = PostgresTable(url, _KEPT, verb="keep flags in")

    def put(self, kind: Kind, branch: str, name: str, value: bytes) -> None:
        row = insert(_KEPT).values(kind=kind, branch=branch, name=name, value=value)
        with self._table.writing() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["kind", "branch", "name"], set_={"value": value}))

    def get(self, kind: Kind, branch: str, name: str) -> bytes | None:
        rows = self._table.read(sa.select(_KEPT.c.value).where(*_named(kind, branch, name)))
        return next((bytes(value) for (value,) in rows), None)

    def drop(self, kind: Kind, branch: str, name: str) -> bool:
        return self._table.remove(*_named(kind, branch, name))

    def all(self, kind: Kind, branch: str | None) -> list[tuple[str, str, bytes]]:
        chosen = [_KEPT.c.kind == kind, *([] if branch is None else [_KEPT.c.branch == branch])]
        rows = self._table.read(sa.select(_KEPT.c.branch, _KEPT.c.name, _KEPT.c.value).where(*chosen).order_by(_KEPT.c.number))
        return [(of, name, bytes(value)) for of, name, value in rows]

    def close(self) -> None:
        self._table.close()


def _named(kind: Kind, branch: str, name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _KEPT.c.kind == kind, _KEPT.c.branch == branch, _KEPT.c.name == name
