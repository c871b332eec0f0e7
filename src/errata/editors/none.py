"""The editor that does nothing: what every other one is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from errata.core.canonical import JSON
from errata.core.model import Model
from errata.core.records import Edit, Query, Spec
from errata.nn.patches import NoPatch


@dataclass(frozen=True)
class State:
    """All there is to remember."""

    edits: int
    """How many were written, to no effect."""


@final
@dataclass(frozen=True)
class Nothing:
    """Takes edits and says nothing: no probe of locality fails, and no edit is learned that the model didn't know."""

    def spec(self, model: Model) -> Spec:
        """A name and no field."""
        return Spec("none")

    def begin(self, model: Model) -> State:
        """No edits."""
        return State(0)

    def write(self, model: Model, state: State, edit: Edit) -> State:
        """One more edit, checked like any other."""
        model.check(edit.query, edit.target)
        return State(state.edits + 1)

    def read(self, model: Model, state: State, query: Query) -> NoPatch:
        """The model as it is."""
        return NoPatch()

    def telemetry(self, state: State) -> Mapping[str, JSON]:
        """Nothing was done."""
        return {}
