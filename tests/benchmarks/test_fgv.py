"""scopeworld-fgv: labels come from the world, splits share no scene, and the words of a hard pair say nothing."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import LogisticRegression

from errata.benchmarks.scopeworld.fgv import IN_SCOPE, OUT_OF_SCOPE, ScopeWorldFGV, split_of, training_pairs
from errata.benchmarks.scopeworld.knowledge import WORLD
from errata.benchmarks.scopeworld.questions import TRAINED_WORDINGS, View
from errata.benchmarks.scopeworld.scenes import random_scene
from errata.core.benchmark import UNCHANGED
from errata.core.errors import BadInput

EDITS = 80


@pytest.fixture(scope="module")
def test_split():
    return ScopeWorldFGV(seed=11, edits=EDITS)


@pytest.fixture(scope="module")
def train_split():
    return ScopeWorldFGV(seed=11, edits=EDITS, split="train")


def scenes(fgv):
    return {drawn.view.scene for index in range(len(fgv)) for drawn in fgv.drawn(index) if drawn.view is not None}


def test_the_splits_share_no_scene_and_stand_three_to_one(test_split, train_split, rng):
    for fgv in (test_split, train_split):
        assert {split_of(scene) for scene in scenes(fgv)} == {fgv.split}
    assert not scenes(test_split) & scenes(train_split)
    share = np.mean([split_of(random_scene(rng)) == "test" for _ in range(4000)])
    assert share == pytest.approx(0.25, abs=0.03)


def test_the_splits_share_no_picture_and_the_train_split_has_no_held_out_wording(test_split, train_split):
    def pictures(fgv):
        return {image.digest for i in range(EDITS) for pair in fgv.pairs(i) for image in pair.query.images}

    assert not pictures(test_split) & pictures(train_split)
    held_out = {
        drawn.question.ask(wording)
        for index in range(EDITS)
        for drawn in train_split.drawn(index)
        for wording in (TRAINED_WORDINGS, TRAINED_WORDINGS + 1)
    }
    assert not held_out & {pair.query.text for pair in training_pairs(seed=11, edits=EDITS)}
    generality = [p.query.text for p in test_split[0].probes if p.kind == "text_generality"]
    asked = test_split.drawn(0)[0].question
    assert generality == [asked.ask(TRAINED_WORDINGS), asked.ask(TRAINED_WORDINGS + 1)]


def test_every_label_is_what_two_worlds_say(test_split):
    """Worked out here by answering on the picture and on the corrected picture, with nothing of the benchmark's own labels."""
    for index in range(EDITS):
        correction = test_split.correction(index)
        for drawn, probe, pair in zip(test_split.drawn(index), test_split[index].probes, test_split.pairs(index), strict=True):
            assert (probe.query, probe.kind) == (pair.query, pair.kind)
            before = drawn.question.answer(WORLD, drawn.view)
            view = drawn.view if drawn.view is None or not drawn.same_picture else correction.view(View(correction.scene))
            after = drawn.question.answer(WORLD, view)
            assert before is not None or drawn.view is None
            assert pair.in_scope == (before != after)
            assert probe.expect == (after if pair.in_scope else UNCHANGED)
            assert pair.in_scope == (probe.kind in IN_SCOPE)
            assert pair.in_scope != (probe.kind in OUT_OF_SCOPE)


def test_an_edit_gives_its_value_to_its_own_question_and_is_about_its_picture(test_split):
    for index in range(EDITS):
        case, correction = test_split[index], test_split.correction(index)
        assert case.edit.target == correction.value
        assert case.edit.reach == "image"
        assert len(case.edit.query.images) == 1
        asked, understood = test_split.drawn(index)[0].question, correction.view(View(correction.scene))
        assert asked.answer(WORLD, View(correction.scene)) != asked.answer(WORLD, understood) == correction.value


def test_a_picture_seen_anew_is_the_same_scene_in_other_bytes_and_a_near_one_is_not(test_split):
    redrawn = 0
    for index in range(EDITS):
        own = test_split[index].edit.query.images[0].digest
        for drawn in test_split.drawn(index):
            if drawn.kind in ("image_generality", "near_locality"):
                assert drawn.query.text == test_split[index].edit.query.text
                assert drawn.query.images[0].digest != own
                assert drawn.same_picture == (drawn.kind == "image_generality")
                redrawn += drawn.kind == "near_locality" and drawn.view.scene == test_split.correction(index).scene
    assert redrawn > EDITS / 5  # the same things in the same places, and still another picture


def test_hard_pairs_come_in_equal_numbers_and_twins_are_worded_alike(test_split):
    counts = Counter((pair.hard, pair.in_scope) for index in range(EDITS) for pair in test_split.pairs(index))
    assert counts[True, True] == counts[True, False] == 3 * EDITS
    for index in range(EDITS):
        inside, outside = (d for d in test_split.drawn(index) if d.hard and d.kind.startswith("specificity"))
        assert inside.question.family == outside.question.family
        if inside.question.ref is not None:
            assert inside.question.ref.form == outside.question.ref.form
        texts = [d.query.text for d in (inside, outside)]
        assert texts[0] != texts[1]


@pytest.mark.proof(sample=450, full=4000)
def test_whoever_reads_the_words_alone_stays_at_chance_on_hard_pairs(trials, record):
    """A logistic regression over every word of the edit beside every word of the question, with the edit's answer, learns nothing
    of the hard pairs; of the easy ones it learns much, so that it can learn at all."""

    def told(pairs):
        for pair in pairs:
            edit = [*pair.edit.query.text.rstrip("?.").split(), f"={pair.edit.target}"]
            yield [f"{a}|{b}" for a in edit for b in pair.query.text.rstrip("?.").split()]

    def chosen(split, seed, edits, hard):
        fgv = ScopeWorldFGV(seed=seed, edits=edits, split=split)
        pairs = [pair for i in range(edits) for pair in fgv.pairs(i) if pair.kind.startswith("specificity") and pair.hard == hard]
        return FeatureHasher(2**16, input_type="string").transform(told(pairs)), [pair.in_scope for pair in pairs]

    shares = {}
    for hard in (True, False):
        reader = LogisticRegression(C=0.1, max_iter=300).fit(*chosen("train", 1, trials, hard))
        shares[hard] = float(reader.score(*chosen("test", 2, trials // 3, hard)))
    record["text alone on hard pairs"] = shares[True]
    record["text alone on easy pairs"] = shares[False]
    assert shares[True] == pytest.approx(0.5, abs=0.05)
    assert shares[False] > 0.7


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"seed": 1, "edits": 0}, "at least 1 edit"),
        ({"seed": -1, "edits": 1}, "0 or more"),
        ({"seed": 1, "edits": 1, "split": "dev"}, "no split"),
    ],
)
def test_what_cannot_be_drawn_is_refused(named, said):
    with pytest.raises(BadInput, match=said):
        ScopeWorldFGV(**named)
