"""How the eyes of `atlas` learn: each image token is to be the input embedding of a word of the picture's caption.

The language model takes no part. A token t of the caption in slot k of a picture first asks of what the eyes give there, o_k, that
it points towards the embedding e_t rather than any other of captions (cross-entropy over their directions from their mean); later
that it lies there: that |o_k - e_t|^2 is small, and smaller than for any other by a share of what the two words are
apart (a margin, as in Wang et al., "Additive Margin Softmax", arXiv 1801.05599). What follows the caption is filled with one token
that says nothing. Beside that, which picture it is must be told from the mean of the tower's image tokens: what is on it is learned
soonest there. Products are made in bfloat16 where that is faster, the loss in single precision.

Shapes: N pictures, K slots, D width of the language model, W width of the tower, M slots that are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, layer_norm

from errata.benchmarks.atlas.pictures.catalogue import every
from errata.benchmarks.atlas.pictures.picture import Picture, Pixels
from errata.benchmarks.atlas.pictures.views import View, view
from errata.core.progress import Progress
from errata.models.atlas.eyes import SEEING, Eyes
from errata.models.atlas.spelling import Vocabulary
from errata.school.fit import Part, Schedule, faster_in_bfloat16, fit, settled_half

_QUIET: Final = 0.2
"""What a slot that says nothing counts beside one of the caption."""

_SOME: Final = 4
"""One in so many of them is looked at."""

_SHARP: Final = 4.0
"""What the directions are multiplied with: an embedding itself stands some ten nats above the others."""

_TELLING: Final = 2.0
"""What the likeness is multiplied with once distances count."""

_PURE: Final = 0.25
"""A word must be likelier than another by more than this share of what an exact spelling gives. The language model reads a blend of
two words as a third, long before the other of them is the nearer."""

NEAR: Final = (0.2, 1.0)
"""What the distance counts beside a nat: when words are no longer told by directions alone, and at the end."""

WHICH: Final = (1.0, 0.2)
"""What a nat of which picture it is counts beside one of a caption's: at first, when eyes learn to see, and later."""

_PART: Final = 16
"""Pictures that one thread works on at a time."""

EASY: Final[tuple[View, ...]] = ("plain", "crop")
LESSONS: Final[tuple[View, ...]] = ("plain", "crop", "light", "turned", "noise", "clutter", *("any",) * 6)


def nearing(done: float, told_apart: float) -> float | None:
    """What the distance counts at a share of the steps; None: words are told apart by directions alone."""
    late = (done - told_apart) / (1 - told_apart)
    return None if late < 0 else NEAR[0] + (NEAR[1] - NEAR[0]) * late


@dataclass(frozen=True)
class EyesPlan:
    """How long, and on how much a step."""

    steps: int = 12_000
    pictures: int = 96
    """In a step."""

    easy: float = 0.1
    """The share of steps at first in which pictures are seen as they are, or cropped."""

    told_apart: float = 0.4
    """The share of steps at first in which words are told apart by their directions, and distances aren't looked at."""

    seed: int = 0
    learning_rate: float = 2e-3
    """Peak for embeddings and vectors, which AdamW moves."""

    matrix_rate: float = 2e-3
    """Peak for all other matrices, which Muon moves."""

    def near(self, step: int) -> float | None:
        """What the distance counts at a step; None: words are told apart by directions alone."""
        return nearing(step / self.steps, self.told_apart)

    def which(self, step: int) -> float:
        """What counts at a step which picture it is."""
        return WHICH[0] if self.near(step) is None else WHICH[1]


@cache
def taught() -> tuple[Picture, ...]:
    """The pictures that eyes are taught: flags, things, and photographs where they are installed.

    Raises:
        BadInput: a package that Atlas cannot do without is missing.
    """
    return tuple(picture for picture in every() if picture.collection != "tuxpaint")


def vocabulary_of_taught() -> Vocabulary:
    """What captions of the taught pictures are made of.

    Raises:
        BadInput: the language model or a package of pictures is missing.
    """
    return Vocabulary([picture.name for picture in taught()])


def loss(features_NKD: Tensor, slots_NK: Tensor, vocabulary: Vocabulary, *, near: float | None = None) -> Tensor:
    """The mean over a caption's slots, the one that ends it among them, and over pictures.

    Of the others that say nothing, all alike, a fourth is looked at, of each picture other ones.

    Args:
        features_NKD: what eyes give.
        slots_NK: what they are to give, as places in the vocabulary.
        vocabulary: of the captions.
        near: what |o - e|^2 counts beside a nat, words then being told apart by it too; None: by directions alone.
    """
    told_NK = slots_NK != vocabulary.nothing
    told_NK[:, 1:] |= told_NK[:, :-1].clone()
    places_NK = torch.arange(len(slots_NK))[:, None] + torch.arange(slots_NK.shape[1])
    some_NK = told_NK | (places_NK % _SOME == 0)
    weight_NK = torch.where(told_NK, 1.0, _QUIET) * some_NK
    weight_M = (weight_NK / weight_NK.sum(-1, keepdim=True))[some_NK]
    features_MD, slots_M = features_NKD[some_NK], slots_NK[some_NK]
    if near is None:
        logits_MV = _SHARP * (features_MD - vocabulary.mean_D) @ vocabulary.directions_VD.T
        found_M = cross_entropy(logits_MV, slots_M, reduction="none")
    else:
        far_M = (features_MD - vocabulary.embeddings_VD[slots_M]).square().sum(-1)
        logits_MV = _TELLING * (vocabulary.likeness(features_MD) + _PURE * vocabulary.apart_VV[slots_M])
        found_M = cross_entropy(logits_MV, slots_M, reduction="none") + near * far_M
    return (found_M * weight_M).sum() / len(slots_NK)


