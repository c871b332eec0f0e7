"""A memory of a million edits: is the nearest one found, and what do a decision, an edit more and an edit less cost?

    OMP_NUM_THREADS=1 python -m bench.memory [--edits 1000000] [--width 128] [--queries 1000] [--seed 101]

Keys are synthetic: unit vectors around cluster centres. A query is a stored key with noise of a fiftieth of its length added.
Recall is against the exact scores of every key. A decision is everything but the encoding of the query, which costs the same
however many edits there are; an edit more is a whole write, with the search for what it contradicts. Needs the extra "faiss".
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from errata.core.model import Model
from errata.core.records import Edit, EditId, Query, Spec
from errata.editors import Scoped
from errata.editors.scoped.memory import ROWS, Block, Held, Memory
from errata.models import load
from errata.nn.patches import NoPatch

_ASIDE = 0.02
"""Length of what is added to a stored key for a query."""


_NEAR = 0.9
"""The cosine from which on an edit is in scope."""


class Table:
    """A scope whose keys are looked up."""

    def __init__(self) -> None:
        self.keys: dict[str, Tensor] = {}

    def spec(self) -> dict[str, str]:
        return {"kind": "table"}

    def key(self, model: Model, query: Query, target: str | None = None) -> Tensor:
        return self.keys[query.text]

    def rho(self, asked_D: Tensor, keys_ND: Tensor) -> Tensor:
        return (0.5 + ((keys_ND * asked_D).sum(-1) - _NEAR) / 2 / (1 - _NEAR)).clamp(0, 1)

    def near(self, keys_KD: Tensor) -> Tensor:
        return keys_KD


class Mute:
    """An editor that says nothing."""

    def spec(self, model: Model) -> Spec:
        return Spec("mute", {})

    def begin(self, model: Model) -> None:
        return None

    def write(self, model: Model, state: None, edit: Edit) -> None:
        return None

    def read(self, model: Model, state: None, query: Query) -> NoPatch:
        return NoPatch()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--edits", type=int, default=1_000_000)
    options.add_argument("--width", type=int, default=128)
    options.add_argument("--queries", type=int, default=1000)
    options.add_argument("--seed", type=int, default=101)
    given = options.parse_args()
    rng = np.random.default_rng(given.seed)
    model, table = load("llava-tiny"), Table()
    memory = Scoped(table, Mute())
    before = _bytes()
    state = filled(rng, given.edits, given.width)
    places = rng.integers(given.edits, size=given.queries)
    asked = [Query.ask(f"query {number}") for number in range(given.queries)]
    for query, place in zip(asked, places.tolist(), strict=True):
        key_D = state.blocks[place // ROWS].keys_KD[place % ROWS].float()
        table.keys[query.text] = normalize(key_D + aside(rng, given.width), dim=0)
    started = time.perf_counter()
    memory.decide(model, state, asked[0])
    print(f"{given.edits:,} edits, {given.width} wide; made ready for the first query in {time.perf_counter() - started:.1f} s")
    took, found = timed(lambda query: memory.decide(model, state, query)[0].edit, asked)
    exact = best(state, [table.keys[query.text] for query in asked])
    right = sum(one == other for one, other in zip(found, exact, strict=True))
    print(f"recall@1 {right / len(asked):.4f} over {len(asked):,} queries")
    print(f"decision {told(took)}")
    some = asked[: min(200, len(asked))]
    more = [Edit(query, f"value {number}") for number, query in enumerate(some)]
    versions = [state]

    def write(edit: Edit) -> None:
        versions[0] = memory.write(model, versions[0], edit)

    took, _ = timed(write, more)
    print(f"an edit more {told(took)}")
    gone = [
        held.edit for held in (state.blocks[int(place) // ROWS].held[int(place) % ROWS] for place in places) if held is not None
    ]

    def forget(edit: EditId) -> None:
        left = memory.forget(versions[0], edit)
        assert left is not None
        versions[0] = left

    took, _ = timed(forget, list(dict.fromkeys(gone))[: len(some)])
    print(f"an edit less {told(took)}")
    print(f"memory: {(_bytes() - before) / 1e6:,.0f} MB more than the process had before (peak)")


def filled(rng: np.random.Generator, count: int, width: int) -> Memory:
    """That many edits, a thousand to a cluster."""
    centres = rng.normal(size=(max(1, count // 1000), width)).astype(np.float32)
    blocks = []
    for start in range(0, count, ROWS):
        size = min(ROWS, count - start)
        keys = centres[rng.integers(len(centres), size=size)] + 0.5 * rng.normal(size=(size, width)).astype(np.float32)
        held = tuple(_held(start + number) for number in range(size))
        blocks.append(Block(held, (1,) * size, normalize(torch.from_numpy(keys), dim=-1).half()))
    return Memory(tuple(blocks), None, count)


def aside(rng: np.random.Generator, width: int) -> Tensor:
    """What is added to a stored key for a query."""
    return _ASIDE * normalize(torch.from_numpy(rng.normal(size=width)).float(), dim=0)


def _held(number: int) -> Held:
    digest = hashlib.sha256(str(number).encode())
    edit = digest.hexdigest()
    digest.update(b"asked")
    return Held(EditId(edit), digest.hexdigest(), 1, f"value {number}", (), None)


def best(state: Memory, asked: Sequence[Tensor]) -> list[EditId]:
    """The edit of the highest score of all, by every key."""
    asked_DQ = torch.stack(list(asked)).T
    top_Q, edits = torch.full((len(asked),), -1.0), [EditId("")] * len(asked)
    for block in state.blocks:
        scores_Q, rows_Q = (block.keys_KD.float() @ asked_DQ).max(0)
        for query in torch.nonzero(scores_Q > top_Q).flatten().tolist():
            held = block.held[int(rows_Q[query])]
            assert held is not None
            edits[query] = held.edit
        top_Q = torch.maximum(top_Q, scores_Q)
    return edits


_T = TypeVar("_T")
_R = TypeVar("_R")


def timed(call: Callable[[_T], _R], each: Sequence[_T]) -> tuple[list[float], list[_R]]:
    """Milliseconds that each call took, and what it gave."""
    took, gave = [], []
    for one in each:
        started = time.perf_counter()
        gave.append(call(one))
        took.append(1000 * (time.perf_counter() - started))
    return took, gave


def told(took: Sequence[float]) -> str:
    """Median, 99th percentile and most."""
    return f"{np.median(took):.2f} ms, 99th percentile {np.percentile(took, 99):.2f} ms, most {max(took):.2f} ms"


def _bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
