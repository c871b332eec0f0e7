"""What the scopes over a model's own states have in common: states in deviations from their mean, projected, and the sorts.

Shapes: M any, N rows, P depths, I width of the modules, R of a projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from errata.core.benchmark import Pair
from errata.core.editor import Sort
from errata.core.errors import BadInput
from errata.core.model import States

if TYPE_CHECKING:
    from jaxtyping import Float, Int

SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
APART: Final = SORTS.index("apart")
FAR: Final = -1e4

_CLIP: Final = 5.0
"""Standardised states beyond so many deviations are cut: a few directions of a language model are very large."""

_NAMES: Final = ("asked", "begins")


class Standard(nn.Module):
    """Reads states: the statistics of what is read, and a projection for each depth."""

    def __init__(self, depths: int, inputs: int, width: int) -> None:
        super().__init__()
        for name in _NAMES:
            self.register_buffer(f"mean_{name}", torch.zeros(depths, inputs))
            self.register_buffer(f"deviation_{name}", torch.ones(depths, inputs))
        rows_PIR = torch.stack([torch.linalg.qr(torch.randn(inputs, width))[0] for _ in range(depths)])
        self.project_asked = nn.Parameter(rows_PIR.clone())
        self.project_begins = nn.Parameter(rows_PIR.clone())

    def look(self, states: Sequence[States]) -> None:
        """Take the statistics of what is read."""
        asked_NPI, begins_NPI = torch.cat([each.asked_TPI for each in states]), torch.stack([each.begins_PI for each in states])
        for name, x_NPI in zip(_NAMES, (asked_NPI, begins_NPI), strict=True):
            self.get_buffer(f"mean_{name}").copy_(x_NPI.float().mean(0))
            self.get_buffer(f"deviation_{name}").copy_(x_NPI.float().std(0).clamp(min=1e-3))

    def seen(self, x_MPI: Float[Tensor, "*M P I"], name: str) -> Float[Tensor, "*M P R"]:
        """Unit vectors of some states, read as those of a question ("asked") or of where an answer begins ("begins")."""
        z_MPI = ((x_MPI.float() - self.get_buffer(f"mean_{name}")) / self.get_buffer(f"deviation_{name}")).clamp(-_CLIP, _CLIP)
        return normalize(torch.einsum("...pi,pir->...pr", z_MPI, self.get_parameter(f"project_{name}")), dim=-1)


def check_surely(surely: float) -> None:
    """Refuse what no likelihood can be held against.

    Raises:
        BadInput: never, or always, sure.
    """
    if not 0 < surely < 1:
        raise BadInput(f"How likely a correction must concern a question lies above 0 and below 1; {surely} doesn't.")


def labels(pairs: Sequence[Pair]) -> Int[Tensor, " N"]:
    """Each pair's sort, as its place among them; where none is told, by whether it is in scope."""
    return torch.tensor([SORTS.index(pair.sort or ("same" if pair.in_scope else "apart")) for pair in pairs])


def half(states: States) -> States:
    """The same in half precision: a training holds thousands."""
    return States(states.asked_TPI.half(), states.begins_PI.half(), states.target_KPI.half())
