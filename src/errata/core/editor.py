"""An editor is a memory: edits are written into its state, queries read a patch from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, runtime_checkable

from errata.core.benchmark import Case
from errata.core.canonical import JSON
from errata.core.model import Model, Patch
from errata.core.records import Edit, EditId, Query, Spec

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn

S = TypeVar("S")
"""The state of an editor: a frozen dataclass of tensors, tuples and edits."""

S_contra = TypeVar("S_contra", contravariant=True)
"""The same where it is only taken, never given back."""


class Editor(Protocol[S]):
    """Three verbs, and a spec that re-creates it.

    Contract: `begin` and `write` are pure (the model and the old state are left as found, bit for bit) and deterministic on one
    machine and one set of versions, so that a state is the fold of its edits.
    """

    def spec(self, model: Model) -> Spec:
        """The name and every field as it results for this model, with the digests of what `begin` draws on."""
        ...

    def begin(self, model: Model) -> S:
        """The state before any edit."""
        ...

    def write(self, model: Model, state: S, edit: Edit) -> S:
        """The state with one more edit in it.

        Raises:
            BadInput: the edit can't be put to this model.
        """
        ...

    def read(self, model: Model, state: S, query: Query) -> Patch:
        """What the state has to say to this query."""
        ...


@runtime_checkable
class Explains(Protocol[S_contra]):
    """An editor that can say what its last write did."""

    def telemetry(self, state: S_contra) -> Mapping[str, JSON]:
        """Numbers on the last write: steps, loss, gate terms, norms, plasticity."""
        ...


@runtime_checkable
class Protects(Protocol):
    """An editor that keeps its writes out of the way of ordinary queries, if it is given some."""

    def protecting(self, pool: Sequence[Query]) -> Self:
        """The same editor, with this pool: queries that no probe of a benchmark touches. Its digest joins the spec."""
        ...


def protected(editor: Editor[S], pool: Sequence[Query]) -> Editor[S]:
    """The editor with a pool of ordinary queries to keep out of the way of, where it can and there are any; else as it is."""
    return editor.protecting(pool) if pool and isinstance(editor, Protects) else editor


@runtime_checkable
class Forgets(Protocol):
    """An editor that can un-write one edit exactly, in constant time. Contract: forget equals the fold without that edit."""

    def forget(self, state: Any, edit: EditId) -> Any: ...


class Trainable(Editor[S], Protocol[S]):
    """An editor that learns to edit; `engine.fit` is the only loop that trains one."""

    def parameters(self) -> Iterable[nn.Parameter]: ...

    def objective(self, model: Model, case: Case) -> Float[Tensor, ""]: ...


class Scope(Protocol):
    """Which edits concern a query."""

    def score(self, model: Model, query: Query, edits: Sequence[Edit]) -> Sequence[float]:
        """rho in [0, 1] for each edit; 0.5 or more is in scope."""
        ...
