"""The application: every route, behind the limits on bodies, with every error in one shape."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, FastAPI

from errata.core.errors import Held
from errata.serve.bodies import BodyLimit
from errata.serve.observed import Observed
from errata.serve.replicas.passing import Passing
from errata.serve.routes import ask, chat, edits, events, health, keys, log, models, recent, studio
from errata.serve.service import Service
from errata.serve.wire.errors import ErrorBody, handle_errors

_ERRORS: Final[Mapping[int | str, dict[str, Any]]] = {
    "4XX": {"model": ErrorBody, "description": "The request can't be answered as it is."},
    "5XX": {"model": ErrorBody, "description": "The server can't answer now."},
}


def create_app(service: Service, chats: APIRouter = chat.router) -> FastAPI:
    """The application over a server's parts.

    Args:
        service: the parts.
        chats: the route that answers conversations.
    """
    app = FastAPI(
        title="errata",
        version=version("errata"),
        summary="A corrected multimodal model: chat completions as OpenAI has them, and the corrections.",
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        responses=dict(_ERRORS),
    )
    app.state.service = service
    app.state.keys = service.keys
    app.state.limits = service.limits
    app.state.owner = service.owner
    app.add_middleware(BodyLimit, most=service.serving.max_body)
    app.add_middleware(Observed, metrics=service.metrics, branch=service.serving.branch)
    handle_errors(app)
    app.add_exception_handler(Held, Passing(service))
    app.include_router(chats)
    app.include_router(models.router)
    app.include_router(health.router)
    for module in (ask, edits, log, keys, recent, events, studio):
        app.include_router(module.router)

    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Have the description say what is true: a request that can't be read is answered by 400, not by the framework's 422."""
    described = app.openapi

    def described_truly() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = described()
            for path in schema["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
            for name in ("HTTPValidationError", "ValidationError"):
                schema.get("components", {}).get("schemas", {}).pop(name, None)
        return app.openapi_schema or {}

    app.openapi = described_truly  # type: ignore[method-assign]  # the framework's own way to change it
