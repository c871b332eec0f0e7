"""What an editor may ask of a model, and what changes a model for the length of a `with` block."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from errata.core.errors import BadInput
from errata.core.records import EditId, Query

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn

Role = Literal["text", "projector", "vision"]
"""Which side of a multimodal model a module is on."""


@dataclass(frozen=True)
class TokenScores:
    """Teacher-forced scores of one target, a plain int or float for each target token."""

    targets: tuple[int, ...]
    """Token ids of the target."""

    predictions: tuple[int, ...]
    """The most likely id at each target token, given the query and the target's tokens before it."""

    losses_nats: tuple[float, ...]
    """Negative log-likelihood of each target token."""

    @property
    def accuracy(self) -> float:
        """The share of target tokens predicted (EasyEdit's token accuracy)."""
        return sum(a == b for a, b in zip(self.targets, self.predictions, strict=True)) / len(self.targets)

    def as_said(self, said: Sequence[int]) -> TokenScores:
        """The scores where these tokens are said whatever the model would choose: each is sure as long as the target goes along
        with them; from there on the model's own stand."""
        sure = together(self.targets, said)
        told = min(sure + 1, len(said), len(self.targets))  # where they part, what is said is predicted and isn't the target
        predictions = (*said[:told], *self.predictions[told:])
        return TokenScores(self.targets, predictions, (*(0.0,) * sure, *self.losses_nats[sure:]))


def together(one: Sequence[int], other: Sequence[int]) -> int:
    """With how many ids two rows begin alike."""
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@dataclass(frozen=True, eq=False)
class Spoken:
    """What a model gives to each token of a target and of the end after it, teacher-forced. K: that many tokens, V: vocabulary."""

    logs_KV: Float[Tensor, "K V"]
    """Log-probabilities in nats at the predicting positions (`Positions.predicting`), in float32."""

    wanted: tuple[int, ...]
    """The K token ids: the target's, then the end of the answer."""

    @property
    def loss(self) -> Float[Tensor, ""]:
        """Mean nats per wanted token: `Model.loss`."""
        return -self.logs_KV[range(len(self.wanted)), self.wanted].mean()

    @property
    def unended(self) -> Spoken:
        """The same without the end of the answer: the target's own tokens alone."""
        return Spoken(self.logs_KV[:-1], self.wanted[:-1])


@dataclass(frozen=True)
class Positions:
    """Where things stand in the sequence that the decoder layers see: `query` followed by `target`.

    `image` and `text` are disjoint and cover the sequence. `predicting` are the positions whose next token is a target token
    (where the loss's gradient enters); `target` are the target tokens' own positions.
    """

    image: tuple[int, ...]
    text: tuple[int, ...]
    predicting: tuple[int, ...]
    target: tuple[int, ...]
    length: int


ANSWER_TOKENS = 64
"""How long an answer may be, unless said otherwise."""


@dataclass(frozen=True)
class Generated:
    """A greedy answer, and how it came about."""

    text: str

    whole: bool
    """Whether the model ended it; else it was cut at the limit."""

    spoke: tuple[EditId, ...] | None
    """The edits that went into it, oldest first: exactly those whose values were added where a token of it was chosen, or that were
    put in force for this query alone. None: they share weights, so that no one can tell by looking."""

    prompt: int
    """Tokens that were read, images included."""

    tokens: int
    """Tokens that were chosen, the one that ended it included."""


@dataclass(frozen=True, eq=False)
class Features:
    """What a query looks like before any layer has read it, on the scale of the decoder's inputs, in float32."""

    text_D: Float[Tensor, " D"]
    """The mean input embedding of the words' tokens (the chat template's left out), less that of the whole vocabulary."""

    image_D: Float[Tensor, " D"] | None
    """The mean of the image tokens, over every picture; None without one."""

    tokens_NKD: Float[Tensor, "N K D"] | None = None
    """The image tokens of each of N pictures; None without one, or where they can't be had apart from an answer."""


@dataclass(frozen=True, eq=False)
class States:
    """What some modules read while the unedited model reads one query, in float32. P modules of one width I.

    What a chat template writes around a question is left out, as far as it is the same around any: it tells nothing of this one.
    """

    asked_TPI: Float[Tensor, "T P I"]
    """At the T positions of the question's own words and pictures."""

    begins_PI: Float[Tensor, "P I"]
    """Where the answer begins."""

    target_KPI: Float[Tensor, "K P I"]
    """At the K tokens of the target; none without one."""


