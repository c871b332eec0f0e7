"""The ordinary questions that a log begins with: given, made for the model, or none; and what receipts say of none."""

from contextlib import closing
from dataclasses import replace

import pytest

from errata.core.editor import takes_pool
from errata.core.errors import BadInput, WrongStore
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.log import EditLog, Kind, MemoryStore, open_store
from errata.log.recent import questions, remember
from errata.models import load
from errata.models.small.build import build_llava
from errata.session.pools import MADE, chosen_pool, made_pool, pool_in, unprotected
from errata.session.ready import Ready
from errata.session.receipts import receipt_in
from errata.session.session import Session
from tests.conftest import SIZES, WORDS
from tests.editors.samples import PICTURED, POOL, WORDED

WRITES: tuple[Kind, ...] = ("applied", "refused")
QUICK = "scopeedit:steps=2,pool_size=4"


def ready(model, text):
    return Ready(model, parse(text), text)


def kept(log):
    return pool_in(log, next(log.entries(1, 2)))


def test_a_shipped_model_is_given_questions_of_its_own_world_half_of_them_on_pictures():
    model = load("llava-tiny")
    found = made_pool(model)
    assert len(found) == MADE
    assert sum(bool(query.images) for query in found) == pytest.approx(MADE / 2, abs=MADE / 8)
    assert found == made_pool(model)


def test_another_model_is_given_ordinary_questions_in_words_and_on_pictures(random_llava):
    found = made_pool(random_llava)
    assert 60 <= len(set(found)) == len(found) <= 80
    assert sum(bool(query.images) for query in found) == 16
    assert Query.ask("What is the capital of France?") in found


def test_what_cannot_be_put_to_a_model_is_not_in_its_pool(tmp_path):
    build_llava(tmp_path / "short", texts=WORDS * 8, sizes=replace(SIZES, context=120), seed=3)
    found = made_pool(load(tmp_path / "short"))
    assert 0 < len(found) < 80
    assert Query.ask("Who are you?") in found


def test_a_branch_that_begins_is_given_a_pool_where_its_editor_takes_one(random_llava):
    log = EditLog(MemoryStore())
    session = ready(random_llava, QUICK).session(log)
    assert kept(log) == made_pool(random_llava)
    assert session.editor.pool == made_pool(random_llava)
    plain = EditLog(MemoryStore())
    ready(random_llava, "finetune").session(plain)
    assert kept(plain) == ()


def test_a_branch_without_a_pool_says_so_at_every_edit(random_llava):
    log = EditLog(MemoryStore())
    session = ready(random_llava, QUICK).session(log, pool=())
    assert kept(log) == ()
    receipts = [session.edit(edit, guard=False) for edit in (WORDED, PICTURED)]
    assert all(receipt.unprotected for receipt in receipts)
    assert all(receipt_in(entry).unprotected for entry in log.find(kinds=WRITES))
    assert session.preview(Edit(Query.ask("How many?"), "two")).unprotected
    again = ready(random_llava, QUICK).session(log)  # it goes on as it began, whatever a new one would be given
    assert kept(log) == ()
    assert again.editor.pool == ()
    assert again.edit(Edit(Query.ask("How many?"), "two"), guard=False).unprotected


@pytest.mark.parametrize(("text", "pool"), [(QUICK, POOL), ("finetune:steps=1", ()), ("scopeedit:preset=more,steps=1", ())])
def test_with_a_pool_or_an_editor_that_heeds_none_nothing_is_said(random_llava, text, pool):
    log = EditLog(MemoryStore())
    receipt = Session.open(random_llava, parse(text), log, pool=pool).edit(WORDED, guard=False)
    assert not receipt.unprotected
    assert all("unprotected" not in entry.details for entry in log.find(kinds=WRITES))


def test_which_editors_take_a_pool():
    taking = ("scopeedit", "scopeedit:preset=paper", "odedit", "scoped:editor=scopeedit,memory=fold")
    without = ("scopeedit:preset=more", "scopeedit:pool_size=0", "scoped", "finetune", "codebook", "told")
    assert [text for text in (*taking, *without) if takes_pool(parse(text))] == list(taking)
    assert not takes_pool(parse("odedit:outside=0"))
    assert takes_pool(parse("odedit:outside=0,editor=scopeedit"))


def test_a_pool_for_an_editor_that_takes_none_or_for_a_branch_that_began_otherwise_is_refused(random_llava):
    with pytest.raises(BadInput, match="takes none"):
        ready(random_llava, "finetune").session(EditLog(MemoryStore()), pool=POOL)
    log = EditLog(MemoryStore())
    ready(random_llava, QUICK).session(log, pool=POOL[:3])
    with pytest.raises(BadInput, match="began with a pool of 3 other questions"):
        ready(random_llava, QUICK).session(log, pool=POOL[3:])
    ready(random_llava, QUICK).session(log, pool=POOL)  # the same, grown since
    assert kept(log) == POOL[:3]
    bare = EditLog(MemoryStore())
    ready(random_llava, QUICK).session(bare, pool=())
    with pytest.raises(BadInput, match="began without a pool"):
        ready(random_llava, QUICK).session(bare, pool=POOL)


def test_a_branch_that_has_begun_is_offered_no_pool_whatever_its_editor_takes(random_llava):
    log = EditLog(MemoryStore())
    ready(random_llava, QUICK).session(log)
    assert chosen_pool(log, random_llava, parse(QUICK), None) == ()
    assert chosen_pool(log, random_llava, parse(QUICK), POOL[:0]) == ()


def test_a_pool_that_was_lost_is_named_and_nothing_is_folded_without_it(random_llava):
    log = EditLog(MemoryStore())
    ready(random_llava, QUICK).session(log, pool=POOL)
    named = str(next(log.entries(1, 2)).details["pool"])
    assert log.store.blobs.erase(named)
    with pytest.raises(WrongStore, match=f"{named[:12]}.* is gone.* Restore it"):
        ready(random_llava, QUICK).session(log)


def test_a_log_says_from_its_own_first_entry_that_nothing_is_protected(random_llava, tmp_path):
    with closing(open_store(tmp_path / "errata.db")) as store:
        log = EditLog(store)
        assert not unprotected(log, parse(QUICK))  # nothing has begun
        Session.open(random_llava, parse(QUICK), log)
        assert unprotected(log, parse(QUICK))


def test_questions_are_read_as_they_were_remembered_or_in_words_one_to_a_line(tmp_path):
    asked = tmp_path / "asked.jsonl"
    for query in POOL[2:5]:
        remember(asked, query)
    assert questions(asked) == list(POOL[2:5])
    plain = tmp_path / "plain.txt"
    plain.write_text("\ufeffWhat is this?\n\n  How many?  \r\nWhat is this?\n", encoding="utf-8")
    assert questions(plain) == [Query.ask("What is this?"), Query.ask("How many?")]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("empty.txt", b"\n \n", "There is no question in"),
        ("latin.txt", "caf\xe9?".encode("latin-1"), "isn't in UTF-8"),
        ("none.txt", None, "can't be read"),
        ("none.jsonl", None, "There is no file"),
        ("other.jsonl", b'{"a": 1}\n', "is no recent question"),
    ],
)
def test_a_file_that_holds_no_questions_is_named_with_what_to_do(tmp_path, name, data, said):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match=said) as refused:
        questions(tmp_path / name)
    assert name in str(refused.value)
