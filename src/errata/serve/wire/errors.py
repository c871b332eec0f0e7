"""Errors as OpenAI writes them: {"error": {"message", "type", "param", "code"}}, with the status that says whose fault it is."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from errata.core.errors import (
    BadImage,
    BadInput,
    Conflict,
    ErrataError,
    Held,
    JudgeFailed,
    LogError,
    Unknown,
    UpstreamFailed,
    quoted,
)
from errata.core.records import instant
from errata.serve.engine.seam import Full, NotYet

Kind = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "conflict_error",
    "rate_limit_error",
    "server_error",
]

_KINDS: Final[Mapping[int, Kind]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
"""Status -> type, where nothing else is said: below 500 `invalid_request_error`, from there `server_error`."""

log: Final = logging.getLogger("errata.serve")


class ErrorDetail(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(extra="forbid")

    message: str
    type: Kind
    param: str | None = None
    """The field of the request that is to blame."""

    code: str | None = None


class ErrorBody(BaseModel):
    """The body of every response that isn't a success."""

    model_config = ConfigDict(extra="forbid")

    error: ErrorDetail


class ApiError(HTTPException):
    """What a route answers instead.

    Args:
        status: of HTTP.
        message: what is wrong, and what to do next.
        type: None: as the status has it.
        param: the field of the request that is to blame.
        code: a word for programs.
        after_s: seconds after which the same request may succeed.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: Kind | None = None,  # noqa: A002  OpenAI's name
        param: str | None = None,
        code: str | None = None,
        after_s: float | None = None,
    ) -> None:
        self.message = message
        self.type = type if type is not None else _KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
        self.param = param
        self.code = code
        headers = {} if after_s is None else {"Retry-After": str(max(1, math.ceil(after_s)))}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        super().__init__(status, message, headers)

    def to_json(self) -> dict[str, Any]:
        """The body; what isn't Unicode in a message is escaped."""
        message = self.message.encode("utf-8", "backslashreplace").decode()
        param = None if self.param is None else self.param.encode("utf-8", "backslashreplace").decode()
        return {"error": {"message": message, "type": self.type, "param": param, "code": self.code}}

    @property
    def response(self) -> JSONResponse:
        """The error as it is sent."""
        return JSONResponse(self.to_json(), self.status_code, headers=self.headers)


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """400: what was sent can't be used."""
    return ApiError(400, message, param=param, code=code)


def unauthorised(message: str) -> ApiError:
    """401: nobody knows who this is."""
    return ApiError(401, message, code="invalid_api_key")


def forbidden(message: str) -> ApiError:
    """403: they may not."""
    return ApiError(403, message, code="insufficient_permissions")


