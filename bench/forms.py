"""How often a model is right, by how a question names its thing and by how many statements stand before it.

    python -m bench.forms llava-tiny --topic relation --each 1200

Fresh scenes in the hand of the training, by generation and exact match. What is asked of a thing is asked in all wordings, what
stands behind statements in held-out ones, as in the exam.
"""

from __future__ import annotations

from collections import defaultdict
from typing import get_args

import numpy as np

from bench._given import options
from errata.benchmarks.scopeworld.lessons import Lesson, Topic, draw_question, lesson_of
from errata.benchmarks.scopeworld.questions import WORDINGS
from errata.benchmarks.scopeworld.scenes import Scene, picture, random_scene
from errata.benchmarks.scopeworld.statements import statement_lesson
from errata.core.records import Query
from errata.models import load
from errata.nn.patches import NoPatch

SEED = 78


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("model", nargs="?", default="llava-tiny", help="a shipped name or a checkpoint folder")
    parser.add_argument("--topic", choices=get_args(Topic), default="relation", help="what is asked")
    parser.add_argument("--each", type=int, default=1200, help="questions of the topic, and questions behind statements")
    given = parser.parse_args()
    model, rng = load(given.model), np.random.default_rng(SEED)
    asked = [*named(given.topic, given.each, rng), *told(given.each, rng)]
    queries = [Query.ask(item.prompt, *([picture(scene, rng, hand="train")] if item.visual else [])) for _, scene, item in asked]
    said = model.answers(queries, [NoPatch()] * len(queries))
    right: dict[str, list[bool]] = defaultdict(list)
    for (group, _, item), answer in zip(asked, said, strict=True):
        right[group].append(answer == item.answer)
    for group in sorted(right):
        print(f"{group}: {100 * np.mean(right[group]):.1f} of 100 right ({len(right[group])})")


def named(topic: Topic, each: int, rng: np.random.Generator) -> list[tuple[str, Scene, Lesson]]:
    """Questions of the topic, and how each names its thing."""
    made = []
    for _ in range(each):
        scene = random_scene(rng)
        question = draw_question(topic, scene, rng)
        form = question.ref.form if question.ref else "nothing"
        made.append((f"{topic}, named by {form}", scene, lesson_of(question, scene, int(rng.integers(WORDINGS)))))
    return made


def told(each: int, rng: np.random.Generator) -> list[tuple[str, Scene, Lesson]]:
    """Questions behind statements, as the exam has them, and how many there are."""
    made = []
    for _ in range(each):
        scene = random_scene(rng)
        item = statement_lesson(scene, rng, held_out=True)
        kind = "overrides" if item.overridden else "others"
        made.append((f"{kind}, statements before: {item.prompt.count('suppose ')}", scene, item))
    return made


if __name__ == "__main__":
    main()
