"""A scope that retrieves and reranks: a vector finds the nearest corrections, and the model itself reads each beside the question.

What a model makes of a question alone doesn't say which of its words matter to a correction: that shows when the two are read
together, as a cross-encoder does (Nogueira and Cho, arXiv 1901.04085). The model's own layers are one, once they were taught what
is asked of them: a low-rank write in the lower layers (Hu et al., arXiv 2106.09685), in force for these passes and no other, and a
linear head on the state where an answer would begin,

    p(sort | correction, question) = softmax(H LN(x)),    x the model's state after L layers at the last position of
    "Known: <question corrected>  Answer: <target>  Asked: <question>".

So what a model knows of words, names and what is asked of them is used, and little has to be learned. Only few corrections can be
read: the `looked_at` nearest by the cosine of two vectors, if it is high enough (`retriever`). A correction has one vector for each
of its wordings and one of its question with the target behind it, by which a question finds it that names the value.

It reads the words of the last question, and knows a picture again. A correction on a picture concerns questions about the same
picture, pixel by pixel, or with a `Sight` about one that shows the same, unless it reaches no further than its picture; and, where
it says its subject and reaches beyond its picture, questions in words about that subject. One of a conversation concerns what is
asked after the same turns; what a system message says isn't looked at.

What reads may be another model than the one that is corrected: small, of the same words, and taught already.

Shapes: N questions, B pairs, K keys, D of a vector, C of what tells pictures and conversations apart, S of a sight, I width of the
modules, Q rank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from threading import RLock
from typing import TYPE_CHECKING, Final, cast, final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from errata.core.benchmark import Pair
from errata.core.canonical import JSON
from errata.core.editor import Judged, Kept
from errata.core.errors import BadInput
from errata.core.model import Model, fits
from errata.core.records import Edit, Message, Query
from errata.editors._checkpoints import Base, Checkpoint, Named
from errata.editors._sites import linear, spread
from errata.editors.scoped.memory import named_beside
from errata.editors.scoped.scopes.marks import SIGNS, marks
from errata.editors.scoped.scopes.meant import answered, beyond_its_picture, said, subject, worded
from errata.editors.scoped.scopes.retriever import Retriever, RetrieverTraining
from errata.editors.scoped.scopes.sight import Sight
from errata.editors.scoped.scopes.spelling import aligned
from errata.editors.scoped.scopes.standard import APART, SORTS, check_surely, labels
from errata.nn.patches import Delta, LowRank
from errata.nn.weights import bytes_of, count_of

if TYPE_CHECKING:
    from jaxtyping import Float

KIND: Final = "rerank"
TRAINED_AS: Final = "rerank"

_TOLD: Final = "Compare."
"""What stands in the place of a model's own system prompt, which is longer."""

_READS: Final = RLock()
"""One reads at a time: what is asked may come from several threads, and the write is in force for whoever asks the model."""

_LEAST: Final = 1e-6
"""The cosine of what is unlike, so that it is told from another picture's."""

_FAINT: Final = 0.5
_SEEN: Final = 16.0
"""What a picture's signs and its sight are multiplied with where both tell how near keys lie."""

