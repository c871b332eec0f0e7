"""A point in time names the same entry for ever, whatever the clock did and whatever is appended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from errata.core.records import instant
from errata.log import EditLog, MemoryStore, Store
from errata.log.entry import body_of, hash_of, sealed, stamped
from tests.log.worlds import BY

START = datetime(2031, 5, 1, 12, tzinfo=UTC)
CLOCKS = st.lists(st.one_of(st.integers(0, 12), st.integers(0, 30_000)), max_size=12)
"""What a clock shows, in ms after its start: it stands, steps back by an instant or by half a minute, and comes back."""


def at(ms: int) -> datetime:
    return START + timedelta(milliseconds=ms)


def written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def grown(store: Store, time: str) -> None:
    """An entry more, at a time."""
    tip = store.branches().get("main")
    body = body_of(None, None, BY, {})
    row = sealed(seq=(tip.seq if tip else 0) + 1, branch="main", kind="imported", body=body, previous=tip.hash if tip else "")
    row = replace(row, time=time, hash="")
    store.append(replace(row, hash=hash_of(row)))


def log_of(times: Sequence[str]) -> EditLog:
    store = MemoryStore()
    for time in times:
        grown(store, time)
    return EditLog(store)


@settings(deadline=None, max_examples=60)
@given(old=CLOCKS, new=CLOCKS)
def test_a_time_up_to_the_latest_entry_names_the_same_entry_for_ever(old: list[int], new: list[int]):
    store = MemoryStore()
    for ms in old:  # as earlier versions wrote: whatever the clock showed
        grown(store, written(at(ms)))
    log, named = EditLog(store), dict[str, int]()
    for step in [None, *new]:
        if step is not None:
            grown(store, stamped(at(step), max((entry.time for entry in log.entries()), default="")))
        times = [entry.time for entry in log.entries()]
        for time in [*times, *(written(instant(time) - timedelta(milliseconds=1)) for time in times)]:
            named.setdefault(time, log.point(time))
            assert log.point(time) == named[time] == EditLog(store).point(time)
            assert log.at(len(log)).point(time) == named[time]


@settings(deadline=None)
@given(CLOCKS)
def test_where_the_clock_never_went_back_a_time_names_the_last_entry_up_to_it(clock: list[int]):
    times = [written(at(ms)) for ms in sorted(clock)]
    log = log_of(times)
    for ms in {*clock, *(each + 1 for each in clock), 0, 40_000}:
        assert log.point(written(at(ms))) == sum(time <= written(at(ms)) for time in times)


@settings(deadline=None)
@given(CLOCKS)
def test_a_later_time_never_names_an_earlier_entry_and_the_latest_names_the_last(clock: list[int]):
    log = log_of([written(at(ms)) for ms in clock])
    found = [log.point(written(at(ms))) for ms in range(-1, 31_000, 500)]
    assert found == sorted(found)
    assert found[-1] == len(clock)


def test_an_entry_behind_a_clock_that_was_put_back_is_named_by_no_time_before_the_clock_has_come_by_again():
    log = log_of([written(at(ms)) for ms in (0, 20_000, 5_000, 9_000, 30_000)])
    named = [log.point(written(at(ms))) for ms in (0, 6_000, 9_000, 20_000, 20_001, 29_999, 30_000)]
    assert named == [1, 1, 1, 2, 4, 4, 5]


def test_entries_of_one_millisecond_have_times_of_their_own():
    log = EditLog(MemoryStore())
    for _ in range(40):
        log.append("imported", None, BY)
    times = [entry.time for entry in log.entries()]
    assert times == sorted(set(times))
    assert [log.point(time) for time in times] == list(range(1, 41))


def test_a_clock_that_was_put_back_is_believed_beyond_an_instant():
    assert stamped(at(500), written(at(900))) == written(at(901))
    assert stamped(at(500), written(at(1_600))) == written(at(500))
    assert stamped(at(500), written(at(499))) == written(at(500))
