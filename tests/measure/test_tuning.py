"""Fields found for a model: the reach by known distances, the layer where they tell, states as a write would make them."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from errata.core.errors import BadInput
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.editors.codebook import Codebook
from errata.editors.scopeedit.editor import ScopeEdit
from errata.measure.tuning.book import Book, _beginnings, stronger
from errata.measure.tuning.figures import Asking, Figures, Share
from errata.measure.tuning.questions import LEAST, Half, Questions, given, made
from errata.measure.tuning.reach import at, best
from errata.measure.tuning.shared import Shared
from errata.measure.tuning.topics import TOPICS
from errata.measure.tuning.trying import Clock, Trials, Tried, written
from errata.measure.tuning.tune import tune
from errata.models import load
from errata.session.pools import made_pool
from tests.editors.samples import PICTURED, SECOND, WORDED
from tests.zoo import families

BOOK = Codebook(slots=64, steps=20, chatter=20)
ALSO = replace(WORDED, also=(Query.ask("Where does the blue ring live?"),), keep=(Query.ask("how many things are there?"),))
HALF = Half((ALSO,), (Query.ask("what does mibo eat?"),))


def silent(what, done, total):
    """Progress that nobody is shown."""


def cosines(*rows):
    return np.array(rows, dtype=np.float32)


def drawn(seed):
    rng = np.random.default_rng(seed)
    follow, keep, ordinary = (rng.uniform(low, 1, (size, 3)).astype(np.float32) for size, low in ((9, 0.2), (7, -0.2), (5, -0.5)))
    return follow, rng.integers(0, 3, 9), keep, ordinary


# The reach.


@pytest.mark.parametrize("seed", range(20))
def test_no_reach_does_better_than_the_one_that_is_found(seed):
    found = best(*drawn(seed))
    every = [at(reach, *drawn(seed)) for reach in np.linspace(-1, 1, 401)]
    assert found.score >= max(one.score for one in every) - 1e-9
    assert found == at(found.reach, *drawn(seed))


def test_where_distances_part_the_reach_lies_between_them():
    found = best(cosines([0.9, 0.1], [0.2, 0.8]), np.array([0, 1]), cosines([0.6, 0.2]), cosines([0.1, 0.0]))
    assert (found.reach, found.followed, found.kept, found.ordinary, found.score) == (0.7, 1.0, 1.0, 1.0, 1.0)


def test_what_is_nearest_to_another_edit_does_not_follow_its_own():
    near_another = at(0.5, cosines([0.8, 0.9], [0.1, 0.9]), np.array([0, 1]), cosines([0.4, 0.4]), cosines([0.4, 0.4]))
    assert (near_another.followed, near_another.kept) == (0.5, 1.0)


def test_of_equal_reaches_the_one_that_reaches_least_is_taken():
    found = best(cosines([0.3]), np.array([0]), cosines([0.8]), cosines([0.8]))
    assert found.reach > 0.8  # following the one by moving both others is as good as silence
    assert (found.followed, found.kept) == (0.0, 1.0)


def test_what_must_stay_and_ordinary_questions_count_alike_however_many_there_are():
    follow, own, calm = cosines([0.9]), np.array([0]), cosines([0.0])
    few, many = (at(0.5, follow, own, np.repeat(cosines([0.6], [0.0]), times, 0), calm) for times in (1, 50))
    assert few.score == many.score == (1 + (0.5 + 1) / 2) / 2


# Layers whose distances are known.


class Known:
    """A model of two layers that sees texts as vectors of ours; what it is asked for the second time is an error."""

    groups = {"first": 0, "second": 1}
    writable = {"text": ("first", "second"), "projector": (), "vision": ()}

    def __init__(self, seen):
        self.seen = seen
        self.passes = 0

    def module(self, path):
        return nn.Linear(4, 4)

    def chatter(self, count, *, seed):
        return []

    def beginnings(self, queries, paths):
        self.passes += bool(queries)
        rows = {path: [torch.tensor(self.seen[query.text][path]) for query in queries] for path in paths}
        return {path: torch.stack(one) if one else torch.zeros(0, 4) for path, one in rows.items()}


def leaning(cosine):
    """A vector at this cosine from the first axis."""
    return [cosine, (1 - cosine**2) ** 0.5, 0.0, 0.0]


def test_the_layer_that_tells_wordings_from_other_questions_is_found_with_its_reach_in_one_pass():
    near = {"own": 1.0, "also": 0.9, "keep": 0.5, "calm": 0.1}
    blind = {"own": 1.0, "also": 0.5, "keep": 0.9, "calm": 0.95}
    model: Any = Known({text: {"first": leaning(near[text]), "second": leaning(blind[text])} for text in near})
    row = Edit(Query.ask("own"), "x", also=(Query.ask("also"),), keep=(Query.ask("keep"),))
    last, first = Book(model, Codebook(chatter=0, weight=0.0)).layers(Half((row,), (Query.ask("calm"),)))
    assert (first.layer, first.module, first.foretold.reach, first.foretold.score) == (2, "first", 0.7, 1.0)
    assert (last.layer, last.module, last.foretold.score) == (1, "second", 0.5)
    assert last.foretold.followed == 0
    assert model.passes == 1


def test_a_question_that_a_model_leaves_out_is_near_nothing(random_llava):
    class Picky(SimpleNamespace):
        def beginnings(self, queries, paths):
            return random_llava.beginnings([query for query in queries if query != SECOND.query], paths)

    (path,) = random_llava.writable["text"][-1:]
    queries = [WORDED.query, SECOND.query, ALSO.also[0]]
    found, whole = _beginnings(Picky(), queries, (path,))[path], random_llava.beginnings(queries, (path,))[path]
    assert not found[1].any()
    torch.testing.assert_close(found[[0, 2]], whole[[0, 2]])


# States as a write would make them.


def test_every_layer_begins_as_it_would_alone(random_llava):
    seen = Book(random_llava, BOOK)
    for layer in seen.paths:
        editor = replace(BOOK, layer=layer)
        assert torch.equal(seen.begins(editor).book.lens_RI, editor.begin(random_llava).book.lens_RI)


def test_values_made_stronger_are_those_of_a_write_with_that_gain(random_llava):
    asking = Asking(random_llava, HALF)
    strong = replace(BOOK, gain=2.0)
    made_so = stronger(asking.written(BOOK, BOOK.begin(random_llava)), 2.0)
    told = asking.written(strong, strong.begin(random_llava))
    assert torch.equal(made_so.book.values_MO, told.book.values_MO)
    assert not torch.equal(told.book.values_MO, asking.written(BOOK, BOOK.begin(random_llava)).book.values_MO)


def test_scopeedit_begins_alike_whatever_its_steps_and_with_none_of_the_questions_in_its_pool(random_llava):
    pool = made_pool(random_llava)
    questions = Questions(Half((ALSO,), pool[:2]), Half((SECOND,), pool[2:4]), "ours")
    held = Shared(random_llava, ScopeEdit(pool_size=4), questions)
    assert held.base.pool == pool[4:]
    editor = replace(held.base, steps=7, relaxation=0.5)
    shared, alone = held.begins(editor), editor.begin(random_llava)
    for path, module in alone.modules.items():
        assert torch.equal(shared.modules[path].p_local_LL, module.p_local_LL)
    assert held.begins(replace(held.base, layers=2)) is not shared
    assert held.begins(held.base) is shared


# Figures.


def test_an_editor_that_says_nothing_keeps_everything_and_gives_nothing(random_llava):
    none = parse("none")
    found = Asking(random_llava, HALF).figures(none, none.begin(random_llava))
    assert found == Figures(Share(0, 1), Share(0, 1), Share(1, 1), Share(1, 1))
    assert found.score == 0.5


def test_a_correction_is_given_to_its_own_question_and_one_that_reaches_everything_moves_what_must_stay(random_llava):
    asking = Asking(random_llava, HALF)
    state = asking.written(BOOK, BOOK.begin(random_llava))
    assert asking.figures(BOOK, state) == Figures(Share(1, 1), Share(0, 1), Share(1, 1), Share(1, 1))
    wide = asking.figures(BOOK, replace(state, book=replace(state.book, reach=-0.999)))
    assert (wide.kept, wide.ordinary) == (Share(0, 1), Share(0, 1))


def test_wordings_that_the_unedited_model_answers_so_already_are_not_counted(random_llava):
    (said,) = random_llava.answers([ALSO.also[0]], [parse("none").read(random_llava, None, ALSO.also[0])], max_new_tokens=16)
    none, half = parse("none"), Half((replace(ALSO, target=said),), ())
    assert Asking(random_llava, half).figures(none, none.begin(random_llava)).followed == Share(0, 0)


def test_other_wordings_are_not_written(random_llava):
    state = Asking(random_llava, HALF).written(BOOK, BOOK.begin(random_llava))
    assert [len(span) for span in state.spans] == [1]


# The search.


def test_a_spec_is_written_as_it_is_read():
    for text in ("codebook", "codebook:layer=6,reach=0.741,gain=1.5", "scopeedit:layers=none,projector=true,steps=10"):
        assert parse(written(text.partition(":")[0], parse(text))) == parse(text)
    assert written("codebook", parse("codebook:steps=60")) == "codebook"


def test_the_best_of_the_trials_is_that_of_the_highest_score_and_of_equals_the_one_that_reaches_least(random_llava):
    trials = Trials(Asking(random_llava, HALF), lambda editor: None, Clock(1.0, after=2), silent, 3, lambda reach: reach)
    for place, (followed, reach) in enumerate(((1, 0.9), (3, 0.5), (3, 0.7), (3, 0.7), (2, 0.8))):
        figures = Figures(Share(4, 4), Share(followed, 4), Share(4, 4), Share(0, 0))
        trials.tried.append(Tried(reach, str(place), figures, 1.0))
    assert trials.best.spec == "2"


def test_no_trial_begins_that_would_end_too_late(random_llava):
    clock = Clock(1.0, after=2)
    trials = Trials(Asking(random_llava, HALF), lambda editor: editor.begin(random_llava), clock, silent, 2, lambda one: one.reach)
    assert trials.run("codebook", BOOK) is not None
    clock.longest_s = 21.0  # and two more for the held-out half
    assert trials.run("codebook", BOOK) is None
    assert (trials.cut, len(trials.tried)) == (True, 1)


def test_the_best_is_chosen_and_the_held_out_half_is_asked_with_it(random_llava):
    other = replace(SECOND, also=(Query.ask("What is here?", *SECOND.query.images),))
    halves = Questions(HALF, Half((other,), tuple(map(Query.ask, ("where does mibo live?", "is it red?")))), "ours")
    found = tune(random_llava, BOOK, halves, minutes=5, progress=silent)
    assert found.chosen is max(found.tried, key=lambda one: (one.figures.score, one.editor.reach))
    assert [layer.layer for layer in found.layers] == [1, 2, 3, 4]
    assert not found.cut
    asking = Asking(random_llava, halves.held_out)
    for one, told in ((found.tried[0], found.before), (found.chosen, found.after)):
        assert told == asking.figures(one.editor, asking.written(one.editor, one.editor.begin(random_llava)))


def test_scopeedit_is_searched_field_by_field(random_llava):
    halves = Questions(HALF, Half((SECOND,), ()), "ours")
    found = tune(random_llava, ScopeEdit(pool_size=4), halves, minutes=5, progress=silent)
    first, *others = (one.editor for one in found.tried)
    assert [editor.steps for editor in others[:2]] == [10, 20]
    assert all(editor.pool == first.pool for editor in others)
    assert found.layers == ()
    assert found.tried[0].spec == "scopeedit:pool_size=4"


# The questions.


def test_the_topics_of_the_halves_share_no_subject_and_no_words():
    search, rest = (
        {text for topic in TOPICS[side] for text in (*topic.wordings, *topic.corrected, *topic.others)} for side in TOPICS
    )
    assert not search & rest
    pool = {text.casefold() for query in made_pool(SimpleNamespace(name="x", check=lambda *_: None)) for text in query.texts}
    for side in TOPICS:
        for topic in TOPICS[side]:
            for edit in topic.edits():
                asked = [edit.query, *edit.also, *edit.keep]
                assert len({query.digest for query in asked}) == len(asked)
                assert not {query.text.casefold() for query in asked} & pool
                assert all(str(edit.subject) in query.text for query in (edit.query, *edit.also))


@pytest.mark.parametrize("name", ["smollm2", "qwen2_5_vl"])
def test_own_questions_are_on_pictures_too_where_a_model_sees(name, tmp_path):
    families()[name].build(tmp_path / name)
    own = made(load(tmp_path / name))
    for half in (own.search, own.held_out):
        assert any(edit.query.images for edit in half.rows) == (name == "qwen2_5_vl")
        assert all(not any(query.images for query in edit.also) for edit in half.rows if not edit.query.images)
        assert half.follow
        assert half.keep


def rows(count=LEAST, **first):
    made_up = [
        {"question": f"where does the ring number {n} live?", "target": "in the harbor", "also": ["where?"]} for n in range(count)
    ]
    return [{**made_up[0], **first}, *made_up[1:]] if made_up else []


def put(folder, records):
    path = folder / "asked.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return path


def test_rows_of_a_file_are_dealt_so_that_both_halves_have_other_wordings(random_llava, tmp_path):
    records = rows(8)
    for number in (0, 1, 2, 3, 4, 6):  # what is left would fall to one half
        del records[number]["also"]
    found = given(put(tmp_path, records), random_llava)
    assert [len(half.follow) for half in (found.search, found.held_out)] == [1, 1]
    texts = [{edit.query.text for edit in half.rows} for half in (found.search, found.held_out)]
    assert (len(texts[0]), len(texts[1]), texts[0] & texts[1]) == (4, 4, set())


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        (rows(LEAST - 1), "has 5 questions. Half are held out: give at least 6"),
        (rows(target=None), "line 1, can't be used: .*target"),
        ([{key: row[key] for key in ("question", "target")} for row in rows()], "has 0 rows with other wordings"),
        ([*rows(), rows()[2]], "line 7, asks what line 3 asks"),
        (rows(also=["\u4f60"]), "line 1, can't be put to"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(records, sentence, random_llava, tmp_path):
    with pytest.raises(BadInput, match=sentence):
        given(put(tmp_path, records), random_llava)


def test_pictures_for_a_model_without_eyes_are_a_sentence(tmp_path):
    families()["smollm2"].build(tmp_path / "words")
    (tmp_path / "a.png").write_bytes(PICTURED.query.images[0].data)
    with pytest.raises(BadInput, match="line 1, can't be put to .*sees none"):
        given(put(tmp_path, rows(image="a.png")), load(tmp_path / "words"))
