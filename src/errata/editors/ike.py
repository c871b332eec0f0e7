"""IKE: editing by demonstrations in context (Zheng et al., arXiv 2305.12740).

The k nearest edits in memory show, as "New Fact: ... Prompt: ..." with copies, updates and retained answers, what a fact is to
do; then comes the nearest edit's own fact, and the query. Two things part this from the published method. Demonstrations come
from the edits in memory instead of a training set. And there is a threshold: published IKE speaks on every query, which is why
its locality is low; here the model answers as it is, bit for bit, where no edit is near. Similarity is of words alone, by the
model's own input embeddings in the place of a sentence encoder. The base must be one that learns from demonstrations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from errata.core.model import Model
from errata.core.records import Spec
from errata.editors.scoped.in_context import Demonstrations
from errata.editors.scoped.nearest import Nearest
from errata.editors.scoped.scoped import Remembers, Scoped


@final
@dataclass(frozen=True)
class Ike(Remembers):
    """Demonstrations from the nearest edits, then the nearest one's fact."""

    k: int = 32
    """From how many edits in scope demonstrations are drawn, >= 1; published 32 neighbours."""

    demonstrations: int = 32
    """At most how many are shown, >= 0; fewer where the context is full. 0: the fact alone."""

    threshold: float = 0.7
    """The least similarity that is in scope, above 0 and below 1; published: none."""

    image_weight: float = 0.0
    """How much pictures count in it, 0 to 1; published: words alone."""

    def __post_init__(self) -> None:
        self._memory()

    def spec(self, model: Model) -> Spec:
        """Every field, and the memory that they make."""
        return self._named("ike", model)

    def _memory(self) -> Scoped:
        return Scoped(Nearest(self.threshold, self.image_weight), Demonstrations(self.demonstrations), self.k)
