"""The SQLite store as files: what it refuses to open, what a crash leaves, several processes at once, and speed of reading."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from errata.core.errors import LogError
from errata.log import EditLog, SqliteStore
from errata.log.entry import sealed
from tests.log.worlds import BY, edit, filled, picture, words
from tools.proofs import Record

APPENDING = """
import sys
from errata.log import EditLog, SqliteStore
from tests.log.worlds import BY, edit
log = EditLog(SqliteStore(sys.argv[1]))
for number in range(int(sys.argv[2]), 10_000):
    entry = log.append("applied", edit(number), BY)
    print(entry.mark, flush=True)
"""

DYING_BEFORE_THE_ENTRY = """
import os, signal, sys
from errata.log import EditLog, SqliteStore
from tests.log.worlds import BY, edit

class Dying:  # a store that is killed once the images are on the disk
    def __init__(self, store):
        self.rows, self.branches, self.blobs, self.turn = store.rows, store.branches, store.blobs, store.turn
    def append(self, row):
        os.kill(os.getpid(), signal.SIGKILL)

EditLog(Dying(SqliteStore(sys.argv[1]))).append("applied", edit(99), BY)
"""

FULL_DISK = """
import resource, sys
from errata.core.errors import LogError
from errata.log import EditLog, SqliteStore
from tests.log.worlds import BY, words
log = EditLog(SqliteStore(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    for number in range(10_000):
        entry = log.append("applied", words(number), BY, details={"long": "x" * 2000})
        last = entry.mark
except LogError as error:
    print(last)
    print(error)
"""


def python(script: str, *arguments: str | int | Path) -> subprocess.Popen[str]:
    """The script in an interpreter of its own, which finds what this one finds."""
    there = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, text=True, env=there)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "is a folder"),
        ("missing/errata.db", "there is no folder"),
        ("text.txt", "isn't an errata store"),
        ("other.db", "not an errata store"),
        ("later.db", "later errata"),
    ],
)
def test_what_is_no_store_is_refused_with_a_sentence_and_left_alone(tmp_path: Path, name: str, message: str):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("dear diary\n" * 200)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other, other:
        other.execute("CREATE TABLE notes (text)")
    SqliteStore(tmp_path / "later.db").close()
    with closing(sqlite3.connect(tmp_path / "later.db")) as later, later:
        later.execute("PRAGMA user_version = 7")
    path = tmp_path / name
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(LogError, match=message):
        SqliteStore(path)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_store_that_is_not_there_is_only_made_where_asked(tmp_path: Path):
    with pytest.raises(LogError, match="no store at"):
        SqliteStore(tmp_path / "errata.db", create=False)
    assert list(tmp_path.iterdir()) == []
    SqliteStore(tmp_path / "errata.db").close()
    SqliteStore(tmp_path / "errata.db", create=False).close()


def test_a_closed_store_says_so(tmp_path: Path):
    store = SqliteStore(tmp_path / "errata.db")
    log = filled(store)
    store.close()
    with pytest.raises(LogError, match="closed"):
        log.append("begun", None, BY)
    with pytest.raises(LogError, match="closed"):
        list(log.entries())


def test_images_that_can_not_be_written_leave_the_log_as_it_was(tmp_path: Path):
    with SqliteStore(tmp_path / "errata.db") as store:
        (tmp_path / "errata.db.blobs").write_text("in the way")
        with pytest.raises(LogError, match="Can't write to"):
            EditLog(store).append("applied", edit(1), BY)
        assert EditLog(store).head is None


def test_a_damaged_blob_is_mended_by_putting_it_again(tmp_path: Path):
    with SqliteStore(tmp_path / "errata.db") as store:
        digest = store.blobs.put(b"some bytes")
        (tmp_path / "errata.db.blobs" / digest[:2] / digest).write_bytes(b"some")
        with pytest.raises(LogError, match="aren't what was written"):
            store.blobs.get(digest)
        store.blobs.put(b"some bytes")
        assert store.blobs.get(digest) == b"some bytes"


def test_no_name_leads_out_of_the_folder_of_blobs(tmp_path: Path):
    with SqliteStore(tmp_path / "errata.db") as store:
        for name in (str(tmp_path / "errata.db"), "../errata.db"):
            assert store.blobs.get(name) is None
            assert store.blobs.erase(name) is False
    assert (tmp_path / "errata.db").exists()


def test_half_written_files_are_invisible_and_swept_away_once_old(tmp_path: Path):
    with SqliteStore(tmp_path / "errata.db") as store:
        store.blobs.put(b"some bytes")
    shelf = tmp_path / "errata.db.snapshots"
    shelf.mkdir()
    old, young = shelf / ".unfinished-1", shelf / ".unfinished-2"
    for file in (old, young, shelf / "notes.txt"):
        file.write_bytes(b"half")
    os.utime(old, (1, 1))
    with SqliteStore(tmp_path / "errata.db") as store:
        assert store.shelf.sizes() == {}
    assert not old.exists()
    assert young.exists()


@pytest.mark.proof(sample=8, full=200)
def test_a_killed_writer_loses_no_acknowledged_entry_and_leaves_a_log_that_verifies(tmp_path: Path, trials: int, record: Record):
    path, draw, kept = tmp_path / "errata.db", random.Random(3), ""
    for _ in range(trials):
        with SqliteStore(path) as store:
            begun = len(EditLog(store))
        writer = python(APPENDING, path, begun)
        assert writer.stdout is not None
        for _ in range(draw.randint(1, 4)):
            kept = writer.stdout.readline().strip()
        time.sleep(draw.random() * 0.02)
        writer.send_signal(signal.SIGKILL)
        rest = [mark for mark in writer.stdout.read().split() if len(mark.partition(":")[2]) == 64]  # the last line may be cut
        writer.stdout.close()
        assert writer.wait() == -signal.SIGKILL
        kept = rest[-1] if rest else kept
        with SqliteStore(path) as store:
            log = EditLog(store)
            assert log.verify(kept) >= int(kept.split(":")[0])
            assert list(log.in_force()) == [edit(number) for number in range(len(log))]
            record.update(kills=trials, entries=len(log), lost=0)


def test_a_writer_killed_between_images_and_entry_has_changed_nothing(tmp_path: Path):
    path = tmp_path / "errata.db"
    with SqliteStore(path) as store:
        before = filled(store).head
    dying = python(DYING_BEFORE_THE_ENTRY, path)
    dying.communicate()
    assert dying.returncode == -signal.SIGKILL
    with SqliteStore(path) as store:
        log = EditLog(store)
        assert store.blobs.get(picture(99).digest) == picture(99).data  # an orphan: harmless
        assert log.head == before
        assert log.verify() == 11
        assert log.append("applied", edit(99), BY).seq == 12


def test_a_full_disk_is_a_sentence_and_nothing_acknowledged_is_lost(tmp_path: Path):
    path = tmp_path / "errata.db"
    last, sentence = python(FULL_DISK, path).communicate()[0].splitlines()
    assert "Nothing was changed" in sentence
    with SqliteStore(path) as store:
        log = EditLog(store)
        assert log.head is not None
        assert log.head.mark == last
        assert log.verify() > 5
        log.append("applied", words(-1), BY)


def append_some(path: Path, name: int, count: int) -> None:
    with SqliteStore(path) as store:
        log = EditLog(store)
        for number in range(count):
            log.append("applied", words(1000 * name + number), BY)


def test_processes_that_make_and_fill_one_store_at_once_keep_it_gap_free(tmp_path: Path):
    path = tmp_path / "errata.db"
    start = multiprocessing.get_context("spawn").Process
    writers = [start(target=append_some, args=(path, name, 40)) for name in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    with SqliteStore(path) as store:
        log = EditLog(store)
        assert log.verify() == 120
        assert set(log.ids_in_force()) == {words(1000 * name + number).id for name in range(3) for number in range(40)}


def test_the_last_page_of_a_long_log_is_found_without_a_scan(tmp_path: Path):
    path = tmp_path / "errata.db"
    SqliteStore(path).close()
    row = None
    body = b'{"by":{"author":"a","reason":"","ticket":""},"details":{},"edit":null,"edit_id":null}'
    with closing(sqlite3.connect(path)) as database, database:
        for seq in range(1, 20_001):
            row = sealed(seq=seq, branch="main", kind="imported", body=body, previous=row.hash if row else "")
            values = (row.branch, row.seq, row.kind, row.time, row.body.decode(), row.previous, row.hash)
            database.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        assert row is not None
        database.execute("INSERT INTO branches VALUES ('main', ?, ?)", (row.seq, row.hash))
        query = "EXPLAIN QUERY PLAN SELECT * FROM entries WHERE branch = ? AND seq >= ? AND seq < ? ORDER BY seq LIMIT ?"
        plan = str(database.execute(query, ("main", 1, 9, 9)).fetchall())
    assert "SEARCH entries USING PRIMARY KEY (branch=? AND seq>? AND seq<?)" in plan
    assert "TEMP B-TREE" not in plan
    with SqliteStore(path) as store:
        started = time.process_time()
        log = EditLog(store)
        page = list(log.entries(len(log) - 19))
        assert time.process_time() - started < 0.2
        assert [entry.seq for entry in page] == list(range(19_981, 20_001))
        assert log.verify() == 20_000
