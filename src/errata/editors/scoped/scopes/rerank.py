"""A scope that retrieves and reranks: a vector finds the nearest corrections, and the model itself reads each beside the question.

What a model makes of a question alone doesn't say which of its words matter to a correction: that shows when the two are read
together, as a cross-encoder does (Nogueira and Cho, arXiv 1901.04085). The model's own layers are one, once they were taught what
is asked of them: a low-rank write in the lower layers (Hu et al., arXiv 2106.09685), in force for these passes and no other, and a
linear head on the state where an answer would begin,

    p(sort | correction, question) = softmax(H LN(x)),    x the model's state after L layers at the last position of
    "Known: <question corrected>  Answer: <target>  Asked: <question>".

So what a model knows of words, names and what is asked of them is used, and little has to be learned. Only few corrections can be
read: the `looked_at` nearest by the cosine of two vectors, if it is high enough. A vector is made of the states of the same
layers at P depths, of the question's words (a weighted mean, and the maxima) and of where the answer begins, and taught with other
corrections' questions as what isn't meant (Karpukhin et al., arXiv 2004.04906).

It reads words. A correction or a question with a picture is in scope of nothing but itself.

Shapes: N questions, B pairs, E corrections, T positions, P depths, I width of the modules, R of a projection, F of what a vector is
made of, D of a vector, Q rank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final, cast, final

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize, pad

from errata.core.benchmark import Pair
from errata.core.canonical import JSON
from errata.core.editor import Judged
from errata.core.errors import BadInput
from errata.core.model import Model, States, fits
from errata.core.records import Message, Query
from errata.editors._checkpoints import Base, Checkpoint, Named
from errata.editors._sites import linear, spread
from errata.editors.scoped.scopes.standard import APART, FAR, SORTS, Standard, check_surely, half, labels
from errata.nn.patches import Delta, LowRank
from errata.nn.weights import bytes_of, count_of

if TYPE_CHECKING:
    from jaxtyping import Float, Int

KIND: Final = "rerank"
TRAINED_AS: Final = "rerank"
_NEARNESS: Final = "rerank-nearness"
_KEPT: Final = (0.99, 0.95)
"""The share of pairs that ask the same, or whether it is so, whose correction must be near enough to be read if it is the nearest,
and to be read beside others."""

_TOLD: Final = "Compare."
"""What stands in the place of a model's own system prompt, which is longer."""


@dataclass(frozen=True)
class RerankSizes:
    """How large the scope is, and how much of the model it reads with."""

    layers: float = 2 / 3
    """The share of the decoder layers that a pair passes, above 0 and at most 1."""

    rank: int = 16
    """Q of the low-rank write, >= 1."""

    alpha: float = 16.0
    """What is written is scaled by alpha / rank, above 0."""

    depths: int = 5
    """P: layers among them whose states a vector is made of, evenly spread, >= 1."""

    width: int = 64
    """R, >= 1."""

    vector: int = 192
    """D, >= 1."""

    looked_at: int = 4
    """Corrections that are read together with a question, at most, >= 1."""

    def __post_init__(self) -> None:
        if min(self.rank, self.depths, self.width, self.vector, self.looked_at) < 1:
            raise BadInput(f"A scope that reranks needs sizes of at least 1, not {self}.")
        if not 0 < self.layers <= 1 or not self.alpha > 0:
            raise BadInput(
                f"A scope that reranks reads with a share of the layers above 0 and at most 1, and alpha above 0, not {self}."
            )


class _Nearness(Standard):
    """What a vector is made by."""

    def __init__(self, sizes: RerankSizes, inputs: int) -> None:
        p, r = sizes.depths, sizes.width
        super().__init__(p, inputs, r)
        self.weigh = nn.Linear(p * r, 1)
        self.straight = nn.Linear(3 * p * r, sizes.vector)
        self.bent = nn.Sequential(nn.Dropout(0.1), nn.Linear(3 * p * r, 512), nn.GELU(), nn.Linear(512, sizes.vector))
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


