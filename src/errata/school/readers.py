"""Throw-away readers in the middle of a model under training: what does the phrase that ends at this token mean?

A question such as "what does the thing left of the ring eat?" takes three steps: which thing is meant, which kind that is, what the
kind eats. Its answer alone says little of the first two. So, while a model trains, linear readers of the hidden state between
the two halves of the decoder are asked what each phrase of the prompt means: which cells, which glyph, which colour. Phrases on a
picture and phrases of text are read by the same readers, so that a kind that is seen and one that is named come to the same place.
Once the model is trained the readers are thrown away.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from errata.benchmarks.scopeworld.knowledge import COLOURS, GLYPHS
from errata.benchmarks.scopeworld.lessons import Mention
from errata.benchmarks.scopeworld.scenes import CELLS

_NONE = -100
"""The class that a cross-entropy leaves out."""


class Meanings(NamedTuple):
    """What the phrases of a batch mean. M: phrases, C: cells."""

    rows_M: Tensor
    columns_M: Tensor
    """Row and token at which each phrase ends."""

    glyphs_M: Tensor
    colours_M: Tensor
    cells_MC: Tensor
    """1 where the cell is meant, 0 where it isn't, -1 where the scene isn't spoken of."""

    def to(self, device: torch.device) -> Meanings:
        """The meanings on a device."""
        return Meanings(*(each.to(device, non_blocking=True) for each in self))


def meanings(found: list[tuple[int, int, Mention]]) -> Meanings:
    """(row, token, phrase) of each phrase, as tensors."""
    glyphs = [_NONE if m.kind is None else GLYPHS.index(m.kind.glyph) for _, _, m in found]
    colours = [_NONE if m.kind is None else COLOURS.index(m.kind.colour) for _, _, m in found]
    cells = [[-1.0 if m.cells is None else float(cell in m.cells) for cell in range(len(CELLS))] for _, _, m in found]

    def numbers(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.long)

    return Meanings(
        numbers([row for row, _, _ in found]),
        numbers([column for _, column, _ in found]),
        numbers(glyphs),
        numbers(colours),
        torch.tensor(cells).reshape(len(found), len(CELLS)),
    )


class Readers(nn.Module):
    """Three linear readers of a hidden state of `width`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.glyph = nn.Linear(width, len(GLYPHS))
        self.colour = nn.Linear(width, len(COLOURS))
        self.cells = nn.Linear(width, len(CELLS))

    def loss(self, middle_RLD: Tensor, asked: Meanings) -> Tensor:
        """Nats per phrase: of its glyph, its colour and its cells."""
        states_MD = self.norm(middle_RLD[asked.rows_M, asked.columns_M].float())
        kinds = nn.functional.cross_entropy(self.glyph(states_MD).float(), asked.glyphs_M, ignore_index=_NONE, reduction="sum")
        kinds = kinds + nn.functional.cross_entropy(
            self.colour(states_MD).float(), asked.colours_M, ignore_index=_NONE, reduction="sum"
        )
        spoken_MC = asked.cells_MC >= 0
        cells = nn.functional.binary_cross_entropy_with_logits(
            self.cells(states_MD).float()[spoken_MC], asked.cells_MC[spoken_MC], reduction="sum"
        )
        return (kinds + cells) / max(1, len(asked.rows_M))
