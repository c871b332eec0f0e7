"""A scope that finds the nearest corrections by a vector, and has the model read each together with the question."""

import pytest
import torch

from errata.core.benchmark import Pair
from errata.core.editor import Judged
from errata.core.errors import BadInput
from errata.core.model import fits
from errata.core.records import Edit, Query
from errata.editors import RerankScope, RerankSizes, Scoped, parse
from errata.editors._checkpoints import read
from errata.editors._states import from_tensors, to_tensors
from errata.editors.scoped.routed import Routed
from errata.models import load
from errata.nn.patches import NoPatch, Verbatim
from errata.school.learners import Wanted, training
from errata.school.scopes import Lessons, decisions, train_scope
from errata.session.ready import Loader
from tests.conftest import picture
from tests.editors.test_states_scope import THINGS, labelled
from tests.editors.trained import quiet

SIZES = RerankSizes(layers=0.75, rank=4, depths=2, width=16, vector=32, looked_at=2)


@pytest.fixture(scope="module")
def tiny():
    """The shipped model: one with random weights has no use for its own layers."""
    return load("llava-tiny")


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rerank")
    pairs = labelled(THINGS[:8])
    scope = RerankScope.of(tiny, SIZES)
    nearness = scope.nearness()
    nearness.look(pairs)
    found = Lessons(steps=60, batch=64, learning_rate=3e-3, validation=0.2, every=30, seed=1)
    train_scope(nearness, pairs, folder / "nearness", lessons=found, progress=quiet)
    nearness.settle(pairs)
    lessons = Lessons(steps=90, batch=48, learning_rate=1e-2, validation=0.2, every=45, watched=40, seed=1, large=True)
    train_scope(scope, pairs, folder, lessons=lessons, progress=quiet)
    return folder


@pytest.fixture(scope="module")
def scope(trained):
    return RerankScope.load(read(trained, kind="rerank"))


def hooked(model):
    """How many hooks its modules have."""
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.net.modules())


def filled(scope, model, things, **fields):
    """A memory of where each thing lives."""
    editor = Scoped(scope, Routed(), **fields)
    edits = [Edit(Query.ask(f"where does the {thing} live?"), f"pier {place}") for place, thing in enumerate(things)]
    state = editor.begin(model)
    for edit in edits:
        state = editor.write(model, state, edit)
    return editor, state, edits


def test_what_it_was_taught_it_tells_apart(scope, trained, tiny):
    learner = RerankScope.of(tiny, SIZES)
    learner.net.load_state_dict(scope.net.state_dict())
    learner.net.train(False)
    right = decisions(learner, labelled(THINGS[:8]))
    assert right.inside > 0.8
    assert right.outside > 0.8
    untaught = decisions(RerankScope.of(tiny, SIZES), labelled(THINGS[:8]))
    assert min(untaught.inside, untaught.outside) < 0.6


def test_the_models_own_weights_are_left_alone_and_no_write_stays_in_force(scope, tiny):
    before = tiny.answers([Query.ask("why?")], [NoPatch()])
    digest, hooks = tiny.digest, hooked(tiny)
    scope.judged(tiny, Query.ask("tell me the home of the star."), [("where does the star live?", "pier 0")])
    assert tiny.digest == digest
    assert tiny.answers([Query.ask("why?")], [NoPatch()]) == before
    assert hooked(tiny) == hooks


def test_several_read_at_once_are_what_each_is_alone(scope, tiny):
    query = Query.ask("tell me the home of the moon.")
    known = [(f"where does the {thing} live?", f"pier {place}") for place, thing in enumerate(THINGS[:4])]
    together = scope.judged(tiny, query, known)
    for one, found in zip(known, together, strict=True):
        (alone,) = scope.judged(tiny, query, [one])
        assert alone.sort == found.sort
        assert alone.rho == pytest.approx(found.rho, abs=1e-3)


def test_an_edit_answers_other_words_and_nothing_else(scope, tiny):
    editor, state, edits = filled(scope, tiny, THINGS[:4])
    asked = Query.ask("tell me the home of the moon.")
    patch = editor.read(tiny, state, asked)
    assert isinstance(patch, Verbatim)
    assert patch.edits == (edits[2].id,)
    assert patch.decision is not None
    assert patch.decision.inside
    assert tiny.answers([asked], [patch]) == ["pier 2"]
    assert isinstance(editor.read(tiny, state, Query.ask("who made the moon?")), NoPatch)
    left = editor.forget(state, edits[2].id)
    assert left is not None
    assert edits[2].id not in editor.read(tiny, left, asked).edits


