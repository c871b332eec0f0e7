"""A scope over what a model's own layers make of a question: late interaction between two questions' tokens, at several depths.

One threshold on one layer can't tell "the same subject in other words" from "another subject in the same words": on a language
model the second is often nearer. What tells them apart is spread over depths, the subject in the middle, the relation late. So each
position x_t of a question and of a correction is projected at P depths, z_tp = W_p (x_tp - mean_p) / deviation_p, to unit length,

    S_abp = <z_ap, z'_bp>,   w_ab = softmax_b(4 sum_p alpha_p S_abp),
    c_a = C([sum_b w_ab S_ab, max_b S_ab, u_a, u'_a, |u_a - u'_a|])

with u_a = U z_a and u'_a = U sum_b w_ab z'_b: each token against the other question's, softly aligned (Parikh et al., arXiv
1606.01933; the maxima are ColBERT's, Khattab and Zaharia, arXiv 2004.12832). The c are pooled both ways, by weight and by maximum;
with the states where the answers begin, and how near the question's tokens come to the correction's answer, a small net says how
the correction concerns the question: five logits, one for each `Sort`. rho is 1 - p(apart).

A key is the projected states laid end to end, so that a correction's are worked out once, at its write.

Shapes: N pairs or questions, A and B positions of the two, T positions that are kept, K of a target, P depths, I width of the
modules, R of a projection, U of a summary, H hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, cast, final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from errata.core.benchmark import Pair
from errata.core.canonical import JSON
from errata.core.editor import Sort
from errata.core.errors import BadInput
from errata.core.model import Model, States
from errata.core.records import Query
from errata.editors._checkpoints import Base, Checkpoint, Named
from errata.editors._sites import spread
from errata.editors.scoped.scopes.standard import APART, FAR, SORTS, Standard, check_surely, half, labels
from errata.nn.weights import bytes_of, count_of

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

KIND: Final = "states"
TRAINED_AS: Final = "states"
_AT_ONCE: Final = 256
"""Pairs that are compared at once."""

_HARD: Final = 0.25
"""The share of the pairs out of scope that a step learns from: those that it gets wrong most."""


@dataclass(frozen=True)
class StateSizes:
    """How large the scope is."""

    depths: int = 7
    """P: decoder layers that are read, evenly spread, >= 1."""

    width: int = 48
    """R, >= 1."""

    length: int = 40
    """T: positions of a question that are kept, >= 2; the middle of a longer one is left out."""

    answer: int = 8
    """K: positions of a correction's answer that are kept, >= 1."""

    summary: int = 32
    """U, >= 1."""

    hidden: int = 64
    """H, >= 1."""

    def __post_init__(self) -> None:
        if min(self.depths, self.width, self.answer, self.summary, self.hidden) < 1 or self.length < 2:
            raise BadInput(f"A scope over states needs sizes of at least 1, and a length of at least 2, not {self}.")


class _Seen(NamedTuple):
    """Some questions or corrections, projected. What isn't there is zero."""

    asked_NTPR: Float[Tensor, "N T P R"]
    there_NT: Bool[Tensor, "N T"]
    begins_NPR: Float[Tensor, "N P R"]
    answer_NKPR: Float[Tensor, "N K P R"]
    said_NK: Bool[Tensor, "N K"]

    def at(self, rows_M: Int[Tensor, " M"]) -> _Seen:
        return _Seen(*(each[rows_M] for each in self))


