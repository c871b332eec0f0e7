"""An editor is a memory: edits are written into its state, queries read a patch from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, Self, TypeVar, runtime_checkable

from errata.core.canonical import JSON
from errata.core.encoder import Encoder
from errata.core.model import Model, Patch
from errata.core.records import Edit, EditId, Query, Spec

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn

S = TypeVar("S")
"""The state of an editor: a frozen dataclass of tensors, tuples and edits."""

S_contra = TypeVar("S_contra", contravariant=True)
"""The same where it is only taken, never given back."""

E_contra = TypeVar("E_contra", contravariant=True)
"""What a training's loss is taken of: a `Case` for an editor that learns, a `Pair` for a scope."""


BEFORE = "before"
"""In the metadata of an editor's field that came later: what was done before there was the field. A log begun then doesn't name
it, and goes on as if it had named that. Where a field has none, such a log must be replayed onto a new branch."""


MADE = "made"
"""In the metadata of a field that an editor puts together out of its others where it is None: so it is, once these are others."""


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


@runtime_checkable
class Heeds(Protocol):
    """An editor that protects, and not with every set of fields."""

    def heeds_pool(self) -> bool:
        """Whether a pool changes what it writes."""
        ...


def takes_pool(editor: Editor[Any]) -> bool:
    """Whether what an editor writes depends on a pool: without one nothing keeps it off ordinary answers."""
    return isinstance(editor, Protects) and (not isinstance(editor, Heeds) or editor.heeds_pool())


def protected(editor: Editor[S], pool: Sequence[Query]) -> Editor[S]:
    """The editor with a pool of ordinary queries to keep out of the way of, where it can and there are any; else as it is."""
    return editor.protecting(pool) if pool and isinstance(editor, Protects) else editor


@runtime_checkable
class Forgets(Protocol):
    """An editor that can un-write one edit exactly, in constant time. Contract: forget equals the fold without that edit."""

    def forget(self, state: Any, edit: EditId) -> Any | None:
        """The state without the edit; None where only a fold can tell it (an editor with another one inside)."""
        ...


@runtime_checkable
class Parts(Protocol):
    """An editor of which each edit can be kept by itself, so that a state can be put together without the model.

    Contract: joining what an edit wrote to the state before it equals writing it, bit for bit.
    """

    def part(self, state: Any, edit: EditId) -> Any | None:
        """What one edit holds in a state: plain data, as a state is; None where it holds nothing."""
        ...

    def joined(self, state: Any, edit: EditId, part: Any) -> Any:
        """The state with one more edit in it, of which this is what it wrote."""
        ...


class Touched(NamedTuple):
    """Earlier edits that a write may have taken away."""

    gone: Sequence[EditId] = ()
    """Those that made room for it: the editor holds them no more."""

    near: Sequence[EditId] = ()
    """All that it surely silenced, then others, likeliest first."""


@runtime_checkable
class Touches(Protocol[S_contra]):
    """An editor that can tell which earlier edits a write may have silenced, changed or dropped, so that these are asked again."""

    def touched(self, before: S_contra, after: S_contra, most: int) -> Touched:
        """Edits of `before` that the last one of `after` may have taken away; `most`: how many besides those that it surely did."""
        ...


@runtime_checkable
class Merges(Protocol[S_contra]):
    """An editor that reads every query alike, so that its state is other weights. Contract: answers under `merged` are those under
    each `read`, as far as rounding goes."""

    def merged(self, model: Model, state: S_contra) -> Patch | None:
        """Weights with every edit in them, for every query; None where what is inside (another editor) can't be merged."""
        ...


class Written(Protocol):
    """What a training leaves."""

    def write(self, folder: Path) -> Path:
        """Write it to a folder, whole or not at all; the file that was written."""
        ...


class Trainable(Protocol[E_contra]):
    """Something that learns to edit, or what an edit concerns, opened for a model or encoders; `school.fit` is the only loop.

    Contract: `objective` is a function of the trainee's parameters and the examples alone, but for running statistics that a
    trainee in training mode (`nn.Module.train`) may keep in its buffers. Models and encoders are left as found.
    """

    def trainee(self) -> nn.Module:
        """What is trained: every parameter that wants a gradient. Always the same object."""
        ...

    def objective(self, examples: Sequence[E_contra]) -> Float[Tensor, ""]:
        """The mean loss of some examples, with a graph to the parameters."""
        ...

    def learnt(self) -> Written:
        """What was learned so far, with what it is of inside; opening it for another model is refused."""
        ...


Sort = Literal["same", "yes", "no", "follows", "apart"]
"""How an edit concerns a question: it asks the same in other words; it is to be answered with yes, or with no, now; its answer
follows from the edit in some other way; or the edit doesn't concern it."""


