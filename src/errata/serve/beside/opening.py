"""What a server keeps beside a store, by its place: a path is a SQLite file, a `postgresql://` URL a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path

from errata.log.stores.opening import is_url
from errata.serve.beside.kept import Beside


def open_beside(place: str | Path) -> Beside:
    """What is kept beside the store, which need not be there yet.

    Raises:
        LogError: the place is no store's, or the database can't be reached.
    """
    if is_url(place):
        from errata.serve.beside.postgres import PostgresBeside  # SQLAlchemy takes longer to import than a command's work

        return PostgresBeside(str(place))
    from errata.serve.beside.files import SqliteBeside

    path = Path(place)
    return SqliteBeside(path.with_name(path.name + ".served"))
