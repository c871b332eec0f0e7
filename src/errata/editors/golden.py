"""Golden questions: the most similar stored questions stand before every question, each with its right answer.

Retrieval of verified examples into the prompt, as teams do it without touching the model (few-shot by retrieval: Liu et al., arXiv
2101.06804). There is no scope: examples stand before a question that none of them concerns, too. What they do there is measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from errata.core.model import Model
from errata.core.records import Query, Spec
from errata.editors._prompted import Notes, Prompting, check_form, prompted
from errata.editors._ranges import at_least
from errata.editors.scoped.nearest import Nearest
from errata.nn.patches import NoPatch, Rewrite


@final
@dataclass(frozen=True)
class Golden(Prompting):
    """Examples in the prompt."""

    k: int = 4
    """How many stand there at most, >= 1; the most similar stands last. Fewer where the context is full."""

    form: str = "Question: {question}\\nAnswer: {answer}\\n\\n"
    """How an example is written; {question} and {answer}, or {fact}, stand for the correction, \\n for a new line."""

    image_weight: float = 0.0
    """How much pictures count in the similarity, 0 to 1; in use today: not at all."""

    def __post_init__(self) -> None:
        at_least("Golden", 1, k=self.k)
        check_form("golden", self.form)
        self._near()

    def spec(self, model: Model) -> Spec:
        """Every field, and how similarity is told."""
        return Spec("golden", {**self.__dict__, "near": dict(self._near().spec())})

    def read(self, model: Model, state: Notes, query: Query) -> Rewrite | NoPatch:
        """The question after the most similar examples."""
        if not state.notes:
            return NoPatch()
        keys_ND = torch.stack([note.key_D for note in state.notes if note.key_D is not None])
        rho_N = self._near().rho(self._key(model, query), keys_ND)
        chosen = rho_N.argsort(stable=True)[-self.k :].tolist()
        said = prompted(model, [state.notes[place] for place in chosen], query)
        return replace(said, edits=said.edits[::-1])  # the most similar first

    def _key(self, model: Model, query: Query) -> Float[Tensor, " D"]:
        return self._near().key(model, query)

    def _near(self) -> Nearest:
        return Nearest(0.5, self.image_weight)
