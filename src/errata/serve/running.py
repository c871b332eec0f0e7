"""The server as a process: it takes its port, answers until it is told to stop, and lets what was begun end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Final, final

import uvicorn
from fastapi import FastAPI

from errata.serve.service import Service

WITHIN_S: Final = 10
"""How long requests that were begun may go on after the server was told to stop, in seconds."""

_HEADERS: Final = 1 << 16
"""Bytes of a request's headers, at most."""


@final
class Server(uvicorn.Server):
    """uvicorn, which says when it listens, and lets streams without an end know when it stops.

    Args:
        app: the application.
        service: its parts; the engine is closed when the server has stopped.
        listening: called once requests are taken.
    """

    def __init__(self, app: FastAPI, service: Service, listening: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                http="h11",
                ws="none",
                loop="asyncio",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=WITHIN_S,
                h11_max_incomplete_event_size=_HEADERS,
            )
        )
        self._service = service
        self._listening = listening

    def answer(self, at: socket.socket) -> None:
        """Take requests until told to stop, by a signal or by `stop`; then end what was begun."""
        try:
            self.run(sockets=[at])
        finally:
            self._service.stopping.set()
            self._service.engine.close(within_s=WITHIN_S)

    def stop(self) -> None:
        """Stop; from any thread."""
        self._service.stopping.set()
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        if self.started:
            self._listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal: once to stop when what was begun has ended, an interrupt once more to stop now."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.stop()
