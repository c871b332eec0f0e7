"""Batches of answers: order, likeness to the rows alone, what is kept between calls, and what refuses to be kept."""

from __future__ import annotations

import pytest
import torch

from errata.core.cache import Recent
from errata.core.errors import BadInput
from errata.core.records import Query
from errata.models import load
from errata.models._groups import MAX_ROWS, MAX_TOKENS, chunks
from errata.nn.patches import Delta, LowRank, NoPatch, Replaced, Rewrite
from tests.conftest import picture

SEEN = Query.ask("what is the red star called?", picture(1))


def shift(model, path):
    """A patch that moves the module's output by a mix of its inputs; their plain sum is nothing after a layer norm."""
    out_features, in_features = model.module(path).weight.shape
    generator = torch.Generator().manual_seed(5)
    return LowRank(
        {path: Delta(torch.randn(1, in_features, generator=generator), torch.randn(out_features, 1, generator=generator))}
    )


def test_answers_come_in_the_order_of_the_queries_over_many_passes(model):
    lengths = [(7 * i) % 23 for i in range(MAX_ROWS + 40)]
    queries = [Query.ask("what " + "red " * n + f"is {n % 3}?", *([picture(n)] if n % 2 else [])) for n in lengths]
    together = model.answers(queries, [NoPatch()] * len(queries), max_new_tokens=4)
    some = range(0, len(queries), 11)
    assert [together[i] for i in some] == [model.answers([queries[i]], [NoPatch()], max_new_tokens=4)[0] for i in some]
    assert len(set(together)) > 3


def test_nothing_is_asked_and_nothing_is_answered(model):
    assert model.answers([], []) == []
    assert model.predict_many([], [], []) == []


def test_passes_hold_every_row_once_within_their_limits():
    lengths = [(37 * i) % 300 + 1 for i in range(1000)] + [MAX_TOKENS + 1, 3 * MAX_TOKENS]
    passes = chunks(lengths)
    assert sorted(row for rows in passes for row in rows) == list(range(len(lengths)))
    assert all(len(rows) <= MAX_ROWS for rows in passes)
    assert all(len(rows) == 1 or len(rows) * max(lengths[row] for row in rows) <= MAX_TOKENS for rows in passes)
    assert len(passes) < 40


def test_a_patch_of_a_users_own_kind_is_put_in_force_around_its_rows(model):
    path = model.writable["text"][0]

    class Mine:
        edits = ()
        decision = None

        def on(self, model):
            return Replaced({path: -model.module(path).weight}).on(model)

    mine, same = Mine(), Replaced({path: -model.module(path).weight})
    asked = [SEEN, SEEN, Query.ask("where does mibo live?")]
    found = model.answers(asked, [mine, NoPatch(), mine], max_new_tokens=5)
    assert found == model.answers(asked, [same, NoPatch(), same], max_new_tokens=5)
    assert found[0] != found[1]
    assert model.predict_many(asked, ["two"] * 3, [mine] * 3) == model.predict_many(asked, ["two"] * 3, [same] * 3)


def test_a_patch_around_a_call_and_patches_in_its_rows_add_up(model):
    path, other = model.writable["text"][0], model.writable["projector"][0]
    with shift(model, path).on(model) as patched:
        inside = patched.answers([SEEN, SEEN], [shift(model, other), NoPatch()], max_new_tokens=6)
    both = LowRank({**shift(model, path).deltas, **shift(model, other).deltas})
    assert inside == model.answers([SEEN, SEEN], [both, shift(model, path)], max_new_tokens=6)


def test_kept_vision_features_are_bit_for_bit_what_the_tower_gives(model_folder):
    fresh = load(model_folder)
    first = fresh.loss(SEEN, "mibo")
    fresh.answers([SEEN] * 3, [NoPatch()] * 3, max_new_tokens=2)
    assert torch.equal(fresh.loss(SEEN, "mibo"), first)
    tower = fresh.net.get_submodule(fresh.front.tower[0])
    calls = []
    handle = tower.register_forward_hook(lambda *_: calls.append(1))
    assert torch.equal(fresh.loss(SEEN, "mibo"), first)
    handle.remove()
    assert calls, "a listener on the tower must hear it, kept features or not"
    fresh.loss(SEEN, "mibo")
    assert len(calls) == 1


