"""Whatever is changed in a stored log is found, with the number of the entry."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from errata.core.errors import BadInput, ErrataError, LogError, Tampered
from errata.log import EditLog, Entry, MemoryStore, Row, SqliteStore
from errata.log.entry import hash_of
from errata.log.survey import Survey
from tests.log.forgeries import COLUMNS, FORGERIES, flip_the_note, note_the_last
from tests.log.worlds import BY, edit, filled, flips, picture
from tools.proofs import Record


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store with a log of 11 entries, to be copied."""
    path = tmp_path_factory.mktemp("written") / "errata.db"
    with SqliteStore(path) as store:
        filled(store)
    return path


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    for name in ("errata.db", "errata.db.blobs"):
        source = written.with_name(name)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    return tmp_path / "errata.db"


def execute(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        changed = database.execute(statement, values)
        assert changed.rowcount > 0, "the tampering did nothing"


def found(path: Path, head: str | None = None) -> int:
    """The number of the entry that doesn't verify."""
    with SqliteStore(path) as store:
        return named_by(partial(EditLog(store).verify, head))


def named_by(check: Callable[[], object]) -> int:
    """The number of the entry that a check finds."""
    with pytest.raises(Tampered) as error:
        check()
    assert f"Entry {error.value.seq} of the log" in str(error.value)
    return error.value.seq


def rows_of(path: Path) -> list[Row]:
    with SqliteStore(path) as store:
        return list(store.rows("main"))


def entries_of(path: Path) -> list[Entry]:
    with SqliteStore(path) as store:
        return list(EditLog(store).entries())


@pytest.mark.proof(sample=150, full=2000)
def test_any_changed_character_of_any_column_is_found_in_its_entry(path: Path, trials: int, record: Record):
    rows, draw = rows_of(path), random.Random(7)
    with closing(sqlite3.connect(path, isolation_level=None)) as database, SqliteStore(path) as store:
        database.execute("PRAGMA synchronous = OFF")
        log, found = EditLog(store), 0
        for trial in range(trials):
            row, column = draw.choice(rows), COLUMNS[trial % len(COLUMNS)]
            old: str | int = row.body.decode() if column == "body" else getattr(row, column)
            new = (
                str(draw.choice([1, -1, 2, 64]) * draw.randint(1, 40) + row.seq + 20)
                if column == "seq"
                else draw.choice(list(flips(str(old))))
            )
            where = "WHERE branch = ? AND seq = ?"
            if column == "seq" and int(new) in range(1, 12):
                continue
            database.execute(f"UPDATE entries SET {column} = ? {where}", (new, row.branch, row.seq))
            with pytest.raises(Tampered) as error:
                log.verify()
            assert error.value.seq == row.seq, (column, row.seq, new)
            found += 1
            with pytest.raises(Tampered):
                EditLog(store).ids_in_force()
            back = (old, new if column == "branch" else row.branch, new if column == "seq" else row.seq)
            database.execute(f"UPDATE entries SET {column} = ? {where}", back)
        assert log.verify() == 11
    record.update(found=found, skipped=trials - found)


def test_every_single_character_of_one_body_counts(written: Path):
    row = rows_of(written)[3]
    text = row.body.decode()
    assert all(hash_of(replace(row, body=body.encode())) != row.hash for body in flips(text))
    assert all(hash_of(replace(row, body=(text[:cut] + " " + text[cut:]).encode())) != row.hash for cut in range(len(text)))


@pytest.mark.proof(sample=60, full=2000)
def test_a_flipped_byte_of_the_file_is_found_or_changes_no_entry(written: Path, tmp_path: Path, trials: int, record: Record):
    clean, draw = entries_of(written), random.Random(11)
    original = written.read_bytes()
    path = tmp_path / "errata.db"
    shutil.copytree(written.with_name("errata.db.blobs"), tmp_path / "errata.db.blobs")
    noticed = 0
    for _ in range(trials):
        data = bytearray(original)
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        for leftover in tmp_path.glob("errata.db-*"):
            leftover.unlink()
        try:
            with SqliteStore(path) as store:
                log = EditLog(store)
                log.verify()
                assert list(log.entries()) == clean
        except ErrataError:
            noticed += 1
    assert noticed > trials // 10
    record.update(noticed=noticed, changed_no_entry=trials - noticed)


@pytest.mark.proof(sample=80, full=1000)
def test_whatever_is_done_to_the_entries_is_found_with_the_entrys_number(
    written: Path, tmp_path: Path, trials: int, record: Record
):
    """Each forgery in turn, half of them with the note of the branch's last entry made to fit. What then fits altogether (a log cut
    short, a log rewritten up to its end) is found against a head and a checkpoint that were kept elsewhere."""
    rows, draw, path = rows_of(written), random.Random(17), tmp_path / "errata.db"
    shutil.copytree(written.with_name("errata.db.blobs"), tmp_path / "errata.db.blobs")
    with SqliteStore(written) as store:
        checkpoint = Survey.of(EditLog(store)).head()
    by_chain = by_kept = 0
    for trial in range(trials):
        forgery = FORGERIES[trial % len(FORGERIES)]
        path.write_bytes(written.read_bytes())
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("PRAGMA synchronous = OFF")
            forged = forgery(database, rows, draw)
            fits = draw.random() < 0.5 and forgery is not flip_the_note
            if fits:
                note_the_last(database)
        with SqliteStore(path) as store:
            log = EditLog(store)
            if fits and forged.hidden:
                assert log.verify() == forged.left, (forgery, forged)
                named = [named_by(partial(log.verify, f"11:{rows[-1].hash}")), named_by(partial(Survey.of(log).check, checkpoint))]
                assert named == [min(forged.left + 1, 11), forged.kept], (forgery, forged)
                by_kept += 1
            else:
                assert named_by(log.verify) == forged.chain, (forgery, forged, fits)
                by_chain += 1
    record.update(found_in_the_store=by_chain, found_against_what_was_kept=by_kept, not_found=trials - by_chain - by_kept)


def test_a_dropped_entry_is_found(path: Path):
    execute(path, "DELETE FROM entries WHERE seq = 4")
    assert found(path) == 4


def test_a_page_that_begins_at_a_dropped_entry_is_not_handed_out(path: Path):
    execute(path, "DELETE FROM entries WHERE seq = 4")
    with SqliteStore(path) as store, pytest.raises(Tampered) as error:
        list(EditLog(store).entries(4, 7))
    assert error.value.seq == 4


def test_entries_on_an_unreadable_page_of_the_file_are_found_with_the_first_of_them(tmp_path: Path):
    path = tmp_path / "errata.db"
    with SqliteStore(path) as store:
        for number in range(100):
            EditLog(store).append("imported", None, BY, details={"label": f"<label {number + 1}>"})
    data, size = bytearray(path.read_bytes()), 4096
    at = data.index(b"<label 50>") // size * size
    first = min(seq for seq in range(1, 101) if f"<label {seq}>".encode() in data[at : at + size])
    assert 1 < first <= 50
    data[at] = 0  # the page's type
    path.write_bytes(data)
    assert found(path) == first
    with SqliteStore(path) as store:
        assert [row.seq for row in store.rows("main", 1, first)] == list(range(1, first))


def test_swapped_entries_are_found(path: Path):
    for old, new in ((4, -1), (5, 4), (-1, 5)):
        execute(path, "UPDATE entries SET seq = ? WHERE seq = ?", new, old)
    assert found(path) == 4


def test_a_doubled_entry_is_found(path: Path):
    execute(path, "INSERT INTO entries SELECT branch, 12, kind, time, body, previous, hash FROM entries WHERE seq = 11")
    assert found(path) == 12


def test_a_rewritten_entry_with_its_hash_made_to_fit_breaks_the_chain_after_it(path: Path):
    row = rows_of(path)[3]
    changed = replace(row, body=row.body.replace(b"ada", b"eve"), hash="")
    execute(path, "UPDATE entries SET body = ?, hash = ? WHERE seq = 4", changed.body.decode(), hash_of(changed))
    assert found(path) == 5


def test_a_rewritten_last_entry_is_found_by_what_the_store_noted(path: Path):
    row = rows_of(path)[-1]
    changed = replace(row, body=row.body.replace(b"ada", b"eve"), hash="")
    execute(path, "UPDATE entries SET body = ?, hash = ? WHERE seq = 11", changed.body.decode(), hash_of(changed))
    assert found(path) == 11


def test_entries_cut_off_are_found_by_what_the_store_noted(path: Path):
    execute(path, "DELETE FROM entries WHERE seq > 8")
    assert found(path) == 9
    with SqliteStore(path) as store, pytest.raises(Tampered):
        list(EditLog(store).in_force())


@pytest.mark.parametrize("noted", [(9, None), (13, None), (11, "0" * 64)])
def test_a_changed_note_of_the_last_entry_is_found(path: Path, noted: tuple[int, str | None]):
    seq, hash_ = noted
    execute(path, "UPDATE branches SET seq = ?, hash = coalesce(?, hash)", seq, hash_)
    assert found(path) == {9: 10, 13: 12, 11: 11}[seq]


def test_nothing_is_appended_where_the_note_and_the_entries_disagree(path: Path):
    execute(path, "UPDATE branches SET hash = ?", "0" * 64)
    with SqliteStore(path) as store, pytest.raises(Tampered):
        EditLog(store).append("begun", None, BY)
    assert len(rows_of(path)) == 11


def test_a_log_cut_short_with_care_is_found_against_a_kept_head(path: Path):
    head = entries_of(path)[-1]
    eighth = rows_of(path)[7]
    execute(path, "DELETE FROM entries WHERE seq > 8")
    execute(path, "UPDATE branches SET seq = 8, hash = ?", eighth.hash)
    with SqliteStore(path) as store:
        assert EditLog(store).verify() == 8  # nothing in the store tells
        assert EditLog(store).verify(f"8:{eighth.hash}") == 8
    assert found(path, head.mark) == 9
    assert found(path, head.hash) == 9


def test_a_kept_head_is_found_wherever_it_is(path: Path):
    entries = entries_of(path)
    with SqliteStore(path) as store:
        log = EditLog(store)
        assert log.verify(entries[4].mark) == log.verify(entries[4].hash[:12]) == log.verify(entries[-1].mark) == 11
    assert found(path, f"5:{entries[5].hash}") == 5
    assert found(path, "0" * 64) == 12


@pytest.mark.parametrize("head", ["", "5", "5:", "xyz", "5:abc", "-1:" + "0" * 64])
def test_a_head_that_is_none_is_refused(path: Path, head: str):
    with SqliteStore(path) as store, pytest.raises(BadInput, match="isn't a head"):
        EditLog(store).verify(head)


def test_a_branch_taken_out_whole_is_found_against_a_kept_head(path: Path):
    head = entries_of(path)[-1].mark
    execute(path, "DELETE FROM entries")
    execute(path, "DELETE FROM branches")
    assert found(path, head) == 1


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "isn't JSON"),
        (b"[1]", "lacks by"),
        (b'{"by":{},"details":{},"edit":null,"edit_id":null}', "who made it"),
        (b'{"by":{"author":"a","reason":"","ticket":""},"details":[],"edit":null,"edit_id":null}', "wrong type"),
        (b'{"by":{"author":"a","reason":"","ticket":""},"details":{},"edit":{},"edit_id":null}', "without an id"),
        (b'{"by":{"author":"a","reason":"","ticket":""},"details":{},"edit":{},"edit_id":"x"}', "can't be read"),
        (b"[" * 200_000, "isn't JSON"),
    ],
)
def test_a_body_that_is_no_entrys_is_found_even_with_all_hashes_made_to_fit(body: bytes, why: str):
    store = MemoryStore()
    row = Row(1, "main", "applied", "2026-01-01T00:00:00.000Z", body, "", "")
    store.append(replace(row, hash=hash_of(row)))
    with pytest.raises(Tampered, match=why) as error:
        EditLog(store).verify()
    assert error.value.seq == 1