class _Learner(nn.Module):
    """Eyes, and what is thrown away once they see: which picture it is, read from the mean of the tower's image tokens."""

    def __init__(self, eyes: Eyes, names: int) -> None:
        super().__init__()
        self.eyes = eyes
        self.which = nn.Linear(eyes.width, names)

    def of(
        self, pixels_NHWC: Tensor, slots_NK: Tensor, which_N: Tensor, vocabulary: Vocabulary, *, near: float | None, which: float
    ) -> Tensor:
        """The loss of a part."""
        seen_NKW = self.eyes.look(pixels_NHWC)
        told = cross_entropy(self.which(layer_norm(seen_NKW.mean(1), (self.eyes.width,))), which_N)
        spelled_NKD = self.eyes.spell(seen_NKW).float()
        with torch.autocast("cpu", enabled=False):
            return loss(spelled_NKD, slots_NK, vocabulary, near=near) + which * told


def lesson(rng: np.random.Generator, among: Sequence[Picture], kinds: Sequence[View] = LESSONS) -> tuple[Pixels, str]:
    """A view and its caption."""
    kind = kinds[int(rng.integers(len(kinds)))]
    one = among[int(rng.integers(len(among)))]
    return view(one, kind, rng), one.name


def train_eyes(folder: Path, *, plan: EyesPlan | None = None, begin: Path | None = None, progress: Progress) -> Path:
    """Train eyes that see and save them as `folder`/seeing.safetensors; goes on from `folder`/training.pt where there is one.

    Args:
        folder: of the run.
        plan: how long.
        begin: eyes to begin with; None: new ones.
        progress: told of every step.

    Raises:
        BadInput: the checkpoint is of another run, `begin` can't be opened, or the language model or the pictures can't be had.
    """
    plan = plan or EyesPlan()
    among, vocabulary = taught(), vocabulary_of_taught()
    names = {name: place for place, name in enumerate(dict.fromkeys(picture.name for picture in among))}
    torch.manual_seed(plan.seed)
    learner = _Learner(Eyes(vocabulary.text, SEEING), len(names))
    if begin is not None:
        learner.eyes.open(begin)
    else:
        learner.eyes.begin()
        learner.eyes.spell_everywhere(vocabulary.mean_D)
    folder.mkdir(parents=True, exist_ok=True)
    log: list[str] = []

    def part(step: int, first: int) -> Tensor:
        rng = np.random.default_rng([plan.seed, 31, step, first])
        count = min(_PART, plan.pictures - first)
        kinds = EASY if step < plan.easy * plan.steps else LESSONS
        seen = [lesson(rng, among, kinds) for _ in range(count)]
        slots_NK = torch.tensor([vocabulary.slots(caption) for _, caption in seen])
        which_N = torch.tensor([names[caption] for _, caption in seen])
        pixels_NHWC = torch.from_numpy(np.stack([pixels for pixels, _ in seen]))
        return (
            learner.of(pixels_NHWC, slots_NK, which_N, vocabulary, near=plan.near(step), which=plan.which(step))
            * count
            / plan.pictures
        )

    def objective(step: int) -> list[Part]:
        return [partial(part, step, first) for first in range(0, plan.pictures, _PART)]

    def each(step: int, loss: float) -> None:
        log.append(f"{step}\t{loss:.4f}\n")
        if len(log) >= 50 or step + 1 == plan.steps:
            with (folder / "training.tsv").open("a") as lines:
                lines.writelines(log)
            log.clear()

    schedule = Schedule(
        plan.steps, learning_rate=plan.learning_rate, matrix_rate=plan.matrix_rate, warmup=min(100, plan.steps),
        bfloat16=settled_half(folder, lambda: faster_in_bfloat16("cpu"), ("training.pt",)),
    )  # fmt: skip
    fit(
        learner, objective=objective, schedule=schedule, checkpoint=folder / "training.pt", run=repr(plan),
        inner=lambda name: name.startswith("eyes") and "embed" not in name and "linear_2" not in name,
        progress=progress, each=each,
    )  # fmt: skip
    learner.eyes.save(folder / "seeing.safetensors")
    return folder / "seeing.safetensors"
