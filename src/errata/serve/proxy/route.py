"""POST /v1/chat/completions in front of an upstream: what a correction concerns is answered by it, all else goes through."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

import httpx2
from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import StreamingResponse

from errata.core.records import Query
from errata.door import Session
from errata.serve.access import Caller, at_least
from errata.serve.delivery import GONE, unless_gone
from errata.serve.engine.branches import Version
from errata.serve.engine.seam import PATIENCE_S, NotYet, Piece, Said
from errata.serve.pins import pinned
from errata.serve.proxy.forward import Forward, headers_of, unanswered
from errata.serve.proxy.replies import FIELD, Heard, events, with_field
from errata.serve.proxy.sent import Sent
from errata.serve.proxy.ways import Way, way_of
from errata.serve.recent import Completion
from errata.serve.service import Served, Service
from errata.serve.streaming import DONE, EVENTS, HEADERS, Streamed, event_of
from errata.serve.tracing import attributes_of, ends_of, span
from errata.serve.wire.answers import AnswerMessage, ChatCompletion, Choice, ChunkChoice, Delta, behind, fingerprint, usage_of
from errata.session.asking import unedited

Versions = Callable[[str], Version | None]
"""The state of a branch as far as it is folded, at once and from any thread; None: nobody asked for the branch yet."""

HEADER: Final = "X-Errata-Way"
"""Beside the field: a reply that is an error has no field of ours."""

_DESCRIBED: Final[Mapping[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "description": "As OpenAI has it; all of it goes on, but min_seq: the entry that must be in force.",
                    "required": ["model", "messages"],
                    "properties": {
                        "model": {"type": "string"},
                        "messages": {"type": "array", "items": {}},
                        "min_seq": {"type": ["integer", "null"], "minimum": 0},
                    },
                }
            }
        },
    }
}
"""Of the body, which is read by hand so that it can go on as it came."""

_LOOK_S: Final = 0.02


@dataclass(frozen=True)
class _Asked:
    """A request on its way."""

    request: Request
    service: Service
    caller: Caller
    sent: Sent
    query: Query | None
    way: Way
    begun: float

    def ended(self, heard: Heard) -> None:
        """Remember the answer, unless that isn't wanted, and tell the log of requests how it went."""
        said = self.way.said("".join(heard.text), whole=heard.whole, prompt=heard.prompt, tokens=heard.tokens)
        self.service.metrics.of(self.caller.branch).took("answer", time.perf_counter() - self.begun)
        body = self.sent.body
        if self.query is not None and heard.id and body.get("store") is not False:
            user, more = body.get("user", body.get("safety_identifier")), body.get("metadata")
            kept = Completion(
                heard.id, int(time.time()), self.sent.model, self.query, said, self.caller.name,
                user if isinstance(user, str) else None,
                {str(name): str(value) for name, value in more.items()} if isinstance(more, dict) else {},
            )  # fmt: skip
            self.service.recent.remember(self.caller.branch, kept)
        self.noted(said)
        if self.service.serving.log_prompts and self.query is not None:
            self.request.state.noted |= {"question": self.query.text, "answer": said.text}

    def noted(self, said: Said) -> None:
        self.request.state.noted |= {
            "seq": said.seq,
            "edits": len(said.edits),
            "prompt_tokens": said.prompt_tokens,
            "completion_tokens": said.completion_tokens,
        }


def router_of(forward: Forward, versions: Versions) -> APIRouter:
    """The route.

    Args:
        forward: the upstream.
        versions: what a question is asked of.
    """
    router = APIRouter(prefix="/v1", tags=["chat"])

    @router.post("/chat/completions", openapi_extra=dict(_DESCRIBED))
    async def create_chat_completion(
        request: Request, service: Served, caller: Annotated[Caller, Depends(at_least("ask"))]
    ) -> Response:
        """Answer a conversation by the correction that concerns it, or by the upstream; `errata.way` says which."""
        begun = time.perf_counter()
        sent = Sent.of(await request.body())
        version = await _version(service, versions, caller.branch, sent)
        query, way = await asyncio.to_thread(_looked, service, sent, version)
        service.metrics.of(caller.branch).took("pictures", time.perf_counter() - begun)
        request.state.noted |= {
            "model": sent.model, "stream": sent.streams, "way": way.name, "images": len(query.images) if query is not None else 0,
        }  # fmt: skip
        asked = _Asked(request, service, caller, sent, query, way, begun)
        with span("chat", attributes_of(sent.model)) as told:
            answer = _stored(asked) if way.name == "pinned" else await _forwarded(asked, forward)
            told(ends_of([way.said("")]))
        answer.headers[HEADER] = way.name
        return answer

    return router


