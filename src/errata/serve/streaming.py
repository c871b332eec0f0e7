"""An answer as server-sent events: a chunk for each piece as it comes, in the shapes of OpenAI, and [DONE]."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from errata.serve.delivery import GONE, Rows, unless_gone
from errata.serve.engine.seam import Piece, Said
from errata.serve.tracing import attributes_of, ends_of, span
from errata.serve.wire.answers import Chunk, ChunkChoice, Delta, behind, fingerprint, logprobs_of, usage_of
from errata.serve.wire.errors import api_error

DONE: Final = "data: [DONE]\n\n"

EVENTS: Final = "text/event-stream"
"""The type of a body of events."""

HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""So that nothing between holds a piece back."""


@dataclass(frozen=True)
class Streamed:
    """What every chunk of an answer says of itself."""

    id: str
    created: int
    model: str
    usage: bool
    """Whether the counts of tokens are sent."""

    logprobs: bool

    def piece(self, row: int, what: Piece | Said) -> str:
        """What came in a row, as an event."""
        if isinstance(what, Said):
            return self.event([ChunkChoice(index=row, delta=Delta(), finish_reason=what.finish)], said=what)
        logprobs = logprobs_of(what.tokens) if self.logprobs else None
        return self.event([ChunkChoice(index=row, delta=Delta(content=what.text), logprobs=logprobs)])

    def event(self, choices: Sequence[ChunkChoice], *, said: Said | None = None, counts: Sequence[Said] = ()) -> str:
        """A chunk as an event.

        Args:
            choices: what is new.
            said: on the last chunk of an answer, its end.
            counts: on the chunk of the counts, the ends of all answers.
        """
        chunk = Chunk(
            id=self.id,
            created=self.created,
            model=self.model,
            system_fingerprint=None if said is None and not counts else fingerprint((said or counts[0]).head),
            choices=list(choices),
            usage=usage_of(counts) if counts else None,
            errata=None if said is None else behind(said),
        )
        body: dict[str, Any] = chunk.model_dump(mode="json")
        if not self.usage:
            del body["usage"]
        if said is None:
            del body["errata"]
        for choice in body["choices"]:
            choice["delta"] = {name: value for name, value in choice["delta"].items() if value is not None}
        return event_of(body)


def event_of(body: Any) -> str:
    """A value as an event."""
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"


class _Events(StreamingResponse):
    """The events; whatever becomes of the connection, the rows are free afterwards."""

    def __init__(self, events: AsyncIterator[str], rows: Rows) -> None:
        super().__init__(events, media_type=EVENTS, headers=HEADERS)
        self._rows = rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._rows:
            await super().__call__(scope, receive, send)


async def stream(
    rows: Rows, request: Request, told: Streamed, *, first: Callable[[], None], done: Callable[[Sequence[Said]], None]
) -> Response:
    """The answers as they come.

    Args:
        rows: being answered; freed with the response.
        request: whose they are.
        told: what every chunk says of itself.
        first: called when the first piece is there.
        done: called with the ends of all answers.

    Raises:
        Exception: what was wrong with the request: nothing was sent yet, so that it has its own status.
    """
    try:
        beginning = await unless_gone(request, rows.next())
    except BaseException:
        rows.cancel()
        raise
    if beginning is None:
        rows.cancel()
        return Response(status_code=GONE)
    first()
    return _Events(_events(rows, told, beginning, done), rows)


async def _events(
    rows: Rows, told: Streamed, beginning: tuple[int, Piece | Said], done: Callable[[Sequence[Said]], None]
) -> AsyncIterator[str]:
    ended: dict[int, Said] = {}
    with span("chat", attributes_of(told.model)) as noted:
        for row in range(len(rows)):
            yield told.event([ChunkChoice(index=row, delta=Delta(role="assistant", content=""))])
        row, what = beginning
        try:
            while True:
                if isinstance(what, Said):
                    ended[row] = what
                yield told.piece(row, what)
                if len(ended) == len(rows):
                    break
                row, what = await rows.next()
        except Exception as error:  # noqa: BLE001  the answer has begun, so that the error can only be told in it
            yield event_of(api_error(error).to_json())
            return
        said = [ended[each] for each in range(len(rows))]
        noted(ends_of(said))
        done(said)
    if told.usage:
        yield told.event([], counts=said)
    yield DONE
