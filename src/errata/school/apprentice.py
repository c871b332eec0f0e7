"""How a small BLIP-2 or MiniGPT-4 learns from a small LLaVA that knows ScopeWorld already: its answers, and its states on the way.

First the eyes: tower, Q-Former and projection learn to hand over, for each query, what the teacher's projector hands over for a
patch. Then lessons, as in school: the answers' own nats, the divergence from the teacher's answers (Hinton et al., arXiv
1503.02531), and after each layer the distance of the states from the teacher's, through a linear bridge that is thrown away
afterwards (FitNets, arXiv 1412.6550). So every layer is told what to work out, where answers alone leave it to be found.

Shapes: R rows, L tokens, D width, W tokens that both prompts have, A tokens that are to be predicted, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div

from errata.benchmarks.scopeworld.scenes import draw, random_scene
from errata.core.errors import BadInput
from errata.core.progress import Progress
from errata.models.small.apprentices import Apprentice, build_apprentice
from errata.models.small.build import Blip2Sizes
from errata.models.small.training import Trainee, open_trainee
from errata.school.curriculum import Curriculum, Row, lessons_of
from errata.school.fit import Part, Schedule, fit
from errata.school.packing import fitting_parts, pack
from errata.school.school import answer_losses, inner, mean_of_lessons, said, states_of

_LOOKED_AT = 64
"""Pictures of a step in which the eyes learn."""

_AT_ONCE = 32
"""Of these, how many one thread works on."""


@dataclass(frozen=True)
class Apprenticeship:
    """How long, and on how much a step."""

    looks: int = 1000
    """Steps of the eyes alone."""

    questions: int = 1800
    """Steps of lessons."""

    scenes: int = 20
    """Pictures in a step of lessons."""

    seed: int = 0
    learning_rate: float = 2e-3
    matrix_rate: float = 6e-3
    lesson_rate: float = 1.0
    """Share of both peaks that lessons reach: less where the language model is the teacher's own."""

    divergence: float = 1.0
    """What a nat of divergence from the teacher's answers counts beside one of the answers."""

    states: float = 1.0
    """What the states' unexplained share of variance counts, the mean over layers."""


PLANS: Mapping[Apprentice, Apprenticeship] = MappingProxyType(
    {"blip2": Apprenticeship(), "minigpt4": Apprenticeship(questions=400, scenes=16, lesson_rate=0.3)}
)
"""Family -> how long by default. A MiniGPT-4's language model knows nearly all that it needs."""


