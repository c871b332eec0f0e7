"""An editor for tests of rules: each edit has a state of its own and answers every question of its words, whatever the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from errata.core.model import Model, Patch
from errata.core.records import Edit, Query, Spec
from errata.editors import parse
from errata.nn.patches import NoPatch, Replaced
from tests.conftest import picture

INNER = parse("finetune:steps=10,lr=0.01")

# The small model answers each of these questions, and the same on another picture or on none, with one word: quick to ask.
STAR = Edit(Query.ask("what is the red star called?", picture(1)), "a red star")
RING = Edit(Query.ask("which shape is it?", picture(4)), "the ring")
TOWN = Edit(Query.ask("how many things are there?"), "in the town")
ELSE = Query.ask("what is there?", picture(2))
"""A question that no edit is about."""

WORDING = Query.ask("name it", picture(1))
"""Another one."""

_written: dict[tuple[str, str, str], Any] = {}


def written(model: Model, edit: Edit) -> Any:
    """What the edit alone writes: the same for the same model, question and answer, so it's descended for once in a test run."""
    key = (model.digest, edit.query.digest, edit.target)
    if key not in _written:
        _written[key] = INNER.write(model, INNER.begin(model), Edit(edit.query, edit.target))
    return _written[key]


@dataclass(frozen=True)
class Memory:
    """The edits with what each wrote."""

    edits: tuple[tuple[Edit, Any], ...] = ()


@dataclass(frozen=True)
class ByWords:
    """The latest edit with a question's words speaks; beyond `loud`, an edit about it also speaks to what it wasn't asked."""

    loud: str = "never said"
    """An edit whose target has these words speaks to every question that no edit has the words of: it leaks."""

    choir: bool = False
    """Every edit says that it spoke, as it is where all of them are in the same weights."""

    def spec(self, model: Model) -> Spec:
        return Spec("by_words", {"loud": self.loud, "choir": self.choir})

    def begin(self, model: Model) -> Memory:
        return Memory()

    def write(self, model: Model, state: Memory, edit: Edit) -> Memory:
        return Memory((*state.edits, (edit, written(model, edit))))

    def read(self, model: Model, state: Memory, query: Query) -> Patch:
        named = [one for one in state.edits if query.text == one[0].query.text]
        loud = [one for one in state.edits if self.loud in one[0].target]
        if not named and not loud:
            return NoPatch()
        edit, weights = (named or loud)[-1]
        speakers = [one for one, _ in state.edits] if self.choir else [edit]
        return Replaced(weights.weights, tuple(one.id for one in speakers))
