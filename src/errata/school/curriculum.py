"""What a small model is taught and in what order: captions and questions in words, then those on pictures, easy ones sooner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from errata.benchmarks.scopeworld.contrasts import CONTRASTED, contrast
from errata.benchmarks.scopeworld.knowledge import WORLD
from errata.benchmarks.scopeworld.lessons import (
    BY_PLACE_TAUGHT,
    BY_RELATION_TAUGHT,
    TOPICS,
    CaptionStyle,
    Lesson,
    Topic,
    caption,
    copy_lesson,
    lesson,
)
from errata.benchmarks.scopeworld.scenes import Scene, draw, random_scene
from errata.benchmarks.scopeworld.statements import statement_lessons
from errata.school.fit import faster_in_bfloat16

_CAPTION_SHARE = 0.04
"""Captions among the lessons of the question phase: they ask for four things at once, so facts are learned sooner."""

_KNOWN: tuple[CaptionStyle, ...] = ("names", "home", "food", "maker")

_CLOSE = 0.6
"""How often a question beside a statement asks the same of something else."""

_COUNTED = 0.25
"""How often a question that a statement on looks touches counts what looks so."""

_TWO_TOLD = 0.35
"""How often there are two statements before a question on a picture: more often than in the exam, as that is harder than one."""

_COPY_SHARES = (0.2, 0.06)
"""Draws that are said again word by word, at first and once questions are as hard as ever: what can't be copied can't be told."""

_BEHIND = 3
"""Questions behind the same statements: these are the longest part of such a lesson and laid out once."""

_WORDED: Mapping[Topic, float] = MappingProxyType(
    {
        "fact_by_name": 1.5, "fact_by_description": 1.2, "name_by_description": 1.0, "second_by_name": 0.6,
        "second_by_description": 0.6, "is_fact_by_name": 0.6, "value": 0.2, "arithmetic": 0.6,
    }
)  # fmt: skip
"""How often each is drawn beside captions: what needs no picture takes a tenth of the time asked in numbers and without one."""

_BESIDE = 6
"""Lessons in words beside a caption."""

_COPIED_BESIDE = 0.35
"""Of these, those that are said again word by word: from random weights some 20,000 are needed before any is."""

_TOLD_BESIDE = 0.08
"""And draws that are behind statements in words, three questions each."""

_BY_DEGREES = 0.4
"""The part of the questions of a run from random weights after which they are as hard as ever."""

_FEW_STATEMENTS = 0.2
"""With what part of their share lessons behind statements begin: long, they teach little while a question alone isn't answered."""

_EASY_PLACES = 0.5
"""How often the first lessons name an entity by its place; none names one by a relation more often than by chance."""


@dataclass(frozen=True)
class Curriculum:
    """How long, and on how much a step."""

    looks: int = 1600
    """Steps in which the vision tower alone learns what stands in each cell (LLaVA's tower, too, comes trained).

    0: the weights are trained already and only gone on from, so the middle of the model isn't read either (`readers`)."""

    captions: int = 500
    """Steps of dense captions and of lessons in words alone, before any question on a picture."""

    questions: int = 4600
    """Steps of questions."""

    scenes: int = 48
    """Pictures in a step of questions; half as many in one of captions."""

    lessons: int = 2
    """Draws for each picture: a question, a few in contrast, or a few behind the same statements."""

    statements: float = 0.4
    """The share of draws that stand behind statements, 0 to 0.9; a run from random weights comes to it by degrees."""

    seed: int = 0
    learning_rate: float = 4e-3
    """Peak for embeddings, the head and vectors, which AdamW moves, once the tower is warm."""

    matrix_rate: float = 2.5e-3
    """Peak for all other matrices, which Muon moves, then."""

    bfloat16: bool | None = None
    """Multiply in bfloat16; None: where this machine is faster at it."""

    @property
    def steps(self) -> int:
        """Steps after the tower's warm-up."""
        return self.captions + self.questions

    def degree(self, step: int) -> float:
        """How hard a step's questions are, 0 to 1: from random weights they come to all of it after two fifths of the questions."""
        if not self.looks:
            return 1.0
        return min(1.0, (step - self.captions) / max(1.0, self.questions * _BY_DEGREES))

    def half(self, device: str) -> bool:
        """Whether to multiply in bfloat16 on this device."""
        return faster_in_bfloat16(device) if self.bfloat16 is None else self.bfloat16


