"""That something was appended to a branch, told at once to whoever waits for it on the event loop. Others' writes aren't told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import final


@final
class News:
    """For one event loop; `tell` is called on it."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self._heard: list[Callable[[], None]] = []

    def tell(self) -> None:
        """Something was appended, or may have been."""
        for event in self._waiting:
            event.set()
        for heard in self._heard:
            heard()

    def also(self, heard: Callable[[], None]) -> None:
        """Have this told too."""
        self._heard.append(heard)

    async def wait(self, within_s: float) -> None:
        """Return when something was told, or after so many seconds."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            await asyncio.wait_for(event.wait(), within_s)
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(event)
