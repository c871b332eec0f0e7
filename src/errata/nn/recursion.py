"""A preconditioner that remembers keys: the inverse of (I + sum of z z^T / lambda), kept current one key at a time.

A write to a linear module's factor B moves the module's output for an input with code z by dB z. Let z_1 .. z_t be the codes of
what must not move. The step that follows a gradient G and pays 1 / (2 eta lambda) per unit of squared movement at each of them,

    dB = argmin_D  <G, D> + 1/(2 eta) ( |D|_F^2 + 1/lambda sum_i |D z_i|^2 ),

is dB = -eta G P with P = (I + 1/lambda sum_i z_i z_i^T)^-1: set the derivative G + 1/eta D P^-1 to zero. By the Sherman-Morrison
identity one more key changes P by a rank-one term, so a key costs O(R^2) however many came before:

    P' = P - (P z)(P z)^T / (lambda + z^T P z).

lambda -> 0 leaves the projector onto what no key touches; lambda -> infinity leaves P alone and the step is plain gradient descent.
The recursion is ScopeEdit's and M-ORE's (arXiv 2607.01978, 2605.20273); the same one carries recursive least squares.

Shapes: R is the rank (the width of a code), K the number of keys.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def untouched(rank: int, *, device: torch.device) -> Float[Tensor, "R R"]:
    """P before any key: the identity, in float32."""
    return torch.eye(rank, device=device, dtype=torch.float32)


def started(codes_NR: Float[Tensor, "N R"], *, weight: float) -> Float[Tensor, "R R"]:
    """P that knows N ordinary codes from the start: (I + weight C)^-1, C their mean outer product over their mean squared norm.

    So tr C = 1, and `weight` means the same for codes of any size. 0 gives `untouched`; towards infinity, with fewer codes than R,
    this is the projector onto what none of them touches (AlphaEdit's null space, in these coordinates).
    """
    rank = codes_NR.shape[1]
    size = float(codes_NR.square().sum())
    p_RR = untouched(rank, device=codes_NR.device)
    if not (weight and size):
        return p_RR
    inverse_RR: Tensor = torch.linalg.inv(p_RR + weight / size * codes_NR.T.float() @ codes_NR.float())
    return ((inverse_RR + inverse_RR.T) / 2).contiguous()  # as it is read back: products of another layout round otherwise


def after(p_RR: Float[Tensor, "R R"], keys_KR: Float[Tensor, "K R"], *, lam: float) -> Float[Tensor, "R R"]:
    """P once the keys are remembered; `p_RR` itself stays as it is. The order of the keys doesn't matter, up to rounding.

    Args:
        p_RR: symmetric positive definite, and left so: the term that is taken away is symmetric to the bit.
        keys_KR: codes in the units that lambda is meant for. A zero key changes nothing.
        lam: the weight of the prior against one key, lambda > 0.
    """
    for key_R in keys_KR.to(p_RR.dtype):
        moved_R = p_RR @ key_R
        p_RR = p_RR - torch.outer(moved_R, moved_R) / (lam + key_R @ moved_R)
    return p_RR


def plasticity(p_RR: Float[Tensor, "R R"]) -> float:
    """tr(P) / R in (0, 1]: how much of the space is still free to write in; 1 before any key, and for a branch of rank zero."""
    rank = p_RR.shape[0]
    return float(p_RR.diagonal().sum()) / rank if rank else 1.0


def log_determinant(p_RR: Float[Tensor, "R R"]) -> float:
    """ln det P <= 0: how much smaller the volume is that a step can still reach, in nats; 0 for the identity.

    NaN where P is no longer positive definite.

    By the determinant lemma each key takes off ln(1 + z^T P z / lambda), what it tells that no earlier key told. Costs O(R^3).
    """
    if not p_RR.shape[0]:
        return 0.0
    found = torch.linalg.slogdet(p_RR.double())
    return float(found.logabsdet) if found.sign > 0 else math.nan
