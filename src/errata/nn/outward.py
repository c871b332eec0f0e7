"""An output-side factor: steps that keep out of the directions in which ordinary answers would move a module's output.

K-FAC (Martens and Grosse, arXiv 1503.05671) takes a layer's curvature for a product of two factors, one of its inputs and one of
the gradients at its outputs. ScopeEdit's preconditioner P is the first; this is the second,

    Q = (I + weight C)^-1,   C = mean over ordinary queries of  G G^T / |G|_F^2,

with G the gradient of a query's own answer, so that tr C = 1 and `weight` means the same in every module. C is kept as its largest
directions alone, found in one pass by a Nystrom sketch (Tropp et al., arXiv 1706.05736): memory grows with a module's width, not
with its square.

Shapes: O the module's output width, K directions that are kept, R the rank of a factor's gradient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from errata.nn.lowrank import orthonormal_rows

DIRECTIONS = 64
"""Directions that are kept at most."""


@final
@dataclass(frozen=True, eq=False)
class Outward:
    """Q = I - U diag(shares) U^T."""

    u_OK: Float[Tensor, "O K"]
    """Orthonormal columns."""

    shares_K: Float[Tensor, " K"]
    """How much of each direction a step leaves out: weight c / (1 + weight c), c the direction's share of C, in [0, 1)."""

    def of(self, step_OR: Float[Tensor, "O R"]) -> Float[Tensor, "O R"]:
        """Q times a step."""
        return step_OR - self.u_OK @ (self.shares_K[:, None] * (self.u_OK.T @ step_OR))


class Sketch:
    """C in the making: what the gradients of ordinary answers have in common."""

    def __init__(self, width: int, *, seed: int, name: str, device: torch.device) -> None:
        self._test_OK = orthonormal_rows(min(width, 2 * DIRECTIONS), width, seed=seed, name=f"outward {name}").T.double().to(device)
        self._image_OK = torch.zeros_like(self._test_OK)
        self._count = 0

    def add(self, gradient_OR: Float[Tensor, "O R"]) -> None:
        """One query's; one without any gradient, or whose gradient overflowed, says nothing."""
        g_OR = gradient_OR.double()
        size = float(g_OR.square().sum())
        if 0 < size < math.inf:
            self._image_OK += g_OR @ (g_OR.T @ self._test_OK) / size
            self._count += 1

    def factor(self, weight: float) -> Outward | None:
        """Q for a weight; None where nothing was added."""
        if not self._count:
            return None
        image_OK = self._image_OK / self._count
        values_K, vectors_KK = torch.linalg.eigh(self._test_OK.T @ image_OK)
        kept = values_K > 1e-9 * values_K[-1]  # what is smaller is rounding
        root_OK = image_OK @ (vectors_KK[:, kept] * values_K[kept].rsqrt())
        u_OK, sizes_K, _ = torch.linalg.svd(root_OK, full_matrices=False)
        shares_K = weight * sizes_K[:DIRECTIONS].square()
        return Outward(u_OK[:, :DIRECTIONS].float().contiguous(), (shares_K / (1 + shares_K)).float())
