"""A state put together without the model, from what each edit left by itself, is the session's own to the bit."""

from __future__ import annotations

import pytest
import torch

from errata.core.errors import BadInput, LogError
from errata.core.records import Query
from errata.editors import parse, to_tensors
from errata.editors.codebook import Codebook
from errata.log import EditLog, MemoryStore, PartShelf, SqliteStore
from errata.session.folding import followed
from errata.session.session import Session
from errata.session.takeback import erase_image
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
