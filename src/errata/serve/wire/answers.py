"""What is answered to a chat, whole or in chunks, as OpenAI writes it; and beside it, which edits spoke."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from errata.serve.engine.seam import Finish, Said, Token

_FORBID: Final = ConfigDict(extra="forbid")
_LOWEST: Final = -9999.0
"""What stands for the logarithm of 0, for which JSON has no word."""

_FINGERPRINT: Final = 16


class TopLogprob(BaseModel):
    """A token that was likely."""

    model_config = _FORBID

    token: str
    logprob: float
    """In nats."""

    bytes: list[int]
    """The token's text in UTF-8."""


class TokenLogprob(TopLogprob):
    """A token that was chosen."""

    top_logprobs: list[TopLogprob]


class Logprobs(BaseModel):
    """How likely an answer's tokens were."""

    model_config = _FORBID

    content: list[TokenLogprob]
    refusal: None = None


class Spoke(BaseModel):
    """An edit that spoke."""

    model_config = _FORBID

    id: str
    score: float | None
    """What its scope gave the question; null where no scope was asked of it."""


class ScopeDecision(BaseModel):
    """What a scope said of the question."""

    model_config = _FORBID

    edit: str
    score: float
    inside: bool


class Errata(BaseModel):
    """What stands behind an answer."""

    model_config = _FORBID

    seq: int
    """The last entry of the log that the version holds; 0: the model without edits."""

    head: str
    """That entry's hash; "" for the model without edits."""

    edits: list[Spoke]
    told: bool
    """Whether these are exactly those that spoke; false: they share weights, and any of them may have."""

    decision: ScopeDecision | None


class AnswerMessage(BaseModel):
    """What the model says."""

    model_config = _FORBID

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """One of the answers."""

    model_config = _FORBID

    index: int
    message: AnswerMessage
    logprobs: Logprobs | None
    finish_reason: Finish
    errata: Errata


class Usage(BaseModel):
    """Tokens."""

    model_config = _FORBID

    prompt_tokens: int
    """Of the question, pictures included."""

    completion_tokens: int
    """Of all answers."""

    total_tokens: int


class ChatCompletion(BaseModel):
    """The answers to a request."""

    model_config = _FORBID

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    """Seconds since 1970, UTC."""

    model: str
    system_fingerprint: str
    """The head of the log that answered: errata-, and the first digits of its hash, or errata-base."""

    choices: list[Choice]
    usage: Usage
    errata: Errata
    """Of the first choice."""


class Delta(BaseModel):
    """What is new."""

    model_config = _FORBID

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    """What is new in one of the answers."""

    model_config = _FORBID

    index: int
    delta: Delta
    logprobs: Logprobs | None = None
    finish_reason: Finish | None = None


class Chunk(BaseModel):
    """A piece of the answers, sent as an event."""

    model_config = _FORBID

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str | None = None
    """Known at the end of an answer."""

    choices: list[ChunkChoice]
    usage: Usage | None = None
    errata: Errata | None = None
    """On the last chunk of an answer."""


def fingerprint(head: str) -> str:
    """The name of a version by the hash of its last entry."""
    return f"errata-{head[:_FINGERPRINT] or 'base'}"


def behind(said: Said) -> Errata:
    """What stands behind an answer."""
    decision = said.decision
    scores = {} if decision is None else {decision.edit: decision.score}
    return Errata(
        seq=said.seq,
        head=said.head,
        edits=[Spoke(id=edit, score=scores.get(edit)) for edit in said.edits],
        told=said.told,
        decision=None if decision is None else ScopeDecision(edit=decision.edit, score=decision.score, inside=decision.inside),
    )


def logprobs_of(tokens: Sequence[Token]) -> Logprobs:
    """The tokens of an answer, and how likely they were."""
    return Logprobs(
        content=[
            TokenLogprob(
                token=token.text,
                logprob=_finite(token.logprob),
                bytes=_bytes(token.text),
                top_logprobs=[TopLogprob(token=text, logprob=_finite(logprob), bytes=_bytes(text)) for text, logprob in token.top],
            )
            for token in tokens
        ]
    )


def usage_of(said: Sequence[Said]) -> Usage:
    """The tokens of one question and its answers."""
    prompt = said[0].prompt_tokens
    completion = sum(each.completion_tokens for each in said)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def _finite(logprob: float) -> float:
    return logprob if math.isfinite(logprob) else _LOWEST


def _bytes(text: str) -> list[int]:
    return list(text.encode("utf-8", "surrogatepass"))
