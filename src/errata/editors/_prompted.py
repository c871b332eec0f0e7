"""Corrections that stand in the prompt: what each is written as there, and a prompt that takes as many as fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from errata.core.errors import BadInput, quoted
from errata.core.model import Model, fits
from errata.core.records import Edit, EditId, Query
from errata.editors.scoped.in_context import before, fact
from errata.nn.patches import NoPatch, Rewrite


@dataclass(frozen=True)
class Note:
    """One correction."""

    edit: EditId
    words: str
    """As it stands in a prompt."""

    key_D: Float[Tensor, " D"] | None = None
    """By which it is found, where it is looked for."""


@dataclass(frozen=True)
class Notes:
    """All of them, in the order in which they came."""

    notes: tuple[Note, ...] = ()

    @property
    def edits(self) -> tuple[EditId, ...]:
        """Whose they are."""
        return tuple(note.edit for note in self.notes)

    def without(self, edit: EditId) -> Notes:
        """The others."""
        return replace(self, notes=tuple(note for note in self.notes if note.edit != edit))


class Prompting:
    """An editor whose corrections are notes in a form."""

    form: str

    def begin(self, model: Model) -> Notes:
        """No correction."""
        return Notes()

    def write(self, model: Model, state: Notes, edit: Edit) -> Notes:
        """One more note.

        Raises:
            BadInput: the edit can't be put to this model.
        """
        model.check(edit.query, edit.target)
        return Notes((*state.without(edit.id).notes, Note(edit.id, noted(self.form, edit), self._key(model, edit.query))))

    def forget(self, state: Notes, edit: EditId) -> Notes:
        """The notes without this one."""
        return state.without(edit)

    def _key(self, model: Model, query: Query) -> Float[Tensor, " D"] | None:
        """By which a note is found; None where none is looked for."""
        return None


def check_form(name: str, form: str) -> None:
    """Refuse a form in which the correction has no place.

    Raises:
        BadInput: it has neither {fact}, nor both {question} and {answer}.
    """
    if "{fact}" not in form and not ("{question}" in form and "{answer}" in form):
        raise BadInput(
            f"The form {quoted(form)} of {name} says no correction. Write {{fact}} in it, or {{question}} and {{answer}}."
        )


def noted(form: str, edit: Edit) -> str:
    """The correction in a form."""
    said = form.replace("\\n", "\n").replace("{fact}", fact(edit)).replace("{question}", edit.query.text.strip())
    return said.replace("{answer}", edit.target.strip())


def prompted(model: Model, notes: Sequence[Note], query: Query) -> Rewrite | NoPatch:
    """The query after the notes, those that matter most last; what doesn't fit is left out, from the first on."""
    for first in range(len(notes)):
        kept = notes[first:]
        asked = before(query, "".join(note.words for note in kept))
        if fits(model, asked):
            return Rewrite(asked, tuple(note.edit for note in kept))
    return NoPatch()
