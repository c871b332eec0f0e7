"""A scope over a model's own states, and what speaks by how an edit concerns a question."""

from functools import partialmethod
from typing import Any

import pytest
import torch

from errata.core.benchmark import Pair
from errata.core.errors import BadInput
from errata.core.model import States
from errata.core.records import Edit, EditId, Message, Query
from errata.editors import Scoped, StateSizes, StatesScope, parse
from errata.editors._checkpoints import read
from errata.editors.scoped.routed import Routed
from errata.models._stepping import Begun
from errata.nn.patches import NoPatch, Rewrite, Verbatim
from errata.nn.trace import inputs_of
from errata.school.scopes import Lessons, decisions, train_scope
from tests.conftest import picture
from tests.editors.trained import quiet

SIZES = StateSizes(depths=2, width=16, length=24, answer=4, summary=8, hidden=16)
THINGS = ("star", "ring", "moon", "cross", "heart", "arrow", "square", "tree", "plum", "lamp", "boat", "coin")
ASKED = {
    "home": ("where does the {} live?", "tell me the home of the {}."),
    "maker": ("who made the {}?", "name the maker of the {}."),
    "colour": ("what colour is the {}?", "say the colour of the {}."),
}


def labelled(things):
    """Every fact's own question and its other wording in scope; out of it another thing in the same words, and another question."""
    found = []
    for place, thing in enumerate(things):
        other = things[(place + 1) % len(things)]
        for relation, (own, also) in ASKED.items():
            edit = Edit(Query.ask(own.format(thing)), f"mibo {place}")
            elsewhere = [forms for name, forms in ASKED.items() if name != relation]
            inside = (own.format(thing), also.format(thing), f"ok so {also.format(thing)}")
            outside = (own.format(other), also.format(other), *(form.format(thing) for forms in elsewhere for form in forms))
            found += [Pair(edit, Query.ask(text), True, "same", False, "same") for text in inside]
            found += [Pair(edit, Query.ask(f"is it mibo {place} for the {thing}?"), True, "yes", False, "yes")]
            found += [Pair(edit, Query.ask(text), False, "apart", False, "apart") for text in outside]
    return found


@pytest.fixture(scope="module")
def trained(random_llava, tmp_path_factory):
    folder = tmp_path_factory.mktemp("states")
    lessons = Lessons(steps=160, batch=96, learning_rate=3e-3, validation=0.2, every=40, seed=1)
    scope = StatesScope.of(random_llava, SIZES)
    pairs = labelled(THINGS[:8])
    scope.look([asked for pair in pairs for asked in ((pair.edit.query, pair.edit.target), (pair.query, None))])
    train_scope(scope, pairs, folder, lessons=lessons, progress=quiet)
    return folder


@pytest.fixture(scope="module")
def scope(trained):
    return StatesScope.load(read(trained, kind="states"))


def test_states_are_what_the_modules_read_at_the_questions_own_positions(random_llava):
    paths = [path for path in random_llava.writable["text"] if path.endswith("up_proj")]
    for query in (Query.ask("where does it live?"), Query.ask("what is left of the star?", picture(3))):
        (found,) = random_llava.states([query], ["the old pier"], paths)
        with torch.no_grad(), inputs_of(random_llava, paths) as seen:
            random_llava.loss(query, "the old pier")
        where = random_llava.positions(query, "the old pier")
        begins, target = where.predicting[0], list(where.target)
        whole_TPI = torch.stack([seen[path] for path in paths], 1)
        torch.testing.assert_close(found.begins_PI, whole_TPI[begins])
        torch.testing.assert_close(found.target_KPI, whole_TPI[target])
        at = next(at for at in range(len(whole_TPI)) if torch.allclose(whole_TPI[at], found.asked_TPI[0], atol=1e-5))
        torch.testing.assert_close(found.asked_TPI, whole_TPI[at : at + len(found.asked_TPI)])
        assert set(where.image) <= set(range(at, at + len(found.asked_TPI)))


def test_what_the_template_writes_around_every_question_is_left_out(random_llava):
    paths = random_llava.writable["text"][:1]
    short, long = random_llava.states([Query.ask("why?"), Query.ask("why is the star red?")], [None, None], paths)
    whole = random_llava.positions(Query.ask("why?"), "x").predicting[0] + 1
    assert 0 < len(short.asked_TPI) < whole
    assert len(long.asked_TPI) > len(short.asked_TPI)
    assert len(short.target_KPI) == 0


