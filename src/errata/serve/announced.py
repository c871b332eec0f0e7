"""Where a server says that it has a SQLite store open, so that commands on the store ask it instead of opening the model again.

`STORE.server` holds its URL and a random word that the server also answers to `GET /v1/me`: a file that a crash left behind, with
another server at its address by now, is found out. In PostgreSQL there is no such file: name the server with ERRATA_SERVER.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from errata.log.stores.opening import is_url


class Announced(NamedTuple):
    """A server that may have a store open."""

    url: str
    word: str
    """What it answers to `GET /v1/me` as `server`."""


@contextmanager
def announcing(place: str | Path, url: str, word: str) -> Iterator[None]:
    """Say so for the length of a `with` block; where the file can't be written, commands open the model themselves."""
    if is_url(place):
        yield
        return
    path = _file(place)
    with suppress(OSError):
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps({"url": url, "server": word}), encoding="utf-8")
        temporary.chmod(0o644)
        os.replace(temporary, path)
    try:
        yield
    finally:
        if announced(place) == Announced(url, word):
            with suppress(OSError):
                path.unlink()


def announced(place: str | Path) -> Announced | None:
    """The server that says it has the store open; None where none does."""
    try:
        held = json.loads(_file(place).read_text(encoding="utf-8"))
        return Announced(str(held["url"]), str(held["server"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(place: str | Path) -> Path:
    path = Path(place)
    return path.with_name(path.name + ".server")
