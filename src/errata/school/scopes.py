"""How a scope is trained: on labelled pairs, some kept back to tell when to stop.

An edit's pairs stay together on one side of the split, and so do edits of one query or picture: what is validated on was
never trained on. A step takes as many pairs that are in scope as that aren't, drawn from (seed, step).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from errata.core.benchmark import Pair
from errata.core.canonical import digest_of_json
from errata.core.errors import BadInput
from errata.core.progress import Progress
from errata.editors import ScopeTraining
from errata.school.fit import Fitted, Schedule
from errata.school.learn import taught


@dataclass(frozen=True)
class Lessons:
    """How long a scope is trained, and on how much a step."""

    steps: int = 3000
    """At most; validation may end it earlier."""

    batch: int = 64
    """Pairs in a step: half in scope, half out of it."""

    learning_rate: float = 1e-3
    """Peak of the schedule; published for fine-tuning whole pretrained encoders: 1e-5."""

    validation: float = 0.1
    """The share of edits that is kept back, in (0, 1)."""

    every: int = 100
    """Steps between looks at what is kept back."""

    patience: int = 8
    """Looks without a new best after which training ends."""

    watched: int | None = field(default=None, repr=False)
    """Pairs that are looked at of those kept back, at most; None: all."""

    seed: int = 0

    large: bool = field(default=False, repr=False)
    """What is trained asks a language model: all threads work together."""

    bfloat16: bool = field(default=False, repr=False)
    """Compute the loss in it."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2:
            raise BadInput(f"A scope's training needs at least 1 step and 2 pairs in it, not {self.steps} and {self.batch}.")
        if not 0 < self.validation < 1:
            raise BadInput(f"The share of edits kept back must lie between 0 and 1; {self.validation} doesn't.")
        if self.every < 1 or self.patience < 1 or not self.learning_rate > 0:
            raise BadInput("A scope's training needs an every and a patience of at least 1, and a learning_rate above 0.")


class Split(NamedTuple):
    """What is trained on, and what tells when to stop."""

    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]


class Decided(NamedTuple):
    """How often a scope was right."""

    inside: float
    """The share of in-scope pairs with rho of 0.5 or more."""

    outside: float
    """The share of out-of-scope pairs below it."""

    n: tuple[int, int]
    """How many there were of each."""


class Taught(NamedTuple):
    """How a scope's training went."""

    fitted: Fitted
    decided: Decided
    """On the pairs that were kept back."""


def split(pairs: Iterable[Pair], lessons: Lessons) -> Split:
    """Some pairs on two sides, by a digest of each edit's first picture, or else its words.

    Raises:
        BadInput: a side has no pair in scope, or none out of it.
    """
    sides: tuple[list[Pair], list[Pair]] = ([], [])
    for pair in pairs:
        own = pair.edit.query
        named = own.images[0].digest if own.images else own.text
        place = int(digest_of_json([lessons.seed, named])[:8], 16) / 16**8
        sides[place < lessons.validation].append(pair)
    for what, side in zip(("trained on", "kept back"), sides, strict=True):
        if len({pair.in_scope for pair in side}) < 2:
            raise BadInput(
                f"Of {len(sides[0]) + len(sides[1])} pairs, those {what} aren't both in scope and out of it. Give more edits."
            )
    return Split(tuple(sides[0]), tuple(sides[1]))


def train_scope(
    learner: ScopeTraining,
    pairs: Iterable[Pair],
    folder: Path,
    *,
    lessons: Lessons | None = None,
    run: str = "",
    progress: Progress,
) -> Taught:
    """Train a scope on labelled pairs and save it to `folder`; a run that was stopped goes on from its checkpoint.

    Args:
        folder: see `taught`.
        run: where the pairs are from, in words that tell it from every other run.

    Raises:
        BadInput: too few edits, or the folder holds a checkpoint of another run.
    """
    lessons = lessons or Lessons()
    train, kept_back = split(pairs, lessons)
    if lessons.watched is not None:
        kept_back = _fewer(kept_back, lessons.watched, lessons.seed)
    inside = [pair for pair in train if pair.in_scope]
    outside = [pair for pair in train if not pair.in_scope]

    def batch(step: int) -> list[Pair]:
        rng = np.random.default_rng([lessons.seed, 17, step])
        return [*_some(inside, lessons.batch // 2, rng), *_some(outside, lessons.batch - lessons.batch // 2, rng)]

    schedule = Schedule(
        lessons.steps,
        learning_rate=lessons.learning_rate,
        warmup=min(100, max(1, lessons.steps // 10)),
        checkpoint_every=lessons.every,
        bfloat16=lessons.bfloat16,
        together=lessons.large,
    )
    fitted = taught(
        learner,
        batch=batch,
        watched=lambda: _balanced(learner, kept_back, lessons.batch),
        schedule=schedule,
        patience=lessons.patience,
        run=f"{run} {_begun(learner)} {lessons!r}",
        folder=folder,
        progress=progress,
    )
    return Taught(fitted, decisions(learner, kept_back, batch=lessons.batch))


def decisions(learner: ScopeTraining, pairs: Sequence[Pair], *, batch: int = 64) -> Decided:
    """How often a scope is right on some pairs."""
    right, n = {True: 0, False: 0}, {True: 0, False: 0}
    for start in range(0, len(pairs), batch):
        some = pairs[start : start + batch]
        for pair, rho in zip(some, learner.scored(some).tolist(), strict=True):
            n[pair.in_scope] += 1
            right[pair.in_scope] += (rho >= 0.5) == pair.in_scope
    return Decided(right[True] / max(1, n[True]), right[False] / max(1, n[False]), (n[True], n[False]))


def _balanced(learner: ScopeTraining, pairs: Sequence[Pair], batch: int) -> float:
    """Mean loss in nats, in scope and out of it counting alike, as they do in training."""
    total = 0.0
    for inside in (True, False):
        some = [pair for pair in pairs if pair.in_scope == inside]
        parts = [some[start : start + batch] for start in range(0, len(some), batch)]
        total += sum(float(learner.objective(part)) * len(part) for part in parts) / len(some) / 2
    return total


def _fewer(pairs: Sequence[Pair], most: int, seed: int) -> tuple[Pair, ...]:
    """At most so many of them, drawn by a seed, half in scope where there are as many."""
    rng = np.random.default_rng([seed, 23])
    sides = [[pair for pair in pairs if pair.in_scope == inside] for inside in (True, False)]
    return tuple(side[int(place)] for side in sides for place in rng.permutation(len(side))[: max(1, most // 2)])


def _some(among: Sequence[Pair], count: int, rng: np.random.Generator) -> list[Pair]:
    return [among[int(place)] for place in rng.integers(len(among), size=count)]


def _begun(learner: ScopeTraining) -> str:
    """What is trained, its weights aside."""
    return str({key: value for key, value in learner.spec().items() if key != "weights"})
