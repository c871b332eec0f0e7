"""An index of a large memory's keys: which few edits a query may be about, without a look at all of them.

An inverted file of scalar-quantized vectors (faiss: IVF, SQ8). It is only ever a help: it is made from the memory, which is made
from the log; what it finds is scored from the keys themselves, and whatever isn't in the memory that is asked, because it was
forgotten or belongs to another branch, is passed over. So one index serves every version of a memory.

Shapes: K keys of a block, D what the scope says, M the space in which the nearest key has the highest score.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import Any, Final, final

import numpy as np
from jaxtyping import Float
from torch import Tensor

from errata.editors.scoped.memory import Block, Mark, Place

LARGE: Final = 32_768
"""Edits from which on a memory is asked through an index, where faiss is installed."""

_LISTS = 2048
"""The most lists of an inverted file; there are so many that one holds 64 keys or more."""

_PER_LIST = 64
_LOOKED_THROUGH = 16
"""Lists that a search looks through."""

_LEARNED_FROM = 40
"""Keys for each list that the lists are learned from."""

_GROWN = 8
"""How many times as many keys as it was made for make an index be made anew, or as many in it as are in the memory."""

_WIDER = 8
"""How many times as many keys are fetched once more where too many of those found were forgotten."""

_BITS = 40
"""An entry's number: its block's in the higher bits."""

Near = Callable[[Float[Tensor, "K D"]], Float[Tensor, "K M"] | None]
"""Keys as vectors of which the nearest by Euclid has the highest score; see `core.editor.Nears`."""


@final
class Index:
    """Of closed blocks alone; see the module. May be asked by several threads."""

    def __init__(self, faiss: ModuleType, near: Near) -> None:
        self._faiss = faiss
        self._near = near
        self._lock = threading.Lock()
        self._numbers: dict[Mark, int] = {}
        self._net: Any = None
        self._made_for = 0
        self._followed: Sequence[Block] = ()
        self._places_of: dict[int, int] = {}
        """A block's number in the index -> where it stands in the memory that was asked last."""

    def nearest(self, blocks: Sequence[Block], asked_D: Tensor, count: int) -> list[Place]:
        """The places of the nearest edits among closed blocks, each once, fewer only where most keys were forgotten."""
        with self._lock:
            if self._followed is not blocks:
                self._follow(blocks)
            places = self._places_of
            vector = self._vectors(asked_D[None])
            found = list(self._places(blocks, places, self._search(vector, count)))
            if len(found) < count:
                found = list(self._places(blocks, places, self._search(vector, _WIDER * count)))
        return found[:count]

    def _search(self, vector_1M: np.ndarray[Any, Any], count: int) -> Iterator[int]:
        _, numbers = self._net.search(vector_1M, min(count, self._net.ntotal))
        return (int(number) for number in numbers[0] if number >= 0)

    def _places(self, blocks: Sequence[Block], places: dict[int, int], numbers: Iterator[int]) -> Iterator[Place]:
        seen: set[Place] = set()
        for number in numbers:
            block = places.get(number >> _BITS)
            if block is None:
                continue
            slot = int(np.searchsorted(blocks[block].starts, number & ((1 << _BITS) - 1), side="right")) - 1
            place = Place(block, slot)
            if blocks[block].held[slot] is not None and place not in seen:
                seen.add(place)
                yield place

    def _follow(self, blocks: Sequence[Block]) -> None:
        """Take in the blocks that are new to it; made anew where it has become too small for what it holds."""
        closed = {block.mark: place for place, block in enumerate(blocks) if block.closed}
        fresh = [blocks[place] for mark, place in closed.items() if mark not in self._numbers]
        if fresh:
            self._take_in(fresh, [blocks[place] for place in closed.values()])
        self._places_of = {self._numbers[mark]: place for mark, place in closed.items()}
        self._followed = blocks

    def _take_in(self, fresh: Sequence[Block], closed: Sequence[Block]) -> None:
        total = sum(len(block.keys_KD) for block in closed)
        if self._net is None or total > _GROWN * self._made_for or self._net.ntotal > _GROWN * total:
            self._numbers.clear()
            fresh = closed
            self._make([block.keys_KD for block in fresh], total)
        for block in fresh:
            number = self._numbers[block.mark] = len(self._numbers)
            rows = np.arange(len(block.keys_KD), dtype=np.int64)
            self._net.add_with_ids(self._vectors(block.keys_KD), (number << _BITS) + rows)

    def _make(self, keys: Sequence[Tensor], total: int) -> None:
        faiss = self._faiss
        faiss.omp_set_num_threads(1)  # threads that spin cost more than they bring, on one vector at a time
        lists = 1 << (min(_LISTS, max(1, total // _PER_LIST)).bit_length() - 1)
        every = max(1, total // (_LEARNED_FROM * lists))
        sample = np.concatenate([self._vectors(each[::every]) for each in keys])
        width = sample.shape[1]
        self._net = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatL2(width), width, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_L2
        )
        self._net.nprobe = min(_LOOKED_THROUGH, lists)
        self._net.train(sample)
        self._made_for = total

    def _vectors(self, keys_KD: Tensor) -> np.ndarray[Any, Any]:
        lie_KM = self._near(keys_KD.float())
        assert lie_KM is not None, "only a scope that goes by nearness has an index"
        return np.ascontiguousarray(lie_KM.detach().float().cpu().numpy())


@cache
def faiss() -> ModuleType | None:
    """The library, where it is installed (the extra "faiss")."""
    try:
        import faiss as found
    except ImportError:
        return None
    return found
