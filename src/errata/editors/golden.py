"""Golden questions: the most similar stored questions stand before every question, each with its right answer.

Retrieval of verified examples into the prompt, as teams do it without touching the model (few-shot by retrieval: Liu et al., arXiv
2101.06804). There is no scope: examples stand before a question that none of them concerns, too. What they do there is measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import torch

from errata.core.model import Model
from errata.core.records import Edit, EditId, Query, Spec
from errata.editors._prompted import Note, Notes, check_form, noted, prompted
from errata.editors._ranges import at_least
from errata.editors.scoped.nearest import Nearest
from errata.nn.patches import NoPatch, Rewrite


@final
@dataclass(frozen=True)
class Golden:
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

    def begin(self, model: Model) -> Notes:
        """No examples."""
        return Notes()

    def write(self, model: Model, state: Notes, edit: Edit) -> Notes:
        """One more example.

        Raises:
            BadInput: the edit can't be put to this model.
        """
        model.check(edit.query, edit.target)
        note = Note(edit.id, noted(self.form, edit), self._near().key(model, edit.query))
        return Notes((*state.without(edit.id).notes, note))

    def forget(self, state: Notes, edit: EditId) -> Notes:
        """The examples without this one."""
        return state.without(edit)

    def read(self, model: Model, state: Notes, query: Query) -> Rewrite | NoPatch:
        """The question after the most similar examples."""
        if not state.notes:
            return NoPatch()
        near = self._near()
        keys_ND = torch.stack([note.key_D for note in state.notes if note.key_D is not None])
        rho_N = near.rho(near.key(model, query), keys_ND)
        chosen = rho_N.argsort(stable=True)[-self.k :].tolist()
        said = prompted(model, [state.notes[place] for place in chosen], query)
        return replace(said, edits=said.edits[::-1])  # the most similar first

    def _near(self) -> Nearest:
        return Nearest(0.5, self.image_weight)
