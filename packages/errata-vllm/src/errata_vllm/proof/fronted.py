"""The proof of a proxy in front of stock vLLM: `vllm serve` and `errata proxy --reader` as commands, corrections in plain words.

Nothing of errata is inside vLLM here. Corrections are Atlas's counterfactual ones, of relations and wordings that what reads was
never taught; every probe is asked of vLLM directly and through the proxy, by several clients at once, and read as Atlas reads it.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx

from errata.benchmarks.atlas.stream import AtlasStream, AtlasWords
from errata.core.benchmark import Case, Outcome, Probe, Unchanged
from errata_vllm.proof.serving import Server, end, running, vllm

_CLIENTS: Final = 8
_SEED: Final = 101
_TOKENS: Final = 32
_ALONE: Final = 24
"""Questions that are timed one at a time."""


@dataclass(frozen=True)
class _Said:
    text: str
    way: str
    """How a proxy answered; empty of vLLM itself."""

    seconds: float


def fronted(folder: Path, out: Path, *, how: Sequence[str], edits: int, reader: str) -> dict[str, Any]:
    """Correct, ask, kill and take back through a proxy in front of vLLM.

    Args:
        folder: the model that vLLM serves.
        out: where the store and the logs of both servers are written; a store of an earlier run is replaced.
        how: further arguments of `vllm serve`.
        edits: how many corrections.
        reader: the model that reads for the proxy.
    """
    store = out / "fronted.db"
    for old in out.glob("fronted.db*"):
        old.unlink()
    stream = AtlasWords(seed=_SEED, edits=edits)
    cases = stream.truth(edits)
    asked = [probe for case in cases for probe in case.probes]
    with vllm(folder, how, named={}, log=out / "vllm.log", ready="/v1/models") as behind:
        base = _all(behind, asked)
        with _proxy(behind, store, out, reader) as (front, client):
            took, ids = _corrected(client, cases)
            after = _all(front, asked)
            alone = {name: _alone(server, asked, after) for name, server in (("vllm", behind), ("proxy", front))}
            end(front.process)
        started = time.monotonic()
        with _proxy(behind, store, out, reader) as (front, client):
            seconds = time.monotonic() - started
            again = _all(front, asked)
            for each in ids:
                client.post(f"/edits/{each}/revert", json={"reason": "the proof is over"}).raise_for_status()
            last = _all(front, asked)
    return {
        "reader": reader, "seed": _SEED, "clients": _CLIENTS, "corrections": edits, "applied": len(ids),
        "refused": edits - len(ids), "seconds_a_correction": round(median(took), 2), "questions": len(asked),
        "kinds": _kinds(stream, asked, base, after), "ways": dict(Counter(said.way for said in after)),
        "passed_that_differ_from_vllm": _moved(base, after, "passed"),
        "moved_after_kill": _moved(after, again),
        "seconds_to_start_anew": round(seconds, 1), "ways_after_revert": dict(Counter(said.way for said in last)),
        "moved_after_revert": _moved(base, last), "milliseconds_alone": alone,
    }  # fmt: skip


@contextmanager
def _proxy(behind: Server, store: Path, out: Path, reader: str) -> Iterator[tuple[Server, httpx.Client]]:
    command = [
        sys.executable, "-m", "errata", "proxy", "--upstream", f"{behind.url}/v1", "--model", "m", "--reader", reader,
        "--store", str(store),
    ]  # fmt: skip
    with (
        running(command, named={}, log=out / "proxy.log", ready="/v1/models") as front,
        httpx.Client(base_url=f"{front.url}/v1", timeout=600) as client,
    ):
        yield front, client


def _corrected(client: httpx.Client, cases: Sequence[Case]) -> tuple[list[float], list[str]]:
    """Make the corrections; the seconds of each, and the ids of those that were applied."""
    took, ids = [], []
    for case in cases:
        began = time.monotonic()
        made = client.post("/edits", json={"question": case.edit.query.text, "answer": case.edit.target})
        took.append(time.monotonic() - began)
        made.raise_for_status()
        if made.json()["status"] == "applied":
            ids.append(made.json()["id"])
    return took, ids


def _all(server: Server, asked: Sequence[Probe]) -> list[_Said]:
    """Every probe asked, by several clients at once."""
    with httpx.Client(base_url=f"{server.url}/v1", timeout=600) as client, ThreadPoolExecutor(_CLIENTS) as pool:
        return list(pool.map(lambda probe: _ask(client, probe), asked))


def _ask(client: httpx.Client, probe: Probe) -> _Said:
    began = time.monotonic()
    body = {"model": "m", "messages": [{"role": "user", "content": probe.query.text}], "temperature": 0, "max_tokens": _TOKENS}
    answer = client.post("/chat/completions", json=body)
    answer.raise_for_status()
    text = str(answer.json()["choices"][0]["message"]["content"]).strip()
    return _Said(text, answer.headers.get("X-Errata-Way", ""), time.monotonic() - began)


def _alone(server: Server, asked: Sequence[Probe], after: Sequence[_Said]) -> dict[str, float]:
    """Way -> milliseconds of a question that goes it, asked when nothing else is; the median."""
    ways: dict[str, list[Probe]] = {}
    for probe, said in zip(asked, after, strict=True):
        ways.setdefault(said.way, []).append(probe)
    with httpx.Client(base_url=f"{server.url}/v1", timeout=600) as client:
        took = {way: [_ask(client, probe).seconds for probe in some[:_ALONE]] for way, some in sorted(ways.items())}
    return {way: round(1000 * median(seconds), 1) for way, seconds in took.items()}


def _kinds(stream: AtlasStream, asked: Sequence[Probe], base: Sequence[_Said], after: Sequence[_Said]) -> dict[str, Any]:
    """Kind -> how many probes do what they should, of how many, and how many did unedited; what must stay does so unedited."""
    found: dict[str, Counter[str]] = {}
    for probe, was, now in zip(asked, base, after, strict=True):
        told = found.setdefault(f"{probe.kind}, kept" if isinstance(probe.expect, Unchanged) else probe.kind, Counter())
        told["of"] += 1
        told["met"] += stream.gives(Outcome(probe, was.text, now.text))
        told["unedited"] += stream.gives(Outcome(probe, was.text, was.text))
    return {kind: dict(told) for kind, told in found.items()}


def _moved(before: Sequence[_Said], now: Sequence[_Said], way: str | None = None) -> int:
    """Answers that differ from those before, of those that went a way; None: of all."""
    return sum(one.text != other.text for one, other in zip(before, now, strict=True) if way in (None, other.way))
