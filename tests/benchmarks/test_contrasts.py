"""Questions in contrast: true, in one wording, and answered by neither what is said nor what is asked of alone."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from errata.benchmarks.scopeworld.contrasts import CONTRASTED, contrast
from errata.benchmarks.scopeworld.knowledge import KINDS, WORLD, Kind
from errata.benchmarks.scopeworld.lessons import TOPICS
from errata.benchmarks.scopeworld.scenes import Scene, random_scene

CROSSED = ("is_fact", "is_fact_by_name", "is_attribute")


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def said_of(topic, item):
    """What is said and of what: the prompt, cut where the phrase that means a thing begins or ends."""
    mention = item.mentions[0]
    words = item.prompt[: mention.end]
    return words.partition(" of ")[::2] if topic != "is_attribute" else (item.prompt[mention.end :], words)


@pytest.mark.parametrize("topic", CROSSED)
def test_neither_what_is_said_nor_of_what_tells_the_answer(topic, rng):
    """Each thing and each saying is found with "yes" and with "no"."""
    whole = 0
    for _ in range(100):
        made = contrast(topic, random_scene(rng), rng)
        assert len(made) in (2, 4)
        answers = [item.answer for item in made]
        assert answers.count("yes") == len(made) // 2
        if len(made) == 2 or answers in (["yes", "no", "yes", "no"],):
            continue  # one thing, or two that are alike: what is said second is true of none
        whole += 1
        found = defaultdict(set)
        for item in made:
            for part in enumerate(said_of(topic, item)):
                found[part].add(item.answer)
        assert len(found) == 4
        assert all(each == {"yes", "no"} for each in found.values())
    assert whole > 50


@pytest.mark.parametrize("topic", CONTRASTED)
def test_questions_in_contrast_are_of_one_wording_and_of_that_topic(topic, rng):
    for _ in range(50):
        scene = random_scene(rng)
        made = contrast(topic, scene, rng)
        alone = topic == "where" and len(scene.filled) == 1
        assert (0 if alone else 1) < len({item.prompt for item in made}) <= 4
        assert {item.family for item in made} == {topic.removesuffix("_by_name")}
        assert {item.visual for item in made} == {not topic.endswith("_by_name")}
        assert len({item.prompt.split()[0] for item in made}) == 1
    assert topic in TOPICS


def test_a_thing_alone_is_asked_of_what_is_true_and_of_what_is_not(rng):
    kind = KINDS[9]
    scene = Scene((None, kind, None, None))
    for _ in range(20):
        true, false = contrast("is_fact", scene, rng)
        assert (true.answer, false.answer) == ("yes", "no")
        assert any(WORLD.facts[kind, relation] in true.prompt for relation in ("home", "food", "maker"))


def test_what_is_there_and_what_is_not_are_asked_together(rng):
    scene = Scene((Kind("star", "red"), Kind("ring", "red"), None, Kind("cross", "blue")))
    answers = [[item.answer for item in contrast("exists", scene, rng)] for _ in range(30)]
    assert sum({"yes", "no"} == set(each) for each in answers) > 25
    counts = [[item.answer for item in contrast("count", scene, rng)] for _ in range(30)]
    assert all(len(set(each)) > 1 for each in counts)
    assert max(each.count(answer) for each in counts for answer in each) == 2


def test_where_is_asked_of_all_that_is_there_but_at_most_three(rng):
    scene = Scene((Kind("star", "red"), Kind("ring", "red"), None, Kind("cross", "blue")))
    made = contrast("where", scene, rng)
    assert {item.answer for item in made} == {"the top left", "the top right", "the bottom right"}
    full = Scene((Kind("star", "red"), Kind("ring", "red"), Kind("moon", "blue"), Kind("cross", "blue")))
    assert len(contrast("where", full, rng)) == 3


def test_relations_are_asked_of_two_things_in_two_directions_and_seldom_of_one_named_by_another(rng):
    ways = ("left of", "right of", "above", "below")
    named = 0
    for _ in range(100):
        scene = random_scene(rng)
        made = contrast("relation", scene, rng, by_place=0.0, by_relation=1.0)
        of = [item.mentions[0].cells for item in made]
        asked = [min((way for way in ways if way in item.prompt), key=item.prompt.index) for item in made]
        assert len(set(of)) == min(2, len(scene.filled))
        assert {(cells, way) for cells in of for way in asked} == set(zip(of, asked, strict=True))
        assert len(made) == 4
        named += sum(sum(item.prompt.count(way) for way in ways) > 1 for item in made)
    assert named < 160
