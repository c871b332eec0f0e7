"""Snapshots: only trusted ones are handed out, and those that are kept lie dense near the head and sparse towards the start."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.core.errors import Tampered
from errata.log import EditLog, Found, MemoryStore, Snapshot, Snapshots, SqliteStore, Store, keep
from tests.log.worlds import BY, words


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path: Path):
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "errata.db")
    yield made
    made.close()


def state_after(log: EditLog, seq: int) -> bytes:
    return " ".join(log.at(seq).ids_in_force()).encode()


def shelved(store: Store, count: int, *, every: int = 1) -> tuple[EditLog, Snapshots]:
    log = EditLog(store)
    snapshots = Snapshots(log)
    for number in range(count):
        entry = log.append("applied", words(number), BY)
        if entry.seq % every == 0:
            assert snapshots.put(entry, state_after(log, entry.seq))
    return log, snapshots


def test_the_nearest_snapshot_is_the_newest_at_or_before(store: Store):
    log, snapshots = shelved(store, 10, every=3)
    assert snapshots.nearest(2) == Found(None)
    assert snapshots.nearest(3) == Found(Snapshot(3, state_after(log, 3), 3))
    assert snapshots.nearest(8) == Found(Snapshot(6, state_after(log, 6), 6))
    assert snapshots.nearest(999) == Found(Snapshot(9, state_after(log, 9), 9))
    assert list(snapshots.sizes()) == [3, 6, 9]


def test_the_fold_goes_on_from_a_snapshot_whose_edits_come_first(store: Store):
    log, snapshots = shelved(store, 10, every=3)
    log.append("reverted", None, BY, edit_id=words(7).id)  # in the snapshot after entry 9, not in that after entry 6
    start = snapshots.start().snapshot
    assert start == Snapshot(6, state_after(log, 6), 6)
    assert list(log.in_force(skip=start.edits)) == [words(6), words(8), words(9)]
    log.append("reverted", None, BY, edit_id=words(0).id)
    assert snapshots.start() == Found(None)
    assert Snapshots(log.at(10)).start().snapshot == Snapshot(9, state_after(log, 9), 9)


def test_a_snapshot_after_a_revert_serves_again(store: Store):
    log, snapshots = shelved(store, 4)
    entry = log.append("reverted", None, BY, edit_id=words(0).id)
    snapshots.put(entry, state_after(log, entry.seq))
    log.append("applied", words(9), BY)
    assert snapshots.start() == Found(Snapshot(5, state_after(log, 5), 3))


def test_a_damaged_snapshot_is_passed_over_and_reported(tmp_path: Path):
    with SqliteStore(tmp_path / "errata.db") as store:
        log, snapshots = shelved(store, 9, every=3)
        files = sorted((tmp_path / "errata.db.snapshots").iterdir())
        data = files[2].read_bytes()
        files[2].write_bytes(data[:5] + b"?" + data[6:])
        files[1].write_bytes(b"")
        found = snapshots.start()
        assert found.snapshot == Snapshot(3, state_after(log, 3), 3)
        assert [sentence.split(";")[0] for sentence in found.skipped] == [
            "The snapshot after entry 9 is damaged: its bytes don't have their digest",
            "The snapshot after entry 6 is damaged: its bytes don't have their digest",
        ]


def test_a_snapshot_of_another_history_is_passed_over_and_thinned_away():
    one, two = MemoryStore(), MemoryStore()
    _, snapshots = shelved(one, 3)
    two.shelf = one.shelf
    log = EditLog(two)
    for number in (5, 6, 7):
        log.append("applied", words(number), BY)
    other = Snapshots(log)
    found = other.nearest(3)
    assert found.snapshot is None
    assert len(found.skipped) == 3
    assert "another history" in found.skipped[0]
    assert log.head is not None
    other.put(log.head, b"state")
    assert other.start() == Found(Snapshot(3, b"state", 3))
    assert snapshots.nearest(3).snapshot is None


def test_no_snapshot_is_trusted_over_a_tampered_chain():
    store = MemoryStore()
    shelved(store, 3)
    rows = list(store.rows("main"))
    tampered = MemoryStore()
    tampered.shelf = store.shelf
    tampered.rows = lambda branch, start=1, stop=None: iter([rows[0], rows[2]][start - 1 : stop and stop - 1])  # type: ignore[method-assign]
    tampered.branches = store.branches  # type: ignore[method-assign]
    with pytest.raises(Tampered):
        Snapshots(EditLog(tampered)).start()


def test_branches_do_not_share_snapshots(store: Store):
    shelved(store, 3)
    other = EditLog(store, "main.2")
    other.append("applied", words(0), BY)
    assert Snapshots(other).start() == Found(None)
    assert Snapshots(other).sizes() == {}


def test_the_budget_is_kept_and_what_is_too_large_leaves_the_shelf_alone(store: Store):
    log = EditLog(store)
    snapshots = Snapshots(log, budget_bytes=500)
    for number in range(40):
        snapshots.put(log.append("applied", words(number), BY), bytes(100))
        assert sum(snapshots.sizes().values()) <= 500
    kept = list(snapshots.sizes())
    assert len(kept) == 5
    assert kept[-1] == 40
    assert log.head is not None
    assert snapshots.put(log.head, bytes(501)) is False
    assert list(snapshots.sizes()) == kept
    assert Snapshots(log, budget_bytes=0).put(log.head, b"x") is False


SIZES = st.dictionaries(st.integers(1, 1000), st.integers(1, 50), max_size=40)


@given(sizes=SIZES, budget=st.integers(0, 1500))
def test_what_is_kept_fits_the_budget_and_has_the_newest_that_fits(sizes: dict[int, int], budget: int):
    kept = keep(sizes, budget)
    assert kept <= sizes.keys()
    assert sum(sizes[seq] for seq in kept) <= budget
    assert keep({seq: sizes[seq] for seq in kept}, budget) == kept
    if sum(sizes.values()) <= budget:
        assert kept == sizes.keys()
    if sizes and sizes[max(sizes)] <= budget:
        assert max(sizes) in kept


@pytest.mark.parametrize("room", [4, 8, 16])
def test_snapshots_thinned_as_they_come_stay_spaced_by_the_logarithm_of_their_age(room: int):
    kept: frozenset[int] = frozenset()
    total = 2000
    for seq in range(1, total + 1):
        kept = keep(dict.fromkeys((*kept, seq), 1), room)
    ages = [total - seq + 1 for seq in sorted(kept, reverse=True)] + [total + 1]
    assert len(kept) == room
    even = (total + 1) ** (1 / room)  # the ratio of neighbours, were they spaced evenly
    assert max(older / newer for newer, older in zip(ages, ages[1:], strict=False)) <= even**2 + 1
