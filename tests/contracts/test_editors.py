"""One matrix for every editor: those of the room pass it by being there, and a user's own from a file passes the same."""

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from errata.core.canonical import canonical
from errata.core.editor import Editor, Explains, Forgets, Merges, protected
from errata.core.errors import BadInput
from errata.core.records import Edit, Message, Query
from errata.editors import EDITORS, from_tensors, parse, state_bytes, to_tensors
from errata.models import TransformersModel
from errata.session.ready import equipped
from tests.conftest import BUILT
from tests.editors.samples import EDITS, PICTURED, POOL, SECOND, WORDED
from tests.editors.trained import filled_in

EXAMPLE = Path(__file__).parents[1] / "editors" / "example_editor.py"

SCOPES = [
    ("scope=nearest", "memory=each"),
    ("scope=text,checkpoint={text}", "memory=each"),
    ("scope=multimodal,checkpoint={multimodal}", "memory=each"),
    ("scope=text,checkpoint={text}", "memory=fold"),
]

# A model with random weights needs longer steps than a trained one; an editor without a line here is taken with its own defaults.
FIELDS = {
    "codebook": ["slots=64,steps=20"],
    "finetune": ["steps=20,lr=0.003", "where=vision,steps=30,lr=0.003"],
    "mend": ["checkpoint={mend}", "checkpoint={mend-vision}"],
    "odedit": ["editor=finetune:steps=20;lr=0.003", "editor=scopeedit:steps=20"],
    "scopeedit": ["steps=20,longest=none", "preset=paper,learns_end=true,steps=20"],
    "scoped": ["", *(f"{scope},editor=finetune:steps=20;lr=0.003,{memory}" for scope, memory in SCOPES)],
}
TOLD = ["serac:checkpoint={text}", "mscke:checkpoint={multimodal}"]
STATES = "states:checkpoint={states}"
MSCKE_MEND = "mscke:checkpoint={multimodal},editor=mend:checkpoint={mend}"
ROOM = [*TOLD, STATES, MSCKE_MEND, *(f"{name}:{fields}" for name in EDITORS for fields in FIELDS.get(name, [""]))]
EVERY = [*ROOM, f"{EXAMPLE}:Nudge:steps=20"]
SPEAKING = [text for text in EVERY if text != "none:"]

# These change no weight, and a model with random weights follows no words: here it counts what they say to it, and
# tests/editors/test_scoped.py has the shipped model answer.
IN_CONTEXT = ("told:", "ike:", "scoped:", "golden:", "patch:", *TOLD)

# What goes into a layer differs from family to family: of each editor one is taken to the families besides LLaVA, too.
BESIDE = ("pin", "cache", "golden", "patch")
"""These put nothing into a layer."""

ELSEWHERE = [f"{name}:{FIELDS.get(name, [''])[0]}" for name in EDITORS if name not in BESIDE]
TAKEN = [("llava", text) for text in EVERY] + [(family, text) for family in BUILT if family != "llava" for text in ELSEWHERE]


@dataclass(frozen=True)
class Trial:
    """An editor, a model, and the states before the first edit and after each."""

    editor: Editor[Any]
    model: TransformersModel
    states: list[Any]


_TRIALS: dict[tuple[str, str], Trial] = {}


def made(text, model):
    return protected(equipped(parse(filled_in(text, model))), POOL)


def fold(model, editor, edits):
    return reduce(lambda state, edit: editor.write(model, state, edit), edits, editor.begin(model))


@pytest.fixture
def trial(request):
    """Folded once for each editor and model, and only read by the tests."""
    family, text = request.param
    if request.param not in _TRIALS:
        model = request.getfixturevalue(BUILT[family])
        editor = made(text, model)
        states = [editor.begin(model)]
        for edit in EDITS:
            states.append(editor.write(model, states[-1], edit))
        _TRIALS[request.param] = Trial(editor, model, states)
    return _TRIALS[request.param]


def _of(taken):
    return pytest.mark.parametrize("trial", taken, indirect=True, ids=[f"{family}-{text}" for family, text in taken])


every = _of(TAKEN)
speaking = _of([(family, text) for family, text in TAKEN if text != "none:"])
learning = _of([(family, text) for family, text in TAKEN if text not in ("none:", *IN_CONTEXT)])
telling = _of([(family, text) for family, text in TAKEN if text in IN_CONTEXT])


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
def test_an_edit_is_learned(trial):
    assert trial.model.answers([PICTURED.query], [parse("none").read(trial.model, None, PICTURED.query)]) != [PICTURED.target]
    assert answers(trial.model, trial.editor, trial.states[1], [PICTURED.query]) == [PICTURED.target]


@telling
def test_an_edit_is_told_with_its_answer_before_the_question(trial):
    read = trial.editor.read(trial.model, trial.states[1], PICTURED.query).query
    before, _, after = read.text.rpartition(PICTURED.query.text)
    assert (PICTURED.target in before, after, read.images) == (True, "", PICTURED.query.images)


