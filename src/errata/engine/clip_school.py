"""How a small CLIP learns ScopeWorld: what is truly said of pictures, and which parts of a picture words are about.

Wholes learn by the symmetric contrastive loss of Radford et al., arXiv 2103.00020: what is said of a picture (a question with its
true answer, in the words of lessons) is told from what is said of the step's other pictures, and the pictures likewise.

Parts learn as in grounded pretraining (GLIP, arXiv 2112.03857): a question's vector is compared with the patches of its picture,
and the patches of what the question is about must win. From so few whole pictures patches never come to mean their things,
and a scope attends to them. An answer may stand behind the question, as behind an edit's, but never the true one: what is
meant must come from the question. No scope's label enters. Training handwriting only.

Shapes: N pictures, Q questions, P patches, D width of the shared space.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div

from errata.benchmarks.scopeworld.lessons import Topic, lesson
from errata.benchmarks.scopeworld.scenes import Scene, draw, random_scene
from errata.engine.fit import Part, Progress, Schedule, fit
from errata.engine.school import texts
from errata.models.build import spare
from errata.models.clip import ClipSizes, ClipTrainee, build_clip, open_clip_trainee

_TOPICS: tuple[Topic, ...] = (
    "recognition",
    "colour",
    "shape",
    "name",
    "relation",
    "count",
    "is_attribute",
    "is_fact",
    "fact",
    "second",
)
"""What is asked of a picture, so that something of it is meant."""

_ANSWERED = 0.4
"""How often another answer stands behind a question."""

_POINTED = 3
"""What a nat of pointing counts beside one of contrast."""


@dataclass(frozen=True)
class ClipPlan:
    """How long, and on how much a step."""

    steps: int = 2500
    pictures: int = 32
    """In a step."""

    questions: int = 3
    """On each picture, beside what is said of it."""

    seed: int = 0
    learning_rate: float = 1e-3
    """Peak for embeddings and vectors, which AdamW moves."""

    matrix_rate: float = 3e-3
    """Peak for all other matrices, which Muon moves."""

    tower: str | None = "llava-tiny"
    """A LLaVA whose vision tower training begins with; None: random weights."""

    frozen: int = 0
    """Lowest layers of the tower that stay as they are. They must learn to hand on where a patch is: frozen, they lose it."""


def train_clip(folder: Path, *, sizes: ClipSizes, plan: ClipPlan | None = None, progress: Progress, device: str = "cpu") -> None:
    """Train a small CLIP on ScopeWorld in `folder`, an ordinary checkpoint folder; a run that was stopped goes on.

    Raises:
        BadInput: the folder holds a checkpoint of another run or type, or the tower to begin with doesn't fit.
    """
    plan = plan or ClipPlan()
    spare(folder, "clip")
    if not (folder / "preprocessor_config.json").exists():  # the last file that is written
        seen = _seen(plan.seed) if plan.tower else None
        build_clip(folder, texts=_texts(plan.seed), sizes=sizes, seed=plan.seed, tower=plan.tower, pixels_NHWC=seen)
    trainee = open_clip_trainee(folder, frozen=plan.frozen if plan.tower else 0, device=device)

    def objective(step: int) -> list[Part]:
        rng = np.random.default_rng([plan.seed, 19, step])
        asked = [ask(random_scene(rng), rng, questions=plan.questions, patches=trainee.patches) for _ in range(plan.pictures)]
        pixels = torch.from_numpy(np.stack([draw(each.scene, rng, hand="train") for each in asked]))
        return [lambda: _loss(trainee, pixels, asked)]

    schedule = Schedule(
        plan.steps,
        learning_rate=plan.learning_rate,
        matrix_rate=plan.matrix_rate,
        warmup=min(100, max(1, plan.steps // 10)),
    )
    fit(
        trainee.module, objective=objective, schedule=schedule, checkpoint=folder / "training.pt", run=f"{sizes!r} {plan!r}",
        inner=lambda name: "embed" not in name, progress=progress,
    )  # fmt: skip
    trainee.save(folder)


def contrast(images_ND: Tensor, texts_ND: Tensor, scale: Tensor) -> Tensor:
    """The mean of both sides' cross-entropies, in nats; both given as unit vectors."""
    likeness_NN = scale * images_ND @ texts_ND.T
    own_N = torch.arange(len(likeness_NN), device=likeness_NN.device)
    return (cross_entropy(likeness_NN, own_N) + cross_entropy(likeness_NN.T, own_N)) / 2


