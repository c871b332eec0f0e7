"""A scope that finds the nearest corrections by a vector, and has the model read each together with the question."""

from collections import Counter
from dataclasses import replace
from unittest.mock import ANY

import pytest
import torch

from errata.core.benchmark import Pair
from errata.core.editor import Judged
from errata.core.errors import BadInput
from errata.core.model import fits
from errata.core.records import Edit, Message, Query
from errata.editors import RerankScope, RerankSizes, Scoped, parse
from errata.editors._checkpoints import read
from errata.editors._states import from_tensors, to_tensors
from errata.editors.scoped.routed import Routed
from errata.models import load
from errata.nn.patches import NoPatch, Verbatim
from errata.school.learners import Wanted, training
from errata.school.scopes import Lessons, decisions, train_scope
from errata.session.ready import Loader, equipped
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


def test_a_saved_memory_reads_again_what_it_read(scope, tiny):
    editor, state, edits = filled(scope, tiny, THINGS[:3])
    saved = to_tensors(state)
    back = from_tensors(saved.tensors, saved.metadata)
    query = Query.ask("tell me the home of the ring.")
    assert editor.decide(tiny, back, query) == editor.decide(tiny, state, query)
    assert back.last.words == (edits[-1].query.text,)


def in_words(scope, tiny, edit, *queries):
    """Which of some questions are in scope of an edit that is alone in memory."""
    editor = Scoped(scope, Routed())
    state = editor.write(tiny, editor.begin(tiny), edit)
    return [not isinstance(editor.read(tiny, state, query), NoPatch) for query in (edit.query, *queries)]


SEEN = (
    Query.ask("tell me the home of the star.", picture(3)),
    Query.ask("tell me the home of the star.", picture(4)),
    Query.ask("tell me the home of the star.", picture(3), picture(4)),
    Query.ask("tell me the home of the star."),
    Query.ask("who made the star?", picture(3)),
)


def test_on_the_same_picture_other_words_are_in_scope_and_on_another_none(scope, tiny):
    edit = Edit(Query.ask("where does the star live?", picture(3)), "pier 0")
    assert in_words(scope, tiny, edit, *SEEN) == [True, True, False, False, False, False]


def test_what_says_its_subject_is_meant_in_words_too_unless_it_is_about_the_picture(scope, tiny):
    edit = Edit(Query.ask("where does the star live?", picture(3)), "pier 0", reach="kind", subject="star")
    assert in_words(scope, tiny, edit, *SEEN) == [True, True, False, False, True, False]
    of_picture = Edit(edit.query, "pier 0", reach="image", subject="star")
    assert in_words(scope, tiny, of_picture, *SEEN) == [True, True, False, False, False, False]


def test_the_same_picture_in_other_bytes_is_the_same(scope, tiny):
    kept, again = picture(3), picture(3, format="bmp")
    assert kept.digest != again.digest
    edit = Edit(Query.ask("where does the star live?", kept), "pier 0")
    assert in_words(scope, tiny, edit, Query.ask("tell me the home of the star.", again)) == [True, True]


def test_a_later_edit_in_words_contradicts_one_on_a_picture_that_is_meant_in_words_and_the_other_way_round(scope, tiny):
    words = Edit(Query.ask("where does the star live"), "pier 1")
    kind = Edit(Query.ask("where does the star live?", picture(3)), "pier 0", reach="kind", subject="star")
    image = Edit(kind.query, "pier 0", reach="image", subject="star")
    for first, second, over in ((words, kind, True), (kind, words, True), (words, image, False), (image, words, False)):
        editor = Scoped(scope, Routed())
        state = editor.begin(tiny)
        for edit in (first, second):
            state = editor.write(tiny, state, edit)
        assert state.last is not None
        assert (state.last.over == (first.id,)) is over


def test_what_is_known_by_a_picture_alone_is_read_with_its_subject_where_none_is_shown(scope, tiny):
    seen = Query.ask("where does this live?", picture(3))
    kind, image = Edit(seen, "pier 0", reach="kind", subject="star"), Edit(seen, "pier 0", reach="image", subject="star")
    kept = scope.kept(tiny, kind)
    assert (kept.words, kept.subject) == (("where does this live?",), "star")
    assert [query.text for query, _ in kept.asks] == ["where does this live?", "where does this live? (star)"]
    held = Scoped(scope, Routed())
    (last,) = held.write(tiny, held.begin(tiny), kind).held
    assert last.read_as(shown=True) == ("where does this live?",)
    assert last.read_as(shown=False) == ("where does this live? (star)",)
    assert scope.kept(tiny, image)[1:] == (("where does this live?",), ((seen, ANY),), "")
    named = scope.kept(tiny, Edit(Query.ask("where does the Star live?"), "pier 0", subject="star"))
    assert named.words == ("where does the Star live?",)


