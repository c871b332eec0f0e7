"""The length of a request's body, and the time that it takes to come, kept within limits before anything reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final, final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from errata.serve.wire.errors import ApiError

WITHIN_S: Final = 60.0
"""A body must have come after so many seconds."""


@final
class BodyLimit:
    """ASGI middleware: a body that is too long is answered by 413, one that doesn't come by 408, and neither is read any further.

    Args:
        app: what is behind it.
        most: bytes.
        within_s: seconds for the whole body.
    """

    def __init__(self, app: ASGIApp, most: int, within_s: float = WITHIN_S) -> None:
        self._app = app
        self._most = most
        self._within_s = within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            announced = _length(scope)
            if announced is not None and announced > self._most:
                raise self._too_long()
            parts = await asyncio.wait_for(self._read(receive), self._within_s)
        except TimeoutError:
            await ApiError(408, "The body didn't come in time. Send it again.").response(scope, receive, send)
        except ApiError as error:
            error.response.headers["Connection"] = "close"
            await error.response(scope, receive, send)
        else:
            await self._app(scope, _again(parts, receive), send)

    async def _read(self, receive: Receive) -> list[Message]:
        parts: list[Message] = []
        length = 0
        while not parts or parts[-1].get("more_body", False):
            part = await receive()
            length += len(part.get("body", b""))
            if length > self._most:
                raise self._too_long()
            parts.append(part)
        return parts

    def _too_long(self) -> ApiError:
        said = f"The body is longer than {self._most:,} bytes. Send fewer or smaller pictures."
        return ApiError(413, said, code="request_too_large")


def _length(scope: Scope) -> int | None:
    """What the header says; None where it says nothing that can be read."""
    found = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(found) if found.isdigit() and len(found) < 20 else None


def _again(parts: list[Message], receive: Receive) -> Receive:
    """What was received, once more, and then what comes after it."""
    left: Iterator[Message] = iter(parts)

    async def next_part() -> Message:
        part = next(left, None)
        return part if part is not None else await receive()

    return next_part
