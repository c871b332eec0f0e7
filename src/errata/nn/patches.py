"""The patches that there are: nothing, low-rank deltas, replaced weights, another question, another model, an answer as it stands.

Each is a frozen value; `on(model)` puts it in force for the length of a `with` block and leaves the model bit for bit as it was,
with no hook left, also when the block raises. `in_rows` is the batched form: a patch for each row.

Shapes: B rows, T positions, I in-features, O out-features, R rank, S stacked rows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from errata.core.model import ANSWER_TOKENS
from errata.nn.codes import Codes, Reading
from errata.nn.places import check_replaceable, like, place_of, plain

if TYPE_CHECKING:
    from jaxtyping import Float

    from errata.core.model import Decision, Features, Generated, Model, Patch, Positions, Role, Spoken, States, TokenScores
    from errata.core.records import EditId, Query


@final
@dataclass(frozen=True)
class NoPatch:
    """The model as it is."""

    edits: tuple[EditId, ...] = ()
    """Always empty in practice: nobody speaks."""

    decision: Decision | None = None

    def on(self, model: Model) -> AbstractContextManager[Model]:
        """The model, unchanged."""
        return nullcontext(model)


@final
@dataclass(frozen=True, eq=False)
class Delta:
    """y += b (a x): what a low-rank write adds to a linear module. Two are the same only when they are one object."""

    a_RI: Float[Tensor, "R I"]
    """Float32, cast to the module's dtype on use. It may require grad."""

    b_OR: Float[Tensor, "O R"]
    """Float32, cast to the module's dtype on use. It may require grad."""

    def __post_init__(self) -> None:
        fits = self.a_RI.ndim == self.b_OR.ndim == 2 and self.a_RI.shape[0] == self.b_OR.shape[1]
        assert fits, f"A delta needs a [R, I] and b [O, R]; these are {tuple(self.a_RI.shape)} and {tuple(self.b_OR.shape)}."

    @property
    def shape(self) -> tuple[int, int]:
        """(O, I): what weight it is added beside."""
        return self.b_OR.shape[0], self.a_RI.shape[1]

    def reader(self, like: Tensor) -> Delta:
        """The same in the dtype and on the device of another tensor."""
        return Delta(self.a_RI.to(like), self.b_OR.to(like))

    def moved(self, x: Float[Tensor, "... I"], y: Float[Tensor, "... O"]) -> Float[Tensor, "... O"]:
        """The output y that the module gives to x, with the delta's added."""
        return y + linear(linear(x, self.a_RI), self.b_OR)


@final
@dataclass(frozen=True, eq=False)
class LowRank:
    """A delta or codes on each of some linear modules. Gradients flow to their tensors."""

    deltas: Mapping[str, Delta | Codes]
    """Module path -> what is added there. Rows of a batch that hold one and the same object share its matrix products."""

    edits: tuple[EditId, ...] = ()
    decision: Decision | None = None
    bounds: tuple[int, ...] | None = None
    """Of codes in one module: where each edit's slots begin, and where the last one's end."""

    def on(self, model: Model) -> AbstractContextManager[Model]:
        """The model with the deltas in force on whatever passes through, batch or single.

        Raises:
            Unknown: a path isn't one that may be written.
        """
        return self._hooked(model)

    @contextmanager
    def _hooked(self, model: Model) -> Iterator[Model]:
        with ExitStack() as stack:
            for path, delta in self.deltas.items():
                module = _linear(model, path)
                stack.callback(module.register_forward_hook(_add_everywhere(_reader(delta, module, path))).remove)
            yield model


@final
@dataclass(frozen=True, eq=False)
class Replaced:
    """Other weights in the place of some linear modules' own. Gradients flow to them."""

    weights: Mapping[str, Float[Tensor, "O I"]]
    """Module path -> weight, cast to the module's dtype and device on use. It may require grad."""

    edits: tuple[EditId, ...] = ()
    decision: Decision | None = None

    def on(self, model: Model) -> AbstractContextManager[Model]:
        """The model computing with these weights.

        Raises:
            Unknown: a path isn't one that may be written.
            BadInput: no other weight can stand there, see `places.check_replaceable`.
        """
        return self._swapped(model)

    @contextmanager
    def _swapped(self, model: Model) -> Iterator[Model]:
        with ExitStack() as stack:
            for path, weight in self.weights.items():
                module = _linear(model, path)
                check_replaceable(module, path)
                own = module.weight
                assert weight.shape == own.shape, f"{path} has a weight {tuple(own.shape)}; the new one is {tuple(weight.shape)}."
                # Straight into the table: a plain tensor with a graph is no Parameter, and the table's order must stay. The very
                # same object goes back, so nothing needs to be compared or copied. (torch.func.functional_call swaps likewise.)
                table: dict[str, Any] = module._parameters
                stack.callback(table.__setitem__, "weight", own)
                table["weight"] = weight.to(dtype=own.dtype, device=own.device)
            yield model


