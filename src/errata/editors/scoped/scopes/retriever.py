"""What finds the corrections that may be worth reading beside a question: a vector of each, and how it is taught.

A vector is made of a model's states at several depths, of a question's words (a weighted mean, and the maxima) and of where the
answer begins. It is taught by contrast, with other corrections' questions as what isn't meant (Karpukhin et al., arXiv 2004.04906),
and then says which corrections a reader will be shown by mistake: what that has to tell apart (Xiong et al., arXiv 2007.00808).

Shapes: N questions, E corrections, W vectors of a correction, T positions, P depths, I width of the modules, R of a projection, F
of what a vector is made of, D of a vector.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, final

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize, pad

from errata.core.benchmark import Pair
from errata.core.canonical import JSON
from errata.core.model import Model, States
from errata.core.records import Edit, Query
from errata.editors._checkpoints import Checkpoint
from errata.editors.scoped.scopes.standard import FAR, Standard, half

if TYPE_CHECKING:
    from jaxtyping import Float, Int

KIND: Final = "rerank-nearness"
"""What is written while it is taught: no scope to be used yet, and not called one."""

_KEPT: Final = (0.99, 0.95)
"""The share of pairs that ask the same, or whether it is so, whose correction must be near enough to be read if it is the nearest,
and to be read beside others."""

_OF_ONE: Final = ("same", "yes", "no")
"""Sorts of questions that are about one correction and no other."""

_BACK: Final = ("follows", "reverse")
"""Kinds of those from a value to its subject: about every correction to that value."""


class Retriever(Standard):
    """What a vector is made by.

    Args:
        depths: P.
        inputs: I.
        width: R.
        vector: D.
    """

    def __init__(self, *, depths: int, inputs: int, width: int, vector: int) -> None:
        p, r = depths, width
        super().__init__(p, inputs, r)
        self.weigh = nn.Linear(p * r, 1)
        self.straight = nn.Linear(3 * p * r, vector)
        self.bent = nn.Sequential(nn.Dropout(0.1), nn.Linear(3 * p * r, 512), nn.GELU(), nn.Linear(512, vector))
        self.sharpness = nn.Parameter(torch.tensor(math.log(20.0)))
        self.bias = nn.Parameter(torch.tensor(-10.0))
        self.register_buffer("worth_2", torch.tensor([0.2, 0.4]))

    def forward(self, states: Sequence[States]) -> Float[Tensor, "N D"]:
        """Unit vectors."""
        lengths = torch.tensor([len(each.asked_TPI) for each in states])
        longest = int(lengths.max())
        rows = [pad(each.asked_TPI.float(), (0, 0, 0, 0, 0, longest - len(each.asked_TPI))) for each in states]
        x_NTPI = torch.stack(rows).to(self.sharpness.device)
        gone_NT = torch.arange(longest) >= lengths[:, None]
        z_NTF = self.seen(x_NTPI, "asked").flatten(2)
        share_NT = self.weigh(z_NTF).squeeze(-1).masked_fill(gone_NT, FAR).softmax(-1)
        most_NF = z_NTF.masked_fill(gone_NT[..., None], -1).amax(1)
        begins_NPI = torch.stack([each.begins_PI.float() for each in states]).to(self.sharpness.device)
        begins_NF = self.seen(begins_NPI, "begins").flatten(1)
        made_NF = torch.cat([(share_NT[..., None] * z_NTF).sum(1), most_NF, begins_NF], -1)
        return normalize(self.straight(made_NF) + self.bent(made_NF), dim=-1)


class _Nets(Protocol):
    @property
    def nearness(self) -> Retriever: ...


class Retrieves(Protocol):
    """A scope that finds the nearest corrections by a vector."""

    @property
    def net(self) -> _Nets: ...

    def spec(self) -> Mapping[str, JSON]: ...

    def learnt(self) -> Checkpoint: ...

    def asks(self, edit: Edit) -> list[Query]:
        """What a correction's vectors are of, as many of each."""
        ...


