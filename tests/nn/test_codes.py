"""Keys with values: the nearest within reach is added, all else stays to the bit, and the metric is the root that it says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from errata.core.records import Query
from errata.nn.codes import Codes, Reading, coded, lens
from errata.nn.lowrank import orthonormal_rows
from errata.nn.patches import LowRank, NoPatch, in_rows

TEXT = "model.language_model.layers.1.mlp.down_proj"
WIDE, OUT = 128, 64


def codes(*, seed=0, used=5, room=8, reach=0.3, follow=2.0, first=range(8), shut=()):
    """Follow 2: no cosine is that near, so every slot is on its own."""
    draw = torch.Generator().manual_seed(seed)
    lens_RI = torch.randn(16, WIDE, generator=draw)
    keys_MR = torch.nn.functional.normalize(torch.randn(room, 16, generator=draw), dim=1)
    values_MO = torch.randn(room, OUT, generator=draw)
    shut_M, first_M = (torch.tensor([slot in chosen for slot in range(room)]) for chosen in (shut, first))
    return Codes(lens_RI, keys_MR, values_MO, first_M, shut_M, reach, follow, used)


def naive(book, x_TI, y_TO):
    """One position after the other, as the equations stand; and the slots that spoke."""
    moved: list[torch.Tensor] = []
    spoke: list[int | None] = []
    for x_I, y_O in zip(x_TI, y_TO, strict=True):
        code = book.lens_RI.double() @ x_I.double()
        cosines = (book.keys_MR.double() @ code / code.norm()).tolist()
        may = [slot for slot in range(book.used) if not book.shut_M[slot]]
        slot = max(may, key=lambda slot: cosines[slot], default=None)
        slot = slot if slot is not None and cosines[slot] >= book.reach else None
        if spoke and spoke[-1] is not None:
            after = spoke[-1] + 1
            if after < book.used and not book.first_M[after] and cosines[after] >= book.follow:
                slot = after
        spoke.append(slot)
        moved.append(y_O if slot is None else y_O + book.values_MO[slot])
    return torch.stack(moved), spoke


def drawn(*shape, seed=1):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, WIDE, generator=draw), torch.randn(*shape, OUT, generator=draw)


@pytest.mark.parametrize("shut", [(), (0, 3), (0, 1, 2, 3, 4)], ids=str)
@pytest.mark.parametrize("follow", [2.0, 0.0, -0.4])
def test_each_input_gets_the_value_of_its_nearest_key_within_reach_or_of_the_next_one_of_a_run(shut, follow):
    book = codes(shut=shut, follow=follow, first=(0, 3))
    x, y = drawn(3, 40)
    moved = Reading(book).moved(x, y)
    expected, spoke = zip(*(naive(book, *row) for row in zip(x, y, strict=True)), strict=True)
    assert torch.equal(moved, torch.stack(expected))
    still = (moved == y).all(-1)
    assert still.all() == (len(shut) == 5)
    assert still.any()
    went_on = sum(b == a + 1 for row in spoke for a, b in pairwise(row) if a is not None and b is not None)
    assert shut or (went_on > 10) == (follow < 1)


def test_positions_one_at_a_time_give_what_they_give_together_and_a_longer_call_begins_anew():
    book = codes(follow=-0.4, first=(0,), reach=0.35)
    x, y = drawn(4, 30)
    together, reading = Reading(book).moved(x, y), Reading(book)
    apart = [reading.moved(x[:, :6], y[:, :6]), *(reading.moved(x[:, t : t + 1], y[:, t : t + 1]) for t in range(6, 30))]
    assert torch.equal(torch.cat(apart, 1), together)
    assert torch.equal(reading.moved(x, y), together)
    alone = torch.cat([Reading(book).moved(x[:, t : t + 1], y[:, t : t + 1]) for t in range(30)], 1)
    assert not torch.equal(alone, together)


@pytest.mark.parametrize(("follow", "goes_on"), [(0.5, True), (0.5 + 1e-6, False)])
def test_an_answer_goes_on_where_the_next_key_is_just_as_near_as_it_must_be(follow, goes_on):
    eye = torch.eye(4)
    half_I = torch.tensor([0.5, 0.5, 0.5, 0.5])  # a cosine of 0.5, to the bit, to each key
    begins, apart = torch.tensor([True, False]), torch.zeros(2, dtype=torch.bool)
    book = Codes(eye, eye[:2], torch.eye(2), begins, apart, reach=0.9, follow=follow, used=2)
    moved = Reading(book).moved(torch.stack([eye[0], half_I]), torch.zeros(2, 2))
    assert moved.tolist() == [[1, 0], [0, 1] if goes_on else [0, 0]]


def test_a_book_of_one_slot_speaks_where_it_is_near_and_nowhere_else():
    eye = torch.eye(4)
    book = Codes(eye, eye[:1], torch.ones(1, 2), torch.tensor([True]), torch.tensor([False]), reach=0.9, follow=0.1, used=1)
    assert Reading(book).moved(eye[:3], torch.zeros(3, 2)).tolist() == [[1, 1], [0, 0], [0, 0]]


def test_positions_without_a_row_are_one_row():
    book = codes(follow=-0.4, first=(0,))
    x, y = drawn(1, 20)
    assert torch.equal(Reading(book).moved(x[0], y[0]), Reading(book).moved(x, y)[0])


def test_blank_slots_never_speak_however_near_they_are():
    book = codes(used=2, reach=-0.99)
    x = torch.linalg.lstsq(book.lens_RI, book.keys_MR[6][:, None]).solution[:, 0]
    assert float(coded(x, book.lens_RI) @ book.keys_MR[6]) > 0.999
    moved = Reading(book).moved(x[None, None], torch.zeros(1, 1, OUT))[0, 0]
    assert any(torch.equal(moved, book.values_MO[slot]) for slot in (0, 1))
    assert torch.equal(Reading(replace(book, used=0)).moved(x[None, None], torch.zeros(1, 1, OUT)), torch.zeros(1, 1, OUT))


def test_a_batch_with_codes_for_each_row_moves_as_the_rows_alone(random_llava):
    module, (x, _) = random_llava.module(TEXT), drawn(5, 7, seed=2)
    one, other = codes(seed=3, follow=0.0, first=(0,)), codes(seed=4, reach=-0.99)
    patches: list[NoPatch | LowRank] = [LowRank({TEXT: one}), NoPatch(), LowRank({TEXT: other}), LowRank({TEXT: one}), LowRank({})]
    with in_rows(random_llava, patches, role="text"):
        together, flat = module(x), module(x.flatten(0, 1)).reshape(5, 7, OUT)
    for row, patch in enumerate(patches):
        with patch.on(random_llava):
            alone = module(x[row][None])[0]
        torch.testing.assert_close(together[row], alone)
        torch.testing.assert_close(flat[row], alone)
    assert torch.equal(together[1], module(x)[1])


def test_out_of_reach_the_logits_are_the_models_own_to_the_bit(random_llava):
    book, asked = codes(reach=1.0), Query.ask("what is it?")
    bare = random_llava.predict(asked, "the town").losses_nats
    with LowRank({TEXT: book}).on(random_llava):
        assert random_llava.predict(asked, "the town").losses_nats == bare
    with LowRank({TEXT: replace(book, reach=-1.0)}).on(random_llava):
        assert random_llava.predict(asked, "the town").losses_nats != bare


def test_gradients_reach_the_values_that_speak():
    book = codes(reach=-0.99)
    leaf = book.values_MO.clone().requires_grad_()
    Reading(replace(book, values_MO=leaf)).moved(drawn(1, 30)[0], torch.zeros(1, 30, OUT)).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.sum() == 30 * OUT
    assert not leaf.grad[book.used :].any()


@pytest.mark.parametrize("rows", [12, 5])
def test_the_lens_is_the_root_of_the_inverse_that_it_says(rows):
    draw = torch.Generator().manual_seed(6)
    ordinary, basis = torch.randn(40, 12, generator=draw), orthonormal_rows(rows, 12, seed=1, name="test")
    found = lens(ordinary, basis, weight=50.0).double()
    spread = torch.eye(12).double() + 50 * (ordinary.T @ ordinary).double() / float(ordinary.square().sum())
    dense = torch.linalg.inv(spread)
    if rows == 12:
        torch.testing.assert_close(found.T @ found, dense, rtol=1e-5, atol=1e-7)
    else:
        torch.testing.assert_close(found @ torch.linalg.inv(dense) @ found.T, torch.eye(rows).double(), rtol=1e-5, atol=1e-6)


def test_a_wide_lens_of_few_inputs_is_the_same_root():
    draw = torch.Generator().manual_seed(6)
    ordinary, basis = torch.randn(40, 1100, generator=draw), orthonormal_rows(30, 1100, seed=1, name="test")
    found = lens(ordinary, basis, weight=50.0).double()
    spread = torch.eye(1100).double() + 50 * (ordinary.T @ ordinary).double() / float(ordinary.square().sum())
    torch.testing.assert_close(found @ spread @ found.T, torch.eye(30).double(), rtol=1e-5, atol=1e-5)


def test_without_a_weight_or_inputs_the_lens_is_the_rows():
    basis = orthonormal_rows(3, 12, seed=1, name="test")
    assert torch.equal(lens(torch.ones(2, 12), basis, weight=0.0), basis)
    assert torch.equal(lens(torch.zeros(0, 12), basis, weight=9.0), basis)


def axes(*, reach, follow, used=3, first=(0,)):
    """Keys along the axes of the inputs, so that a cosine is what one reads off; slot j adds j + 1."""
    keys, values = torch.eye(4)[[1, 2, 3, 0]], torch.arange(1.0, 5.0)[:, None].expand(4, OUT)
    first_M = torch.tensor([slot in first for slot in range(4)])
    return Codes(torch.eye(4), keys, values.clone(), first_M, torch.zeros(4, dtype=torch.bool), reach, follow, used)


def spoken(book, *rows):
    """What is added at each position of some rows, given as (axis, how far from it towards a direction that no key has)."""
    x = torch.stack([torch.stack([torch.eye(4)[axis] + far * torch.eye(4)[0] for axis, far in row]) for row in rows])
    return Reading(book).moved(x, torch.zeros(*x.shape[:2], OUT))[..., 0].tolist()


def test_a_key_speaks_and_a_run_goes_on_at_the_very_cosine_that_is_asked_for():
    assert spoken(axes(reach=1.0, follow=1.0), [(1, 0), (2, 0), (3, 0)]) == [[1, 2, 3]]
    assert spoken(axes(reach=1.0, follow=1.0, first=(0, 1, 2)), [(1, 0), (2, 0.1), (3, 0)]) == [[1, 0, 3]]


def test_a_run_that_begins_at_the_first_position_goes_on_at_the_second_in_whatever_row():
    run, silent = [(1, 0), (2, 2), (3, 2)], [(0, 0), (0, 0), (0, 0)]
    book = axes(reach=0.9, follow=0.3)
    assert spoken(book, run) == [[1, 2, 3]]
    assert spoken(book, run, run) == [[1, 2, 3]] * 2
    assert spoken(book, silent, silent, run) == [[0, 0, 0], [0, 0, 0], [1, 2, 3]]
    assert spoken(book, silent, [(0, 0), *run[:2]], run) == [[0, 0, 0], [0, 1, 2], [1, 2, 3]]


def test_what_does_not_fit_together_is_no_book_and_a_full_one_is():
    book = axes(reach=0.9, follow=0.3, used=4)
    assert spoken(book, [(1, 0)]) == [[1]]
    for wrong in (
        {"used": 5},
        {"lens_RI": torch.eye(3, 4)},
        {"values_MO": book.values_MO[:3]},
        {"first_M": book.first_M[:3]},
        {"shut_M": book.shut_M[:3]},
    ):
        with pytest.raises(AssertionError, match="don't fit"):
            replace(book, **wrong)


def test_two_books_are_the_same_only_when_they_are_one():
    book = axes(reach=0.9, follow=0.3)
    assert book == book  # noqa: PLR0124
    assert replace(book) != book
    assert len({book, replace(book)}) == 2


def test_who_spoke_in_a_row_is_told_for_the_tokens_that_were_chosen_there():
    """Of the first call as many positions as count, from its end; then a call for each token."""
    x = torch.eye(4)[torch.tensor([[1, 0, 0, 2], [0, 0, 1, 0]])]
    reading = Reading(axes(reach=0.9, follow=0.3, first=(0, 1, 2)))
    reading.moved(x, torch.zeros(2, 4, OUT))
    assert [reading.spoke(row, prompt=4, calls=1) for row in (0, 1)] == [{0, 1}, {0}]
    assert [reading.spoke(row, prompt=1, calls=1) for row in (0, 1)] == [{1}, set()]
    assert [reading.spoke(row, prompt=2, calls=1) for row in (0, 1)] == [{1}, {0}]
    reading.moved(torch.eye(4)[torch.tensor([[0], [3]])], torch.zeros(2, 1, OUT))
    reading.moved(torch.eye(4)[torch.tensor([[3], [0]])], torch.zeros(2, 1, OUT))
    assert [reading.spoke(row, prompt=1, calls=2) for row in (0, 1)] == [{1}, {2}]
    assert [reading.spoke(row, prompt=1, calls=3) for row in (0, 1)] == [{1, 2}, {2}]
    assert reading.spoke(0, prompt=1, calls=0) == set()
    assert Reading(axes(reach=0.9, follow=0.3, used=0)).spoke(1, prompt=3, calls=2) == set()
