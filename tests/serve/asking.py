"""An engine asked from a test: everything that is delivered, waited for."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager

from errata.core.records import Query
from errata.serve.engine.seam import Ask, Engine, Piece, Said
from errata.serve.engine.thread import Threaded

LONG_S = 60.0
"""Longer than anything here takes."""


class Listening:
    """A question that was put, and what comes of it."""

    def __init__(self, engine: Engine, ask: Ask) -> None:
        self._came: queue.Queue[Piece | Said | Exception] = queue.Queue()
        self.pieces: list[Piece] = []
        self.asked = engine.ask(ask, self._came.put)

    def said(self) -> Said:
        """The answer, at its end; what was delivered before it is in `pieces`. Raises the error that came instead."""
        while True:
            match self._came.get(timeout=LONG_S):
                case Piece() as piece:
                    self.pieces.append(piece)
                case Said() as said:
                    return said
                case error:
                    raise error

    def silent(self) -> bool:
        """Whether nothing is there to be read."""
        return self._came.empty()


def put(engine: Engine, query: Query | str, **said) -> Listening:
    return Listening(engine, Ask(Query.ask(query) if isinstance(query, str) else query, **said))


@contextmanager
def opened(model, **said) -> Iterator[Threaded]:
    engine = Threaded.open(model, **said)
    try:
        yield engine
    finally:
        engine.close()
