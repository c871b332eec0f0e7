"""The edits that a scope is asked about, and their keys: a value that is never changed, of which two versions share what is alike.

Edits stand in blocks, oldest first. A full block is closed: an edit that comes later starts the next one, and one that is forgotten
leaves an empty place, so that adding or forgetting costs one block however many there are. What has a place in an index
(`index`) is a closed block's row: its number holds as long as the block lives, in every version of the memory.

Shapes: K keys of a block or an edit, N keys of all, D what the scope says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from errata.core.records import EditId
from errata.editors.scoped.scopes.spelling import as_spelled, words_in

ROWS: Final = 1024
"""Keys from which on a block is closed."""


@dataclass(frozen=True, slots=True)
class Held:
    """One edit in memory."""

    edit: EditId
    asked: str
    """The digest of its query: a later edit of the same query speaks in its place."""

    keys: int
    """How many rows of the memory's keys are its own."""

    target: str
    over: tuple[EditId, ...]
    """The earlier edits that it contradicts."""

    inner: Any
    """The inner editor's state with this edit alone in it; None where one state holds all."""

    words: tuple[str, ...] = ()
    """What it asks, in each of its wordings, where the scope reads that again (`core.editor.Reranks`)."""

    subject: str = ""
    """What only its picture says of these."""

    alone: bool = False
    """Whether no picture concerns it by its name: its words are meant alone, or it is asked on pictures only."""

    def read_as(self, *, shown: bool) -> tuple[str, ...]:
        """Its words as they are read beside a question, which shows a picture or none."""
        return self.words if shown or not self.subject else tuple(named_beside(text, self.subject) for text in self.words)


class Place(NamedTuple):
    """Where an edit stands: places are in the order in which edits came."""

    block: int
    slot: int


class Mark:
    """What a block keeps while edits of it are forgotten. An index knows a block by it, and hangs on the first one's."""

    index: Any = None


@dataclass(frozen=True, eq=False)
class Block:
    """Some edits on end, each followed by nothing where it was forgotten."""

    held: tuple[Held | None, ...]
    rows: tuple[int, ...]
    """How many keys each has, or had."""

    keys_KD: Float[Tensor, "K D"]
    """In half precision; zeros where an edit was forgotten."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "mark", Mark())

    mark = Mark()  # of this very block; not a field, so that it stays out of a saved state

    @cached_property
    def closed(self) -> bool:
        return len(self.keys_KD) >= ROWS

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The first row of each edit."""
        return np.array([0, *accumulate(self.rows)][:-1])

    @cached_property
    def gone(self) -> NDArray[np.bool_]:
        """True where an edit was forgotten."""
        return np.array([held is None for held in self.held])

    @cached_property
    def names(self) -> NDArray[np.int64]:
        """Hashes of its edits' names and of their queries' digests, sorted: whether to look here for one."""
        return np.sort([hash(name) for held in self.held if held is not None for name in (held.edit, held.asked)])

    def may_hold(self, hashed: int) -> bool:
        """Whether some name has this hash."""
        place = int(self.names.searchsorted(hashed))
        return place < len(self.names) and int(self.names[place]) == hashed

    @cached_property
    def contradicted(self) -> frozenset[EditId]:
        """Every edit that one of these contradicts."""
        return frozenset(old for held in self.held if held is not None for old in held.over)

    @cached_property
    def targets(self) -> Mapping[tuple[str, ...], tuple[int, ...]]:
        """Targets as words -> the slots of the edits to them."""
        found: dict[tuple[str, ...], tuple[int, ...]] = {}
        for slot, held in enumerate(self.held):
            if held is not None:
                words = _words(held.target)
                found[words] = (*found.get(words, ()), slot)
        return found

    @cached_property
    def spelled(self) -> Mapping[str, frozenset[str]]:
        """Words of its edits, folded -> how these spell them."""
        found: dict[str, set[str]] = {}
        for held in self.held:
            for text in () if held is None else (*held.words, held.target):
                for word in words_in(text):
                    found.setdefault(word.casefold(), set()).add(word)
        return {folded: frozenset(spellings) for folded, spellings in found.items()}

    def with_(self, held: Held, keys_KD: Tensor) -> Block:
        """One more edit in an open block."""
        return Block((*self.held, held), (*self.rows, held.keys), torch.cat([_kept(self.keys_KD), _kept(keys_KD)]))

    def without(self, slot: int) -> Block:
        """Without one edit: an open block closes up, a closed one keeps every other row where it is."""
        start, count = int(self.starts[slot]), self.rows[slot]
        if not self.closed:
            keys_KD = torch.cat([self.keys_KD[:start], self.keys_KD[start + count :]])
            return Block(_left_out(self.held, slot), _left_out(self.rows, slot), keys_KD)
        keys_KD = self.keys_KD.clone()
        keys_KD[start : start + count] = 0
        return self._marked(replace(self, held=(*self.held[:slot], None, *self.held[slot + 1 :]), keys_KD=keys_KD))

    def forgiving(self, edit: EditId) -> Block:
        """With no edit that contradicts this one."""
        held = tuple(
            replace(each, over=tuple(old for old in each.over if old != edit)) if each is not None and edit in each.over else each
            for each in self.held
        )
        return self._marked(replace(self, held=held))

    def _marked(self, block: Block) -> Block:
        object.__setattr__(block, "mark", self.mark)
        return block


