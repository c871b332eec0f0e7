"""What goes into chosen modules while a model runs, read by hooks that leave no trace of their own.

Shapes: P positions (of every image, for a module on the vision side), I the module's input width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import torch
from jaxtyping import Float
from torch import Tensor

from errata.core.errors import BadInput

if TYPE_CHECKING:
    from torch import nn

    from errata.core.model import Model
    from errata.core.records import Query

Inputs = Mapping[str, Float[Tensor, "P I"]]
"""Path -> the module's input at each position, detached, in float32. A module that didn't run isn't in it."""


@contextmanager
def inputs_of(model: Model, paths: Sequence[str]) -> Iterator[Inputs]:
    """Record the inputs of the modules at `paths` for one pass of one query (a batch of one row).

    The mapping is filled while the block runs. Leading dimensions are flattened, so [1, T, I] and [T, I] (OPT's layers) read the
    same; a module that runs more than once has its positions one run after the other. The hooks are gone when the block ends, also
    by an error.
    """
    seen: dict[str, Float[Tensor, "P I"]] = {}
    handles = [model.module(path).register_forward_pre_hook(_recorder(seen, path)) for path in paths]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def beginnings_of(model: Model, paths: Sequence[str], queries: Sequence[Query]) -> Mapping[str, Float[Tensor, "N I"]]:
    """Path -> the module's inputs at the position where the answer to each query begins, in float32.

    A query is its own target here, since what an input holds doesn't depend on what follows. Those whose words don't come back from
    their tokens as they went in are left out: not every vocabulary is so neat.
    """
    found: dict[str, list[Tensor]] = {path: [] for path in paths}
    for query in queries:
        try:
            with torch.no_grad(), inputs_of(model, paths) as inputs:
                model.loss(query, query.text)
        except BadInput:
            continue
        first = model.positions(query, query.text).predicting[0]
        for path in paths:
            found[path].append(inputs[path][first])
    return {path: torch.stack(rows) if rows else _none(model, path) for path, rows in found.items()}


def _none(model: Model, path: str) -> Float[Tensor, "0 I"]:
    weight = cast("nn.Linear", model.module(path)).weight
    return weight.new_zeros(0, weight.shape[1], dtype=torch.float32)


def _recorder(seen: dict[str, Float[Tensor, "P I"]], path: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def record(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        x_PI = args[0].detach().flatten(0, -2).float()
        earlier = seen.get(path)
        seen[path] = x_PI if earlier is None else torch.cat([earlier, x_PI])

    return record