def _looked(service: Service, sent: Sent, version: Version) -> tuple[Query | None, Way]:
    query = sent.query(service.pictures, most=service.serving.max_pictures)
    return query, way_of(version, sent, query)


async def _version(service: Service, versions: Versions, branch: str, sent: Sent) -> Version:
    """What is asked: the head, or a state of the past.

    Raises:
        ApiError: there is no such model or state (404).
        NotYet: the entry that must be in force didn't come in time.
    """
    pin = await pinned(service, branch, sent.model)
    least, until = sent.min_seq, time.monotonic() + PATIENCE_S
    while least is not None and service.engine.seq(branch) < least:
        if time.monotonic() > until:
            raise NotYet(branch, least, service.engine.seq(branch), PATIENCE_S)
        await asyncio.sleep(_LOOK_S)
    if pin.at is not None:
        return await service.done(branch, partial(_at, seq=pin.at))
    found = versions(branch)
    return found if found is not None else await service.done(branch, _now)


def _now(session: Session) -> Version:
    inner = session.inner
    return Version(inner.model, inner.read, inner.log, *inner.seen)


def _at(session: Session, seq: int) -> Version:
    if seq == 0:
        return Version(session.inner.model, unedited, session.inner.log, 0, "")
    past = session.inner.at(seq)
    return Version(past.model, past.read, past.log, *past.seen)


def _stored(asked: _Asked) -> Response:
    """A pinned answer, in the shapes of OpenAI: nobody was asked, so no token was read or made."""
    sent, way = asked.sent, asked.way
    said, created = way.said(way.text), int(time.time())
    heard = Heard(f"chatcmpl-{secrets.token_hex(12)}", [way.text])
    asked.request.state.noted |= {"id": heard.id}
    asked.ended(heard)
    if sent.streams:
        return StreamingResponse(_pieces(sent, way, heard.id, created), media_type=EVENTS, headers=HEADERS)
    choices = [
        Choice(index=row, message=AnswerMessage(content=way.text), logprobs=None, finish_reason="stop", errata=behind(said))
        for row in range(sent.rows)
    ]
    whole = ChatCompletion(
        id=heard.id, created=created, model=sent.model, system_fingerprint=fingerprint(said.head), choices=choices,
        usage=usage_of([said]), errata=choices[0].errata,
    )  # fmt: skip
    body = whole.model_dump(mode="json") | {FIELD: way.errata()}
    for choice in body["choices"]:
        del choice[FIELD]
    return Response(json.dumps(body, ensure_ascii=False), media_type="application/json")


async def _pieces(sent: Sent, way: Way, name: str, created: int) -> AsyncIterator[str]:
    """A pinned answer as events."""
    told, said = Streamed(name, created, sent.model, usage=sent.counts, logprobs=False), way.said(way.text)
    for row in range(sent.rows):
        yield told.event([ChunkChoice(index=row, delta=Delta(role="assistant", content=""))])
        yield told.piece(row, Piece(way.text))
        last: dict[str, Any] = json.loads(told.piece(row, said).removeprefix("data: "))
        yield event_of(last | {FIELD: way.errata()})
    if sent.counts:
        yield told.event([], counts=[said])
    yield DONE


async def _forwarded(asked: _Asked, forward: Forward) -> Response:
    """The upstream's reply.

    Raises:
        ApiError: nobody answers (502, 504).
    """
    body = asked.sent.on(forward.model, asked.query, asked.way.instead)
    reply = await unless_gone(asked.request, forward.chat(body, asked.request.headers))
    if reply is None:
        return Response(status_code=GONE)
    headers, heard = headers_of(reply), Heard()
    asked.service.metrics.of(asked.caller.branch).took("first", time.perf_counter() - asked.begun)

    def done() -> None:
        asked.request.state.noted |= {"id": heard.id}
        asked.ended(heard)

    if reply.is_success and reply.headers.get("content-type", "").startswith(EVENTS):
        stream = events(reply, asked.way.errata(), heard, done)
        return StreamingResponse(stream, status_code=reply.status_code, headers=headers | HEADERS)
    try:
        data = await unless_gone(asked.request, reply.aread())
    except httpx2.HTTPError as error:
        raise unanswered(error) from None
    finally:
        await reply.aclose()
    if data is None:
        return Response(status_code=GONE)
    if reply.is_success:
        data = with_field(data, asked.way.errata(), heard)
        done()
    return Response(data, status_code=reply.status_code, headers=headers)
