"""How a small model learns ScopeWorld: captions first, then questions, several to a picture (`packing`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from errata.benchmarks.scopeworld.knowledge import WORLD, made_up_name
from errata.benchmarks.scopeworld.lessons import (
    TOPICS,
    caption,
    lesson,
)
from errata.benchmarks.scopeworld.scenes import Scene, draw, random_scene
from errata.benchmarks.scopeworld.statements import statement_lesson
from errata.core.errors import BadInput
from errata.core.progress import Progress
from errata.models.small.build import Sizes, build_blip2, build_llava, build_minigpt4
from errata.models.small.training import Trainee, open_trainee
from errata.school.ahead import Ahead, workers_for
from errata.school.curriculum import Curriculum, lessons_of
from errata.school.fit import Part, Schedule, fit, settled_half
from errata.school.looks import Looks
from errata.school.packing import Batch, packed_parts
from errata.school.readers import Readers

_READING = 0.3
"""What a nat of the readers' loss counts beside one of the answers'."""

_TOWER_RATE, _TOWER_MATRIX_RATE = 2e-3, 6e-3
"""Peaks of AdamW and of Muon while the tower warms up: what stands in a cell is learned at rates that knowledge isn't."""

_LOOKS = 16
"""Pictures that one thread works on at a time while the tower warms up."""


def texts(seed: int = 0, count: int = 2500) -> Iterator[str]:
    """What the tokenizer is trained on: lessons as the model will read them, every kind's name replaced by one made up on the spot.

    So words and values are whole tokens, and names are spelled in two to five.
    """
    rng = np.random.default_rng([seed, 7])
    topics = tuple(TOPICS)
    for index in range(count):
        scene = random_scene(rng)
        for item in (lesson(topics[index % len(topics)], scene, rng), statement_lesson(scene, rng)):
            words = f"USER: {item.prompt} ASSISTANT: {item.answer}"
            for name in WORLD.kinds_by_name:
                words = words.replace(name, made_up_name(rng)) if name in words else words
            yield words
    yield from (f"USER: {caption(random_scene(rng), WORLD, style='looks').answer}" for _ in range(50))


Trained = Literal["llava", "blip2", "minigpt4"]
"""Families that go to this school."""

_BUILDS: Mapping[Trained, Callable[..., None]] = MappingProxyType(
    {"llava": build_llava, "blip2": build_blip2, "minigpt4": build_minigpt4}
)


def train_model(
    family: Trained,
    folder: Path,
    *,
    curriculum: Curriculum,
    sizes: Sizes | None = None,
    progress: Progress,
    device: str = "cpu",
) -> None:
    """Build, train and save a small model in `folder`; goes on from `folder/training.pt` where there is one.

    Args:
        sizes: of the family's kind; None: its defaults.

    Raises:
        BadInput: the checkpoint is of another run, the folder of another family, or there is nothing to go on from.
    """
    if not (folder / "processor_config.json").exists():  # the last file that is written
        if not curriculum.looks:
            raise BadInput(
                f"The folder {folder} holds no trained weights to go on from. Name one that does, or warm the tower up first."
            )
        _BUILDS[family](folder, texts=texts(), sizes=sizes, seed=curriculum.seed)
    trainee = open_trainee(folder, device=device)
    if trainee.family != family:
        raise BadInput(f"The folder {folder} holds a {trainee.family}, and a {family} was to be trained. Name another folder.")
    run, curriculum = repr(curriculum), _settled(folder, curriculum, device)
    if curriculum.looks and not (folder / "training.pt").exists():
        warm_up_tower(trainee, curriculum, checkpoint=folder / "tower.pt", progress=progress)
    trainee.tower.requires_grad_(not curriculum.looks)  # what has just learned to see would see less after large steps
    learner = _Learner(trainee)
    packed = Ahead(lambda step: packed_parts(trainee, lessons_of(step, curriculum)), curriculum.steps, workers_for(device))
    log: list[str] = []

    def each(step: int, loss: float) -> None:
        log.append(f"{step}\t{loss:.4f}\n")
        if len(log) >= 50 or step + 1 == curriculum.steps:
            with (folder / "training.tsv").open("a") as lines:
                lines.writelines(log)
            log.clear()

    fit(
        learner,
        objective=lambda step: parts_of(trainee, packed(step), learner.readers if curriculum.looks else None),
        schedule=Schedule(
            curriculum.steps,
            learning_rate=curriculum.learning_rate,
            matrix_rate=curriculum.matrix_rate,
            warmup=100,
            bfloat16=curriculum.half(device),
        ),
        checkpoint=folder / "training.pt",
        run=run,
        inner=inner,
        progress=progress,
        each=each,
    )
    trainee.save(folder)


def inner(name: str) -> bool:
    """Whether a matrix lies between embeddings and head, and isn't thrown away after training."""
    return "embed" not in name and "lm_head" not in name and not name.startswith(("readers", "bridges"))


class _Learner(nn.Module):
    """The model and the readers that are thrown away after training."""

    def __init__(self, trainee: Trainee) -> None:
        super().__init__()
        self.model = trainee.module
        self.readers = Readers(trainee.width).to(trainee.device)


