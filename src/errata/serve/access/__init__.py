"""Who calls, what they may do, and how often: roles, and what checks a secret."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol, final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from errata.log.processes import is_local
from errata.serve.keys.stored import ROLES, Role
from errata.serve.wire.errors import ApiError, forbidden, unauthorised


@dataclass(frozen=True)
class Caller:
    """Whoever sent a request."""

    name: str
    """The author of the entries that come of it."""

    role: Role
    branch: str
    """The branch that is theirs; no other is there for them."""

    key: str = ""
    """The id of their key; "" where the server has none."""

    def may(self, role: Role) -> bool:
        """Whether the caller's role holds this one."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Keys(Protocol):
    """What knows the secrets, made by whoever starts the server; used from any thread."""

    @property
    def any(self) -> bool:
        """Whether a key was ever made: then nobody is let in without one."""
        ...

    def check(self, secret: str) -> Caller | None:
        """Whose secret this is; None: nobody's, or one that was revoked."""
        ...


class Limits(Protocol):
    """How often a caller may ask; used from any thread."""

    def take(self, caller: Caller) -> float | None:
        """Count a request. None: it may go on; else the seconds after which the next one may."""
        ...


@final
class NoKeys:
    """No key was made: whoever is on this machine may do everything."""

    @property
    def any(self) -> bool:
        return False

    def check(self, secret: str) -> Caller | None:
        return None


@final
class Unlimited:
    """As often as they like."""

    def take(self, caller: Caller) -> float | None:
        return None


BEARER: Final = HTTPBearer(auto_error=False, scheme_name="key", description="A key made by `errata key add`.")
"""Names the header in the description of the API; the header itself is read in `caller_of`."""


async def caller_of(request: Request, _: Annotated[object, Depends(BEARER)] = None) -> Caller:
    """The caller of a request, counted against their rate.

    Raises:
        ApiError: no key (401), or too many requests (429).
    """
    keys: Keys = request.app.state.keys
    limits: Limits = request.app.state.limits
    caller = _with_key(request, keys) if keys.any else _on_this_machine(request)
    request.state.caller = caller
    after_s = limits.take(caller)
    if after_s is not None:
        raise ApiError(
            429,
            f"Too many requests with this key. Ask again in {after_s:.1f} seconds.",
            type="rate_limit_error",
            code="rate_limit_exceeded",
            after_s=after_s,
        )
    return caller


def _with_key(request: Request, keys: Keys) -> Caller:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise unauthorised(
            "No key was given. Send the header Authorization: Bearer KEY; an operator makes one with: errata key add"
        )
    caller = keys.check(secret.strip())
    if caller is None:
        raise unauthorised("The key isn't known here, or was revoked. Ask an operator for one: errata key add")
    return caller


def _on_this_machine(request: Request) -> Caller:
    """The owner, where no key was made and the request is meant for this machine: a page of another site that a browser here shows
    may send requests too, under its own origin or under a name that it lets point here."""
    owner: Caller = request.app.state.owner
    host = request.headers.get("host", "")
    origin = request.headers.get("origin", "")
    if not is_local(_name(host)) or (origin and urlsplit(origin).netloc.lower() != host.lower()):
        raise forbidden("Without keys only this machine's own programs and pages are answered. Make a key: errata key add")
    return owner


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def at_least(role: Role) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """A dependency: the caller, who must have this role or one that holds it.

    Raises:
        ApiError: their role is too low (403).
    """

    async def allowed(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
        if not caller.may(role):
            raise forbidden(f"This needs the role {role}, and the key has the role {caller.role}. Ask an operator.")
        return caller

    return allowed
