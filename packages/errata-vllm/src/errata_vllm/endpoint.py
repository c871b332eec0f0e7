"""vLLM's endpoint plugin: what is in force, and waiting for it, over HTTP under `/plugins/errata/`.

It loads only where `VLLM_PLUGINS` names it (`VLLM_PLUGINS=errata`). Where `ERRATA_SERVER` names an `errata serve` of the same
store, corrections that come here are handed on to it as they are: it has the model that they are written on, and the log.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from errata_vllm.settings import SERVER

_LONGEST_S: Final = 60.0
_BETWEEN_S: Final = 0.1
_HANDED_ON_S: Final = 600.0
_BODY_BYTES: Final = 64 * 1024 * 1024
_JSON: Final = "application/json"
_HEADERS: Final = ("authorization", "content-type", "idempotency-key")


class Plugin:
    """See `vllm.plugins.endpoint_plugins.interface.EndpointPlugin`."""

    name = "errata"
    required_tasks = ("generate",)

    def attach_router(self, app: Any) -> None:
        """Add the routes."""
        router = APIRouter(prefix="/plugins/errata")

        async def status() -> Any:
            """What is in force in every worker."""
            return JSONResponse(_told(await _asked(app, "errata_status")))

        async def follow(min_seq: int, timeout_s: float = 10.0) -> Any:
            """Wait until every worker has folded the log up to an entry: 200; 503 with the reason where it hasn't yet."""
            ends = time.monotonic() + min(max(timeout_s, 0.0), _LONGEST_S)
            while True:
                found = _told(await _asked(app, "errata_follow"))
                if found["seq"] >= min_seq:
                    return JSONResponse(found)
                if time.monotonic() >= ends:
                    return JSONResponse(found, status_code=503)
                await asyncio.sleep(_BETWEEN_S)

        async def handed_on(request: Request, rest: str = "") -> Any:
            """A correction, a dry run or a revert, by the errata server that has the model."""
            body = await request.body()
            if len(body) > _BODY_BYTES:
                told = f"The request has {len(body):,} bytes; at most {_BODY_BYTES:,} are handed on."
                return JSONResponse(_error(told), status_code=413)
            path = quote("/".join(["edits", *filter(None, rest.split("/"))]))
            query = f"?{request.url.query}" if request.url.query else ""
            sent = {name: request.headers[name] for name in _HEADERS if name in request.headers}
            status, kind, data = await asyncio.to_thread(_handed_on, request.method, path + query, body, sent)
            return Response(data, status_code=status, media_type=kind)

        router.add_api_route("/status", status, methods=["GET"])
        router.add_api_route("/follow", follow, methods=["POST"])
        router.add_api_route("/edits", handed_on, methods=["GET", "POST"])
        router.add_api_route("/edits/{rest:path}", handed_on, methods=["GET", "POST"])
        app.include_router(router)

    async def init_state(self, engine_client: Any, state: Any, args: Any) -> None:
        """Keep what asks the workers."""
        state.errata_client = engine_client


async def _asked(app: Any, what: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = await app.state.errata_client.collective_rpc(what)
    return found


def _told(found: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What all workers have in common: the one that is furthest behind speaks for them."""
    return dict(min(found, key=lambda one: one["seq"]))


def _error(sentence: str) -> dict[str, Any]:
    return {"error": {"message": sentence, "type": "invalid_request_error"}}


def _handed_on(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
    """The response of the errata server: its status, media type and bytes. The caller's own key goes along, and no other."""
    server = os.environ.get(SERVER, "").rstrip("/")
    if not server:
        told = (
            "Corrections are written on the model in transformers. "
            f"Set {SERVER} to an errata serve of this store, or use errata edit."
        )
        return 501, _JSON, json.dumps(_error(told)).encode()
    request = urllib.request.Request(f"{server}/v1/{path}", data=body or None, headers=dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=_HANDED_ON_S) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read()
    except OSError as error:
        told = f"The errata server at {server} can't be reached: {error}. Whether it did anything its log says."
        return 502, _JSON, json.dumps(_error(told)).encode()
