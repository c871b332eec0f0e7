"""Milliseconds for a forward and backward pass of an edit: the whole model each time, against the unwritten lower layers once.

    OMP_NUM_THREADS=2 python -m bench.passes

Both sides run alternately in one process, on the shipped model; the ratio is what counts. "last layer" is what fine-tuning
writes, "last half" what `scopeedit:projector=false` writes; with the projector written too, every pass is a whole one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from bench._given import options
from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.model import Model
from errata.core.records import Edit
from errata.models import load
from errata.nn.patches import Delta, LowRank

PASSES = 10
"""Passes over one edit, as its inner steps."""


def main() -> None:
    given = options(__doc__, edits=20).parse_args()
    model, stream = load("llava-tiny"), ScopeWorldStream(seed=7, edits=given.edits)
    top = max(model.groups.values())
    for name, lowest in (("last layer", top), ("last half", (top + 1) // 2)):
        paths = tuple(path for path in model.writable["text"] if model.groups[path] >= lowest)
        before, after = [], []
        for index in range(len(stream)):
            edit = stream[index].edit
            before.append(_milliseconds(model, paths, lambda edit=edit: model.loss(edit.query, edit.target)))
            after.append(_milliseconds(model, paths, _held(model, edit, paths)))
        ratio = median(before) / median(after)
        print(f"{name}: whole passes {median(before):.1f} ms, lower part once {median(after):.1f} ms, ratio {ratio:.2f}")


def _held(model: Model, edit: Edit, paths: tuple[str, ...]) -> Callable[[], Tensor]:
    speak = model.speaking(edit.query, edit.target, changing=paths)
    return lambda: speak().loss


def _milliseconds(model: Model, paths: tuple[str, ...], loss_of: Callable[[], Tensor]) -> float:
    """The mean over `PASSES` passes, the first of them included."""
    deltas = {}
    for path in paths:
        out_features, in_features = model.module(path).weight.shape
        deltas[path] = Delta(torch.eye(8, in_features), torch.zeros(out_features, 8, requires_grad=True))
    started = time.perf_counter()
    for _ in range(PASSES):
        with LowRank(deltas).on(model):
            loss = loss_of()
        torch.autograd.grad(loss, [delta.b_OR for delta in deltas.values()])
    return 1000 * (time.perf_counter() - started) / PASSES


if __name__ == "__main__":
    main()
