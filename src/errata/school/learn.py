"""How an editor that learns is trained: on cases of a benchmark's training seeds, watched on others of them.

Seeds below 100 are for training and tuning. Of these the last ten are the validation; streams of seeds from 100 on are for figures
and no training sees them. What a step trains on is a pure function of the course's seed and the step. `taught`, the way from there
to a checkpoint, is that of a scope too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from errata.core.benchmark import UNCHANGED, Benchmark, Case, Probe
from errata.core.editor import Trainable
from errata.core.errors import BadInput, Unknown
from errata.core.progress import Progress
from errata.school.fit import Fitted, Schedule, Validation, fit

E = TypeVar("E")
"""What a loss is taken of: a case, or a pair."""

TRAINING_SEEDS = 90
"""Streams of the seeds 0, 1, ... below this one are trained on."""

VALIDATION_SEEDS = 10
"""And as many seeds after them are validated on."""

EDITS = 100
"""Edits of one seed's stream."""


@dataclass(frozen=True)
class Course:
    """How long, on how much a step, and how it is watched."""

    steps: int = 3600
    cases: int = 2
    """Edits in a step; their losses are averaged. Published 2."""

    same: int = 3
    """Probes of a case that expect its edit's target, drawn afresh for each step; fewer where it has fewer."""

    apart: int = 4
    """Probes of a case that must not move, drawn likewise."""

    without: tuple[str, ...] = ()
    """Kinds of probe that aren't trained on, nor validated on."""

    learning_rate: float = 1e-3
    """Peak of AdamW, > 0; published 1e-6, for layers that aren't scaled to their width."""

    clip: float = 1.0
    """Largest gradient norm; published 100."""

    validation: int = 100
    """Cases that a look takes."""

    every: int = 400
    """Steps between looks."""

    patience: int = 5
    """Looks without a new best after which the training stops."""

    seed: int = 0
    """Draws probes, >= 0."""

    def __post_init__(self) -> None:
        for name in ("steps", "cases", "validation", "every", "patience"):
            if self.__dict__[name] < 1:
                raise BadInput(f"A training's {name} must be at least 1, not {self.__dict__[name]}.")
        if not self.learning_rate > 0 or not self.clip > 0:
            raise BadInput("A training's learning_rate and clip must be above 0.")
        if min(self.seed, self.same, self.apart) < 0:
            raise BadInput("A training's seed, same and apart must be at least 0.")


