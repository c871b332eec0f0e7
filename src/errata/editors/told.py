"""The model is told the edit: the nearest edit in memory, as a statement in front of the query. No training, no weight written.

SERAC's shape (Mitchell et al., arXiv 2206.06520) with nothing learned: the scope is the nearest neighbour by the model's own input
features, words and pictures together, and the counterfactual model is the base itself. It needs a base that follows statements in
context; one that doesn't learns nothing from it. Out of scope the model answers as it is, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import final

from errata.core.canonical import JSON
from errata.core.model import Model, Patch
from errata.core.records import Edit, EditId, Query, Spec
from errata.editors._in_context import Counterfactual
from errata.editors._nearest import Nearest
from errata.editors._scoped import Memory, Scoped, under


@final
@dataclass(frozen=True)
class Telling:
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
        given: dict[str, JSON] = {each.name: self.__dict__[each.name] for each in fields(self)}
        return under("told", given, self._memory(), model)

    def begin(self, model: Model) -> Memory:
        """No edits."""
        return self._memory().begin(model)

    def write(self, model: Model, state: Memory, edit: Edit) -> Memory:
        """One more edit in memory."""
        return self._memory().write(model, state, edit)

    def forget(self, state: Memory, edit: EditId) -> Memory | None:
        """The memory as if this edit had never been written."""
        return self._memory().forget(state, edit)

    def read(self, model: Model, state: Memory, query: Query) -> Patch:
        """The query with the nearest edit's statement before it, or the model as it is."""
        return self._memory().read(model, state, query)

    def telemetry(self, state: Memory) -> Mapping[str, JSON]:
        """What the last edit is told as."""
        return self._memory().telemetry(state)

    def _memory(self) -> Scoped:
        return Scoped(Nearest(self.threshold, self.image_weight), Counterfactual(self.statement))
