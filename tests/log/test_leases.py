"""One writer to a branch: for as long as it lives, and no longer."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from errata.core.errors import BadInput, Held
from errata.log import EditLog, MemoryStore, SqliteStore, Store, holding, open_store
from errata.log.entry import sealed
from errata.log.processes import is_gone, new_token
from errata.log.stores._sqlite import SCHEMA
from tests.log.servers import database
from tests.log.worlds import BY, filled, words

HOLDING = """
import sys, time
from errata.log import EditLog, holding, open_store
from tests.log.worlds import BY, words
with holding(open_store(sys.argv[1]), "main", seconds=float(sys.argv[2])) as store:
    EditLog(store).append("applied", words(0), BY)
    print("holds it", flush=True)
    time.sleep(60)
"""

FIRST_LAYOUT = """
CREATE TABLE branches (name TEXT PRIMARY KEY NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
    branch TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, time TEXT NOT NULL, body TEXT NOT NULL,
    previous TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (branch, seq)
) STRICT, WITHOUT ROWID;
PRAGMA application_id = 1701999220;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"""


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore()
    if request.param == "sqlite":
        made = open_store(tmp_path / "errata.db")
    if request.param == "postgresql":
        made = open_store(database())
    yield made
    made.close()


def test_a_held_branch_is_written_by_its_holder_and_read_by_all(store: Store):
    with holding(store, "main", holder="ada") as held:
        log = EditLog(held)
        log.append("applied", words(1), BY)
        with pytest.raises(Held, match="ada"), holding(store, "main", holder="ben"):
            pytest.fail("two held the branch")
        assert EditLog(store).verify() == 1
        with holding(store, "trial", holder="ben") as other:
            EditLog(other, "trial").append("applied", words(1), BY)
    with holding(store, "main", holder="ben") as held:
        assert EditLog(held).append("applied", words(2), BY).seq == 2


def test_a_lease_is_let_go_when_the_work_fails(store: Store):
    with pytest.raises(ZeroDivisionError), holding(store, "main", holder="ada"):
        _ = 1 / 0
    with holding(store, "main", holder="ben"):
        pass


def test_slow_work_keeps_its_lease(store: Store):
    with holding(store, "main", holder="ada", seconds=0.6) as held:
        time.sleep(1.5)
        with pytest.raises(Held, match="ada"):
            store.leases.take("main", "ben", seconds=60)
        assert EditLog(held).append("applied", words(1), BY).seq == 1
    assert "lease of main" not in {thread.name for thread in threading.enumerate()}


def test_a_writer_that_lost_its_lease_appends_nothing_more(tmp_path: Path):
    path = tmp_path / "errata.db"
    with SqliteStore(path) as store, holding(store, "main", holder="ada", seconds=0.6) as held:
        log = EditLog(held)
        log.append("applied", words(1), BY)
        with closing(sqlite3.connect(path)) as stopped, stopped:  # as if ada had been stopped for an hour, and ben came
            stopped.execute("UPDATE leases SET holder = 'ben', token = 'of ben', until = until + 60")
        time.sleep(0.7)
        with pytest.raises(Held, match="written to by ben"):
            log.append("applied", words(2), BY)
        with pytest.raises(Held, match="written to by ben"):
            held.append(sealed(seq=2, branch="main", kind="begun", body=b"{}", previous=""))
        assert log.verify() == 1
        assert EditLog(held, "trial").append("applied", words(1), BY).seq == 1


def started(place: str, seconds: str) -> subprocess.Popen[str]:
    """A process that holds the branch."""
    there = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    writer = subprocess.Popen([sys.executable, "-c", HOLDING, place, seconds], stdout=subprocess.PIPE, text=True, env=there)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "holds it\n"
    return writer


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_writer_killed_on_this_machine_loses_the_branch_at_once(tmp_path: Path, kind: str):
    place = str(tmp_path / "errata.db") if kind == "sqlite" else database()
    writer = started(place, "3600")
    with closing(open_store(place)) as store:
        with pytest.raises(Held, match=rf"process {writer.pid}"), holding(store, "main"):
            pytest.fail("two held the branch")
        writer.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its parent hasn't asked yet
        with holding(store, "main") as held:
            assert EditLog(held).append("applied", words(1), BY).seq == 2
        writer.communicate()
        with holding(store, "main") as held:
            assert EditLog(held).append("applied", words(2), BY).seq == 3


@pytest.mark.parametrize("of", ["another machine", "another container", "an earlier errata"])
def test_a_writer_that_died_elsewhere_holds_the_branch_until_its_lease_ends(tmp_path: Path, of: str):
    path = tmp_path / "errata.db"
    writer = started(str(path), "3600")
    writer.kill()
    writer.communicate()
    with closing(sqlite3.connect(path)) as file, file:
        (token,) = file.execute("SELECT token FROM leases").fetchone()
        drawn, _, process = token.partition("@")
        boot, _, rest = process.partition(":")
        space, _, numbers = rest.partition("/")
        assert (len(drawn), numbers.split("/")[0]) == (32, str(writer.pid))
        other = {
            "another machine": f"{drawn}@{boot[::-1]}:{space}/{numbers}",
            "another container": f"{drawn}@{boot}:{int(space) + 1}/{numbers}",
            "an earlier errata": drawn,
        }[of]
        file.execute("UPDATE leases SET token = ?, until = ?", (other, time.time() + 1.5))
    with closing(open_store(path)) as store:
        with pytest.raises(Held), holding(store, "main"):
            pytest.fail("the lease ended with the process")
        time.sleep(1.6)
        with holding(store, "main") as held:
            assert EditLog(held).append("applied", words(1), BY).seq == 2


def test_another_process_with_the_number_of_one_that_died_does_not_have_its_lease():
    mine = new_token()
    assert not is_gone(mine)
    before, _, ticks = mine.rpartition("/")
    assert is_gone(f"{before}/{int(ticks) - 1}")
    assert not is_gone("")
    assert not is_gone(mine.partition("@")[0])
    assert not is_gone(f"{mine}/1")


def test_a_process_of_another_user_runs():
    before, _, _ = new_token().rpartition("/")
    world, _, _ = before.rpartition("/")
    (first,) = re.findall(r"\) \S (?:\S+ ){18}(\d+)", Path("/proc/1/stat").read_text(encoding="utf-8"))
    assert not is_gone(f"{world}/1/{first}")
    assert is_gone(f"{world}/1/{int(first) + 1}")


def test_a_second_writer_waits_for_the_first_as_long_as_it_is_told(store: Store):
    told: list[str] = []
    let_go = threading.Event()

    def hold() -> None:
        with holding(store, "main", holder="ada"):
            let_go.set()
            time.sleep(1.0)

    first = threading.Thread(target=hold)
    first.start()
    let_go.wait()
    began = time.monotonic()
    with pytest.raises(Held, match="ada"), holding(store, "main", holder="ben", wait=0.3):
        pytest.fail("two held the branch")
    assert 0.3 <= time.monotonic() - began < 0.9
    with holding(store, "main", holder="ben", wait=30, waiting=lambda found: told.append(found.holder)) as held:
        assert EditLog(held).append("applied", words(1), BY).seq == 1
    first.join()
    assert told == ["ada"]


@pytest.mark.parametrize("wait", [-1.0, float("nan")])
def test_what_is_no_time_to_wait_is_refused(store: Store, wait: float):
    with pytest.raises(BadInput, match="can't be waited"), holding(store, "main", wait=wait):
        pytest.fail("it waited")


def first_layout(path: Path) -> EditLog:
    """A store as the first version made it, with some entries."""
    with closing(sqlite3.connect(path)) as made:
        made.executescript(FIRST_LAYOUT)
    source = MemoryStore()
    log = filled(source)
    with closing(sqlite3.connect(path)) as made, made:
        for row in source.rows("main"):
            values = (row.branch, row.seq, row.kind, row.time, row.body.decode(), row.previous, row.hash)
            made.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        tip = source.branches()["main"]
        made.execute("INSERT INTO branches VALUES ('main', ?, ?)", (tip.seq, tip.hash))
    return log


def layout(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database_:
        (found,) = database_.execute("PRAGMA user_version").fetchone()
        return int(found)


def test_a_file_of_the_first_layout_is_read_as_it_is_and_brought_up_to_date_when_written(tmp_path: Path):
    path = tmp_path / "errata.db"
    before = first_layout(path)
    with SqliteStore(path, create=False) as store:
        assert list(EditLog(store).entries()) == list(before.entries())
    assert layout(path) == 1
    with SqliteStore(path) as store, holding(store, "main") as held:
        assert EditLog(held).append("applied", words(1), BY).seq == 12
    assert layout(path) == SCHEMA


def test_a_lease_can_be_taken_on_a_file_of_the_first_layout_that_was_opened_for_reading(tmp_path: Path):
    path = tmp_path / "errata.db"
    first_layout(path)
    with SqliteStore(path, create=False) as store, SqliteStore(path, create=False) as other:
        store.leases.take("main", "ada", seconds=60)
        with pytest.raises(Held):
            other.leases.take("main", "ben", seconds=60)
