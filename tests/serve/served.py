"""A server that listens on a free port of this machine, in a thread, and an engine that says what a test writes down for it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from errata.core.images import Image
from errata.serve.app import create_app
from errata.serve.engine.seam import Ask, Deliver, Engine, Full, Load, Piece, Said, Token
from errata.serve.ports import address_of, bound
from errata.serve.running import Server
from errata.serve.service import Service, Serving

LONG_S = 60.0
"""Longer than anything here takes."""


@dataclass(frozen=True)
class Listening:
    """A server that takes requests."""

    url: str
    service: Service

    @property
    def v1(self) -> str:
        return f"{self.url}/v1"

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def listening(engine: Engine, **settled: Any) -> Iterator[Listening]:
    """The server over an engine, which it closes at the end."""
    service = Service(engine, Serving("ann", **settled))
    begun = threading.Event()
    server = Server(create_app(service), service, begun.set)
    with closing(bound("127.0.0.1", 0)) as at:
        url = address_of(at)
        thread = threading.Thread(target=server.answer, args=(at,))
        thread.start()
        try:
            assert begun.wait(LONG_S)
            yield Listening(url, service)
        finally:
            server.stop()
            thread.join(LONG_S)
            assert not thread.is_alive()


def data_url(image: Image, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(image.data).decode()}"


def says(text: str, *, finish: str = "stop", seq: int = 3, tokens: int = 2) -> Said:
    """The end of an answer."""
    return Said(text, finish, (), True, None, seq, "ab" * 32, 5, tokens)  # type: ignore[arg-type]  # as a test has it


@dataclass(eq=False)
class Row:
    """A question that a scripted engine was given."""

    ask: Ask
    deliver: Deliver
    cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        self.cancelled.set()


@dataclass
class Scripted:
    """An engine that says what it is told to, at once or when a test delivers it.

    Args:
        script: for each question in turn what is delivered at once; the last stands for all that follow.
        full: whether nothing fits any more.
    """

    script: Sequence[Sequence[Piece | Said | Exception]] = ((Piece("a"), Piece("b"), says("ab")),)
    full: bool = False
    came: list[Row] = field(default_factory=list)
    got_one: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def model_name(self) -> str:
        return "scripted"

    def ask(self, ask: Ask, deliver: Deliver) -> Row:
        if self.full:
            raise Full(2.5)
        row = Row(ask, deliver)
        self.came.append(row)
        self.got_one.release()
        for each in self.script[min(len(self.came), len(self.script)) - 1] if self.script else ():
            deliver(each)
        return row

    def row(self) -> Row:
        """The newest question, once there is one more."""
        assert self.got_one.acquire(timeout=LONG_S)
        return self.came[-1]

    def do(self, branch: str, what: Callable[[Any], Any]) -> Future[Any]:
        raise NotImplementedError

    def seq(self, branch: str) -> int:
        return 3

    def load(self) -> Load:
        return Load(0, 0, 0, 0, 0)

    def close(self, *, within_s: float = 10.0) -> None:
        pass


LIKELY = Piece("a", (Token("a", -0.1, (("a", -0.1), ("b", -2.5))),))
"""A piece of one token, with what was likely in its place."""
