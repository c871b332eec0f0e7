"""`/v1/events`: what happens to the branch's corrections, as server-sent events; each has the number of its entry as its id.

    id: 17
    event: applied
    data: {"seq": 17, "event": "applied", "edit": "...", ...}

Whoever comes back with `Last-Event-ID: 17` goes on after entry 17, and misses nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from errata.core.errors import ErrataError
from errata.log import EditLog
from errata.serve.access import Caller
from errata.serve.events.happened import Firsts, Happened, happened
from errata.serve.routes._common import Proposer, log_of
from errata.serve.service import Served, Service
from errata.serve.wire.errors import ApiError, bad_request

router = APIRouter(prefix="/v1", tags=["events"])

STREAMS: Final = 256
"""Streams that are open at once."""

_LOOK_S: Final = 1.0
"""How often the log is looked at for what other processes appended."""

_BEAT_S: Final = 15.0
"""How often something is sent where nothing happens, so that a connection that is gone is found out."""

_PART: Final = 200
"""Entries that are read at once."""

_DESCRIBED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "description": "Events: id (the entry), event (its name), data (JSON). A comment is sent every 15 seconds.",
    }
}


@router.get("/events", response_class=StreamingResponse, responses=_DESCRIBED)
async def events(
    request: Request,
    caller: Proposer,
    service: Served,
    last: Annotated[int | None, Header(alias="Last-Event-ID", ge=0, le=2**62, description="Go on after this entry.")] = None,
    after: Annotated[int | None, Query(ge=0, le=2**62, description="The same, for a first call. None: from now on.")] = None,
) -> StreamingResponse:
    """What happens to corrections from now on, or after an entry: applied, refused, proposed, approved, rejected, reverted,
    restored, superseded, expired, quarantined."""
    log = await log_of(service, caller)
    end = await asyncio.to_thread(len, log)
    start = last if last is not None else after if after is not None else end
    if start > end:
        raise bad_request(
            f"There is no entry {start} yet: the log has {end}.", param="Last-Event-ID" if last is not None else "after"
        )
    if len(service.streams) >= STREAMS:
        raise ApiError(429, f"{STREAMS} streams of events are open. Close one.", code="too_many_streams", after_s=30)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    stream = _told(request, service, caller, log, start)
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _told(request: Request, service: Service, caller: Caller, log: EditLog, seen: int) -> AsyncIterator[str]:
    mark, firsts = object(), service.firsts.setdefault(caller.branch, Firsts())
    service.streams.add(mark)
    try:
        yield f": after entry {seen}\n\n"
        beat = time.monotonic()
        while not service.stopping.is_set() and _still(request, service, caller):
            for seq, event in await asyncio.to_thread(_some, log, seen, firsts):
                seen = seq
                if event is not None:
                    yield written(event)
                    beat = time.monotonic()
            if time.monotonic() - beat > _BEAT_S:
                yield ": still here\n\n"
                beat = time.monotonic()
            if seen >= await asyncio.to_thread(len, log):
                await service.news.wait(_LOOK_S)
    except ErrataError:
        return  # the log can't be read any more; whoever comes back is told why
    finally:
        service.streams.discard(mark)


def written(event: Happened) -> str:
    """An event as it is sent."""
    return f"id: {event.seq}\nevent: {event.event}\ndata: {json.dumps(event.to_json(), ensure_ascii=False)}\n\n"


def _some(log: EditLog, seen: int, firsts: Firsts) -> list[tuple[int, Happened | None]]:
    return list(happened(log, seen, firsts, limit=_PART))


def _still(request: Request, service: Service, caller: Caller) -> bool:
    """Whether the key is still one: who was let in isn't for ever."""
    if not caller.key:
        return not service.keys.any
    secret = request.headers.get("authorization", "").partition(" ")[2].strip()
    return service.keys.check(secret) == caller