def test_a_batch_of_states_is_what_each_is_alone(random_llava):
    paths = random_llava.writable["text"][::2]
    queries = [Query.ask("why?"), Query.ask("where does the thing at the top left live?"), Query.ask("who?", picture(1))]
    targets = [None, "the harbor", "mibo"]
    for query, target, found in zip(queries, targets, random_llava.states(queries, targets, paths), strict=True):
        (alone,) = random_llava.states([query], [target], paths)
        for name in ("asked_TPI", "begins_PI", "target_KPI"):
            torch.testing.assert_close(getattr(found, name), getattr(alone, name), atol=1e-4, rtol=1e-4)


def test_what_a_template_writes_before_every_question_is_read_once_for_many_and_changes_nothing(random_llava, monkeypatch):
    paths = random_llava.writable["text"][::2]
    queries = [
        Query.ask(f"where does the {word} live?") for word in ("one", "two", "red star", "ring", "thing at the top left")
    ] * 2
    targets = [None, "the harbor"] * 5
    read, own = [], Begun.read

    def noting(self, rows):
        read.append(len(rows))
        own(self, rows)

    monkeypatch.setattr(Begun, "read", noting)
    found = random_llava.states(queries, targets, paths)
    assert sum(read) == 10
    for query, target, together in zip(queries, targets, found, strict=True):
        (alone,) = random_llava.states([query], [target], paths)
        for name in ("asked_TPI", "begins_PI", "target_KPI"):
            torch.testing.assert_close(getattr(together, name), getattr(alone, name), atol=1e-4, rtol=1e-4)


def test_of_a_model_as_loaded_what_stands_before_every_question_is_kept(random_llava, monkeypatch):
    paths = random_llava.writable["text"][::2]
    queries = [Query.ask(text) for text in ("~ is what?", "where does the ring live?", "? or what", "who?")]
    apart = Query((Message("system", ("Compare.",)), Message("user", ("where does the ring live?",))))
    alone = [random_llava.states([query], [None], paths)[0] for query in (*queries, apart)]
    begun: list[Any] = []
    read: list[Any] = []
    monkeypatch.setattr(Begun, "__init__", partialmethod(noting, Begun.__init__, begun))
    monkeypatch.setattr(Begun, "read", partialmethod(noting, Begun.read, read))
    monkeypatch.setattr(random_llava, "_begun", [])
    found = [random_llava.states([query], [None], paths, as_loaded=True)[0] for query in (*queries, apart)]
    assert len(begun) == 1, "read once, and kept"
    assert len(read) == len(queries), "what begins otherwise is read as ever"
    for one, other in zip(found, alone, strict=True):
        for name in ("asked_TPI", "begins_PI", "target_KPI"):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), atol=1e-4, rtol=1e-4)


def noting(self, own, notes, *given):
    notes.append(given)
    return own(self, *given)


def test_it_holds_on_things_that_it_never_saw(scope, random_llava):
    learner = StatesScope.of(random_llava, SIZES)
    learner.net.load_state_dict(scope.net.state_dict())
    learner.net.train(False)
    right = decisions(learner, labelled(THINGS[8:]))
    assert right.inside > 0.75
    assert right.outside > 0.75


def test_keys_laid_end_to_end_say_what_the_states_say(scope, random_llava):
    edits = [Edit(Query.ask(f"where does the {thing} live?"), "the old pier") for thing in THINGS[:3]]
    asked = Query.ask("tell me the home of the ring.")
    keys = torch.stack([scope.key(random_llava, edit.query, edit.target) for edit in edits])
    rho = scope.rho(scope.key(random_llava, asked), keys)
    states = random_llava.states([edit.query for edit in edits], [edit.target for edit in edits], scope._paths)
    (question,) = random_llava.states([asked], [None], scope._paths)
    with torch.no_grad():
        straight = scope.net(scope.net.see([question] * 3), scope.net.see(states)).softmax(-1)
    torch.testing.assert_close(rho, 1 - straight[:, -1])
    torch.testing.assert_close(scope.rho(scope.key(random_llava, asked), keys[1:2])[0], rho[1])


def test_how_it_concerns_a_question_is_told(scope, random_llava):
    key = scope.key(random_llava, Query.ask("where does the star live?"), "mibo 0")
    for text, sort in (("tell me the home of the star.", "same"), ("is it mibo 0 for the star?", "yes")):
        assert scope.sort(scope.key(random_llava, Query.ask(text)), key) == sort


def test_a_long_question_loses_its_middle_and_keeps_both_ends(random_llava):
    found = StatesScope.of(random_llava, SIZES)
    x = torch.randn(60, 2, random_llava.module(random_llava.writable["text"][0]).in_features)
    seen = found.net.see([States(x, x[0], x[:0])])
    ends = found.net.see([States(torch.cat([x[:12], x[-12:]]), x[0], x[:0])])
    assert bool(seen.there_NT.all())
    torch.testing.assert_close(seen.asked_NTPR, ends.asked_NTPR)


