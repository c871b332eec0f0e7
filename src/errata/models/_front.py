"""What stands between a query and a model's decoder layers, in one of two ways.

`_spliced` works out words and pictures itself and hands over embeddings: three layouts, each with a table of its own. `_whole` lets
the checkpoint's own processor and its own `forward` do all of it: every other layout of the hub.

Shapes: B rows, T positions, N images, K features of one, D width of the text stack.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, final

import torch

from errata.core.images import Image
from errata.core.model import Model, Role, States, together
from errata.core.records import Query

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from errata.nn.patches import LowRank, NoPatch


@final
@dataclass(frozen=True, eq=False)
class Row:
    """A query and a target as the decoder layers see them: every image as many tokens as it has features."""

    ids: tuple[int, ...]
    prompt_length: int
    target: tuple[int, ...]
    images: tuple[Image, ...]
    given: Mapping[str, Tensor] = field(default_factory=dict)
    """What else the model's own `forward` is given for this row, by name: pixels, masks, kinds of tokens."""

    def states(self, x_TPI: Float[Tensor, "T P I"], around: Sequence[int]) -> States:
        """What modules read at each position, shared out.

        Args:
            x_TPI: at the row's own positions.
            around: the ids of a prompt with the same template around it; what is the same at both ends is left out.
        """
        prompt = self.ids[: self.prompt_length]
        before, after = together(prompt, around), together(prompt[::-1], around[::-1])
        return States(x_TPI[before : len(prompt) - after], x_TPI[len(prompt) - 1], x_TPI[len(prompt) :])


@final
@dataclass(frozen=True, eq=False)
class Put:
    """Some rows as a speaker takes them, padded on the left: what is to be predicted ends every row."""

    speaker: PreTrainedModel
    """Whose `forward` and `generate` run."""

    named: Mapping[str, Tensor]
    """Inputs by name, but for the positions."""

    positions_BT: Int[Tensor, "B T"] | None
    """What `forward` is to be told beside them; `generate` finds it out. None: the model works it out from the mask."""

    prompt: int
    """How many positions of what `generate` gives were given to it."""


@final
@dataclass(frozen=True)
class Turn:
    """What a chat template writes around an answer."""

    before: str
    """Between the end of the prompt and the answer's first character."""

    end: int | None
    """The token that ends the answer; None where the template doesn't say."""

    marks: tuple[str, ...]
    """What stands between turns in plain words, so that a text that holds one would be read as another turn."""


def padded(
    rows: Sequence[Row], *, pad: int, device: torch.device
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """Rows of several lengths as ids, the mask of what is theirs, and positions counted from 0; filled on the left."""
    longest = max(len(row.ids) for row in rows)
    ids_BT = torch.tensor([[pad] * (longest - len(row.ids)) + list(row.ids) for row in rows], device=device)
    mask_BT = torch.tensor([[0] * (longest - len(row.ids)) + [1] * len(row.ids) for row in rows], device=device)
    return ids_BT, mask_BT, (mask_BT.cumsum(dim=1) - 1).clamp(min=0)


class Front(Protocol):
    """How rows are made and put to a model."""

    @property
    def writable(self) -> Mapping[Role, Mapping[str, int | None]]:
        """Paths of linear modules in depth order, each with its decoder layer; None for a path without one."""
        ...

    @property
    def layers(self) -> tuple[nn.Module, ...]:
        """The decoder's, lowest first."""
        ...

    @property
    def tower(self) -> tuple[str, ...]:
        """Paths of the vision side."""
        ...

    @property
    def by_row(self) -> Set[str]:
        """The paths where each row of a batch can have something of its own added."""
        ...

    @property
    def speaker(self) -> PreTrainedModel:
        """Whose generation settings hold."""
        ...

    @property
    def unsteady(self) -> str:
        """Why rows of several ages can't go on together, as the front sees it; empty where they can."""
        ...

    @property
    def end(self) -> int | None:
        """The token that ends an answer, where the front knows it; else the generation settings say."""
        ...

    @property
    def max_images(self) -> int:
        """The most that one query may hold."""
        ...

    @property
    def image_token(self) -> int | None:
        """The id that stands for one image feature in the sequence; None for a model without eyes."""
        ...

    @property
    def decoder(self) -> int:
        """The version of how pictures are decoded."""
        ...

    @property
    def turn(self) -> Turn:
        """What is written around an answer."""
        ...

    def seeing(self, decoder: int) -> Front:
        """The same over the same weights, with pictures decoded in this way."""
        ...

    def row(self, query: Query, target: str | None) -> Row:
        """The query and the target in tokens.

        Raises:
            BadInput: the template or the processor refuses it.
        """
        ...

    def image_positions(self, row: Row) -> int | None:
        """How many positions the row's pictures must take; None where only the processor knows."""
        ...

    def passes(self, rows: Sequence[Row], *, more: int) -> list[list[int]]:
        """Places of rows that can go through the model together, each with `more` positions beyond its own."""
        ...

    def put(self, model: Model, rows: Sequence[Row], patches: Sequence[NoPatch | LowRank]) -> Put:
        """Rows of one pass; what comes before the text stack may be worked out here, each row's under its own patch."""
        ...

    def still(self, changing: Collection[str]) -> Sequence[nn.Module]:
        """Modules outside the decoder's layers, run by `forward`, that nothing of `changing` is in or comes before."""
        ...

    def look(self, query: Query) -> Float[Tensor, "N K D"] | None:
        """The features of the query's pictures as they stand among the words; None where they don't."""
        ...

    def straight(self) -> dict[str, Tensor] | None:
        """The weights as the checkpoint's own layout has them, where they are held in another; else None."""
        ...
