"""What a model must know of ScopeWorld before it may be used: every topic by generation, the blind control, statements in context.

The exam is drawn from held-out scenes; its columns differ in one thing each: trained wordings, held-out wordings, held-out
handwriting.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from errata.benchmarks.scopeworld.knowledge import DIGITS, KINDS, WORLD
from errata.benchmarks.scopeworld.lessons import TOPICS, VISUAL_TOPICS, Topic, draw_question
from errata.benchmarks.scopeworld.questions import TRAINED_WORDINGS, WORDINGS, Question, View
from errata.benchmarks.scopeworld.scenes import blank, picture, random_scene
from errata.benchmarks.scopeworld.statements import statement_lesson
from errata.core.records import Query

Column = Literal["scenes", "wordings", "handwriting", "blind", "context"]

NEEDED: dict[Column, float] = {"scenes": 0.95, "wordings": 0.95, "handwriting": 0.90, "blind": 0.05, "context": 0.97}
"""What each column asks for: a share of right answers; for "blind" the largest excess over the best that the text alone allows."""

EXAM_SEED = 31
_DIGIT_KINDS = tuple(kind for kind in KINDS if kind.glyph in DIGITS)


@dataclass(frozen=True)
class Item:
    """One exam question."""

    column: Column
    topic: str
    query: Query
    answer: str
    guess: str = ""
    """For the blind control: the likeliest answer that the text alone allows."""


def exam(*, each: int = 100, seed: int = EXAM_SEED) -> list[Item]:
    """Every column of the exam, `each` questions of every topic."""
    rng = np.random.default_rng([seed, 5])
    items = [item for topic in TOPICS for item in _columns(topic, each, rng)]
    return [*items, *_context(each * 3, rng), *_blind(each, rng)]


def _columns(topic: Topic, each: int, rng: np.random.Generator) -> list[Item]:
    items = [_item("scenes", topic, rng) for _ in range(each)] + [_item("wordings", topic, rng) for _ in range(each)]
    return items + ([_item("handwriting", topic, rng) for _ in range(each)] if topic in VISUAL_TOPICS else [])


def _item(column: Column, topic: Topic, rng: np.random.Generator) -> Item:
    held_out = column == "handwriting"
    scene = random_scene(rng, among=_DIGIT_KINDS if held_out else KINDS)
    question = draw_question(topic, scene, rng)
    wording = int(rng.integers(TRAINED_WORDINGS, WORDINGS)) if column == "wordings" else int(rng.integers(TRAINED_WORDINGS))
    images = (picture(scene, rng, hand="held_out" if held_out else "train"),) if question.visual else ()
    answer = question.answer(WORLD, View(scene))
    assert answer is not None, f"{question} has no answer"
    return Item(column, topic, Query.ask(question.ask(wording), *images), answer)


def _context(count: int, rng: np.random.Generator) -> list[Item]:
    items = []
    for _ in range(count):
        scene = random_scene(rng)
        lesson = statement_lesson(scene, rng, held_out=True)
        images = (picture(scene, rng, hand="train"),) if lesson.visual else ()
        topic = "overrides" if lesson.overridden else "statements on something else"
        items.append(Item("context", topic, Query.ask(lesson.prompt, *images), lesson.answer))
    return items


def _blind(each: int, rng: np.random.Generator) -> list[Item]:
    """Visual questions put with an empty picture, each with the best guess from its words."""
    empty = blank()
    guesses = _guesses(rng)
    items = []
    for topic in VISUAL_TOPICS:
        for _ in range(each):
            scene = random_scene(rng)
            question = draw_question(topic, scene, rng)
            answer = question.answer(WORLD, View(scene))
            assert answer is not None, f"{question} has no answer"
            guess = guesses.get(_key(question)) or guesses[topic]
            items.append(Item("blind", topic, Query.ask(question.ask(int(rng.integers(TRAINED_WORDINGS))), empty), answer, guess))
    return items


def _key(question: Question) -> str:
    return f"{question.family}|{question.ref.words if question.ref else ''}|{question.args}"


def _guesses(rng: np.random.Generator, draws: int = 4000) -> dict[str, str]:
    """The commonest answer to each question over scenes drawn without looking, and of each topic for questions not met."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for topic in VISUAL_TOPICS:
        for _ in range(draws):
            scene = random_scene(rng)
            question = draw_question(topic, scene, rng)
            answer = question.answer(WORLD, View(scene))
            assert answer is not None, f"{question} has no answer"
            seen[_key(question)][answer] += 1
            seen[topic][answer] += 1
    return {key: counts.most_common(1)[0][0] for key, counts in seen.items()}


@dataclass(frozen=True)
class Mark:
    """One line of the exam's result."""

    column: Column
    topic: str
    right: int
    n: int
    best_guess: float = 0.0
    """For the blind control: the share that the text alone allows."""

    @property
    def share(self) -> float:
        return self.right / self.n

    @property
    def passed(self) -> bool:
        if self.column == "blind":
            return self.share <= self.best_guess + NEEDED["blind"]
        return self.share >= NEEDED[self.column]


def grade(items: Sequence[Item], answers: Sequence[str]) -> list[Mark]:
    """Exact match, by column and topic, in the exam's order; the blind control as a whole."""
    right: Counter[tuple[Column, str]] = Counter()
    n: Counter[tuple[Column, str]] = Counter()
    guessed = 0
    for item, answer in zip(items, answers, strict=True):
        key = (item.column, "all visual topics" if item.column == "blind" else item.topic)
        n[key] += 1
        right[key] += answer == item.answer
        guessed += item.column == "blind" and item.guess == item.answer
    return [
        Mark(column, topic, right[column, topic], n[column, topic], guessed / n[column, topic] if column == "blind" else 0.0)
        for column, topic in n
    ]