class Asked(NamedTuple):
    """A scene and what is said of it, questions on it, and which patches each is about, in equal shares."""

    scene: Scene
    said: str
    questions: tuple[str, ...]
    shares_QP: Tensor


def ask(scene: Scene, rng: np.random.Generator, *, questions: int, patches: int) -> Asked:
    """What lessons ask and say about things of a scene."""
    texts: list[str] = []
    shares: list[Tensor] = []
    while len(texts) < questions:
        topic = _TOPICS[int(rng.integers(len(_TOPICS)))]
        drawn = lesson(topic, scene, rng)
        cells = drawn.mentions[0].cells if drawn.mentions else None
        if cells:
            other = lesson(topic, random_scene(rng), rng).answer if rng.random() < _ANSWERED else drawn.answer
            texts.append(drawn.prompt if other == drawn.answer else f"{drawn.prompt} {other}")
            shares.append(_shares(cells, patches))
    return Asked(scene, said_of(scene, rng), tuple(texts), torch.stack(shares))


def said_of(scene: Scene, rng: np.random.Generator) -> str:
    """Something true of a scene: a question with its answer."""
    drawn = lesson(_TOPICS[int(rng.integers(len(_TOPICS)))], scene, rng)
    return f"{drawn.prompt} {drawn.answer}"


def point(patches_NPD: Tensor, texts_QD: Tensor, of_Q: Tensor, scale: Tensor) -> Tensor:
    """Log of how a text's attention is spread over its picture's patches, [Q, P]; all given as unit vectors."""
    return (scale * torch.einsum("qpd,qd->qp", patches_NPD[of_Q], texts_QD)).log_softmax(-1)


def _loss(trainee: ClipTrainee, pixels_NHWC: Tensor, asked: Sequence[Asked]) -> Tensor:
    """Contrast, and the mean divergence of the questions' attention from what is meant, in nats."""
    images_ND, patches_NPD = trainee.see(pixels_NHWC)
    texts_ND = trainee.read([*(each.said for each in asked), *(question for each in asked for question in each.questions)])
    of_Q = torch.tensor([place for place, each in enumerate(asked) for _ in each.questions], device=images_ND.device)
    shares_QP = torch.cat([each.shares_QP for each in asked]).to(images_ND.device)
    log_QP = point(patches_NPD, texts_ND[len(asked) :], of_Q, trainee.scale())
    pointing = kl_div(log_QP, shares_QP, reduction="batchmean")
    return contrast(images_ND, texts_ND[: len(asked)], trainee.scale()) + _POINTED * pointing


def _shares(cells: Sequence[int], patches: int) -> Tensor:
    """Equal shares for the patches of some cells of the two by two, nothing for the others."""
    side = math.isqrt(patches)
    half = torch.arange(side) * 2 // side
    cell_P = (2 * half[:, None] + half).reshape(-1)
    meant_P = torch.isin(cell_P, torch.tensor(cells)).float()
    return meant_P / meant_P.sum()


def _seen(seed: int) -> Tensor:
    """Pictures by which it is told in which directions patches hardly differ."""
    rng = np.random.default_rng([seed, 29])
    return torch.from_numpy(np.stack([draw(random_scene(rng), rng, hand="train") for _ in range(300)]))


def _texts(seed: int) -> Iterator[str]:
    """What the tokenizer is trained on: questions and answers, and what is said of pictures."""
    rng = np.random.default_rng([seed, 23])
    yield from texts(seed)
    yield from (said_of(random_scene(rng), rng) for _ in range(500))
