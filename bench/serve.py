"""What serving costs: clients of the engine against plain `generate` on the same rows, and corrections out of scope against none.

    OMP_NUM_THREADS=2 python -m bench.serve --model random-346m

The sides run alternately in one process. A plain batch is put and generated as transformers does it, with the pictures' features
kept on both sides. Of `random-346m` (LLaVA with random weights) only times mean anything: it never says that it ends, so every
answer has all of its tokens. To random layers all questions are near: corrections are out of scope there by an editor that is told
so, `--edits 3 --editor codebook:reach=0.9999,same=1`. One client waits for each answer before it asks again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import GenerationConfig

from bench._given import options
from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.records import Query
from errata.door import Session
from errata.models import TransformersModel, load
from errata.models.small.build import LlavaSizes, build_llava
from errata.nn.patches import NoPatch
from errata.school.school import texts
from errata.serve.engine.seam import Ask, Piece, Said, Sampling
from errata.serve.engine.thread import Threaded

RANDOM = "random-346m"


def main() -> None:
    parser = options(__doc__, model=True, edits=20, seed=7)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured")
    parser.add_argument("--tokens", type=int, default=64, help="the longest answer")
    parser.add_argument("--editor", default="codebook", help="what keeps the corrections, with its settings")
    given = parser.parse_args()
    with _opened(given.model) as model:
        stream = ScopeWorldStream(seed=given.seed, edits=max(given.edits, 4 * given.clients))
        with _serving(model, given.editor, given.clients) as engine:
            for place in range(given.edits):
                engine.do("main", partial(_write, stream[place].edit)).result()
            queries = _questions(engine, stream, count=given.clients, tokens=given.tokens)
            print(f"{model.parameters / 1e6:.0f} million parameters, {len(queries)} clients, at most {given.tokens} tokens")
            _measure(model, engine, queries, rounds=given.rounds, tokens=given.tokens, edits=given.edits)


def _measure(model: TransformersModel, engine: Threaded, queries: Sequence[Query], *, rounds: int, tokens: int, edits: int) -> None:
    def sides(most: int, turn: int) -> dict[str, Callable[[], object]]:
        ask, one = partial(_asked, engine, tokens=most), queries[turn % len(queries)]
        found: dict[str, Callable[[], object]] = {
            "batch": lambda: _generate(model, queries, most),
            "clients": lambda: _together(partial(ask, at=0), queries),
            "alone": lambda: _generate(model, [one], most),
            "client": lambda: ask(one, at=0),
        }
        if edits:
            found["clients, edits in force"] = lambda: _together(partial(ask, at=None), queries)
        return found

    taken: dict[str, list[float]] = {name: [] for name in sides(1, 0)}
    for side in sides(2, 0).values():
        side()  # to warm up
    for turn in range(rounds):
        for name, side in sides(tokens, turn).items():
            started = time.perf_counter()
            side()
            taken[name].append(time.perf_counter() - started)

    def ratio(name: str, base: str) -> float:
        return median(one / other for one, other in zip(taken[name], taken[base], strict=True))

    added = 1000 * median(one - other for one, other in zip(taken["client"], taken["alone"], strict=True))
    print(f"throughput of the clients over a plain batch: {1 / ratio('clients', 'batch'):.2f}")
    print(f"a single client's time over generate's: {ratio('client', 'alone'):.2f}, {added:.1f} ms added")
    if edits:
        print(f"time with {edits} edits out of scope over none: {ratio('clients, edits in force', 'clients'):.3f}")


def _generate(model: TransformersModel, queries: Sequence[Query], tokens: int) -> list[list[int]]:
    """Plain transformers on the rows."""
    rows = [model.checked(query, reserve=tokens) for query in queries]
    settings: Any = GenerationConfig(
        max_new_tokens=tokens, do_sample=False, pad_token_id=0, eos_token_id=model.net.generation_config.eos_token_id
    )  # type: ignore[no-untyped-call]
    with torch.no_grad():
        put = model.front.put(model, rows, [NoPatch()] * len(rows))
        speaker: Any = put.speaker
        said = speaker.generate(**put.named, generation_config=settings)[:, put.prompt :]
    return [[int(id_) for id_ in row] for row in said]


def _asked(engine: Threaded, query: Query, *, at: int | None, tokens: int) -> Said:
    came: SimpleQueue[Piece | Said | Exception] = SimpleQueue()
    engine.ask(Ask(query, at=at, sampling=Sampling(max_new_tokens=tokens)), came.put)
    while True:
        one = came.get()
        if isinstance(one, Exception):
            raise one
        if isinstance(one, Said):
            return one


def _together(ask: Callable[[Query], Said], queries: Sequence[Query]) -> list[Said]:
    """A client for each."""
    with ThreadPoolExecutor(len(queries)) as clients:
        return list(clients.map(ask, queries))


def _questions(engine: Threaded, stream: ScopeWorldStream, *, count: int, tokens: int) -> list[Query]:
    """Ordinary questions that no edit in force speaks to."""
    found: list[Query] = []
    for place in range(len(stream)):
        queries = [probe.query for probe in stream[place].probes][:count]
        said = _together(partial(_asked, engine, at=None, tokens=tokens), queries)
        found += [query for query, one in zip(queries, said, strict=True) if not one.edits]
        if len(found) >= count:
            return found[:count]
    raise SystemExit(f"Only {len(found)} questions of the stream can be asked so. Take fewer clients.")


def _write(edit: Any, session: Session) -> None:
    session.inner.edit(edit, guard=False)


@contextmanager
def _serving(model: TransformersModel, editor: str, rows: int) -> Iterator[Threaded]:
    engine = Threaded.open(model, editor=editor, max_rows=rows)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def _opened(name: str) -> Iterator[TransformersModel]:
    if name != RANDOM:
        yield load(name)
        return
    sizes = LlavaSizes(width=1024, layers=20, ffn=2816, vision_width=768, vision_layers=12, vision_ffn=3072)
    with TemporaryDirectory() as folder:
        build_llava(Path(folder), texts=texts(count=300), sizes=sizes)
        model = load(folder)
        net: Any = model.net
        head = net.get_output_embeddings()
        ends = model.net.generation_config.eos_token_id
        with torch.no_grad():
            head.weight[ends] = 0  # the largest of some hundred random logits lies above that
        yield model


if __name__ == "__main__":
    main()