@final
class RetrieverTraining:
    """The vectors of a scope that reranks, taught by contrast: each question's own correction among those of a batch, and among the
    batch's questions those that a correction concerns. All that is read is read once."""

    def __init__(self, scope: Retrieves, model: Model, paths: tuple[str, ...]) -> None:
        self._scope, self._net, self._model, self._paths = scope, scope.net.nearness, model, paths
        self._held: dict[str, States] = {}

    def spec(self) -> Mapping[str, JSON]:
        """What it is of."""
        return {**self._scope.spec(), "kind": KIND}

    def trainee(self) -> nn.Module:
        """What makes vectors."""
        return self._net

    def learnt(self) -> Checkpoint:
        """The whole scope's weights, of which these are a part: no scope to be used yet, and not called one."""
        return replace(self._scope.learnt(), kind=KIND)

    def look(self, pairs: Sequence[Pair], *, bfloat16: bool = False) -> None:
        """Read every question and correction, on a CPU in bfloat16 if wanted, and take the statistics of what is read."""
        asked = {query.digest: query for pair in pairs for query in (*self._scope.asks(pair.edit), pair.query)}
        self._held = {}
        for names in _parts(list(asked)):
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                found = self._model.states([asked[name] for name in names], [None] * len(names), self._paths)
            self._held |= {name: half(each) for name, each in zip(names, found, strict=True)}
        self._net.look(list(self._held.values()))

    def objective(self, examples: Sequence[Pair]) -> Float[Tensor, ""]:
        """The mean of both contrasts, and of whether each question belongs to each correction, in nats."""
        cosine_EN, own_N, inside_N = self._cosines(examples)
        if not bool(inside_N.any()):
            return 0.0 * cosine_EN.sum()
        sharp_EN = cosine_EN * self._net.sharpness.exp()
        meant = inside_N.nonzero()[:, 0]
        belongs_EN = torch.zeros_like(sharp_EN)
        belongs_EN[own_N[meant], meant] = 1
        # So that a cosine means the same for every question: what is near to nothing must be far from all (arXiv 2303.15343).
        alone = binary_cross_entropy_with_logits(sharp_EN + self._net.bias, belongs_EN, reduction="sum")
        to_edit = cross_entropy(sharp_EN.T[meant], own_N[meant])
        rows = sharp_EN[own_N[meant]]
        others = (own_N[None] == own_N[meant, None]) & inside_N[None]  # other questions that the same correction concerns
        others[torch.arange(len(meant)), meant] = False
        return to_edit + cross_entropy(rows.masked_fill(others, FAR), meant) + alone / len(meant)

    def scored(self, pairs: Sequence[Pair]) -> Float[Tensor, "N"]:
        """The cosine of each pair, without a graph."""
        with torch.no_grad():
            cosine_EN, own_N, _ = self._cosines(pairs)
            return cosine_EN[own_N, torch.arange(len(pairs))]

    def settle(self, pairs: Sequence[Pair]) -> None:
        """What is worth reading: so near that nearly all of these pairs are whose correction answers them itself, by the cosine."""
        found = self.scored([pair for pair in pairs if pair.in_scope and pair.sort != "follows"])
        alone, beside = torch.quantile(found, 1 - torch.tensor(_KEPT)).clamp(0.02, 0.98).tolist()
        self._net.get_buffer("worth_2").copy_(torch.tensor([alone, max(beside, alone + 0.01)]))

    def mined(self, pairs: Sequence[Pair], *, each: int) -> list[Pair]:
        """Of each question about one of these corrections alone, the nearest others that would be read beside it.

        Args:
            pairs: of corrections of which no two are of the same fact.
            each: corrections to a question, at most.
        """
        asked = {pair.query.digest: pair.query for pair in pairs if pair.sort in _OF_ONE or _is_back(pair)}
        edits = {pair.edit.id: pair.edit for pair in pairs}
        places = {name: place for place, name in enumerate(edits)}
        with torch.no_grad():
            cosine_EN = self._between(list(edits.values()), list(asked.values()))
        at = {name: place for place, name in enumerate(asked)}
        to_value: dict[str, list[int]] = {}
        for name, edit in edits.items():
            to_value.setdefault(edit.target.strip().casefold(), []).append(places[name])
        for pair in pairs:
            if pair.query.digest in at and pair.in_scope:
                meant = to_value[pair.edit.target.strip().casefold()] if _is_back(pair) else [places[pair.edit.id]]
                cosine_EN[meant, at[pair.query.digest]] = FAR
        worth, listed = float(self._net.get_buffer("worth_2")[0]), list(edits.values())
        nearest = cosine_EN.topk(min(each, len(edits)), dim=0)
        return [
            Pair(listed[place], query, False, "mined", True, "apart")
            for number, query in enumerate(asked.values())
            for cosine, place in zip(nearest.values[:, number].tolist(), nearest.indices[:, number].tolist(), strict=True)
            if cosine >= worth
        ]

    def _cosines(self, pairs: Sequence[Pair]) -> tuple[Float[Tensor, "E N"], Int[Tensor, " N"], Tensor]:
        """Of each correction with each question, one for a pair; whose each question is; and whether it is in scope."""
        edits = {pair.edit.id: pair.edit for pair in pairs}
        places = {name: place for place, name in enumerate(edits)}
        cosine_EN = self._between(list(edits.values()), [pair.query for pair in pairs])
        own_N = torch.tensor([places[pair.edit.id] for pair in pairs])
        return cosine_EN, own_N, torch.tensor([pair.in_scope for pair in pairs])

    def _between(self, edits: Sequence[Edit], queries: Sequence[Query]) -> Float[Tensor, "E N"]:
        """The cosine of each correction's nearest vector with each question's."""
        rows = [[query.digest for query in self._scope.asks(edit)] for edit in edits]
        names = list(dict.fromkeys([*(name for row in rows for name in row), *(query.digest for query in queries)]))
        vectors = torch.cat([self._net([self._held[name] for name in some]) for some in _parts(names)])
        at = {name: place for place, name in enumerate(names)}
        edits_EWD = vectors[torch.tensor([[at[name] for name in row] for row in rows])]
        asked_ND = vectors[torch.tensor([at[query.digest] for query in queries])]
        return torch.einsum("ewd,nd->ewn", edits_EWD, asked_ND).amax(1)


def _is_back(pair: Pair) -> bool:
    return pair.sort == "follows" and pair.kind in _BACK


def _parts(names: Sequence[str], most: int = 1024) -> Iterator[Sequence[str]]:
    """Some at a time: each is padded to the longest."""
    return (names[start : start + most] for start in range(0, len(names), most))
