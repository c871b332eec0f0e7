"""What people do where they can't change a model: a pinned answer, a semantic cache, golden questions, a prompt patch, a LoRA."""

from typing import Any

import pytest
import torch

from errata.core.errors import BadInput, Unknown
from errata.core.records import Edit, Query
from errata.editors import from_tensors, parse, to_tensors
from errata.nn.patches import LowRank, NoPatch, Rewrite, Verbatim
from tests.editors.samples import EDITS, PICTURED, WORDED, picture

USUAL = ("pin", "cache", "golden", "patch", "lora:every=2,epochs=2")
FAR = Query.ask("two plums and salt, or 35", picture(10, 200, 40))


def filled(model, text, *edits):
    editor: Any = parse(text)
    state = editor.begin(model)
    for edit in edits:
        state = editor.write(model, state, edit)
    return editor, state


def lost(model, edit, patch):
    """Nats of the target."""
    with patch.on(model) as view:
        return sum(view.predict(edit.query, edit.target).losses_nats)


@pytest.mark.parametrize("text", USUAL)
def test_without_corrections_the_model_answers_as_it_is(random_llava, text):
    editor, state = filled(random_llava, text)
    assert isinstance(editor.read(random_llava, state, FAR), NoPatch)


@pytest.mark.parametrize("text", USUAL)
def test_a_state_comes_back_from_its_tensors_and_says_the_same(random_llava, text):
    editor, state = filled(random_llava, text, *EDITS)
    saved = to_tensors(state)
    again = from_tensors(saved.tensors, saved.metadata)
    for query in (PICTURED.query, FAR):
        one, other = (editor.read(random_llava, each, query) for each in (state, again))
        assert type(one) is type(other)
        assert random_llava.answers([query], [one], max_new_tokens=4) == random_llava.answers([query], [other], max_new_tokens=4)


@pytest.mark.parametrize("text", ["pin", "cache", "golden", "patch"])
def test_what_is_taken_back_was_never_there(random_llava, text):
    editor, all_three = filled(random_llava, text, *EDITS)
    _, two = filled(random_llava, text, EDITS[0], EDITS[2])
    left = editor.forget(all_three, EDITS[1].id)
    for query in (EDITS[1].query, EDITS[0].query, FAR):
        one, other = (editor.read(random_llava, each, query) for each in (left, two))
        assert type(one) is type(other)
        assert one.edits == other.edits
        assert EDITS[1].id not in one.edits


def test_a_pinned_answer_is_given_to_the_same_question_however_it_is_typed_and_to_no_other(random_llava):
    editor, state = filled(random_llava, "pin", *EDITS)
    for text in ("Where does it live?", "  where does IT live ", "where  does it live"):
        said = editor.read(random_llava, state, Query.ask(text))
        assert isinstance(said, Verbatim)
        assert (said.text, said.edits) == ("in the town", (WORDED.id,))
    for other in (
        Query.ask("In what place does it live?"),
        Query.ask("Where does it live?", picture(250, 0, 0)),
        Query.ask("What is at the top left?", picture(249, 0, 0)),
    ):
        assert isinstance(editor.read(random_llava, state, other), NoPatch)


def test_a_pinned_answer_is_given_to_the_wordings_that_came_with_it_and_the_later_one_holds(random_llava):
    wordings = Edit(WORDED.query, WORDED.target, also=(Query.ask("Its home?"),))
    editor, state = filled(random_llava, "pin", wordings, Edit(Query.ask("its home"), "the sea"))
    assert editor.read(random_llava, state, Query.ask("Its home?")).text == "the sea"
    assert editor.read(random_llava, state, WORDED.query).text == "in the town"


def test_a_semantic_cache_gives_a_near_question_the_stored_answer_whatever_its_picture(random_llava):
    near = Query.ask("What is at the top left now?", picture(0, 0, 250))
    editor, state = filled(random_llava, "cache", *EDITS)
    hit = editor.read(random_llava, state, near)
    assert isinstance(hit, Verbatim)
    assert hit.text == PICTURED.target  # which is what is wrong with it
    assert isinstance(editor.read(random_llava, state, FAR), NoPatch)
    strict, state = filled(random_llava, "cache:threshold=0.999", *EDITS)
    assert isinstance(strict.read(random_llava, state, near), NoPatch)