def train_apprentice(
    family: Apprentice,
    folder: Path,
    *,
    teacher: str | Path,
    plan: Apprenticeship,
    sizes: Blip2Sizes | None = None,
    progress: Progress,
    device: str = "cpu",
) -> None:
    """Build, train and save a small model in `folder` after a teacher; goes on from its checkpoint where there is one.

    Raises:
        BadInput: the teacher is no LLaVA, or the folder holds a checkpoint of another run or family.
    """
    if not (folder / "processor_config.json").exists():  # the last file that is written
        build_apprentice(
            family, folder, teacher=teacher, pixels_NHWC=_pictures(plan.seed, 0, count=400), sizes=sizes, seed=plan.seed
        )
    mine, theirs = open_trainee(folder, device=device), open_trainee(teacher, device=device)
    if mine.family != family:
        raise BadInput(f"The folder {folder} holds a {mine.family}, and a {family} was to be trained. Name another folder.")
    theirs.module.requires_grad_(False).train(False)
    run = f"{plan!r} after {teacher}"
    if not (folder / "training.pt").exists():
        _open_eyes(mine, theirs, plan, checkpoint=folder / "eyes.pt", run=run, progress=progress)
    learner = _Learner(mine, theirs, plan)
    curriculum = Curriculum(looks=0, captions=0, questions=plan.questions, scenes=plan.scenes, seed=plan.seed)
    fit(
        learner,
        objective=lambda step: learner.parts(lessons_of(step, curriculum)),
        schedule=Schedule(
            plan.questions,
            learning_rate=plan.learning_rate * plan.lesson_rate,
            matrix_rate=plan.matrix_rate * plan.lesson_rate,
            warmup=min(100, max(1, plan.questions // 10)),
        ),
        checkpoint=folder / "training.pt",
        run=run,
        inner=inner,
        progress=progress,
    )
    mine.save(folder)


def unexplained(found: Tensor, wanted: Tensor) -> Tensor:
    """The squared distance, as a share of what is wanted's own variance."""
    return (found - wanted).square().mean() / (wanted - wanted.flatten(0, -2).mean(0)).square().mean()


def _open_eyes(mine: Trainee, theirs: Trainee, plan: Apprenticeship, *, checkpoint: Path, run: str, progress: Progress) -> None:
    def objective(step: int) -> list[Part]:
        pixels = _pictures(plan.seed, step + 1).to(mine.device)
        size = _AT_ONCE if mine.device.type == "cpu" else len(pixels)
        return [partial(share, pixels[i : i + size], size / len(pixels)) for i in range(0, len(pixels), size)]

    def share(pixels: Tensor, of: float) -> Tensor:
        with torch.no_grad():
            wanted = theirs.features(pixels)
        return unexplained(mine.features(pixels), wanted) * of

    fit(
        mine.module,
        objective=objective,
        schedule=Schedule(plan.looks, learning_rate=plan.learning_rate, matrix_rate=plan.matrix_rate),
        checkpoint=checkpoint,
        run=run,
        inner=inner,
        progress=lambda what, done, total: progress(f"eyes, {what}", done, total),
    )


def _pictures(seed: int, step: int, *, count: int = _LOOKED_AT) -> Tensor:
    rng = np.random.default_rng([seed, 31, step])
    return torch.from_numpy(np.stack([draw(random_scene(rng), rng, hand="train") for _ in range(count)]))


class _Learner(nn.Module):
    """The model and the bridges from its states to the teacher's."""

    def __init__(self, mine: Trainee, theirs: Trainee, plan: Apprenticeship) -> None:
        super().__init__()
        self.model = mine.module
        self._mine, self._theirs, self._plan = mine, [theirs], plan
        self.bridges = nn.ModuleList(_bridge(mine.width, theirs.width) for _ in mine.layers)

    def parts(self, rows: Sequence[Row]) -> list[Part]:
        """A step's loss as a sum of parts."""
        found = fitting_parts(self._mine, rows)
        total = sum(len(row.lessons) for some in found for row in some)
        return [partial(self._share, some, total) for some in found]

    def _share(self, rows: list[Row], total: int) -> Tensor:
        lessons = sum(len(row.lessons) for row in rows)
        mine, theirs, plan = self._mine, self._theirs[0], self._plan
        batch, their_batch = pack(mine, rows).to(mine.device), pack(theirs, rows).to(mine.device)
        with torch.no_grad():
            *their_states, their_last = states_of(theirs, their_batch)
            their_logits_AV = said(theirs, their_batch, their_last)
        *states, last = states_of(mine, batch)
        logits_AV = said(mine, batch, last)
        known = their_logits_AV.shape[1]
        losses_A = answer_losses(batch, logits_AV) + plan.divergence * kl_div(
            logits_AV[:, :known].log_softmax(-1), their_logits_AV.log_softmax(-1), reduction="none", log_target=True
        ).sum(-1)
        loss = mean_of_lessons(batch, losses_A)
        for bridge, state, wanted in zip(self.bridges, states, their_states, strict=True):
            loss = loss + plan.states / len(states) * unexplained(bridge(state[batch.own_RL]), wanted[their_batch.own_RL])
        return loss * (lessons / total)


def _bridge(mine: int, theirs: int) -> nn.Linear:
    """Begins as the identity: a language model that is the teacher's own has nothing to cross."""
    made = nn.Linear(mine, theirs)
    with torch.no_grad():
        nn.init.eye_(made.weight)
        made.bias.zero_()
    return made
