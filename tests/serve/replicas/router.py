"""A plain router: each request to the next server in turn; where that can't be reached, to the one after it."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

TIMEOUT_S = 90.0


class Router:
    """The servers that it knows; they may come and go. Nothing tells it that one is gone."""

    def __init__(self, urls: list[str]) -> None:
        self.url = ""
        self.skipped = self.broken = 0
        self._urls, self._next, self._lock = urls, 0, threading.Lock()

    def add(self, url: str) -> None:
        with self._lock:
            self._urls.append(url)

    def turn(self) -> list[str]:
        """The servers, the one whose turn it is first."""
        with self._lock:
            self._next = (self._next + 1) % len(self._urls)
            return self._urls[self._next :] + self._urls[: self._next]

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        for url in self.turn():
            place = urlsplit(url)
            server = http.client.HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT_S)
            try:
                server.connect()
            except OSError:
                self.skipped += 1
                continue
            try:
                server.request(request.command, request.path, body or None, dict(request.headers))
                found = server.getresponse()
                said = found.read()
            except (OSError, http.client.HTTPException):
                self.broken += 1  # it may have been done: whoever asked has to know, as with any router
                break
            finally:
                server.close()
            _send(request, found.status, said, {"Content-Type": found.getheader("Content-Type") or "application/json"})
            return
        _send(request, 502, b"no server answered", {"Content-Type": "text/plain"})


def _send(request: http.server.BaseHTTPRequestHandler, status: int, said: bytes, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(said)))
    request.end_headers()
    request.wfile.write(said)


@contextmanager
def routed(urls: list[str]) -> Iterator[Router]:
    """A router before these servers, until the end of the block."""
    router = Router(urls)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            router.answer(self)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    router.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield router
    finally:
        server.shutdown()
        server.server_close()