class Counting:
    """A scope that notes what it reads, and judges by a table."""

    def __init__(self, table=None, looked_at=2):
        self.table, self.looked_at, self.read = table or {}, looked_at, []

    def spec(self):
        return {"kind": "counting"}

    def key(self, model, query, target=None):
        return torch.tensor([float(query.text.split()[-1])])

    def rho(self, asked_D, keys_ND):
        return (1 - 0.1 * (keys_ND - asked_D).abs().sum(-1)).clamp(0, 1)

    def judged(self, model, query, corrections):
        self.read.append([known for known, _ in corrections])
        return [self.table.get(known, Judged(0.2, "same")) for known, _ in corrections]


def asked(number):
    return Query.ask(f"what is {number}")


def memory(model, scope, numbers):
    editor = Scoped(scope, Routed())
    state = editor.begin(model)
    edits = [Edit(asked(number), f"value {number}") for number in numbers]
    for edit in edits:
        state = editor.write(model, state, edit)
    scope.read.clear()
    return editor, state, edits


def test_only_the_nearest_are_read_and_what_is_far_is_not_read_at_all(random_llava):
    scope = Counting()
    editor, state, _ = memory(random_llava, scope, (1, 2, 3, 9, 60))
    editor.read(random_llava, state, asked(2.4))
    assert scope.read == [["what is 2"], ["what is 3"]]
    scope.read.clear()
    patch = editor.read(random_llava, state, asked(30))
    assert isinstance(patch, NoPatch)
    assert scope.read == []


def test_of_what_is_only_somewhat_near_the_nearest_alone_is_read(random_llava):
    scope = Counting(looked_at=3)
    editor, state, _ = memory(random_llava, scope, (1, 8, 9))
    editor.read(random_llava, state, asked(4.5))
    assert scope.read == [["what is 1"]] or scope.read == [["what is 8"]]


def test_where_the_nearest_is_surely_meant_no_more_are_read(random_llava):
    scope = Counting(looked_at=3)
    editor, state, edits = memory(random_llava, scope, (1, 2, 3))
    scope.table["what is 2"] = Judged(0.97, "same")
    assert editor.read(random_llava, state, asked(2.2)).edits == (edits[1].id,)
    assert scope.read == [["what is 2"]]


def test_an_edits_own_question_needs_no_reading(random_llava):
    scope = Counting(looked_at=3)
    editor, state, edits = memory(random_llava, scope, (1, 2, 3))
    assert editor.read(random_llava, state, edits[1].query).edits == (edits[1].id,)
    assert scope.read == []


def test_who_contradicts_the_one_that_is_meant_is_read_and_speaks_in_its_place(random_llava):
    scope = Counting(looked_at=3)
    editor, state, edits = memory(random_llava, scope, (2, 1))
    scope.table |= {"what is 2": Judged(0.97, "same"), "what is 3": Judged(0.6, "same")}
    edits.append(Edit(asked(3), "value 3"))
    state = editor.write(random_llava, state, edits[-1])
    assert state.last.over == (edits[0].id,)
    scope.read.clear()
    assert editor.read(random_llava, state, asked(2.2)).edits == (edits[2].id,)
    assert scope.read == [["what is 2"], ["what is 3"]]
    assert editor.read(random_llava, state, edits[0].query).edits == (edits[2].id,)


def test_what_is_near_but_was_not_read_is_not_in_scope(random_llava):
    scope = Counting({"what is 1": Judged(0.9, "same")})
    editor, state, _ = memory(random_llava, scope, (1, 2, 3))
    found = editor.decide(random_llava, state, asked(2.6))
    assert [each.rho < 0.5 for each in found] == [True]
    (first,) = editor.decide(random_llava, state, asked(1.2))
    assert (first.rho, first.sort) == (0.9, "same")


def test_how_it_was_judged_is_how_the_edit_speaks(random_llava):
    scope = Counting({"what is 1": Judged(0.9, "yes")})
    editor, state, edits = memory(random_llava, scope, (1, 20))
    assert editor.read(random_llava, state, asked(1.5)) == Verbatim(
        "Yes.", (edits[0].id,), editor.read(random_llava, state, asked(1.5)).decision
    )
    own = editor.read(random_llava, state, edits[0].query)
    assert isinstance(own, Verbatim)
    assert own.text == "value 1"


