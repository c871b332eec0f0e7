"""Answers kept as keys with values, read by the nearest: an output moves where its module's input is near a key, and nowhere else.

With a lens L that maps an input x to a code c = L x / |L x|, keys k_j of unit length and values v_j, a linear module gives

    y = W x + v_j   at a position where slot j speaks,   y = W x   elsewhere.

A slot *starts* where its key is the nearest of all and <k_j, c> >= reach. A run of slots holds one answer, a slot for each of its
tokens: at the position after the one where a slot spoke the next of its run *follows*, if <k_j, c> >= follow, which may be much
less than reach. So an answer that was begun is ended. Where nothing speaks the output is the module's own, bit for bit.

GRACE's codebook (Hartvigsen et al., arXiv 2211.11031) reads by the nearest key within a Euclidean radius and puts the value in the
output's place; here nearness is the cosine in a metric of the caller's choice, the value is added, and an answer is a run.

Shapes: I the module's input width, O its output width, R the code's width, M slots, B rows, T positions, E slots that may start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, final

import torch
from torch import Tensor
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

SILENT = -1
"""In the place of a slot's number: none speaks."""


@final
@dataclass(frozen=True, eq=False)
class Codes:
    """What is added to a linear module's output. Two are the same only when they are one object."""

    lens_RI: Float[Tensor, "R I"]
    """Float32: inputs are scored in single precision, whatever the model's is."""

    keys_MR: Float[Tensor, "M R"]
    """Rows of unit length; those from `used` on are blank."""

    values_MO: Float[Tensor, "M O"]
    """It may require grad."""

    first_M: Bool[Tensor, " M"]
    """Where a run begins."""

    shut_M: Bool[Tensor, " M"]
    """Slots that don't start."""

    reach: float
    """The least cosine at which a slot starts, in [-1, 1]."""

    follow: float
    """The least cosine at which the next of its run goes on, in [-1, 1]."""

    used: int
    """Slots in use, from the first."""

    def __post_init__(self) -> None:
        room = len(self.keys_MR)
        rows = {len(self.values_MO), len(self.first_M), len(self.shut_M)}
        fits = self.keys_MR.shape[1] == len(self.lens_RI) and rows == {room} and room >= self.used
        assert fits, f"Keys {tuple(self.keys_MR.shape)} and values {tuple(self.values_MO.shape)} don't fit; {self.used} are in use."

    @property
    def shape(self) -> tuple[int, int]:
        """(O, I): what weight they are added beside."""
        return self.values_MO.shape[1], self.lens_RI.shape[1]

    def reader(self, like: Tensor) -> Reading:
        """A reading on the device of another tensor, values in its dtype."""
        device = like.device
        return Reading(
            replace(
                self,
                lens_RI=self.lens_RI.to(device),
                keys_MR=self.keys_MR.to(device),
                values_MO=self.values_MO.to(like),
                first_M=self.first_M.to(device),
                shut_M=self.shut_M.to(device),
            )
        )