def merged(model: Model, patch: LowRank) -> Replaced:
    """The same as weights, which cost a read nothing: each module's own plus b a, added in float32.

    In half precision a delta that is small beside its weight is rounded away, which it isn't where it stands apart.

    Raises:
        Unknown: a path isn't one that may be written.
    """
    weights = {}
    for path, delta in patch.deltas.items():
        assert isinstance(delta, Delta), f"What is added at {path} depends on the question, so no weight says the same."
        own = plain(_linear(model, path), path)
        weights[path] = (own.float() + delta.b_OR.float() @ delta.a_RI.float()).to(own.dtype)
    return Replaced(weights, patch.edits, patch.decision)


@final
@dataclass(frozen=True)
class Rewrite:
    """Another question in the place of the one that is asked: demonstrations before it, or a statement."""

    query: Query
    """What the model reads instead."""

    edits: tuple[EditId, ...] = ()
    decision: Decision | None = None

    def on(self, model: Model) -> AbstractContextManager[Model]:
        """A view of the model that reads `query`, whatever it is asked."""
        return nullcontext(Rewritten(model, self.query))


@final
@dataclass(frozen=True, eq=False)
class Handed:
    """Another model in the place of this one: it reads its own question, and its answer stands."""

    speaker: Model
    """Who answers; its tokens are those of the model whose place it takes."""

    query: Query
    """What it reads."""

    edits: tuple[EditId, ...] = ()
    decision: Decision | None = None

    def on(self, model: Model) -> AbstractContextManager[Model]:
        """A view of the other model that reads `query`, whatever it is asked."""
        return nullcontext(Rewritten(self.speaker, self.query))


@final
@dataclass(frozen=True, eq=False)
class Through:
    """Another model in the place of this one, which reads what it is asked: `Handed` for several questions at once."""

    speaker: Model
    edits: tuple[EditId, ...] = ()
    decision: Decision | None = None

    def on(self, model: Model) -> AbstractContextManager[Model]:
        """The other model."""
        return nullcontext(self.speaker)


@final
@dataclass(frozen=True)
class Verbatim:
    """An answer as it stands: no token of it is left to the model, which isn't even run where an answer is generated."""

    text: str
    edits: tuple[EditId, ...] = ()
    decision: Decision | None = None

    def on(self, model: Model) -> AbstractContextManager[Model]:
        """The model as it is: what is said is put in the answer's place, and no module computes anything else."""
        return nullcontext(model)


def voices(patch: Patch) -> tuple[EditId, ...] | None:
    """Who speaks wherever this patch is in force; None where edits share weights, so that it can't be told from the patch."""
    alone = isinstance(patch, NoPatch | Rewrite | Handed | Through | Verbatim) or (
        patch.decision is not None and len(patch.edits) == 1
    )
    return patch.edits if alone or not patch.edits else None


def decided(patch: Patch, decision: Decision) -> Patch:
    """The patch with what a scope said of the query."""
    if isinstance(patch, Verbatim):
        return replace(patch, decision=decision)
    assert isinstance(patch, NoPatch | LowRank | Replaced | Rewrite | Handed), f"{type(patch).__name__} is none of the patches."
    return replace(patch, decision=decision)