def test_a_question_that_names_the_value_lies_nearer_to_a_correction_by_its_answer(scope, tiny):
    kept = scope.kept(tiny, Edit(Query.ask("where does the moon live?"), "pier 2"))
    asked = scope.key(tiny, Query.ask("who lives at pier 2?"))
    question, answered = (kept.keys_KD @ asked).tolist()
    assert answered > question


def test_another_model_may_read(scope, trained, tiny, random_blip2):
    reading = RerankScope.load(read(trained, kind="rerank"), reader=tiny)
    reading.check(random_blip2)
    assert reading.spec() == {**scope.spec(), "reader": tiny.digest}
    editor, state, edits = filled(reading, random_blip2, THINGS[:4])
    here, there, _ = filled(scope, tiny, THINGS[:4])
    for text in ("tell me the home of the moon.", "who made the moon?"):
        assert editor.decide(random_blip2, state, Query.ask(text)) == here.decide(tiny, there, Query.ask(text))
    patch = editor.read(random_blip2, state, Query.ask("tell me the home of the moon."))
    assert random_blip2.answers([Query.ask("tell me the home of the moon.")], [patch]) == ["pier 2"]
    named = equipped(parse(f"rerank:checkpoint={trained},reader=llava-tiny"))
    named.begin(random_blip2)
    with pytest.raises(BadInput, match=r"Only the scope .rerank. has a reader"):
        parse("scoped:scope=nearest,reader=smollm2")


@pytest.mark.parametrize(("form", "spelled"), [(3, "starfish"), (4, "Starfish")])
def test_two_that_are_read_together_are_spelled_alike_since_its_fourth_form(trained, form, spelled):
    scope = RerankScope.load(read(trained, kind="rerank"), form=form)
    beside = scope._beside("where does the Starfish live?", "pier 0", "tell me the home of the starfish.").text
    assert beside.splitlines()[0] == "Known: where does the Starfish live?"
    assert beside.splitlines()[2] == f"Asked: tell me the home of the {spelled}."
    beside = scope._beside("where does the starfish live?", "pier 0", "tell me the home of the Starfish.").text
    assert beside.splitlines()[0] == f"Known: where does the {spelled} live?"


def test_what_shipped_second_reads_it_with_its_subject_on_the_picture_too(trained, tiny):
    second = RerankScope.load(read(trained, kind="rerank"), form=2)
    assert second.spec()["form"] == 2
    kind = Edit(Query.ask("where does this live?", picture(3)), "pier 0", reach="kind", subject="star")
    kept = second.kept(tiny, kind)
    assert (kept.words, kept.subject) == (("where does this live? (star)",), "")
    assert len(kept.keys_KD) == 4
    assert torch.equal(kept.keys_KD[:2, : SIZES.vector], kept.keys_KD[2:, : SIZES.vector])
    assert in_words(second, tiny, Edit(Query.ask("where does the star live?", picture(3)), "pier 0"), *SEEN)[:2] == [True, True]


@pytest.fixture(scope="module")
def before(tiny, tmp_path_factory):
    """A scope of the first form, hardly taught."""
    sizes, pairs = replace(SIZES, form=1), labelled(THINGS[:3])
    scope = RerankScope.of(tiny, sizes)
    nearness = scope.nearness()
    nearness.look(pairs)
    nearness.settle(pairs)
    return RerankScope.load(read(scope.learnt().write(tmp_path_factory.mktemp("before")), kind="rerank"))


def test_what_was_trained_before_keeps_corrections_as_it_did(before, tiny):
    assert "form" not in before.spec()
    edit = Edit(Query.ask("where does this live?", picture(3)), "pier 0", reach="kind", subject="star")
    assert in_words(before, tiny, edit, *SEEN) == [True] + [False] * len(SEEN)
    kept = before.kept(tiny, Edit(Query.ask("where does it live?"), "pier 0", subject="star"))
    assert kept.words == ("where does it live?",)
    assert kept.keys_KD.shape == (1, SIZES.vector)


