"""What a proxy adds to a question, in milliseconds, by what decides which correction it is about, beside the upstream alone.

    OMP_NUM_THREADS=1 python -m bench.fronting --edits 10,1000 --editor pinned --editor rerank:reader=smollm2

The upstream is a server in this process that answers at once, so that what is left is the proxy's own time. Corrections are of
`asked`, made through the proxy; the questions that none is about are Atlas's ordinary ones, those that one is about other wordings
of a corrected fact. Sides are asked in turns; medians are printed, and how many questions a correction answered.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx

from bench._given import numbers, options
from errata.benchmarks.asked.pairs import Fact, facts
from errata.benchmarks.atlas.probes import ordinary
from errata.models.upstream.meeting import meet
from errata.serve.access import NoKeys
from errata.serve.app import create_app
from errata.serve.engine.thread import Threaded
from errata.serve.proxy.forward import Forward
from errata.serve.proxy.route import router_of
from errata.serve.service import Service, Serving

_NAME: Final = "upstream"
_SAID: Final = json.dumps(
    {
        "id": "1", "object": "chat.completion", "created": 1, "model": _NAME,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "as it is"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()  # fmt: skip


def main() -> None:
    parser = options(__doc__, seed=0)
    parser.add_argument(
        "--editor", action="append", help="may be given several times; not given: pinned, and rerank read by smollm2"
    )
    parser.add_argument("--edits", type=numbers, default=[10, 1000])
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    editors = given.editor or ["pinned", "rerank:reader=smollm2"]
    with TemporaryDirectory() as kept, ExitStack() as open_:
        url = open_.enter_context(_upstream())
        sides = {"directly": open_.enter_context(httpx.Client(base_url=url, timeout=60))}
        for editor in editors:
            for count in given.edits:
                store = Path(kept) / f"{len(sides)}.db"
                drawn = facts(seed=given.seed, edits=count)
                sides[f"{editor}, {count:,} in force"] = open_.enter_context(_proxied(url, editor, store, drawn))
        few = facts(seed=given.seed, edits=min(given.edits))[: given.queries]
        asked = {
            "none is about it": list(ordinary("report")[: given.queries]),
            "one is about it": [fact.same[0].text for fact in few],
        }
        for name, texts in asked.items():
            _print(name, _measured(sides, texts, rounds=given.rounds))


def _measured(sides: dict[str, httpx.Client], texts: Sequence[str], *, rounds: int) -> dict[str, tuple[float, int]]:
    """Of each side the median of milliseconds, and how many questions were answered by a correction."""
    took, pinned = {name: list[float]() for name in sides}, dict.fromkeys(sides, 0)
    for turn in range(rounds):
        for text in texts:
            for name, client in sides.items():
                began = time.perf_counter()
                answer = client.post("/chat/completions", json={"model": _NAME, "messages": [{"role": "user", "content": text}]})
                took[name].append(1000 * (time.perf_counter() - began))
                answer.raise_for_status()
                pinned[name] += turn == 0 and answer.headers.get("X-Errata-Way") == "pinned"
    return {name: (median(each), pinned[name]) for name, each in took.items()}


def _print(what: str, found: dict[str, tuple[float, int]]) -> None:
    for name, (milliseconds, pinned) in found.items():
        print(f"{what}, {name}: {milliseconds:.1f} ms, {pinned} answered by a correction", flush=True)


@contextmanager
def _proxied(url: str, editor: str, store: Path, drawn: Sequence[Fact]) -> Iterator[httpx.Client]:
    """A proxy with corrections in force."""
    met = meet(url, _NAME)
    engine = Threaded.open(met, store=store, editor=editor)
    service = Service(engine, Serving("bench", called=_NAME), keys=NoKeys())
    app = create_app(service, router_of(Forward.to(met.url, met.name), engine.version))
    try:
        with _answering(app) as at, httpx.Client(base_url=f"{at}/v1", timeout=600) as client:
            for fact in drawn:
                made = client.post("/edits", json={"question": fact.edit.query.text, "answer": fact.edit.target})
                made.raise_for_status()
            yield client
    finally:
        engine.close()


@contextmanager
def _answering(app: Any) -> Iterator[str]:
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def _upstream() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(json.dumps({"object": "list", "data": [{"id": _NAME, "created": 1, "owned_by": "bench"}]}).encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(_SAID)

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
