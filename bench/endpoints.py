"""`errata serve` against `transformers serve`: the same model, the same requests by the same client, in one run.

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE python -m bench.endpoints --model llava-tiny
    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE python -m bench.endpoints --model smollm2 --requests 16 --tokens 32

Both are started as processes, in float32, and asked in turn, round by round; while one is asked the other waits. errata's has a
store and an editor, as a user's has, and as many edits in force as are asked for. Of `llava-tiny` the questions are ScopeWorld's,
with pictures; of a model without eyes Atlas's, in words. `transformers serve` is asked by its default and with continuous batching,
which in transformers 5.23 is for models without eyes. Answers that differ are counted: figures of two servers that say different
things are of no use.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from openai import AsyncOpenAI
from transformers import AutoConfig

from bench._given import options
from errata.benchmarks.atlas.stream import AtlasWords
from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.records import Query
from errata.door import Session
from errata.models._load import source_of

READY_S = 180.0
SRC = Path(__file__).parent.parent / "src"


@dataclass
class Side:
    """A server that is asked, and what it took."""

    name: str
    url: str
    model: str
    together: list[float] = field(default_factory=list)
    """Seconds a round, all clients at once."""

    alone: list[float] = field(default_factory=list)
    """Seconds a request, one client."""

    said: list[str] = field(default_factory=list)


def main() -> None:
    parser = options(__doc__, model=True, edits=0, seed=7)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--requests", type=int, default=64, help="requests a round")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured")
    parser.add_argument("--tokens", type=int, default=16, help="the longest answer")
    given = parser.parse_args()
    with TemporaryDirectory() as kept, ExitStack() as open_:
        folder, eyes = _folder(given.model)
        bodies = _bodies(given.requests, given.seed, given.tokens, eyes=eyes)
        sides = [open_.enter_context(_errata(given.model, Path(kept), given.edits, given.seed, eyes=eyes))]
        sides.append(open_.enter_context(_transformers(folder, Path(kept))))
        if not eyes:
            sides.append(open_.enter_context(_transformers(folder, Path(kept), "--continuous-batching")))
        asyncio.run(_measured(sides, bodies, clients=given.clients, rounds=given.rounds))
    _print(sides)


async def _measured(sides: Sequence[Side], bodies: Sequence[dict[str, Any]], *, clients: int, rounds: int) -> None:
    for turn in range(rounds + 1):  # the first to warm up
        for side in sides:
            async with AsyncOpenAI(base_url=f"{side.url}/v1", api_key="none", max_retries=0, timeout=READY_S) as client:
                started = time.perf_counter()
                said = await _together(client, side.model, bodies, clients)
                between = time.perf_counter()
                for body in bodies[:clients]:
                    await _asked(client, side.model, body)
                ended = time.perf_counter()
            if turn:
                side.together.append(between - started)
                side.alone.append((ended - between) / clients)
                side.said = said


async def _together(client: AsyncOpenAI, model: str, bodies: Sequence[dict[str, Any]], clients: int) -> list[str]:
    """Each client takes the next request as soon as its own is answered."""
    left, said = iter(enumerate(bodies)), [""] * len(bodies)

    async def one() -> None:
        for place, body in left:
            said[place] = await _asked(client, model, body)

    await asyncio.gather(*(one() for _ in range(clients)))
    return said


async def _asked(client: AsyncOpenAI, model: str, body: dict[str, Any]) -> str:
    done = await client.chat.completions.create(model=model, **body)
    return (done.choices[0].message.content or "").strip()


def _print(sides: Sequence[Side]) -> None:
    ours, *others = sides
    count = len(ours.said)
    print(f"{ours.name}: {count / median(ours.together):.1f} requests a second, {1000 * median(ours.alone):.0f} ms for one")
    for other in others:
        more = median(theirs / own for own, theirs in zip(ours.together, other.together, strict=True))
        sooner = median(theirs / own for own, theirs in zip(ours.alone, other.alone, strict=True))
        differ = sum(one != another for one, another in zip(ours.said, other.said, strict=True))
        print(
            f"{other.name}: {count / median(other.together):.1f} requests a second, {1000 * median(other.alone):.0f} ms for one. "
            f"errata's throughput over its: {more:.2f}; its time for one over errata's: {sooner:.2f}; {differ} of {count} differ"
        )


def _folder(model: str) -> tuple[Path, bool]:
    """Where a model's checkpoint is, and whether it sees."""
    folder = Path(source_of(model))
    return folder, hasattr(AutoConfig.from_pretrained(folder), "vision_config")


def _bodies(count: int, seed: int, tokens: int, *, eyes: bool) -> list[dict[str, Any]]:
    queries = [probe.query for case in _stream(seed, count, eyes=eyes) for probe in case.probes][:count]
    return [{"messages": [{"role": "user", "content": _content(query)}], "max_tokens": tokens} for query in queries]


def _stream(seed: int, count: int, *, eyes: bool) -> Any:
    return (ScopeWorldStream if eyes else AtlasWords)(seed=seed, edits=count)


def _content(query: Query) -> list[dict[str, Any]]:
    urls = [f"data:image/png;base64,{base64.b64encode(picture.data).decode()}" for picture in query.images]
    return [*({"type": "image_url", "image_url": {"url": url}} for url in urls), {"type": "text", "text": query.text}]


@contextmanager
def _errata(model: str, kept: Path, edits: int, seed: int, *, eyes: bool) -> Iterator[Side]:
    store = kept / "edits.db"
    if edits:
        with Session(model, store=str(store)) as session:
            for case in islice(_stream(seed + 1, edits, eyes=eyes), edits):
                session.inner.edit(case.edit, guard=False)
    command = [sys.executable, "-m", "errata", "serve", "--model", model, "--store", str(store), "--port", "0"]
    with _process(command, kept / "errata.log") as (process, log):
        found = _until(lambda: re.search(r" at (http://\S+)/v1 ", log.read_text()), process, log)
        yield Side("errata serve" + (f" with {edits} edits" if edits else ""), found[1], model)


@contextmanager
def _transformers(folder: Path, kept: Path, *more: str) -> Iterator[Side]:
    port = _free()
    program = Path(sys.executable).parent / "transformers"
    command = [str(program), "serve", "--port", str(port), "--device", "cpu", "--dtype", "float32", *more]
    name = " ".join(["transformers serve", *more])
    with _process(command, kept / f"{port}.log") as (process, log):
        _until(lambda: _healthy(port), process, log)
        yield Side(name, f"http://127.0.0.1:{port}", str(folder))


@contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    environment = {**os.environ, "PYTHONPATH": str(SRC), "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as written:
        process = subprocess.Popen(command, env=environment, stdout=written, stderr=subprocess.STDOUT)
    try:
        yield process, log
    finally:
        process.terminate()
        process.wait(30)


def _until(there: Any, process: subprocess.Popen[bytes], log: Path) -> Any:
    started = time.monotonic()
    while time.monotonic() - started < READY_S and process.poll() is None:
        if found := there():
            return found
        time.sleep(0.2)
    raise SystemExit(f"A server didn't start:\n{log.read_text()[-2000:]}")


def _healthy(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    main()
