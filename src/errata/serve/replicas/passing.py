"""A change that reaches a server without the branch's lease is passed on to the server that has it, and its answer comes back.

Where that is says the lease in the store, and nothing else: no request, no header, no redirect. The caller's key goes along and is
checked there again. What was passed on once isn't passed on again, so two servers that each take the other for the writer end in
an answer. Before the answer is given back, its entries are folded here, so whoever asks here next is answered of them.
"""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, final
from urllib.parse import quote, urlsplit

from fastapi import Request, Response

from errata.core.errors import ErrataError, Held
from errata.serve.access import Caller
from errata.serve.engine.seam import Full
from errata.serve.service import Service
from errata.serve.wire.errors import ApiError, api_error, log, seconds_until

PASSED_ON: Final = "Errata-Passed-On"
"""The header that what is passed on has."""

_ALONG: Final = ("Authorization", "Content-Type", "Accept", "Idempotency-Key", "traceparent", "tracestate")
_BACK: Final = ("Content-Type", "Retry-After", "WWW-Authenticate")
"""Headers that go along, and that come back."""

_CONNECT_S: Final = 5.0
_ANSWER_S: Final = 300.0
"""A write waits for its turn there, and takes as long as the model needs."""

_MOST: Final = 64 * 1024 * 1024
"""Bytes of an answer, at most."""

_AT_ONCE: Final = ThreadPoolExecutor(64, thread_name_prefix="passing on")
"""Its threads only wait; the event loop's own are few, and read the log."""


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class _Unreached(Exception):
    """Nothing was sent."""


class _Silent(Exception):
    """It was sent, and no answer came."""


@final
class Passing:
    """What a server answers where somebody else has the branch: an exception handler for `Held`.

    Args:
        service: the server's parts.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, Held) or not error.url or PASSED_ON in request.headers:
            return api_error(error).response
        request.state.noted["passed_to"] = error.url
        body = await request.body() if request.state.instead is None else request.state.instead
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(_AT_ONCE, _sent, error.url, request, body)
        except _Unreached as why:
            return ApiError(
                503,
                f"Branch {error.branch!r} is written by the server at {error.url}, which can't be reached from here: {why}. "
                f"Nothing was changed. Send it again in a while: if that server is gone, its lease ends at {error.until}.",
                code="writer_unreachable",
                after_s=seconds_until(error.until),
            ).response
        except _Silent as why:
            return ApiError(
                503,
                f"The change was passed on to the server at {error.url}, and its answer didn't come: {why}. It may have been made "
                "or not. Send it again with the same Idempotency-Key, or look at GET /v1/log first.",
                code="writer_silent",
                after_s=1,
            ).response
        if answer.status < 300:
            await self._folded(request.state.caller)
        return Response(answer.body, answer.status, dict(answer.headers))

    async def _folded(self, caller: Caller) -> None:
        """Return once what was appended there is in the state here; the change stands whether that goes well or not."""
        try:
            await self._service.done(caller.branch, lambda session: None)
        except (ErrataError, Full) as error:
            log.warning("what was passed on isn't folded here yet: %s", error)
        self._service.news.tell()


def _sent(url: str, request: Request, body: bytes) -> _Answer:
    """The answer of the server at a URL to the same request.

    Raises:
        _Unreached: there is no connection.
        _Silent: there was one, and it ended before the answer did.
    """
    place = urlsplit(url)
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    connection = kind(place.hostname or "", place.port, timeout=_CONNECT_S)
    headers = {name: request.headers[name] for name in _ALONG if name in request.headers} | {PASSED_ON: "1"}
    try:
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            raise _Unreached(_why(error)) from error
        connection.sock.settimeout(_ANSWER_S)
        try:
            connection.request(request.method, place.path.rstrip("/") + _path(request.scope), body, headers)
            found = connection.getresponse()
            said = found.read(_MOST)
        except (OSError, http.client.HTTPException) as error:
            raise _Silent(_why(error)) from error
        back = {name: value for name in _BACK if (value := found.getheader(name)) is not None}
        return _Answer(found.status, back, said)
    finally:
        connection.close()


def _path(scope: Mapping[str, Any]) -> str:
    """The request's path and query, without what is before the application's own routes."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    query = scope["query_string"].decode("ascii", "ignore")
    return quote(path, safe="/:@!$&'()*+,;=~") + (f"?{query}" if query else "")


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
