"""Frozen coordinates for writing: orthonormal rows, split in two branches whose writes can't meet.

A write B A into a weight goes through A, whose rows are fixed before the first edit. With orthonormal rows, cut into A_s (first)
and A_l (rest), A_s A_l^T = 0, so whatever B_s and B_l hold the two changes are orthogonal matrices:

    <B_l A_l, B_s A_s>_F = tr(B_l^T B_s A_s A_l^T) = 0,   |B A|_F^2 = |B_l|_F^2 + |B_s|_F^2.

The second line is why a branch's norm can be reported without forming the change. (ScopeEdit, arXiv 2607.01978.)

Shapes: R rank, I the module's input width, O its output width.
"""

from __future__ import annotations

import hashlib
import math

import torch
from jaxtyping import Float
from torch import Tensor


def orthonormal_rows(rank: int, width: int, *, seed: int, name: str) -> Float[Tensor, "R I"]:
    """`rank` orthonormal rows of length `width`, in float32 on the CPU, drawn from the seed and the name alone.

    Uniform over all such bases (the signs of R's diagonal are folded in), and the same on every machine whose QR is the same.
    The factorisation is done in float64, so the rows are orthonormal to float32's last bits.

    Raises:
        ValueError: the rank is above the width.
    """
    if rank > width:
        raise ValueError(f"{rank} orthonormal rows don't fit in {width} dimensions; ask for at most {width}.")
    draw = torch.Generator().manual_seed(_mix(seed, name))
    columns_IR, upper_RR = torch.linalg.qr(torch.randn(width, rank, generator=draw, dtype=torch.float64))
    rows_RI: Tensor = (columns_IR * upper_RR.diagonal().sign()).T
    return rows_RI.to(torch.float32).contiguous()


def xavier_rows(rank: int, width: int, *, seed: int, name: str) -> Float[Tensor, "R I"]:
    """`rank` rows of length `width`, uniform in +-sqrt(6 / (rank + width)) (Glorot and Bengio 2010), settled like the ones above.

    They are nowhere near orthonormal: for a basis that isn't cut into branches.
    """
    draw = torch.Generator().manual_seed(_mix(seed, name))
    bound = math.sqrt(6 / (rank + width))
    rows_RI: Tensor = (torch.rand(rank, width, generator=draw, dtype=torch.float64) * 2 - 1) * bound
    return rows_RI.to(torch.float32).contiguous()


def xavier_normal_rows(rank: int, width: int, *, seed: int, name: str) -> Float[Tensor, "R I"]:
    """`rank` rows of length `width`, normal of variance 2 / (rank + width), which is that of `xavier_rows`."""
    draw = torch.Generator().manual_seed(_mix(seed, name))
    rows_RI: Tensor = torch.randn(rank, width, generator=draw, dtype=torch.float64) * math.sqrt(2 / (rank + width))
    return rows_RI.to(torch.float32).contiguous()


def _mix(seed: int, name: str) -> int:
    """One generator seed for one module, so that a module's basis doesn't depend on which others are written."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") >> 1
