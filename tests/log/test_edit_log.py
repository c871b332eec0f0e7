"""What the edit log means: what is in force, the past, names of edits, and what it refuses."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errata.core.canonical import JSON, canonical
from errata.core.errors import BadImage, BadInput, Conflict, LogError, Unknown
from errata.core.images import Image
from errata.core.records import Edit, EditId, Provenance, Query
from errata.log import EditLog, MemoryStore, SqliteStore
from errata.log.entry import WITHDRAWING, Kind
from tests.log.worlds import BY, edit, filled, picture, words


def test_an_entry_says_who_what_when_and_why():
    log = EditLog(MemoryStore())
    entry = log.append("applied", edit(1), BY, details={"before": "dog", "rate": 0.5})
    assert (entry.seq, entry.branch, entry.kind, entry.previous) == (1, "main", "applied", "")
    assert entry.by == BY
    assert entry.edit_id == edit(1).id
    assert entry.details == {"before": "dog", "rate": 0.5}
    assert entry.time.endswith("Z")
    assert entry.edit(log.image) == edit(1)
    assert log.head == entry
    assert len(log) == 1


def test_the_hash_is_that_of_the_canonical_form_of_everything_else():
    for entry in filled(MemoryStore()).entries():
        rest = {key: value for key, value in entry.to_json().items() if key != "hash"}
        assert entry.hash == hashlib.sha256(canonical(rest)).hexdigest()
        assert entry.size_bytes == len(canonical(entry.to_json()))


def test_an_empty_log_has_no_head_and_nothing_in_force():
    log = EditLog(MemoryStore())
    assert log.head is None
    assert len(log) == 0
    assert list(log.entries()) == []
    assert list(log.in_force()) == []
    assert log.verify() == 0
    assert log.branches() == ()


def test_edits_in_force_come_in_order_with_their_images():
    log = filled(MemoryStore())
    found = list(log.in_force())
    assert found == [edit(number) for number in (0, 2, 3, 5, 6, 7)]
    assert [image.data for image in found[1].images] == [image.data for image in edit(2).images]
    assert log.ids_in_force() == tuple(one.id for one in found)
    assert list(log.in_force(skip=4)) == found[4:]
    assert list(log.in_force(skip=6)) == []


def test_an_edit_applied_again_takes_its_place_at_the_end():
    log = EditLog(MemoryStore())
    for number in (1, 2):
        log.append("applied", words(number), BY)
    log.append("reverted", None, BY, edit_id=words(1).id)
    log.append("applied", words(1), BY)
    assert list(log.in_force()) == [words(2), words(1)]


@pytest.mark.parametrize("kind", sorted(WITHDRAWING))
def test_every_kind_of_withdrawal_takes_an_edit_out_of_force(kind: Kind):
    log = EditLog(MemoryStore())
    log.append("applied", words(1), BY)
    log.append(kind, None, BY, edit_id=words(1).id)
    assert list(log.in_force()) == []


@pytest.mark.parametrize("kind", ["proposed", "approved", "refused", "imported", "checkpointed", "aliased", "rebased"])
def test_no_other_kind_changes_what_is_in_force(kind: Kind):
    log = EditLog(MemoryStore())
    log.append("applied", words(1), BY)
    log.append("proposed", words(2), BY)
    log.append(kind, words(2), BY)
    log.append(kind, words(3) if kind != "approved" else None, BY, edit_id=words(2).id if kind == "approved" else None)
    assert list(log.in_force()) == [words(1)]


def test_a_view_of_the_past_does_not_see_what_came_later():
    log = filled(MemoryStore())
    expected: list[list[Edit]] = [[]]
    for entry in log.entries():
        now = [one for one in expected[-1] if not (entry.kind == "reverted" and one.id == entry.edit_id)]
        expected.append(now + [entry.edit(log.image)] if entry.kind == "applied" else now)
    for fresh in (log, EditLog(log.store)):
        for seq, edits in enumerate(expected):
            view = fresh.at(seq)
            assert list(view.in_force()) == edits
            assert len(view) == seq
            assert [entry.seq for entry in view.entries()] == list(range(1, seq + 1))
            assert view.verify() == seq
            assert (view.head.seq if view.head else 0) == seq
    assert list(log.at(6).at(2).in_force()) == expected[2]


def test_the_past_can_not_be_written():
    log = filled(MemoryStore())
    with pytest.raises(LogError, match="view of the log after entry 3"):
        log.at(3).append("applied", words(1), BY)
    assert len(log) == 11


@pytest.mark.parametrize("seq", [-1, 12])
def test_there_is_no_view_beyond_the_entries(seq: int):
    log = filled(MemoryStore())
    with pytest.raises(LogError, match="it has 11"):
        log.at(seq)
    with pytest.raises(LogError, match="it has 11"):
        EditLog(log.store, upto=seq)
    with pytest.raises(LogError, match="it has 5"):
        log.at(5).at(6)


def test_an_edit_is_found_by_its_id_or_a_unique_prefix():
    log = filled(MemoryStore())
    assert log.edit(edit(4).id) == edit(4)
    assert log.edit(edit(1).id[:8].upper()) == edit(1)  # reverted, and still known
    assert log.resolve(edit(5).id[:6]) == edit(5).id


def test_a_name_for_no_edit_or_several_is_refused_with_a_sentence():
    log = filled(MemoryStore())
    with pytest.raises(BadInput, match="at least 6"):
        log.edit(edit(4).id[:5])
    with pytest.raises(Unknown, match="no edit named '000000000000'"):
        log.edit("000000000000")
    for twin in ("a", "b"):
        log.append("aliased", None, BY, edit_id=EditId("abcdef" + twin * 58))
    with pytest.raises(BadInput, match="fits 2 edits: abcdefaaaaaa, abcdefbbbbbb"):
        log.edit("abcdef")
    with pytest.raises(LogError, match="doesn't hold its content"):
        log.edit("abcdefa")
    with pytest.raises(Unknown):
        log.at(2).edit(edit(4).id)


def test_the_history_of_one_edit_can_be_found():
    log = filled(MemoryStore())
    assert [(entry.seq, entry.kind) for entry in log.find(edit(1).id[:10])] == [(3, "applied"), (5, "reverted")]
    assert [entry.seq for entry in log.find(kinds={"reverted"})] == [5, 9]
    assert [entry.seq for entry in log.find(edit(1).id, kinds={"applied"})] == [3]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("applied without edit", "needs the whole edit"),
        ("applied twice", r"in force already \(entry 2\)"),
        ("reverted without id", "needs the id"),
        ("reverted while not in force", "isn't in force"),
        ("unknown kind", "no kind of entry named 'undone'"),
        ("two ids", "Give the edit alone"),
        ("not a number", "can't be written"),
        ("not JSON", "can't be written"),
        ("number as key", "aren't strings"),
        ("lone surrogate in details", "can't be written"),
        ("lone surrogate in edit", "plain Unicode"),
        ("renamed image", "doesn't have that digest"),
    ],
)
def test_what_makes_no_sense_is_refused_and_appends_nothing(what: str, message: str):
    log = filled(MemoryStore())
    renamed = Edit(Query.ask("What?", Image(picture(1).digest, b"other bytes")), "that")
    acts = {
        "applied without edit": lambda: log.append("applied", None, BY, edit_id=words(1).id),
        "applied twice": lambda: log.append("applied", edit(0), BY),
        "reverted without id": lambda: log.append("reverted", None, BY),
        "reverted while not in force": lambda: log.append("reverted", None, BY, edit_id=edit(1).id),
        "unknown kind": lambda: log.append("undone", None, BY),  # type: ignore[arg-type]
        "two ids": lambda: log.append("applied", words(1), BY, edit_id=words(2).id),
        "not a number": lambda: log.append("begun", None, BY, details={"x": float("nan")}),
        "not JSON": lambda: log.append("begun", None, BY, details={"x": {1, 2}}),  # type: ignore[dict-item]
        "number as key": lambda: log.append("begun", None, BY, details={"x": {2: 1, 10: 1}}),  # type: ignore[dict-item]
        "lone surrogate in details": lambda: log.append("begun", None, BY, details={"x": "\ud800"}),
        "lone surrogate in edit": lambda: log.append("applied", Edit(Query.ask("\ud800"), "x"), BY),
        "renamed image": lambda: log.append("applied", renamed, BY),
    }
    before = log.head
    with pytest.raises((LogError, BadImage), match=message):
        acts[what]()
    assert log.head == before
    assert log.verify() == 11


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "é", "x" * 65])
def test_a_branch_needs_a_plain_name(name: str):
    with pytest.raises(BadInput, match="can't name a branch"):
        EditLog(MemoryStore(), name)


def test_a_writer_that_decided_on_an_old_head_is_refused():
    store = MemoryStore()
    mine, theirs = EditLog(store), EditLog(store)
    first = mine.append("applied", words(1), BY, after="")
    theirs.append("applied", words(2), BY)
    with pytest.raises(Conflict, match="grown to entry 2"):
        mine.append("applied", words(3), BY, after=first.hash)
    assert mine.append("applied", words(3), BY, after=store.branches()["main"].hash).seq == 3


def test_logs_of_one_store_see_each_others_entries():
    store = MemoryStore()
    mine, theirs = EditLog(store), EditLog(store)
    mine.append("applied", words(1), BY)
    theirs.append("applied", words(2), BY)
    with pytest.raises(LogError, match="in force already"):
        mine.append("applied", words(2), BY)
    mine.append("reverted", None, BY, edit_id=words(2).id)
    assert list(theirs.in_force()) == [words(1)]


def test_branches_are_logs_of_their_own():
    store = MemoryStore()
    EditLog(store, "main").append("applied", words(1), BY)
    other = EditLog(store, "legal.v2")
    other.append("applied", words(1), Provenance())
    assert other.branches() == ("legal.v2", "main")
    assert other.head is not None
    assert other.head.previous == ""
    assert other.verify() == 1


@pytest.mark.parametrize("text", ["²", "٣", "1_0", "-1", "+1", "9" * 19, "9" * 5000])
def test_a_point_that_only_looks_like_a_number_is_a_sentence(text: str):
    with pytest.raises(BadInput, match="is no time"):
        filled(MemoryStore()).point(text)


def test_a_point_is_a_number_or_a_time():
    log = filled(MemoryStore())
    assert (log.point(" 007 "), log.point("2001-01-01"), log.point("2990-01-01")) == (7, 0, 11)
    with pytest.raises(LogError, match="There is no entry 99"):
        log.point("9" * 18)


def test_an_erased_image_is_missed_with_a_sentence():
    log = filled(MemoryStore())
    log.store.blobs.erase(picture(7).digest)
    with pytest.raises(BadImage, match="erased or lost"):
        log.edit(edit(7).id)
    assert log.ids_in_force()[-1] == edit(7).id


ACTS = st.lists(st.tuples(st.sampled_from(["applied", "refused", *sorted(WITHDRAWING)]), st.integers(0, 5)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(acts=ACTS, reopen=st.integers(1, 9), data=st.data())
def test_any_sequence_of_acts_leaves_what_a_plain_list_says(acts: list[tuple[Kind, int]], reopen: int, data: st.DataObject):
    log = EditLog(MemoryStore())
    past: list[list[int]] = [[]]
    for turn, (kind, number) in enumerate(acts):
        if turn % reopen == 0:
            log = EditLog(log.store)
        now = list(past[-1])
        sensible = {"applied": number not in now, "refused": True, "erased": True}.get(kind, number in now)
        if not sensible:
            with pytest.raises(LogError):
                log.append(kind, words(number), BY)
            continue
        log.append(kind, words(number), BY)
        if kind == "applied":
            now.append(number)
        elif kind != "refused" and number in now:
            now.remove(number)
        past.append(now)
    assert list(log.in_force()) == [words(number) for number in past[-1]]
    assert log.verify() == len(past) - 1
    seq = data.draw(st.integers(0, len(past) - 1))
    assert log.at(seq).ids_in_force() == tuple(words(number).id for number in past[seq])


def test_a_reopened_log_is_the_same(tmp_path):
    with SqliteStore(tmp_path / "errata.db") as store:
        before = list(filled(store).entries())
        edits = list(EditLog(store).in_force())
    with SqliteStore(tmp_path / "errata.db", create=False) as store:
        assert list(EditLog(store).entries()) == before
        assert list(EditLog(store).in_force()) == edits
        assert EditLog(store).append("applied", words(1), BY).previous == before[-1].hash


def test_the_details_are_kept_as_they_were():
    details: dict[str, JSON] = {"é": [1, 2.5, None, True, "\u0000\u2028"], "deep": {"b": 1, "a": [{}]}, "tiny": 5e-324}
    entry = EditLog(MemoryStore()).append("begun", None, BY, details=details)
    assert json.dumps(entry.details, sort_keys=True) == json.dumps(details, sort_keys=True)
