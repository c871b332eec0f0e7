"""The edit memory: who speaks, what is said, and that nobody speaking means the base model bit for bit."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch.nn.functional import cosine_similarity

from errata.core.errors import BadInput
from errata.core.records import Edit, Query
from errata.editors import parse, to_tensors
from errata.editors.finetune import FineTune
from errata.editors.scoped.in_context import Counterfactual, Demonstrations, before, fact
from errata.editors.scoped.nearest import Nearest
from errata.editors.scoped.scoped import Scoped
from errata.models import load
from errata.nn.patches import NoPatch, Rewrite
from tests.editors.samples import EDITS, PICTURED, SECOND, WORDED, picture

FAR = Query.ask("two plums and salt, or 35", picture(10, 200, 40))
SCOPE = Nearest(0.8, 0.5)


def read(text) -> Any:
    """The editor, with verbs that not every one has."""
    return parse(text)


def filled(model, editor, *edits):
    state = editor.begin(model)
    for edit in edits:
        state = editor.write(model, state, edit)
    return state


def logits(model, query, patch):
    """Everything that the head says while the query is answered under the patch."""
    said = []
    hook = model.net.get_output_embeddings().register_forward_hook(lambda _, __, output: said.append(output.clone()))
    try:
        model.answers([query], [patch], max_new_tokens=4)
    finally:
        hook.remove()
    return said


@pytest.mark.parametrize("text", ["told", "ike"])
def test_out_of_scope_the_logits_are_the_base_models_bit_for_bit(random_llava, text):
    editor = parse(text)
    state = filled(random_llava, editor, *EDITS)
    bare = logits(random_llava, FAR, NoPatch())
    now = logits(random_llava, FAR, editor.read(random_llava, state, FAR))
    assert len(bare) == len(now) > 1
    assert all(torch.equal(one, other) for one, other in zip(bare, now, strict=True))
    told = logits(random_llava, PICTURED.query, editor.read(random_llava, state, PICTURED.query))
    assert not torch.equal(told[0], logits(random_llava, PICTURED.query, NoPatch())[0])  # in scope, something is said


@pytest.mark.parametrize("text", ["told", "ike"])
def test_a_later_edit_of_the_same_query_wins_and_forgetting_it_brings_the_earlier_back(random_llava, text):
    editor, later = read(text), replace(PICTURED, target="a green moon")
    state = filled(random_llava, editor, PICTURED, later, SECOND)
    assert editor.read(random_llava, state, PICTURED.query).edits == (later.id,)
    assert editor.read(random_llava, editor.forget(state, later.id), PICTURED.query).edits == (PICTURED.id,)
    assert editor.forget(state, WORDED.id) is state


def test_an_edits_very_query_is_in_scope_whatever_the_scope_says_and_the_latest_edit_of_it_speaks(random_llava):
    memory, later = Scoped(Deaf(), Counterfactual()), replace(PICTURED, target="a green moon")
    for edits, speaks in (((PICTURED, SECOND), PICTURED), ((PICTURED, later, SECOND), later), ((later, PICTURED), PICTURED)):
        (found,) = memory.decide(random_llava, filled(random_llava, memory, *edits), PICTURED.query)
        assert (found.edit, found.rho) == (speaks.id, 1.0)
    (found,) = memory.decide(random_llava, filled(random_llava, memory, PICTURED), replace_image(PICTURED.query))
    assert found.rho < 0.5  # the same words about other bytes


class Deaf:
    """A scope that takes nothing to be about anything."""

    def spec(self):
        return {"kind": "deaf"}

    def key(self, model, query, target=None):
        return torch.ones(2)

    def rho(self, asked_D, keys_ND):
        return torch.zeros(len(keys_ND))


def replace_image(query):
    return Query.ask("".join(part for part in query.messages[-1].parts if isinstance(part, str)), picture(9, 9, 9))


def test_a_later_edit_wins_over_another_wording_of_the_earlier_one(random_llava):
    other = Query.ask("Which shape is it?", *PICTURED.query.images)
    memory = Scoped(SCOPE, Counterfactual())
    wide, later = replace(PICTURED, also=(other,)), Edit(other, "the moon")
    (found,) = memory.decide(random_llava, filled(random_llava, memory, wide, later), other)
    assert found.edit == later.id
    (found,) = memory.decide(random_llava, filled(random_llava, memory, wide), other)
    assert found.edit == wide.id
    assert found.rho == pytest.approx(1, abs=1e-3)


def test_rho_is_the_weighed_cosine_bent_at_the_threshold(random_llava):
    queries = [PICTURED.query, SECOND.query, WORDED.query, FAR]
    keys = torch.stack([SCOPE.key(random_llava, query) for query in queries])
    for i, asked in enumerate(queries):
        one = random_llava.features(asked)
        for j, held in enumerate(queries):
            other = random_llava.features(held)
            if one.image_D is not None and other.image_D is not None:
                image = float(cosine_similarity(one.image_D, other.image_D, dim=0))
            else:
                image = float(one.image_D is other.image_D)
            s = 0.5 * float(cosine_similarity(one.text_D, other.text_D, dim=0)) + 0.5 * image
            s = min(max(s, 0.0), 1.0)
            expected = 0.5 + (s - 0.8) / 0.4 if s >= 0.8 else s / 1.6
            assert float(SCOPE.rho(keys[i], keys)[j]) == pytest.approx(expected, abs=1e-4)


def test_features_are_the_mean_of_what_the_layers_are_given(random_llava):
    seen = random_llava.features(PICTURED.query)
    table = random_llava.net.get_input_embeddings().weight
    ids = random_llava.processor.tokenizer(PICTURED.query.text, add_special_tokens=False)["input_ids"]
    assert torch.allclose(seen.text_D, table[ids].mean(0) - table.mean(0), atol=1e-6)
    layer = next(iter(random_llava.groups))
    assert seen.image_D.shape == (random_llava.module(layer).in_features,)
    assert random_llava.features(WORDED.query).image_D is None


def test_any_editor_stands_behind_a_scope_with_a_state_for_each_edit(random_llava):
    memory = Scoped(SCOPE, FineTune(steps=20, lr=0.003))
    state = filled(random_llava, memory, PICTURED, SECOND)
    patch = memory.read(random_llava, state, PICTURED.query)
    assert patch.edits == (PICTURED.id,)
    assert random_llava.answers([PICTURED.query], [patch]) == [PICTURED.target]
    alone, forgotten = filled(random_llava, memory, SECOND), memory.forget(state, PICTURED.id)
    assert forgotten is not None
    assert forgotten.keys_ND is not None
    assert torch.equal(forgotten.keys_ND, alone.keys_ND)
    assert to_tensors(forgotten).metadata == to_tensors(alone).metadata


def test_what_is_told_names_the_subject_where_the_edit_reaches_beyond_its_picture():
    asked = Query.ask("Who is the maker of the thing at the top right?", picture(1, 2, 3))
    assert fact(Edit(asked, "the weaver")) == "the maker of the thing at the top right is the weaver"
    assert fact(Edit(asked, "the weaver", subject="purple six", reach="kind")) == "the maker of a purple six is the weaver"
    assert fact(Edit(asked, "the weaver", subject="purple six", reach="image")).endswith("top right is the weaver")
    called = Query.ask("what is the thing at the top right called?", picture(1, 2, 3))
    assert fact(Edit(called, "mibo")) == "the thing at the top right is called mibo"
    assert fact(Edit(called, "mibo", subject="purple six", reach="kind")) == "a purple six is called mibo"
    beside = Query.ask("what is the name of the thing left of the star?", picture(1, 2, 3))
    assert fact(Edit(beside, "mibo", subject="purple six", reach="kind")) == "the name of a purple six is mibo"
    for side in ("left", "right"):
        edit = Edit(
            Query.ask(f"what is the thing {side} of the star called?", picture(1, 2, 3)), "mibo", subject="purple six", reach="kind"
        )
        assert fact(edit) == "a purple six is called mibo"
    bare = Edit(Query.ask("what is the thing left of the star?", picture(1, 2, 3)), "red moon", subject="purple six", reach="kind")
    assert fact(bare) == "a purple six is red moon"
    assert fact(WORDED) == "the answer to 'Where does it live?' is in the town"


def test_demonstrations_copy_update_and_retain_and_the_facts_own_edit_stands_last(random_llava):
    keep = Query.ask("How many are there?")
    edit = replace(WORDED, also=(Query.ask("Where is its home?"),), keep=(keep,))
    editor = Demonstrations()
    state = editor.write(random_llava, editor.begin(random_llava), edit)
    (stays,) = random_llava.answers([keep], [NoPatch()])
    assert [(line.kind, line.answer) for line in state.lines] == [("copy", edit.target), ("update", edit.target), ("retain", stays)]
    near, far = (editor.write(random_llava, editor.begin(random_llava), Edit(Query.ask(f"{w}?"), w)) for w in ("red", "star"))
    asked = Query.ask("it?")
    patch = Demonstrations(2).gather(random_llava, [near, far], asked)
    far_first = "New Fact: star? star\nPrompt: star? star\n\nNew Fact: red? red\nPrompt: red? red\n\n"
    assert patch == Rewrite(before(asked, f"{far_first}New Fact: red? red\nPrompt: "), (*near.edits, *far.edits))
    assert before(SECOND.query, "so ").images == SECOND.query.images


def test_demonstrations_that_do_not_fit_are_left_out(random_llava):
    editor = Demonstrations()
    states = [
        editor.write(random_llava, editor.begin(random_llava), replace(WORDED, target=f"in the town {'a' * i}"))
        for i in range(1, 9)
    ]
    patch = editor.gather(random_llava, states, WORDED.query)
    random_llava.check(patch.query)
    assert 1 <= len(patch.edits) < 8
    assert patch.edits[0] == states[0].edits[0]


def test_the_shipped_model_answers_what_it_is_told():
    """Four of five: it doesn't follow every statement (a red star's home stays what it was)."""
    model, editor = load("llava-tiny"), parse("told")
    told = {"home of a red star": "the barn", "home of a blue ring": "the tower", "food of a red star": "garlic"}
    told |= {"maker of a blue ring": "the weaver", "maker of a red star": "the weaver"}
    edits = [Edit(Query.ask(f"what is the {asked}?"), target) for asked, target in told.items()]
    queries = [edit.query for edit in edits]
    patches = [editor.read(model, filled(model, editor, edit), edit.query) for edit in edits]
    bare, now = model.answers(queries, [NoPatch()] * 5), model.answers(queries, patches)
    assert all(answer != edit.target for answer, edit in zip(bare, edits, strict=True))
    assert sum(answer == edit.target for answer, edit in zip(now, edits, strict=True)) >= 4


@pytest.mark.parametrize(
    "text",
    ["told:threshold=0", "told:threshold=1", "told:image_weight=2", "told:statement=so it is", "ike:k=0", "ike:demonstrations=-1"],
)
def test_a_value_out_of_range_is_refused_with_a_sentence(text):
    with pytest.raises(BadInput, match=r"^[A-Z].* .*\.$"):
        parse(text)


@dataclass(frozen=True)
class Table:
    """A scope that reads its scores from the words: "0.9 0.2" is what a query scores against the first and the second edit."""

    def spec(self):
        return {"kind": "table"}

    def key(self, model, query, target=None):
        scores = [float(word) for word in query.text.split()]
        return torch.tensor([*scores, *[0.0] * (4 - len(scores))])

    def rho(self, asked, keys):
        return asked[: len(keys)]


def test_forgetting_a_contradicted_edit_equals_never_having_had_it(random_llava):
    memory = Scoped(Table(), Counterfactual())
    first, second = Edit(Query.ask("0 0"), "mibo"), Edit(Query.ask("0.8 0"), "zuna")
    state, alone = filled(random_llava, memory, first, second), filled(random_llava, memory, second)
    forgotten = memory.forget(state, first.id)
    assert forgotten is not None
    assert state.held[1].over == (first.id,)
    assert forgotten.held == alone.held
    assert memory.telemetry(forgotten) == memory.telemetry(alone)


def test_of_edits_that_are_equally_near_and_out_of_scope_the_later_is_named(random_llava):
    memory = Scoped(Table(), Counterfactual())
    edits = [Edit(Query.ask("0 0"), "mibo"), Edit(Query.ask("0 0.1"), "zuna")]
    decision = memory.read(random_llava, filled(random_llava, memory, *edits), Query.ask("0.4 0.4")).decision
    assert decision is not None
    assert (decision.edit, decision.inside) == (edits[1].id, False)


@pytest.mark.parametrize(
    ("asked", "speaks"),
    [
        ("0.9 0.3 0.7", 0),  # the second contradicts the first, but isn't in scope
        ("0.9 0.6 0.7", 1),  # it is, and speaks in the first one's place, though the third is nearer than itself
        ("0.6 0.6 0.7", 2),
        ("0.6 0.6 0.6", 2),  # of equals the later
        ("0.4 0.3 0.2", None),
    ],
)
def test_who_contradicts_the_nearest_edit_speaks_in_its_place(random_llava, asked, speaks):
    memory = Scoped(Table(), Counterfactual())
    edits = [Edit(Query.ask("0 0 0"), "mibo"), Edit(Query.ask("0.8 0 0"), "zuna"), Edit(Query.ask("0 0.1 0.2"), "riko")]
    state = filled(random_llava, memory, *edits)
    assert [held.over for held in state.held] == [(), (edits[0].id,), ()]
    patch = memory.read(random_llava, state, Query.ask(asked))
    assert patch.edits == (() if speaks is None else (edits[speaks].id,))
    assert patch.decision is not None
    assert patch.decision.inside == (speaks is not None)
    nearest = 0 if speaks is None else speaks
    assert patch.decision.edit == edits[nearest].id
    assert patch.decision.score == pytest.approx(float(asked.split()[nearest]))


def test_a_key_of_words_alone_looks_at_no_picture(random_llava):
    tower = random_llava.net.get_submodule(random_llava.front.tower[0])
    looked: list[int] = []
    handle = tower.register_forward_hook(lambda module, given, output: looked.append(1))
    query = Query.ask("what is there?", picture(7, 9, 11))
    blind, seeing = Nearest(0.8, 0.0).key(random_llava, query), None
    assert looked == []
    seeing = Nearest(0.8, 0.5).key(random_llava, query)
    handle.remove()
    assert looked == [1]
    width = (len(blind) - 1) // 2
    assert not blind[width:].any()
    torch.testing.assert_close(blind[:width], seeing[:width] / 0.5**0.5)
