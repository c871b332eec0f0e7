"""Any editor behind any scope: a memory of edits that is asked which of them, if any, a query is about.

SERAC (Mitchell et al., arXiv 2206.06520), MSCKE and IKE decide at the read: the edit of the highest rho speaks where rho >= 0.5,
and elsewhere the model answers as it is. With the memory `each` every edit has an inner state of its own, so edits can't disturb
each other, and deleting one leaves exactly what there would be had it never come; with `fold` the inner editor has one state of
all edits, and the scope gates it as a whole. Of equal scores the later edit speaks. An edit's keys, one for its query and one for
each other wording or view given with it, are worked out at the write.

Two edits contradict each other where the later one's query is in the earlier one's scope and their targets differ; edits of one and
the same query always do. That is settled at the later one's write. Where both are in a query's scope the later one speaks in the
earlier one's place, whatever their scores.

Shapes: N keys of the whole memory, K keys of one edit, D what the scope says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final, Literal, NamedTuple, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from errata.core.canonical import JSON
from errata.core.editor import Editor, Explains, Forgets, Scope
from errata.core.errors import BadInput
from errata.core.matching import same
from errata.core.model import Decision, Model, Patch
from errata.core.records import Edit, EditId, Query, Spec
from errata.nn.patches import NoPatch, decided

INSIDE: Final = 0.5
"""rho from which on an edit is in scope."""


@dataclass(frozen=True)
class Held:
    """One edit in memory."""

    edit: EditId
    asked: str
    """The digest of its query: a later edit of the same query speaks in its place."""

    keys: int
    """How many rows of the memory's keys are its own."""

    target: str
    over: tuple[EditId, ...]
    """The earlier edits that it contradicts."""

    inner: Any
    """The inner editor's state with this edit alone in it; None where one state holds all."""


@dataclass(frozen=True, eq=False)
class Memory:
    """The edits in memory, oldest first, and their keys in the same order."""

    held: tuple[Held, ...]
    keys_ND: Float[Tensor, "N D"] | None
    """Kept as one tensor, so that a read is one product however many edits there are; None: no edit."""

    stream: Any = None
    """The inner editor's state with all edits in it; None where each has its own."""


class Found(NamedTuple):
    """An edit that the scope was asked about."""

    edit: EditId
    rho: float
    place: int
    """Where in the memory it stands."""


