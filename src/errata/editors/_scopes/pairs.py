"""What a scope learns from: an edit and a query, and whether the query is in the edit's scope. Never the answer to the query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from errata.core.benchmark import Case, Unchanged
from errata.core.canonical import JSON
from errata.core.records import Edit, Query

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn


@dataclass(frozen=True)
class Pair:
    """One example."""

    edit: Edit
    query: Query
    inside: bool


def pairs(case: Case) -> tuple[Pair, ...]:
    """A case's probes as examples: in scope where the answer must change, out of it where it must stay as before.

    The edit's own query is in scope. A probe that another edit entails says nothing of this one, and is left out.
    """
    own = Pair(case.edit, case.edit.query, True)
    probes = (probe for probe in case.probes if probe.kind not in ("cross_edit", "reliability"))
    return (own, *(Pair(case.edit, probe.query, not isinstance(probe.expect, Unchanged)) for probe in probes))


class Learner(Protocol):
    """A scope that is trained. `engine.scopes` trains it, through `engine.fit`."""

    @property
    def net(self) -> nn.Module:
        """All that is learned."""
        ...

    def spec(self) -> Mapping[str, JSON]: ...

    def save(self, folder: Path) -> None:
        """Write it, as it is opened again."""
        ...

    def loss(self, pairs: Sequence[Pair]) -> Float[Tensor, ""]:
        """Mean binary cross-entropy of rho, in nats."""
        ...

    def cost(self, pairs: Sequence[Pair]) -> float:
        """`loss`, without a graph."""
        ...

    def scored(self, pairs: Sequence[Pair]) -> Float[Tensor, "N"]:
        """rho of each pair, without a graph."""
        ...


def sides(pairs: Iterable[Pair]) -> tuple[list[tuple[Query, str]], list[tuple[Query, str]]]:
    """Some pairs' two sides, each a query and what a scope reads of it: the edit's with its answer, the query's without."""
    listed = list(pairs)
    edits = [(pair.edit.query, read(pair.edit.query, pair.edit.target)) for pair in listed]
    return edits, [(pair.query, read(pair.query, None)) for pair in listed]


def read(query: Query, target: str | None) -> str:
    """What a learned scope reads: a question, and of an edit its answer after it, as SERAC has it."""
    return query.text if target is None else f"{query.text} {target}"