_FORMS: Final = (1, 2, 3, 4)


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

    form: int = 4
    """How corrections are kept and looked for: 4. 3 is what was before: words are read as they were typed, and looked for once. 2
    before that: one on a picture is read with its subject on that picture, too. And 1: questions alone make vectors, and a picture
    is in scope of nothing but the very same question."""

    def __post_init__(self) -> None:
        if self.form not in _FORMS:
            raise BadInput(f"Corrections are kept in one of the forms {', '.join(map(str, _FORMS))}, not in {self.form}.")
        if min(self.rank, self.depths, self.width, self.vector, self.looked_at) < 1:
            raise BadInput(f"A scope that reranks needs sizes of at least 1, not {self}.")
        if not 0 < self.layers <= 1 or not self.alpha > 0:
            raise BadInput(
                f"A scope that reranks reads with a share of the layers above 0 and at most 1, and alpha above 0, not {self}."
            )


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
        self.nearness = Retriever(depths=sizes.depths, inputs=inputs, width=sizes.width, vector=sizes.vector)
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
        reader: the model that it is for, where another one is corrected; None: both are one.
        sight: what knows pictures again that show the same, for the model that is corrected; None: pixels alone do.
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
        reader: Model | None = None,
        sight: Sight | None = None,
    ) -> None:
        check_surely(surely)
        if sight is not None and sizes.form == 1:
            raise BadInput(
                "What rerank learned first asks about no picture but the very same, and takes no sight. Leave sight out."
            )
        self.sizes, self.surely, self.sight = sizes, surely, sight
        self.base_name, self.base_digest = base.name, base.digest
        self._model, self._reader = model, reader
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
    def load(
        found: Checkpoint,
        *,
        surely: float = 0.5,
        reader: Model | None = None,
        sight: Sight | None = None,
        form: int | None = None,
    ) -> RerankScope:
        """The trained scope of a checkpoint. For which model it is it says when it is first asked.

        Args:
            surely: how likely a correction must concern a question to be in scope, above 0 and below 1.
            reader: the model that it is for, where another one is corrected; None: both are one.
            sight: see `RerankScope`.
            form: how corrections are kept (`RerankSizes.form`); None: as when it was trained.

        Raises:
            BadInput: it isn't what it says.
        """
        try:
            plan = {"form": 1, **found.plan} if form is None else {**found.plan, "form": form}
            sizes = RerankSizes(**plan)  # type: ignore[arg-type]
            inputs = found.tensors["together.norm.weight"].shape[0]
            written = sum(name.startswith("together.a.") for name in found.tensors)
            shapes = [
                (found.tensors[f"together.b.{place}"].shape[0], found.tensors[f"together.a.{place}"].shape[1])
                for place in range(written)
            ]
        except (TypeError, KeyError, IndexError) as error:
            raise found.unknown(error) from None
        base = Named(found.base_name, found.base_digest)
        scope = RerankScope(sizes, shapes=shapes, inputs=inputs, base=base, surely=surely, reader=reader, sight=sight)
        found.fill(scope.net)
        scope.net.train(False)
        return scope

    def spec(self) -> Mapping[str, JSON]:
        """The sizes, and a digest of the weights."""
        beside: dict[str, JSON] = {} if self._reader is None else {"reader": self._reader.digest}
        if self.sight is not None:
            beside["sight"] = dict(self.sight.spec())
        return {"kind": KIND, **self._plan(), "surely": self.surely, "weights": self.learnt().digest, **beside}

    def learnt(self) -> Checkpoint:
        """As it stands now, in half precision: it is used as it is kept."""
        tensors = {name: tensor.half() for name, tensor in self.net.state_dict().items()}
        return Checkpoint(TRAINED_AS, self._plan(), self.base_name, self.base_digest, tensors)

    def _plan(self) -> dict[str, JSON]:
        """The sizes, without what those of the first form didn't say."""
        return {name: value for name, value in asdict(self.sizes).items() if name != "form" or value != 1}

    @property
    def looked_at(self) -> int:
        """See `core.editor.Reranks`."""
        return self.sizes.looked_at

    @property
    def by_target(self) -> bool:
        """See `core.editor.Reranks`: a vector tells one number from another less well than its digits do."""
        return self.sizes.form > 1

    @property
    def again(self) -> bool:
        """See `core.editor.Reranks`."""
        return self.sizes.form > 3

    @property
    def parameters(self) -> int:
        """How many parameters there are."""
        return count_of(self.net)

    @property
    def size(self) -> int:
        """Bytes that they take."""
        return bytes_of(self.net)

    def key(self, model: Model, query: Query, target: str | None = None) -> Float[Tensor, " K"]:
        """The vector of a question, an edit's without its answer, and behind it what tells its pictures and turns from others, and
        the sight.

        Raises:
            BadInput: it was trained for another model, or the query can't be put to this one.
        """
        asked = query if self.sizes.form == 1 else worded(query.text)
        return self._keys(model, [(asked, self._codes(model, query))])[0]

    def key_of(self, model: Model, query: Query, text: str) -> Float[Tensor, " K"]:
        """See `core.editor.Reranks`."""
        return self._keys(model, [(worded(text), self._codes(model, query))])[0]

    def _keys(self, model: Model, asked: Sequence[tuple[Query, Tensor]]) -> Float[Tensor, "N K"]:
        """The keys of some questions, each with its codes."""
        places = self._fits(model)
        seen = torch.tensor([bool(query.images) for query, _ in asked])  # of the first form; nothing is known of them
        with _READS, torch.no_grad():
            queries = [worded(query.text) if query.images else query for query, _ in asked]
            found = self._read_by(model).states(queries, [None] * len(asked), places.seen, as_loaded=True)
            vectors_ND: Tensor = self.net.nearness(found)
        vectors_ND[seen] = 0
        return torch.cat([vectors_ND.float(), torch.stack([code_C for _, code_C in asked]).to(vectors_ND.device)], -1)

    def kept(self, model: Model, edit: Edit) -> Kept:
        """See `core.editor.Reranks`."""
        return self.kept_of(model, [edit])[0]

    def kept_of(self, model: Model, edits: Sequence[Edit]) -> list[Kept]:
        """The same of several, read together."""
        made = [self._rows(model, edit) for edit in edits]
        keys_ND = self._keys(model, [row for _, rows in made for row in rows])
        found = []
        for edit, (words, rows), keys_KD in zip(edits, made, torch.split(keys_ND, [len(rows) for _, rows in made]), strict=True):
            apart = self.sizes.form > 2
            own = (edit.query if apart and edit.query.images else rows[0][0], keys_KD[0])
            if self.sizes.form == 1 or not beyond_its_picture(edit):
                found.append(Kept(keys_KD, words, (own,)))
                continue
            seen_KD, unseen_KD = keys_KD.clone().chunk(2) if apart else (keys_KD, keys_KD.clone())
            unseen_KD[:, self.sizes.vector : self.sizes.vector + SIGNS] = 0
            unseen_KD[:, self._turns_end :] = 0
            asks = (own, (rows[-len(unseen_KD)][0], unseen_KD[0]))
            found.append(Kept(torch.cat([seen_KD, unseen_KD]), words, asks, (apart and edit.subject) or ""))
        return found

    def _rows(self, model: Model, edit: Edit) -> tuple[tuple[str, ...], list[tuple[Query, Tensor]]]:
        """What an edit asks in each of its wordings, and what its keys are of: of one that is meant beyond its picture first as it
        is asked there, then with its subject, as it is meant where no picture is shown."""
        queries = (edit.query, *edit.also)
        asked = tuple(query.text for query in queries)
        codes = [self._codes(model, query, alike=edit.reach != "image") for query in queries]
        if self.sizes.form == 1:
            return asked, list(zip(queries, codes, strict=True))
        named = tuple(named_beside(text, subject(edit)) for text in asked)
        apart = self.sizes.form > 2 and beyond_its_picture(edit)
        rows = []
        for words in (asked, named) if apart else (named,):
            rows += [(worded(text), code_C) for text, code_C in zip(words, codes, strict=True)]
            rows.append((worded(answered(words[0], edit)), codes[0]))
        return asked if apart else named, rows

    def _codes(self, model: Model, query: Query, *, alike: bool = True) -> Float[Tensor, " C"]:
        """What stands behind a query's vector; `alike`: pictures that show the same are meant, too."""
        if self.sizes.form == 1:
            return torch.zeros(0)
        codes = [marks(model, query)]
        if self.sight is not None:
            codes.append(self.sight.of(model, query) if alike else torch.zeros(self.sight.width))
        return torch.cat(codes)

    @property
    def _turns_end(self) -> int:
        """Where a key's sight begins."""
        return self.sizes.vector + 2 * SIGNS

    def rho(self, asked_D: Float[Tensor, " D"], keys_ND: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
        """The cosine, bent so that what is worth reading begins at 0.5, and at 0.75 what is so beside a nearer one; 0 where the
        pictures, or what an edit was said after, are others. Less where a picture only shows the same."""
        end, codes, turns = self.sizes.vector, self.sizes.vector + SIGNS, self._turns_end
        cosine_N = (keys_ND[:, :end] * asked_D[:end]).sum(-1)  # row by row: a matrix product may sum otherwise for another N
        cosine_N = cosine_N.clamp(0 if self.sizes.form == 1 else _LEAST, 1)
        known_N = (keys_ND[:, end:codes] == asked_D[end:codes]).all(-1)
        if self.sight is not None and bool(asked_D[turns:].any()):
            alike_N = (keys_ND[:, turns:] * asked_D[turns:]).sum(-1)
            cosine_N = torch.where(known_N, cosine_N, cosine_N * (1 + alike_N.clamp(0, 1)) / 2)
            known_N |= alike_N >= self.sight.least
        known_N &= ((keys_ND[:, codes:turns] == 0) | (keys_ND[:, codes:turns] == asked_D[codes:turns])).all(-1)
        cosine_N = torch.where(known_N, cosine_N, torch.zeros_like(cosine_N))
        alone, beside = self.net.nearness.get_buffer("worth_2").clamp(0.01, 0.99).tolist()
        near_N = torch.where(cosine_N < alone, 0.5 * cosine_N / alone, 0.5 + 0.25 * (cosine_N - alone) / (beside - alone))
        return torch.where(cosine_N < beside, near_N, 0.75 + 0.25 * (cosine_N - beside) / (1 - beside))

    def near(self, keys_KD: Float[Tensor, "K D"]) -> Float[Tensor, "K D"]:
        """Vectors as they are: of unit vectors the nearest has the largest product, and signs of pictures that differ lie farther.
        A key of nothing but zeros lies as far from all as what is unlike. Edits of a conversation are nowhere else for that.
        Pictures that show the same lie nearer than others, whatever is asked, for their signs count less beside a sight."""
        end, codes = self.sizes.vector, self.sizes.vector + SIGNS
        lie_KD = keys_KD[:, :codes]
        nothing_K1 = (lie_KD == 0).all(-1, keepdim=True).to(keys_KD)
        if self.sight is None:
            return torch.cat([lie_KD, nothing_K1], -1)
        return torch.cat([keys_KD[:, :end], _FAINT * keys_KD[:, end:codes], nothing_K1, _SEEN * keys_KD[:, self._turns_end :]], -1)

    def judged(self, model: Model, query: Query, corrections: Sequence[tuple[str, str]]) -> list[Judged]:
        """See `core.editor.Reranks`. 1 - p(apart), bent so that `surely` is at 0.5; 0 where both together are too long to read."""
        places = self._fits(model)
        model = self._read_by(model)
        asked = [self._beside(known, target, query.text) for known, target in corrections]
        blind = self.sizes.form == 1 and bool(query.images)
        read = [place for place, each in enumerate(asked) if not blind and fits(model, each)]
        found = [Judged(0.0, "same")] * len(asked)
        if read:
            with _READS, torch.no_grad():
                logits_B5 = self._logits(model, places, [asked[place] for place in read])
            for place, sorts in zip(read, logits_B5.softmax(-1).tolist(), strict=True):
                found[place] = self._judged(sorts)
        return found

    def _beside(self, known: str, target: str, asked: str) -> Query:
        """A correction and a question, to be read together."""
        known, asked = aligned(known, target, asked) if self.again else (known, asked)
        return Query((Message("system", (_TOLD,)), Message("user", (f"Known: {known}\nAnswer: {target}\nAsked: {asked}",))))

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
        if self.sight is not None:
            self.sight.check(model)
        self.learnt().check(
            self._read_by(model),
            instead=f"Train one for this model: errata train {TRAINED_AS} --model MODEL --out FOLDER. Or let the model read that "
            f"it was trained for: reader={self.base_name}.",
        )

    def _read_by(self, model: Model) -> Model:
        return self._reader or model

    def _fits(self, model: Model) -> _Places:
        if self._places is None:
            self.check(model)
            self._places = _Places.of(self._read_by(model), self.sizes)
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
        asked = [self._beside(said(pair.edit), pair.edit.target, pair.query.text) for pair in pairs]
        return self._logits(self._model, self._fits(self._model), asked, graph=graph)

    def asks(self, edit: Edit) -> list[Query]:
        """What the vectors of a correction are of, in a training."""
        text = said(edit)
        return [Query.ask(text), Query.ask(answered(text, edit))] if self.sizes.form > 1 else [edit.query]

    def nearness(self) -> RetrieverTraining:
        """What finds the nearest, to be trained by itself before."""
        assert self._model is not None, "only a scope that is trained reads by itself"
        return RetrieverTraining(self, self._model, self._fits(self._model).seen)


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
