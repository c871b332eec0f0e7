"""What goes into chosen modules while a model runs, read by hooks that leave no trace of their own.

Shapes: P positions (of every image, for a module on the vision side), I the module's input width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from torch import nn

    from errata.core.model import Model

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


class _Enough(Exception):
    """Every module that is watched has run: the rest of the pass tells nothing."""


@contextmanager
def inputs_in_rows(
    model: Model, paths: Sequence[str], rows: int, *, graph: bool = False
) -> Iterator[dict[str, Float[Tensor, "N T I"]]]:
    """Record what the modules at `paths` see at every position of each row of one batch, and end the pass once all have run.

    The mapping is filled while the block runs; the block ends early, and no error leaves it, where every module has run. Each is to
    run at most once in the pass. The hooks are gone when the block ends, also by an error.

    Args:
        model: whose modules.
        paths: of `writable`.
        rows: of the batch.
        graph: keep the one that leads back to whatever patch is in force.
    """
    seen: dict[str, Float[Tensor, "N T I"]] = {}

    def recorder(path: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def record(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            # [N, T, I], or [N T, I] where a layer flattens its rows (OPT's do)
            x = args[0] if graph else args[0].detach()
            seen[path] = x.reshape(rows, -1, x.shape[-1])
            if len(seen) == len(paths):
                raise _Enough

        return record

    handles = [model.module(path).register_forward_pre_hook(recorder(path)) for path in paths]
    try:
        yield seen
    except _Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()


def _recorder(seen: dict[str, Float[Tensor, "P I"]], path: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def record(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        x_PI = args[0].detach().flatten(0, -2).float()
        earlier = seen.get(path)
        seen[path] = x_PI if earlier is None else torch.cat([earlier, x_PI])

    return record
