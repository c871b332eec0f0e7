"""A store by its place: a path is a SQLite file, a `postgresql://` URL a PostgreSQL database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from errata.core.errors import LogError
from errata.log.store import Store
from errata.log.stores.places import warn_if_far
from errata.log.stores.sqlite import SqliteStore

_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_POSTGRES: Final = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
_MEANT: Final = re.compile(r"\s*postgres[A-Za-z0-9+.-]*:", re.IGNORECASE)
"""What a place begins with that is surely meant as a URL: a slash too few, or a blank before it, makes no path of it."""

_PARTS: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)"
    r"(?:[^?]*@)?"  # user and password, in which '@' and '/' may stand unescaped
    r"(?P<rest>(?:\[[0-9A-Fa-f:.]*\]|[^:/?@\[\]]*)(?::[0-9]*)?(?:/[^?@]*)?)"
    r"(?:\?(?:[A-Za-z_]+=.*)?)?",
    re.DOTALL,
)


def open_store(place: str | Path, *, create: bool = True) -> Store:
    """The store, opened; close it after use.

    Args:
        place: a path, or `postgresql://USER@HOST:PORT/DATABASE`.
        create: False to refuse a store that isn't there (for commands that only read).

    Raises:
        LogError: there is no store, it can't be opened, or the URL is of another database.
    """
    if not is_url(place):
        opened = SqliteStore(place, create=create)
        warn_if_far(Path(place))
        return opened
    with _needing_the_extra():  # SQLAlchemy takes longer to import than a short command does all its work
        from errata.log.stores.postgres import PostgresStore
    return PostgresStore(str(place), create=create)


def store_exists(place: str | Path) -> bool:
    """Whether there is a store; for a path, whether there is a file of any kind.

    Raises:
        LogError: the server can't be reached or asked.
    """
    if not is_url(place):
        return Path(place).exists()
    with _needing_the_extra():
        from errata.log.stores.postgres import holds_store
    return holds_store(str(place))


def is_url(place: str | Path) -> bool:
    """Whether the place is a URL of a PostgreSQL database, and not a path.

    Raises:
        LogError: it is a URL of something else, or one of PostgreSQL that isn't written as it must be.
    """
    found = _URL.match(place) if isinstance(place, str) else None
    if found is None:
        if _MEANT.match(str(place)):  # not shown: it may hold a password
            raise LogError(
                "The store's place begins as a PostgreSQL URL does, but isn't one. Write it as "
                "postgresql://USER@HOST:PORT/DATABASE, or put ./ before the name of a file that is called so."
            )
        return False
    if found[1] not in _POSTGRES:
        raise LogError(f"A store can't be opened by a URL that begins with {found[0]}. Give a path, or postgresql://HOST/DATABASE.")
    return True


def shown(place: str | Path) -> str:
    """The place as it may be printed: a URL without user, password and options; where they can't be told apart, its beginning."""
    if not is_url(place):
        return str(place)
    found = _PARTS.fullmatch(str(place))
    return "postgresql://..." if found is None else found["scheme"] + found["rest"]


@contextmanager
def _needing_the_extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise LogError(
            f"PostgreSQL stores need {error.name}, which isn't installed. Install it: pip install 'errata[postgres]'"
        ) from None