class _Together(nn.Module):
    """What the model reads a pair with: a low-rank write, and what is made of the state that it comes to."""

    def __init__(self, sizes: RerankSizes, shapes: Sequence[tuple[int, int]], inputs: int) -> None:
        super().__init__()
        self.scale = sizes.alpha / sizes.rank
        self.a = nn.ParameterList([torch.randn(sizes.rank, width) / width**0.5 for _, width in shapes])
        self.b = nn.ParameterList([torch.zeros(out, sizes.rank) for out, _ in shapes])
        self.norm = nn.LayerNorm(inputs)
        self.head = nn.Linear(inputs, len(SORTS))
        nn.init.zeros_(self.head.weight)

    def patch(self, paths: Sequence[str]) -> LowRank:
        return LowRank({path: Delta(a, self.scale * b) for path, a, b in zip(paths, self.a, self.b, strict=True)})

    def forward(self, x_BI: Float[Tensor, "B I"]) -> Float[Tensor, "B 5"]:
        logits: Tensor = self.head(self.norm(x_BI.float().to(self.norm.weight.device)))
        return logits


class _Net(nn.Module):
    """Everything that is learned."""

    def __init__(self, sizes: RerankSizes, shapes: Sequence[tuple[int, int]], inputs: int) -> None:
        super().__init__()
        self.nearness = _Nearness(sizes, inputs)
        self.together = _Together(sizes, shapes, inputs)


