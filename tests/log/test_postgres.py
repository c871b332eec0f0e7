"""The PostgreSQL store: what it refuses, several processes at once, and what becomes of an append whose connection breaks."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import errata.log
from errata.core.errors import LogError, Tampered, Unsure
from errata.log import EditLog, Store, open_store, shown, store_exists
from errata.log.stores._postgres import LAYOUT, METADATA, NAMESPACE, WAIT_S
from errata.log.stores.postgres import PostgresStore
from tests.log import servers
from tests.log.proxies import Moment, breaking
from tests.log.worlds import BY, edit, filled, words


@pytest.fixture
def url() -> str:
    """A database of its own, with an empty store in it."""
    return servers.database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: that of a socket has a limit."""
    with tempfile.TemporaryDirectory(prefix="errata-") as made:
        yield Path(made)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("postgresql://nobody:s3cret@localhost:1/corrections", "Check that the server runs"),
        ("mysql://root:s3cret@localhost/corrections", "begins with mysql"),
        ("postgresql://u:s3cret@localhost:port/corrections", "can't be read"),
        ("postgresql:/u:s3cret@localhost/corrections", "isn't one"),
        ("postgres:u:s3cret@localhost/corrections", "isn't one"),
        (" PostgreSQL://u:s3cret@localhost/corrections", "isn't one"),
        (Path("postgresql://u:s3cret@localhost/corrections"), "isn't one"),
    ],
)
def test_a_place_that_is_no_store_is_refused_without_saying_the_password(place: str | Path, message: str):
    for attempt in (open_store, store_exists, shown):
        if attempt is shown and "isn't one" not in message:
            continue  # it is a URL, and its password isn't shown
        with pytest.raises(LogError, match=message) as refused:
            attempt(place)
        assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("corrections.db", "corrections.db"),
        ("postgresql:///errata", "postgresql:///errata"),
        ("postgresql://ann:s3cret@db.example:5432/errata?sslmode=require", "postgresql://db.example:5432/errata"),
        ("postgresql:///errata?user=ann&password=pa@s3cret", "postgresql:///errata"),
        ("postgresql://ann@db.example/errata?password=pa@s3cret", "postgresql://db.example/errata"),
        ("postgresql://ann:p@s3cret@[::1]:5432/errata", "postgresql://[::1]:5432/errata"),
        ("postgresql://ann:p/s3cret@db.example/errata", "postgresql://db.example/errata"),
        ("postgresql://ann:s3cret?x@db.example/errata", "postgresql://..."),
        ("postgresql://ann:12?s3cret@db.example/errata", "postgresql://..."),
    ],
)
def test_a_place_is_shown_without_anything_secret(place: str, said: str):
    assert shown(place) == said


def test_a_database_that_is_not_there_is_a_sentence(url: str):
    with pytest.raises(LogError, match=r"does not exist.*createdb"):
        open_store(url.replace("store_", "nothing_"))


def test_a_store_is_only_made_where_asked_and_the_rest_of_the_database_is_left_alone():
    url = servers.database(laid_out=False)
    servers.ask("CREATE TABLE entries (mine text)", url=url)
    assert store_exists(url) is False
    with pytest.raises(LogError, match="There is no store in"):
        open_store(url, create=False)
    assert servers.ask("SELECT 1 FROM pg_namespace WHERE nspname = 'errata'", url=url) == []
    with PostgresStore(url) as store:
        assert filled(store).verify() == 11
    assert store_exists(url) is True
    assert servers.ask("SELECT * FROM entries", url=url) == []


def test_a_store_of_a_later_version_is_refused(url: str):
    servers.ask("UPDATE errata.alembic_version SET version_num = '0999'", url=url)
    with pytest.raises(LogError, match="later errata"):
        open_store(url)


def test_the_migrations_make_the_tables_that_the_store_uses(url: str):
    script = Config()
    script.set_main_option("script_location", str(Path(errata.log.__file__).parent / "stores" / "migrations"))
    assert ScriptDirectory.from_config(script).get_current_head() == LAYOUT
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        options = {"include_schemas": True, "version_table_schema": NAMESPACE}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_a_closed_store_says_so(url: str):
    store = open_store(url)
    log = filled(store)
    store.close()
    with pytest.raises(LogError, match="is closed"):
        log.append("begun", None, BY)
    with pytest.raises(LogError, match="is closed"):
        list(log.entries())


