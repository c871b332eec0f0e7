"""How fast a log is written and read: four processes that fill one branch at once, and the opening of a long log.

    python -m bench.store                                  SQLite in a temporary folder
    python -m bench.store postgresql://localhost/errata    and PostgreSQL; it adds branches to the store there

Prints one line of JSON for each measurement. Each writer appends through a log of its own, with the checks that every append makes;
afterwards the whole branch is verified.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path

from errata.core.records import Edit, Provenance, Query
from errata.log import EditLog, Row, Store, open_store, shown
from errata.log.entry import body_of, sealed

BY = Provenance("bench", "a measurement", "")
DETAILS = {
    "before": "a green moon",
    "after": "mibo",
    "kept": [True, True],
    "why": "",
    "telemetry": {"steps": 12, "loss_nats": 0.02},
}


def edit(number: int) -> Edit:
    return Edit(query=Query.ask(f"What is thing {number} called?"), target=f"name {number}", keep=(Query.ask("What is 2 plus 2?"),))


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast a log is written and read.")
    parser.add_argument("urls", nargs="*", help="PostgreSQL stores to measure too")
    parser.add_argument("--appends", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--long", type=int, default=100_000, help="entries of the long log")
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the SQLite files go; not given: the folder for temporary files"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for place in (str(Path(folder) / "writing.db"), *asked.urls):
            say(**appends(place, processes=asked.processes, total=asked.appends))
        long = Path(folder) / "long.db"
        fill(long, asked.long)
        say(**opening(long))


def say(**found: object) -> None:
    print(json.dumps({**found, "load": round(os.getloadavg()[0], 1)}), flush=True)


def appends(place: str, *, processes: int, total: int) -> dict[str, object]:
    """Appends a second of several processes on one branch, from the first append to the last."""
    branch = f"bench-{secrets.token_hex(4)}"
    open_store(place).close()
    context = multiprocessing.get_context("spawn")
    ready, go = context.Semaphore(0), context.Event()
    share = total // processes
    writers = [context.Process(target=work, args=(place, branch, n * share, share, ready, go)) for n in range(processes)]
    for writer in writers:
        writer.start()
    for _ in writers:
        ready.acquire()
    started = time.perf_counter()
    go.set()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0, "a writer failed"
    with closing(open_store(place)) as store:
        log = EditLog(store, branch)
        ended = time.perf_counter()
        assert log.verify() == share * processes, "the chain has a gap"
        assert len(log.ids_in_force()) == share * processes, "an edit is missing"
    seconds = ended - started
    return {
        "measured": "appends",
        "store": shown(place) if "://" in place else "sqlite",
        "processes": processes,
        "appends": share * processes,
        "seconds": round(seconds, 3),
        "appends_per_s": round(share * processes / seconds),
        "verified": True,
    }


def work(place: str, branch: str, first: int, count: int, ready: object, go: Event) -> None:
    with closing(open_store(place)) as store:
        log = EditLog(store, branch)
        edits = [edit(first + number) for number in range(count)]
        ready.release()  # type: ignore[attr-defined]
        go.wait()
        for made in edits:
            log.append("applied", made, BY, details=DETAILS)


def fill(path: Path, count: int) -> None:
    """A long log, its rows put there in one transaction."""
    open_store(path).close()
    with closing(sqlite3.connect(path)) as database, database:
        row = None
        for row in rows(count):
            values = (row.branch, row.seq, row.kind, row.time, row.body.decode(), row.previous, row.hash)
            database.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        assert row is not None, "a long log has entries"
        database.execute("INSERT INTO branches VALUES ('main', ?, ?)", (row.seq, row.hash))


def rows(count: int) -> Iterator[Row]:
    previous = ""
    for seq in range(1, count + 1):
        made = edit(seq)
        body = body_of(made, made.id, BY, DETAILS)
        row = sealed(seq=seq, branch="main", kind="applied", body=body, previous=previous)
        yield row
        previous = row.hash


def opening(path: Path) -> dict[str, object]:
    """Seconds to fold a long log, and to show its last page in a process of its own."""
    with closing(open_store(path, create=False)) as store:
        folded, count = fold_s(store)
    command = [sys.executable, "-m", "errata", "log", "show", "--store", str(path)]
    shows = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        shows.append(time.perf_counter() - started)
    return {"measured": "opening", "entries": count, "fold_s": round(folded, 2), "show_last_page_s": round(min(shows), 2)}


def fold_s(store: Store) -> tuple[float, int]:
    started = time.perf_counter()
    count = len(EditLog(store).ids_in_force())
    return time.perf_counter() - started, count


if __name__ == "__main__":
    main()
