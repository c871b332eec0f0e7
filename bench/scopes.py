"""Milliseconds to ask with 1 edit in memory and with 1,000: what a scope saw of an edit is kept, so a query is looked at once.

    OMP_NUM_THREADS=1 python -m bench.scopes --edits 1000 --queries 40

Both memories are asked alternately in one process, on the shipped model; the ratio of medians is what counts. The whole query is
the decision and the base model's answer of up to 4 tokens; the decision alone stands beside it. Scopes are not trained here: their
cost is the same. Encoders are a small CLIP with random weights, which reads every query anew.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench._given import options
from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.editor import Scope
from errata.core.model import Model
from errata.core.records import Edit, Query
from errata.editors import Counterfactual, MultimodalScope, Nearest, Scoped, TextScope
from errata.models import load
from errata.models.clip import SIZES, build_clip, load_encoder
from errata.nn.patches import NoPatch
from errata.school.school import texts


def main() -> None:
    parser = options(__doc__, edits=1000)
    parser.add_argument("--queries", type=int, default=40)
    given = parser.parse_args()
    model, stream = load("llava-tiny"), ScopeWorldStream(seed=7, edits=given.queries)
    with tempfile.TemporaryDirectory() as folder:
        build_clip(Path(folder), texts=texts(count=200), sizes=SIZES["tiny"])
        scopes: dict[str, Scope] = {
            "nearest": Nearest(0.85, 0.5),
            "text (serac)": TextScope(),
            "multimodal (mscke)": MultimodalScope(load_encoder(folder)),
        }
        for name, scope in scopes.items():
            memory = Scoped(scope, Counterfactual())
            one, many = (filled(model, memory, stream, count) for count in (1, given.edits))
            queries = [stream[place].probes[-1].query for place in range(len(stream))]
            whole = ratio(queries, lambda query, state, memory=memory: asked(model, memory, state, query), one, many)
            alone = ratio(queries, lambda query, state, memory=memory: memory.decide(model, state, query), one, many)
            print(f"{name}: {whole} ms a query, {alone} ms the decision alone, with 1 edit and {given.edits:,}")


def filled(model: Model, memory: Scoped, stream: ScopeWorldStream, count: int) -> Any:
    """A memory of that many edits: the stream's first ones, each under further names of its own."""
    state = memory.begin(model)
    for place in range(count):
        edit = stream[place % len(stream)].edit
        query = Query.ask(f"{place} {edit.query.text}", *edit.query.images)
        state = memory.write(model, state, Edit(query, edit.target))
    return state


def asked(model: Model, memory: Scoped, state: Any, query: Query) -> None:
    """The decision, and the base model's answer."""
    memory.read(model, state, query)
    model.answers([query], [NoPatch()], max_new_tokens=4)


def ratio(queries: list[Query], ask: Callable[[Query, Any], object], one: Any, many: Any) -> str:
    """Medians of both, and how they stand to each other; each query is met by either memory first in turn."""
    took: tuple[list[float], list[float]] = ([], [])
    for turn, query in enumerate(queries * 2):
        sides = ((one, took[0]), (many, took[1])) if turn % 2 else ((many, took[1]), (one, took[0]))
        for state, into in sides:
            fresh = Query.ask(f"{query.text} {turn}", *query.images)
            started = time.perf_counter()
            ask(fresh, state)
            into.append(1000 * (time.perf_counter() - started))
    small, large = median(took[0]), median(took[1])
    return f"{small:.2f} and {large:.2f} (x {large / small:.2f})"


if __name__ == "__main__":
    main()