def append_some(url: str, name: int, count: int) -> None:
    with PostgresStore(url) as store:
        log = EditLog(store)
        for number in range(count):
            log.append("applied", words(1000 * name + number), BY)


def test_processes_that_lay_out_and_fill_one_database_at_once_keep_it_gap_free():
    url = servers.database(laid_out=False)
    start = multiprocessing.get_context("spawn").Process
    writers = [start(target=append_some, args=(url, name, 20)) for name in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    with PostgresStore(url) as store:
        log = EditLog(store)
        assert log.verify() == 60
        assert set(log.ids_in_force()) == {words(1000 * name + number).id for name in range(3) for number in range(20)}


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
def test_more_threads_than_a_store_has_connections_append_without_waiting_for_each_other_in_vain(url: str, isolation: str):
    """Who holds a branch needs no second connection, which those who wait for it may have taken: on one branch, and on many.
    What the server does by default doesn't matter."""
    servers.ask(f"ALTER DATABASE {sa.make_url(url).database} SET default_transaction_isolation = '{isolation}'")

    with PostgresStore(url) as shared, ThreadPoolExecutor(48) as threads:

        def append(name: int, branch: str) -> None:
            for number in range(3):
                EditLog(shared, branch).append("applied", words(1000 * name + number), BY)

        started = time.monotonic()
        done = [threads.submit(append, name, "main" if name % 2 else f"trial-{name}") for name in range(48)]
        for one in done:
            one.result()
        assert time.monotonic() - started < WAIT_S
        assert EditLog(shared).verify() == 72
        ends = {branch: tip.seq for branch, tip in shared.branches().items()}
    assert ends == {"main": 72, **{f"trial-{name}": 3 for name in range(0, 48, 2)}}


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("UPDATE errata.entries SET body = set_byte(body, 20, 65) WHERE seq = 4", 4),
        ("UPDATE errata.entries SET kind = 'refused' WHERE seq = 4", 4),
        ("DELETE FROM errata.entries WHERE seq = 4", 4),
        ("DELETE FROM errata.entries WHERE seq = 11", 11),
        ("UPDATE errata.branches SET hash = repeat('0', 64)", 11),
    ],
)
def test_what_is_changed_in_the_database_is_found(store: Store, url: str, statement: str, seq: int):
    log = filled(store)
    servers.ask(statement, url=url)
    with pytest.raises(Tampered) as found:
        EditLog(store).verify()
    assert found.value.seq == seq
    if "branches" in statement:
        with pytest.raises(Tampered, match="another end of the branch"):
            log.append("begun", None, BY)


def test_a_commit_waits_for_the_disk_though_the_server_is_set_not_to(url: str):
    servers.ask(f"ALTER DATABASE {url.split('/')[3].split('?')[0]} SET synchronous_commit = off")
    servers.ask(
        "CREATE FUNCTION errata.noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'commits with %', current_setting('synchronous_commit'); END $$",
        url=url,
    )
    servers.ask("CREATE TRIGGER noted BEFORE INSERT ON errata.entries EXECUTE FUNCTION errata.noted()", url=url)
    with PostgresStore(url) as store, pytest.raises(LogError, match="commits with on"):
        EditLog(store).append("applied", words(1), BY)


def backends(url: str, state: str) -> list[int]:
    """The server's processes for connections of this database in such a state, once there is one."""
    name = url.split("/")[3].split("?")[0]
    while True:
        found = servers.ask(
            f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}' AND {state} AND application_name = 'errata'"
        )
        if found:
            return [pid for (pid,) in found]
        time.sleep(0.02)


