"""How like two vectors are, as the log of rho and of 1 - rho: both, because either underflows where a pair is clear.

    distance    rho = exp(-||a - b||^2)                      SERAC's, and MSCKE's released code's
    cosine      rho = (1 + cos(a, b)) / 2                    the equation leaves Sim open; this maps it onto [0, 1], no parameter
    learned     rho = sigmoid(MLP([a * b, |a - b|]))

Trained with binary cross-entropy (MSCKE, section 3): -log rho in scope, -log(1 - rho) out of it.

Shapes: N pairs, Z width of a vector.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, logsigmoid, normalize

from errata.core.errors import BadInput, quoted

Similarity = Literal["distance", "cosine", "learned"]

_LEAST = 1e-6
"""The smallest rho, and 1 - rho, that a logarithm is taken of: a pair that is exactly alike costs something finite if it is out."""


class Logs(NamedTuple):
    """log rho and log(1 - rho) of each pair."""

    inside_N: Float[Tensor, "N"]
    outside_N: Float[Tensor, "N"]

    @property
    def rho_N(self) -> Float[Tensor, "N"]:
        return self.inside_N.exp()

    def cross_entropy(self, inside_N: Bool[Tensor, "N"]) -> Float[Tensor, ""]:
        """The mean, in nats."""
        return -torch.where(inside_N, self.inside_N, self.outside_N).mean()


class Alike(nn.Module):
    """One of the three, with what it learns.

    Args:
        kind: which.
        width: Z.

    Raises:
        BadInput: another kind.
    """

    def __init__(self, kind: Similarity, width: int) -> None:
        super().__init__()
        if kind not in get_args(Similarity):
            raise BadInput(f"A scope's similarity is one of {', '.join(get_args(Similarity))}, not {quoted(kind)}.")
        self.kind = kind
        self.judge = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, 1)) if kind == "learned" else None

    def forward(self, a_NZ: Float[Tensor, "N Z"], b_NZ: Float[Tensor, "N Z"]) -> Logs:
        if self.kind == "distance":
            squared_N = (a_NZ - b_NZ).square().sum(-1)
            return Logs(-squared_N, torch.log(-torch.expm1(-squared_N.clamp(min=_LEAST))))
        if self.kind == "cosine":
            rho_N = ((1 + cosine_similarity(a_NZ, b_NZ, dim=-1)) / 2).clamp(_LEAST, 1 - _LEAST)
            return Logs(rho_N.log(), (1 - rho_N).log())
        assert self.judge is not None, "a learned similarity has its judge"
        logit_N = self.judge(torch.cat([a_NZ * b_NZ, (a_NZ - b_NZ).abs()], dim=-1))[..., 0]
        return Logs(logsigmoid(logit_N), logsigmoid(-logit_N))

    def near(self, a_NZ: Float[Tensor, "N Z"]) -> Float[Tensor, "N Z"] | None:
        """Vectors of which the nearest by Euclid are the most alike; None for what is learned, which need not go by nearness."""
        if self.kind == "learned":
            return None
        return a_NZ if self.kind == "distance" else normalize(a_NZ, dim=-1)