class Row(NamedTuple):
    """One picture, uint8 of shape (H, W, 3), and what is asked of it."""

    pixels_HWC: NDArray[np.uint8]
    lessons: list[Lesson]


def lessons_of(step: int, curriculum: Curriculum) -> list[Row]:
    """The pictures and lessons of a step: a pure function of (seed, step)."""
    rng = np.random.default_rng([curriculum.seed, 11, step])
    rows = []
    for _ in range(curriculum.scenes // (2 if step < curriculum.captions else 1)):
        scene = random_scene(rng)
        pixels = draw(scene, rng, hand="train")
        if step < curriculum.captions:
            known = rng.random() < min(0.8, 2 * step / max(1, curriculum.captions))
            items = [caption(scene, WORLD, style="looks")] + ([_told(scene, rng)] if known else [])
            while len(items) < 1 + known + _BESIDE:
                items += _beside(scene, rng)
        else:
            items = [item for _ in range(curriculum.lessons) for item in _draw(scene, rng, curriculum, step)]
        rows.append(Row(pixels, items))
    return rows


def _beside(scene: Scene, rng: np.random.Generator) -> list[Lesson]:
    """Lessons in words alone."""
    chance = rng.random()
    if chance < _COPIED_BESIDE:
        return [copy_lesson(rng)]
    if chance < _COPIED_BESIDE + _TOLD_BESIDE:
        return statement_lessons(scene, rng, _BEHIND, close=_CLOSE, seen=0.0)
    return _made(_WORDED, scene, rng)


def _draw(scene: Scene, rng: np.random.Generator, curriculum: Curriculum, step: int) -> list[Lesson]:
    """Lessons that belong together: behind the same statements, in contrast, or one alone."""
    degree, chance = curriculum.degree(step), rng.random()
    statements = curriculum.statements * _between(_FEW_STATEMENTS, 1, degree)
    copied = _between(*_COPY_SHARES, degree)
    if chance < _CAPTION_SHARE:
        return [caption(scene, WORLD, style="looks") if rng.random() < 0.2 else _told(scene, rng)]
    if chance < _CAPTION_SHARE + statements:
        return statement_lessons(scene, rng, _BEHIND, close=_CLOSE, counted=_COUNTED, two=_TWO_TOLD)
    if chance < _CAPTION_SHARE + statements + copied:
        return [copy_lesson(rng)]
    by_place = _between(_EASY_PLACES, BY_PLACE_TAUGHT, degree)
    return _made(TOPICS, scene, rng, by_place=by_place, by_relation=BY_RELATION_TAUGHT * degree)


def _between(first: float, last: float, degree: float) -> float:
    """What is `first` at degree 0 and `last` at degree 1."""
    return first + (last - first) * degree


def _made(among: Mapping[Topic, float], scene: Scene, rng: np.random.Generator, **named: float) -> list[Lesson]:
    """Lessons of one of the topics, in contrast where there is one; `named` says how things are named."""
    shares = np.array(tuple(among.values()))
    topic = tuple(among)[int(rng.choice(len(among), p=shares / shares.sum()))]
    return contrast(topic, scene, rng, **named) if topic in CONTRASTED else [lesson(topic, scene, rng, **named)]


def _told(scene: Scene, rng: np.random.Generator) -> Lesson:
    """A caption of what isn't to be seen but known: the names of all that is there, or their homes, foods or makers."""
    return caption(scene, WORLD, style=_KNOWN[int(rng.integers(len(_KNOWN)))])
