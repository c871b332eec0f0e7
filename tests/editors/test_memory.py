"""A scoped memory: versions share blocks, forgetting an edit equals never having had it, a large one is asked through an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from errata.core.records import EditId, Query
from errata.editors._states import from_tensors, to_tensors
from errata.editors.scoped.in_context import Counterfactual
from errata.editors.scoped.index import LARGE, Index, faiss
from errata.editors.scoped.memory import ROWS, Block, Held, Memory
from errata.editors.scoped.scoped import Scoped
from errata.editors.scoped.scopes.similarity import Alike

WIDE = 8


def edit(number, *, keys=1, over=()):
    return Held(EditId(f"edit {number}"), f"asked {number}", keys, f"value {number}", over, None)


def memory(count, *, seed=0, keys=1, wide=WIDE):
    generator = torch.Generator().manual_seed(seed)
    vectors = normalize(torch.randn(count, keys, wide, generator=generator), dim=-1).half()
    state = Memory()
    for number in range(count):
        state = state.added(edit(number, keys=keys), vectors[number])
    return state, vectors


def vectors_of(state):
    assert state.keys_ND is not None
    return state.keys_ND


def gone(state, number):
    place = state.find(EditId(f"edit {number}"))
    assert place is not None
    return state.without(place)


def test_a_version_is_never_changed_and_shares_its_closed_blocks_with_the_next():
    first, vectors = memory(ROWS + 3)
    later = first.added(edit("more"), torch.zeros(1, WIDE))
    assert (first.count, later.count) == (ROWS + 3, ROWS + 4)
    assert len(first.held) == ROWS + 3
    assert torch.equal(first.keys_ND, vectors[:, 0])
    assert later.blocks[0] is first.blocks[0]
    assert [len(block.held) for block in first.blocks] == [ROWS, 3]
    assert later.last == edit("more")


def test_keys_are_kept_in_half_precision_and_end_where_it_ends():
    keys = torch.tensor([[1e9, -1e9, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0]])
    state = Memory().added(edit(0), keys).added(edit(1), keys)
    kept = vectors_of(state)
    assert kept.dtype == torch.float16
    assert kept.tolist() == [[65504, -65504, float(torch.tensor(0.1).half()), 0, 0, 0, 0, 0]] * 2


@pytest.mark.parametrize("number", [0, 5, ROWS - 1, ROWS, ROWS + 2])
def test_forgetting_equals_never_having_had_the_edit_and_leaves_nothing_of_it(number):
    state, vectors = memory(ROWS + 3, keys=1)
    left = gone(state, number)
    kept = [place for place in range(ROWS + 3) if place != number]
    assert left.held == tuple(edit(place) for place in kept)
    assert torch.equal(left.keys_ND, vectors[kept, 0])
    assert left.count == ROWS + 2
    assert left.find(EditId(f"edit {number}")) is None
    assert not list(left.asked(f"asked {number}"))
    assert not any(torch.equal(row, vectors[number, 0]) for block in left.blocks for row in block.keys_KD)
    assert state.find(EditId(f"edit {number}")) is not None


def test_what_is_left_keeps_its_place_and_its_keys_when_an_edit_of_a_closed_block_is_forgotten():
    state, vectors = memory(ROWS, keys=2)
    assert [len(block.held) for block in state.blocks] == [ROWS // 2, ROWS // 2]
    left = gone(state, 3)
    assert left.blocks[0].mark is state.blocks[0].mark  # an index goes on with what it has of the block
    for number in (2, 4, ROWS - 1):
        place = state.find(EditId(f"edit {number}"))
        assert place is not None
        assert left.find(EditId(f"edit {number}")) == place
        assert torch.equal(left.keys_of(place), vectors[number])


def test_an_empty_block_goes_and_who_contradicted_a_forgotten_edit_no_longer_does():
    state = Memory().added(edit(0), torch.zeros(1, WIDE))
    state = state.added(edit(1, over=(EditId("edit 0"),)), torch.ones(1, WIDE))
    left = gone(state, 0)
    assert [held.over for held in left.held] == [()]
    assert gone(left, 1).blocks == ()
    assert gone(left, 1).keys_ND is None
    assert gone(left, 1).last is None


def test_a_saved_memory_comes_back_with_blocks_of_its_own():
    state, _ = memory(ROWS + 1)
    state = gone(state, 7)
    saved = to_tensors(state)
    back: Memory = from_tensors(saved.tensors, saved.metadata)
    assert back.held == state.held
    assert back.keys_ND is not None
    assert torch.equal(back.keys_ND, vectors_of(state))
    assert back.blocks[0].mark is not state.blocks[0].mark


def as_they_are(keys: torch.Tensor) -> torch.Tensor:
    return keys


@pytest.fixture
def index():
    library = faiss()
    assert library is not None, "the tests need the extra faiss"
    return Index(library, as_they_are)


def near(index, state, vector):
    return [state.at(place).edit for place in index.nearest(state.blocks, vector, 4)]


def test_an_index_finds_the_nearest_edits_of_the_version_that_is_asked(index):
    state, vectors = memory(3 * ROWS, keys=2)
    assert near(index, state, vectors[100, 1])[0] == "edit 100"
    assert near(index, state, vectors[2000, 0])[0] == "edit 2000"
    left = gone(state, 100)
    assert "edit 100" not in near(index, left, vectors[100, 1])
    assert near(index, state, vectors[100, 1])[0] == "edit 100"
    more, (_, fresh) = left, memory(ROWS, seed=1)
    for number in range(ROWS):
        more = more.added(edit(f"new {number}"), fresh[number])
    assert near(index, more, fresh[500, 0])[0] == "edit new 500"
    exact = (vectors @ fresh[500, 0]).amax(1).argsort(descending=True)[:1].tolist()
    assert near(index, state, fresh[500, 0])[0] == f"edit {exact[0]}"


def test_an_index_looks_further_where_the_nearest_were_forgotten(index):
    state, _ = memory(ROWS)
    left = state
    order = (vectors_of(state) @ vectors_of(state)[0]).argsort(descending=True).tolist()
    assert near(index, state, vectors_of(state)[0])[0] == "edit 0"  # the index knows them all
    for number in order[:20]:
        left = gone(left, number)
    found = near(index, left, vectors_of(state)[0])  # in the order of eight-bit distances
    assert len(found) == 4
    assert set(found) <= {f"edit {number}" for number in order[20:28]}


@dataclass(frozen=True)
class Words:
    """A scope whose keys are seeded by the words: the same words, the same key."""

    def spec(self):
        return {"kind": "words"}

    def key(self, model, query, target=None):
        generator = torch.Generator().manual_seed(int(query.text))
        return normalize(torch.randn(WIDE, generator=generator), dim=0)

    def rho(self, asked, keys):
        return ((keys * asked).sum(-1) * 2.5 - 1.5).clamp(0, 1)

    def near(self, keys):
        return keys


class Blind(Words):
    """The same scope that doesn't say where keys lie."""

    def near(self, keys):
        return None


