"""How a small CLIP learns ScopeWorld: what is truly said of pictures, and which parts of a picture words are about.

The tower begins as a LLaVA's and first learns, alone, what stands in and around each patch (`looks`).

Wholes learn by the symmetric contrastive loss of Radford et al., arXiv 2103.00020: what is said of a picture (a question with its
true answer, in the words of lessons) is told from what is said of the step's other pictures, and the pictures likewise.

Parts learn as in grounded pretraining (GLIP, arXiv 2112.03857): a question's vector is compared with the patches of its picture,
and the patches of what the question is about must win. From so few whole pictures patches never come to mean their things,
and a scope attends to them. An answer may stand behind the question, as behind an edit's, but never the true one: what is
meant must come from the question. What a question asks, its vector must tell too: pointing alone leaves that out, and a scope that
knows the thing but not the fact takes a question about its colour for one about its home. No scope's label enters. Training
handwriting only.

Shapes: N pictures, Q questions, P patches, D width of the shared space.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, normalize

from errata.benchmarks.scopeworld.lessons import Topic, lesson
from errata.benchmarks.scopeworld.questions import Family
from errata.benchmarks.scopeworld.scenes import Scene, draw, encode, lightly_changed, random_scene
from errata.core.progress import Progress
from errata.models.clip import ClipSizes, ClipTrainee, build_clip, open_clip_trainee
from errata.models.small.build import spare
from errata.school.fit import Part, Schedule, fit
from errata.school.looks import Looks, cell_of_patch, cells_of
from errata.school.school import texts

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

_FAMILIES: tuple[Family, ...] = get_args(Family)

_ANSWERED = 0.4
"""How often another answer stands behind a question."""

_POINTED = 3
"""What a nat of pointing counts beside one of contrast."""

_READ = 0.1
"""What a nat of the readers counts: there are seven questions of each cell."""

_SAME = 8
"""Pictures of a step that are also shown as other bytes and drawn anew."""

_SHARP = 10.0
"""What the cosines of cells are multiplied with."""


@dataclass(frozen=True)
class ClipPlan:
    """How long, and on how much a step."""

    looks: int = 400
    """Steps in which the tower alone learns what stands in and around each cell."""

    steps: int = 2500
    """Steps after these."""

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


def train_clip(folder: Path, *, sizes: ClipSizes, plan: ClipPlan | None = None, progress: Progress, device: str = "cpu") -> None:
    """Train a small CLIP on ScopeWorld in `folder`, an ordinary checkpoint folder; a run that was stopped goes on.

    Raises:
        BadInput: the folder holds a checkpoint of another run or type, or the tower to begin with doesn't fit.
    """
    plan = plan or ClipPlan()
    spare(folder, "clip")
    if not (folder / "preprocessor_config.json").exists():  # the last file that is written
        build_clip(folder, texts=_texts(plan.seed), sizes=sizes, seed=plan.seed, tower=plan.tower)
    trainee = open_clip_trainee(folder, device=device)

    torch.manual_seed(plan.seed)
    learner = _Learner(trainee)

    def objective(step: int) -> list[Part]:
        rng = np.random.default_rng([plan.seed, 19, step])
        scenes = [random_scene(rng) for _ in range(plan.pictures)]
        pixels = torch.from_numpy(np.stack([draw(scene, rng, hand="train") for scene in scenes]))
        if step < plan.looks:
            return [lambda: learner.looks.of(trainee.see(pixels)[1], scenes)]
        asked = [ask(scene, rng, questions=plan.questions, patches=trainee.patches) for scene in scenes]
        twice = _twice(pixels, scenes, rng)
        return [lambda: learner.loss(pixels, asked, twice)]

    schedule = Schedule(
        plan.looks + plan.steps,
        learning_rate=plan.learning_rate,
        matrix_rate=plan.matrix_rate,
        warmup=min(100, max(1, plan.steps // 10)),
    )
    fit(
        learner, objective=objective, schedule=schedule, checkpoint=folder / "training.pt", run=f"{sizes!r} {plan!r}",
        inner=lambda name: name.startswith("clip") and "embed" not in name, progress=progress,
    )  # fmt: skip
    trainee.save(folder)


def contrast(images_ND: Tensor, texts_ND: Tensor, scale: Tensor) -> Tensor:
    """The mean of both sides' cross-entropies, in nats; both given as unit vectors."""
    likeness_NN = scale * images_ND @ texts_ND.T
    own_N = torch.arange(len(likeness_NN), device=likeness_NN.device)
    return (cross_entropy(likeness_NN, own_N) + cross_entropy(likeness_NN.T, own_N)) / 2


class Asked(NamedTuple):
    """A scene and what is said of it, questions on it, what they ask, and which patches each is about, in equal shares."""

    scene: Scene
    said: str
    questions: tuple[str, ...]
    families: tuple[Family, ...]
    """What each question asks."""

    shares_QP: Tensor


def ask(scene: Scene, rng: np.random.Generator, *, questions: int, patches: int) -> Asked:
    """What lessons ask and say about things of a scene."""
    texts: list[str] = []
    families: list[Family] = []
    shares: list[Tensor] = []
    while len(texts) < questions:
        topic = _TOPICS[int(rng.integers(len(_TOPICS)))]
        drawn = lesson(topic, scene, rng)
        cells = drawn.mentions[0].cells if drawn.mentions else None
        if cells and drawn.family:
            families.append(drawn.family)
            other = lesson(topic, random_scene(rng), rng).answer if rng.random() < _ANSWERED else drawn.answer
            texts.append(drawn.prompt if other == drawn.answer else f"{drawn.prompt} {other}")
            shares.append(_shares(cells, patches))
    return Asked(scene, said_of(scene, rng), tuple(texts), tuple(families), torch.stack(shares))


