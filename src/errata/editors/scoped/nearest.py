"""The nearest neighbour as a scope: a query is about the edit that it looks most like, if it looks like it enough.

IKE (Zheng et al., arXiv 2305.12740) retrieves with a sentence encoder. Here the model's own inputs stand in for one, so nothing
has to be loaded beside the model: mean input embeddings of the words, mean image tokens of the pictures (`Model.features`). That
is a bag of words: it tells topics apart, not "left of" from "right of". A key is laid out so that a dot product is the
similarity:

    s = (1 - w) cos(text, text_e) + w v,    v = cos(image, image_e), 1 where neither has a picture, 0 where only one has.

Shapes: N keys, D = 2 x width of the text stack + 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.model import Model
from errata.core.records import Query


@final
@dataclass(frozen=True)
class Nearest:
    """In scope from a threshold on. See the module."""

    threshold: float
    """The least similarity that is in scope, above 0 and below 1."""

    image_weight: float
    """w, 0 to 1: how much pictures count; 0: words alone, as published."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise BadInput(f"The scope's threshold must be above 0 and below 1, not {self.threshold}.")
        if not 0 <= self.image_weight <= 1:
            raise BadInput(f"The scope's image_weight must be from 0 to 1, not {self.image_weight}.")

    def spec(self) -> Mapping[str, JSON]:
        """Its kind and both fields."""
        return {"kind": "nearest", "threshold": self.threshold, "image_weight": self.image_weight}

    def key(self, model: Model, query: Query, target: str | None = None) -> Float[Tensor, " D"]:
        """Unit vectors of words and pictures side by side, each by the root of its weight; the target isn't looked at."""
        seen = model.features(query, look=self.image_weight > 0)  # the vision side is most of what a key takes
        text_D, none = normalize(seen.text_D, dim=0), seen.text_D.new_zeros(1)
        image_D = torch.zeros_like(text_D) if seen.image_D is None else normalize(seen.image_D, dim=0)
        # The last place is taken by queries without a picture: alike among themselves, unlike every one with a picture.
        pictured_D = torch.cat([image_D, none if query.images else none + 1])
        return torch.cat([(1 - self.image_weight) ** 0.5 * text_D, self.image_weight**0.5 * pictured_D])

    def rho(self, asked_D: Float[Tensor, " D"], keys_ND: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
        """The similarity, bent so that the threshold is at 0.5, nothing alike at 0 and the same at 1."""
        s_N = (keys_ND * asked_D).sum(-1).clamp(0, 1)  # row by row: a matrix product may sum otherwise for another N
        return torch.where(
            s_N >= self.threshold, 0.5 + 0.5 * (s_N - self.threshold) / (1 - self.threshold), 0.5 * s_N / self.threshold
        )

    def near(self, keys_KD: Float[Tensor, "K D"]) -> Float[Tensor, "K D"]:
        """As they are: of unit vectors the nearest has the largest product."""
        return keys_KD