@dataclass(frozen=True)
class Decision:
    """What a scope said of a query: the edit that concerns it most, how sure that is, and whether that is enough to speak."""

    edit: EditId
    score: float
    """rho in [0, 1]."""

    inside: bool
    """Whether the query is in the edit's scope; else the answer is the base model's."""


def fits(model: Model, query: Query, target: str | None = None) -> bool:
    """Whether a query, and a target, can be put to a model at all: `Model.check` as yes or no."""
    try:
        model.check(query, target)
    except BadInput:
        return False
    return True


class Patch(Protocol):
    """Data, not a closure: what is to be different while a query is read. Implementations live in `errata.nn.patches`.

    Contract: leaving `on` restores the model bit for bit, with no hook left, also when the block raises.
    """

    @property
    def edits(self) -> tuple[EditId, ...]:
        """Who may speak: the edits that this patch carries. Who did is known after an answer (`Generated.spoke`)."""
        ...

    @property
    def decision(self) -> Decision | None:
        """What a scope said of the query; None where no scope was asked, or there was no edit to ask about."""
        ...

    def on(self, model: Model) -> AbstractContextManager[Model]:
        """The model with the patch in force, for the length of a `with` block."""
        ...


class Model(Protocol):
    """What an editor may ask of a model. The one real implementation stands over transformers, in `errata.models`."""

    @property
    def name(self) -> str:
        """The shipped name, folder or hub id that it was loaded from."""
        ...

    @property
    def digest(self) -> str:
        """A digest of every weight and of the configuration."""
        ...

    @property
    def parameters(self) -> int:
        """How many parameters there are."""
        ...

    @property
    def size(self) -> int:
        """Bytes that they take."""
        ...

    @property
    def writable(self) -> Mapping[Role, tuple[str, ...]]:
        """The paths of the linear modules that an editor may write, in depth order; a group of the text side is one decoder
        layer."""
        ...

    @property
    def groups(self) -> Mapping[str, int]:
        """Each path of the text side -> the number of its decoder layer, from 0."""
        ...

    @property
    def decoder(self) -> int:
        """The version of how pictures are decoded before it looks at them (`errata.core.images.DECODERS`)."""
        ...

    def seeing(self, decoder: int) -> Model:
        """The same model over the same weights, with pictures decoded in this way: a log goes on as it began."""
        ...

    def module(self, path: str) -> nn.Module:
        """The module at a path of `writable`.

        Raises:
            Unknown: there is none.
        """
        ...

    def answers(self, queries: Sequence[Query], patches: Sequence[Patch], *, max_new_tokens: int = ANSWER_TOKENS) -> list[str]:
        """Greedy answers, a patch for each row; a row is answered as it would be alone.

        Raises:
            BadInput: a prompt is empty or longer than the model's context.
        """
        ...

    def generated(
        self, queries: Sequence[Query], patches: Sequence[Patch], *, max_new_tokens: int = ANSWER_TOKENS
    ) -> list[Generated]:
        """`answers`, each with the edits that spoke and whether it was ended.

        Raises:
            BadInput: as `answers`.
        """
        ...

    def loss(self, query: Query, target: str) -> Float[Tensor, ""]:
        """Mean nats per target token (the end-of-answer token included), with a graph back to the weights and patches."""
        ...

    def speaking(self, query: Query, target: str, *, changing: Collection[str]) -> Callable[[], Spoken]:
        """What the model gives to the target, to be called as often as a write needs it while nothing but the modules at `changing`
        changes between the calls.

        What lies under the lowest of them is computed once. Each call is made under whatever patch is in force then, with a graph
        back to those modules; the `loss` of what comes back is that of `loss`, its gradients too.

        Args:
            changing: paths of `writable`.
        """
        ...

    def speaking_together(
        self, queries: Sequence[Query], targets: Sequence[str], *, changing: Collection[str]
    ) -> Callable[[], list[Spoken]]:
        """`speaking` for several rows, in as few passes as they fit in."""
        ...

    def predict(self, query: Query, target: str) -> TokenScores:
        """Teacher-forced scores of the target's own tokens (the end-of-answer token left out)."""
        ...

    def predict_many(self, queries: Sequence[Query], targets: Sequence[str], patches: Sequence[Patch]) -> list[TokenScores]:
        """`predict` in batches, a patch for each row."""
        ...

    def spoken(self, queries: Sequence[Query], targets: Sequence[str]) -> list[Spoken]:
        """Whole distributions for several rows in as few passes as they fit in, with a graph back to whatever patch is in force.

        Raises:
            BadInput: a query and its target can't be put to this model.
        """
        ...

    def positions(self, query: Query, target: str) -> Positions:
        """Where image, text and target stand in the sequence for (query, target)."""
        ...

    def beginnings(self, queries: Sequence[Query], paths: Sequence[str]) -> Mapping[str, Float[Tensor, "N I"]]:
        """Path -> the module's inputs where the answer to each query begins, in float32, in as few passes as they fit in.

        A pass ends where the last of the modules has run. Queries whose words don't come back from their tokens as they went in are
        left out: not every vocabulary is so neat.

        Args:
            queries: N of them, less those that are left out.
            paths: of the text side of `writable`.
        """
        ...

    def states(
        self,
        queries: Sequence[Query],
        targets: Sequence[str | None],
        paths: Sequence[str],
        *,
        graph: bool = False,
        as_loaded: bool = False,
    ) -> list[States]:
        """What modules read at each position of each query and of the target after it, in as few passes as they fit in.

        A pass ends where the last of the modules has run.

        Args:
            queries: what is asked.
            targets: one for each query; None: the question alone.
            paths: of the text side of `writable`, modules of one width.
            graph: keep the one that leads back to whatever patch is in force.
            as_loaded: no patch is in force. What a template writes before every question is then read once for all such calls.

        Raises:
            BadInput: see `check`.
        """
        ...

    def features(self, query: Query, *, look: bool = True) -> Features:
        """Words and pictures as the decoder layers are given them, pooled: enough to tell which queries are alike.

        Args:
            query: what is asked.
            look: False leaves pictures unseen, as if there were none.

        Raises:
            BadInput: see `check`.
        """
        ...

    def chatter(self, count: int, *, seed: int) -> list[Query]:
        """Prompts without sense, of words drawn from the model's own vocabulary: what its states have in common whatever is asked.

        Args:
            count: how many, >= 0.
            seed: the same prompts for the same seed.
        """
        ...

    def check(self, query: Query, target: str | None = None) -> None:
        """Whether the query, and the target, can be put to this model at all.

        Raises:
            BadInput: empty or over-long, too many images for the family, or a target that the tokenizer can't express.
        """
        ...

    def check_read(self, query: Query) -> None:
        """Whether the model reads the query's words as words, not as a command, and can tell them from others.

        Apart from `check`, because a log may hold corrections of words that it doesn't: they are folded as they always were.

        Raises:
            BadInput: a control token stands in it, or a character is unknown to the tokenizer, or lost by it.
        """
        ...


