"""A semantic cache: a question that is near enough to a stored one gets the stored answer.

As GPTCache and LiteLLM have it: one similarity, one threshold, the answer as it stands. They look at a sentence encoder's vectors
of the last message and at no picture; here the model's own input embeddings stand in for the encoder (`scoped.nearest`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from errata.core.model import Model
from errata.core.records import Spec
from errata.editors.scoped.nearest import Nearest
from errata.editors.scoped.pinned import Answer
from errata.editors.scoped.scoped import Remembers, Scoped


@final
@dataclass(frozen=True)
class Cache(Remembers):
    """The nearest stored question's answer."""

    threshold: float = 0.8
    """The least similarity that is a hit, above 0 and below 1; GPTCache's and LiteLLM's usual 0.8."""

    image_weight: float = 0.0
    """How much pictures count in it, 0 to 1; in use today: not at all."""

    def __post_init__(self) -> None:
        self._memory()

    def spec(self, model: Model) -> Spec:
        """Every field, and the memory that they make."""
        return self._named("cache", model)

    def _memory(self) -> Scoped:
        return Scoped(Nearest(self.threshold, self.image_weight), Answer())
