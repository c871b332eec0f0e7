"""What both learned scopes do with what they see: compare, be trained on pairs, be asked.

Shapes: N pairs or keys, Z width of what a scope makes of a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from errata.core.benchmark import Pair
from errata.editors.scoped.scopes.pairs import read, sides
from errata.nn.weights import bytes_of, count_of

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from errata.core.model import Model
    from errata.core.records import Query
    from errata.editors.scoped.scopes.similarity import Alike, Logs


class LearnedNet(nn.Module):
    """Everything that a scope learns."""

    alike: Alike
    """What compares how two queries look."""


class LearnedScope:
    """A scope whose net tells how a query looks, and how alike two of them are."""

    net: LearnedNet

    def _see(self, asked: Sequence[tuple[Query, str]]) -> Float[Tensor, "N Z"]:
        """What each query looks like, with the words that are read of it."""
        raise NotImplementedError

    def key(self, model: Model, query: Query, target: str | None = None) -> Float[Tensor, " Z"]:
        """What a query looks like, an edit's with its answer."""
        with torch.no_grad():
            return self._see([(query, read(query, target))])[0]

    def rho(self, asked_D: Float[Tensor, " Z"], keys_ND: Float[Tensor, "N Z"]) -> Float[Tensor, " N"]:
        """See the top of the scope's file."""
        with torch.no_grad():
            return self._logs(keys_ND, asked_D.expand_as(keys_ND)).rho_N

    @property
    def parameters(self) -> int:
        """How many parameters there are."""
        return count_of(self.net)

    @property
    def size(self) -> int:
        """Bytes that they take."""
        return bytes_of(self.net)

    def near(self, keys_KZ: Float[Tensor, "K Z"]) -> Float[Tensor, "K Z"] | None:
        """See `core.editor.Nears`."""
        return self.net.alike.near(keys_KZ)

    def trainee(self) -> nn.Module:
        """Everything that is learned."""
        return self.net

    def objective(self, examples: Sequence[Pair]) -> Float[Tensor, ""]:
        """See `pairs.ScopeTraining`."""
        logs = self._both(examples)
        return logs.cross_entropy(torch.tensor([pair.in_scope for pair in examples], device=logs.inside_N.device))

    def scored(self, pairs: Sequence[Pair]) -> Float[Tensor, "N"]:
        """See `pairs.ScopeTraining`."""
        with torch.no_grad():
            return self._both(pairs).rho_N.cpu()

    def _both(self, pairs: Sequence[Pair]) -> Logs:
        edits, queries = sides(pairs)
        seen = self._see([*edits, *queries])
        return self._logs(seen[: len(edits)], seen[len(edits) :])

    def _logs(self, a_NZ: Tensor, b_NZ: Tensor) -> Logs:
        logs: Logs = self.net.alike(a_NZ, b_NZ)
        return logs
