"""Whether the server lives, whether it is ready to be asked, and its figures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from errata.core.errors import ErrataError
from errata.serve.access import Caller, at_least
from errata.serve.engine.seam import Full
from errata.serve.metrics import held_by
from errata.serve.observed import requests
from errata.serve.service import Served
from errata.serve.wire.errors import ApiError

router = APIRouter(tags=["operating"])

_PATIENCE_S: Final = 2.0
"""How long a scrape waits for a look at the log."""

_TEXT: Final[Mapping[int | str, dict[str, Any]]] = {
    200: {"description": "The figures.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """The model can be asked."""

    status: Literal["ready"] = "ready"


@router.get("/healthz")
async def healthz() -> Alive:
    """Whether the process answers."""
    return Alive()


@router.get("/readyz")
async def readyz(service: Served, min_seq: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0) -> Ready:
    """Whether the model can be asked, with every entry up to `min_seq` of the server's branch folded; else 503."""
    if service.stopping.is_set():
        raise ApiError(503, "The server is shutting down.", code="not_ready")
    if service.serving.branch in service.engine.load().stuck:
        raise ApiError(503, "An entry of the log can't be folded here; the server's log says why.", code="not_ready", after_s=5)
    if service.engine.seq(service.serving.branch) < min_seq:
        raise ApiError(503, f"Entry {min_seq} isn't folded yet.", code="not_ready", after_s=1)
    return Ready()


@router.get("/metrics", response_class=Response, responses=dict(_TEXT))
async def metrics(service: Served, caller: Annotated[Caller, Depends(at_least("ask"))]) -> Response:
    """The figures of the caller's branch, and of the engine, in Prometheus's format."""
    figures = service.metrics.of(caller.branch)
    try:
        figures.held = await asyncio.wait_for(service.done(caller.branch, held_by), _PATIENCE_S)
    except (TimeoutError, ErrataError, Full):
        requests.warning("the log can't be looked at; its figures are those of the last look")
    return Response(figures.text(service.engine.load()), media_type=CONTENT_TYPE_LATEST)
