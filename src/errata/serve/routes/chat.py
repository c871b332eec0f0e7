"""POST /v1/chat/completions: a question is read, put to the engine in as many rows as answers are asked for, and answered."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from errata.core.records import Query
from errata.serve.access import Caller, at_least
from errata.serve.asked import query_of
from errata.serve.delivery import GONE, Rows, unless_gone
from errata.serve.engine.seam import Ask, Piece, Said, Sampling, Token
from errata.serve.pins import Pin, pinned
from errata.serve.recent import Completion
from errata.serve.service import Served, Service
from errata.serve.streaming import Streamed, stream
from errata.serve.tracing import attributes_of, ends_of, span
from errata.serve.wire.answers import AnswerMessage, ChatCompletion, Choice, behind, fingerprint, logprobs_of, usage_of
from errata.serve.wire.chat import ChatRequest
from errata.serve.wire.errors import bad_request

router = APIRouter(prefix="/v1", tags=["chat"])

_SEEDS: Final = 2**63
_STREAM: Final[Mapping[int | str, dict[str, Any]]] = {
    200: {
        "description": "The answers; where `stream` is true, server-sent events, each a chat.completion.chunk, and [DONE].",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@dataclass(frozen=True)
class _Read:
    """A request that was read: what is asked of which state, and under which id it is answered."""

    id: str
    created: int
    asked: ChatRequest
    pin: Pin
    query: Query
    caller: Caller

    @property
    def told_as(self) -> Streamed:
        """What every chunk of the answer says of itself."""
        include = self.asked.stream_options is not None and bool(self.asked.stream_options.include_usage)
        return Streamed(self.id, self.created, self.pin.name, usage=include, logprobs=bool(self.asked.logprobs))


@router.post("/chat/completions", response_model=ChatCompletion, responses=dict(_STREAM))
async def create_chat_completion(
    asked: ChatRequest, request: Request, service: Served, caller: Annotated[Caller, Depends(at_least("ask"))]
) -> Response:
    """Answer a conversation with every correction of the log in force, or as the model was at a pin."""
    _check(asked)
    begun = time.perf_counter()
    metrics = service.metrics.of(caller.branch)
    pin = await pinned(service, caller.branch, asked.model)
    query = await run_in_threadpool(query_of, asked.messages, service.pictures, most=service.serving.max_pictures)
    metrics.took("pictures", time.perf_counter() - begun)
    read = _Read(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), asked, pin, query, caller)
    request.state.noted |= {"id": read.id, "model": pin.name, "stream": bool(asked.stream), "images": len(query.images)}
    rows = Rows(service.engine, _rows_of(asked, query, caller.branch, pin))

    def done(said: Sequence[Said]) -> None:
        metrics.took("answer", time.perf_counter() - begun)
        _note(service, request, read, said)

    def first() -> None:
        metrics.took("first", time.perf_counter() - begun)

    if asked.stream:
        return await stream(rows, request, read.told_as, first=first, done=done)
    with rows, span("chat", attributes_of(pin.name)) as told:
        answers = await unless_gone(request, _collected(rows, first=first))
        if answers is None:
            return Response(status_code=GONE)
        said = [each for each, _ in answers]
        done(said)
        told(ends_of(said))
    return Response(_completion(read, answers).model_dump_json(), media_type="application/json")


def _check(asked: ChatRequest) -> None:
    """Fields that don't go together.

    Raises:
        ApiError: some don't.
    """
    limits = {each for each in (asked.max_tokens, asked.max_completion_tokens) if each is not None}
    if len(limits) > 1:
        raise bad_request("max_tokens and max_completion_tokens differ. Give one of them.", param="max_tokens")
    if asked.top_logprobs is not None and not asked.logprobs:
        raise bad_request("top_logprobs needs logprobs: true.", param="top_logprobs")
    if asked.stream_options is not None and not asked.stream:
        raise bad_request("stream_options needs stream: true.", param="stream_options")


def _rows_of(asked: ChatRequest, query: Query, branch: str, pin: Pin) -> list[Ask]:
    """A row for each answer; with a seed each draws from its own, so that a request gives the same answers again."""
    greedy = not asked.temperature or asked.top_p == 0
    sampling = Sampling(
        max_new_tokens=asked.max_completion_tokens if asked.max_tokens is None else asked.max_tokens,
        temperature=0.0 if greedy or asked.temperature is None else asked.temperature,
        top_p=asked.top_p or 1.0,
        stop=(asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ()),
        top_logprobs=(asked.top_logprobs or 0) if asked.logprobs else None,
    )
    seeds = [None if asked.seed is None else (asked.seed + row) % _SEEDS for row in range(asked.n or 1)]
    return [Ask(query, branch, pin.at, asked.min_seq, _seeded(sampling, seed)) for seed in seeds]


def _seeded(sampling: Sampling, seed: int | None) -> Sampling:
    return Sampling(sampling.max_new_tokens, sampling.temperature, sampling.top_p, seed, sampling.stop, sampling.top_logprobs)


async def _collected(rows: Rows, *, first: Callable[[], None]) -> list[tuple[Said, list[Token]]]:
    """The answers at their ends, with their tokens."""
    tokens: dict[int, list[Token]] = {row: [] for row in range(len(rows))}
    ended: dict[int, Said] = {}
    begun = False
    while len(ended) < len(rows):
        row, what = await rows.next()
        if not begun:
            begun = True
            first()
        if isinstance(what, Piece):
            tokens[row].extend(what.tokens)
        else:
            ended[row] = what
    return [(ended[row], tokens[row]) for row in range(len(rows))]


def _completion(read: _Read, answers: Sequence[tuple[Said, list[Token]]]) -> ChatCompletion:
    choices = [
        Choice(
            index=index,
            message=AnswerMessage(content=said.text),
            logprobs=logprobs_of(tokens) if read.asked.logprobs else None,
            finish_reason=said.finish,
            errata=behind(said),
        )
        for index, (said, tokens) in enumerate(answers)
    ]
    return ChatCompletion(
        id=read.id,
        created=read.created,
        model=read.pin.name,
        system_fingerprint=fingerprint(answers[0][0].head),
        choices=choices,
        usage=usage_of([said for said, _ in answers]),
        errata=choices[0].errata,
    )


def _note(service: Service, request: Request, read: _Read, said: Sequence[Said]) -> None:
    """Remember the first answer, unless that isn't wanted, and tell the log of requests how it went."""
    one, asked = said[0], read.asked
    if asked.store is not False:
        user = asked.safety_identifier if asked.user is None else asked.user
        kept = Completion(read.id, read.created, read.pin.name, read.query, one, read.caller.name, user, asked.metadata or {})
        service.recent.remember(read.caller.branch, kept)
    usage = usage_of(said)
    request.state.noted |= {
        "seq": one.seq,
        "edits": len(one.edits),
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
    }
    if service.serving.log_prompts:
        request.state.noted |= {"question": read.query.text, "answer": one.text}
