"""ODEdit's objective (arXiv 2601.19700): three risks of an edit, and a penalty on how much they differ between environments.

The paper's code isn't public, so its form is put together here from its abstract and from what it builds on; lines marked *ours*
are choices that no source settles. An environment e is a way of asking: the edit's own query (in), its other wordings and views
(equivalent), a query that the edit doesn't concern (out). With p_t the edited model's distribution at the K positions that predict
an answer y_e and its end (for "out", the unedited model's own answer), p_0 the unedited model's:

    R_e   = -(1/K) sum_t log p_t(y_t)                             negative log-likelihood
    R_rel = the mean of R_e over in and equivalent                (ours: the paper has "in" alone; what comes without ODEdit
                                                                  learns every view that the user gave, so this one does too)
    R_loc = the mean over out of (1/K) sum_t KL(p_t || p_0,t)
    R_gen = MMD^2({x_in}, {x_e : e equivalent}),  x_e = the K distributions, one after the other, over sqrt(K)   (x is ours)
          = k(x_in, x_in) + mean_e,e' k(x_e, x_e') - 2 mean_e k(x_in, x_e)
    k(x, x') = the mean over q of exp(-|x - x'|^2 / (2 s_q^2)),  s_q^2 in 1/8, 1/4, 1/2, 1, 2   (ours: |x - x'|^2 is at most 2)

**The penalty.** Invariant risk minimisation (Arjovsky et al., arXiv 1907.02893) asks that one and the same last layer w be optimal
in every environment, and writes it as the slope of R_e at w = 1 when the logits z are scaled to w z. Lai and Wang (arXiv
2405.01389) read the sum of squared slopes as a total variation and replace it by its edge-preserving form, (E_e |d R_e / dw|)^2.
For a softmax the slope has a closed form, and no second derivative is needed:

    d/dw [ -w z_y + log sum_v exp(w z_v) ] at w = 1  =  -z_y + sum_v p_v z_v  =  -log p_y - H(p),

since z differs from log p by a constant, which falls out. So an environment's slope is by how far its loss is from the entropy:
zero where the model is as sure as it is right. E_e is the mean over every environment, in, equivalent and out (ours).

**The trajectory.** A write takes several steps, and the penalty is taken at each, so that the path is invariant and not only its
end; a trained editor's path is its training. Its weight lambda isn't fixed: a small network of the current risks gives it, moved
against the editor (OOD-TV-IRM: Wang, Lai and Zhong, arXiv 2502.19665),

    min over the editor, max over Psi of  R_rel + a R_loc + b R_gen + lambda_Psi(R_rel, R_loc, R_gen, V) V,  V = (E_e |d R_e/dw|)^2

by a primal-dual step: the editor goes down with lambda as it stands, then Psi goes up. Lambda stays within ten times its first
value (ours: without a bound the inner maximum has none).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, final

import torch
from torch import Tensor, nn

from errata.core.model import Spoken
from errata.editors._objective import mean_nats
from errata.editors._ranges import at_least

if TYPE_CHECKING:
    from jaxtyping import Float

_SQUARED_WIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0)
"""s_q^2 of the kernel."""

_ROOM = 10.0
"""Lambda's bound, as a multiple of its first value."""


@final
@dataclass(frozen=True)
class Weights:
    """What each part of the objective counts beside R_rel; 0 takes a part out."""

    locality: float
    """a >= 0."""

    generality: float
    """b >= 0."""

    invariance: float = 0.1
    """Lambda before its first move, >= 0; 0: no penalty at all."""

    dual_rate: float = 0.1
    """Step size of Psi's ascent, >= 0; 0: lambda stays."""

    def check(self, whose: str) -> None:
        """Refuse what can't be.

        Raises:
            BadInput: one is below 0.
        """
        at_least(whose, 0, **vars(self))


class Terms(NamedTuple):
    """The parts, each with a graph to what spoke."""

    reliability: Float[Tensor, ""]
    locality: Float[Tensor, ""]
    generality: Float[Tensor, ""]
    variation: Float[Tensor, ""]


def terms(inside: Sequence[Spoken], outside: Sequence[Spoken], before: Sequence[Spoken]) -> Terms:
    """The three risks and the variation.

    Args:
        inside: what the edited model gives to the target, asked in the edit's own way first.
        outside: what it gives to the unedited answers of queries that the edit doesn't concern.
        before: what the unedited model gives to the same.
    """
    zero = inside[0].logs_KV.new_zeros(())
    moved = [divergence(now, was) for now, was in zip(outside, before, strict=True)]
    slopes = torch.stack([slope(each).abs() for each in (*inside, *outside)])
    return Terms(
        mean_nats(inside),
        torch.stack(moved).mean() if moved else zero,
        mmd(inside[0], inside[1:]) if len(inside) > 1 else zero,
        slopes.mean() ** 2,
    )


def slope(spoken: Spoken) -> Float[Tensor, ""]:
    """d R_e / dw at w = 1: the loss less the entropy, in nats per token."""
    logs_KV = spoken.logs_KV
    return spoken.loss + (logs_KV.exp() * logs_KV).sum(-1).mean()


def mmd(one: Spoken, others: Sequence[Spoken]) -> Float[Tensor, ""]:
    """The squared maximum mean discrepancy of one answer's distributions from those of some others, of the same target."""
    x_ED = torch.stack([each.logs_KV.exp().flatten() / len(each.wanted) ** 0.5 for each in (one, *others)])
    apart_EE = (x_ED[:, None] - x_ED[None, :]).square().sum(-1)
    kernel_EE = torch.stack([(-apart_EE / (2 * squared)).exp() for squared in _SQUARED_WIDTHS]).mean(0)
    return kernel_EE[0, 0] + kernel_EE[1:, 1:].mean() - 2 * kernel_EE[0, 1:].mean()


def divergence(one: Spoken, other: Spoken) -> Float[Tensor, ""]:
    """KL(one || other) in nats, the mean over the tokens."""
    return (one.logs_KV.exp() * (one.logs_KV - other.logs_KV)).sum(-1).mean()


@final
class Dual(nn.Module):
    """Psi: two layers that give lambda in (0, ten times its first value), which it is whatever the risks are before any step.

    Args:
        first: lambda before any step, > 0.
        seed: draws the first layer.
    """

    def __init__(self, first: float, *, seed: int, hidden: int = 8) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.bound = _ROOM * first
        self.inner_H4 = nn.Parameter(0.5 * torch.randn(hidden, len(Terms._fields), generator=generator))
        self.outer_H = nn.Parameter(torch.zeros(hidden))
        self.bias = nn.Parameter(torch.tensor(1 / _ROOM).logit())

    def forward(self, found: Terms) -> Float[Tensor, ""]:
        """Lambda, with a graph to Psi alone."""
        risks_4 = torch.stack([each.detach().float() for each in found]).log1p()
        weight: Tensor = self.bound * torch.sigmoid((self.inner_H4 @ risks_4).tanh() @ self.outer_H + self.bias)
        return weight


def total(found: Terms, weights: Weights, weight: Float[Tensor, ""] | None) -> Float[Tensor, ""]:
    """The objective, with lambda as it stands; None: no penalty."""
    risk = found.reliability + weights.locality * found.locality + weights.generality * found.generality
    return risk if weight is None else risk + weight.detach() * found.variation


def ascend(dual: Dual, found: Terms, *, rate: float) -> None:
    """One step of Psi up lambda's share of the objective."""
    gain = dual(found) * found.variation.detach()
    for parameter, gradient in zip(dual.parameters(), torch.autograd.grad(gain, list(dual.parameters())), strict=True):
        parameter.data += rate * gradient