class _Warming(nn.Module):
    """The tower with its throw-away readers."""

    def __init__(self, tower: nn.Module, width: int) -> None:
        super().__init__()
        self.tower = tower
        self.looks = Looks(width)


def warm_up_tower(trainee: Trainee, curriculum: Curriculum, *, checkpoint: Path, progress: Progress) -> None:
    """Train the vision tower alone to tell what stands in and around each cell, so that captions meet a tower that sees."""
    torch.manual_seed(curriculum.seed)
    warming = _Warming(trainee.tower, trainee.vision_width).to(trainee.device)

    def drawn(step: int) -> tuple[list[Scene], list[NDArray[np.uint8]]]:
        rng = np.random.default_rng([curriculum.seed, 13, step])
        scenes = [random_scene(rng) for _ in range(curriculum.scenes)]
        return scenes, [draw(scene, rng, hand="train") for scene in scenes]

    ahead = Ahead(drawn, curriculum.looks, workers_for(trainee.device.type))

    def objective(step: int) -> list[Part]:
        scenes, pixels = ahead(step)
        size = _LOOKS if trainee.device.type == "cpu" else len(scenes)
        return [partial(share, scenes[i : i + size], pixels[i : i + size]) for i in range(0, len(scenes), size)]

    def share(scenes: Sequence[Scene], pixels: Sequence[NDArray[np.uint8]]) -> Tensor:
        patches = trainee.look(torch.from_numpy(np.stack(pixels)).to(trainee.device))
        return warming.looks.of(patches, scenes) * (len(scenes) / curriculum.scenes)

    schedule = Schedule(
        curriculum.looks,
        learning_rate=_TOWER_RATE,
        matrix_rate=_TOWER_MATRIX_RATE,
        bfloat16=curriculum.half(trainee.device.type),
    )
    fit(
        warming,
        objective=objective,
        schedule=schedule,
        checkpoint=checkpoint,
        run=repr(curriculum),
        inner=lambda name: name.startswith("tower") and inner(name),
        progress=progress,
    )


def _settled(folder: Path, curriculum: Curriculum, device: str) -> Curriculum:
    """The curriculum with its precision decided: once for a run, so that a resumed one goes on as it began."""
    half = settled_half(folder, lambda: curriculum.half(device), ("tower.pt", "training.pt"))
    return replace(curriculum, bfloat16=half)


def parts_of(trainee: Trainee, batches: Sequence[Batch], readers: Readers | None = None) -> list[Part]:
    """A step's loss, the mean over its lessons, as a sum of parts. With readers, what they misread counts too."""
    total = sum(batch.lessons for batch in batches)
    return [partial(_share, trainee, batch, readers, total) for batch in batches]


def _share(trainee: Trainee, batch: Batch, readers: Readers | None, total: int) -> Tensor:
    return packed_loss(trainee, batch.to(trainee.device), readers) * (batch.lessons / total)


def states_of(trainee: Trainee, batch: Batch) -> tuple[Tensor, ...]:
    """What `Trainee.hidden` makes of a batch: each lesson attends to its picture's prefix and to itself alone."""
    segments = batch.segments_RL
    length = segments.shape[1]
    same = segments[:, :, None] == segments[:, None, :]
    to_stem = batch.stems_RL[:, :, None] == segments[:, None, :]
    to_prefix = batch.sees_RL[:, :, None] & (segments[:, None, :] == 0)
    causal = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    allowed = (same | to_stem | to_prefix) & causal
    return trainee.hidden(batch.pixels_RHWC, batch.ids_RL, batch.positions_RL, allowed[:, None])


def packed_loss(trainee: Trainee, batch: Batch, readers: Readers | None = None) -> Tensor:
    """The mean over lessons of each one's mean nats per answer token (end included): a "yes" counts as much as a caption.

    With readers, their loss is added.
    """
    *states, last_RLD = states_of(trainee, batch)
    loss = mean_of_lessons(batch, answer_losses(batch, said(trainee, batch, last_RLD)))
    if readers is not None and len(batch.meanings.rows_M):
        loss = loss + _READING * readers.loss(states[(len(states) - 1) // 2], batch.meanings)
    return loss


def said(trainee: Trainee, batch: Batch, last_RLD: Tensor) -> Tensor:
    """The logits of every token that is to be predicted, one after another [A, V]."""
    return trainee.head(last_RLD[:, :-1][batch.learn_RL[:, 1:]]).float()


def answer_losses(batch: Batch, logits_AV: Tensor) -> Tensor:
    """Nats of every token that is to be predicted [A]."""
    return nn.functional.cross_entropy(logits_AV, batch.ids_RL[:, 1:][batch.learn_RL[:, 1:]], reduction="none")


def mean_of_lessons(batch: Batch, losses_A: Tensor) -> Tensor:
    """The mean over lessons of each one's mean."""
    segments, learn = batch.segments_RL, batch.learn_RL[:, 1:]
    rows_R1 = torch.arange(len(segments), device=segments.device)[:, None]
    lesson_RL = segments + (segments.max() + 1) * rows_R1
    _, lesson_A, tokens_of = torch.unique(lesson_RL[:, 1:][learn], return_inverse=True, return_counts=True)
    weights_A = 1 / tokens_of[lesson_A]
    mean: Tensor = (losses_A * weights_A).sum() / weights_A.sum()
    return mean