class _StatesNet(Standard):
    """Everything that is learned, and the statistics of what it reads."""

    def __init__(self, sizes: StateSizes, inputs: int) -> None:
        p, r, u, h = sizes.depths, sizes.width, sizes.summary, sizes.hidden
        super().__init__(p, inputs, r)
        self.sizes = sizes
        self.alpha = nn.Parameter(torch.full((p,), 2.0))
        self.summary = nn.Linear(p * r, u)
        self.compare = nn.Sequential(nn.Linear(2 * p + 3 * u, h), nn.GELU(), nn.Dropout(0.1), nn.Linear(h, h))
        self.weigh = nn.Linear(h, 1)
        self.begun = nn.Sequential(nn.Linear(p + p * r, h), nn.GELU())
        self.answered = nn.Sequential(nn.Linear(2 * p, h // 2), nn.GELU())
        self.judge = nn.Sequential(nn.Linear(5 * h + h // 2, 96), nn.GELU(), nn.Dropout(0.1), nn.Linear(96, len(SORTS)))

    def see(self, states: Sequence[States], *, whole: bool = False) -> _Seen:
        """What each question looks like; with `whole` at as many positions as are kept at most, whatever they are."""
        asked, there = self._filled(
            [_middle_out(each.asked_TPI, self.sizes.length) for each in states], self.sizes.length if whole else 1
        )
        answer, said = self._filled([each.target_KPI[: self.sizes.answer] for each in states], self.sizes.answer if whole else 1)
        begins = self.seen(torch.stack([each.begins_PI for each in states]), "begins")
        return _Seen(asked, there, begins, answer, said)

    def forward(self, a: _Seen, b: _Seen) -> Float[Tensor, "N 5"]:
        """Logits of each sort; a the questions, b the corrections."""
        s_NABP = torch.einsum("napr,nbpr->nabp", a.asked_NTPR, b.asked_NTPR)
        begins_NPR = a.begins_NPR * b.begins_NPR
        root = self.sizes.width**0.5
        near_NKP = torch.einsum("napr,nkpr->nakp", a.asked_NTPR, b.answer_NKPR)
        near_NKP = near_NKP.masked_fill(~a.there_NT[:, :, None, None], -1).amax(1)
        none_NK1 = ~b.said_NK[..., None]
        mean_NP = near_NKP.masked_fill(none_NK1, 0).sum(1) / b.said_NK.sum(1, keepdim=True).clamp(min=1)
        return cast(
            "Tensor",
            self.judge(
                torch.cat(
                    [
                        self._against(a, b, s_NABP),
                        self._against(b, a, s_NABP.transpose(1, 2)),
                        self.begun(torch.cat([begins_NPR.sum(-1), begins_NPR.flatten(1) * root], -1)),
                        self.answered(torch.cat([mean_NP, near_NKP.masked_fill(none_NK1, 1).amin(1)], -1)),
                    ],
                    -1,
                )
            ),
        )

    def _against(self, a: _Seen, b: _Seen, s_NABP: Float[Tensor, "N A B P"]) -> Float[Tensor, "N 2H"]:
        """Each of a's tokens against b's, pooled by weight and by maximum."""
        w_NAB = softmax(4 * (s_NABP * self.alpha).sum(-1).masked_fill(~b.there_NT[:, None], FAR), -1)
        aligned_NAPR = torch.einsum("nab,nbpr->napr", w_NAB, b.asked_NTPR)
        near_NAP = torch.einsum("nab,nabp->nap", w_NAB, s_NABP)
        most_NAP = s_NABP.masked_fill(~b.there_NT[:, None, :, None], -1).amax(2)
        own_NAU, other_NAU = self.summary(a.asked_NTPR.flatten(2)), self.summary(aligned_NAPR.flatten(2))
        c_NAH = self.compare(torch.cat([near_NAP, most_NAP, own_NAU, other_NAU, (own_NAU - other_NAU).abs()], -1))
        gone_NA = ~a.there_NT
        share_NA = softmax(self.weigh(c_NAH).squeeze(-1).masked_fill(gone_NA, FAR), -1)
        return torch.cat([(share_NA[..., None] * c_NAH).sum(1), c_NAH.masked_fill(gone_NA[..., None], FAR).amax(1)], -1)

    def _filled(self, parts: Sequence[Tensor], length: int) -> tuple[Tensor, Tensor]:
        """Rows of several lengths, projected, with zeros behind, at least so long; and what is there."""
        lengths = [len(part) for part in parts]
        longest = max(length, *lengths)
        rows = torch.split(self.seen(torch.cat(list(parts)), "asked"), lengths)
        z_NLPR = torch.stack([nn.functional.pad(row, (0, 0, 0, 0, 0, longest - len(row))) for row in rows])
        there_NL = torch.arange(longest, device=z_NLPR.device) < torch.tensor(lengths, device=z_NLPR.device)[:, None]
        return z_NLPR, there_NL


@final
class StatesScope:
    """See the top of this file. Its weights are fixed after training.

    Args:
        sizes: how large it is.
        inputs: I.
        base: the model that it is for.
        seed: draws the weights before training.
        model: whose states a training reads.
        surely: how likely a correction must concern a question to be in scope.
    """

    def __init__(
        self, sizes: StateSizes, *, inputs: int, base: Base, seed: int = 0, model: Model | None = None, surely: float = 0.5
    ) -> None:
        check_surely(surely)
        self.sizes = sizes
        self.surely = surely
        self.base_name, self.base_digest = base.name, base.digest
        self._model = model
        self._paths: tuple[str, ...] = ()
        self._held: dict[tuple[str, str | None], States] = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net: _StatesNet = _StatesNet(sizes, inputs)

    @staticmethod
    def of(model: Model, sizes: StateSizes | None = None, *, seed: int = 0) -> StatesScope:
        """One that knows nothing yet, to be trained for a model.

        Raises:
            BadInput: the model has fewer decoder layers than depths are wanted.
        """
        wanted = sizes or StateSizes()
        module = model.module(spread(model, wanted.depths)[0])
        assert isinstance(module, nn.Linear), "what may be written is linear"
        return StatesScope(wanted, inputs=module.in_features, base=model, seed=seed, model=model)

    def spec(self) -> Mapping[str, JSON]:
        """The sizes, and a digest of the weights."""
        return {"kind": KIND, **asdict(self.sizes), "surely": self.surely, "weights": self.learnt().digest}

    @staticmethod
    def load(found: Checkpoint, *, surely: float = 0.5) -> StatesScope:
        """The trained scope of a checkpoint. For which model it is it says when it is first asked.

        Args:
            surely: how likely a correction must concern a question to be in scope, above 0 and below 1.

        Raises:
            BadInput: it isn't what it says.
        """
        try:
            sizes = StateSizes(**found.plan)  # type: ignore[arg-type]
            inputs = found.tensors["project_asked"].shape[1]
        except (TypeError, KeyError) as error:
            raise found.unknown(error) from None
        scope = StatesScope(sizes, inputs=inputs, base=Named(found.base_name, found.base_digest), surely=surely)
        found.fill(scope.net)
        scope.net.train(False)
        return scope

    def learnt(self) -> Checkpoint:
        """As it stands now."""
        return Checkpoint(TRAINED_AS, asdict(self.sizes), self.base_name, self.base_digest, self.net.state_dict())

    def key(self, model: Model, query: Query, target: str | None = None) -> Float[Tensor, " D"]:
        """The projected states of a question, an edit's with its answer's.

        Raises:
            BadInput: it was trained for another model, or the query can't be put to this one.
        """
        if not self._paths:
            self.check(model)
            self._paths = spread(model, self.sizes.depths)
        with torch.no_grad():
            seen = self.net.see(model.states([query], [target], self._paths), whole=True)
            return torch.cat([each[0].flatten().float() for each in seen])

    def check(self, model: Model) -> None:
        """See `core.editor.Bound`."""
        self.learnt().check(model, instead="Train one for this model: errata train states --model MODEL --out FOLDER.")

    def rho(self, asked_D: Float[Tensor, " D"], keys_ND: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
        """1 - p(apart), bent so that `surely` is at 0.5, 0 at 0 and 1 at 1."""
        likely_N = 1 - self._sorts(asked_D, keys_ND)[:, APART]
        above_N = 0.5 + 0.5 * (likely_N - self.surely) / (1 - self.surely)
        return torch.where(likely_N >= self.surely, above_N, 0.5 * likely_N / self.surely)

    def sort(self, asked_D: Float[Tensor, " D"], key_D: Float[Tensor, " D"]) -> Sort:
        """See `core.editor.Sorts`."""
        return SORTS[int(self._sorts(asked_D, key_D[None])[0, :APART].argmax())]

    @property
    def parameters(self) -> int:
        """How many parameters there are."""
        return count_of(self.net)

    @property
    def size(self) -> int:
        """Bytes that they take."""
        return bytes_of(self.net)

    def trainee(self) -> nn.Module:
        """Everything that is learned."""
        return self.net

    def look(self, asked: Iterable[tuple[Query, str | None]]) -> None:
        """Read some questions and corrections ahead of a training, and take the statistics of what is read from them."""
        new = list({(query.digest, target): (query, target) for query, target in asked}.items())
        states = self._read([asked for _, asked in new])
        self._held.update((name, half(each)) for (name, _), each in zip(new, states, strict=True))
        self.net.look(list(self._held.values()))

    def _read(self, asked: Sequence[tuple[Query, str | None]]) -> Sequence[States]:
        assert self._model is not None, "only a scope that is trained reads by itself"
        paths = spread(self._model, self.sizes.depths)
        return self._model.states([query for query, _ in asked], [target for _, target in asked], paths)

    def objective(self, examples: Sequence[Pair]) -> Float[Tensor, ""]:
        """Mean cross-entropy of the sorts, in nats: of the pairs in scope, and of those out of it that it gets wrong most."""
        logits_N5, sorts_N = self._judged(examples), labels(examples)
        losses_N = cross_entropy(logits_N5, sorts_N, reduction="none")
        inside, outside = losses_N[sorts_N != APART], losses_N[sorts_N == APART]
        if self.net.training and len(outside):
            outside = outside.topk(max(1, int(_HARD * len(outside)))).values
        found = [each.mean() for each in (inside, outside) if len(each)]
        return torch.stack(found).mean()

    def scored(self, pairs: Sequence[Pair]) -> Float[Tensor, "N"]:
        """See `pairs.ScopeTraining`."""
        with torch.no_grad():
            return 1 - self._judged(pairs).softmax(-1)[:, APART].cpu()

    def _judged(self, pairs: Sequence[Pair]) -> Float[Tensor, "N 5"]:
        edits = {(pair.edit.query.digest, pair.edit.target): (pair.edit.query, pair.edit.target) for pair in pairs}
        asked = {pair.query.digest: (pair.query, None) for pair in pairs}
        places_E, places_Q = ({name: place for place, name in enumerate(each)} for each in (edits, asked))
        seen_E, seen_Q = (self.net.see([self._states(*each) for each in them.values()]) for them in (edits, asked))
        rows_E = torch.tensor([places_E[pair.edit.query.digest, pair.edit.target] for pair in pairs])
        rows_Q = torch.tensor([places_Q[pair.query.digest] for pair in pairs])
        logits: Tensor = self.net(seen_Q.at(rows_Q), seen_E.at(rows_E))
        return logits

    def _states(self, query: Query, target: str | None) -> States:
        name = (query.digest, target)
        if name not in self._held:
            self._held[name] = half(self._read([(query, target)])[0])
        return self._held[name]

    def _sorts(self, asked_D: Float[Tensor, " D"], keys_ND: Float[Tensor, "N D"]) -> Float[Tensor, "N 5"]:
        asked = self._laid_out(asked_D[None])
        with torch.no_grad():
            found = [
                self.net(_Seen(*(each.expand(len(part), *each.shape[1:]) for each in asked)), self._laid_out(part)).softmax(-1)
                for part in torch.split(keys_ND.float(), _AT_ONCE)
            ]
        return torch.cat(found)

    def _laid_out(self, keys_ND: Float[Tensor, "N D"]) -> _Seen:
        """Keys as they were before they were laid end to end."""
        p, r, t, k = self.sizes.depths, self.sizes.width, self.sizes.length, self.sizes.answer
        sizes = [t * p * r, t, p * r, k * p * r, k]
        asked, there, begins, answer, said = torch.split(keys_ND, sizes, dim=1)
        n = len(keys_ND)
        return _Seen(asked.reshape(n, t, p, r), there > 0.5, begins.reshape(n, p, r), answer.reshape(n, k, p, r), said > 0.5)


def _middle_out(x_TPI: Float[Tensor, "T P I"], length: int) -> Float[Tensor, "T P I"]:
    """At most so many positions: those at the beginning and at the end."""
    if len(x_TPI) <= length:
        return x_TPI
    return torch.cat([x_TPI[: length // 2], x_TPI[-(length - length // 2) :]])