@dataclass(frozen=True)
class Entrant:
    """A row that enters a running batch."""

    query: Query
    patch: Patch
    reserve: int
    """Tokens that its answer may take."""

    model: Model
    """Who reads it: the model of the batch, or a view of the same weights."""


class Stepper(Protocol):
    """A batch that goes on token by token, in which rows enter and leave between steps, each under its own patch. Not for threads.

    Contract: with the most likely token fed each time, a row's tokens are those of `Model.generated`, whatever enters and leaves
    meanwhile. Between two calls the model is as it always is. Shapes: B rows, V vocabulary.
    """

    @property
    def rows(self) -> int:
        """How many are in it."""
        ...

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer."""
        ...

    def takes(self, patch: Patch) -> bool:
        """Whether a row under this patch can enter; what replaces weights, or the model itself, can't."""
        ...

    def enter(self, entrants: Sequence[Entrant]) -> Float[Tensor, "B V"]:
        """Read what is asked. The rows stand behind those that are there already, in this order.

        Returns:
            For each of them what its first token may be, as logits in float32.

        Raises:
            BadInput: a prompt is empty or too long for the model. None entered.
        """
        ...

    def step(self, tokens: Sequence[int]) -> Float[Tensor, "B V"]:
        """Go on by the token that was chosen for each row; what the next may be."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """The rows that stay, in rising order; the others leave."""
        ...

    def spoke(self, row: int) -> tuple[EditId, ...] | None:
        """Who spoke in a row so far: see `Generated.spoke`."""
        ...

    def prompt(self, row: int) -> int:
        """How many tokens were read for a row, images included."""
        ...

    def room(self, row: int) -> int:
        """How many tokens a row's answer may take in all."""
        ...

    def words(self, tokens: Sequence[int]) -> str:
        """Tokens as text, without those of control."""
        ...


@runtime_checkable
class Steps(Protocol):
    """A model that may be asked token by token."""

    def stepper(self) -> Stepper | None:
        """An empty batch; None where the family's layers don't allow that rows of several ages go together."""
        ...
