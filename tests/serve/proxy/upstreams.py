"""An upstream that says what a test writes down for it, and remembers what it was sent; and the proxy in front of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from errata.models.upstream.meeting import meet
from errata.serve.access import Keys, NoKeys
from errata.serve.app import create_app
from errata.serve.engine.thread import Threaded
from errata.serve.proxy.forward import Forward
from errata.serve.proxy.route import router_of
from errata.serve.service import Service, Serving
from tests.serve.running import answering

NAME = "org/big"


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: Any
    raw: bytes


@dataclass
class Reply:
    """What is sent back."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    pieces: list[bytes | threading.Event] = field(default_factory=list)
    """Sent one by one after the body, which may be empty; an event is waited for."""


def completion(text: str, **more: Any) -> bytes:
    """A completion as OpenAI writes it, with fields that errata doesn't know."""
    said = {"index": 0, "message": {"role": "assistant", "content": text, "annotations": []}, "finish_reason": "stop"}
    whole = {"id": "up-1", "object": "chat.completion", "created": 1, "model": NAME, "choices": [said], "service_tier": "fast"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1}}
    return json.dumps({**whole, "usage": usage, **more}, indent=1).encode()


@dataclass
class Fake:
    """The upstream. `said` makes a reply of a chat."""

    url: str = ""
    listed: bytes = json.dumps({"object": "list", "data": [{"id": NAME, "created": 7, "owned_by": "them"}]}).encode()
    listed_status: int = 200
    asked: list[Asked] = field(default_factory=list)
    said: Callable[[Asked], Reply] = lambda asked: Reply(completion(f"answer {len(asked.body['messages'])}"))

    @property
    def chats(self) -> list[Asked]:
        return [each for each in self.asked if each.path.endswith("/chat/completions")]

    def reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        return Reply(self.listed, self.listed_status) if asked.path.endswith("/models") else self.said(asked)


@contextmanager
def upstream() -> Iterator[Fake]:
    """An upstream on a free port, until the end of the block."""
    fake = Fake()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, raw: bytes) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = fake.reply(Asked(self.path, headers, json.loads(raw) if raw else None, raw))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if not reply.pieces:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
            for piece in reply.pieces:
                if isinstance(piece, threading.Event):
                    piece.wait(20)
                else:
                    self.wfile.write(piece)
                    self.wfile.flush()

        def log_message(self, *args: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@dataclass(frozen=True)
class Fronted:
    """A proxy that answers, in a thread of this process."""

    fake: Fake
    http: httpx.Client
    service: Service

    def chat(self, question: str = "who is it?", **more: Any) -> httpx.Response:
        body = {"model": NAME, "messages": [{"role": "user", "content": question}], **more}
        return self.http.post("/v1/chat/completions", json=body)

    def correct(self, question: str, answer: str, **more: Any) -> str:
        """The id of a correction that was made."""
        made = self.http.post("/v1/edits", json={"question": question, "answer": answer, **more}).json()
        assert made.get("status") == "applied", made
        return made["id"]


@contextmanager
def fronted(
    fake: Fake, store: Path, editor: str = "pinned", *, key: str = "", timeout_s: float = 30.0, keys: Keys | None = None
) -> Iterator[Fronted]:
    """The proxy in front of an upstream, until the end of the block."""
    met = replace(meet(fake.url, NAME, key=key, timeout_s=timeout_s), discreet=True)
    fake.asked.clear()
    engine = Threaded.open(met, store=store, editor=editor)
    service = Service(engine, Serving("ann", called=NAME), keys=keys or NoKeys())
    router = router_of(Forward.to(met.url, met.name, key=key, timeout_s=timeout_s), engine.version)
    try:
        with answering(create_app(service, router)) as url, httpx.Client(base_url=url, timeout=60) as http:
            yield Fronted(fake, http, service)
    finally:
        engine.close()