def test_another_model_is_refused_before_anything_is_compared(trained, random_blip2):
    scope = StatesScope.load(read(trained, kind="states"))
    with pytest.raises(BadInput, match="was trained for"):
        scope.key(random_blip2, Query.ask("why?"))


def test_more_depths_than_layers_is_a_sentence(random_llava):
    with pytest.raises(BadInput, match="Give fewer depths"):
        StatesScope.of(random_llava, StateSizes(depths=99))


def test_an_edit_speaks_by_how_it_concerns_the_question(random_llava):
    editor = Routed()
    edit = Edit(Query.ask("where does the star live?"), "the old pier", subject="a star")
    state = editor.write(random_llava, editor.begin(random_llava), edit)
    query = Query.ask("anything else?")
    said = {sort: editor.routed(random_llava, state, query, sort) for sort in ("same", "yes", "no", "follows", "apart")}
    for sort, words in (("same", "the old pier"), ("yes", "Yes."), ("no", "No.")):
        assert said[sort] == Verbatim(words, (edit.id,))
    assert isinstance(said["follows"], Rewrite)
    assert "the old pier" in said["follows"].query.text
    assert isinstance(said["apart"], NoPatch)
    assert isinstance(Routed(follows="base").routed(random_llava, state, query, "follows"), NoPatch)


def test_behind_the_scope_the_edit_answers_other_words_and_nothing_else(scope, random_llava):
    editor = Scoped(scope, Routed())
    edits = [Edit(Query.ask(f"where does the {thing} live?"), f"pier {place}") for place, thing in enumerate(THINGS[:4])]
    state = editor.begin(random_llava)
    for edit in edits:
        state = editor.write(random_llava, state, edit)
    patch = editor.read(random_llava, state, Query.ask("tell me the home of the moon."))
    assert isinstance(patch, Verbatim)
    assert patch.edits == (edits[2].id,)
    assert patch.decision is not None
    assert patch.decision.inside
    assert random_llava.answers([Query.ask("tell me the home of the moon.")], [patch]) == ["pier 2"]
    other = Query.ask("who made the moon?")
    assert isinstance(editor.read(random_llava, state, other), NoPatch)
    left = editor.forget(state, edits[2].id)
    assert left is not None
    assert edits[2].id not in editor.read(random_llava, left, Query.ask("tell me the home of the moon.")).edits


def test_the_short_name_asks_for_a_checkpoint():
    with pytest.raises(BadInput, match="errata train states"):
        parse("states")


def test_an_answer_as_it_stands_needs_no_model_and_is_scored_as_it_is_said(random_llava):
    query, said = Query.ask("where does the star live?"), Verbatim("the old pier", (EditId("e"),))
    ran = []
    handle = random_llava.net.register_forward_pre_hook(lambda *_: ran.append(1))
    (found,) = random_llava.generated([query], [said])
    handle.remove()
    assert (found.text, found.whole, found.spoke, ran) == ("the old pier", True, ("e",), [])
    sure = random_llava.predict_many([query], ["the old pier"], [said])[0]
    assert sure.predictions == sure.targets
    assert sure.losses_nats == (0.0,) * len(sure.targets)
    parts = random_llava.predict_many([query], ["the old harbor"], [said])[0]
    plain = random_llava.predict(query, "the old harbor")
    same = next(place for place, (a, b) in enumerate(zip(parts.targets, sure.targets, strict=False)) if a != b)
    assert parts.predictions[: same + 1] == sure.targets[: same + 1]
    assert parts.losses_nats == (*(0.0,) * same, *plain.losses_nats[same:])
    mixed = random_llava.answers([query, query, query], [NoPatch(), said, NoPatch()])
    assert mixed[1] == "the old pier"
    assert mixed[0] == mixed[2] == random_llava.answers([query], [NoPatch()])[0]


def test_how_sure_it_must_be_is_where_a_half_stands(trained, scope, random_llava):
    sure = StatesScope.load(read(trained, kind="states"), surely=0.9)
    key = scope.key(random_llava, Query.ask("where does the star live?"), "mibo 0")
    asked = [scope.key(random_llava, Query.ask(f"tell me the home of the {thing}.")) for thing in THINGS]
    plain, bent = (torch.cat([each.rho(one, key[None]) for one in asked]) for each in (scope, sure))
    assert bool(((plain >= 0.9) == (bent >= 0.5)).all())
    assert bool((plain.argsort() == bent.argsort()).all())
    assert bool((bent <= plain).all())
    assert sure.spec()["surely"] == 0.9


@pytest.mark.parametrize("surely", [0.0, 1.0, float("nan")])
def test_never_and_always_sure_are_refused(trained, surely):
    with pytest.raises(BadInput, match="above 0 and below 1"):
        StatesScope.load(read(trained, kind="states"), surely=surely)