@final
@dataclass(frozen=True)
class Rewritten:
    """A view of a model that reads one query, whatever it is asked; everything else is the model's own."""

    model: Model
    query: Query

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def digest(self) -> str:
        return self.model.digest

    @property
    def parameters(self) -> int:
        return self.model.parameters

    @property
    def size(self) -> int:
        return self.model.size

    @property
    def writable(self) -> Mapping[Role, tuple[str, ...]]:
        return self.model.writable

    @property
    def groups(self) -> Mapping[str, int]:
        return self.model.groups

    @property
    def decoder(self) -> int:
        return self.model.decoder

    def seeing(self, decoder: int) -> Rewritten:
        return Rewritten(self.model.seeing(decoder), self.query)

    def module(self, path: str) -> nn.Module:
        return self.model.module(path)

    def answers(self, queries: Sequence[Query], patches: Sequence[Patch], *, max_new_tokens: int = ANSWER_TOKENS) -> list[str]:
        return self.model.answers([self.query] * len(queries), patches, max_new_tokens=max_new_tokens)

    def loss(self, query: Query, target: str) -> Float[Tensor, ""]:
        return self.model.loss(self.query, target)

    def speaking(self, query: Query, target: str, *, changing: Collection[str]) -> Callable[[], Spoken]:
        return self.model.speaking(self.query, target, changing=changing)

    def speaking_together(
        self, queries: Sequence[Query], targets: Sequence[str], *, changing: Collection[str]
    ) -> Callable[[], list[Spoken]]:
        return self.model.speaking_together([self.query] * len(queries), targets, changing=changing)

    def generated(
        self, queries: Sequence[Query], patches: Sequence[Patch], *, max_new_tokens: int = ANSWER_TOKENS
    ) -> list[Generated]:
        return self.model.generated([self.query] * len(queries), patches, max_new_tokens=max_new_tokens)

    def predict(self, query: Query, target: str) -> TokenScores:
        return self.model.predict(self.query, target)

    def predict_many(self, queries: Sequence[Query], targets: Sequence[str], patches: Sequence[Patch]) -> list[TokenScores]:
        return self.model.predict_many([self.query] * len(queries), targets, patches)

    def spoken(self, queries: Sequence[Query], targets: Sequence[str]) -> list[Spoken]:
        return self.model.spoken([self.query] * len(queries), targets)

    def positions(self, query: Query, target: str) -> Positions:
        return self.model.positions(self.query, target)

    def beginnings(self, queries: Sequence[Query], paths: Sequence[str]) -> Mapping[str, Float[Tensor, "N I"]]:
        return self.model.beginnings([self.query] * len(queries), paths)

    def states(
        self,
        queries: Sequence[Query],
        targets: Sequence[str | None],
        paths: Sequence[str],
        *,
        graph: bool = False,
        as_loaded: bool = False,
    ) -> list[States]:
        return self.model.states([self.query] * len(queries), targets, paths, graph=graph, as_loaded=as_loaded)

    def features(self, query: Query, *, look: bool = True) -> Features:
        return self.model.features(self.query, look=look)

    def chatter(self, count: int, *, seed: int) -> list[Query]:
        return self.model.chatter(count, seed=seed)

    def check(self, query: Query, target: str | None = None) -> None:
        self.model.check(self.query, target)

    def check_read(self, query: Query) -> None:
        self.model.check_read(self.query)


@final
class Heard:
    """Who spoke in each row of a batch that `in_rows` patched, once it was answered."""

    def __init__(self, model: Model, patches: Sequence[NoPatch | LowRank]) -> None:
        self._patches = patches
        self._last = max(model.groups.values(), default=0)
        self._groups = model.groups
        self._readings: dict[int, tuple[str, Reading, int]] = {}

    def listen(self, path: str, blocks: Sequence[Block]) -> None:
        """Take in what reads codes at a module."""
        for block in blocks:
            if isinstance(block.held, Reading):
                rows = range(len(self._patches)) if block.rows_S is None else block.rows_S.tolist()
                self._readings.update({row: (path, block.held, place) for place, row in enumerate(rows)})

    def spoke(self, row: int, *, prompt: int, tokens: int) -> tuple[EditId, ...] | None:
        """The edits that spoke in a row: see `core.model.Generated.spoke`.

        Args:
            row: which.
            prompt: positions of its prompt, padding left out.
            tokens: how many tokens were chosen for it, the one that ended it included.
        """
        if row not in self._readings:
            return spoken(self._patches[row], ())
        path, reading, place = self._readings[row]
        felt = 1 if self._groups.get(path) == self._last else prompt  # above the last layer nothing looks back
        return spoken(self._patches[row], reading.spoke(place, prompt=felt, calls=tokens))


def spoken(patch: NoPatch | LowRank, slots: Collection[int]) -> tuple[EditId, ...] | None:
    """The edits of a patch to which slots belong, oldest first; of one that isn't of codes in one module, `voices`."""
    if isinstance(patch, NoPatch) or patch.bounds is None:
        return voices(patch)
    return tuple(patch.edits[edit] for edit in sorted({bisect_right(patch.bounds, slot) - 1 for slot in slots}))


