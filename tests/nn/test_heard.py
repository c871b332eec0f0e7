"""Who spoke in a row of a batch is what its slots say: the edit whose slots they are, of this row, as far as it is felt."""

from __future__ import annotations

import pytest
import torch

from errata.core.model import Decision
from errata.core.records import EditId, Query
from errata.nn.codes import Codes
from errata.nn.patches import Delta, Handed, LowRank, NoPatch, Replaced, Rewrite, Through, in_rows, voices

LAST = "model.language_model.layers.3.mlp.down_proj"
LOWER = "model.language_model.layers.0.mlp.down_proj"
ONE, OTHER = EditId("one"), EditId("other")


def book(model, path, *, slots):
    """Slot s is found at unit vector s of the module's inputs; each is its own answer."""
    module = model.module(path)
    eye = torch.eye(slots, module.in_features)
    free = torch.zeros(slots, dtype=torch.bool)
    return Codes(eye, torch.eye(slots), torch.ones(slots, module.out_features), ~free, free, reach=0.9, follow=1.0, used=slots)


def inputs(model, path, *rows):
    """Of each row, at each position the slot that it is near; None: far from all."""
    width = model.module(path).in_features
    unit = torch.eye(width)
    return torch.stack([torch.stack([-unit[:8].sum(0) if slot is None else unit[slot] for slot in row]) for row in rows])


@pytest.mark.parametrize(("path", "felt"), [(LAST, (OTHER,)), (LOWER, (ONE, OTHER))])
def test_of_a_prompt_what_is_felt_later_counts_and_in_the_last_layer_its_end_alone(random_llava, path, felt):
    assert random_llava.groups[LAST] == max(random_llava.groups.values()) > random_llava.groups[LOWER]
    patch = LowRank({path: book(random_llava, path, slots=4)}, (ONE, OTHER), bounds=(0, 3, 4))
    with in_rows(random_llava, [patch], role="text") as heard:
        random_llava.module(path)(inputs(random_llava, path, [0, None, 3]))
    assert heard.spoke(0, prompt=3, tokens=1) == felt
    assert heard.spoke(0, prompt=1, tokens=1) == (OTHER,)


def test_an_edit_speaks_by_any_of_its_slots_and_every_row_for_itself(random_llava):
    held = book(random_llava, LAST, slots=4)
    shared = LowRank({LAST: held}, (ONE, OTHER), bounds=(0, 3, 4))
    own = LowRank({LAST: book(random_llava, LAST, slots=4)}, (OTHER, ONE), bounds=(0, 1, 4))
    with in_rows(random_llava, [shared, NoPatch(), own, shared], role="text") as heard:
        random_llava.module(LAST)(inputs(random_llava, LAST, [None, 2], [0, 0], [None, 0], [None, 3]))
        random_llava.module(LAST)(inputs(random_llava, LAST, [None], [0], [2], [0]))
    assert [heard.spoke(row, prompt=2, tokens=2) for row in range(4)] == [(ONE,), (), (OTHER, ONE), (ONE, OTHER)]
    assert [heard.spoke(row, prompt=2, tokens=1) for row in range(4)] == [(ONE,), (), (OTHER,), (OTHER,)]


def test_nobody_spoke_where_no_slot_is_held_and_it_cannot_be_told_of_shared_weights(random_llava):
    module = random_llava.module(LAST)
    change = Delta(torch.zeros(1, module.in_features), torch.zeros(module.out_features, 1))
    patches = [LowRank({}, (ONE,), bounds=(0, 1)), LowRank({LAST: change}, (ONE, OTHER))]
    with in_rows(random_llava, patches, role="text") as heard:
        module(inputs(random_llava, LAST, [0], [0]))
    assert [heard.spoke(row, prompt=1, tokens=1) for row in range(2)] == [(), None]


def test_who_speaks_is_known_of_a_patch_where_it_is_one_edits_or_a_scope_chose_the_one(random_llava):
    chose = Decision(ONE, 0.9, inside=True)
    asked = Query.ask("who?")
    known = (NoPatch(), Rewrite(asked, (ONE,)), Handed(random_llava, asked, (ONE,)), Through(random_llava, (ONE, OTHER)))
    assert [voices(patch) for patch in known] == [(), (ONE,), (ONE,), (ONE, OTHER)]
    assert voices(LowRank({}, (ONE,), decision=chose)) == (ONE,)
    assert voices(Replaced({}, (ONE, OTHER), decision=chose)) is None
    assert voices(LowRank({}, (ONE,))) is None
    assert voices(LowRank({})) == ()
