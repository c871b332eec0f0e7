"""What an edit entails is what differs between two worlds: the table of entailments, row by row."""

import numpy as np
import pytest

from errata.benchmarks.scopeworld.corrections import (
    FactCorrection,
    ImageCorrection,
    draw_image_correction,
    fact_in_scope,
    image_in_scope,
    questions_on,
)
from errata.benchmarks.scopeworld.knowledge import KINDS, UNSEEN_NAMES, WORLD, Kind
from errata.benchmarks.scopeworld.questions import Question, Ref, View
from errata.benchmarks.scopeworld.scenes import Scene

STAR, RING, CROSS = Kind("star", "red"), Kind("ring", "red"), Kind("cross", "blue")
SCENE = Scene((STAR, RING, None, CROSS))
VIEW = View(SCENE)


def entailed(correction):
    """The families of questions on the corrected picture whose answer changes."""
    return {q.family for q in questions_on(SCENE) if image_in_scope(correction, q, VIEW, same_picture=True)}


def test_a_misread_glyph_entails_name_facts_counts_and_relations():
    found = entailed(ImageCorrection(SCENE, 0, "glyph", "moon"))
    assert {"shape", "recognition", "name", "home", "food", "maker", "count", "relation"} <= found
    assert "colour" not in found


def test_a_misread_colour_entails_name_facts_counts_and_yes_or_no():
    found = entailed(ImageCorrection(SCENE, 0, "colour", "green"))
    assert {"colour", "recognition", "name", "count", "relation", "is_attribute"} <= found
    assert "shape" not in found


def test_a_misrecognised_name_entails_its_facts_and_leaves_looks_alone():
    other = WORLD.names[KINDS[100]]
    correction = ImageCorrection(SCENE, 0, "name", other)
    found = entailed(correction)
    assert {"name", "is_attribute"} <= found
    assert not found & {"colour", "shape", "recognition", "count", "relation"}
    view = correction.view(VIEW)
    assert Question("home", Ref.cell(0)).answer(WORLD, view) == WORLD.facts[KINDS[100], "home"]
    assert Question("where", None, (other,)).answer(WORLD, view) == "the top left"


def test_a_name_that_nothing_bears_has_no_facts():
    view = ImageCorrection(SCENE, 0, "name", UNSEEN_NAMES[0]).view(VIEW)
    assert Question("name", Ref.cell(0)).answer(WORLD, view) == UNSEEN_NAMES[0]
    assert Question("home", Ref.cell(0)).answer(WORLD, view) is None


def test_other_entities_and_other_pictures_are_out_of_scope():
    correction = ImageCorrection(SCENE, 0, "glyph", "moon")
    assert image_in_scope(correction, Question("name", Ref.cell(3)), VIEW, same_picture=True) is False
    assert image_in_scope(correction, Question("shape", Ref.cell(0)), VIEW, same_picture=True) is True
    assert image_in_scope(correction, Question("shape", Ref.cell(0)), VIEW, same_picture=False) is False


def test_an_expression_that_no_longer_fits_is_neither_in_nor_out():
    correction = ImageCorrection(SCENE, 0, "glyph", "moon")
    assert image_in_scope(correction, Question("colour", Ref.glyph("star")), VIEW, same_picture=True) is None


def test_a_fact_entails_its_wordings_yes_or_no_other_pictures_words_alone_and_a_second_hop():
    other = next(value for value in ("the cave", "the tower", "the swamp") if value != WORLD.facts[STAR, "home"])
    correction = FactCorrection(STAR, "home", "the cave")
    if WORLD.consequence("home", "the cave") == WORLD.consequence("home", WORLD.facts[STAR, "home"]):
        correction = FactCorrection(STAR, "home", other)
    for question, view in (
        (Question("home", Ref.cell(0)), VIEW),
        (Question("home", Ref.glyph("star")), View(Scene((None, None, STAR, CROSS)))),
        (Question("is_fact", Ref.cell(0), ("home", correction.value)), VIEW),
        (Question("home", Ref.name(WORLD, STAR)), None),
        (Question("home", Ref.description(STAR)), None),
        (Question("weather", Ref.cell(0)), VIEW),
    ):
        assert fact_in_scope(correction, question, view), question
    for question, view in (
        (Question("food", Ref.cell(0)), VIEW),
        (Question("home", Ref.cell(1)), VIEW),
        (Question("name", Ref.cell(0)), VIEW),
        (Question("home", Ref.name(WORLD, RING)), None),
        (Question("count", None, ("star",)), VIEW),
    ):
        assert not fact_in_scope(correction, question, view), question


@pytest.mark.parametrize("seed", range(20))
def test_drawn_image_corrections_change_their_own_question_and_keep_kinds_apart(seed):
    correction = draw_image_correction(np.random.default_rng(seed))
    view = View(correction.scene)
    assert image_in_scope(correction, correction.question, view, same_picture=True)
    assert correction.question.answer(WORLD, correction.view(view)) == correction.value
    changed = correction.view(view).scene
    kinds = [changed.at(cell) for cell in changed.filled]
    assert len(set(kinds)) == len(kinds)
    labels = [image_in_scope(correction, question, view, same_picture=True) for question in questions_on(correction.scene)]
    assert labels.count(True) >= 3
    assert labels.count(False) >= 3
