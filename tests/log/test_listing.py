"""What a log holds is listed by what tells one edit from another, a page at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from errata.core.errors import BadInput
from errata.core.records import Edit, Provenance, Query
from errata.log import EditLog, MemoryStore
from errata.log.listing import FATES, STANDING, Sought, edits, entries, image_named
from tests.log.worlds import BY, edit, picture, words

ANN, BO = Provenance("ann", "the curator says so", "T-7"), Provenance("Bo")
OLD = Edit(Query.ask("where does mibo live?", picture(9)), "the old pier")
NEW = replace(OLD, target="the Harbor")


@pytest.fixture
def log():
    """One edit of every fate but two, and more in force than one page holds."""
    log = EditLog(MemoryStore())
    log.append("begun", None, BY, details={"model": "tiny"})
    log.append("applied", OLD, ANN)
    log.append("applied", NEW, BO, details={"supersedes": [OLD.id]})
    log.append("superseded", None, BO, edit_id=OLD.id, details={"by": NEW.id})
    for number in range(1, 6):
        log.append("applied", edit(number) if number % 2 else words(number), BY)
    log.append("reverted", None, BO, edit_id=words(2).id)
    log.append("quarantined", None, BO, edit_id=words(4).id)
    log.append("refused", words(50), ANN, details={"why": "not learned"})
    log.append("proposed", words(51), ANN)
    log.append("proposed", words(52), ANN)
    log.append("refused", None, BO, edit_id=words(52).id)
    log.append("applied", replace(words(60), valid_until="2020-01-01"), BY, details={"until": "2020-01-01"})
    return log


def standings(log):
    return {one.entry.edit_id: one.standing for one in edits(log).rows if one.standing is not None}


def ids(page):
    return [one.entry.edit_id for one in page.rows]


def test_every_edit_is_what_the_log_says_it_is_now(log):
    assert {edit: (one.fate, one.superseded_by) for edit, one in standings(log).items()} == {
        OLD.id: ("superseded", NEW.id),
        NEW.id: ("in-force", None),
        edit(1).id: ("in-force", None),
        words(2).id: ("reverted", None),
        edit(3).id: ("in-force", None),
        words(4).id: ("quarantined", None),
        edit(5).id: ("in-force", None),
        words(50).id: ("refused", None),
        words(51).id: ("proposed", None),
        words(52).id: ("refused", None),
        replace(words(60), valid_until="2020-01-01").id: ("over", None),
    }
    standing = edits(log, Sought(fates=frozenset(STANDING)))
    assert ids(standing) == list(log.ids_in_force())


def test_an_edit_applied_again_is_in_force_and_not_superseded_any_more(log):
    log.append("applied", OLD, ANN, details={"supersedes": [NEW.id]})
    told = standings(log)
    assert (told[OLD.id].fate, told[OLD.id].seq) == ("in-force", len(log))
    assert (told[NEW.id].fate, told[NEW.id].superseded_by) == ("superseded", OLD.id)


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        (Sought(author="ANN"), [OLD, words(50), words(51), words(52)]),
        (Sought(author="an"), []),
        (Sought(text="HARBOR"), [NEW]),
        (Sought(text="curator says"), [OLD, words(50), words(51), words(52)]),
        (Sought(text="t-7"), [OLD, words(50), words(51), words(52)]),
        (Sought(text="nai\u0308vely"), [edit(1), edit(3), edit(5)]),
        (Sought(text="say what picture 3"), [edit(3)]),
        (Sought(image=picture(9).digest[:7]), [OLD, NEW]),
        (Sought(image=picture(5).digest), [edit(5)]),
        (Sought(since=12, fates=frozenset({"proposed"})), [words(51)]),
        (Sought(fates=frozenset({"expired"})), []),
        (Sought(author="ann", text="book 51"), [words(51)]),
    ],
)
def test_edits_are_found_by_what_tells_them_apart(log, sought, found):
    page = edits(log, sought)
    assert (ids(page), page.found) == ([each.id for each in found], len(found))


def test_pages_are_counted_from_the_newest_and_together_hold_each_edit_once(log):
    for sought in (Sought(), Sought(author="ada")):
        whole = ids(edits(log, sought))
        pages = [ids(edits(log, sought, limit=3, offset=offset)) for offset in range(0, 12, 3)]
        assert [edit for page in reversed(pages) for edit in page] == whole
        assert pages[0] == whole[-3:]


def test_entries_are_found_by_the_edit_that_they_are_about(log):
    about = [one.entry.kind for one in entries(log, Sought(text="old pier"), limit=9).rows]
    assert about == ["applied", "superseded"]
    assert [one.entry.seq for one in entries(log, Sought(image=picture(9).digest), limit=9).rows] == [2, 3, 4]
    reverted = entries(log, Sought(fates=frozenset({"reverted"})), limit=9)
    assert [(one.entry.kind, one.edit.target) for one in reverted.rows if one.edit is not None] == [
        ("applied", "author 2"),
        ("reverted", "author 2"),
    ]
    assert [one.entry.seq for one in entries(log, Sought(author="bo"), limit=2, offset=1).rows] == [10, 11]
    assert [one.entry.seq for one in entries(log, Sought(author="bo"), limit=2, start=4).rows] == [4, 10]
    assert [one.entry.seq for one in entries(log, limit=3, offset=2).rows] == [12, 13, 14]


def test_a_picture_is_named_by_its_file_or_its_digits(tmp_path):
    (tmp_path / "one.png").write_bytes(picture(1).data)
    assert image_named(str(tmp_path / "one.png")) == picture(1).digest
    assert image_named(" ABCDEF ") == "abcdef"
    for wrong in ("abcde", "none.png", "\0"):
        with pytest.raises(BadInput, match="neither the file|can't be read"):
            image_named(wrong)


def test_the_fates_that_can_be_asked_for_are_those_that_an_edit_can_have(log):
    assert {one.fate for one in standings(log).values()} | {"expired", "erased"} == set(FATES)
