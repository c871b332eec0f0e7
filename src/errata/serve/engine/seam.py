"""What a route may ask of an engine: a few verbs, so that another engine can stand behind the same routes.

One thread owns the model. Asked questions become rows of a batch, each with the patch of the version that it was asked of, and keep
it to their end, whatever is changed meanwhile. What changes runs between steps, in the order in which it came.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeVar

from errata.core.counted import counted
from errata.core.errors import LogError
from errata.core.model import Decision
from errata.core.records import EditId, Query

if TYPE_CHECKING:
    from errata.door import Session

T = TypeVar("T")

Finish = Literal["stop", "length"]
"""Why an answer ended: the model or a stop text ended it, or the limit cut it."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen, in OpenAI's terms."""

    max_new_tokens: int | None = None
    """None: as long as answers may be, and as a correction that speaks needs."""

    temperature: float = 0.0
    """0: the most likely token."""

    top_p: float = 1.0
    seed: int | None = None
    """None: drawn anew for each request."""

    stop: tuple[str, ...] = ()
    """Texts that end an answer and aren't part of it."""

    top_logprobs: int | None = None
    """How many of the most likely tokens are told beside the chosen one; None: no log-probabilities."""


@dataclass(frozen=True)
class Ask:
    """A question, of which version of which branch."""

    query: Query
    branch: str = "main"
    at: int | None = None
    """The state after this entry of the log, 0 the model without edits; None: the head."""

    min_seq: int | None = None
    """The entry that must have been folded first, as another replica acknowledged it."""

    sampling: Sampling = Sampling()


@dataclass(frozen=True)
class Token:
    """A chosen token, and what was likely in its place."""

    text: str
    logprob: float
    """In nats, by the model's own distribution: before temperature and top_p."""

    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Piece:
    """Words of an answer as they come."""

    text: str
    tokens: tuple[Token, ...] = ()
    """Empty unless log-probabilities were asked for."""


@dataclass(frozen=True)
class Said:
    """An answer at its end: the last thing that is delivered."""

    text: str
    finish: Finish
    edits: tuple[EditId, ...]
    """The edits that spoke."""

    told: bool
    """Whether these are exactly those; False: they share weights, and any of them may have."""

    decision: Decision | None
    """What a scope said of the query."""

    seq: int
    """The last entry of the log that the version holds."""

    head: str
    """That entry's hash; "" where the log is empty or the model is asked without edits."""

    prompt_tokens: int
    """Of the question, images included."""

    completion_tokens: int


Deliver = Callable[[Piece | Said | Exception], None]
"""Given pieces, then one `Said`, or an error of `core.errors` instead; called on the engine's thread, so it must not wait."""


class Asked(Protocol):
    """A question that is waiting or being answered."""

    def cancel(self) -> None:
        """Nobody listens any more: its row is free at the next step, and nothing more is delivered."""
        ...


@dataclass(frozen=True)
class Load:
    """How busy an engine is."""

    waiting: int
    rows: int
    changes: int
    """Waiting to be made."""

    steps: int
    """Made since it began."""

    tokens: int
    """Chosen since it began."""

    stuck: tuple[str, ...] = ()
    """Branches on which an entry can't be folded: they are answered from an older state."""


class Full(Exception):
    """No question fits any more; try again after so many seconds."""

    def __init__(self, after_s: float) -> None:
        super().__init__(f"The queue is full. Ask again in {after_s:g} seconds.")
        self.after_s = after_s


PATIENCE_S: Final = 5.0
"""How long a question waits for its `min_seq`, unless said otherwise, in seconds."""


class NotYet(LogError):
    """The entry that a question asks for by `min_seq` didn't come in time.

    Args:
        branch: where it is asked for.
        least: the entry.
        seq: the last one that is here.
        waited_s: for how long it was waited, in seconds.
    """

    def __init__(self, branch: str, least: int, seq: int, waited_s: float) -> None:
        super().__init__(
            f"Entry {least} of branch {branch!r} isn't here yet: it has {counted(seq, 'entry')} after {waited_s:g} seconds. "
            "Ask again in a while, or name an entry that was acknowledged."
        )


class Engine(Protocol):
    """Made by whoever starts the server; used from any thread."""

    @property
    def model_name(self) -> str:
        """What the model is called in `/v1/models`."""
        ...

    def ask(self, ask: Ask, deliver: Deliver) -> Asked:
        """Take a question in. What is wrong with it (too long, no such entry) is delivered, not raised.

        Raises:
            Full: the queue is.
        """
        ...

    def do(self, branch: str, what: Callable[[Session], T]) -> Future[T]:
        """Have something done with a branch's session on the engine's thread, between steps, in the order in which it came: a
        correction, a revert, a dry run, a look at the log. Its errors are the future's."""
        ...

    def seq(self, branch: str) -> int:
        """The last entry that is folded on a branch; at once, from any thread."""
        ...

    def load(self) -> Load:
        """How busy it is; at once, from any thread."""
        ...

    def close(self, *, within_s: float = 10.0) -> None:
        """End what was begun, as far as the time allows, refuse what comes, give the branches back."""
        ...
