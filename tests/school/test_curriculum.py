"""From random weights, questions begin easy: few behind statements, things named by their place and hardly by a relation."""

from __future__ import annotations

import numpy as np
import pytest

from errata.benchmarks.scopeworld.scenes import random_scene
from errata.benchmarks.scopeworld.statements import statement_lesson
from errata.school.curriculum import Curriculum, lessons_of

WHOLE = Curriculum(captions=10, questions=1000, scenes=60, seed=5)
ON = Curriculum(looks=0, captions=10, questions=1000, scenes=60, seed=5)


def asked(curriculum, step, steps=3):
    return [item for each in range(steps) for row in lessons_of(step + each, curriculum) for item in row.lessons]


def share(items, *words):
    return np.mean([any(each in item.prompt for each in words) for item in items])


@pytest.mark.parametrize(("step", "right"), [(10, 0.0), (110, 0.25), (410, 1.0), (1009, 1.0)])
def test_questions_are_as_hard_as_ever_after_two_fifths_of_them(step, right):
    assert WHOLE.degree(step) == pytest.approx(right)
    assert ON.degree(step) == 1.0


def stated(curriculum, step):
    """The share of statements among what is drawn: lessons that begin alike, or one alone."""
    rows = [row for each in range(3) for row in lessons_of(step + each, curriculum)]
    said = sum(len({item.prompt[: item.behind] for item in row.lessons if item.behind}) for row in rows)
    return said / (len(rows) * curriculum.lessons)


def test_statements_come_by_degrees_and_trained_weights_get_them_at_once():
    assert stated(WHOLE, 10) == pytest.approx(0.2 * WHOLE.statements, abs=0.04)
    assert stated(WHOLE, 500) == pytest.approx(WHOLE.statements, abs=0.06)
    assert stated(ON, 10) == pytest.approx(WHOLE.statements, abs=0.06)


def test_two_statements_are_told_more_often_than_the_exam_tells_them():
    items = [item for item in asked(WHOLE, 500, 10) if item.behind and item.visual]
    said = {item.prompt[: item.behind] for item in items}
    taught = np.mean([each.count("suppose ") == 2 for each in said])
    rng = np.random.default_rng(3)
    told = np.mean([statement_lesson(random_scene(rng), rng).prompt.count("suppose ") == 2 for _ in range(len(said))])
    assert len(said) > 300
    assert taught > told + 0.05


def test_beside_captions_stand_lessons_in_words_alone_and_in_contrast():
    made = asked(WHOLE, 5)
    rows = 3 * WHOLE.scenes // 2
    assert sum("picture" in item.prompt for item in made) == sum(item.visual for item in made) >= rows
    words = [item for item in made if not item.visual]
    assert len(words) >= 6 * rows
    assert share(words, "after me: ") == pytest.approx(0.3, abs=0.06)
    assert 0.5 * rows < sum(item.behind > 0 for item in words) < 1.5 * rows
    answers = [item.answer for item in words if item.family == "is_fact"]
    assert len(answers) > rows
    assert answers.count("yes") == len(answers) / 2
    assert {item.family for item in words} >= {"home", "food", "maker", "name", "weather", "value_tool", "arithmetic"}


def test_what_is_to_be_said_again_is_drawn_more_often_at_first():
    early, late = (share(asked(WHOLE, step, 10), "after me: ") for step in (10, 500))
    assert early > 2 * late > 0


def test_relations_come_by_degrees_and_places_go():
    def plain(curriculum, step, words):
        alone = [item for item in asked(curriculum, step, 10) if item.family and not item.prompt.startswith("suppose ")]
        return share(alone, *(f"thing {each}" for each in words))

    relations, places = ("left of", "right of", "above", "below"), ("at the top", "at the bottom")
    early, late, on = ((WHOLE, 10), (WHOLE, 500), (ON, 10))
    assert plain(*early, relations) < 0.6 * plain(*late, relations)
    assert plain(*early, places) > 1.5 * plain(*late, places)
    for words in (relations, places):
        assert plain(*on, words) == pytest.approx(plain(*late, words), abs=0.06)