def learn(
    learner: Trainable[Case],
    *,
    benchmark: Callable[[int], Benchmark],
    course: Course,
    run: str,
    folder: Path,
    progress: Progress,
) -> Fitted:
    """Train, and write what did best on the validation to `folder`; goes on from `folder/training.pt` where there is one.

    Args:
        benchmark: the cases of a seed.
        run: what is trained on what, in words that tell it from every other run.
        folder: see `taught`.

    Raises:
        BadInput: `folder/training.pt` is of another run.
        Unknown: no case has a probe of a kind that is to be left out.
    """
    stock = Stock(benchmark)
    held_out = _held_out(stock, course)
    schedule = Schedule(
        course.steps,
        learning_rate=course.learning_rate,
        warmup=min(100, course.steps // 10),
        weight_decay=0.0,
        clip=course.clip,
        checkpoint_every=course.every,
    )
    return taught(
        learner,
        batch=lambda step: _cases(stock, course, step),
        # One at a time: what a look holds doesn't grow with the number of its cases.
        watched=lambda: fmean(float(learner.objective([case])) for case in held_out),
        schedule=schedule,
        patience=course.patience,
        run=f"{run}, {course}",
        folder=folder,
        progress=progress,
    )


def taught(
    learner: Trainable[E],
    *,
    batch: Callable[[int], Sequence[E]],
    watched: Callable[[], float],
    schedule: Schedule,
    patience: int,
    run: str,
    folder: Path,
    progress: Progress,
) -> Fitted:
    """Train, and write what did best; goes on from `folder/training.pt` where there is one.

    Args:
        batch: what a step's loss is taken of.
        watched: the loss on what isn't trained on; looked at as often as a checkpoint is written.
        patience: looks without a new best after which the training stops.
        folder: gets what was learned, the checkpoint `training.pt`, and two logs: `training.tsv` (step, loss) and
            `validation.tsv` (steps done, loss).

    Raises:
        BadInput: `folder/training.pt` is of another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trainee = learner.trainee()
    trainee.train(True)
    fitted = fit(
        trainee,
        # One part: a model's patches are hooks, so that examples can't be worked on side by side.
        objective=lambda step: [lambda: _objective(learner, batch, step)],
        schedule=schedule,
        checkpoint=folder / "training.pt",
        run=run,
        progress=progress,
        each=lambda step, loss: _noted(folder / "training.tsv", step, loss),
        validation=Validation(
            watched, schedule.checkpoint_every, patience, lambda step, loss: _noted(folder / "validation.tsv", step, loss)
        ),
    )
    trainee.train(False)
    learner.learnt().write(folder)
    return fitted


def _objective(learner: Trainable[E], batch: Callable[[int], Sequence[E]], step: int) -> Tensor:
    """A step's loss; what is drawn while it is worked out, as what is dropped, is drawn from the step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(step)
        return learner.objective(batch(step))


class Stock:
    """Cases by number, of the seeds that may be trained on. One stream at a time is kept: drawn pictures take room."""

    def __init__(self, benchmark: Callable[[int], Benchmark]) -> None:
        self._of = lru_cache(maxsize=1)(benchmark)

    def training(self, number: int) -> Case:
        """Case `number` of an endless round through the training seeds."""
        return self._case(number % (TRAINING_SEEDS * EDITS))

    def validation(self, number: int) -> Case:
        """Case `number` of the seeds after them, taken in turn."""
        seed, place = TRAINING_SEEDS + number % VALIDATION_SEEDS, number // VALIDATION_SEEDS
        return self._case(seed * EDITS + place % EDITS)

    def _case(self, number: int) -> Case:
        stream = self._of(number // EDITS)
        return stream[number % EDITS % len(stream)]


def _held_out(stock: Stock, course: Course) -> list[Case]:
    """What a look takes. A kind to be left out that none of these has is one that there isn't."""
    whole = [stock.validation(i) for i in range(course.validation)]
    kinds = {probe.kind for case in whole for probe in case.probes}
    for kind in course.without:
        if kind not in kinds:
            raise Unknown("kind of probe", kind, kinds)
    return [_drawn(case, course, i) for i, case in enumerate(whole)]


def _cases(stock: Stock, course: Course, step: int) -> list[Case]:
    numbers = range(step * course.cases, (step + 1) * course.cases)
    return [_drawn(stock.training(number), course, number) for number in numbers]


def _drawn(case: Case, course: Course, number: int) -> Case:
    """The case with as many probes of each sort as the course wants. Other probes are kept: whoever trains on them may."""
    rng = np.random.default_rng([course.seed, 17, number])
    probes = [probe for probe in case.probes if probe.kind not in course.without]
    same = [probe for probe in probes if probe.expect == case.edit.target]
    apart = [probe for probe in probes if probe.expect is UNCHANGED]
    chosen = {id(probe) for probe in (*_some(same, course.same, rng), *_some(apart, course.apart, rng))}
    sorted_out = {id(probe) for probe in (*same, *apart)} - chosen
    return replace(case, probes=tuple(probe for probe in probes if id(probe) not in sorted_out))


def _some(probes: Sequence[Probe], count: int, rng: np.random.Generator) -> list[Probe]:
    return [probes[i] for i in rng.permutation(len(probes))[:count]]


def _noted(path: Path, step: int, loss: float) -> None:
    with path.open("a", encoding="utf-8") as lines:
        lines.write(f"{step}\t{loss:.5f}\n")
