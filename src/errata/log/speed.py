"""How fast a log is written and read: processes that fill one branch at once, and the opening of a long log.

Each writer appends through a log of its own, with the checks that every append makes; afterwards the whole branch is verified.
"""

from __future__ import annotations

import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event, Semaphore
from pathlib import Path
from typing import Final, NamedTuple, final

from errata.core.canonical import JSON
from errata.core.errors import BadInput, ErrataError, LogError
from errata.core.records import Edit, Provenance, Query
from errata.log.edit_log import EditLog
from errata.log.entry import Row, body_of, sealed
from errata.log.stores.opening import open_store

_BY: Final = Provenance("bench", "a measurement", "")
_DETAILS: Final[Mapping[str, JSON]] = {
    "before": "a green moon",
    "after": "mibo",
    "kept": [True, True],
    "why": "",
    "telemetry": {"steps": 12, "loss_nats": 0.02},
}
_SHOWN = 3
"""How often the last page is shown; the quickest counts."""

_LOOK_S = 0.5
"""How often it is looked whether the writers are still there."""


@final
@dataclass(frozen=True)
class Appends:
    """What several writers did on one branch, from the first append to the last."""

    count: int
    processes: int
    seconds: float

    @property
    def per_s(self) -> float:
        return self.count / self.seconds


@final
@dataclass(frozen=True)
class Opening:
    """What it takes to read a long log."""

    entries: int
    fold_s: float
    """To fold it."""

    show_s: float
    """To show its last page, in a process of its own."""


def appends(place: str, *, processes: int, total: int) -> Appends:
    """Append to a new branch of a store, which is made where it isn't there; the branch stays in it.

    Args:
        place: as `open_store` takes it.
        processes: writers, which share `total` appends evenly; what is left over is left out.

    Raises:
        BadInput: fewer appends than processes.
        LogError: the store can't be opened, a writer failed, or the branch isn't what was written.
    """
    share = total // processes
    if not share:
        raise BadInput(f"{total} appends can't be shared by {processes} processes. Give at least {processes} to --appends.")
    branch = f"bench-{secrets.token_hex(4)}"
    open_store(place).close()
    context = get_context("spawn")
    go = _Go(context.Semaphore(0), context.Event(), context.SimpleQueue())
    writers = [context.Process(target=_write, args=(place, branch, n * share, share, go), daemon=True) for n in range(processes)]
    try:
        for writer in writers:
            writer.start()
        for _ in writers:
            while not go.ready.acquire(timeout=_LOOK_S):
                _check(writers, go)
        started = time.perf_counter()
        go.now.set()
        for writer in writers:
            writer.join()
        _check(writers, go)
    finally:
        for writer in writers:
            if writer.is_alive():
                writer.terminate()
    with closing(open_store(place)) as store:
        log = EditLog(store, branch)
        ended = time.perf_counter()
        verified, in_force = log.verify(), len(log.ids_in_force())
    if not verified == in_force == share * processes:
        raise LogError(f"Of {share * processes} appends {verified} are in the log and {in_force} in force. Don't use this store.")
    return Appends(share * processes, processes, ended - started)


class _Go(NamedTuple):
    """What writers and their parent tell each other."""

    ready: Semaphore
    now: Event
    failed: SimpleQueue[str]


def _check(writers: Sequence[BaseProcess], go: _Go) -> None:
    codes = [writer.exitcode for writer in writers if writer.exitcode]
    if codes:
        raise LogError(f"A process that appended was ended (exit code {codes[0]})." if go.failed.empty() else go.failed.get())


def _write(place: str, branch: str, first: int, count: int, go: _Go) -> None:
    try:
        with closing(open_store(place)) as store:
            log = EditLog(store, branch)
            edits = [_edit(first + number) for number in range(count)]
            go.ready.release()
            go.now.wait()
            for made in edits:
                log.append("applied", made, _BY, details=_DETAILS)
    except ErrataError as error:
        go.failed.put(str(error))
        sys.exit(1)


def opening(path: Path, *, entries: int, show: Sequence[str]) -> Opening:
    """Make a long log and read it.

    Args:
        path: the SQLite file to make.
        entries: how many, >= 1.
        show: the command that shows the last page.
    """
    _fill(path, entries)
    with closing(open_store(path, create=False)) as store:
        started = time.perf_counter()
        count = len(EditLog(store).ids_in_force())
        fold_s = time.perf_counter() - started
    shows = []
    for _ in range(_SHOWN):
        started = time.perf_counter()
        subprocess.run(show, check=True, capture_output=True)
        shows.append(time.perf_counter() - started)
    return Opening(count, fold_s, min(shows))


def _fill(path: Path, count: int) -> None:
    """A long log, its rows put there in one transaction."""
    open_store(path).close()
    with closing(sqlite3.connect(path)) as database, database:
        row = None
        for row in _rows(count):
            values = (row.branch, row.seq, row.kind, row.time, row.body.decode(), row.previous, row.hash)
            database.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        assert row is not None, "a long log has entries"
        database.execute("INSERT INTO branches VALUES ('main', ?, ?)", (row.seq, row.hash))


def _rows(count: int) -> Iterator[Row]:
    previous = ""
    for seq in range(1, count + 1):
        made = _edit(seq)
        row = sealed(seq=seq, branch="main", kind="applied", body=body_of(made, made.id, _BY, _DETAILS), previous=previous)
        yield row
        previous = row.hash


def _edit(number: int) -> Edit:
    return Edit(query=Query.ask(f"What is thing {number} called?"), target=f"name {number}", keep=(Query.ask("What is 2 plus 2?"),))
