"""Corrections of ScopeWorld, and what each entails: the questions whose answer differs between the world and the edited world.

Kind reach changes a fact of a kind everywhere. Image reach changes how one entity of one picture is understood: a misreading
changes
its glyph or colour, and all that follows; a misrecognition changes its name, and the facts that come with the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from errata.benchmarks.scopeworld.knowledge import (
    COLOURS,
    EDITABLE_KINDS,
    GLYPHS,
    RELATIONS,
    UNSEEN_NAMES,
    UNSEEN_SENTENCES,
    UNSEEN_VALUES,
    VALUES,
    WORLD,
    Kind,
    Knowledge,
    Relation,
)
from errata.benchmarks.scopeworld.questions import Family, Question, Ref, View, references
from errata.benchmarks.scopeworld.scenes import Scene, random_scene


@dataclass(frozen=True)
class FactCorrection:
    """Kind reach: a fact of a kind is `value`, on every picture and in words."""

    kind: Kind
    relation: Relation
    value: str

    def world(self, world: Knowledge) -> Knowledge:
        """The world in which the correction holds."""
        return world.with_fact(self.kind, self.relation, self.value)


@dataclass(frozen=True)
class ImageCorrection:
    """Image reach: in one picture, the entity in a cell isn't what it was taken for."""

    scene: Scene
    cell: int
    aspect: Literal["glyph", "colour", "name"]
    value: str

    @property
    def question(self) -> Question:
        """What the correction answers, the entity named by its place."""
        family = cast(Family, {"glyph": "shape", "colour": "colour", "name": "name"}[self.aspect])
        return Question(family, Ref.cell(self.cell))

    def view(self, view: View) -> View:
        """How the corrected picture is to be understood. Only for a view of that same picture, re-encoded or not."""
        if self.aspect == "name":
            return View(view.scene, {**view.called, self.cell: self.value})
        kind = view.scene.at(self.cell)
        other = Kind(self.value, kind.colour) if self.aspect == "glyph" else Kind(kind.glyph, self.value)
        called: Mapping[int, str] = view.called
        return View(view.scene.replace(self.cell, other), called)


def fact_in_scope(correction: FactCorrection, question: Question, view: View | None, *, world: Knowledge = WORLD) -> bool:
    """Whether a kind-reach correction changes the answer to the question."""
    return question.answer(world, view) != question.answer(correction.world(world), view)


def image_in_scope(
    correction: ImageCorrection, question: Question, view: View, *, same_picture: bool, world: Knowledge = WORLD
) -> bool | None:
    """Whether an image-reach correction changes the answer; None where the question no longer applies to the corrected picture.

    On any other picture nothing changes, also where the same kinds stand in the same places.
    """
    if not same_picture:
        return False
    before, after = question.answer(world, view), question.answer(world, correction.view(view))
    return None if before is None or after is None else before != after


def draw_value(relation: Relation, current: str, rng: np.random.Generator) -> str:
    """A new value of a fact: one in five was never seen as an answer, one in ten is a sentence of 6 to 12 words."""
    chance = rng.random()
    among = UNSEEN_SENTENCES[relation] if chance < 0.1 else UNSEEN_VALUES[relation] if chance < 0.3 else VALUES[relation]
    choices = [value for value in among if value != current]
    return choices[int(rng.integers(len(choices)))]


def draw_fact_correction(rng: np.random.Generator, *, taken: Mapping[tuple[Kind, Relation], str]) -> FactCorrection:
    """A correction of a fact that none of `taken` (fact -> its present value) corrects yet; of any where all are taken."""
    free = [(kind, relation) for kind in EDITABLE_KINDS for relation in RELATIONS if (kind, relation) not in taken]
    kind, relation = free[int(rng.integers(len(free)))] if free else list(taken)[int(rng.integers(len(taken)))]
    return correct_again(kind, relation, taken.get((kind, relation), WORLD.facts[kind, relation]), rng)


def correct_again(kind: Kind, relation: Relation, current: str, rng: np.random.Generator) -> FactCorrection:
    """A correction of one fact to neither its present value nor the unedited world's: undoing an edit is no edit."""
    value = draw_value(relation, current, rng)
    while value == WORLD.facts[kind, relation]:
        value = draw_value(relation, current, rng)
    return FactCorrection(kind, relation, value)


def draw_image_correction(rng: np.random.Generator) -> ImageCorrection:
    """A misreading (glyph or colour) or a misrecognition (name) of one entity of a fresh scene.

    The corrected kind is never one that already stands in the scene, so that kinds stay different.
    """
    scene = random_scene(rng, among=EDITABLE_KINDS, count=int(rng.integers(2, 5)))
    cell = int(rng.choice(scene.filled))
    kind = scene.at(cell)
    present = {scene.at(other) for other in scene.filled}
    aspect = ("glyph", "colour", "name")[int(rng.integers(3))]
    if aspect == "name":
        known = [WORLD.names[other] for other in EDITABLE_KINDS if other not in present]
        names = list(UNSEEN_NAMES) if rng.random() < 0.2 else known
        return ImageCorrection(scene, cell, "name", names[int(rng.integers(len(names)))])
    if aspect == "glyph":
        values = [
            glyph for glyph in GLYPHS if Kind(glyph, kind.colour) in EDITABLE_KINDS and Kind(glyph, kind.colour) not in present
        ]
        return ImageCorrection(scene, cell, "glyph", values[int(rng.integers(len(values)))])
    values = [
        colour for colour in COLOURS if Kind(kind.glyph, colour) in EDITABLE_KINDS and Kind(kind.glyph, colour) not in present
    ]
    return ImageCorrection(scene, cell, "colour", values[int(rng.integers(len(values)))])


def questions_on(scene: Scene, *, world: Knowledge = WORLD) -> list[Question]:
    """Every question of the visual families that applies to the scene, references and common arguments spelled out."""
    found: list[Question] = []
    for cell in scene.filled:
        name = world.names[scene.at(cell)]
        for ref in references(scene, cell):
            families: tuple[Family, ...] = ("recognition", "colour", "shape", "name", *RELATIONS, "weather", "taste", "tool")
            found += [Question(family, ref) for family in families]
            found += [Question("relation", ref, (direction,)) for direction in ("left of", "right of", "above", "below")]
            found.append(Question("is_attribute", ref, (f"called {name}",)))
            found += [Question("is_attribute", ref, (colour,)) for colour in COLOURS]
        found.append(Question("where", None, (name,)))
    nouns = ("thing", *GLYPHS, *(f"{colour} thing" for colour in COLOURS))
    found += [Question("count", None, (noun,)) for noun in nouns]
    return [question for question in found if question.answer(world, View(scene)) is not None]
