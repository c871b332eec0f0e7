"""Every request counted, and told to the server's log as a line of JSON without what was asked, answered or shown."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from errata.serve.metrics import Metrics

requests: Final = logging.getLogger("errata.serve.requests")

_ABORTED: Final = 499
"""The status of a request that went away before it was answered."""

_QUIET: Final = ("/healthz", "/readyz", "/metrics")
"""Routes that something asks every few seconds: told at the level DEBUG."""


@final
class Observed:
    """ASGI middleware around all others.

    Args:
        app: what is behind it.
        metrics: where requests are counted.
        branch: whose they are where nobody was let in.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, branch: str) -> None:
        self._app = app
        self._metrics = metrics
        self._branch = branch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        noted: dict[str, Any] = {}
        scope.setdefault("state", {}).update(noted=noted, instead=None)
        status = _ABORTED
        begun = time.perf_counter()

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            ms = (time.perf_counter() - begun) * 1000
            self._note(scope, status, ms, noted)

    def _note(self, scope: Scope, status: int, ms: float, noted: Mapping[str, Any]) -> None:
        route = scope["route"].path if "route" in scope else "unknown"
        method = scope["method"] if scope["method"] in ("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS") else "OTHER"
        caller = scope["state"].get("caller")
        branch = self._branch if caller is None else caller.branch
        self._metrics.of(branch).answered(method, route, status)
        told = {"method": method, "route": route, "status": status, "ms": round(ms, 1), "branch": branch}
        if caller is not None:
            told["caller"] = caller.name
        requests.log(logging.DEBUG if route in _QUIET else logging.INFO, "request", extra={"told": {**told, **noted}})


@final
class Lines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        told = vars(record).get("told", {})
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **told,
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to_stderr(level: str) -> None:
    """Have what errata's server and uvicorn note written to standard error.

    Args:
        level: the lowest that is written: debug, info, warning or error.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    for name in ("errata.serve", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level.upper() if name == "errata.serve" else max(logging.WARNING, logging.getLevelName(level.upper())))
