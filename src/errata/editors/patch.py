"""A prompt patch that grows: every correction stands as a sentence before every question.

What "fix it in the system prompt" comes to. It stands in the user's message, since not every model's template has a system message;
the newest stands last, and the oldest is left out once the context is full. Its cost grows with each correction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from errata.core.model import Model
from errata.core.records import Query, Spec
from errata.editors._prompted import Notes, Prompting, check_form, prompted
from errata.nn.patches import NoPatch, Rewrite


@final
@dataclass(frozen=True)
class Patched(Prompting):
    """All corrections in the prompt."""

    form: str = "Remember that {fact}.\\n"
    """How a correction is written; {fact}, or {question} and {answer}, stand for it, \\n for a new line."""

    def __post_init__(self) -> None:
        check_form("patch", self.form)

    def spec(self, model: Model) -> Spec:
        """Every field."""
        return Spec("patch", dict(self.__dict__))

    def read(self, model: Model, state: Notes, query: Query) -> Rewrite | NoPatch:
        """The question after all of them that fit."""
        return prompted(model, state.notes, query)