def test_the_tower_runs_once_for_a_picture_however_often_it_is_asked_about(model_folder, monkeypatch):
    fresh, runs = load(model_folder), []
    tower = fresh.net.get_submodule(fresh.front.tower[0])
    forward = tower.forward

    def counted(*args, **kwargs):  # no hook: a listener makes the tower run afresh
        runs.append(1)
        return forward(*args, **kwargs)

    monkeypatch.setattr(tower, "forward", counted)
    queries = [Query.ask(f"what is the {word}?", picture(seed)) for seed in (1, 2) for word in ("star", "ring", "moon")]
    fresh.answers(queries, [NoPatch()] * 6, max_new_tokens=2)
    fresh.answers(queries, [shift(fresh, fresh.writable["projector"][0])] * 6, max_new_tokens=2)
    assert len(runs) == 2
    fresh.answers(queries, [shift(fresh, fresh.writable["vision"][0])] * 6, max_new_tokens=2)
    assert len(runs) == 8


def test_changed_weights_in_the_tower_are_seen_whether_swapped_or_written_in_place(model_folder):
    fresh = load(model_folder)
    path = fresh.writable["vision"][0]
    first = fresh.loss(SEEN, "mibo")
    weight = fresh.net.get_parameter(f"{path}.weight")
    with Replaced({path: -weight}).on(fresh):
        swapped = fresh.loss(SEEN, "mibo")
    weight.neg_()
    assert torch.equal(fresh.loss(SEEN, "mibo"), swapped)
    assert not torch.equal(swapped, first)


def test_a_cache_forgets_what_was_used_longest_ago():
    made = []
    cache: Recent[str, int] = Recent(2, lambda _: 1)

    def make():
        made.append(1)
        return len(made)

    def get(key):
        return cache.get(key, make)

    assert [get(key) for key in "aba"] == [1, 2, 1]
    get("c")
    assert get("a") == 1
    assert get("b") == 4
    assert len(cache) == 2


def test_a_value_beyond_the_budget_is_made_and_not_kept():
    cache: Recent[str, int] = Recent(2, lambda value: value)
    assert cache.get("a", lambda: 5) == 5
    assert len(cache) == 0
    assert cache.get("a", lambda: 1) == 1


def test_the_model_is_named_by_its_weights_whatever_is_in_force(model_folder):
    fresh, loaded = load(model_folder), load(model_folder).digest
    weights = {path: -fresh.net.get_parameter(f"{path}.weight") for path in fresh.writable["text"]}
    with Replaced(weights).on(fresh) as patched:
        inside = patched.digest
    assert inside == loaded
    other = load(model_folder)
    other.net.get_parameter(f"{other.writable['text'][0]}.weight")[0, 0] += 1
    assert other.digest != loaded
    assert load(model_folder, dtype="bfloat16").digest != loaded


def test_the_answer_of_a_rewritten_row_is_the_other_questions(model):
    other = Query.ask("how many things are there?", picture(4))
    assert model.answers([SEEN, SEEN], [Rewrite(other), NoPatch()], max_new_tokens=5) == model.answers(
        [other, SEEN], [NoPatch(), NoPatch()], max_new_tokens=5
    )


def test_half_precision_answers_and_takes_float32_patches(model_folder):
    model = load(model_folder, dtype="bfloat16")
    patch = shift(model, model.writable["text"][0])
    assert len(set(model.answers([SEEN] * 2, [patch, NoPatch()], max_new_tokens=5))) == 2
    assert model.loss(SEEN, "mibo").dtype == torch.float32


def test_counts_that_differ_are_refused(model):
    with pytest.raises(ValueError, match="2 queries came with 1 patches"):
        model.answers([SEEN, SEEN], [NoPatch()])
    with pytest.raises(ValueError, match="1 queries, 2 targets and 1 patches"):
        model.predict_many([SEEN], ["a", "b"], [NoPatch()])


@pytest.mark.parametrize("count", [0, -3])
def test_an_answer_of_no_tokens_is_refused(model, count):
    with pytest.raises(BadInput, match=f"An answer of {count} tokens"):
        model.answers([SEEN], [NoPatch()], max_new_tokens=count)
