"""A store in PostgreSQL tells whoever listens of every append, also after its connection broke; where it can't, it says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

import psycopg
import pytest

from errata.core.errors import Conflict
from errata.core.records import Provenance
from errata.log import EditLog, Listening, MemoryStore, Row, SqliteStore, Store, Tells, open_store
from errata.log.stores.listening import PostgresListening
from tests.log import servers

BY = Provenance("ann")
LONG_S = 20.0


def until(true: Callable[[], bool]) -> bool:
    """Whether it comes to be true."""
    deadline = time.monotonic() + LONG_S
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


class Ear:
    """Counts what is heard."""

    def __init__(self) -> None:
        self.count = 0
        self._news = threading.Condition()

    def __call__(self) -> None:
        with self._news:
            self.count += 1
            self._news.notify_all()

    def more_than(self, count: int) -> bool:
        with self._news:
            return self._news.wait_for(lambda: self.count > count, LONG_S)


def listening_to(url: str) -> int:
    """How many connections listen in a store's database."""
    name = url.rpartition("?")[0].rpartition("/")[2] or url.rpartition("/")[2]
    found = servers.ask(
        f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND (query LIKE 'LISTEN%' OR query LIKE 'NOTIFY%')"
    )
    return int(found[0][0])


def works(listening: Listening) -> bool:
    return until(lambda: listening.works)


class Heard(NamedTuple):
    """A store that another writes to, and what is heard of it."""

    url: str
    theirs: Store
    listening: Listening
    ear: Ear


@pytest.fixture
def heard() -> Iterator[Heard]:
    """A store that is listened to, once that works."""
    url, ear = servers.database(), Ear()
    with closing(open_store(url)) as ours, closing(open_store(url)) as theirs:
        assert isinstance(ours, Tells)
        listening = ours.listen(ear)
        try:
            assert works(listening)
            yield Heard(url, theirs, listening, ear)
        finally:
            listening.stop()


def test_an_append_of_another_process_is_heard_when_it_is_committed(heard: Heard):
    theirs, ear = heard.theirs, heard.ear
    before = ear.count
    EditLog(theirs).append("begun", None, BY)
    assert ear.more_than(before)


def test_what_was_not_appended_is_not_told(heard: Heard):
    theirs, ear = heard.theirs, heard.ear
    assert until(lambda: ear.count == 1)  # what came before is looked for
    with pytest.raises(Conflict):
        theirs.append(Row(2, "main", "begun", "", b"{}", "ab" * 32, "cd" * 32))
    time.sleep(0.5)
    assert ear.count == 1


def test_a_broken_connection_is_made_anew_and_what_came_meanwhile_is_looked_for(heard: Heard):
    url, theirs, listening, ear = heard
    assert listening_to(url) == 1
    before = ear.count
    servers.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'NOTIFY%' OR query LIKE 'LISTEN%'")
    assert until(lambda: not listening.works)
    assert ear.more_than(before), "once for what came while nobody listened"
    assert works(listening)
    before = ear.count
    EditLog(theirs).append("begun", None, BY)
    assert ear.more_than(before)


def test_one_that_stops_listening_lets_go_of_its_connection():
    url = servers.database()
    store, ear = open_store(url), Ear()
    assert isinstance(store, Tells)
    listening = store.listen(ear)
    assert works(listening)
    listening.stop()
    assert until(lambda: listening_to(url) == 0)
    assert not listening.works
    store.close()


class Forgetful(psycopg.Connection):
    """Takes LISTEN and forgets it, as a pool does that shares connections among transactions."""

    def execute(self, query, params=None, **more):
        return super().execute("SELECT 1" if query.startswith("LISTEN") else query, params, **more)


def test_a_server_that_takes_listen_and_forgets_it_is_found_out(caplog: pytest.LogCaptureFixture):
    url, ear = servers.database(), Ear()
    listening = PostgresListening(lambda: Forgetful.connect(url, autocommit=True), "a pool", ear, back_s=0.3)
    worked = []

    def said() -> bool:
        worked.append(listening.works)
        return "a pool can't be listened to" in caplog.text

    try:
        assert until(said)
        assert "doesn't come back" in caplog.text
        assert True not in worked, "not for a moment"
        assert ear.count == 0
    finally:
        listening.stop()


def test_the_other_stores_tell_nobody(tmp_path):
    others: list[Store] = [SqliteStore(tmp_path / "errata.db"), MemoryStore()]
    assert [one for one in others if isinstance(one, Tells)] == []
    for one in others:
        one.close()
