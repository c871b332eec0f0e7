"""A server as it runs, on a port of its own in a thread of this process, and what asks it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from errata.serve.access.stored import KeysBeside
from errata.serve.announced import announcing
from errata.serve.app import create_app
from errata.serve.beside.opening import open_beside
from errata.serve.engine.thread import Threaded
from errata.serve.keys.opening import open_keys
from errata.serve.keys.stored import Role, StoredKeys
from errata.serve.ports import address_of, bound
from errata.serve.service import Service, Serving


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    url: str
    service: Service
    keys: StoredKeys
    held: ExitStack

    def client(self, secret: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return self.held.enter_context(httpx.Client(base_url=self.url, headers=headers, timeout=60))

    def key(self, name: str, role: Role, branch: str = "main") -> httpx.Client:
        """A client with a new key."""
        return self.client(self.keys.add(name, role, branch))


@contextmanager
def running(
    model, store: Path | str, *, branch: str = "main", author: str = "owner", advertised: str | None = None, **parts
) -> Iterator[Running]:
    """A server on a store, until the end of the block; its lease names the address at which it listens, or another."""
    with closing(bound("127.0.0.1", 0)) as at:
        url = address_of(at)
        engine = Threaded.open(model, store=store, branch=branch, url=url if advertised is None else advertised)
        keys, beside = open_keys(store), open_beside(store)
        service = Service(engine, Serving(author, branch), keys=KeysBeside(keys), beside=beside, **parts)
        try:
            with answering(create_app(service), at), ExitStack() as held, announcing(store, url, service.word):
                try:
                    yield Running(url, service, keys, held)
                finally:
                    service.stopping.set()
        finally:
            engine.close()
            keys.close()
            beside.close()


@contextmanager
def answering(app: FastAPI, at: socket.socket | None = None) -> Iterator[str]:
    """The address of an application that answers, until the end of the block.

    Args:
        at: where it listens; None: on a free port.
    """
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, args=() if at is None else ([at],), daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server didn't start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


class Told:
    """Server-sent events as they come."""

    def __init__(self, client: httpx.Client, **asked) -> None:
        self._stream = client.stream("GET", "/v1/events", **asked)
        self._answer = self._stream.__enter__()
        assert self._answer.status_code == 200, self._answer.read()
        self._lines = self._answer.iter_lines()
        assert next(self._lines).startswith(": after entry")
        assert next(self._lines) == ""

    def next(self) -> tuple[int, str, dict]:
        """The next event: its id, its name, what it says."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line and fields:
                break
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
        return int(fields["id"]), fields["event"], json.loads(fields["data"])

    def close(self) -> None:
        self._stream.__exit__(None, None, None)