def test_what_it_is_wrong_about_is_learned_too_and_what_is_meant_is_never_among_it(tiny):
    pairs = labelled(THINGS[:6])
    nearness = RerankScope.of(tiny, SIZES).nearness()
    nearness.look(pairs)
    nearness._net.get_buffer("worth_2").fill_(0.02)
    mined = nearness.mined(pairs, each=2)
    meant = {(pair.edit.id, pair.query.digest) for pair in pairs if pair.in_scope}
    asked = {pair.query.digest for pair in pairs if pair.sort in ("same", "yes", "no")}
    assert {pair.query.digest for pair in mined} == asked
    assert all((pair.in_scope, pair.sort) == (False, "apart") for pair in mined)
    assert not {(pair.edit.id, pair.query.digest) for pair in mined} & meant
    assert max(Counter(pair.query.digest for pair in mined).values()) == 2


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
    with pytest.raises(BadInput, match="one of the forms 1, 2, 3, 4, not in 5"):
        RerankSizes(form=5)
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
    lie = scope.near(torch.stack([text, other, torch.zeros_like(text)]))
    assert float((lie[0] - lie[2]).norm()) == pytest.approx(2**0.5)
    assert float((lie[0] - lie[1]).norm()) == pytest.approx(float((text - other).norm()))
    here, there = (scope.key(tiny, Query.ask("where does the star live?", picture(place))) for place in (3, 4))
    seen, elsewhere, unseen = scope.near(torch.stack([here, there, text]))
    assert min(float((seen - elsewhere).norm()), float((seen - unseen).norm())) > 2


def test_a_training_that_was_stopped_is_gone_on_with_for_the_same_model_alone(tmp_path):
    wanted = Wanted(tmp_path / "out", "llava-tiny", benchmark="asked", edits=12, steps=2, batch=4, every=1)
    run = training("rerank:layers=0.5,rank=2,depths=2,width=8,vector=8", wanted)
    done = run(Loader(), quiet)
    assert done.fitted is not None
    assert done.fitted.steps == 2
    assert done.told.startswith("of the pairs kept back")
    assert run(Loader(), quiet).course == done.course
    with pytest.raises(BadInput, match="is of another run"):
        run(Loader(dtype="bfloat16"), quiet)


def test_what_is_too_long_to_be_read_beside_a_correction_is_answered_by_the_model(scope, tiny):
    editor, state, _ = filled(scope, tiny, THINGS[:3])
    asked = (Query.ask("where does the star live? " + "where does the ring live? " * count) for count in range(60, 0, -1))
    long = next(query for query in asked if fits(tiny, query))
    assert isinstance(editor.read(tiny, state, long), NoPatch)
    assert scope.judged(tiny, long, [("where does the star live?", "pier 0")]) == [Judged(0.0, "same")]


def test_a_question_from_a_value_is_about_every_correction_to_it_and_what_only_follows_is_not_mined(tiny):
    edits = [
        Edit(Query.ask(f"where does the {thing} live?"), pier)
        for thing, pier in zip(THINGS, ("pier 0", "Pier 0 ", "pier 2"), strict=False)
    ]
    back, hop = Query.ask("who lives at pier 0?"), Query.ask("does the star live where the moon does?")
    pairs = [
        *(Pair(edit, edit.query, True, "same", False, "same") for edit in edits),
        Pair(edits[0], back, True, "reverse", False, "follows"),
        Pair(edits[0], hop, True, "one_hop", False, "follows"),
    ]
    nearness = RerankScope.of(tiny, SIZES).nearness()
    nearness.look(pairs)
    nearness._net.get_buffer("worth_2").fill_(-1)
    mined = nearness.mined(pairs, each=2)
    assert [pair.edit for pair in mined if pair.query == back] == [edits[2]]
    assert not [pair for pair in mined if pair.query == hop]


def test_a_correction_of_a_conversation_is_meant_after_the_same_turns_alone_and_any_other_anywhere(tiny):
    scope = RerankScope.of(tiny, SIZES)
    scope.net.train(False)
    words = Message("user", ("where does the star live?",))
    said = (Message("user", ("hello",)), Message("assistant", ("hello!",)))
    other = (Message("user", ("good day",)), Message("assistant", ("hello!",)))
    told, plain = Message("system", ("Be brief.",)), Query((words,))
    for known, near in ((plain, [True, True, True, True]), (Query((*said, words)), [False, True, True, False])):
        keys_KD = scope.kept(tiny, Edit(known, "pier 0")).keys_KD.half().float()  # as a memory keeps them
        asked = (plain, Query((*said, words)), Query((told, *said, words)), Query((told, *other, words)))
        assert [float(scope.rho(scope.key(tiny, query), keys_KD).max()) > 0.4 for query in asked] == near
