"""The network that turns a raw gradient into an edit: MEND's (Mitchell et al., arXiv 2110.11309, section 3.2, equation 3).

One network g serves every module of one shape. A position's factors are brought to mean 0 and variance 1 by running statistics,
stand side by side as z = (u, delta), and pass two layers whose matrices are low-rank, which start as the identity:

    h = z + max(0, s1_l * (U1 V1 z + b1) + o1_l),     g(z) = h + max(0, s2_l * (U2 V2 h + b2) + o2_l),

with a scale s_l and a shift o_l of their own for each module l of that shape. The two halves of g(z) are the new factors, and
W_l <- W_l - alpha_l sum_t delta~_t u~_t^T with a learned edit rate alpha_l. D = I + O, R the rank, M modules of the shape:

    parameters = 2 (2 D R + D + 2 M D) for each shape, and one edit rate for each module.

Ours: V starts at the size that keeps z's (published: entries of variance 1, which ties the learning rate to the width); alpha is
learned as its logarithm, so that one learning rate serves it and the matrices; the statistics take a pass's positions in at once
(Chan, Golub and LeVeque 1979), where the published code takes them in one by one, to the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from errata.nn.factors import Factors
from errata.nn.patches import Delta

Shape = tuple[int, int]
"""(in-features, out-features)."""

_EPSILON = 1e-7
"""Added to a standard deviation before it divides, as published."""

_RATE_STEP = 10.0
"""How much faster an edit rate's logarithm moves than other parameters."""


@final
class Statistics(nn.Module):
    """The running mean and variance of vectors; until there are two, they pass as they are."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.count: Tensor
        self.mean_D: Tensor
        self.squares_D: Tensor
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean_D", torch.zeros(width))
        self.register_buffer("squares_D", torch.zeros(width))

    def take(self, x_TD: Float[Tensor, "T D"]) -> None:
        """Take some vectors in."""
        x_TD = x_TD.detach()
        n, count = len(x_TD), float(self.count)
        mean_D = x_TD.mean(0)
        apart_D = mean_D - self.mean_D
        self.squares_D += ((x_TD - mean_D) ** 2).sum(0) + apart_D**2 * (count * n / (count + n))
        self.mean_D += apart_D * (n / (count + n))
        self.count += n

    def forward(self, x_TD: Float[Tensor, "T D"]) -> Float[Tensor, "T D"]:
        """(x - mean) / (standard deviation + 1e-7)."""
        count = float(self.count)
        if count < 2:
            return x_TD
        return (x_TD - self.mean_D) / ((self.squares_D / (count - 1)).sqrt() + _EPSILON)


@final
class Layer(nn.Module):
    """x + max(0, s_m * (U V x + b) + o_m); it starts as the identity, U and b and o at zero, s at one."""

    def __init__(self, width: int, *, rank: int, modules: int, generator: torch.Generator) -> None:
        super().__init__()
        self.u_DR = nn.Parameter(torch.zeros(width, rank))
        self.v_RD = nn.Parameter(torch.randn(rank, width, generator=generator) * width**-0.5)
        self.bias_D = nn.Parameter(torch.zeros(width))
        self.scale_MD = nn.Parameter(torch.ones(modules, width))
        self.shift_MD = nn.Parameter(torch.zeros(modules, width))

    def forward(self, x_TD: Float[Tensor, "T D"], module: int) -> Float[Tensor, "T D"]:
        inside_TD = x_TD @ self.v_RD.T @ self.u_DR.T + self.bias_D
        # A clamp, not a relu: its slope at 0, where everything starts, is 1, so that there is something to learn from.
        return x_TD + (self.scale_MD[module] * inside_TD + self.shift_MD[module]).clamp(min=0)


@final
class Transform(nn.Module):
    """g, for the modules of one shape."""

    def __init__(self, shape: Shape, *, rank: int, modules: int, generator: torch.Generator) -> None:
        super().__init__()
        self.shape = shape
        self.seen_u, self.seen_delta = Statistics(shape[0]), Statistics(shape[1])
        self.first = Layer(sum(shape), rank=rank, modules=modules, generator=generator)
        self.second = Layer(sum(shape), rank=rank, modules=modules, generator=generator)

    def forward(self, raw: Factors, module: int) -> Factors:
        """The new factors. In training mode the statistics take the raw ones in first, as published."""
        if self.training:
            self.seen_u.take(raw.u_TI)
            self.seen_delta.take(raw.delta_TO)
        z_TD = torch.cat([self.seen_u(raw.u_TI), self.seen_delta(raw.delta_TO)], dim=1)
        u_TI, delta_TO = self.second(self.first(z_TD, module), module).split(list(self.shape), dim=1)
        return Factors(u_TI, delta_TO)


@final
class Hypernetwork(nn.Module):
    """A `Transform` for each shape and an edit rate for each module.

    Args:
        shapes: module path -> (in-features, out-features), in the order in which they are written.
        rank: R at most; a shape narrower than that gets D.
        edit_rate: alpha at the start, > 0.
        seed: draws V.
    """

    def __init__(self, shapes: Mapping[str, Shape], *, rank: int, edit_rate: float, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.paths = tuple(shapes)
        alike: dict[Shape, list[str]] = {}
        for path, shape in shapes.items():
            alike.setdefault(shape, []).append(path)
        self._place = {path: (_name(shape), i) for shape, paths in alike.items() for i, path in enumerate(paths)}
        self.transforms = nn.ModuleDict(
            {
                _name(shape): Transform(shape, rank=min(rank, sum(shape)), modules=len(paths), generator=generator)
                for shape, paths in alike.items()
            }
        )
        self.log_rates = nn.Parameter(torch.full((len(shapes),), math.log(edit_rate) / _RATE_STEP))

    def forward(self, raw: Mapping[str, Factors]) -> dict[str, Delta]:
        """The low-rank write at each module that a gradient came to."""
        return {path: self.transformed(path, each).step(self.rate(path)) for path, each in raw.items()}

    def transformed(self, path: str, raw: Factors) -> Factors:
        """The new factors of the module at `path`, before its edit rate."""
        name, place = self._place[path]
        transform = cast(Transform, self.transforms[name])
        return transform.forward(raw, place)

    def rate(self, path: str) -> Float[Tensor, ""]:
        """alpha of the module at `path`."""
        return (_RATE_STEP * self.log_rates[self.paths.index(path)]).exp()


def _name(shape: Shape) -> str:
    return f"{shape[0]}x{shape[1]}"
