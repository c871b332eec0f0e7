"""Marks that tell a query's pictures, as they are shown, and the turns before it from any others: signs of their digests.

Shapes: C marks of a query, half of them of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import torch

from errata.core.canonical import JSON, digest_of_json
from errata.core.model import Model
from errata.core.records import Query

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

SIGNS: Final = 64
"""Of a digest that tells pictures, or what was said before, from others."""


def marks(model: Model, query: Query) -> Float[Tensor, " C"]:
    """Zeros of no picture, and of no turn before; system messages aren't looked at."""
    last = max(place for place, message in enumerate(query.messages) if message.role == "user")
    before = [message.to_json() for message in query.messages[:last] if message.role != "system"]
    shown: list[JSON] = [image.shown(model.decoder) for image in query.images]
    return torch.cat([_signs(shown), _signs(before)])


def _signs(named: Sequence[JSON]) -> Float[Tensor, " C"]:
    """Signs of a digest; zeros of nothing."""
    if not named:
        return torch.zeros(SIGNS)
    bits = int(digest_of_json(list(named))[: SIGNS // 4], 16)
    return torch.tensor([1.0 if bits >> place & 1 else -1.0 for place in range(SIGNS)])