def said_of(scene: Scene, rng: np.random.Generator) -> str:
    """Something true of a scene: a question with its answer."""
    drawn = lesson(_TOPICS[int(rng.integers(len(_TOPICS)))], scene, rng)
    return f"{drawn.prompt} {drawn.answer}"


def point(patches_NPD: Tensor, texts_QD: Tensor, of_Q: Tensor, scale: Tensor) -> Tensor:
    """Log of how a text's attention is spread over its picture's patches, by cosine, [Q, P]; texts are given as unit vectors."""
    return (scale * torch.einsum("qpd,qd->qp", normalize(patches_NPD, dim=-1)[of_Q], texts_QD)).log_softmax(-1)


class Twice(NamedTuple):
    """Some of a step's pictures as other bytes, and their scenes drawn anew. S: how many."""

    changed_SHWC: Tensor
    redrawn_SHWC: Tensor
    filled_SC: Tensor
    """True where something stands in the cell."""


def _twice(pixels_NHWC: Tensor, scenes: Sequence[Scene], rng: np.random.Generator) -> Twice:
    changed, redrawn = [], []
    for pixels_HWC, scene in zip(pixels_NHWC[:_SAME], scenes, strict=False):
        others = list(lightly_changed(encode(pixels_HWC.numpy())).values())
        shot = others[int(rng.integers(len(others)))].pixels().resize(pixels_HWC.shape[1::-1])
        changed.append(np.asarray(shot))
        redrawn.append(draw(scene, rng, hand="train"))
    filled = [[kind is not None for kind in scene.cells] for scene in scenes[:_SAME]]
    return Twice(torch.from_numpy(np.stack(changed)), torch.from_numpy(np.stack(redrawn)), torch.tensor(filled))


class _Learner(nn.Module):
    """The CLIP, and what is thrown away after training: readers of its patches and of what a question asks, and a view of patches
    in which the same picture as other bytes is alike and the same things drawn anew are not."""

    def __init__(self, trainee: ClipTrainee) -> None:
        super().__init__()
        self.clip = trainee.module
        self.looks = Looks(trainee.width)
        self.view = nn.Linear(trainee.width, trainee.width)
        self.asked = nn.Linear(trainee.width, len(_FAMILIES))
        self._trainee = trainee

    def loss(self, pixels_NHWC: Tensor, asked: Sequence[Asked], twice: Twice) -> Tensor:
        """Nats of contrast, of pointing (the mean divergence of the questions' attention from what is meant), of the readers and of
        telling the same picture from the same things."""
        trainee, count, some = self._trainee, len(pixels_NHWC), len(twice.changed_SHWC)
        images_ND, patches_NPD = trainee.see(torch.cat([pixels_NHWC, twice.changed_SHWC, twice.redrawn_SHWC]))
        texts_ND = trainee.read([*(each.said for each in asked), *(question for each in asked for question in each.questions)])
        of_Q = torch.tensor([place for place, each in enumerate(asked) for _ in each.questions], device=images_ND.device)
        shares_QP = torch.cat([each.shares_QP for each in asked]).to(images_ND.device)
        log_QP = point(patches_NPD, texts_ND[count:], of_Q, trainee.scale())
        pointing = kl_div(log_QP, shares_QP, reduction="batchmean")
        read = self.looks.of(patches_NPD[:count], [each.scene for each in asked])
        families = torch.tensor([_FAMILIES.index(family) for each in asked for family in each.families], device=images_ND.device)
        what = cross_entropy(self.asked(math.sqrt(trainee.width) * texts_ND[count:]), families)
        cells_NCD = normalize(self.view(cells_of(patches_NPD)), dim=-1)
        same = tell_apart(
            cells_NCD[:some][twice.filled_SC],
            cells_NCD[count : count + some][twice.filled_SC],
            cells_NCD[count + some :][twice.filled_SC],
        )
        return contrast(images_ND[:count], texts_ND[:count], trainee.scale()) + _POINTED * pointing + _READ * read + what + same


def tell_apart(own_MD: Tensor, changed_MD: Tensor, redrawn_MD: Tensor) -> Tensor:
    """Nats of finding each cell of a picture again among the same cells as other bytes and all that were drawn anew (SimCLR,
    arXiv 2002.05709); all given as unit vectors."""
    likeness = _SHARP * own_MD @ torch.cat([changed_MD, redrawn_MD]).T
    return cross_entropy(likeness, torch.arange(len(own_MD), device=own_MD.device))


def _shares(cells: Sequence[int], patches: int) -> Tensor:
    """Equal shares for the patches of some cells, nothing for the others."""
    meant_P = torch.isin(cell_of_patch(patches), torch.tensor(cells)).float()
    return meant_P / meant_P.sum()


def _texts(seed: int) -> Iterator[str]:
    """What the tokenizer is trained on: questions and answers, and what is said of pictures."""
    rng = np.random.default_rng([seed, 23])
    yield from texts(seed)
    yield from (said_of(random_scene(rng), rng) for _ in range(500))