def test_a_later_edit_contradicts_who_asks_the_same_and_not_whom_it_follows_from(random_llava):
    for judged, contradicts in ((Judged(0.9, "same"), True), (Judged(0.9, "yes"), False)):
        scope = Counting({"what is 1": judged})
        editor, state, edits = memory(random_llava, scope, (1,))
        state = editor.write(random_llava, state, Edit(asked(1.5), "another value"))
        assert (edits[0].id in state.last.over) is contradicts


def test_a_write_reads_every_near_edit_so_that_none_that_it_contradicts_is_missed(random_llava):
    scope = Counting(looked_at=3)
    editor, state, edits = memory(random_llava, scope, (1, 2, 5))
    scope.table |= {f"what is {number}": Judged(0.97, "same") for number in (1, 2, 5)}
    state = editor.write(random_llava, state, Edit(asked(1.5), "another value"))
    assert state.last.over == tuple(edit.id for edit in edits)


def test_who_contradicts_is_read_however_far_it_lies(random_llava):
    scope = Counting(looked_at=1)
    editor, state, edits = memory(random_llava, scope, (1,))
    scope.table["what is 1"] = Judged(0.97, "same")
    edits.append(Edit(asked(4.5), "value 4.5"))
    state = editor.write(random_llava, state, edits[-1])
    assert state.last.over == (edits[0].id,)
    scope.table["what is 4.5"] = Judged(0.6, "same")
    for query in (asked(0.8), edits[0].query):
        assert editor.read(random_llava, state, query).edits == (edits[1].id,)


def test_where_none_is_in_scope_the_likeliest_of_those_read_is_told(random_llava):
    scope = Counting({"what is 1": Judged(0.02, "same")}, looked_at=1)
    editor, state, edits = memory(random_llava, scope, (1, 4))
    (found,) = editor.decide(random_llava, state, asked(1.2))
    assert (found.edit, found.rho) == (edits[0].id, 0.02)


def test_other_wordings_that_came_with_an_edit_are_read_too(random_llava):
    scope = Counting({"call it 2": Judged(0.8, "same")})
    editor = Scoped(scope, Routed())
    edit = Edit(asked(1), "value", also=(Query.ask("call it 2"), Query.ask("call it 2.1")))
    state = editor.write(random_llava, editor.begin(random_llava), edit)
    (found,) = editor.decide(random_llava, state, asked(1.6))
    assert found.rho == 0.8


def test_a_saved_memory_reads_again_what_it_read(scope, tiny):
    editor, state, edits = filled(scope, tiny, THINGS[:3])
    saved = to_tensors(state)
    back = from_tensors(saved.tensors, saved.metadata)
    query = Query.ask("tell me the home of the ring.")
    assert editor.decide(tiny, back, query) == editor.decide(tiny, state, query)
    assert back.last.words == (edits[-1].query.text,)


def test_a_picture_is_in_scope_of_its_own_question_alone(scope, tiny):
    editor = Scoped(scope, Routed())
    seen = Edit(Query.ask("where does this live?", picture(3)), "the pier")
    state = editor.write(tiny, editor.begin(tiny), seen)
    assert editor.read(tiny, state, seen.query).edits == (seen.id,)
    for query in (Query.ask("where does this live?", picture(4)), Query.ask("where does this live?")):
        assert isinstance(editor.read(tiny, state, query), NoPatch)


def test_how_sure_it_must_be_is_where_a_half_stands(trained, scope, tiny):
    sure = RerankScope.load(read(trained, kind="rerank"), surely=0.9)
    known = [("where does the star live?", "pier 0")]
    texts = [f"tell me the home of the {thing}." for thing in THINGS]
    plain, bent = ([each.judged(tiny, Query.ask(text), known)[0].rho for text in texts] for each in (scope, sure))
    assert [one >= 0.9 for one in plain] == [one >= 0.5 for one in bent]
    assert sure.spec()["surely"] == 0.9


