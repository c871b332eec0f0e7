"""Which keys a code may be near to: ruled out by products of eight-bit numbers, so that few are worked out in full.

A code c and a key k of unit length are rounded to whole multiples of a step, c = s a + d and k = t b + e, with a and b in
[-63, 63]. By Cauchy and Schwarz

    <c, k>  <=  s t <a, b> + |d| + (1 + |d|) |e|,   |d| <= s sqrt(R) / 2,   |e| <= t sqrt(R) / 2,

so that a key for which the right side is below the reach isn't near, whatever was rounded away. What remains the caller works out
in single precision: nothing that is near is missed, and nothing else is let through. On a CPU the products of bytes read a quarter
of the memory, and processors have instructions for them; elsewhere the cosines themselves are worked out.

Shapes: N rows, R the code's width, M slots, K pairs of a row and a slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import torch

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

_MOST: Final = 63
"""Half of what a byte holds: processors without instructions for bytes add pairs of products in 16 bits, which larger ones overflow
(oneDNN's developer guide, "Nuances of int8 computations")."""

_FEW: Final = 1024
"""Keys up to which the cosines themselves are as quickly had."""

_SLACK: Final = 1e-4
"""For what the bound itself loses in single precision."""


@final
class Near:
    """Keys of unit length in a fixed buffer, with their bytes beside them.

    Args:
        keys_MR: the buffer; whoever changes it says so by `changed`.
    """

    def __init__(self, keys_MR: Float[Tensor, "M R"]) -> None:
        self._keys_MR = keys_MR
        in_bytes = keys_MR.device.type == "cpu" and keys_MR.shape[1] > 1  # torch 2.13 gets products of single numbers wrong
        self._bytes_MR = torch.zeros_like(keys_MR, dtype=torch.int8) if in_bytes else None
        self._step = 0.0
        self._used = 0

    def changed(self, slots_K: Int[Tensor, " K"], used: int) -> None:
        """Keys were written.

        Args:
            slots_K: which.
            used: slots from the first on that are looked at.
        """
        self._used = used
        if self._bytes_MR is None or not len(slots_K):
            return
        step = float(self._keys_MR[slots_K].abs().max()) / _MOST
        if step > self._step:  # one step for all, as large as the largest number needs
            self._step, slots_K = step, torch.arange(used)
        if self._step:
            self._bytes_MR[slots_K] = (self._keys_MR[slots_K] / self._step).round_().to(torch.int8)

    def pairs(self, codes_NR: Float[Tensor, "N R"], reach: float) -> tuple[Int[Tensor, " K"], Int[Tensor, " K"]] | None:
        """Rows and slots whose cosine may be `reach` or more, by rows, with every pair for which it is; None: there is none."""
        used = self._used
        if self._bytes_MR is None or used < _FEW:
            cosines_NM = (self._keys_MR[:used] @ codes_NR.T).T
            near_NM = cosines_NM >= reach - _SLACK
            return _two(near_NM) if bool(near_NM.any()) else None
        step = max(float(codes_NR.abs().max()), 1e-12) / _MOST
        half = codes_NR.shape[1] ** 0.5 / 2
        lost = step * half + (1 + step * half) * self._step * half
        least = (reach - _SLACK - lost) / (step * self._step)
        bytes_NR = (codes_NR / step).round_().to(torch.int8)
        products_NM = torch._int_mm(bytes_NR, self._bytes_MR[:used].T)  # no public name; int8 matrices, int32 sums
        return _two(products_NM >= least) if int(products_NM.max()) >= least else None


def _two(near_NM: Tensor) -> tuple[Tensor, Tensor]:
    rows_K, slots_K = near_NM.nonzero(as_tuple=True)
    return rows_K, slots_K
