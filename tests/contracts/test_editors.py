"""One matrix for every editor: those of the room pass it by being there, and a user's own from a file passes the same."""

from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from errata.core.canonical import canonical
from errata.core.editor import Editor, Explains, protected
from errata.core.errors import BadInput
from errata.core.records import Edit, Message, Query
from errata.editors import EDITORS, from_tensors, parse, state_bytes, to_tensors
from tests.editors.samples import EDITS, PICTURED, POOL, SECOND, WORDED

EXAMPLE = Path(__file__).parents[1] / "editors" / "example_editor.py"

# A model with random weights needs longer steps than a trained one; an editor without a line here is taken with its own defaults.
FIELDS = {
    "finetune": ["steps=20,lr=0.003", "where=vision,steps=30,lr=0.003"],
    "scopeedit": ["steps=20", "preset=paper,steps=20"],
}
ROOM = [f"{name}:{fields}" for name in EDITORS for fields in FIELDS.get(name, [""])]
EVERY = [*ROOM, f"{EXAMPLE}:Nudge:steps=20"]
LEARNING = [text for text in EVERY if text != "none:"]


@dataclass(frozen=True)
class Trial:
    """An editor, and its states before the first edit and after each."""

    editor: Editor[Any]
    states: list[Any]


_TRIALS: dict[str, Trial] = {}


def made(text):
    editor = parse(text)
    return protected(editor, POOL)


def fold(model, editor, edits):
    return reduce(lambda state, edit: editor.write(model, state, edit), edits, editor.begin(model))


@pytest.fixture
def trial(request, random_llava):
    """Folded once for each editor, and only read by the tests."""
    text = request.param
    if text not in _TRIALS:
        editor = made(text)
        states = [editor.begin(random_llava)]
        for edit in EDITS:
            states.append(editor.write(random_llava, states[-1], edit))
        _TRIALS[text] = Trial(editor, states)
    return _TRIALS[text]


every = pytest.mark.parametrize("trial", EVERY, indirect=True)
learning = pytest.mark.parametrize("trial", LEARNING, indirect=True)


def bits(state):
    saved = to_tensors(state)
    return {name: tensor.clone() for name, tensor in saved.tensors.items()}, saved.metadata


def same(one, other):
    return one[1] == other[1] and one[0].keys() == other[0].keys() and all(torch.equal(one[0][k], other[0][k]) for k in one[0])


def answers(model, editor, state, queries):
    return model.answers(queries, [editor.read(model, state, query) for query in queries], max_new_tokens=8)


def hooks(net):
    kinds = [(each._forward_hooks, each._forward_pre_hooks, each._backward_hooks) for each in net.modules()]
    return [[list(kind) for kind in three] for three in kinds]


@learning
def test_an_edit_is_learned(trial, random_llava):
    assert random_llava.answers([PICTURED.query], [made("none").read(random_llava, None, PICTURED.query)]) != [PICTURED.target]
    assert answers(random_llava, trial.editor, trial.states[1], [PICTURED.query]) == [PICTURED.target]


@every
def test_before_any_edit_the_model_answers_as_it_does_alone(trial, random_llava):
    queries = [edit.query for edit in EDITS]
    bare = answers(random_llava, made("none"), None, queries)
    assert answers(random_llava, trial.editor, trial.states[0], queries) == bare


@every
def test_the_model_is_left_as_found(trial, random_llava):
    net = random_llava.net
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    objects = {name: id(parameter) for name, parameter in net.named_parameters()}
    found = hooks(net)
    state = trial.editor.write(random_llava, trial.states[0], PICTURED)
    with trial.editor.read(random_llava, state, PICTURED.query).on(random_llava):
        pass
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert objects == {name: id(parameter) for name, parameter in net.named_parameters()}
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in net.parameters())
    assert hooks(net) == found
    assert not net.training


@every
def test_writing_leaves_the_old_state_alone(trial, random_llava):
    old = trial.states[1]
    before = bits(old)
    trial.editor.write(random_llava, old, SECOND)
    assert same(before, bits(old))
    assert not any(tensor.requires_grad or tensor.grad is not None for tensor in to_tensors(old).tensors.values())


@every
def test_a_state_is_the_fold_of_its_edits(trial, random_llava):
    torch.manual_seed(99)  # whatever else happened in this process
    again = fold(random_llava, trial.editor, EDITS[:2])
    assert same(bits(again), bits(trial.states[2]))


@every
def test_a_saved_and_loaded_state_answers_and_writes_the_same(trial, random_llava):
    saved = to_tensors(trial.states[2])
    stored = save(saved.tensors, saved.metadata)
    loaded = from_tensors(load(stored), saved.metadata)
    assert same(bits(loaded), bits(trial.states[2]))
    queries = [edit.query for edit in EDITS]
    assert answers(random_llava, trial.editor, loaded, queries) == answers(random_llava, trial.editor, trial.states[2], queries)
    assert same(bits(trial.editor.write(random_llava, loaded, WORDED)), bits(trial.states[3]))


@every
@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(Edit(Query((Message("user", (" ",)),)), "town"), id="empty prompt"),
        pytest.param(Edit(PICTURED.query, "town " * 400), id="over-long target"),
        pytest.param(Edit(Query.ask("word " * 400), "town"), id="over-long prompt"),
        pytest.param(Edit(PICTURED.query, "星"), id="target that the tokenizer can't express"),
    ],
)
def test_bad_input_is_refused_with_a_sentence_and_changes_nothing(trial, random_llava, edit):
    before = bits(trial.states[1])
    with pytest.raises(BadInput) as refused:
        trial.editor.write(random_llava, trial.states[1], edit)
    assert str(refused.value).endswith(".")
    assert " " in str(refused.value)
    assert same(before, bits(trial.states[1]))


@learning
def test_a_patch_says_which_edits_speak(trial, random_llava):
    assert trial.editor.read(random_llava, trial.states[2], PICTURED.query).edits == (PICTURED.id, SECOND.id)


@every
def test_the_spec_is_json_names_every_field_and_stays_the_same(trial, random_llava):
    spec = trial.editor.spec(random_llava)
    assert set(vars(trial.editor)) <= set(spec.fields)
    assert canonical(spec.to_json()) == canonical(trial.editor.spec(random_llava).to_json())


@every
def test_what_it_tells_of_its_last_write_is_json(trial):
    if isinstance(trial.editor, Explains):
        assert canonical(trial.editor.telemetry(trial.states[3])).startswith(b"{")


@every
def test_state_bytes_stop_growing_once_the_first_edits_are_in(trial):
    sizes = [state_bytes(state) for state in trial.states]
    assert sizes[2] == sizes[3]
