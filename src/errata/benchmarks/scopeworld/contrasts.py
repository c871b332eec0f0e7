"""Questions that differ in one thing alone, and so do their answers.

"Is the old mill the home of a gugar?" is right or wrong by what is said and what is known together; neither alone says anything of
the answer. Asked of two things, each time with what is true of either, all but that cancels out of a step of training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from errata.benchmarks.scopeworld.knowledge import KINDS, RELATIONS, WORLD, Kind
from errata.benchmarks.scopeworld.lessons import (
    BY_PLACE_TAUGHT,
    BY_RELATION_TAUGHT,
    Lesson,
    Topic,
    draw_question,
    lesson_of,
    one_of,
    refer,
)
from errata.benchmarks.scopeworld.questions import DIRECTIONS, LESSON_WORDINGS, Family, Question, Ref, View, article
from errata.benchmarks.scopeworld.scenes import Scene

CONTRASTED: tuple[Topic, ...] = ("is_fact", "is_fact_by_name", "is_attribute", "exists", "count", "relation", "where")
"""Topics that can be asked so."""

_TRIES = 8
"""Questions that are drawn for those on a whole picture to be chosen from."""


def contrast(
    topic: Topic,
    scene: Scene,
    rng: np.random.Generator,
    *,
    by_place: float = BY_PLACE_TAUGHT,
    by_relation: float = BY_RELATION_TAUGHT,
) -> list[Lesson]:
    """Two to four questions of a topic of `CONTRASTED` in one trained wording, or one of where the only thing is.

    `refer` says how things are named; where relations are asked, by a relation only by chance, as looks are the harder to find.
    """
    wording = one_of(rng, LESSON_WORDINGS)
    if topic in ("count", "exists"):
        asked = _of_picture(topic, scene, rng)
    elif topic == "where":
        asked = [Question("where", None, (WORLD.names[scene.at(int(cell))],)) for cell in rng.permutation(scene.filled)[:3]]
    elif topic == "is_fact_by_name":
        kinds = [KINDS[int(index)] for index in rng.choice(len(KINDS), 2, replace=False)]
        asked = _crossed("is_fact", {kind: Ref.name(WORLD, kind) for kind in kinds}, _fact(rng), rng)
    else:
        nested = 0.0 if topic == "relation" else by_relation
        things = {
            scene.at(int(cell)): refer(scene, int(cell), rng, by_place=by_place, by_relation=nested)
            for cell in rng.permutation(scene.filled)[:2]
        }
        if topic == "relation":
            ways = [DIRECTIONS[int(way)] for way in rng.permutation(len(DIRECTIONS))[: 4 // len(things)]]
            asked = [Question("relation", ref, (way,)) for ref in things.values() for way in ways]
        elif topic == "is_fact":
            asked = _crossed("is_fact", things, _fact(rng), rng)
        else:
            assert topic == "is_attribute", topic
            asked = _crossed("is_attribute", things, _look(rng), rng)
    return [lesson_of(question, scene, wording) for question in asked]


def _of_picture(topic: Topic, scene: Scene, rng: np.random.Generator) -> list[Question]:
    """Questions on a whole picture, at most two of the same answer."""
    drawn = dict.fromkeys(draw_question(topic, scene, rng) for _ in range(_TRIES))
    kept: dict[str | None, list[Question]] = {}
    for question in drawn:
        kept.setdefault(question.answer(WORLD, View(scene)), []).append(question)
    return [question for alike in kept.values() for question in alike[:2]][:4]


def _crossed(
    family: Family, things: Mapping[Kind, Ref], true_of: Callable[[Kind], tuple[str, ...]], rng: np.random.Generator
) -> list[Question]:
    """Is what is true of either thing true of each? Something false stands in where there is but one, or both are alike."""
    said = dict.fromkeys(true_of(kind) for kind in things)
    while len(said) < 2:
        said.setdefault(true_of(one_of(rng, KINDS)))
    return [Question(family, ref, each) for ref in things.values() for each in said]


def _fact(rng: np.random.Generator) -> Callable[[Kind], tuple[str, ...]]:
    """A relation, and what it is for a kind, as the arguments of "is_fact"."""
    relation = one_of(rng, RELATIONS)
    return lambda kind: (relation, WORLD.facts[kind, relation])


def _look(rng: np.random.Generator) -> Callable[[Kind], tuple[str, ...]]:
    """A colour, a shape or a name, and which one a kind has, as the arguments of "is_attribute"."""
    looks: tuple[Callable[[Kind], str], ...] = (
        lambda kind: kind.colour,
        lambda kind: article(kind.glyph),
        lambda kind: f"called {WORLD.names[kind]}",
    )
    say = looks[int(rng.integers(len(looks)))]
    return lambda kind: (say(kind),)
