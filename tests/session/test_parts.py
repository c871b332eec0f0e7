"""A state put together without the model, from what each edit left by itself, is the session's own to the bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from errata.core.errors import BadInput, LogError
from errata.core.records import Query
from errata.editors import parse, to_tensors
from errata.editors.codebook import Codebook
from errata.log import EditLog, MemoryStore, PartShelf, SqliteStore
from errata.session.folding import followed, gone_on
from errata.session.session import Session
from errata.session.takeback import erase_image, restore
from tests.editors.samples import EDITS, PICTURED

BOOK = Codebook(slots=64, steps=8, chatter=12)


def same_state(one, other):
    left, right = to_tensors(one), to_tensors(other)
    equal = all(torch.equal(left.tensors[name], right.tensors[name]) for name in left.tensors)
    return left.tensors.keys() == right.tensors.keys() and left.metadata == right.metadata and equal


def opened(model, store, **more):
    return Session.open(model, BOOK, EditLog(store), **more)


def test_the_state_is_the_sessions_after_every_edit_and_after_one_is_taken_back(random_llava, tmp_path):
    with SqliteStore(tmp_path / "e.db") as store:
        session, since = opened(random_llava, store), None
        for edit in EDITS:
            session.edit(edit, guard=False)
            assert same_state(followed(BOOK, EditLog(store)), session.state)
            since = followed(BOOK, EditLog(store), since=since)
            assert same_state(since, session.state)
        session.revert(EDITS[1].id)
        assert same_state(followed(BOOK, EditLog(store), since=since), session.state)
        assert same_state(followed(BOOK, EditLog(store)), session.state)
        for seq in range(2, len(session.log)):
            assert same_state(followed(BOOK, EditLog(store, upto=seq)), session.at(seq).state)


def test_a_session_that_follows_another_goes_on_from_its_own_state_and_has_the_others_to_the_bit(random_llava, tmp_path):
    with SqliteStore(tmp_path / "e.db") as store:
        writer = opened(random_llava, store)
        reader = opened(random_llava, store)

        def agree() -> None:
            reader.follow()
            assert reader.seen == writer.seen
            assert same_state(reader.state, writer.state)
            assert same_state(reader.state, opened(random_llava, store).state)

        for edit in EDITS:
            writer.edit(edit, guard=False)
            agree()
        writer.edit(replace(EDITS[0], target="quite another thing"), guard=False)  # takes the first one's place
        agree()
        writer.revert(EDITS[1].id)
        agree()
        restore(writer, EDITS[1].id)
        agree()
        writer.withdraw("reverted", writer.log.ids_in_force())
        reader.follow()
        assert reader.ask([EDITS[0].query]) == opened(random_llava, store).ask([EDITS[0].query])


def test_following_writes_nothing_anew_where_the_writer_left_what_it_wrote(random_llava):
    store = MemoryStore()
    session, seen = opened(random_llava, store), []
    for edit in EDITS:
        session.edit(edit, guard=False)
        seen.append((session.state, session.log.ids_in_force()))
    ids = session.log.ids_in_force()
    went = gone_on(random_llava, BOOK, EditLog(store), seen[0], ids)
    assert went is not None
    assert went.written == 0
    assert same_state(went.state, session.state)
    back = gone_on(random_llava, BOOK, EditLog(store), seen[-1], ids[1:])
    assert back is not None
    assert back.written == 0
    assert same_state(back.state, followed(BOOK, EditLog(store), without={ids[0]}))
    PartShelf(EditLog(store)).clear()
    anew = gone_on(random_llava, BOOK, EditLog(store), seen[0], ids)
    assert anew is not None
    assert anew.written == len(ids) - 1
    assert same_state(anew.state, session.state)
    assert gone_on(random_llava, BOOK, EditLog(store), seen[-1], ids[::-1]) is None, "another order is another fold"
    assert gone_on(random_llava, BOOK, EditLog(store), None, ids) is None


def test_no_edit_in_force_is_no_state(random_llava):
    store = MemoryStore()
    session = opened(random_llava, store)
    assert followed(BOOK, session.log) is None
    session.edit(EDITS[0], guard=False)
    assert followed(BOOK, session.log, without={EDITS[0].id}) is None


def test_what_is_missing_is_said_and_a_session_that_folds_brings_it_back(random_llava):
    store = MemoryStore()
    state = opened(random_llava, store)
    state.edit(EDITS[0], guard=False)
    PartShelf(EditLog(store)).clear()
    with pytest.raises(LogError, match=f"{EDITS[0].id[:12]}.*errata ask"):
        followed(BOOK, EditLog(store))
    assert same_state(followed(BOOK, opened(random_llava, store).log), state.state)


def test_a_part_whose_bytes_are_not_what_was_put_counts_as_missing(random_llava):
    store = MemoryStore()
    opened(random_llava, store).edit(EDITS[0], guard=False)
    (key,) = (key for key in store.shelf.sizes() if key.entry == EDITS[0].id)
    store.shelf.put(key, b"something else")
    with pytest.raises(LogError, match="isn't in the store"):
        followed(BOOK, EditLog(store))


def test_erasing_a_picture_takes_what_was_written_of_it_and_leaves_the_rest(random_llava):
    store = MemoryStore()
    session = opened(random_llava, store)
    plain = next(edit for edit in EDITS if not edit.images)
    for edit in (plain, PICTURED):
        session.edit(edit, guard=False)
    erase_image(session, PICTURED.images[0].digest)
    assert {key.entry for key in store.shelf.sizes() if key.branch == "main+parts"} == {plain.id}
    # Without a session since there is no state to begin with: snapshots were cleared too.
    assert opened(random_llava, store).ask([Query.ask("anything?")])
    assert same_state(followed(BOOK, EditLog(store)), session.state)


def test_an_editor_of_shared_weights_is_refused():
    with pytest.raises(BadInput, match="told apart"):
        followed(parse("scopeedit"), EditLog(MemoryStore()))