@final
class RerankScope:
    """See the top of this file. Its weights are fixed after training.

    Args:
        sizes: how large it is.
        shapes: (O, I) of each module that the low-rank write is on.
        inputs: I of the states.
        base: the model that it is for.
        seed: draws the weights before training.
        model: that model, for a training.
        surely: how likely a correction must concern a question to be in scope.
    """

    def __init__(
        self,
        sizes: RerankSizes,
        *,
        shapes: Sequence[tuple[int, int]],
        inputs: int,
        base: Base,
        seed: int = 0,
        model: Model | None = None,
        surely: float = 0.5,
    ) -> None:
        check_surely(surely)
        self.sizes, self.surely = sizes, surely
        self.base_name, self.base_digest = base.name, base.digest
        self._model = model
        self._places: _Places | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net: _Net = _Net(sizes, shapes, inputs)

    @staticmethod
    def of(model: Model, sizes: RerankSizes | None = None, *, seed: int = 0) -> RerankScope:
        """One that knows nothing yet, to be trained for a model.

        Raises:
            BadInput: the model has fewer decoder layers than depths are wanted.
        """
        wanted = sizes or RerankSizes()
        places = _Places.of(model, wanted)
        shapes = [(each.out_features, each.in_features) for each in (linear(model, path) for path in places.written)]
        inputs = linear(model, places.read).in_features
        return RerankScope(wanted, shapes=shapes, inputs=inputs, base=model, seed=seed, model=model)

    @staticmethod
    def load(found: Checkpoint, *, surely: float = 0.5) -> RerankScope:
        """The trained scope of a checkpoint. For which model it is it says when it is first asked.

        Args:
            surely: how likely a correction must concern a question to be in scope, above 0 and below 1.

        Raises:
            BadInput: it isn't what it says.
        """
        try:
            sizes = RerankSizes(**found.plan)  # type: ignore[arg-type]
            inputs = found.tensors["together.norm.weight"].shape[0]
            written = sum(name.startswith("together.a.") for name in found.tensors)
            shapes = [
                (found.tensors[f"together.b.{place}"].shape[0], found.tensors[f"together.a.{place}"].shape[1])
                for place in range(written)
            ]
        except (TypeError, KeyError, IndexError) as error:
            raise found.unknown(error) from None
        base = Named(found.base_name, found.base_digest)
        scope = RerankScope(sizes, shapes=shapes, inputs=inputs, base=base, surely=surely)
        found.fill(scope.net)
        scope.net.train(False)
        return scope

    def spec(self) -> Mapping[str, JSON]:
        """The sizes, and a digest of the weights."""
        return {"kind": KIND, **asdict(self.sizes), "surely": self.surely, "weights": self.learnt().digest}

    def learnt(self) -> Checkpoint:
        """As it stands now, in half precision: it is used as it is kept."""
        tensors = {name: tensor.half() for name, tensor in self.net.state_dict().items()}
        return Checkpoint(TRAINED_AS, asdict(self.sizes), self.base_name, self.base_digest, tensors)

    @property
    def looked_at(self) -> int:
        """See `core.editor.Reranks`."""
        return self.sizes.looked_at

    @property
    def parameters(self) -> int:
        """How many parameters there are."""
        return count_of(self.net)

    @property
    def size(self) -> int:
        """Bytes that they take."""
        return bytes_of(self.net)

    def key(self, model: Model, query: Query, target: str | None = None) -> Float[Tensor, " D"]:
        """The vector of a question, an edit's without its answer; nothing but zeros where there is a picture.

        Raises:
            BadInput: it was trained for another model, or the query can't be put to this one.
        """
        places = self._fits(model)
        if query.images:
            return torch.zeros(self.sizes.vector)
        with torch.no_grad():
            vectors_ND: Tensor = self.net.nearness(model.states([query], [None], places.seen))
        return vectors_ND[0].float()

    def rho(self, asked_D: Float[Tensor, " D"], keys_ND: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
        """The cosine, bent so that what is worth reading begins at 0.5, and at 0.75 what is so beside a nearer one."""
        cosine_N = (keys_ND * asked_D).sum(-1).clamp(0, 1)  # row by row: a matrix product may sum otherwise for another N
        alone, beside = self.net.nearness.get_buffer("worth_2").clamp(0.01, 0.99).tolist()
        near_N = torch.where(cosine_N < alone, 0.5 * cosine_N / alone, 0.5 + 0.25 * (cosine_N - alone) / (beside - alone))
        return torch.where(cosine_N < beside, near_N, 0.75 + 0.25 * (cosine_N - beside) / (1 - beside))

    def near(self, keys_KD: Float[Tensor, "K D"]) -> Float[Tensor, "K D"]:
        """As they are: of unit vectors the nearest has the largest product. A key of nothing but zeros lies as far from all as what
        is unlike."""
        nothing_K1 = (keys_KD == 0).all(-1, keepdim=True)
        return torch.cat([keys_KD, nothing_K1.to(keys_KD)], -1)

    def judged(self, model: Model, query: Query, corrections: Sequence[tuple[str, str]]) -> list[Judged]:
        """See `core.editor.Reranks`. 1 - p(apart), bent so that `surely` is at 0.5; 0 where both together are too long to read."""
        places = self._fits(model)
        asked = [_beside(known, target, query.text) for known, target in corrections]
        read = [place for place, each in enumerate(asked) if not query.images and fits(model, each)]
        found = [Judged(0.0, "same")] * len(asked)
        if read:
            with torch.no_grad():
                logits_B5 = self._logits(model, places, [asked[place] for place in read])
            for place, sorts in zip(read, logits_B5.softmax(-1).tolist(), strict=True):
                found[place] = self._judged(sorts)
        return found

    def _judged(self, sorts: Sequence[float]) -> Judged:
        likely = 1 - sorts[APART]
        if likely >= self.surely:
            rho = 0.5 + 0.5 * (likely - self.surely) / (1 - self.surely)
        else:
            rho = min(0.5 * likely / self.surely, math.nextafter(0.5, 0))
        return Judged(rho, max((share, sort) for share, sort in zip(sorts, SORTS, strict=True) if sort != "apart")[1])

    def _logits(self, model: Model, places: _Places, asked: Sequence[Query], *, graph: bool = False) -> Float[Tensor, "B 5"]:
        with self.net.together.patch(places.written).on(model):
            found = model.states(asked, [None] * len(asked), [places.read], graph=graph)
        return cast("Tensor", self.net.together(torch.stack([each.begins_PI[0] for each in found])))

    def check(self, model: Model) -> None:
        """See `core.editor.Bound`."""
        self.learnt().check(model, instead=f"Train one for this model: errata train {TRAINED_AS} --model MODEL --out FOLDER.")

    def _fits(self, model: Model) -> _Places:
        if self._places is None:
            self.check(model)
            self._places = _Places.of(model, self.sizes)
        return self._places

    # What a training needs.

    def trainee(self) -> nn.Module:
        """What reads pairs."""
        return self.net.together

    def objective(self, examples: Sequence[Pair]) -> Float[Tensor, ""]:
        """Mean cross-entropy of the sorts, in nats."""
        return cross_entropy(self._of_pairs(examples, graph=torch.is_grad_enabled()), labels(examples))

    def scored(self, pairs: Sequence[Pair]) -> Float[Tensor, "N"]:
        """See `pairs.ScopeTraining`."""
        with torch.no_grad():
            return 1 - self._of_pairs(pairs).softmax(-1)[:, APART].cpu()

    def _of_pairs(self, pairs: Sequence[Pair], *, graph: bool = False) -> Float[Tensor, "N 5"]:
        assert self._model is not None, "only a scope that is trained reads pairs by itself"
        asked = [_beside(pair.edit.query.text, pair.edit.target, pair.query.text) for pair in pairs]
        return self._logits(self._model, self._fits(self._model), asked, graph=graph)

    def nearness(self) -> NearnessTraining:
        """What finds the nearest, to be trained by itself before."""
        assert self._model is not None, "only a scope that is trained reads by itself"
        return NearnessTraining(self, self._model, self._fits(self._model).seen)


@final
class NearnessTraining:
    """The vectors of a scope that reranks, taught by contrast: each question's own correction among those of a batch, and among the
    batch's questions those that a correction concerns. All that is read is read once."""

    def __init__(self, scope: RerankScope, model: Model, paths: tuple[str, ...]) -> None:
        self._scope, self._model, self._paths = scope, model, paths
        self._held: dict[str, States] = {}

    def spec(self) -> Mapping[str, JSON]:
        """What it is of."""
        return {**self._scope.spec(), "kind": _NEARNESS}

    def trainee(self) -> nn.Module:
        """What makes vectors."""
        return self._scope.net.nearness

    def learnt(self) -> Checkpoint:
        """The whole scope's weights, of which these are a part: no scope to be used yet, and not called one."""
        return replace(self._scope.learnt(), kind=_NEARNESS)

    def look(self, pairs: Sequence[Pair], *, bfloat16: bool = False) -> None:
        """Read every question and correction, on a CPU in bfloat16 if wanted, and take the statistics of what is read."""
        asked = {query.digest: query for pair in pairs for query in (pair.edit.query, pair.query)}
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            found = self._model.states(list(asked.values()), [None] * len(asked), self._paths)
        self._held = {name: half(each) for name, each in zip(asked, found, strict=True)}
        self._scope.net.nearness.look(list(self._held.values()))

    def objective(self, examples: Sequence[Pair]) -> Float[Tensor, ""]:
        """The mean of both contrasts, and of whether each question belongs to each correction, in nats."""
        cosine_EN, own_N, inside_N = self._cosines(examples)
        if not bool(inside_N.any()):
            return 0.0 * cosine_EN.sum()
        sharp_EN = cosine_EN * self._scope.net.nearness.sharpness.exp()
        meant = inside_N.nonzero()[:, 0]
        belongs_EN = torch.zeros_like(sharp_EN)
        belongs_EN[own_N[meant], meant] = 1
        # So that a cosine means the same for every question: what is near to nothing must be far from all (arXiv 2303.15343).
        alone = binary_cross_entropy_with_logits(sharp_EN + self._scope.net.nearness.bias, belongs_EN, reduction="sum")
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
        self._scope.net.nearness.get_buffer("worth_2").copy_(torch.tensor([alone, max(beside, alone + 0.01)]))

    def _cosines(self, pairs: Sequence[Pair]) -> tuple[Float[Tensor, "E N"], Int[Tensor, " N"], Tensor]:
        """Of each correction with each question, one for a pair; whose each question is; and whether it is in scope."""
        rows = {(pair.edit.query.digest, pair.edit.target): pair.edit.query.digest for pair in pairs}
        places = {name: place for place, name in enumerate(rows)}
        asked = list(dict.fromkeys([*rows.values(), *(pair.query.digest for pair in pairs)]))
        vectors = self._scope.net.nearness([self._held[name] for name in asked])
        at = {name: place for place, name in enumerate(asked)}
        edits_ED = vectors[torch.tensor([at[name] for name in rows.values()])]
        asked_ND = vectors[torch.tensor([at[pair.query.digest] for pair in pairs])]
        own_N = torch.tensor([places[pair.edit.query.digest, pair.edit.target] for pair in pairs])
        return edits_ED @ asked_ND.T, own_N, torch.tensor([pair.in_scope for pair in pairs])


@dataclass(frozen=True)
class _Places:
    """Which modules of a model are written and read."""

    written: tuple[str, ...]
    """Those of the low-rank write, all below what is read."""

    read: str
    seen: tuple[str, ...]
    """Those that a vector is made of, by depth."""

    @staticmethod
    def of(model: Model, sizes: RerankSizes) -> _Places:
        last = max(model.groups.values())
        end = min(last, max(1, round(sizes.layers * (last + 1))))
        written = tuple(path for path in model.writable["text"] if model.groups[path] < end)
        read = next(path for path in model.writable["text"] if model.groups[path] == end)
        return _Places(written, read, spread(model, sizes.depths, until=end))


def _beside(known: str, target: str, asked: str) -> Query:
    """A correction and a question, to be read together."""
    return Query((Message("system", (_TOLD,)), Message("user", (f"Known: {known}\nAnswer: {target}\nAsked: {asked}",))))
