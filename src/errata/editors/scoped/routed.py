"""What speaks for an edit by how it concerns a question: its own answer, yes or no, or the model itself, told the edit.

A question that asks the same is answered with the edit's target as it stands: what a scope is sure of needs no gradient, and no
token of the answer is left to chance. Whether something is so is answered by what the scope says of it. What follows in another
way the model has to work out: it is told the edit before the question (`in_context`), which is as good as the model is at that.

GRACE (Hartvigsen et al., arXiv 2211.11031) gives a stored value back at a layer; here it is the answer itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, final

from errata.core.canonical import JSON
from errata.core.editor import Sort
from errata.core.model import Model, Patch
from errata.core.records import Edit, EditId, Query, Spec
from errata.editors.scoped.in_context import Counterfactual, Told
from errata.nn.patches import NoPatch, Verbatim


@dataclass(frozen=True)
class Answered:
    """One edit, and how it is said."""

    edits: tuple[EditId, ...] = ()
    target: str = ""
    told: Told = field(default_factory=lambda: Told((), ""))


@final
@dataclass(frozen=True)
class Routed:
    """See the top of this file."""

    statement: str = "suppose {fact}."
    """How the model is told the edit, as `told` has it."""

    follows: Literal["told", "base"] = "told"
    """What answers a question whose answer follows from the edit otherwise: the model that is told it, or the model as it is."""

    yes: str = "Yes."
    """What is said where it is so now."""

    no: str = "No."
    """And where it isn't."""

    def spec(self, model: Model) -> Spec:
        """Every field."""
        return Spec("routed", {"statement": self.statement, "follows": self.follows, "yes": self.yes, "no": self.no})

    def begin(self, model: Model) -> Answered:
        """Nothing to say."""
        return Answered()

    def write(self, model: Model, state: Answered, edit: Edit) -> Answered:
        """This edit, which takes the place of the one before: each has a state of its own.

        Raises:
            BadInput: the query doesn't fit into the model's context with the statement before it.
        """
        teller = Counterfactual(self.statement)
        return Answered((edit.id,), edit.target.strip(), teller.write(model, teller.begin(model), edit))

    def read(self, model: Model, state: Answered, query: Query) -> Patch:
        """The edit's own answer."""
        return self.routed(model, state, query, "same")

    def routed(self, model: Model, state: Answered, query: Query, sort: Sort) -> Patch:
        """What the edit has to say to a question that it concerns in this way."""
        if not state.edits:
            return NoPatch()
        if sort == "follows":
            return NoPatch() if self.follows == "base" else Counterfactual(self.statement).read(model, state.told, query)
        said = {"same": state.target, "yes": self.yes, "no": self.no}
        return Verbatim(said[sort], state.edits) if sort in said else NoPatch()

    def telemetry(self, state: Answered) -> Mapping[str, JSON]:
        """What the model is told."""
        return {"statement": state.told.statement}
