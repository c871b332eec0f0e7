"""Fine-tuning against the library's own optimiser, and what each variant may touch."""

from dataclasses import replace

import pytest
import torch

from errata.core.errors import BadInput
from errata.core.records import Query
from errata.editors import parse
from errata.editors.finetune import FineTune
from errata.nn.patches import Replaced
from tests.editors.samples import PICTURED, SECOND, WORDED, told


def test_it_writes_the_last_layers_mlp_or_the_projector(random_llava):
    text = FineTune(steps=1).write(random_llava, FineTune().begin(random_llava), PICTURED)
    last = max(random_llava.groups.values())
    assert set(text.weights) == {path for path, layer in random_llava.groups.items() if layer == last}
    vision = FineTune(where="vision", steps=1)
    assert set(vision.write(random_llava, vision.begin(random_llava), PICTURED).weights) == set(random_llava.writable["projector"])


def test_a_write_is_adamw_from_the_weights_before(random_llava):
    editor = FineTune(steps=3, lr=1e-3)
    once = editor.write(random_llava, editor.begin(random_llava), PICTURED)
    twice = editor.write(random_llava, once, SECOND)
    leaves = {path: weight.clone().requires_grad_() for path, weight in once.weights.items()}
    optimiser = torch.optim.AdamW(leaves.values(), lr=1e-3, weight_decay=0.01)
    for _ in range(3):
        optimiser.zero_grad()
        with Replaced(leaves).on(random_llava):
            random_llava.loss(SECOND.query, SECOND.target).backward()
        optimiser.step()
    for path, weight in twice.weights.items():
        assert torch.allclose(weight, leaves[path], atol=1e-7)
        assert not torch.equal(weight, once.weights[path])


def test_a_text_only_edit_gives_the_projector_nothing_to_learn(random_llava):
    editor = FineTune(where="vision", steps=2)
    once = editor.write(random_llava, editor.begin(random_llava), PICTURED)
    again = editor.write(random_llava, once, WORDED)
    assert again.weights is once.weights
    assert again.edits == (PICTURED.id, WORDED.id)


def test_it_stops_when_told_to(random_llava):
    editor = FineTune(steps=20, lr=3e-3)
    begun = editor.begin(random_llava)
    losses = told(editor.write(random_llava, begun, PICTURED))["losses_nats"]
    stop = (losses[0] + losses[5]) / 2
    last = told(replace(editor, stop_nats=stop).write(random_llava, begun, PICTURED))
    assert last["losses_nats"][-1] < stop <= last["losses_nats"][-2]
    assert last["steps"] < 20


@pytest.mark.parametrize("fields", ["steps=0", "lr=0", "lr=-1", "weight_decay=-1", "stop_nats=-1"])
def test_a_value_out_of_range_is_refused_with_a_sentence(fields):
    with pytest.raises(BadInput, match=r"FineTune's .*\."):
        parse(f"finetune:{fields}")


def test_it_learns_every_wording_that_the_user_gave(random_llava):
    other = Query.ask("Say what is at the top left.", *PICTURED.query.images)

    def loss(edit):
        editor = FineTune(steps=6)
        state = editor.write(random_llava, editor.begin(random_llava), edit)
        with editor.read(random_llava, state, other).on(random_llava):
            return float(random_llava.loss(other, PICTURED.target).detach())

    assert loss(replace(PICTURED, also=(other,))) < loss(PICTURED)