class Always(Words):
    """The same scope that takes every question for every edit's."""

    def rho(self, asked, keys):
        return torch.ones(len(keys))


def test_what_was_forgotten_does_not_speak_whatever_a_scope_says_of_its_place(random_llava):
    state, _ = memory(ROWS)
    scoped, query = Scoped(Always(), Counterfactual()), Query.ask("1")
    assert scoped.decide(random_llava, state, query)[0].edit == f"edit {ROWS - 1}"
    assert scoped.decide(random_llava, gone(state, ROWS - 1), query)[0].edit == f"edit {ROWS - 2}"


def test_a_large_memory_is_asked_through_its_index_and_decides_alike(random_llava):
    rng = np.random.default_rng(1)
    blocks, count = [], LARGE + 5 * ROWS
    for start in range(0, count, ROWS):
        keys = normalize(torch.from_numpy(rng.normal(size=(ROWS, WIDE))).float(), dim=-1)
        blocks.append(Block(tuple(edit(start + number) for number in range(ROWS)), (1,) * ROWS, keys))
    state = Memory(tuple(blocks), None, count).added(edit("last"), Words().key(None, Query.ask("3"))[None])
    by_index, by_all = Scoped(Words(), Counterfactual()), Scoped(Blind(), Counterfactual())
    for number in range(30):
        query = Query.ask(str(number))
        (found,), (wanted,) = (each.decide(random_llava, state, query) for each in (by_index, by_all))
        assert (found.edit, found.place) == (wanted.edit, wanted.place)
        assert found.rho == pytest.approx(wanted.rho, abs=1e-6)
    assert state.blocks[0].mark.index is not None
    assert by_index.decide(random_llava, state, Query.ask("3"))[0].edit == "edit last"
    small, _ = memory(4)
    by_index.decide(random_llava, small, Query.ask("1"))
    assert small.blocks[0].mark.index is None


@pytest.mark.parametrize("kind", ["distance", "cosine"])
def test_what_lies_nearest_is_most_alike(kind):
    alike: Any = Alike(kind, 4)
    generator = torch.Generator().manual_seed(2)
    asked, keys = torch.randn(4, generator=generator), torch.randn(50, 4, generator=generator)
    rho = alike(keys, asked.expand_as(keys)).rho_N
    far = (alike.near(keys) - alike.near(asked[None])).norm(dim=-1)
    assert far.argsort().tolist() == rho.argsort(descending=True).tolist()
    assert Alike("learned", 4).near(keys) is None
