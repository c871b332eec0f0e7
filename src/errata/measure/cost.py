"""What a write and a read of an editor cost on a model, in full passes and in unedited answers.

Each write stands beside one full forward and backward pass of its own input, taken just before it, as `write_over_pass` is in every
`result.json`. Late edits of a stream aren't the early ones (their answers may be longer), so the last tenth of them is the first
tenth again, put to the model loaded anew, which has seen none of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, final

from errata.core.benchmark import Stream
from errata.core.editor import Editor, Merges, protected
from errata.core.model import Model
from errata.core.progress import Progress
from errata.core.records import Query
from errata.editors import state_bytes
from errata.measure.evaluate import pass_ms, read_over_base
from errata.session.attempts import settled

_READ = 6
"""Edits whose queries are read, from the first."""


@final
@dataclass(frozen=True)
class Merged:
    """What a read costs where every edit is in the weights."""

    read_over_base: float
    agree: int
    """Answers that are the unmerged ones."""

    asked: int


@final
@dataclass(frozen=True)
class Costs:
    """Of every write, in their order, and of the reads after the last."""

    parameters: int
    pass_ms: tuple[float, ...]
    write_over_pass: tuple[float, ...]
    state_bytes: tuple[int, ...]
    """After each write."""

    read_over_base: float
    merged: Merged | None
    """None where the editor can't be merged."""

    @property
    def write(self) -> float:
        """The median write, in passes."""
        return median(self.write_over_pass)

    @property
    def late_over_early(self) -> float:
        """The median write of the last tenth over that of the first, in passes."""
        tenth = _tenth(len(self.write_over_pass))
        return median(self.write_over_pass[-tenth:]) / median(self.write_over_pass[:tenth])


def costs(load: Callable[[], Model], editor: Editor[Any], stream: Stream, *, pool: int, progress: Progress) -> Costs:
    """Write a stream's edits and read them.

    Args:
        load: the model, loaded anew at each call.
        pool: queries of the stream's pool that the editor measures at the start, where it protects any.

    Raises:
        BadInput: an edit that this model can't be given.
    """
    edits, model, editor = len(stream), load(), protected(editor, stream.pool()[:pool])
    state, ratios, passes, sizes = editor.begin(model), [], [], []
    for index in range(edits):
        again = index - (edits - _tenth(edits))
        if again == 0:
            model = load()
        edit = stream[index].edit if again < 0 else replace(stream[again].edit, subject="again")
        passes.append(pass_ms(model, edit))
        started = time.perf_counter()
        state = editor.write(model, state, edit)
        settled()
        ratios.append((time.perf_counter() - started) * 1000 / passes[-1])
        sizes.append(state_bytes(state))
        progress(f"pass {passes[-1]:.0f} ms, write {ratios[-1]:.2f} passes", index + 1, edits)
    queries = [stream[index].edit.query for index in range(min(_READ, edits))]
    read = read_over_base(model, lambda query: editor.read(model, state, query), queries)
    merged = _merged(model, editor, state, queries)
    return Costs(model.parameters, tuple(passes), tuple(ratios), tuple(sizes), read, merged)


def _merged(model: Model, editor: Editor[Any], state: Any, queries: Sequence[Query]) -> Merged | None:
    patch = editor.merged(model, state) if isinstance(editor, Merges) else None
    if patch is None:
        return None
    apart = model.answers(queries, [editor.read(model, state, query) for query in queries], max_new_tokens=8)
    together = model.answers(queries, [patch] * len(queries), max_new_tokens=8)
    agree = sum(a == b for a, b in zip(apart, together, strict=True))
    return Merged(read_over_base(model, lambda _: patch, queries), agree, len(queries))


def _tenth(edits: int) -> int:
    return max(1, edits // 10)