@dataclass(frozen=True, eq=False)
class Memory:
    """The edits in memory, oldest first, and their keys in the same order."""

    blocks: tuple[Block, ...] = ()
    """All but the last are closed."""

    stream: Any = None
    """The inner editor's state with all edits in it; None where each has its own."""

    count: int = 0
    """How many edits there are."""

    @property
    def held(self) -> tuple[Held, ...]:
        """The edits, without empty places."""
        return tuple(self._each())

    @property
    def keys_ND(self) -> Float[Tensor, "N D"] | None:
        """Their keys, in half precision; None: no edit."""
        kept = [
            block.keys_KD[int(start) : int(start) + rows]
            for block in self.blocks
            for held, start, rows in zip(block.held, block.starts, block.rows, strict=True)
            if held is not None
        ]
        return torch.cat(kept) if kept else None

    @property
    def last(self) -> Held | None:
        """The latest edit."""
        return next((held for block in reversed(self.blocks) for held in reversed(block.held) if held is not None), None)

    def at(self, place: Place) -> Held:
        """The edit in a place that isn't empty."""
        held = self.blocks[place.block].held[place.slot]
        assert held is not None, "nothing stands in this place any more"
        return held

    def keys_of(self, place: Place) -> Float[Tensor, "K D"]:
        """The keys of the edit in a place."""
        block = self.blocks[place.block]
        start = int(block.starts[place.slot])
        return block.keys_KD[start : start + block.rows[place.slot]]

    def added(self, held: Held, keys_KD: Float[Tensor, "K D"], stream: Any = None) -> Memory:
        """With one more edit."""
        if self.blocks and not self.blocks[-1].closed:
            blocks = (*self.blocks[:-1], self.blocks[-1].with_(held, keys_KD))
        else:
            blocks = (*self.blocks, Block((held,), (held.keys,), _kept(keys_KD)))
        return Memory(blocks, stream, self.count + 1)

    def without(self, place: Place, stream: Any = None) -> Memory:
        """Without the edit in a place, and with nothing that speaks of it."""
        edit = self.at(place).edit
        blocks = list(self.blocks)
        blocks[place.block] = blocks[place.block].without(place.slot)
        for number in range(place.block, len(blocks)):  # who contradicts it came later
            if edit in blocks[number].contradicted:
                blocks[number] = blocks[number].forgiving(edit)
        return Memory(tuple(block for block in blocks if any(block.held)), stream, self.count - 1)

    def find(self, edit: EditId) -> Place | None:
        """Where an edit stands."""
        return next((place for place in self._in_blocks_of(edit) if self.at(place).edit == edit), None)

    def asked(self, query: str) -> Iterator[Place]:
        """The edits of the query with this digest."""
        return (place for place in self._in_blocks_of(query) if self.at(place).asked == query)

    def said_in(self, text: str) -> Iterator[Place]:
        """The edits whose target stands in a text, word for word, in the order in which they came."""
        words = _words(text)
        runs = {words[start:end] for start in range(len(words)) for end in range(start + 1, min(start + _RUN, len(words)) + 1)}
        runs = {run for run in runs if len(" ".join(run)) > 1}
        for number, block in enumerate(self.blocks):
            yield from (Place(number, slot) for slot in sorted(slot for run in runs for slot in block.targets.get(run, ())))

    def as_spelled(self, text: str) -> str:
        """A text as the edits spell its words."""
        return as_spelled(text, lambda word: frozenset[str]().union(*(block.spelled.get(word, ()) for block in self.blocks)))

    def _in_blocks_of(self, name: str) -> Iterator[Place]:
        hashed = hash(name)
        for number, block in enumerate(self.blocks):
            if block.may_hold(hashed):
                yield from (Place(number, slot) for slot, held in enumerate(block.held) if held is not None)

    def _each(self) -> Iterator[Held]:
        return (held for block in self.blocks for held in block.held if held is not None)


def named_beside(text: str, subject: str | None) -> str:
    """A question with its subject, where it doesn't name that itself."""
    return text if subject is None or subject.casefold() in text.casefold() else f"{text} ({subject})"


def _words(text: str) -> tuple[str, ...]:
    stripped = (word.strip(_AROUND) for word in text.casefold().split())
    return tuple(word for word in stripped if word)


def _kept(keys_KD: Tensor) -> Tensor:
    """Keys as they are kept: in half precision, which ends at 65,504."""
    return keys_KD.clamp(-_LARGEST, _LARGEST).half()


_LARGEST: Final = 65_504.0

_RUN: Final = 6
"""Words of the longest target that is looked for in a question."""

_AROUND: Final = ".,;:!?\"'()[]\u2019\u201c\u201d"
"""What stands around a word and is none of it."""


def _left_out(values: Sequence[Any], slot: int) -> tuple[Any, ...]:
    return (*values[:slot], *values[slot + 1 :])
