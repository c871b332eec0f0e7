"""A model without weights: its answers come from an endpoint that speaks OpenAI's API.

It takes the place of a model in a session: what puts a correction into the prompt, or gives an answer as it stands, needs no more.
Whoever asks it for weights, or for what follows from them, is told that there are none (`NoWeights`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NoReturn, final

from errata.core.canonical import JSON, digest_of_json
from errata.core.endpoint import MOST, Refused, Silent, data_url, sent, shown
from errata.core.errors import BadInput, NoWeights, UpstreamFailed
from errata.core.images import NEWEST
from errata.core.model import ANSWER_TOKENS, Features, Generated, Patch, Positions, Role, Spoken, States, TokenScores
from errata.core.records import Message, Query
from errata.nn.patches import NoPatch, Rewrite, Verbatim

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn

TIMEOUT_S: Final = 120.0
"""How long an answer may take, in seconds."""

_TOGETHER: Final = 4
"""Questions that are asked at once."""

_KEYS: Final = (401, 403)
_BUSY: Final = (408, 429)
_TAKEN: Final = ("max_tokens", "max_completion_tokens")
"""What an endpoint may call the longest answer; some take one name alone."""


@final
@dataclass(frozen=True)
class Upstream:
    """See the module. Made by `meeting.meet`, which looks whether somebody is there."""

    url: str
    """Of the API, without a slash at the end: http://127.0.0.1:8000/v1."""

    name: str
    """What the endpoint calls the model."""

    described: Mapping[str, JSON]
    """What it says of the model, without what changes from start to start; with its name this is the model's identity."""

    key: str = field(default="", repr=False)
    """Sent as a bearer token; none is sent where it is empty."""

    timeout_s: float = TIMEOUT_S
    discreet: bool = False
    """Whether what goes wrong is told without the address: to clients of a proxy, whose operator alone knows it."""

    decoder: int = NEWEST
    _taken: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)
    """Field of a request -> whether the endpoint takes it, as far as it was refused once."""

    @property
    def digest(self) -> str:
        """Of the name and what the endpoint says of the model: of its weights nobody tells."""
        return digest_of_json({"upstream": {"name": self.name, **self.described}})

    @property
    def parameters(self) -> int:
        """None that are here."""
        return 0

    @property
    def size(self) -> int:
        """No bytes here."""
        return 0

    @property
    def writable(self) -> Mapping[Role, tuple[str, ...]]:
        self._none("weights")

    @property
    def groups(self) -> Mapping[str, int]:
        self._none("layers")

    def seeing(self, decoder: int) -> Upstream:
        """The same; pictures are told apart, and sent, as this version decodes them."""
        return replace(self, decoder=decoder)

    def module(self, path: str) -> nn.Module:
        self._none("weights")

    def answers(self, queries: Sequence[Query], patches: Sequence[Patch], *, max_new_tokens: int = ANSWER_TOKENS) -> list[str]:
        """See `Model.answers`. Raises as `generated`."""
        return [one.text for one in self.generated(queries, patches, max_new_tokens=max_new_tokens)]

    def generated(
        self, queries: Sequence[Query], patches: Sequence[Patch], *, max_new_tokens: int = ANSWER_TOKENS
    ) -> list[Generated]:
        """The endpoint's answers at temperature 0, some asked at once; what stands as it is isn't asked for.

        Raises:
            BadInput: the endpoint refuses a question.
            UpstreamFailed: it can't be asked, or its reply can't be read.
            NoWeights: a patch changes what a model computes.
        """

        def one(query: Query, patch: Patch) -> Generated:
            if isinstance(patch, Verbatim):
                return Generated(patch.text, True, patch.edits, 0, 0)
            if not isinstance(patch, NoPatch | Rewrite):
                self._none("weights to change")
            return self._said(patch.query if isinstance(patch, Rewrite) else query, patch, max_new_tokens)

        if len(queries) < 2:
            return [one(query, patch) for query, patch in zip(queries, patches, strict=True)]
        with ThreadPoolExecutor(_TOGETHER) as pool:
            return list(pool.map(one, queries, patches))

    def positions(self, query: Query, target: str) -> Positions:
        """In bytes of the words, of which a token is one or more: nobody here knows the tokens, and none are more than these."""
        asked, told = sum(len(text.encode()) for text in query.texts), len(target.encode())
        rows = range(asked + told)
        return Positions((), tuple(rows), tuple(rows[max(asked - 1, 0) : -1]), tuple(rows[asked:]), len(rows))

    def check(self, query: Query, target: str | None = None) -> None:
        """Whether something is asked, and answered; how much fits is the endpoint's to say.

        Raises:
            BadInput: it is empty.
        """
        if not query.text.strip():
            raise BadInput("The prompt is empty. Ask a question.")
        if target is not None and not target.strip():
            raise BadInput("The target is empty. Say what the right answer is.")

    def check_read(self, query: Query) -> None:
        """Every word may be asked: what the endpoint reads as a command is its own to say."""

    def loss(self, query: Query, target: str) -> Float[Tensor, ""]:
        self._none("loss")

    def speaking(self, query: Query, target: str, *, changing: Collection[str]) -> Callable[[], Spoken]:
        self._none("loss")

    def speaking_together(
        self, queries: Sequence[Query], targets: Sequence[str], *, changing: Collection[str]
    ) -> Callable[[], list[Spoken]]:
        self._none("loss")

    def predict(self, query: Query, target: str) -> TokenScores:
        self._none("tokens")

    def predict_many(self, queries: Sequence[Query], targets: Sequence[str], patches: Sequence[Patch]) -> list[TokenScores]:
        self._none("tokens")

    def spoken(self, queries: Sequence[Query], targets: Sequence[str]) -> list[Spoken]:
        self._none("tokens")

    def beginnings(self, queries: Sequence[Query], paths: Sequence[str]) -> Mapping[str, Float[Tensor, "N I"]]:
        self._none("states")

    def states(
        self,
        queries: Sequence[Query],
        targets: Sequence[str | None],
        paths: Sequence[str],
        *,
        graph: bool = False,
        as_loaded: bool = False,
    ) -> list[States]:
        self._none("states")

    def features(self, query: Query, *, look: bool = True) -> Features:
        self._none("embeddings")

    def chatter(self, count: int, *, seed: int) -> list[Query]:
        self._none("vocabulary")

    @property
    def _called(self) -> str:
        return "The upstream" if self.discreet else f"The upstream at {self.url}"

    def _none(self, what: str) -> NoReturn:
        raise NoWeights(self.name, what)

    def _said(self, query: Query, patch: Patch, most: int) -> Generated:
        reply = self.chat([_message(message, self.decoder) for message in query.messages], most=most)
        choice, usage = reply["choices"][0], reply.get("usage")
        counts = usage if isinstance(usage, Mapping) else {}
        text = choice["message"].get("content")
        return Generated(
            text.strip() if isinstance(text, str) else "",
            choice.get("finish_reason") != "length",
            patch.edits,
            _count(counts.get("prompt_tokens")),
            _count(counts.get("completion_tokens")),
        )

    def chat(self, messages: Sequence[JSON], *, most: int) -> dict[str, Any]:
        """The endpoint's reply to a conversation, which has a choice with a message.

        Args:
            messages: as OpenAI has them.
            most: tokens of the answer, at most.

        Raises:
            BadInput, UpstreamFailed: as `generated`.
        """
        while True:
            limit = next((name for name in _TAKEN if self._taken.get(name, True)), None)
            asked: dict[str, JSON] = {"model": self.name, "messages": list(messages)}
            asked |= {limit: most} if limit is not None else {}
            asked |= {"temperature": 0} if self._taken.get("temperature", True) else {}
            try:
                data = sent(f"{self.url}/chat/completions", json.dumps(asked).encode(), key=self.key, timeout_s=self.timeout_s)
            except Refused as error:
                refused = next((name for name in (limit, "temperature") if name in asked and _unsupported(error, name)), None)
                if refused is None:
                    raise self.refusal(error) from None
                self._taken[refused] = False
            except Silent as error:
                raise self.silence(error) from None
            else:
                return self._read(data)

    def refusal(self, error: Refused) -> BadInput | UpstreamFailed:
        """What a status that is an error means: whose fault it is."""
        told = _told(error.body) or error.reason
        said = f"answers {error.status}: {shown(told, self.key).rstrip('.')}."
        if error.status in _KEYS:
            return UpstreamFailed(f"{self._called} {said} Check the key that is sent to it.")
        if 400 <= error.status < 500 and error.status not in _BUSY:
            return BadInput(f"{self._called} can't answer this, and {said}")
        return UpstreamFailed(f"{self._called} {said} Try again later, or look at its log.")

    def silence(self, error: Silent) -> UpstreamFailed:
        """That nobody answered."""
        if isinstance(error.cause, TimeoutError):
            return UpstreamFailed(
                f"{self._called} didn't answer within {self.timeout_s:g} seconds. Look whether it runs.", late=True
            )
        return UpstreamFailed(f"{self._called} doesn't answer: {error.cause}. Look whether it runs.")

    def _read(self, data: bytes) -> dict[str, Any]:
        try:
            reply: dict[str, Any] = json.loads(data if len(data) <= MOST else b"")
            if not isinstance(reply["choices"][0]["message"], dict):
                raise TypeError
        except (ValueError, TypeError, KeyError, IndexError):
            said = shown(repr(data[:100]), self.key)
            raise UpstreamFailed(f"{self._called} answered, but not as OpenAI's API does: {said}. Check its URL.") from None
        return reply


def _message(message: Message, decoder: int) -> JSON:
    parts: list[JSON] = [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": data_url(part, decoder)}}
        for part in message.parts
    ]
    only = message.parts[0] if len(message.parts) == 1 else None
    return {"role": message.role, "content": only if isinstance(only, str) else parts}


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _told(body: bytes) -> str:
    """What the endpoint says of an error, in OpenAI's shape or in FastAPI's; "" where it is in neither."""
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    error = said.get("error", said.get("detail")) if isinstance(said, dict) else None
    told = error.get("message") if isinstance(error, dict) else error
    return told if isinstance(told, str) else ""


def _unsupported(error: Refused, name: str | None) -> bool:
    """Whether an endpoint refuses a request because of a field that models before it took."""
    told = _told(error.body)
    return error.status == 400 and name is not None and f"'{name}'" in told and "unsupported" in told.lower()
