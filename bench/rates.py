"""What a small LLaVA knows after so many steps of captions beside lessons in words, by the peaks of the learning rates.

    python -m bench.rates --steps 300 --rates 2e-3:6e-3 --rates 4e-3:2.5e-3

Every pair, AdamW's and Muon's, is a run of its own from the same random weights, tower included, its rates falling to nothing.
Asked by generation and exact match, of fresh draws: captions, what is to be said again word by word, facts by name.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from bench._given import options
from errata.benchmarks.scopeworld.knowledge import WORLD
from errata.benchmarks.scopeworld.lessons import Lesson, caption, copy_lesson, lesson
from errata.benchmarks.scopeworld.scenes import picture, random_scene
from errata.core.records import Query
from errata.models import load
from errata.nn.patches import NoPatch
from errata.school.curriculum import Curriculum
from errata.school.school import train_model


def main() -> None:
    parser = options(__doc__, seed=0)
    parser.add_argument("--rates", action="append", help="AdamW's peak and Muon's, as 4e-3:2.5e-3; may be given again")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--looks", type=int, default=800, help="steps of the tower before")
    parser.add_argument(
        "--scenes", type=int, default=Curriculum.scenes, help="pictures in a step of the tower; half as many in others"
    )
    parser.add_argument("--asked", type=int, default=200, help="fresh draws of each kind")
    parser.add_argument("--single", action="store_true", help="single precision also where bfloat16 is faster")
    given = parser.parse_args()
    asked = fresh(given.asked)
    for rates in given.rates or ["2e-3:6e-3", "4e-3:2.5e-3"]:
        vectors, matrices = map(float, rates.split(":"))
        plan = Curriculum(
            looks=given.looks,
            captions=given.steps,
            questions=0,
            scenes=given.scenes,
            seed=given.seed,
            learning_rate=vectors,
            matrix_rate=matrices,
            bfloat16=False if given.single else None,
        )
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            train_model("llava", Path(folder), curriculum=plan, progress=lambda what, done, total: None)
            seconds = time.perf_counter() - started
            right = {name: known(folder, items) for name, items in asked.items()}
        print(f"{rates}, {seconds:.0f} s: " + ", ".join(f"{name} {share:.1f}" for name, share in right.items()), flush=True)


def fresh(count: int) -> dict[str, list[tuple[Query, str]]]:
    """That many queries and their answers, by what is asked."""
    rng = np.random.default_rng(78)
    scenes = [random_scene(rng) for _ in range(count)]

    def worded(items: list[Lesson]) -> list[tuple[Query, str]]:
        return [(Query.ask(item.prompt), item.answer) for item in items]

    looks = [caption(scene, WORLD, style="looks") for scene in scenes]
    return {
        "captions": [(Query.ask(i.prompt, picture(s, rng, hand="train")), i.answer) for s, i in zip(scenes, looks, strict=True)],
        "said again": worded([copy_lesson(rng) for _ in scenes]),
        "facts by name": worded([lesson("fact_by_name", scene, rng) for scene in scenes]),
        "facts by description": worded([lesson("fact_by_description", scene, rng) for scene in scenes]),
    }


def known(folder: str, items: list[tuple[Query, str]]) -> float:
    """Right answers of 100."""
    queries, answers = zip(*items, strict=True)
    said = load(folder).answers(list(queries), [NoPatch()] * len(queries))
    return 100 * float(np.mean([a == b for a, b in zip(said, answers, strict=True)]))


if __name__ == "__main__":
    main()
