"""How a small CLIP learns ScopeWorld: pictures and what can truly be said of them, each told from the others of its step.

The symmetric contrastive loss of Radford et al., arXiv 2103.00020: cross-entropy of each picture's text among the step's texts,
and of each text's picture among its pictures. What is said of a picture is drawn anew: looks, names and facts of its things, each
meant by its place, glyph, colour or a relation, as questions mean them; so words that refer are read, too. Training handwriting
only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from errata.benchmarks.scopeworld.knowledge import RELATIONS, WORLD
from errata.benchmarks.scopeworld.lessons import caption
from errata.benchmarks.scopeworld.questions import article, references
from errata.benchmarks.scopeworld.scenes import Scene, draw, random_scene
from errata.engine.fit import Part, Progress, Schedule, fit
from errata.engine.school import texts
from errata.models.clip import ClipSizes, build_clip, open_clip_trainee

_WHOLE = 0.4
"""How often a text says what stands in every cell; else it says a few things."""


@dataclass(frozen=True)
class ClipPlan:
    """How long, and on how much a step."""

    steps: int = 4000
    pictures: int = 96
    """In a step, each with one text."""

    seed: int = 0
    learning_rate: float = 1e-3


def train_clip(folder: Path, *, sizes: ClipSizes, plan: ClipPlan | None = None, progress: Progress, device: str = "cpu") -> None:
    """Train a small CLIP on ScopeWorld in `folder`, an ordinary checkpoint folder; a run that was stopped goes on.

    Raises:
        BadInput: the folder holds a checkpoint of another run.
    """
    plan = plan or ClipPlan()
    if not (folder / "preprocessor_config.json").exists():  # the last file that is written
        build_clip(folder, texts=_texts(plan.seed), sizes=sizes, seed=plan.seed)
    trainee = open_clip_trainee(folder, device=device)

    def objective(step: int) -> list[Part]:
        rng = np.random.default_rng([plan.seed, 19, step])
        scenes = [random_scene(rng) for _ in range(plan.pictures)]
        pixels = torch.from_numpy(np.stack([draw(scene, rng, hand="train") for scene in scenes]))
        said = [said_of(scene, rng) for scene in scenes]
        return [lambda: contrast(*trainee.embed(pixels, said), trainee.scale())]

    schedule = Schedule(plan.steps, learning_rate=plan.learning_rate, warmup=min(100, max(1, plan.steps // 10)))
    fit(
        trainee.module, objective=objective, schedule=schedule, checkpoint=folder / "training.pt", run=f"{sizes!r} {plan!r}",
        progress=progress,
    )  # fmt: skip
    trainee.save(folder)


def contrast(images_ND: Tensor, texts_ND: Tensor, scale: Tensor) -> Tensor:
    """The mean of both sides' cross-entropies, in nats; both given as unit vectors."""
    likeness_NN = scale * images_ND @ texts_ND.T
    own_N = torch.arange(len(likeness_NN), device=likeness_NN.device)
    return (cross_entropy(likeness_NN, own_N) + cross_entropy(likeness_NN.T, own_N)) / 2


def said_of(scene: Scene, rng: np.random.Generator) -> str:
    """Something true of a scene."""
    if rng.random() < _WHOLE:
        return caption(scene, WORLD, style="looks").answer
    return " ".join(_fact(scene, rng) for _ in range(int(rng.integers(2, 6))))


def _fact(scene: Scene, rng: np.random.Generator) -> str:
    cell = int(rng.choice(scene.filled))
    kind, refs = scene.at(cell), references(scene, cell)
    subject = refs[int(rng.integers(len(refs)))].words
    chance = rng.random()
    if chance < 0.5:
        return f"{subject} is {article(kind.words)}."
    if chance < 0.75:
        return f"{subject} is called {WORLD.names[kind]}."
    relation = RELATIONS[int(rng.integers(len(RELATIONS)))]
    return f"the {relation} of {subject} is {WORLD.facts[kind, relation]}."


def _texts(seed: int) -> Iterator[str]:
    """What the tokenizer is trained on: questions and answers, and what is said of pictures."""
    rng = np.random.default_rng([seed, 23])
    yield from texts(seed)
    yield from (said_of(random_scene(rng), rng) for _ in range(500))
