"""What a scope learns from: pairs of an edit and a query, labelled. Never the answer to the query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from errata.core.benchmark import Case, Pair, Unchanged
from errata.core.canonical import JSON
from errata.core.editor import Trainable
from errata.core.records import Query

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


def pairs(case: Case) -> tuple[Pair, ...]:
    """A case's probes as pairs, where a benchmark doesn't label them itself (`FineGrained`): in scope is what must change.

    The edit's own query is in scope. A probe that another edit entails says nothing of this one, and is left out. Which pairs are
    hard isn't known: none is said to be.
    """
    own = Pair(case.edit, case.edit.query, True, "reliability", False)
    probes = (probe for probe in case.probes if probe.kind not in ("cross_edit", "reliability"))
    return (own, *(Pair(case.edit, each.query, not isinstance(each.expect, Unchanged), each.kind, False) for each in probes))


class ScopeTraining(Trainable[Pair], Protocol):
    """A scope that is trained: its objective is the mean binary cross-entropy of rho, in nats."""

    def spec(self) -> Mapping[str, JSON]:
        """Its kind, every field, and a digest of its weights under "weights"."""
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
