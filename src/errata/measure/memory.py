"""A memory of very many edits: is the nearest one found, and what do a decision, an edit more and an edit less cost?

Keys are synthetic: unit vectors around cluster centres. A query is a stored key with noise of a fiftieth of its length added.
Recall is against the exact scores of every key. A decision is everything but the encoding of the query, which costs the same
however many edits there are; an edit more is a whole write, with the search for what it contradicts.

Shapes: N keys, K keys of a block, Q queries, D a key's width.
"""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from errata.core.model import Model
from errata.core.progress import Progress
from errata.core.records import Edit, EditId, Query, Spec
from errata.editors import Scoped
from errata.editors.scoped.memory import ROWS, Block, Held, Memory
from errata.nn.patches import NoPatch

_ASIDE = 0.02
"""Length of what is added to a stored key for a query."""

_NEAR = 0.9
"""The cosine from which on an edit is in scope."""

_CLUSTER = 1000
"""Edits around one centre, about."""

_CHANGED = 200
"""The most edits that are added, and taken out."""


@final
class Table:
    """A scope whose keys are looked up."""

    def __init__(self) -> None:
        self.keys: dict[str, Tensor] = {}

    def spec(self) -> dict[str, str]:
        """Nothing but its kind: the keys are no part of it."""
        return {"kind": "table"}

    def key(self, model: Model, query: Query, target: str | None = None) -> Tensor:
        """What was put there for the query."""
        return self.keys[query.text]

    def rho(self, asked_D: Tensor, keys_ND: Tensor) -> Tensor:
        """A half where the cosine is `_NEAR`, 1 where it is 1."""
        return (0.5 + ((keys_ND * asked_D).sum(-1) - _NEAR) / 2 / (1 - _NEAR)).clamp(0, 1)

    def near(self, keys_KD: Tensor) -> Tensor:
        """Unit keys lie as they are."""
        return keys_KD


@final
class Mute:
    """An editor that says nothing."""

    def spec(self, model: Model) -> Spec:
        """Its name alone."""
        return Spec("mute", {})

    def begin(self, model: Model) -> None:
        """Nothing to hold."""
        return

    def write(self, model: Model, state: None, edit: Edit) -> None:
        """Nothing to keep."""
        return

    def read(self, model: Model, state: None, query: Query) -> NoPatch:
        """Nothing to say."""
        return NoPatch()


@final
@dataclass(frozen=True)
class Millis:
    """Milliseconds of several calls."""

    median: float
    p99: float
    most: float

    @staticmethod
    def of(took: Sequence[float]) -> Millis:
        return Millis(float(np.median(took)), float(np.percentile(took, 99)), max(took))


@final
@dataclass(frozen=True)
class Found:
    """What a large memory gave and took."""

    ready_s: float
    """Until the first query was decided, the making of the index included."""

    indexed: bool
    """Whether the nearest are found through an index, not by a look at every key."""

    recall: float
    decision: Millis
    more: Millis
    """An edit is written."""

    less: Millis
    """An edit is forgotten."""

    memory_mb: float
    """What the process held more at its peak than at its peak before."""


def measured(model: Model, *, edits: int, width: int, queries: int, seed: int, progress: Progress) -> Found:
    """Fill a memory, ask it, write some edits and forget some."""
    rng, table = np.random.default_rng(seed), Table()
    memory, before = Scoped(table, Mute()), _peak_bytes()
    progress("filling", 0, 4)
    state = filled(rng, edits, width)
    places = rng.integers(edits, size=queries).tolist()
    asked = [Query.ask(f"query {number}") for number in range(queries)]
    for query, place in zip(asked, places, strict=True):
        key_D = state.blocks[place // ROWS].keys_KD[place % ROWS].float()
        table.keys[query.text] = normalize(key_D + aside(rng, width), dim=0)
    progress("asking", 1, 4)
    started = time.perf_counter()
    memory.decide(model, state, asked[0])
    ready_s = time.perf_counter() - started
    decision, found = _timed(lambda query: memory.decide(model, state, query)[0].edit, asked)
    exact = best(state, [table.keys[query.text] for query in asked])
    recall = sum(one == other for one, other in zip(found, exact, strict=True)) / queries
    some, versions = asked[:_CHANGED], [state]

    def write(edit: Edit) -> None:
        versions[0] = memory.write(model, versions[0], edit)

    def forget(edit: EditId) -> None:
        left = memory.forget(versions[0], edit)
        assert left is not None, "a scope's edits are forgotten exactly"
        versions[0] = left

    progress("writing", 2, 4)
    more, _ = _timed(write, [Edit(query, f"value {number}") for number, query in enumerate(some)])
    progress("forgetting", 3, 4)
    less, _ = _timed(forget, list(dict.fromkeys(_edit_at(state, place) for place in places))[: len(some)])
    indexed = state.blocks[0].mark.index is not None
    return Found(ready_s, indexed, recall, decision, more, less, (_peak_bytes() - before) / 1e6)


def filled(rng: np.random.Generator, count: int, width: int) -> Memory:
    """That many edits, about a thousand to a cluster."""
    centres = rng.normal(size=(max(1, count // _CLUSTER), width)).astype(np.float32)
    blocks = []
    for start in range(0, count, ROWS):
        size = min(ROWS, count - start)
        keys = centres[rng.integers(len(centres), size=size)] + 0.5 * rng.normal(size=(size, width)).astype(np.float32)
        held = tuple(_held(start + number) for number in range(size))
        blocks.append(Block(held, (1,) * size, normalize(torch.from_numpy(keys), dim=-1).half()))
    return Memory(tuple(blocks), None, count)


def aside(rng: np.random.Generator, width: int) -> Float[Tensor, " D"]:
    """What is added to a stored key for a query."""
    return _ASIDE * normalize(torch.from_numpy(rng.normal(size=width)).float(), dim=0)


def best(state: Memory, asked: Sequence[Float[Tensor, " D"]]) -> list[EditId]:
    """The edit of the highest score of all, by every key."""
    asked_DQ = torch.stack(list(asked)).T
    top_Q, edits = torch.full((len(asked),), -1.0), [EditId("")] * len(asked)
    for block in state.blocks:
        scores_Q, rows_Q = (block.keys_KD.float() @ asked_DQ).max(0)
        for query in torch.nonzero(scores_Q > top_Q).flatten().tolist():
            held = block.held[int(rows_Q[query])]
            assert held is not None, "nothing was forgotten yet"
            edits[query] = held.edit
        top_Q = torch.maximum(top_Q, scores_Q)
    return edits


def _held(number: int) -> Held:
    digest = hashlib.sha256(str(number).encode())
    edit = digest.hexdigest()
    digest.update(b"asked")
    return Held(EditId(edit), digest.hexdigest(), 1, f"value {number}", (), None)


def _edit_at(state: Memory, place: int) -> EditId:
    held = state.blocks[place // ROWS].held[place % ROWS]
    assert held is not None, "nothing was forgotten in this version"
    return held.edit


_T = TypeVar("_T")
_R = TypeVar("_R")


def _timed(call: Callable[[_T], _R], each: Sequence[_T]) -> tuple[Millis, list[_R]]:
    """What the calls took, and what they gave."""
    took, gave = [], []
    for one in each:
        started = time.perf_counter()
        gave.append(call(one))
        took.append(1000 * (time.perf_counter() - started))
    return Millis.of(took), gave


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
