"""Any editor behind any scope: a memory of edits that is asked which of them, if any, a query is about.

SERAC (Mitchell et al., arXiv 2206.06520), MSCKE and IKE decide at the read: the edit of the highest rho speaks where rho >= 0.5,
and elsewhere the model answers as it is. Each edit has an inner state of its own (house word: memory `each`), so edits can't
disturb each other, and deleting one leaves exactly what there would be had it never come. Of two edits of the same query the
later one speaks; of equal scores, too. An edit's keys, one for its query and one for each other wording or view given with it,
are worked out at the write.

Shapes: N keys of the whole memory, K keys of one edit, D what the scope says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from errata.core.canonical import JSON
from errata.core.editor import Editor, Explains, Scope
from errata.core.errors import BadInput
from errata.core.model import Model, Patch
from errata.core.records import Edit, EditId, Query, Spec
from errata.nn.patches import NoPatch


@dataclass(frozen=True)
class Held:
    """One edit in memory."""

    edit: EditId
    asked: str
    """The digest of its query: a later edit of the same query speaks in its place."""

    keys: int
    """How many rows of the memory's keys are its own."""

    inner: Any
    """The inner editor's state with this edit alone in it."""


@dataclass(frozen=True, eq=False)
class Memory:
    """The edits in memory, oldest first, and their keys in the same order."""

    held: tuple[Held, ...]
    keys_ND: Float[Tensor, "N D"] | None
    """Kept as one tensor, so that a read is one product however many edits there are; None: no edit."""


class Decision(NamedTuple):
    """An edit that is in scope."""

    edit: EditId
    rho: float
    """At least 0.5."""

    place: int
    """Where in the memory it stands."""


@runtime_checkable
class Gathers(Protocol):
    """An inner editor that may speak for several edits at once: first the deciding one's state, then less and less near ones."""

    def gather(self, model: Model, states: Sequence[Any], query: Query) -> Patch: ...


@final
@dataclass(frozen=True)
class Scoped:
    """The memory. Its spec, and so its identity in a log, is the scope's and the inner editor's together."""

    scope: Scope
    editor: Editor[Any]
    """Sees one edit at a time, each from its own beginning."""

    k: int = 1
    """At most how many edits in scope are handed to an inner editor that gathers them, >= 1; the nearest first."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise BadInput(f"A scoped memory's k must be at least 1, not {self.k}.")

    def spec(self, model: Model) -> Spec:
        """The scope's and the inner editor's specs."""
        return Spec("scoped", {"scope": dict(self.scope.spec()), "editor": self.editor.spec(model).to_json(), "k": self.k})

    def begin(self, model: Model) -> Memory:
        """No edits."""
        return Memory((), None)

    def write(self, model: Model, state: Memory, edit: Edit) -> Memory:
        """The memory with one more edit: its keys, and an inner state with it alone.

        Raises:
            BadInput: the edit can't be put to this model.
        """
        model.check(edit.query, edit.target)
        inner = self.editor.write(model, self.editor.begin(model), edit)
        keys_KD = torch.stack([self.scope.key(model, query, edit.target) for query in (edit.query, *edit.also)])
        keys_ND = keys_KD if state.keys_ND is None else torch.cat([state.keys_ND, keys_KD])
        return Memory((*state.held, Held(edit.id, edit.query.digest, len(keys_KD), inner)), keys_ND)

    def forget(self, state: Memory, edit: EditId) -> Memory:
        """The memory as if this edit had never been written; an edit that isn't in it changes nothing."""
        stays = [held.edit != edit for held in state.held]
        if all(stays):
            return state
        held = tuple(each for each, stay in zip(state.held, stays, strict=True) if stay)
        rows = torch.tensor([stay for each, stay in zip(state.held, stays, strict=True) for _ in range(each.keys)])
        assert state.keys_ND is not None, "A memory that holds an edit holds its keys."
        return Memory(held, state.keys_ND[rows.to(state.keys_ND.device)].clone() if held else None)

    def decide(self, model: Model, state: Memory, query: Query) -> tuple[Decision, ...]:
        """The edits in scope, nearest first, at most `k` of them; none where the query is answered as by the model alone.

        Raises:
            BadInput: the query can't be put to this model.
        """
        if state.keys_ND is None:
            return ()
        rho_N: list[float] = self.scope.rho(self.scope.key(model, query), state.keys_ND).tolist()
        last = {held.asked: place for place, held in enumerate(state.held)}
        found, row = [], 0
        for place, held in enumerate(state.held):
            rho = max(rho_N[row : row + held.keys])
            row += held.keys
            if rho >= 0.5 and last[held.asked] == place:
                found.append(Decision(held.edit, rho, place))
        found.sort(key=lambda each: (-each.rho, -each.place))
        return tuple(found[: self.k])

    def read(self, model: Model, state: Memory, query: Query) -> Patch:
        """What the deciding edit has to say; NoPatch where none is in scope."""
        found = self.decide(model, state, query)
        if not found:
            return NoPatch()
        inner = [state.held[each.place].inner for each in found]
        if isinstance(self.editor, Gathers):
            return self.editor.gather(model, inner, query)
        return self.editor.read(model, inner[0], query)

    def telemetry(self, state: Memory) -> Mapping[str, JSON]:
        """What the inner editor tells of the last write, and how many edits are in memory."""
        last = self.editor.telemetry(state.held[-1].inner) if state.held and isinstance(self.editor, Explains) else {}
        return {**last, "in_memory": len(state.held)}


def under(name: str, fields: Mapping[str, JSON], memory: Scoped, model: Model) -> Spec:
    """The spec of a registered editor that is a scoped memory: its own fields, and those of the memory that they make."""
    return replace(memory.spec(model), name=name, fields={**memory.spec(model).fields, **fields})
