"""What holds for every patch: leaving its block leaves the model bit for bit as it was, with no hook, whatever happened inside."""

from __future__ import annotations

import pytest
import torch

from errata.core.records import EditId, Query
from errata.nn.patches import Delta, LowRank, NoPatch, Replaced, Rewrite, in_rows
from tests.conftest import picture

QUERY = Query.ask("what is the red star called?", picture(1))
BY = (EditId("a" * 64),)


def low_rank(model):
    return LowRank(
        {
            path: Delta(torch.ones(2, model.module(path).weight.shape[1]), torch.ones(model.module(path).weight.shape[0], 2))
            for paths in model.writable.values()
            for path in paths
        },
        BY,
    )


def replaced(model):
    return Replaced({path: -model.module(path).weight for paths in model.writable.values() for path in paths}, BY)


PATCHES = {
    "nothing": lambda model: NoPatch(),
    "low_rank": low_rank,
    "replaced": replaced,
    "rewrite": lambda model: Rewrite(Query.ask("where does it live?"), BY),
}


def state(model):
    """Every weight's object, version and bytes, in order, with whether it wants a gradient; and every hook."""
    weights = [
        (name, id(value), value._version, value.requires_grad, value.clone())
        for name, value in model.net.state_dict(keep_vars=True).items()
    ]
    hooks = [
        (name, *module._forward_hooks, *module._forward_pre_hooks, *module._backward_hooks)
        for name, module in model.net.named_modules()
    ]
    return weights, hooks


def assert_same(before, after):
    assert before[1] == after[1]
    for (*facts, value), (*facts_after, value_after) in zip(before[0], after[0], strict=True):
        assert facts == facts_after
        assert torch.equal(value, value_after)


@pytest.mark.parametrize("make", PATCHES.values(), ids=PATCHES.keys())
def test_a_patch_leaves_the_model_as_found(model, make):
    before, loss_before = state(model), model.loss(QUERY, "mibo")
    with make(model).on(model) as patched:
        patched.answers([QUERY], [NoPatch()], max_new_tokens=2)
        inside = patched.loss(QUERY, "mibo")
    assert_same(before, state(model))
    assert torch.equal(model.loss(QUERY, "mibo"), loss_before)
    assert torch.equal(inside, loss_before) == isinstance(make(model), NoPatch)


@pytest.mark.parametrize("make", PATCHES.values(), ids=PATCHES.keys())
def test_a_patch_leaves_the_model_as_found_when_the_block_raises(model, make):
    before = state(model)
    with pytest.raises(ZeroDivisionError), make(model).on(model):
        raise ZeroDivisionError
    assert_same(before, state(model))


@pytest.mark.parametrize("make", PATCHES.values(), ids=PATCHES.keys())
def test_a_batch_leaves_the_model_as_found(model, make):
    before = state(model)
    model.answers([QUERY, QUERY], [make(model), NoPatch()], max_new_tokens=2)
    model.predict_many([QUERY, QUERY], ["mibo", "two"], [make(model), NoPatch()])
    assert_same(before, state(model))


def test_a_batch_leaves_the_model_as_found_when_the_block_raises(model):
    before = state(model)
    with pytest.raises(ZeroDivisionError), in_rows(model, [low_rank(model)] * 2, role="text"):
        raise ZeroDivisionError
    assert_same(before, state(model))


@pytest.mark.parametrize("make", PATCHES.values(), ids=PATCHES.keys())
def test_a_patch_says_who_speaks_and_cannot_be_changed(model, make):
    patch = make(model)
    assert patch.edits == (() if isinstance(patch, NoPatch) else BY)
    with pytest.raises(AttributeError):
        patch.edits = ()
