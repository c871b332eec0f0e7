"""Muon: momentum whose every matrix is made nearly orthogonal before it is applied, so that rare directions keep up.

For a weight W with gradient G (Jordan et al., https://kellerjordan.github.io/posts/muon/; scaled as in arXiv 2502.16982):

    M <- mu M + (1 - mu) G                    momentum
    U  = NS5((1 - mu) G + mu M)               Nesterov's look ahead, then five Newton-Schulz steps: U U^T is nearly I
    W <- (1 - eta w) W - 0.2 eta sqrt(max(rows, columns)) U

0.2 sqrt(max(rows, columns)) makes the root mean square of an update that of AdamW, so both may share a learning rate.

torch.optim.Muon does its Newton-Schulz steps in bfloat16, one matrix after another, and a CPU without instructions for bfloat16
emulates them: see docs/how-to/train.md for the figures. Here they are done in the weights' own precision unless told otherwise,
matrices of one shape together. Suffixes: N matrices of R rows and C columns.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

_A, _B, _C = 3.4445, -4.7750, 2.0315
"""The quintic of the post above: it moves every singular value into (0.7, 1.2) within five steps."""


@final
class Muon(torch.optim.Optimizer):
    """For matrices inside a network; embeddings, heads and vectors belong to AdamW.

    Args:
        matrices: the weights, each of two dimensions.
        learning_rate: eta, on AdamW's scale.
        weight_decay: w, per unit of learning rate.
        momentum: mu, in [0, 1).
        bfloat16: do the Newton-Schulz steps in bfloat16.
    """

    def __init__(
        self,
        matrices: Iterable[Tensor],
        *,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.05,
        momentum: float = 0.95,
        bfloat16: bool = False,
    ) -> None:
        super().__init__(matrices, {"lr": learning_rate, "weight_decay": weight_decay, "momentum": momentum})
        assert all(p.ndim == 2 for group in self.param_groups for p in group["params"]), "Muon is for matrices"
        self._dtype = torch.bfloat16 if bfloat16 else None

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every matrix that has a gradient."""
        assert closure is None, "the loss is worked out before the step"
        for group in self.param_groups:
            eta, mu, decay = group["lr"], group["momentum"], group["weight_decay"]
            alike: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    alike[tuple(weight.shape)].append(weight)
            for shape, weights in alike.items():
                ahead = torch.stack([self._ahead(weight, mu) for weight in weights])
                moved = orthogonal(ahead.to(self._dtype or ahead.dtype)).to(ahead.dtype)
                scale = 0.2 * eta * math.sqrt(max(shape))
                for weight, update in zip(weights, moved, strict=True):
                    weight.mul_(1 - eta * decay).sub_(update, alpha=scale)

    def _ahead(self, weight: Tensor, mu: float) -> Tensor:
        """The momentum with this step's gradient in it, one step ahead."""
        gradient, state = weight.grad, self.state[weight]
        assert gradient is not None, "only weights with a gradient are moved"
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(gradient, 1 - mu)
        ahead: Tensor = gradient.lerp(state["momentum"], mu)
        return ahead


def orthogonal(matrices_NRC: Float[Tensor, "n r c"], *, steps: int = 5) -> Float[Tensor, "n r c"]:
    """For each matrix U S V^T nearly U V^T: Newton-Schulz steps push the singular values towards one."""
    wide = matrices_NRC if matrices_NRC.shape[1] <= matrices_NRC.shape[2] else matrices_NRC.mT
    x = wide / (wide.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    found: Tensor = x if wide is matrices_NRC else x.mT
    return found
