"""The tiny model and servers over it, an app over a scripted engine, and clients with a key of each role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from starlette.testclient import TestClient

from errata.core.records import Provenance
from errata.door import Session
from errata.models import load
from errata.serve.app import create_app
from errata.serve.engine.thread import Threaded
from errata.serve.service import Service, Serving
from tests.serve.running import Running, running
from tests.serve.served import Listening, Scripted, listening


def _stable(session: Session) -> None:
    session.inner.record("aliased", None, Provenance("ann"), details={"alias": "stable", "entry": 2})


@pytest.fixture(scope="module")
def server() -> Iterator[Listening]:
    """llava-tiny with one correction in force, an alias "stable" of it, on a free port."""
    engine = Threaded.open("llava-tiny")
    engine.do("main", lambda session: session.edit("where does mibo live?", "the cave", author="ann")).result()
    engine.do("main", _stable).result()
    with listening(engine) as found:
        yield found


@pytest.fixture
def engine() -> Scripted:
    """An engine that answers "ab" in two pieces."""
    return Scripted()


@pytest.fixture
def client(engine: Scripted) -> TestClient:
    """The app over the scripted engine, in this process."""
    return TestClient(create_app(Service(engine, Serving("ann"))), base_url="http://127.0.0.1", raise_server_exceptions=False)


@pytest.fixture(scope="session")
def tiny():
    return load("llava-tiny")


@dataclass(frozen=True)
class People:
    """A server, and clients with keys."""

    server: Running
    anyone: httpx.Client
    asks: httpx.Client
    proposes: httpx.Client
    approves: httpx.Client
    admin: httpx.Client
    elsewhere: httpx.Client
    """An administrator of another branch."""


@pytest.fixture(scope="module")
def people(tiny, tmp_path_factory) -> Iterator[People]:
    with running(tiny, tmp_path_factory.mktemp("people") / "errata.db") as server:
        yield People(
            server,
            server.client(),
            server.key("asker", "ask"),
            server.key("pat", "propose"),
            server.key("ann", "approve"),
            server.key("root", "admin"),
            server.key("eve", "admin", "other"),
        )
