"""Recording inputs: what a module saw, and no hook left behind."""

import pytest
import torch

from errata.models import load
from errata.nn.trace import inputs_of
from tests.editors.samples import PICTURED, WORDED
from tests.zoo import families


def hooks(model):
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in model.net.modules())


def fail_after(action):
    action()
    raise AssertionError("on purpose")


def test_it_records_what_each_module_saw_at_every_position(random_llava):
    path = random_llava.writable["text"][-1]
    seen = []
    handle = random_llava.module(path).register_forward_pre_hook(lambda module, args: seen.append(args[0].detach().clone()))
    try:
        with torch.no_grad(), inputs_of(random_llava, [path]) as inputs:
            random_llava.loss(PICTURED.query, PICTURED.target)
    finally:
        handle.remove()
    assert torch.equal(inputs[path], seen[0][0].float())
    assert inputs[path].shape[0] == random_llava.positions(PICTURED.query, PICTURED.target).length


def test_a_projector_that_no_picture_reached_is_not_in_it(random_llava):
    path = random_llava.writable["projector"][0]
    with torch.no_grad(), inputs_of(random_llava, [path]) as inputs:
        random_llava.loss(WORDED.query, WORDED.target)
        assert dict(inputs) == {}
        random_llava.loss(PICTURED.query, PICTURED.target)
    positions = random_llava.positions(PICTURED.query, PICTURED.target)
    assert inputs[path].shape[0] == len(positions.image)


def test_no_hook_is_left_also_when_the_block_fails(random_llava):
    before, inside = hooks(random_llava), []
    with pytest.raises(AssertionError, match="on purpose"), inputs_of(random_llava, random_llava.writable["text"]):
        fail_after(lambda: inside.append(hooks(random_llava)))
    assert inside[0] > before
    assert hooks(random_llava) == before


def test_where_an_answer_begins_is_what_a_module_sees_there_whatever_the_answer(random_llava):
    paths = random_llava.writable["text"][-2:]
    found = random_llava.beginnings([PICTURED.query, WORDED.query], paths)
    for row, edit in enumerate((PICTURED, WORDED)):
        with torch.no_grad(), inputs_of(random_llava, paths) as inputs:
            random_llava.loss(edit.query, edit.target)
        first = random_llava.positions(edit.query, edit.target).predicting[0]
        for path in paths:
            torch.testing.assert_close(found[path][row], inputs[path][first])
            assert not torch.allclose(found[path][row], inputs[path][first - 1])


@pytest.mark.parametrize("family", ["qwen2_5_vl", "gemma3"])
def test_answers_to_pictures_begin_where_a_model_is_told_of_each_token_what_kind_it_is(family, tmp_path):
    families()[family].build(tmp_path / family)
    model = load(tmp_path / family)
    (path,) = model.writable["text"][-1:]
    found = model.beginnings([PICTURED.query, WORDED.query], (path,))[path]
    for row, edit in enumerate((PICTURED, WORDED)):
        with torch.no_grad(), inputs_of(model, (path,)) as inputs:
            model.loss(edit.query, edit.target)
        torch.testing.assert_close(found[row], inputs[path][model.positions(edit.query, edit.target).predicting[0]].float())


def test_of_no_queries_there_is_nothing_as_wide_as_the_module(random_llava):
    (path,) = random_llava.writable["text"][-1:]
    assert random_llava.beginnings([], (path,))[path].shape == (0, random_llava.module(path).weight.shape[1])
