"""A disk that is full or takes no writes: a sentence, nothing acknowledged, and the next start works."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image as Pillow

from errata.core.errors import LogError, Unsure
from errata.log import EditLog, Snapshots, SqliteStore
from tests.log.worlds import BY, filled, words

NOBODY = 65534

IMAGES_ON_A_FULL_DISK = """
import resource, sys
from errata.core.errors import LogError
from errata.core.images import Image
from errata.core.records import Edit, Query
from errata.log import EditLog, Snapshots, SqliteStore
from tests.log.worlds import BY
log = EditLog(SqliteStore(sys.argv[1]))
entry = log.append("begun", None, BY)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
for act in (
    lambda: log.append("applied", Edit(Query.ask("what is it?", Image.of(open(sys.argv[2], "rb").read())), "noise"), BY),
    lambda: Snapshots(log).put(entry, bytes(300_000)),
):
    try:
        act()
        print("it went well")
    except LogError as error:
        print(error)
"""

WITHOUT_RIGHTS = """
import os, sys
from errata.core.errors import LogError
from errata.log import EditLog, SqliteStore, holding
from tests.log.worlds import BY, edit, words
new, pictured = words(1), edit(100)
had = set(sys.modules) | set(sys.builtin_module_names)
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
with SqliteStore(sys.argv[1], create=False) as store:
    log = EditLog(store)
    print(log.verify(), len(list(log.in_force())))
    for act in (
        lambda: log.append("applied", new, BY),
        lambda: log.append("applied", pictured, BY),
        lambda: holding(store, "main").__enter__(),
    ):
        try:
            act()
            print("it went well")
        except LogError as error:
            print(error)
late = set(sys.modules) - had
assert not late, f"{late}: whoever has no rights to the interpreter's folder can't import these now"
"""


def python(script: str, *arguments: object) -> list[str]:
    """The lines that the script prints, run in an interpreter of its own."""
    there = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=there).stdout.splitlines()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into."""
    with tempfile.TemporaryDirectory(prefix="errata-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.parametrize("resting", [True, False], ids=["a file that rests", "a file that somebody has open"])
def test_a_store_that_may_only_be_read_is_read_and_says_so_when_written(open_folder: Path, resting: bool):
    path = open_folder / "errata.db"
    writer = SqliteStore(path)
    before = filled(writer).head
    if resting:
        writer.close()
    for place in (open_folder, *open_folder.rglob("*")):
        place.chmod(0o555 if place.is_dir() else 0o444)
    try:
        counted, *said = python(WITHOUT_RIGHTS, path, NOBODY)
    finally:
        for place in (open_folder, *open_folder.rglob("*")):
            place.chmod(0o755)
    assert counted == "11 6"
    assert len(said) == 3
    for sentence in said:
        assert "Can't" in sentence
        assert "Nothing was" in sentence
    writer.close()
    with SqliteStore(path) as store:
        log = EditLog(store)
        assert log.head == before
        assert log.append("applied", words(1), BY).seq == 12


def test_a_full_database_is_a_sentence_and_nothing_of_the_append_is_there(tmp_path: Path):
    with SqliteStore(tmp_path / "errata.db") as store:
        before = filled(store).head
        log = EditLog(store)
        store._file.db.execute("PRAGMA max_page_count = 1")  # no page more than there are: what SQLite says on a full disk
        with pytest.raises(LogError, match="The disk is full"):
            log.append("applied", words(1), BY, details={"long": "x" * 20_000})
        assert log.head == before
        assert log.verify() == 11
        store._file.db.execute("PRAGMA max_page_count = 1000000")
        assert log.append("applied", words(1), BY, details={"long": "x" * 20_000}).seq == 12


def test_an_image_or_a_snapshot_that_does_not_fit_is_a_sentence_and_leaves_no_half_of_it(tmp_path: Path):
    path, image = tmp_path / "errata.db", tmp_path / "noise.png"
    noise(image)
    said = python(IMAGES_ON_A_FULL_DISK, path, image)
    assert len(said) == 2
    for sentence in said:
        assert "File too large" in sentence
        assert "Nothing was acknowledged" in sentence
    with SqliteStore(path) as store:
        log = EditLog(store)
        assert log.verify() == 1
        assert Snapshots(log).sizes() == {}
        assert [file for file in tmp_path.rglob("*") if file.is_file() and file.stat().st_size == 200_000] == []


def noise(path: Path) -> None:
    """A picture that takes more than 200,000 bytes."""
    Pillow.frombytes("RGB", (300, 300), os.urandom(270_000)).save(path, "PNG")


@pytest.mark.skipif(sys.platform != "linux", reason="the file that is always full is Linux's")
def test_a_disk_that_fails_to_confirm_an_entry_is_said_to_be_unsure(tmp_path: Path):
    with SqliteStore(tmp_path / "errata.db") as store:
        log = filled(store)
        store._file._wal = os.open("/dev/full", os.O_RDWR)  # it can't be flushed, as a disk that is gone can't
        with pytest.raises(Unsure, match="didn't confirm"):
            log.append("applied", words(1), BY)
    with SqliteStore(tmp_path / "errata.db") as store:
        assert EditLog(store).append("applied", words(2), BY).seq == 13
