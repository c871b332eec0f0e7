"""What every store promises, whichever it is."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from errata.core.canonical import digest_of
from errata.core.errors import Conflict, Held, LogError
from errata.log import EditLog, MemoryStore, Row, SnapshotKey, Store, Tip, open_store
from errata.log.entry import sealed
from tests.log.servers import database
from tests.log.worlds import BY, words


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request, tmp_path: Path):
    made: Store = MemoryStore()
    if request.param == "sqlite":
        made = open_store(tmp_path / "errata.db")
    if request.param == "postgresql":
        made = open_store(database())
    yield made
    made.close()


def chain(branch: str, count: int) -> list[Row]:
    rows: list[Row] = []
    for seq in range(1, count + 1):
        body = f'{{"n":"é{seq}"}}'.encode()
        rows.append(sealed(seq=seq, branch=branch, kind="begun", body=body, previous=rows[-1].hash if rows else ""))
    return rows


def test_rows_come_back_as_they_went_in(store: Store):
    rows = chain("main", 5)
    for row in rows:
        store.append(row)
    assert list(store.rows("main")) == rows


def test_a_range_of_rows_is_half_open_and_clipped(store: Store):
    rows = chain("main", 5)
    for row in rows:
        store.append(row)
    assert list(store.rows("main", 2, 4)) == rows[1:3]
    assert list(store.rows("main", 4, 99)) == rows[3:]
    assert list(store.rows("main", 0, 2)) == rows[:1]
    assert list(store.rows("main", 3, 3)) == []
    assert list(store.rows("main", 6)) == []
    assert list(store.rows("elsewhere")) == []


def test_long_ranges_are_read_whole(store: Store):
    rows = chain("main", 30)
    log = EditLog(store)
    for _ in range(30):
        log.append("imported", None, BY)
    assert [row.seq for row in store.rows("main")] == [row.seq for row in rows]


def test_branches_have_chains_of_their_own(store: Store):
    assert store.branches() == {}
    main, other = chain("main", 3), chain("other", 2)
    for row in (main[0], other[0], main[1], other[1], main[2]):
        store.append(row)
    assert store.branches() == {"main": Tip(3, main[2].hash), "other": Tip(2, other[1].hash)}
    assert list(store.branches()) == ["main", "other"]
    assert list(store.rows("other")) == other


@pytest.mark.parametrize("wrong", ["number too high", "number again", "other previous", "first row with a previous"])
def test_a_row_that_does_not_follow_is_refused_and_changes_nothing(store: Store, wrong: str):
    rows = chain("main", 4)
    for row in rows[:2]:
        store.append(row)
    bad = {
        "number too high": rows[3],
        "number again": rows[1],
        "other previous": sealed(seq=3, branch="main", kind="begun", body=b"{}", previous=rows[0].hash),
        "first row with a previous": sealed(seq=1, branch="new", kind="begun", body=b"{}", previous=rows[0].hash),
    }[wrong]
    with pytest.raises(Conflict, match="another writer"):
        store.append(bad)
    assert list(store.rows("main")) == rows[:2]
    assert store.branches() == {"main": Tip(2, rows[1].hash)}
    store.append(rows[2])


def test_rows_may_be_appended_while_others_are_read(store: Store):
    rows = chain("main", 4)
    store.append(rows[0])
    reading = store.rows("main")
    assert next(reading) == rows[0]
    store.append(rows[1])
    assert set(reading) <= {rows[1]}


def test_threads_that_share_a_store_keep_it_gap_free(store: Store):
    def work(name: int) -> None:
        log = EditLog(store)
        for number in range(15):
            log.append("applied", words(100 * name + number), BY)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = EditLog(store)
    assert log.verify() == 60
    assert sorted(log.ids_in_force()) == sorted(words(100 * name + number).id for name in range(4) for number in range(15))


def test_blobs_are_found_by_their_digest_until_erased(store: Store):
    digest = store.blobs.put(b"some bytes")
    assert digest == digest_of(b"some bytes")
    assert store.blobs.put(b"some bytes") == digest
    assert store.blobs.get(digest) == b"some bytes"
    assert (store.blobs.size(digest), store.blobs.size("0" * 64), store.blobs.size("../x")) == (10, None, None)
    assert store.blobs.erase(digest) is True
    assert store.blobs.get(digest) is None
    assert store.blobs.erase(digest) is False
    assert store.blobs.get(store.blobs.put(b"")) == b""


@pytest.mark.parametrize("name", ["../errata.db", "", "a" * 63, "A" * 64])
def test_a_name_that_is_no_digest_finds_no_blob(store: Store, name: str):
    assert store.blobs.get(name) is None
    assert store.blobs.erase(name) is False


def test_snapshots_are_listed_sorted_read_and_deleted(store: Store):
    first = SnapshotKey("a.b", 2, "1" * 64, digest_of(b"two"))
    second = SnapshotKey("a.b", 10, "2" * 64, digest_of(b"tenth"))
    assert store.shelf.sizes() == {}
    store.shelf.put(second, b"tenth")
    store.shelf.put(first, b"two")
    assert list(store.shelf.sizes().items()) == [(first, 3), (second, 5)]
    assert store.shelf.get(first) == b"two"
    store.shelf.delete(first)
    store.shelf.delete(first)
    assert store.shelf.get(first) is None
    assert list(store.shelf.sizes()) == [second]
    other = SnapshotKey("a.b+parts", 0, "1" * 64, digest_of(b"part"))
    store.shelf.put(other, b"part")
    assert store.shelf.sizes("a.b") == {second: 5}
    assert store.shelf.sizes("a.b+parts") == {other: 4}
    assert store.shelf.sizes("a") == {}


def test_a_large_snapshot_comes_back_as_it_went_in_and_may_be_put_again(store: Store):
    data = bytes(range(256)) * (9 * 1024**2 // 256) + b"end"
    key = SnapshotKey("main", 3, "3" * 64, digest_of(data))
    store.shelf.put(key, data)
    store.shelf.put(key, data)
    assert store.shelf.get(key) == data
    assert store.shelf.sizes() == {key: len(data)}
    store.shelf.delete(key)
    assert store.shelf.get(key) is None


def test_a_branch_has_one_holder_at_a_time_and_a_second_is_told_who(store: Store):
    first = store.leases.take("main", "ada", seconds=60)
    assert first.branch == "main"
    assert first.holder == "ada"
    with pytest.raises(Held, match="written to by ada, whose lease lasts until") as refused:
        store.leases.take("main", "ben", seconds=60)
    assert (refused.value.branch, refused.value.holder, refused.value.until) == ("main", "ada", first.until)
    assert store.leases.take("trial", "ben", seconds=60).holder == "ben"
    store.leases.release(first)
    assert store.leases.take("main", "ben", seconds=60).holder == "ben"


def test_a_lease_ends_by_itself_and_its_holder_finds_out(store: Store):
    lost = store.leases.take("main", "ada", seconds=0.2)
    time.sleep(0.3)
    taken = store.leases.take("main", "ben", seconds=60)
    with pytest.raises(Held, match="written to by ben"):
        store.leases.renew(lost, seconds=60)
    store.leases.release(lost)  # nothing happens: it isn't there any more
    with pytest.raises(Held, match="written to by ben"):
        store.leases.take("main", "ada", seconds=60)
    store.leases.release(taken)
    with pytest.raises(LogError, match="another writer was there meanwhile"):
        store.leases.renew(lost, seconds=60)


def test_a_renewed_lease_lasts_and_one_that_ended_may_be_renewed_until_it_is_taken(store: Store):
    lease = store.leases.take("main", "ada", seconds=0.3)
    renewed = store.leases.renew(lease, seconds=60)
    assert renewed.until > lease.until
    time.sleep(0.4)
    with pytest.raises(Held, match="ada"):
        store.leases.take("main", "ben", seconds=60)
    store.leases.renew(lease, seconds=0.1)
    time.sleep(0.2)
    store.leases.renew(lease, seconds=60)
    with pytest.raises(Held, match="ada"):
        store.leases.take("main", "ben", seconds=60)


def test_of_many_that_take_a_branch_at_once_one_gets_it(store: Store):
    got: list[str] = []
    refused: list[str] = []
    start = threading.Barrier(8)

    def work(name: str) -> None:
        start.wait()
        try:
            got.append(store.leases.take("main", name, seconds=60).holder)
        except Held as held:
            refused.append(held.holder)

    threads = [threading.Thread(target=work, args=(f"writer {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert refused == got * 7