class Scope(Protocol):
    """Which edits concern a query. A key is worked out once for each edit, at its write; a read compares the query's with them all.

    Contract: `key` and `rho` are pure and deterministic, the model is asked without a patch, and the scores of some keys don't
    depend on which others stand beside them.
    """

    def spec(self) -> Mapping[str, JSON]:
        """Its kind and every field."""
        ...

    def key(self, model: Model, query: Query, target: str | None = None) -> Float[Tensor, " D"]:
        """What a query looks like to the scope; an edit's comes with its target, a question's never with an answer."""
        ...

    def rho(self, asked_D: Float[Tensor, " D"], keys_ND: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
        """A score in [0, 1] for each key; 0.5 or more is in scope."""
        ...


@runtime_checkable
class Nears(Protocol):
    """A scope that says where its keys lie, so that a large memory's nearest edits can be found by an index.

    Contract: of two keys the one that lies nearer to the query's, by Euclid, has no lower score.
    """

    def near(self, keys_KD: Float[Tensor, "K D"]) -> Float[Tensor, "K M"] | None:
        """Where keys lie; None where its scores go by no such nearness."""
        ...


@runtime_checkable
class Sorts(Protocol):
    """A scope that says how an edit concerns a question, not only whether."""

    def sort(self, asked_D: Float[Tensor, " D"], key_D: Float[Tensor, " D"]) -> Sort:
        """The likeliest sort but "apart": whether it concerns it at all is rho's to say."""
        ...


@runtime_checkable
class Bound(Protocol):
    """A scope that was trained for one model."""

    def check(self, model: Model) -> None:
        """Nothing, where it is this model.

        Raises:
            BadInput: it is another one, or this one in another precision.
        """
        ...


class Judged(NamedTuple):
    """What a scope makes of one edit beside a question."""

    rho: float
    """A score in [0, 1]; 0.5 or more is in scope."""

    sort: Sort
    """The likeliest sort but "apart"."""


class Kept(NamedTuple):
    """What a scope that reranks keeps of an edit."""

    keys_KD: Float[Tensor, "K D"]
    words: tuple[str, ...]
    """What it asks, in each of its wordings, as it is read again."""

    asks: tuple[tuple[Query, Float[Tensor, " D"]], ...]
    """What it asks of the edits before it, each way with its key: these it may contradict."""

    subject: str = ""
    """What only its picture says, which is read behind its words where a question shows none."""


@runtime_checkable
class Reranks(Protocol):
    """A scope whose keys only find the nearest edits: it then reads each of these together with the question.

    Contract: `kept` and `judged` are pure and deterministic, the model is left as it was found, and what is made of an edit doesn't
    depend on which others stand beside it, but for the last digits of floating-point numbers. An edit whose keys all have a rho of
    0 isn't read, whoever it contradicts.
    """

    @property
    def looked_at(self) -> int:
        """How many of the nearest are read, at most: the first where its rho is 0.5 or more, others where theirs is 0.75."""
        ...

    @property
    def by_target(self) -> bool:
        """Whether an edit is read, too, whose target the question says word for word, as if it were near."""
        ...

    @property
    def again(self) -> bool:
        """Whether a question that no edit answers is looked for once more, by the sentence that asks, spelled as the edits are; and
        whether an edit that answers it comes before one from which the answer only follows."""
        ...

    def key_of(self, model: Model, query: Query, text: str) -> Tensor:
        """The key of a question if its words were these: its pictures and what was said before are the same."""
        ...

    def kept(self, model: Model, edit: Edit) -> Kept:
        """What is kept of an edit.

        Raises:
            BadInput: it can't be put to what reads.
        """
        ...

    def judged(self, model: Model, query: Query, corrections: Sequence[tuple[str, str]]) -> list[Judged]:
        """What becomes of the edits of some questions in words, each with its target."""
        ...


@runtime_checkable
class Weighs(Protocol):
    """A scope with weights of its own, its encoders' included."""

    @property
    def parameters(self) -> int:
        """How many parameters there are."""
        ...

    @property
    def size(self) -> int:
        """Bytes that they take."""
        ...


class Tools(Protocol):
    """What an editor may be handed by name: what it can't load itself."""

    def encoder(self, name: str) -> Encoder:
        """The encoders of a checkpoint folder or hub id.

        Raises:
            Unknown, BadInput: there are none, or they can't be used.
        """
        ...

    def model(self, name: str) -> Model:
        """A model by its shipped name, checkpoint folder or hub id.

        Raises:
            Unknown, BadInput: there is none, or it can't be used.
        """
        ...

    def reader(self, name: str) -> Model:
        """The same for what reads in another model's place: in float32, which is what it was taught in."""
        ...


@runtime_checkable
class Equips(Protocol):
    """An editor that names encoders or a second model, and is handed them before its first use."""

    def equipped(self, tools: Tools) -> Self:
        """The same editor with what it names.

        Raises:
            Unknown, BadInput: what it names isn't there, or doesn't fit.
        """
        ...
