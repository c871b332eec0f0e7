"""What the routes are given: the engine, who may use it, what is remembered, and what was settled at the start."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from fastapi import Depends, Request

from errata.log import EditLog
from errata.serve.access import Caller, Keys, Limits, NoKeys, Unlimited
from errata.serve.addresses import Allowed
from errata.serve.beside.kept import Beside, InMemory
from errata.serve.engine.seam import Engine
from errata.serve.events.happened import Firsts
from errata.serve.events.news import News
from errata.serve.metrics import Metrics
from errata.serve.pictured import Pictured
from errata.serve.pictures import Pictures
from errata.serve.recent import Recent

if TYPE_CHECKING:
    from errata.door import Session
    from errata.session.audit import Audit

T = TypeVar("T")

MAX_BODY: Final = 32 * 1024 * 1024
"""The longest body of a request, in bytes."""

MAX_PICTURES: Final = 16
"""Pictures of a request, at most."""


@dataclass(frozen=True)
class Serving:
    """What was settled when the server was started."""

    author: str
    """Who makes entries where no key was made."""

    branch: str = "main"
    """Whose state they are answered from."""

    allow_hosts: tuple[str, ...] = ()
    """Names from which pictures may be fetched, and to which events may be sent."""

    max_body: int = MAX_BODY
    max_pictures: int = MAX_PICTURES
    log_prompts: bool = False
    """Whether the server's log tells what was asked and answered."""

    called: str = ""
    """What the model is called; "": by the last part of its folder or hub id."""


@dataclass(frozen=True)
class Service:
    """One server's parts; `Depends(service_of)` gives it to a route."""

    engine: Engine
    serving: Serving
    keys: Keys = field(default_factory=NoKeys)
    limits: Limits = field(default_factory=Unlimited)
    beside: Beside = field(default_factory=InMemory)
    """What outlasts the server, and the log doesn't know."""

    news: News = field(default_factory=News)
    """Told of whatever was changed here."""

    word: str = field(default_factory=lambda: secrets.token_hex(16))
    """By which this server is told from another at the same address."""

    logs: dict[str, EditLog] = field(default_factory=dict)
    """Logs that were asked for, by branch; to be read from any thread."""

    pictured: dict[str, Pictured] = field(default_factory=dict)
    """Which pictures each branch has, as far as somebody asked."""

    firsts: dict[str, Firsts] = field(default_factory=dict)
    """Where each branch's edits were first applied, as far as somebody asked."""

    audits: dict[str, Audit] = field(default_factory=dict)
    """The last audit of each branch."""

    streams: set[object] = field(default_factory=set)
    """Open streams of events."""
    metrics: Metrics = field(default_factory=Metrics)
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the server is told to stop: streams that have no end end then."""

    started: int = field(default_factory=lambda: int(time.time()))
    """When, in seconds since 1970, UTC."""

    @cached_property
    def recent(self) -> Recent:
        """Recent answers."""
        return Recent(beside=self.beside)

    @cached_property
    def pictures(self) -> Pictures:
        """Reads the addresses of pictures."""
        return Pictures(tuple(Allowed.of(host) for host in self.serving.allow_hosts))

    @property
    def model_id(self) -> str:
        """What the model is called in short: the last part of its folder or hub id."""
        if self.serving.called:
            return self.serving.called
        return self.engine.model_name.rstrip("/").rpartition("/")[2] or self.engine.model_name

    @property
    def owner(self) -> Caller:
        """The caller where no key was made."""
        return Caller(self.serving.author, "admin", self.serving.branch)

    async def done(self, branch: str, what: Callable[[Session], T]) -> T:
        """What a branch's session makes of it, between the engine's steps (`Engine.do`); the loop goes on meanwhile.

        Raises:
            ErrataError: as `what` does.
        """
        return await asyncio.wrap_future(self.engine.do(branch, what))


async def service_of(request: Request) -> Service:
    """The server's parts, for a route."""
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(service_of)]
"""The type of a route's argument that is the service."""