def test_an_edit_under_another_edits_id_is_found_even_with_all_hashes_made_to_fit():
    store = MemoryStore()
    EditLog(store).append("applied", edit(1), BY)
    (row,) = store.rows("main")
    other = MemoryStore()
    swapped = replace(row, body=row.body.replace(edit(1).id.encode(), edit(2).id.encode()))
    other.append(replace(swapped, hash=hash_of(swapped)))
    other.blobs.put(picture(1).data)
    with pytest.raises(Tampered, match="has the id"):
        EditLog(other).verify()
    with pytest.raises(Tampered, match="has the id"):
        list(EditLog(other).in_force())


def test_a_kind_of_a_later_version_is_not_called_tampering():
    store = MemoryStore()
    row = Row(1, "main", "transcended", "2026-01-01T00:00:00.000Z", b"{}", "", "")
    store.append(replace(row, hash=hash_of(row)))
    with pytest.raises(LogError, match="Upgrade errata") as error:
        EditLog(store).verify()
    assert not isinstance(error.value, Tampered)


def test_a_changed_or_missing_image_is_found_with_the_first_entry_that_needs_it(path: Path):
    digest = picture(4).digest
    file = path.with_name("errata.db.blobs") / digest[:2] / digest
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert found(path) == 7
    with SqliteStore(path) as store, pytest.raises(LogError, match="aren't what was written"):
        EditLog(store).edit(edit(4).id)
    file.unlink()
    assert found(path) == 7
    with SqliteStore(path) as store:
        store.blobs.put(data)
        assert EditLog(store).verify() == 11


def test_an_image_that_an_entry_says_was_erased_may_be_missing(path: Path):
    digest = picture(7).digest
    with SqliteStore(path) as store:
        store.blobs.erase(digest)
    assert found(path) == 11
    with SqliteStore(path) as store:
        log = EditLog(store)
        log.append("erased", None, BY, edit_id=edit(7).id, details={"images": [digest]})
        assert log.verify() == 12
        assert edit(7).id not in log.ids_in_force()


def test_an_image_that_came_back_after_its_erasing_must_be_there(path: Path):
    digest = picture(7).digest
    with SqliteStore(path) as store:
        log = EditLog(store)
        log.append("erased", None, BY, edit_id=edit(7).id, details={"images": [digest]})
        store.blobs.erase(digest)
        log.append("applied", edit(7), BY)
        assert log.verify() == 13
        store.blobs.erase(digest)
        assert named_by(log.verify) == 13
        assert log.at(12).verify() == 12
        log.append("erased", None, BY, edit_id=edit(7).id, details={"images": [digest]})
        assert log.verify() == 14
        assert log.at(13).verify() == 13