@final
class Reading:
    """One reading of codes: what a module gives at position after position of the same rows.

    A call with several positions begins anew; one with a single position goes on after the call before: a cached generation.
    """

    def __init__(self, codes: Codes) -> None:
        self._codes = codes
        used = codes.used
        self._starts_E = (~codes.shut_M)[:used].nonzero()[:, 0]
        self._keys_ER = codes.keys_MR[self._starts_E]
        after_M = torch.arange(1, used + 1, device=codes.keys_MR.device)
        ends_M = torch.cat([codes.first_M[1:used], codes.first_M.new_ones(min(used, 1))])
        self._next_M = after_M.masked_fill(ends_M, SILENT)
        self._spoke_B: Int[Tensor, " B"] | None = None
        self._calls_BT: list[Int[Tensor, "B T"]] = []

    def moved(self, x_BTI: Float[Tensor, "B T I"], y_BTO: Float[Tensor, "B T O"]) -> Float[Tensor, "B T O"]:
        """The outputs y that the module gives to x, with the values of slots that speak added; [T, I] and [T, O] are one row."""
        if not self._codes.used:
            return y_BTO
        if x_BTI.ndim == 2:
            return self.moved(x_BTI[None], y_BTO[None])[0]
        slots_BT = self._speaking(coded(x_BTI, self._codes.lens_RI))
        self._spoke_B = slots_BT[:, -1]
        self._calls_BT.append(slots_BT)
        values_BTO = self._codes.values_MO[slots_BT.clamp(min=0)]
        return torch.where((slots_BT != SILENT)[..., None], y_BTO + values_BTO, y_BTO)

    @property
    def latest_BT(self) -> Int[Tensor, "B T"] | None:
        """Which slot spoke at each position of the last call, SILENT where none did; None where there was no call, or no slot."""
        return self._calls_BT[-1] if self._calls_BT else None

    def go_on(self, spoke_B: Int[Tensor, " B"]) -> None:
        """Take rows up where other readings of the same codes left them.

        Args:
            spoke_B: the slot that spoke last in each of this reading's rows, SILENT where none did.
        """
        self._spoke_B = spoke_B.to(self._next_M.device)

    def spoke(self, row: int, *, prompt: int, calls: int) -> set[int]:
        """The slots that spoke in one row of a generation.

        Args:
            row: which of this reading's rows.
            prompt: how many positions of the first call count, from its end: 1 where what a module gives at a position is felt at
                no other; a prompt's length where it is.
            calls: how many calls count: as many as tokens were chosen in this row, whatever a batch went on to.
        """
        first, *later = self._calls_BT[:calls] or [torch.empty(row + 1, 0)]
        return set(torch.cat([first[row, -prompt:], *(slots_BT[row] for slots_BT in later)]).tolist()) - {SILENT}

    def _speaking(self, codes_BTR: Float[Tensor, "B T R"]) -> Int[Tensor, "B T"]:
        """Which slot speaks at each position."""
        slots_BT = self._starting(codes_BTR)
        rows, positions = slots_BT.shape
        spoke_B = self._spoke_B
        if positions == 1 and spoke_B is not None and len(spoke_B) == rows:
            return self._following(spoke_B, slots_BT[:, 0], codes_BTR[:, 0])[:, None]
        begun = (slots_BT != SILENT).any(0).nonzero()[:, 0].tolist()
        for position in range(begun[0] + 1, positions) if begun else ():
            before_B = slots_BT[:, position - 1]
            slots_BT[:, position] = self._following(before_B, slots_BT[:, position], codes_BTR[:, position])
        return slots_BT

    def _starting(self, codes_BTR: Float[Tensor, "B T R"]) -> Int[Tensor, "B T"]:
        """The nearest slot within reach."""
        if not len(self._starts_E):
            return torch.full(codes_BTR.shape[:2], SILENT, device=codes_BTR.device)
        best_BT, which_BT = (codes_BTR @ self._keys_ER.T).max(-1)
        return self._starts_E[which_BT].masked_fill(best_BT < self._codes.reach, SILENT)

    def _following(
        self, before_B: Int[Tensor, " B"], start_B: Int[Tensor, " B"], codes_BR: Float[Tensor, "B R"]
    ) -> Int[Tensor, " B"]:
        """The slot after the one that spoke before, where it is near enough; else the one that would start here."""
        next_B = self._next_M[before_B.clamp(min=0)].masked_fill(before_B == SILENT, SILENT)
        cosines_B = (codes_BR * self._codes.keys_MR[next_B.clamp(min=0)]).sum(-1)
        return torch.where((next_B != SILENT) & (cosines_B >= self._codes.follow), next_B, start_B)


def coded(x: Float[Tensor, "... I"], lens_RI: Float[Tensor, "R I"]) -> Float[Tensor, "... R"]:
    """c: inputs as codes of unit length."""
    return normalize(x.float() @ lens_RI.T, dim=-1)


def lens(codes_NI: Float[Tensor, "N I"], rows_RI: Float[Tensor, "R I"], *, weight: float) -> Float[Tensor, "R I"]:
    """The metric in which ordinary inputs look like noise: rows of the root of (I + weight C)^-1, C their mean outer product over
    their mean squared norm.

    Directions that ordinary inputs use count less, those that they don't as they are. 0, or no inputs, gives the rows as they are.

    Args:
        codes_NI: ordinary inputs of the module.
        rows_RI: orthonormal rows: all of the space, or a part of it that keeps angles roughly.
    """
    if weight == 0:
        return rows_RI
    size = float(codes_NI.square().sum())
    if size == 0:
        return rows_RI
    inputs_NI = codes_NI.double()
    if codes_NI.shape[1] > _WIDE and len(codes_NI) < codes_NI.shape[1]:
        return _lens_of_few(inputs_NI, rows_RI.double(), weight / size)
    spread_II = torch.eye(codes_NI.shape[1], dtype=torch.float64, device=codes_NI.device) + weight / size * inputs_NI.T @ inputs_NI
    values_I, vectors_II = torch.linalg.eigh(spread_II)
    root_II = (vectors_II * values_I.rsqrt()) @ vectors_II.T
    found_RI: Tensor = (rows_RI.double() @ root_II).float().contiguous()
    return found_RI


_WIDE: Final = 1024
"""From this width on the root is taken in the space of the inputs, far fewer than directions: seconds instead of a minute.
Narrower modules keep the sums that logs began with, to the last bit."""


def _lens_of_few(inputs_NI: Float[Tensor, "N I"], rows_RI: Float[Tensor, "R I"], weight: float) -> Float[Tensor, "R I"]:
    """`lens` by the thin singular value decomposition: outside the span of the inputs the root is the identity."""
    _, sizes_N, directions_NI = torch.linalg.svd(inputs_NI, full_matrices=False)
    less_N = (1 + weight * sizes_N.square()).rsqrt() - 1
    found_RI: Tensor = rows_RI + (rows_RI @ directions_NI.T * less_N) @ directions_NI
    return found_RI.float().contiguous()
