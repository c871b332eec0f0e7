"""The model is told the edit: the nearest edit in memory, as a statement in front of the query. No training, no weight written.

SERAC's shape (Mitchell et al., arXiv 2206.06520) with nothing learned: the scope is the nearest neighbour by the model's own input
features, words and pictures together, and the counterfactual model is the base itself. It needs a base that follows statements in
context; one that doesn't learns nothing from it. Out of scope the model answers as it is, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from errata.core.canonical import JSON
from errata.core.model import Model
from errata.core.records import Spec
from errata.editors.scoped.in_context import Counterfactual
from errata.editors.scoped.memory import Memory
from errata.editors.scoped.nearest import Nearest
from errata.editors.scoped.scoped import Remembers, Scoped


@final
@dataclass(frozen=True)
class Telling(Remembers):
    """The nearest edit, said before the query."""

    threshold: float = 0.85
    """The least similarity that is in scope, above 0 and below 1."""

    image_weight: float = 0.5
    """How much pictures count in it, 0 to 1; 0: words alone."""

    statement: str = "suppose {fact}."
    """How the edit is said; {fact} stands for what holds, as "the home of a red star is the harbor"."""

    def __post_init__(self) -> None:
        self._memory()

    def spec(self, model: Model) -> Spec:
        """Every field, and the memory that they make."""
        return self._named("told", model)

    def telemetry(self, state: Memory) -> Mapping[str, JSON]:
        """What the last edit is told as."""
        return self._memory().telemetry(state)

    def _memory(self) -> Scoped:
        return Scoped(Nearest(self.threshold, self.image_weight), Counterfactual(self.statement))
