"""The keys beside a store, by its place: a path is a SQLite file, a `postgresql://` URL a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path

from errata.log.stores.opening import is_url
from errata.serve.keys.stored import StoredKeys


def open_keys(place: str | Path) -> StoredKeys:
    """The keys beside a store, which need not be there yet.

    Raises:
        LogError: the place is no store's, or the database can't be reached.
    """
    if is_url(place):
        from errata.serve.keys.postgres import PostgresRecords  # SQLAlchemy takes longer to import than a command's work

        return StoredKeys(PostgresRecords(str(place)))
    from errata.serve.keys.sqlite import SqliteRecords

    path = Path(place)
    return StoredKeys(SqliteRecords(path.with_name(path.name + ".keys")))