@runtime_checkable
class Gathers(Protocol):
    """An inner editor that may speak for several edits at once; the first state is the deciding edit's, the rest ever less near."""

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

    memory: Literal["each", "fold"] = "each"
    """One inner state for each edit, or one for all, gated as a whole."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise BadInput(f"A scoped memory's k must be at least 1, not {self.k}.")

    def spec(self, model: Model) -> Spec:
        """The scope's and the inner editor's specs."""
        parts: dict[str, JSON] = {"scope": dict(self.scope.spec()), "editor": self.editor.spec(model).to_json()}
        return Spec("scoped", {**parts, "k": self.k, "memory": self.memory})

    def begin(self, model: Model) -> Memory:
        """No edits."""
        start = self.editor.begin(model)  # also asked for where it isn't kept: it says whether the editor fits this model
        return Memory((), None, start if self.memory == "fold" else None)

    def write(self, model: Model, state: Memory, edit: Edit) -> Memory:
        """The memory with one more edit: its keys, and an inner state with it alone.

        Raises:
            BadInput: the edit can't be put to this model.
        """
        for query in (edit.query, *edit.also):
            model.check(query, edit.target)
        fold = self.memory == "fold"
        inner = self.editor.write(model, state.stream if fold else self.editor.begin(model), edit)
        keys_KD = torch.stack([self.scope.key(model, query, edit.target) for query in (edit.query, *edit.also)])
        keys_ND = keys_KD if state.keys_ND is None else torch.cat([state.keys_ND, keys_KD])
        over = tuple(self._contradicted(model, state, edit))
        held = Held(edit.id, edit.query.digest, len(keys_KD), edit.target, over, None if fold else inner)
        return Memory((*state.held, held), keys_ND, inner if fold else None)

    def forget(self, state: Memory, edit: EditId) -> Memory | None:
        """The memory as if this edit had never been written; an edit that isn't in it changes nothing.

        None where one inner state holds all edits and its editor can't forget one.
        """
        stays = [held.edit != edit for held in state.held]
        if all(stays):
            return state
        stream = None
        if self.memory == "fold":
            stream = self.editor.forget(state.stream, edit) if isinstance(self.editor, Forgets) else None
            if stream is None:
                return None
        held = tuple(
            replace(each, over=tuple(old for old in each.over if old != edit))
            for each, stay in zip(state.held, stays, strict=True)
            if stay
        )
        rows = torch.tensor([stay for each, stay in zip(state.held, stays, strict=True) for _ in range(each.keys)])
        assert state.keys_ND is not None, "A memory that holds an edit holds its keys."
        return Memory(held, state.keys_ND[rows.to(state.keys_ND.device)].clone() if held else None, stream)

    def decide(self, model: Model, state: Memory, query: Query) -> tuple[Found, ...]:
        """The edits in scope, nearest first, at most `k` of them; where none is, the nearest one, with its rho below 0.5.

        None at all only where the memory is empty.

        Raises:
            BadInput: the query can't be put to this model.
        """
        if state.keys_ND is None:
            return ()
        rho_E = self._rho(model, state, query)
        inside = [place for place, rho in enumerate(rho_E) if rho >= INSIDE]
        if not inside:
            nearest = max(range(len(rho_E)), key=lambda place: (rho_E[place], place))
            return (Found(state.held[nearest].edit, rho_E[nearest], nearest),)
        chosen: dict[int, None] = {}  # in order, each once
        for place in sorted(inside, key=lambda place: (-rho_E[place], -place)):
            chosen.setdefault(_heir(state.held, place, inside))
            if len(chosen) == self.k:
                break
        return tuple(Found(state.held[place].edit, rho_E[place], place) for place in chosen)

    def read(self, model: Model, state: Memory, query: Query) -> Patch:
        """What the deciding edit has to say, or nothing where none is in scope; either way with the decision."""
        found = self.decide(model, state, query)
        if not found:
            return NoPatch()
        decision = Decision(found[0].edit, found[0].rho, found[0].rho >= INSIDE)
        if not decision.inside:
            return NoPatch(decision=decision)
        if self.memory == "fold":
            return decided(self.editor.read(model, state.stream, query), decision)
        inner = [state.held[each.place].inner for each in found]
        if isinstance(self.editor, Gathers):
            return decided(self.editor.gather(model, inner, query), decision)
        return decided(self.editor.read(model, inner[0], query), decision)

    def telemetry(self, state: Memory) -> Mapping[str, JSON]:
        """What the inner editor tells of the last write, which earlier edits it contradicts, and how many are in memory."""
        if not state.held:
            return {"in_memory": 0}
        inner = state.stream if self.memory == "fold" else state.held[-1].inner
        last = self.editor.telemetry(inner) if isinstance(self.editor, Explains) else {}
        return {**last, "contradicts": list(state.held[-1].over), "in_memory": len(state.held)}

    def _rho(self, model: Model, state: Memory, query: Query) -> list[float]:
        """The score of each edit: the highest of its keys'."""
        assert state.keys_ND is not None, "Only a memory with edits is asked."
        rho_N: list[float] = self.scope.rho(self.scope.key(model, query), state.keys_ND).tolist()
        if len(rho_N) == len(state.held):
            return rho_N
        ends = list(accumulate(held.keys for held in state.held))
        return [max(rho_N[end - held.keys : end]) for held, end in zip(state.held, ends, strict=True)]

    def _contradicted(self, model: Model, state: Memory, edit: Edit) -> Iterator[EditId]:
        if state.keys_ND is None:
            return
        rho_E = self._rho(model, state, edit.query)
        for held, rho in zip(state.held, rho_E, strict=True):
            if held.asked == edit.query.digest or (rho >= INSIDE and not same(held.target, edit.target)):
                yield held.edit


def _heir(held: Sequence[Held], place: int, inside: Sequence[int]) -> int:
    """Who speaks in an edit's place: the latest in scope that contradicts it, and who contradicts that one; else itself."""
    for later in reversed(inside):
        if later <= place:
            return place
        if held[place].edit in held[later].over:
            return _heir(held, later, inside)
    return place


class Remembers:
    """A registered editor that is a scoped memory: its fields say which, and its verbs are the memory's."""

    def _memory(self) -> Scoped:
        raise NotImplementedError

    def begin(self, model: Model) -> Memory:
        """An empty memory; see `Scoped.begin`."""
        return self._memory().begin(model)

    def write(self, model: Model, state: Memory, edit: Edit) -> Memory:
        """One more edit in memory; see `Scoped.write`."""
        return self._memory().write(model, state, edit)

    def forget(self, state: Memory, edit: EditId) -> Memory | None:
        """The memory as if this edit had never been written; see `Scoped.forget`."""
        return self._memory().forget(state, edit)

    def read(self, model: Model, state: Memory, query: Query) -> Patch:
        """What the deciding edit says, or the model as it is; see `Scoped.read`."""
        return self._memory().read(model, state, query)

    def _named(self, name: str, model: Model) -> Spec:
        """Every field, and the memory that they make."""
        memory = self._memory().spec(model)
        return replace(memory, name=name, fields={**memory.fields, **self.__dict__})
