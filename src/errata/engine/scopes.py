"""How a scope is trained: the examples of a benchmark's cases, some kept back to tell when to stop, and `engine.fit`.

A case's examples stay together on one side of the split, and so do cases of one query or picture: what is validated on was
never trained on. A step takes as many examples that are in scope as that aren't, drawn from (seed, step).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from errata.core.benchmark import Case
from errata.core.canonical import digest_of_json
from errata.core.errors import BadInput
from errata.editors import Learner, Pair, pairs
from errata.engine.fit import Part, Progress, Schedule, fit


@dataclass(frozen=True)
class Lessons:
    """How long a scope is trained, and on how much a step."""

    steps: int = 3000
    """At most; validation may end it earlier."""

    batch: int = 64
    """Examples in a step: half in scope, half out of it."""

    learning_rate: float = 1e-3
    """Peak of the schedule; published for fine-tuning whole pretrained encoders: 1e-5."""

    validation: float = 0.1
    """The share of cases that is kept back, in (0, 1)."""

    seed: int = 0
    validate_every: int = 100
    patience: int = 8
    """Validations without a better one, after which training ends."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2:
            raise BadInput(f"A scope's training needs at least 1 step and 2 examples in it, not {self.steps} and {self.batch}.")
        if not 0 < self.validation < 1:
            raise BadInput(f"The share of cases kept back must lie between 0 and 1; {self.validation} doesn't.")


class Split(NamedTuple):
    """What is trained on, and what tells when to stop."""

    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]


class Decided(NamedTuple):
    """How often a scope was right."""

    inside: float
    """The share of in-scope examples with rho of 0.5 or more."""

    outside: float
    """The share of out-of-scope examples below it."""

    n: tuple[int, int]
    """How many there were of each."""


def split(cases: Iterable[Case], lessons: Lessons) -> Split:
    """The examples of some cases on two sides, by a digest of each case's first picture, or else its words.

    Raises:
        BadInput: a side has no example in scope, or none out of it.
    """
    sides: tuple[list[Pair], list[Pair]] = ([], [])
    for case in cases:
        own = case.edit.query
        named = own.images[0].digest if own.images else own.text
        place = int(digest_of_json([lessons.seed, named])[:8], 16) / 16**8
        sides[place < lessons.validation].extend(pairs(case))
    for what, side in zip(("trained on", "kept back"), sides, strict=True):
        if len({pair.inside for pair in side}) < 2:
            raise BadInput(
                f"Of {len(sides[0]) + len(sides[1])} examples, those {what} aren't both in scope and out of it. Give more cases."
            )
    return Split(tuple(sides[0]), tuple(sides[1]))


def train_scope(
    learner: Learner, cases: Iterable[Case], folder: Path, *, lessons: Lessons | None = None, progress: Progress
) -> Decided:
    """Train a scope on a benchmark's cases and save it to `folder`; a run that was stopped goes on from its checkpoint.

    Returns:
        how often it is right on the cases that were kept back.

    Raises:
        BadInput: too few cases, or the folder holds a checkpoint of another run.
    """
    lessons = lessons or Lessons()
    found = split(cases, lessons)
    inside = [pair for pair in found.train if pair.inside]
    outside = [pair for pair in found.train if not pair.inside]

    def objective(step: int) -> list[Part]:
        rng = np.random.default_rng([lessons.seed, 17, step])
        drawn = [*_some(inside, lessons.batch // 2, rng), *_some(outside, lessons.batch - lessons.batch // 2, rng)]
        return [lambda: learner.loss(drawn)]

    def validate() -> float:
        learner.net.train(False)
        loss = _balanced(learner, found.validation, lessons.batch)
        learner.net.train()
        return loss

    learner.net.train()
    fit(
        learner.net,
        objective=objective,
        schedule=Schedule(
            lessons.steps,
            learning_rate=lessons.learning_rate,
            warmup=min(100, max(1, lessons.steps // 10)),
            validate_every=lessons.validate_every,
            patience=lessons.patience,
        ),
        checkpoint=folder / "training.pt",
        run=f"{_begun(learner)} {lessons!r}",
        progress=progress,
        validate=validate,
    )
    learner.net.train(False)
    learner.save(folder)
    return decisions(learner, found.validation, batch=lessons.batch)


def decisions(learner: Learner, examples: Sequence[Pair], *, batch: int = 64) -> Decided:
    """How often a scope is right on some examples."""
    right, n = {True: 0, False: 0}, {True: 0, False: 0}
    for start in range(0, len(examples), batch):
        some = examples[start : start + batch]
        for pair, rho in zip(some, learner.scored(some).tolist(), strict=True):
            n[pair.inside] += 1
            right[pair.inside] += (rho >= 0.5) == pair.inside
    return Decided(right[True] / max(1, n[True]), right[False] / max(1, n[False]), (n[True], n[False]))


def _balanced(learner: Learner, examples: Sequence[Pair], batch: int) -> float:
    """Mean loss in nats, in scope and out of it counting alike, as they do in training."""
    total = 0.0
    for inside in (True, False):
        some = [pair for pair in examples if pair.inside == inside]
        parts = [some[start : start + batch] for start in range(0, len(some), batch)]
        total += sum(learner.cost(part) * len(part) for part in parts) / len(some) / 2
    return total


def _some(among: Sequence[Pair], count: int, rng: np.random.Generator) -> list[Pair]:
    return [among[int(place)] for place in rng.integers(len(among), size=count)]


def _begun(learner: Learner) -> str:
    """What is trained, its weights aside."""
    return str({key: value for key, value in learner.spec().items() if key != "weights"})
