"""The gradient of a linear module's weight as the factors it comes in, one pair for each position, never multiplied out.

For y_t = W u_t, dL/dW = sum_t delta_t u_t^T with delta_t = dL/dy_t: a matrix of rank T at most, known from T (I + O) numbers where
the matrix itself has I O. (Mitchell et al., arXiv 2110.11309, section 3.1.)

Shapes: T positions, I in-features, O out-features.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from errata.nn.patches import Delta

if TYPE_CHECKING:
    from errata.core.model import Model


@final
@dataclass(frozen=True, eq=False)
class Factors:
    """sum_t delta_t u_t^T, in float32."""

    u_TI: Float[Tensor, "T I"]
    delta_TO: Float[Tensor, "T O"]

    def scaled(self, share: float) -> Factors:
        """The factors of `share` times the gradient."""
        return Factors(self.u_TI, share * self.delta_TO)

    def step(self, rate: float | Float[Tensor, ""]) -> Delta:
        """What a step of `rate` against this gradient adds to the module: of the rank that the factors have."""
        return Delta(self.u_TI, -rate * self.delta_TO.T)


class Found(NamedTuple):
    """One pass."""

    loss_nats: float
    factors: Mapping[str, Factors]
    """Path -> factors. A module that didn't run, or to which no gradient came, isn't in it."""


def factors_of(model: Model, paths: Sequence[str], loss_of: Callable[[], Float[Tensor, ""]]) -> Found:
    """The factors at the modules of `paths`, of the loss that `loss_of` works out on this model under whatever patch is in force.

    Positions to which no gradient comes are left out. Nothing is left at the modules, also when the block raises.
    """
    with torch.enable_grad(), _recorded(model, paths) as passes:
        loss = loss_of()
    places = [(path, u, y) for path, seen in passes.items() for u, y in seen]
    gradients = torch.autograd.grad(loss, [y for _, _, y in places], allow_unused=True) if places else ()
    found: dict[str, list[Factors]] = defaultdict(list)
    for (path, u, _), gradient in zip(places, gradients, strict=True):
        if gradient is not None:
            found[path].append(_nonzero(u.flatten(0, -2).float(), gradient.flatten(0, -2).float()))
    joined = {path: joint(each) for path, each in found.items()}
    return Found(float(loss.detach()), {path: each for path, each in joined.items() if len(each.u_TI)})


def joint(several: Sequence[Factors]) -> Factors:
    """The factors of the sum of some gradients of one module."""
    return Factors(torch.cat([each.u_TI for each in several]), torch.cat([each.delta_TO for each in several]))


def added(one: Delta, other: Delta) -> Delta:
    """Both together, multiplied out: of rank min(I, O), so that a sum of many takes no more room than a sum of two."""
    sum_OI = one.b_OR @ one.a_RI + other.b_OR @ other.a_RI
    out_features, in_features = sum_OI.shape
    if in_features <= out_features:
        return Delta(torch.eye(in_features, device=sum_OI.device), sum_OI)
    return Delta(sum_OI, torch.eye(out_features, device=sum_OI.device))


def norm(delta: Delta) -> float:
    """|b a|_F without forming b a: its square is <b^T b, a a^T>."""
    gram = (delta.b_OR.T @ delta.b_OR) * (delta.a_RI @ delta.a_RI.T)
    return float(gram.sum().clamp(min=0).sqrt())


def _nonzero(u_TI: Float[Tensor, "T I"], delta_TO: Float[Tensor, "T O"]) -> Factors:
    kept_T = (u_TI != 0).any(-1) & (delta_TO != 0).any(-1)
    return Factors(u_TI[kept_T], delta_TO[kept_T])


_Passes = Mapping[str, list[tuple[Tensor, Tensor]]]
"""Path -> (input, output) of each time that the module ran."""


@contextmanager
def _recorded(model: Model, paths: Sequence[str]) -> Iterator[_Passes]:
    passes: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)

    def recorder(path: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def record(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            if not output.requires_grad:  # the lowest module: no weight wants a gradient, so the graph begins here
                output.requires_grad_()
            passes[path].append((args[0].detach(), output))

        return record

    handles = [model.module(path).register_forward_hook(recorder(path)) for path in paths]
    try:
        yield passes
    finally:
        for handle in handles:
            handle.remove()