@every
def test_before_any_edit_the_model_answers_as_it_does_alone(trial):
    queries = [edit.query for edit in EDITS]
    bare = answers(trial.model, parse("none"), None, queries)
    assert answers(trial.model, trial.editor, trial.states[0], queries) == bare


@every
def test_the_model_is_left_as_found(trial):
    net = trial.model.net
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    objects = {name: id(parameter) for name, parameter in net.named_parameters()}
    found = hooks(net)
    state = trial.editor.write(trial.model, trial.states[0], PICTURED)
    with trial.editor.read(trial.model, state, PICTURED.query).on(trial.model):
        pass
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert objects == {name: id(parameter) for name, parameter in net.named_parameters()}
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in net.parameters())
    assert hooks(net) == found
    assert not net.training


@every
def test_writing_leaves_the_old_state_alone(trial):
    old = trial.states[1]
    before = bits(old)
    trial.editor.write(trial.model, old, SECOND)
    assert same(before, bits(old))
    assert not any(tensor.requires_grad or tensor.grad is not None for tensor in to_tensors(old).tensors.values())


@every
def test_a_state_is_the_fold_of_its_edits(trial):
    torch.manual_seed(99)  # whatever else happened in this process
    again = fold(trial.model, trial.editor, EDITS[:2])
    assert same(bits(again), bits(trial.states[2]))


@every
def test_a_saved_and_loaded_state_answers_and_writes_the_same(trial):
    saved = to_tensors(trial.states[2])
    stored = save(saved.tensors, saved.metadata)
    loaded = from_tensors(load(stored), saved.metadata)
    assert same(bits(loaded), bits(trial.states[2]))
    queries = [edit.query for edit in EDITS]
    assert answers(trial.model, trial.editor, loaded, queries) == answers(trial.model, trial.editor, trial.states[2], queries)
    assert same(bits(trial.editor.write(trial.model, loaded, WORDED)), bits(trial.states[3]))


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
def test_bad_input_is_refused_with_a_sentence_and_changes_nothing(trial, edit):
    before = bits(trial.states[1])
    with pytest.raises(BadInput) as refused:
        trial.editor.write(trial.model, trial.states[1], edit)
    assert str(refused.value).endswith(".")
    assert " " in str(refused.value)
    assert same(before, bits(trial.states[1]))


@speaking
def test_a_patch_says_which_edits_speak(trial):
    patch = trial.editor.read(trial.model, trial.states[2], PICTURED.query)
    # Where a scope decides, the edit that the query is about speaks alone; where one state holds all edits, all of them do.
    one = patch.decision is not None and trial.editor.forget(trial.states[2], PICTURED.id) is not None
    assert patch.edits == ((PICTURED.id,) if one else (PICTURED.id, SECOND.id))


@every
def test_forgetting_an_edit_equals_never_having_had_it(trial):
    if isinstance(trial.editor, Forgets):
        for gone in EDITS:
            forgotten = trial.editor.forget(trial.states[3], gone.id)
            if forgotten is not None:  # None: only a fold can tell
                without = fold(trial.model, trial.editor, [edit for edit in EDITS if edit is not gone])
                assert same(bits(forgotten), bits(without))


@every
def test_merged_into_weights_it_says_what_its_reads_say(trial):
    merged = trial.editor.merged(trial.model, trial.states[3]) if isinstance(trial.editor, Merges) else None
    if merged is None:
        return
    for edit in EDITS:
        with merged.on(trial.model):
            as_weights = trial.model.loss(edit.query, edit.target)
        with trial.editor.read(trial.model, trial.states[3], edit.query).on(trial.model):
            apart = trial.model.loss(edit.query, edit.target)
        assert abs(as_weights - apart) < 1e-3
        if edit is PICTURED:  # words alone write nothing into a projector
            assert abs(as_weights - trial.model.loss(edit.query, edit.target)) > 0.01
    assert merged.edits == tuple(edit.id for edit in EDITS)


@every
def test_the_spec_is_json_names_every_field_and_stays_the_same(trial):
    spec = trial.editor.spec(trial.model)
    assert set(vars(trial.editor)) - {"objective"} <= set(spec.fields)  # another editor hands that in for one write, and names it
    assert canonical(spec.to_json()) == canonical(trial.editor.spec(trial.model).to_json())


@every
def test_what_it_tells_of_its_last_write_is_json(trial):
    if isinstance(trial.editor, Explains):
        assert canonical(trial.editor.telemetry(trial.states[3])).startswith(b"{")


@every
def test_state_bytes_stop_growing_or_grow_by_what_each_edit_takes_alone(trial):
    sizes = [state_bytes(state) for state in trial.states]
    grown = [after - before for before, after in pairwise(sizes)]
    if not isinstance(trial.editor, Forgets) or not any(grown):
        assert grown[-1] == 0
    elif trial.editor.forget(trial.states[2], PICTURED.id) is None:  # one state of all behind a scope: only its keys grow
        assert grown[1] == grown[2] > 0
    else:
        assert grown == [state_bytes(fold(trial.model, trial.editor, [edit])) - sizes[0] for edit in EDITS]
        assert min(grown) > 0