def not_found(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """404: there is no such thing, or none that the caller may know of."""
    return ApiError(404, message, param=param, code=code)


def conflict(message: str, *, after_s: float | None = None, code: str | None = None) -> ApiError:
    """409: it can't be done as things are."""
    return ApiError(409, message, code=code, after_s=after_s)


def api_error(error: Exception, *, param: str | None = None) -> ApiError:
    """Whatever was raised, as an answer; what nobody foresaw is noted in the server's log and not told.

    Args:
        param: the field of the request that is to blame where it was the input's fault.
    """
    match error:
        case ApiError():
            return error
        case Full():
            return ApiError(429, str(error), code="queue_full", after_s=error.after_s)
        case Held():
            return conflict(_served(str(error)), after_s=seconds_until(error.until), code="branch_held")
        case Conflict():
            return conflict(str(error), after_s=1, code="conflict")
        case Unknown():
            return not_found(str(error), param=param, code="not_found")
        case BadImage():
            return bad_request(str(error), param=param, code="invalid_image")
        case BadInput():
            return bad_request(str(error), param=param, code="invalid_value")
        case NotYet():
            return ApiError(503, str(error), code="not_folded", after_s=1)
        case LogError():
            return ApiError(503, str(error), code="log_error", after_s=5)
        case UpstreamFailed():
            return ApiError(
                504 if error.late else 502, str(error), code="upstream_timeout" if error.late else "upstream_failed", after_s=5
            )
        case JudgeFailed() | ErrataError():
            return ApiError(503, str(error))
        case HTTPException():
            return ApiError(error.status_code, str(error.detail))
        case _:
            log.error("a request failed", exc_info=error)
            return ApiError(
                500, "The server failed at this request, and has noted why in its log. Nothing of it is known to be done."
            )


def _served(message: str) -> str:
    """The message of the command line, without its options."""
    return message.replace(" (--wait SECONDS)", "")


def seconds_until(until: str) -> float:
    """How long it is worth to wait for a lease that ends then, in seconds: 1 to 60."""
    try:
        return max(1.0, min(60.0, (instant(until) - datetime.now(UTC)).total_seconds()))
    except BadInput:
        return 5.0


def of_validation(errors: Sequence[Mapping[str, Any]], body: object = None) -> ApiError:
    """What pydantic found wrong with a request: the first of it, in a sentence, without what was sent.

    Args:
        errors: pydantic's, at least one.
        body: what was sent, by which the place of the error is found.
    """
    first = errors[0]
    kind = first["type"]
    param = path_of(first["loc"], body, missing=kind == "missing")
    if kind in ("union_tag_invalid", "union_tag_not_found") and "discriminator" in first.get("ctx", {}):
        named = f"{param}.{first['ctx']['discriminator'].strip(chr(39))}".lstrip(".")
        tags = first["ctx"].get("expected_tags", "")
        return bad_request(
            f"The field {quoted(named)} must be one of {tags}." if tags else f"The field {quoted(named)} is missing.", param=named
        )
    if kind == "json_invalid":
        return bad_request(f"The body isn't JSON: {first.get('ctx', {}).get('error', 'it ends too early')}.", code="invalid_json")
    if kind == "extra_forbidden":
        return bad_request(
            f"The field {quoted(param)} isn't known, and what it asks for would be passed over. Leave it out.",
            param=param,
            code="unknown_parameter",
        )
    if kind == "unsupported":
        return bad_request(f"The field {quoted(param)} can't be used: {first['msg']}.", param=param, code="unsupported_parameter")
    if kind == "missing":
        where = f"The field {quoted(param)}" if param else "The body of the request"
        return bad_request(f"{where} is missing.", param=param or None, code="missing_required_parameter")
    said = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    where = f"The field {quoted(param)} can't be used" if param else "The request can't be used"
    return bad_request(f"{where}: {said}.", param=param or None, code="invalid_value")


def path_of(loc: Sequence[str | int], body: object = None, *, missing: bool = False) -> str:
    """The place of a field as OpenAI names it: messages[0].content.

    Args:
        loc: pydantic's. Its first item says which part of the request it is; among the others are names of pydantic's own choices,
            which are no keys of what was sent.
        body: what was sent.
        missing: whether the last item names a field that isn't there.
    """
    path = ""
    here, told = body, False
    for number, item in enumerate(loc[1:], start=2):
        if isinstance(item, int):
            path += f"[{item}]"
            here, told = (here[item] if isinstance(here, list) and item < len(here) else None), False
        elif isinstance(here, Mapping) and not told and item in (here.get("type"), here.get("role")):
            told = True  # which of several shapes was taken
        elif not isinstance(here, Mapping) and loc[0] == "body":
            continue
        elif item in here if isinstance(here, Mapping) else True:
            path += f".{item}" if path else item
            here, told = (here[item] if isinstance(here, Mapping) else None), False
        elif missing and number == len(loc):
            path += f".{item}" if path else item
    return path


def handle_errors(app: FastAPI) -> None:
    """Have every error of the app answered in one shape, those of unknown routes and of the framework too."""

    async def answered(request: Request, error: Exception) -> JSONResponse:
        return api_error(error).response

    async def unrouted(request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, ApiError):
            return error.response
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 404:
            return not_found(f"There is nothing at {request.method} {quoted(request.url.path)}.", code="unknown_url").response
        if status == 405:
            said = f"{quoted(request.url.path)} doesn't take {request.method}."
            return ApiError(405, said, code="method_not_allowed").response
        return api_error(error).response

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, RequestValidationError):
            return api_error(error).response
        return of_validation(error.errors(), error.body).response

    app.add_exception_handler(ErrataError, answered)
    app.add_exception_handler(Full, answered)
    app.add_exception_handler(HTTPException, unrouted)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, answered)
