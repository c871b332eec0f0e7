"""Throw-away readers of what a vision tower makes of a picture: what stands in, beside and above or below each cell, and where.

A question such as "what does the thing left of the ring eat?" is answered by one look if the patch that is meant says what is to
its right; a tower that is only asked what stands in a patch throws away everything else (docs/decisions/0012).

Shapes: N scenes, C cells, P patches, V width of a patch's features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from errata.benchmarks.scopeworld.knowledge import COLOURS, GLYPHS
from errata.benchmarks.scopeworld.scenes import CELLS, Scene

_ASIDE = (0, 1, 2)
"""What turns a cell's index into that of the cell itself, of the one beside it, and of the one above or below it."""


class Looks(nn.Module):
    """Linear readers of each cell: which one it is, and the glyph and the colour, 0 where nothing is, of what stands in it, beside
    it, and above or below it.

    Args:
        width: V.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.glyph = nn.Linear(width, len(_ASIDE) * (len(GLYPHS) + 1))
        self.colour = nn.Linear(width, len(_ASIDE) * (len(COLOURS) + 1))
        self.cell = nn.Linear(width, len(CELLS))

    def loss(self, cells_NCV: Tensor, glyphs_NC: Tensor, colours_NC: Tensor) -> Tensor:
        """Nats per cell: of its place, and of the three glyphs and colours."""
        count = len(cells_NCV)
        places = torch.arange(len(CELLS), device=cells_NCV.device)
        loss = cross_entropy(self.cell(cells_NCV).flatten(0, 1).float(), places.repeat(count))
        for reader, right_NC in ((self.glyph, glyphs_NC), (self.colour, colours_NC)):
            right_NCA = torch.stack([right_NC[:, places ^ aside] for aside in _ASIDE], -1)
            said = reader(cells_NCV).float().unflatten(-1, (len(_ASIDE), -1)).flatten(0, 2)
            loss = loss + len(_ASIDE) * cross_entropy(said, right_NCA.flatten())
        return loss

    def of(self, patches_NPV: Tensor, scenes: Sequence[Scene]) -> Tensor:
        """The loss of some scenes, from the features of their patches."""
        kinds = [scene.cells for scene in scenes]
        glyphs = [[0 if kind is None else 1 + GLYPHS.index(kind.glyph) for kind in cells] for cells in kinds]
        colours = [[0 if kind is None else 1 + COLOURS.index(kind.colour) for kind in cells] for cells in kinds]
        device = patches_NPV.device
        return self.loss(cells_of(patches_NPV), torch.tensor(glyphs, device=device), torch.tensor(colours, device=device))


def cells_of(patches_NPV: Tensor) -> Tensor:
    """The mean of each cell's patches, [N, C, V]."""
    cell_P = cell_of_patch(patches_NPV.shape[1]).to(patches_NPV.device)
    return torch.stack([patches_NPV[:, cell_P == cell].mean(1) for cell in range(len(CELLS))], 1)


def cell_of_patch(patches: int) -> Tensor:
    """The cell, of the two by two, in which each of a square of patches lies."""
    side = math.isqrt(patches)
    half = torch.arange(side) * 2 // side
    return (2 * half[:, None] + half).reshape(-1)
