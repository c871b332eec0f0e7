"""Patches on the rows of a batch that goes on: rows enter and leave between its passes, and each keeps what its patch remembers.

What a patch of codes remembers of a row is which slot spoke last, since the next of its run follows; who spoke is gathered pass by
pass. `patches.in_rows` is the same for a batch that stays together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast, final

import torch

from errata.nn.codes import SILENT, Reading
from errata.nn.patches import LowRank, NoPatch, add_in_rows, blocks_of, spoken

if TYPE_CHECKING:
    from torch import nn

    from errata.core.model import Model
    from errata.core.records import EditId


@final
@dataclass(eq=False)
class Carried:
    """A row's patch, and what is remembered of it."""

    patch: NoPatch | LowRank

    prompt: int
    """Positions of its prompt, padding left out."""

    last: dict[str, int] = field(default_factory=dict)
    """Module path -> the slot that spoke there last, SILENT where none did."""

    slots: set[int] = field(default_factory=set)
    """Those that went into the answer so far."""

    @property
    def spoke(self) -> tuple[EditId, ...] | None:
        """See `core.model.Generated.spoke`."""
        return spoken(self.patch, self.slots)


@final
class Running:
    """Rows that go through the text stack together, pass after pass, until one enters or leaves: then another takes them up.

    Args:
        model: the model.
        rows: in the order of the batch; what they remember is written into them.
    """

    def __init__(self, model: Model, rows: Sequence[Carried]) -> None:
        self._rows = tuple(rows)
        self._top = max(model.groups.values(), default=0)
        self._groups = model.groups
        held = [row.patch.deltas if isinstance(row.patch, LowRank) else {} for row in rows]
        paths = {path for deltas in held for path in deltas}
        self._modules = {path: cast("nn.Linear", model.module(path)) for path in model.writable["text"] if path in paths}
        self._blocks = {
            path: blocks_of([deltas.get(path) for deltas in held], module, path) for path, module in self._modules.items()
        }
        self._readings = [
            (path, block.held, tuple(range(len(rows)) if block.rows_S is None else block.rows_S.tolist()))
            for path, blocks in self._blocks.items()
            for block in blocks
            if isinstance(block.held, Reading)
        ]
        for path, reading, places in self._readings:
            if all(path in rows[place].last for place in places):
                reading.go_on(torch.tensor([rows[place].last[path] for place in places]))

    @contextmanager
    def on(self) -> Iterator[None]:
        """The patches in force for one pass, each on its row: the prompts of rows that enter, or one more position of each.

        What was said there is remembered when the block ends.
        """
        with ExitStack() as stack:
            for path, module in self._modules.items():
                hook = add_in_rows(self._blocks[path], rows=len(self._rows), path=path)
                stack.callback(module.register_forward_hook(hook).remove)
            yield
        for path, reading, places in self._readings:
            self._remember(path, reading, places)

    def _remember(self, path: str, reading: Reading, places: tuple[int, ...]) -> None:
        latest_BT = reading.latest_BT
        if latest_BT is None:
            for place in places:
                self._rows[place].last[path] = SILENT
            return
        felt_last = latest_BT.shape[1] == 1 or self._groups.get(path) == self._top  # above the last layer nothing looks back
        said = (latest_BT[:, -1:] if felt_last else latest_BT).tolist()
        for place, slots in zip(places, said, strict=True):
            row = self._rows[place]
            row.last[path] = slots[-1]
            row.slots.update(slot for slot in slots[-row.prompt :] if slot != SILENT)