@contextmanager
def in_rows(model: Model, patches: Sequence[NoPatch | LowRank], *, role: Role) -> Iterator[Heard]:
    """Low-rank patches in force on a batch, each on its own row, for the length of a `with` block.

    Only the modules of one role are patched, because a batch has one row for each query in the text stack and one for each image in
    front of it. A patched module must be called with one row for each patch, in order: [B, T, I], or flattened to [B * T, I]. Rows
    that hold one `Delta` object share a matrix product; the rest are stacked into one batched product, ranks padded with zeros.

    Yields:
        What tells, after a generation, who spoke in each row.

    Raises:
        Unknown: a path, of any role, isn't one that may be written.
    """
    held = [patch.deltas if isinstance(patch, LowRank) else {} for patch in patches]
    named = {path: _linear(model, path) for deltas in held for path in deltas}
    paths = [path for path in model.writable[role] if path in named]
    heard = Heard(model, patches)
    with ExitStack() as stack:
        for path in paths:
            module = named[path]
            blocks = blocks_of([deltas.get(path) for deltas in held], module, path)
            heard.listen(path, blocks)
            stack.callback(module.register_forward_hook(add_in_rows(blocks, rows=len(held), path=path)).remove)
        yield heard


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of a batch and what is added to them: one thing for all, or a delta for each, stacked."""

    rows_S: Tensor | None
    """Row numbers; None: every row, in order."""

    held: Delta | Reading | tuple[Tensor, Tensor]
    """Stacked: a [S, R, I] and b [S, O, R]."""

    def on(self, x_STI: Tensor, y_STO: Tensor) -> Tensor:
        if isinstance(self.held, tuple):
            a_SRI, b_SOR = self.held
            return y_STO + torch.bmm(torch.bmm(x_STI, a_SRI.mT), b_SOR.mT)
        return self.held.moved(x_STI, y_STO)


def blocks_of(deltas: Sequence[Delta | Codes | None], module: nn.Linear, path: str) -> list[Block]:
    """What is added to a module's outputs, given what each row of a batch has added there."""
    rows_of: dict[int, list[int]] = {}
    for row, delta in enumerate(deltas):
        if delta is not None:
            rows_of.setdefault(id(delta), []).append(row)
    readers = {rows[0]: _reader(held, module, path) for rows in rows_of.values() if (held := deltas[rows[0]]) is not None}
    singles = {row: one for row, one in readers.items() if isinstance(one, Delta) and len(rows_of[id(deltas[row])]) == 1}

    def numbers(rows: list[int]) -> Tensor | None:
        return None if len(rows) == len(deltas) else torch.tensor(rows, device=place_of(module))

    if len(singles) == 1:
        singles = {}
    blocks = [Block(numbers(rows), readers[rows[0]]) for rows in rows_of.values() if rows[0] not in singles]
    if singles:
        rank = max(one.a_RI.shape[0] for one in singles.values())
        a_SRI = torch.stack([pad(one.a_RI, (0, 0, 0, rank - one.a_RI.shape[0])) for one in singles.values()])
        b_SOR = torch.stack([pad(one.b_OR, (0, rank - one.b_OR.shape[1])) for one in singles.values()])
        blocks.append(Block(numbers(list(singles)), (a_SRI, b_SOR)))
    return blocks


def _reader(held: Delta | Codes, module: nn.Linear, path: str) -> Delta | Reading:
    """What moves the module's outputs, on its device."""
    (out_features, in_features), (held_out, held_in) = module.weight.shape, held.shape
    fits = (held_out, held_in) == (out_features, in_features)
    assert fits, f"{path} maps {in_features} to {out_features}; what is added to it maps {held_in} to {held_out}."
    return held.reader(like(module))


_Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]
"""A forward hook: the module, its positional inputs and its output; what it returns takes the output's place."""


def _add_everywhere(reader: Delta | Reading) -> _Hook:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return reader.moved(inputs[0], output)

    return hook


def add_in_rows(blocks: Sequence[Block], *, rows: int, path: str) -> _Hook:
    """A forward hook that adds them."""

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        (x,) = inputs
        fits = x.shape[0] == rows if x.ndim == 3 else x.shape[0] % rows == 0
        assert fits, f"{path} was called with {tuple(x.shape)}, which isn't a batch of {rows} rows; patch these rows one by one."
        x_BTI = x.reshape(rows, -1, x.shape[-1])
        y_BTO = output.reshape(rows, -1, output.shape[-1])
        for block in blocks:
            rows_S = block.rows_S
            if rows_S is None:
                y_BTO = block.on(x_BTI, y_BTO)
            else:
                y_BTO = y_BTO.index_copy(0, rows_S, block.on(x_BTI[rows_S], y_BTO[rows_S]))
        return y_BTO.reshape(output.shape)

    return hook


def _linear(model: Model, path: str) -> nn.Linear:
    module = model.module(path)
    assert isinstance(module, nn.Linear), f"{path} is a {type(module).__name__}; only linear modules can be patched."
    return module