def test_a_connection_ended_before_the_commit_is_a_sentence_and_the_next_append_works(store: Store, url: str):
    log = filled(store)
    with store.turn("main"):  # the append below waits for it
        said: list[str] = []

        def work() -> None:
            try:
                EditLog(store).append("applied", words(1), BY)
            except LogError as error:
                said.append(str(error))

        writer = threading.Thread(target=work)
        writer.start()
        (waiting,) = backends(url, "wait_event = 'advisory'")
        servers.ask(f"SELECT pg_terminate_backend({waiting})")
        writer.join()
    assert len(said) == 1
    assert "Nothing was changed" in said[0]
    assert log.verify() == 11
    assert log.append("applied", words(1), BY).seq == 12


@pytest.mark.parametrize("moment", ["before the commit is sent on", "after the commit, before its answer"])
def test_a_connection_lost_in_the_middle_of_a_commit_is_settled_by_reading_back(url: str, folder: Path, moment: Moment):
    with breaking(servers.folder_of_socket(), folder, moment) as broken, PostgresStore(at(url, broken)) as store:
        log = EditLog(store)
        if moment == "before the commit is sent on":
            with pytest.raises(LogError, match="Nothing was changed"):
                log.append("applied", words(1), BY)
            assert log.head is None
        else:
            assert log.append("applied", words(1), BY) == log.head
        log.append("applied", words(2), BY)
        assert log.verify() == len(log.ids_in_force()) == (2 if moment == "after the commit, before its answer" else 1)


def test_a_commit_that_nobody_can_be_asked_about_is_said_to_be_unsure(url: str, folder: Path):
    behind = servers.folder_of_socket()
    moment: Moment = "after the commit, before its answer"
    with breaking(behind, folder, moment, for_good=True) as broken, PostgresStore(at(url, broken)) as store:
        log = EditLog(store)
        with pytest.raises(Unsure, match="may be there or not"):
            log.append("applied", words(1), BY)
    with PostgresStore(url) as store:
        assert EditLog(store).verify() == 1


def at(url: str, folder: Path) -> str:
    return url.replace(str(servers.folder_of_socket()), str(folder))


def test_a_server_that_dies_under_a_writer_loses_nothing_acknowledged(url: str):
    acknowledged: list[str] = []
    said: list[str] = []
    going = threading.Event()

    def work() -> None:
        with PostgresStore(url) as store:
            log = EditLog(store)
            try:
                for number in range(100_000):
                    acknowledged.append(log.append("applied", edit(number), BY).mark)
                    if number == 5:
                        going.set()
            except LogError as error:
                said.append(str(error))

    writer = threading.Thread(target=work)
    writer.start()
    assert going.wait(60)
    servers.crash_and_start()
    writer.join()
    assert len(said) == 1
    with PostgresStore(url) as store:
        log = EditLog(store)
        assert log.verify(acknowledged[-1]) in (len(acknowledged), len(acknowledged) + 1)
        log.append("applied", words(1), BY)


def test_an_open_store_outlives_a_restart_of_its_server(url: str, store: Store):
    log = filled(store)
    servers.crash_and_start()
    with pytest.raises(LogError, match="Nothing was changed"):
        log.append("applied", words(1), BY)
    assert log.append("applied", words(1), BY).seq == 12


def test_a_full_disk_of_the_server_is_a_sentence_and_nothing_acknowledged_is_lost(url: str):
    servers.crash_and_start(file_bytes=20 * 1024**2)
    last = ""
    try:
        with PostgresStore(url) as store:
            log = EditLog(store)
            with pytest.raises(LogError, match=r"could not (write|extend).*Nothing was changed"):  # noqa: PT012  which append, is open
                for number in range(200):
                    last = log.append("applied", words(number), BY, details={"long": os.urandom(300_000).hex()}).mark
    finally:
        servers.crash_and_start()
    with PostgresStore(url) as store:
        log = EditLog(store)
        assert log.head is not None
        assert log.head.mark == last
        log.append("applied", words(-1), BY)
        assert log.verify() == log.head.seq


def test_a_database_that_takes_no_writes_is_a_sentence_and_can_be_read(url: str, store: Store):
    filled(store)
    servers.ask(f"ALTER DATABASE {url.split('/')[3].split('?')[0]} SET default_transaction_read_only = on")
    with PostgresStore(url) as readable:
        log = EditLog(readable)
        with pytest.raises(LogError, match="takes no writes"):
            log.append("applied", words(1), BY)
        assert log.verify() == 11