@pytest.mark.parametrize("surely", [0.0, 1.0, float("nan")])
def test_never_and_always_sure_are_refused(trained, surely):
    with pytest.raises(BadInput, match="above 0 and below 1"):
        RerankScope.load(read(trained, kind="rerank"), surely=surely)


def test_another_model_is_refused_before_anything_is_compared(scope, random_blip2):
    with pytest.raises(BadInput, match="was trained for"):
        RerankScope.load(scope.learnt()).key(random_blip2, Query.ask("why?"))


def test_more_depths_than_layers_and_sizes_of_nothing_are_sentences(random_llava):
    with pytest.raises(BadInput, match="Give fewer depths"):
        RerankScope.of(random_llava, RerankSizes(depths=99))
    with pytest.raises(BadInput, match="at least 1"):
        RerankSizes(looked_at=0)
    with pytest.raises(BadInput, match="share of the layers"):
        RerankSizes(layers=1.5)


def test_without_a_checkpoint_it_is_the_one_that_ships_and_another_model_is_refused_at_its_beginning(random_llava):
    with pytest.raises(BadInput, match=r"trained for smollm2 .* errata train rerank"):
        parse("rerank").begin(random_llava)


def test_a_pair_without_a_sort_is_learned_by_whether_it_is_in_scope(random_llava):
    learner = RerankScope.of(random_llava, SIZES)
    edit = Edit(Query.ask("where does the star live?"), "pier 0")
    query = Query.ask("tell me the home of the star.")
    bare, told = Pair(edit, query, True, "x", False), Pair(edit, query, True, "x", False, "same")
    with torch.no_grad():
        assert float(learner.objective([bare])) == float(learner.objective([told]))


def test_what_finds_the_nearest_is_the_same_for_the_same_seed_and_no_scope_by_itself(tiny, trained, tmp_path):
    pairs, lessons = labelled(THINGS[:3]), Lessons(steps=3, batch=8, every=3, validation=0.4, seed=1)
    for name in ("one", "two"):
        nearness = RerankScope.of(tiny, SIZES).nearness()
        nearness.look(pairs)
        torch.rand(7 if name == "two" else 1)  # whatever was drawn elsewhere
        train_scope(nearness, pairs, tmp_path / name, lessons=lessons, progress=quiet)
    one, two = (read(tmp_path / name, kind="rerank-nearness") for name in ("one", "two"))
    assert one.digest == two.digest
    with pytest.raises(BadInput, match="is of rerank-nearness, not of rerank"):
        read(trained / "nearness", kind="rerank")


def test_a_key_of_zeros_lies_farther_than_anything_that_is_worth_reading(scope, tiny):
    text, other = (scope.key(tiny, Query.ask(text)) for text in ("where does the star live?", "who made the moon?"))
    seen = scope.key(tiny, Query.ask("where does this live?", picture(3)))
    lie = scope.near(torch.stack([text, other, seen]))
    assert float((lie[0] - lie[2]).norm()) == pytest.approx(2**0.5)
    assert float((lie[0] - lie[1]).norm()) == pytest.approx(float((text - other).norm()))
    assert not float((scope.near(torch.stack([seen, seen])).diff(dim=0)).norm())


def test_a_training_that_was_stopped_is_gone_on_with_for_the_same_model_alone(tmp_path):
    wanted = Wanted(tmp_path / "out", "llava-tiny", benchmark="asked", edits=12, steps=2, batch=4, every=1)
    run = training("rerank:layers=0.5,rank=2,depths=2,width=8,vector=8", wanted)
    fitted, told = run(Loader(), quiet)
    assert fitted.steps == 2
    assert told.startswith("of the pairs kept back")
    again, _ = run(Loader(), quiet)
    assert (again.steps, again.best_loss) == (fitted.steps, fitted.best_loss)
    with pytest.raises(BadInput, match="is of another run"):
        run(Loader(dtype="bfloat16"), quiet)


def test_what_is_too_long_to_be_read_beside_a_correction_is_answered_by_the_model(scope, tiny):
    editor, state, _ = filled(scope, tiny, THINGS[:3])
    asked = (Query.ask("where does the star live? " + "where does the ring live? " * count) for count in range(60, 0, -1))
    long = next(query for query in asked if fits(tiny, query))
    assert isinstance(editor.read(tiny, state, long), NoPatch)
    assert scope.judged(tiny, long, [("where does the star live?", "pier 0")]) == [Judged(0.0, "same")]
