"""Answers that are being made to one request, brought from the engine's thread to the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar, final

from fastapi import Request

from errata.serve.engine.seam import Ask, Asked, Engine, Piece, Said

T = TypeVar("T")

GONE: Final = 499
"""The status of what nobody waits for any more; it is only in the log of requests."""


async def unless_gone(request: Request, answering: Coroutine[Any, Any, T]) -> T | None:
    """What comes of it; None where whoever asked goes away before."""
    answer = asyncio.ensure_future(answering)
    going = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({answer, going}, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None
    finally:
        answer.cancel()
        going.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


@final
class Rows:
    """The rows of a request; leaving the `with` block frees those that aren't done.

    Args:
        engine: takes the questions in.
        asks: a row for each.

    Raises:
        Full: the queue has no room for all of them.
    """

    def __init__(self, engine: Engine, asks: Sequence[Ask]) -> None:
        self._loop = asyncio.get_running_loop()
        self._came: asyncio.Queue[tuple[int, Piece | Said | Exception]] = asyncio.Queue()
        self._rows: list[Asked] = []
        try:
            for index, ask in enumerate(asks):
                self._rows.append(engine.ask(ask, partial(self._deliver, index)))
        except BaseException:
            self.cancel()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.cancel()

    def __len__(self) -> int:
        return len(self._rows)

    async def next(self) -> tuple[int, Piece | Said]:
        """What comes next, and in which row.

        Raises:
            Exception: what was delivered instead of an answer.
        """
        index, what = await self._came.get()
        if isinstance(what, Exception):
            raise what
        return index, what

    def cancel(self) -> None:
        """Nobody listens any more."""
        for row in self._rows:
            row.cancel()

    def _deliver(self, index: int, what: Piece | Said | Exception) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._came.put_nowait, (index, what))
