"""A smaller LLaVA from one that knows ScopeWorld: without the decoder layers that it misses least, then taught on.

SERAC (Mitchell et al., arXiv 2206.06520) and MSCKE answer what is in scope with a counterfactual model, smaller than the base, that
is told the edit. Leaving out whole layers is known to cost little that training doesn't give back (Men et al., arXiv 2403.03853).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import torch
from torch import nn

from errata.core.errors import BadInput
from errata.core.progress import Progress
from errata.models.small.apprentices import cut_llava
from errata.models.small.training import Trainee, open_trainee
from errata.school.curriculum import Curriculum, lessons_of
from errata.school.packing import Batch, packed_parts
from errata.school.school import packed_loss, train_model

LAYERS, QUESTIONS, SCENES = 5, 900, 24
"""By default: layers that stay, steps, and pictures in a step."""

RATES = MappingProxyType({"learning_rate": 1e-3, "matrix_rate": 3e-3})
"""Peaks of the rates, as `Curriculum` names them: the weights are trained already."""

_WEIGHED_ON = 48
"""Pictures, with their lessons, on which layers are left out to see what is missed."""


def train_smaller(
    folder: Path, *, teacher: str | Path, layers: int, curriculum: Curriculum, progress: Progress, device: str = "cpu"
) -> None:
    """Cut, train and save a smaller LLaVA in `folder`; goes on from its checkpoint where there is one.

    Args:
        teacher: the LLaVA that it begins as: a shipped name, a checkpoint folder or a hub id.
        layers: how many of its decoder's layers stay, >= 1 and fewer than it has.
        curriculum: without warm-up and captions: the weights are trained already.

    Raises:
        BadInput: the teacher is no LLaVA or has no more layers than that, or the folder holds another model or run.
    """
    mark, begun = folder / "cut.txt", (folder / "processor_config.json").exists()  # the last file that is written
    wanted = f"{layers} layers of {teacher}\n"
    if begun and (not mark.exists() or mark.read_text(encoding="utf-8") != wanted):
        raise BadInput(f"The folder {folder} holds something else than {wanted.strip()}. Name another folder.")
    if not begun:
        theirs = open_trainee(teacher, device=device)
        if theirs.family != "llava":
            raise BadInput(f"{teacher} is a {theirs.family}; only a LLaVA can be cut down. Name one to --teacher.")
        if not 1 <= layers < len(theirs.layers):
            raise BadInput(
                f"{teacher} has {len(theirs.layers)} layers, so a smaller one has 1 to {len(theirs.layers) - 1}, not {layers}."
            )
        progress(f"choosing {layers} layers", 0, curriculum.steps)
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(wanted, encoding="utf-8")
        cut_llava(folder, teacher=teacher, layers=missed_most(theirs, layers, seed=curriculum.seed))
    train_model("llava", folder, curriculum=curriculum, progress=progress, device=device)


def missed_most(trainee: Trainee, count: int, *, seed: int = 0) -> tuple[int, ...]:
    """The places of a decoder's layers that stay when the others are left out one after another, each time the one without which
    lessons are answered best. The trainee stays as it is."""
    rows = lessons_of(0, Curriculum(looks=0, captions=0, scenes=_WEIGHED_ON, seed=seed))
    batches = [batch.to(trainee.device) for batch in packed_parts(trainee, rows)]
    all_layers = list(trainee.layers)
    stay = list(range(len(all_layers)))
    while len(stay) > count:
        losses = {out: _loss(trainee, batches, [all_layers[place] for place in stay if place != out]) for out in stay}
        stay.remove(min(losses, key=lambda out: losses[out]))
    _pass_through(trainee, all_layers)
    return tuple(stay)


@torch.no_grad()
def _loss(trainee: Trainee, batches: Sequence[Batch], layers: Sequence[nn.Module]) -> float:
    _pass_through(trainee, layers)
    return sum(float(packed_loss(trainee, batch)) * batch.lessons for batch in batches)


def _pass_through(trainee: Trainee, layers: Sequence[nn.Module]) -> None:
    del trainee.layers[:]
    trainee.layers.extend(layers)