def test_golden_questions_stand_before_every_question_the_most_similar_last(random_llava):
    editor, state = filled(random_llava, r"golden:k=2,form={question} {answer}\n", *EDITS)
    asked = Query.ask("Which shape is that?")
    said = editor.read(random_llava, state, asked)
    assert isinstance(said, Rewrite)
    assert len(said.edits) == 2
    assert said.edits[0] == EDITS[1].id
    assert said.query.text.endswith(f"{EDITS[1].query.text} {EDITS[1].target}\n{asked.text}")
    assert isinstance(editor.read(random_llava, state, FAR), Rewrite)


def test_a_prompt_patch_says_all_corrections_and_leaves_the_oldest_out_once_the_context_is_full(random_llava):
    editor, state = filled(random_llava, r"patch:form={fact}.\n", *EDITS)
    said = editor.read(random_llava, state, FAR)
    assert said.edits == tuple(edit.id for edit in EDITS)
    assert all(edit.target in said.query.text for edit in EDITS)
    for place in range(60):
        state = editor.write(random_llava, state, Edit(Query.ask(f"How many are there of {place}?"), f"{place} and two"))
    late = editor.read(random_llava, state, FAR)
    assert 1 < len(late.edits) < 63
    assert "59 and two" in late.query.text
    assert EDITS[0].id not in late.edits
    random_llava.check(late.query)


def test_a_nightly_lora_changes_nothing_until_its_night_and_then_learns_all_that_came(random_llava):
    editor, state = filled(random_llava, "lora:every=3,epochs=12,lr=0.01", *EDITS[:2])
    assert isinstance(editor.read(random_llava, state, EDITS[0].query), NoPatch)
    assert editor.telemetry(state) == {"losses_nats": [], "trained_on": 0, "waiting": 2}
    state = editor.write(random_llava, state, EDITS[2])
    patch = editor.read(random_llava, state, FAR)
    assert isinstance(patch, LowRank)
    assert patch.edits == tuple(edit.id for edit in EDITS)
    losses = editor.telemetry(state)["losses_nats"]
    assert losses[-1] < 0.5 * losses[0]
    for edit in EDITS:
        bare, now = (lost(random_llava, edit, each) for each in (NoPatch(), patch))
        assert now < 0.5 * bare
    weights = editor.merged(random_llava, state)
    assert random_llava.answers([FAR], [weights]) == random_llava.answers([FAR], [patch])
    assert editor.merged(random_llava, editor.begin(random_llava)) is None
    later = editor.write(random_llava, state, Edit(Query.ask("What else?"), "nothing"))
    assert editor.read(random_llava, later, FAR).edits == patch.edits
    assert editor.telemetry(later)["waiting"] == 1


def test_a_nightly_lora_is_the_same_adapter_on_every_night_like_it(random_llava):
    states = [filled(random_llava, "lora:every=2,epochs=2", *EDITS[:2])[1] for _ in range(2)]
    for path, delta in states[0].deltas.items():
        assert torch.equal(delta.a_RI, states[1].deltas[path].a_RI)
        assert torch.equal(delta.b_OR, states[1].deltas[path].b_OR)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("pin:threshold=0.5", Unknown, "threshold"),
        ("cache:threshold=1", BadInput, "below 1"),
        ("cache:image_weight=2", BadInput, "from 0 to 1"),
        ("golden:k=0", BadInput, "at least 1"),
        ("golden:form=nothing", BadInput, "says no correction"),
        ("patch:form={question}", BadInput, "says no correction"),
        ("lora:every=0", BadInput, "at least 1"),
        ("lora:lr=0", BadInput, "above 0"),
    ],
)
def test_fields_that_make_no_sense_are_refused_in_a_sentence(text, error, said):
    with pytest.raises(error, match=said):
        parse(text)
